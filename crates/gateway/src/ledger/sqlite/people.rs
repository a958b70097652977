//! The blind index: by which digest of a person which policy is found.
//!
//! Digests are in no order, and each put into its place at once would touch a page of its own, written to the log whole.
//! So a policy's digests first lie together in one row, at the end of a table. When there are rows enough, the oldest
//! 2,048 make a short run: all their digests in order, in blocks of a page each. Short runs of 32,768 policies make a
//! long one. All this is done a few digests at a time with each batch, so that none waits for it.
//!
//! A search looks through the rows, and into one block of each run. (A row a digest took 1,200 insertions a
//! batch; `docs/performance.md` has the figures.)
//!
//! Policies come in the order of their sequences, and so runs do. What a run is made of goes only with the transaction
//! that ends it; until then some policies are found twice, and none is missed. A gateway that starts anew begins a short
//! run again, and writes the same blocks; with a long one it goes on.

mod block;
mod indexer;
mod merge;
mod search;
#[cfg(test)]
mod tests;

use rusqlite::{Transaction, params};

use baoqiao_domain::policy_number::PolicyNumber;

use crate::vault::BlindIndex;

pub(super) use indexer::Indexer;
pub(super) use search::find;

/// How many policies shared a segment of `people`, as a power of two.
///
/// The number of a segment only ever gets larger by a smaller power, so that rows written under another one are found
/// all the same.
pub(super) const SEGMENT_BITS: u32 = 11;

const DIGEST_BYTES: usize = 16;

/// A digest, and the sequence of the policy that is found by it; in the index's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    digest: [u8; DIGEST_BYTES],
    sequence: u64,
}

/// Keeps the digests of a policy's parties.
pub(super) fn write(
    transaction: &Transaction<'_>,
    number: &PolicyNumber,
    people: &[BlindIndex],
) -> rusqlite::Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    let digests: Vec<u8> = people.iter().flat_map(|person| person.0).collect();
    let insert = "INSERT INTO fresh_people (policy_sequence, digests) VALUES (?, ?)";
    transaction.prepare_cached(insert)?.execute(params![number.sequence(), digests])?;
    Ok(())
}
