//! The blind index: by which digest of a person which policy is found.
//!
//! Digests are in no order, and each put into its place at once would touch a page of its own, written to the log whole.
//! So a policy's digests first lie together in one row, at the end of a table. When there are rows enough, the oldest
//! 1,024 make a short run: all their digests in order, in blocks of a page each. Short runs of 32,768 policies make a
//! long one, a few digests with each batch, so that none waits for it.
//!
//! A search looks through the rows, into one block of each run, and into each segment of `people`, the table of earlier
//! versions. (A row a digest took 1,200 insertions a batch; `docs/performance.md` has the figures.)
//!
//! A run is numbered by its policies' sequences, and once a greater one is there it is closed: a policy that comes later,
//! from another gateway's numbers, goes into `people`. What a run is made of goes only when the run is whole;
//! until then some policies are found twice, and none is missed. All that several gateways on one file may know of each
//! other is in the tables: what is under way is looked at again in each transaction.

mod block;
mod indexer;
mod merge;
mod search;
pub(super) mod segment;
#[cfg(test)]
mod tests;
mod unfound;

use rusqlite::{Transaction, params};

use baoqiao_domain::policy_number::PolicyNumber;

use crate::vault::BlindIndex;

pub(super) use indexer::Indexer;
pub(super) use search::find;
pub(super) use unfound::unfound;

const DIGEST_BYTES: usize = 16;

/// A digest, and the sequence of the policy that is found by it; in the index's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
