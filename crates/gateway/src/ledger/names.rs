//! What is put into the blind index afterwards: names of parties, which policies of before them did not bring, and whatever
//! a policy turns out not to be found by.
//!
//! Going through the old ones is done beside a running gateway, from the newest down, a piece a transaction; where it
//! ended is kept with the pieces, so that it goes on there.

use std::collections::HashSet;

use baoqiao_domain::issuing::PolicyApplication;

use super::store::StoreError;
use super::verification::evidence::{Evidence, Parties};
use super::verification::unfound;
use crate::vault::{BlindIndex, Purpose, Sealed, Vault, VaultError};

/// Policies in one transaction: the ledger's own writing waits for as long.
pub const PIECE: usize = 256;

/// A policy whose parties' names are not in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unnamed {
    /// Its sequence.
    pub policy_sequence: u64,
    /// Its content.
    pub content: Sealed,
}

/// The blind index, as far as it is written afterwards. Every method blocks.
pub trait PeopleIndex: Send + Sync {
    /// The next policies whose names are missing, the newest first, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn unnamed(&self, limit: usize) -> Result<Vec<Unnamed>, StoreError>;

    /// Puts the names of a piece into the index; below `missing_to`, they are still missing.
    ///
    /// # Errors
    /// When the database cannot be written; then nothing of the piece was.
    fn name(&self, rows: &[(u64, Vec<BlindIndex>)], missing_to: u64) -> Result<(), StoreError>;

    /// Lets these policies be found by these parties.
    ///
    /// # Errors
    /// When the database cannot be written; then nothing was.
    fn put_back(&self, policies: &[Parties]) -> Result<(), StoreError>;
}

/// Why names could not be put into the index.
#[derive(Debug, thiserror::Error)]
pub enum NamingError {
    /// The database cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the ledger holds does not open.
    #[error("policy sequence {0}: {1}")]
    Vault(u64, VaultError),
    /// What the ledger holds does not read.
    #[error("policy sequence {0}: its content does not read: {1}")]
    Content(u64, serde_json::Error),
}

/// Puts the names of the next piece into the index, and tells how many policies it had; 0 when nothing is missing.
///
/// # Errors
/// When the ledger cannot be read or written, or a policy in it does not open; what was done before, stays.
pub fn name_next(index: &dyn PeopleIndex, vault: &Vault) -> Result<usize, NamingError> {
    let piece = index.unnamed(PIECE)?;
    let mut rows = Vec::with_capacity(piece.len());
    for policy in &piece {
        let sequence = policy.policy_sequence;
        let content = vault.open(Purpose::Content, &policy.content);
        let content = content.map_err(|error| NamingError::Vault(sequence, error))?;
        let application: PolicyApplication =
            serde_json::from_slice(&content).map_err(|error| NamingError::Content(sequence, error))?;
        // All of its keys: those that are there already are left as they are.
        let keys = application.person_keys().iter().map(|key| vault.blind_index(key)).collect();
        rows.push((sequence, keys));
    }
    // A short piece is the last one: there is no policy with the sequence 0.
    let last = piece.last().filter(|_| piece.len() == PIECE);
    let missing_to = last.map_or(0, |policy| policy.policy_sequence.saturating_sub(1));
    index.name(&rows, missing_to)?;
    Ok(piece.len())
}

/// What came of putting back.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PutBack {
    /// Policies that were not found by all of their parties, and are now.
    pub policies: usize,
    /// Answers that do not open or read, and whose policies were not looked up.
    pub unreadable: u64,
}

/// Goes through all policies, and lets those be found again that are not found by all of their parties; `tell` hears now and
/// then how many answers were gone through.
///
/// # Errors
/// When the ledger cannot be read or written; what was done before, stays.
pub fn put_back_unfound(
    evidence: &dyn Evidence,
    index: &dyn PeopleIndex,
    vault: &Vault,
    tell: &mut dyn FnMut(u64),
) -> Result<PutBack, StoreError> {
    let mut policies = HashSet::new();
    let unreadable = unfound(evidence, vault, tell, &mut |unfound| {
        for piece in unfound.chunks(PIECE) {
            index.put_back(piece)?;
            policies.extend(piece.iter().map(|parties| parties.policy_no.sequence()));
        }
        Ok(())
    })?;
    Ok(PutBack { policies: policies.len(), unreadable })
}
