//! Looks for a person in all that the index is made of.

use rusqlite::{Connection, params};

use super::block::{LONG, Runs, SHORT};
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
    let mut rows = connection.prepare_cached(IN_SEGMENTS)?;
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = rows.query_map(params![person.0, most], |row| row.get(0))?;
    newest.add(rows.collect::<rusqlite::Result<Vec<u64>>>()?);
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

/// What earlier versions put there, and what `baoqiao reindex` does.
const IN_SEGMENTS: &str = "WITH RECURSIVE segments (segment) AS ( \
       SELECT max(segment) FROM people \
       UNION ALL SELECT segment - 1 FROM segments WHERE segment > 0) \
     SELECT i.policy_sequence FROM segments s CROSS JOIN people i ON i.segment = s.segment AND i.digest = ?1 \
     ORDER BY i.policy_sequence DESC LIMIT ?2";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite::migrations;

    #[test]
    fn a_person_is_looked_up_in_each_segment_and_none_is_gone_through() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::run(&mut connection).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {IN_SEGMENTS}")).unwrap();
        let steps = statement.query_map(params![[0_u8; 16], 1], |row| row.get::<_, String>(3)).unwrap();
        let plan = steps.map(Result::unwrap).collect::<Vec<_>>().join("; ");
        assert!(plan.contains("SEARCH i USING PRIMARY KEY (segment=? AND digest=?)"), "{plan}");
        assert!(!plan.contains("SCAN i"), "{plan}");
    }
}
