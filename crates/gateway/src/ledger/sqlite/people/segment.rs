//! The blind index as earlier versions wrote it, a row a digest, in segments. Still written where a policy is too late for
//! its run: by `baoqiao reindex`, and where gateways issue from numbers of their own.

use rusqlite::{Connection, Transaction, params};

use super::{DIGEST_BYTES, Entry};
use crate::vault::BlindIndex;

/// How many policies share a segment, as a power of two.
///
/// The number of a segment only ever gets larger by a smaller power, so that rows written under another one are found
/// all the same.
const SEGMENT_BITS: u32 = 11;
/// How many it was at first.
const FIRST_SEGMENT_BITS: u32 = 16;

const FIND: &str = "WITH RECURSIVE segments (segment) AS ( \
       SELECT max(segment) FROM people \
       UNION ALL SELECT (SELECT max(p.segment) FROM people p WHERE p.segment < s.segment) \
       FROM segments s WHERE s.segment IS NOT NULL) \
     SELECT i.policy_sequence FROM segments s CROSS JOIN people i ON i.segment = s.segment AND i.digest = ?1 \
     ORDER BY i.policy_sequence DESC LIMIT ?2";

/// Adds a digest, where it is not there.
pub(in super::super) fn write(
    transaction: &Transaction<'_>,
    digest: &[u8; DIGEST_BYTES],
    sequence: u64,
) -> rusqlite::Result<()> {
    let insert = "INSERT OR IGNORE INTO people (segment, digest, policy_sequence) VALUES (?, ?, ?)";
    transaction.prepare_cached(insert)?.execute(params![sequence >> SEGMENT_BITS, digest, sequence]).map(|_| ())
}

/// Whether a policy is found here by a digest.
pub(super) fn holds(connection: &Connection, entry: &Entry) -> rusqlite::Result<bool> {
    let Entry { digest, sequence } = entry;
    let query =
        "SELECT EXISTS (SELECT 1 FROM people WHERE segment IN (?1, ?2) AND digest = ?3 AND policy_sequence = ?4)";
    let segments = (sequence >> SEGMENT_BITS, sequence >> FIRST_SEGMENT_BITS);
    connection.prepare_cached(query)?.query_row(params![segments.0, segments.1, digest, sequence], |row| row.get(0))
}

/// The newest of a person's policies.
pub(super) fn find(connection: &Connection, person: BlindIndex, limit: usize) -> rusqlite::Result<Vec<u64>> {
    let mut statement = connection.prepare_cached(FIND)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    statement.query_map(params![person.0, limit], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite::migrations;

    #[test]
    fn a_person_is_looked_up_in_each_segment_and_none_is_gone_through() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::run(&mut connection).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {FIND}")).unwrap();
        let steps = statement.query_map(params![[0_u8; 16], 1], |row| row.get::<_, String>(3)).unwrap();
        let plan = steps.map(Result::unwrap).collect::<Vec<_>>().join("; ");
        assert!(plan.contains("SEARCH i USING PRIMARY KEY (segment=? AND digest=?)"), "{plan}");
        assert!(!plan.contains("SCAN i"), "{plan}");
        // From one segment that is there to the one before it, however far that is.
        assert!(plan.contains("SEARCH p USING PRIMARY KEY (segment<?)"), "{plan}");
    }

    #[test]
    fn segments_that_are_far_apart_are_all_looked_into() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::run(&mut connection).unwrap();
        let transaction = connection.transaction().unwrap();
        for sequence in [7, 1 << 20, 1 << 40] {
            write(&transaction, &[3; DIGEST_BYTES], sequence).unwrap();
            write(&transaction, &[4; DIGEST_BYTES], sequence + 1).unwrap();
        }
        let find = |limit| find(&transaction, BlindIndex([3; DIGEST_BYTES]), limit).unwrap();
        assert_eq!(find(10), [1 << 40, 1 << 20, 7]);
        assert_eq!(find(2), [1 << 40, 1 << 20]);
        // As they were numbered at first.
        let insert = "INSERT INTO people (segment, digest, policy_sequence) VALUES (3, ?, ?)";
        transaction.execute(insert, params![[3_u8; DIGEST_BYTES], 200_000]).unwrap();
        for sequence in find(10) {
            let holds = |digest| holds(&transaction, &Entry { digest: [digest; DIGEST_BYTES], sequence }).unwrap();
            assert!(holds(3), "{sequence}");
            assert!(!holds(5), "{sequence}");
        }
    }
}
