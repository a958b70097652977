//! Looks whether policies are found by their parties.
//!
//! A search for each digest would look into every run. So the runs in which they should lie are read whole, and only for
//! what is in none of them it is searched; where that is much, all runs are read instead.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use rusqlite::{Connection, OptionalExtension};

use super::block::{LONG, Runs, SHORT, first_id};
use super::{DIGEST_BYTES, Entry, find, segment};
use crate::ledger::verification::evidence::Parties;
use crate::vault::BlindIndex;

/// How many runs before those of their numbers are looked into: a run may hold policies of the next numbers as well.
const RUNS_BEFORE: u64 = 1;
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
        let numbers = (first >> runs.bits).saturating_sub(RUNS_BEFORE)..=last >> runs.bits;
        take_from_runs(connection, runs, numbers, &mut left)?;
    }
    take_from_fresh(connection, &mut left)?;
    let are_few = left.len() <= FEW;
    if !are_few {
        take_from_runs(connection, &LONG, 0..=u64::MAX, &mut left)?;
        take_from_runs(connection, &SHORT, 0..=u64::MAX, &mut left)?;
    }
    let mut unfound: HashMap<u64, Vec<BlindIndex>> = HashMap::new();
    for Entry { digest, sequence } in left {
        let person = BlindIndex(digest);
        let is_found = if are_few {
            find(connection, person, usize::MAX)?.contains(&sequence)
        } else {
            segment::holds(connection, &digest, sequence)?
        };
        if !is_found {
            unfound.entry(sequence).or_default().push(person);
        }
    }
    let with_theirs = |parties: &Parties| {
        let people = unfound.get(&parties.policy_no.sequence())?.clone();
        Some(Parties { people, ..parties.clone() })
    };
    Ok(named().filter_map(with_theirs).collect())
}

/// Takes out what lies in runs of these numbers.
fn take_from_runs(
    connection: &Connection,
    runs: &Runs,
    numbers: RangeInclusive<u64>,
    left: &mut HashSet<Entry>,
) -> rusqlite::Result<()> {
    let mut next = runs.from(connection, *numbers.start())?;
    while let Some(run) = next.filter(|run| numbers.contains(run) && !left.is_empty()) {
        let mut from = first_id(run);
        while let Some((id, entries)) = runs.block_from(connection, run, from)? {
            for entry in &entries {
                left.remove(entry);
            }
            from = id + 1;
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
