//! Looks whether policies are found by their parties.
//!
//! A search for each digest would look into every run. So the runs in which they should lie are read whole, and only for
//! what is nowhere else it is searched in the others; where that is much, they are read whole as well.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use rusqlite::{Connection, OptionalExtension};

use super::block::{LONG, Runs, SHORT, first_id, last_id, prefix};
use super::{DIGEST_BYTES, Entry, segment};
use crate::ledger::verification::evidence::Parties;
use crate::vault::BlindIndex;

/// How many numbers before theirs the runs are read: a run takes the oldest policies, and where several gateways have numbers
/// set aside, 8,192 lie between those of one and of the other.
const NUMBERS_BEFORE: u64 = 2 * 8_192;
/// For how many digests it is searched one by one.
const FEW: usize = 256;

/// Those of the policies that are not found by all of their parties, with the parties that do not find them; inside a
/// transaction, since digests move. Policies whose names are still to be put into the index are passed over.
pub(in super::super) fn unfound(connection: &Connection, policies: &[Parties]) -> rusqlite::Result<Vec<Parties>> {
    let missing_to: u64 = connection.query_row("SELECT missing_to FROM name_index", [], |row| row.get(0))?;
    let named = || policies.iter().filter(|parties| parties.policy_no.sequence() > missing_to);
    let sequences = || named().map(|parties| parties.policy_no.sequence());
    let (Some(first), Some(last)) = (sequences().min(), sequences().max()) else { return Ok(Vec::new()) };
    let entries = named().flat_map(|parties| {
        let sequence = parties.policy_no.sequence();
        parties.people.iter().map(move |person| Entry { digest: person.0, sequence })
    });
    let mut left: HashSet<Entry> = entries.collect();
    for runs in [&LONG, &SHORT] {
        let numbers = first.saturating_sub(NUMBERS_BEFORE) >> runs.bits..=last >> runs.bits;
        take_from_runs(connection, runs, numbers, &mut left)?;
    }
    take_from_fresh(connection, &mut left)?;
    let mut rest = HashSet::new();
    for entry in left {
        if !segment::holds(connection, &entry)? {
            rest.insert(entry);
        }
    }
    let mut unfound: HashMap<u64, Vec<BlindIndex>> = HashMap::new();
    for Entry { digest, sequence } in in_no_run(connection, rest)? {
        unfound.entry(sequence).or_default().push(BlindIndex(digest));
    }
    let with_theirs = |parties: &Parties| {
        let people = unfound.get(&parties.policy_no.sequence())?.clone();
        Some(Parties { people, ..parties.clone() })
    };
    Ok(named().filter_map(with_theirs).collect())
}

/// Those that lie in no run at all.
fn in_no_run(connection: &Connection, mut entries: HashSet<Entry>) -> rusqlite::Result<HashSet<Entry>> {
    if entries.len() > FEW {
        for runs in [&LONG, &SHORT] {
            take_from_runs(connection, runs, 0..=u64::MAX, &mut entries)?;
        }
        return Ok(entries);
    }
    let mut left = HashSet::new();
    for entry in entries {
        if !is_in_run(connection, &LONG, &entry)? && !is_in_run(connection, &SHORT, &entry)? {
            left.insert(entry);
        }
    }
    Ok(left)
}

fn is_in_run(connection: &Connection, runs: &Runs, entry: &Entry) -> rusqlite::Result<bool> {
    let mut before = None;
    while let Some(run) = runs.before(connection, before)? {
        if runs.policies_of(connection, run, BlindIndex(entry.digest))?.contains(&entry.sequence) {
            return Ok(true);
        }
        before = Some(run);
    }
    Ok(false)
}

/// Takes out what lies in runs of these numbers, in the block where a search looks for it.
fn take_from_runs(
    connection: &Connection,
    runs: &Runs,
    numbers: RangeInclusive<u64>,
    left: &mut HashSet<Entry>,
) -> rusqlite::Result<()> {
    let mut next = runs.from(connection, *numbers.start())?;
    while let Some(run) = next.filter(|run| numbers.contains(run) && !left.is_empty()) {
        let mut block = runs.block_from(connection, run, first_id(run))?;
        while let Some((id, entries)) = block {
            let next_block = runs.block_from(connection, run, id + 1)?;
            let end = next_block.as_ref().map_or(last_id(run) + 1, |(next_id, _)| *next_id);
            for entry in entries {
                if (id..end).contains(&(first_id(run) | prefix(entry.digest))) {
                    left.remove(&entry);
                }
            }
            block = next_block;
        }
        next = runs.from(connection, run + 1)?;
    }
    Ok(())
}

/// Takes out what lies with its policy in one row still.
fn take_from_fresh(connection: &Connection, left: &mut HashSet<Entry>) -> rusqlite::Result<()> {
    let sequences: HashSet<u64> = left.iter().map(|entry| entry.sequence).collect();
    let mut fresh = connection.prepare_cached("SELECT digests FROM fresh_people WHERE policy_sequence = ?")?;
    for sequence in sequences {
        let digests: Option<Vec<u8>> = fresh.query_row([sequence], |row| row.get(0)).optional()?;
        for digest in digests.as_deref().unwrap_or_default().as_chunks::<DIGEST_BYTES>().0 {
            left.remove(&Entry { digest: *digest, sequence });
        }
    }
    Ok(())
}
