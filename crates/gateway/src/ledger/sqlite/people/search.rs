//! Looks for a person in all that the index is made of.

use rusqlite::Connection;

use super::block::{LONG, Runs, SHORT};
use super::segment;
use crate::ledger::newest::Newest;
use crate::vault::BlindIndex;

/// The sequences of a person's policies, the newest first; inside a transaction, since digests move.
pub(in super::super) fn find(connection: &Connection, person: BlindIndex, limit: usize) -> rusqlite::Result<Vec<u64>> {
    let mut newest = Newest::new(limit);
    let fresh = "SELECT policy_sequence FROM fresh_people WHERE instr(digests, ?) > 0";
    let mut fresh = connection.prepare_cached(fresh)?;
    newest.add(fresh.query_map([person.0], |row| row.get(0))?.collect::<rusqlite::Result<Vec<u64>>>()?);
    for runs in [&SHORT, &LONG] {
        in_runs(connection, runs, person, &mut newest)?;
    }
    newest.add(segment::find(connection, person, limit)?);
    Ok(newest.into_iter().collect())
}

fn in_runs(connection: &Connection, runs: &Runs, person: BlindIndex, newest: &mut Newest) -> rusqlite::Result<()> {
    let mut before = None;
    while let Some(run) = runs.before(connection, before)? {
        newest.add(runs.policies_of(connection, run, person)?);
        before = Some(run);
    }
    Ok(())
}
