//! The blind index: by which digest of a person which policy is found.
//!
//! Digests are in no order. Each put into its place at once would touch a page of its own, written to the log whole:
//! 18 pages for a batch of 32 policies, with segments of 2,048. So a policy's digests first lie
//! together in one row, at the end of a table; when a segment's worth of rows has come together they are sorted, and
//! go into the index in that order, a few with each batch. That costs each page once, and no batch waits for it long.
//! (Issuing became 10 % faster; `docs/performance.md` has the figures.)

use rusqlite::{Connection, Transaction, params};

use baoqiao_domain::policy_number::PolicyNumber;

use crate::vault::BlindIndex;

/// How many policies share a segment of the index, as a power of two.
///
/// A search looks once into each segment, five thousand of them at ten million policies. The number of a segment only
/// ever gets larger by a smaller power, so that rows written under another one are found all the same.
pub(super) const SEGMENT_BITS: u32 = 11;
/// How many rows lie together before the oldest are put into the index, and how many of them.
const FRESH_ROWS: u64 = 2 << SEGMENT_BITS;
const MOVED_ROWS: u64 = 1 << SEGMENT_BITS;
/// How many digests go into the index with each that comes: more than one, so that the fresh ones become no more.
const MOVED_A_NEW_ONE: usize = 3;

const DIGEST_BYTES: usize = 16;

/// A digest on its way into the index.
type Entry = (u64, [u8; DIGEST_BYTES], u64);

/// Puts digests into the index, some with each batch. What it holds is in the ledger as well: a gateway that starts
/// anew begins the segment again.
#[derive(Default)]
pub(super) struct Indexer {
    /// Rows that lie together; `None` until they were counted.
    fresh: Option<u64>,
    /// What is being moved, in the index's order, and how far that is.
    entries: Vec<Entry>,
    moved: usize,
    /// The first and last policy of it.
    range: (u64, u64),
}

/// What a batch changes of an [`Indexer`], once it is durable.
pub(super) struct Indexed {
    fresh: u64,
    moved: usize,
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

impl Indexer {
    /// Moves digests on, after a batch in which so many policies with so many digests came.
    pub(super) fn step(
        &mut self,
        transaction: &Transaction<'_>,
        policies: u64,
        digests: usize,
    ) -> rusqlite::Result<Indexed> {
        let mut fresh = match self.fresh {
            Some(fresh) => fresh + policies,
            None => count(transaction)?,
        };
        if self.entries.is_empty() && fresh >= FRESH_ROWS {
            self.load(transaction)?;
        }
        let end = self.entries.len().min(self.moved + digests * MOVED_A_NEW_ONE);
        let insert = "INSERT OR IGNORE INTO people (segment, digest, policy_sequence) VALUES (?, ?, ?)";
        let mut statement = transaction.prepare_cached(insert)?;
        for (segment, digest, sequence) in self.entries.get(self.moved..end).unwrap_or_default() {
            statement.execute(params![segment, digest, sequence])?;
        }
        if end > 0 && end == self.entries.len() {
            let delete = "DELETE FROM fresh_people WHERE policy_sequence BETWEEN ? AND ?";
            let gone = transaction.prepare_cached(delete)?.execute(self.range)?;
            fresh = fresh.saturating_sub(u64::try_from(gone).unwrap_or(u64::MAX));
        }
        Ok(Indexed { fresh, moved: end })
    }

    /// Takes note of what has become durable.
    pub(super) fn note(&mut self, indexed: &Indexed) {
        self.fresh = Some(indexed.fresh);
        self.moved = indexed.moved;
        if self.moved == self.entries.len() {
            self.entries.clear();
            self.moved = 0;
        }
    }

    /// Takes the oldest rows up, to be moved.
    fn load(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let query = "SELECT policy_sequence, digests FROM fresh_people ORDER BY policy_sequence LIMIT ?";
        let mut statement = transaction.prepare_cached(query)?;
        let mut rows = statement.query([MOVED_ROWS])?;
        let (mut first, mut last) = (None, 0);
        while let Some(row) = rows.next()? {
            let sequence: u64 = row.get(0)?;
            first = first.or(Some(sequence));
            last = sequence;
            let digests = row.get_ref(1)?.as_blob()?.as_chunks().0;
            self.entries.extend(digests.iter().map(|digest| (sequence >> SEGMENT_BITS, *digest, sequence)));
        }
        self.entries.sort_unstable();
        self.range = (first.unwrap_or_default(), last);
        Ok(())
    }
}

fn count(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT count(*) FROM fresh_people", [], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::ledger::sqlite::migrations;

    fn number(sequence: u64) -> PolicyNumber {
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        PolicyNumber::new(&"PBDI".parse().unwrap(), at, baoqiao_domain::bucket::Bucket::default(), sequence)
    }

    fn person(random: u64) -> BlindIndex {
        let mut digest = [0; DIGEST_BYTES];
        digest[..8].copy_from_slice(&random.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        BlindIndex(digest)
    }

    /// How often a person is found, as readers look.
    fn found(connection: &Connection, person: BlindIndex) -> usize {
        let query = "SELECT policy_sequence FROM people WHERE digest = ?1 \
                     UNION SELECT policy_sequence FROM fresh_people WHERE instr(digests, ?1) > 0";
        let mut statement = connection.prepare_cached(query).unwrap();
        statement.query_map([person.0], |row| row.get::<_, u64>(0)).unwrap().count()
    }

    #[test]
    fn everybody_is_found_all_the_while_whatever_stops_and_however_batches_fall() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::run(&mut connection).unwrap();
        let mut rng = fastrand::Rng::with_seed(7);
        let (mut indexer, mut sequence) = (Indexer::default(), 0);
        // One of them takes part in each tenth policy.
        let regular = person(u64::MAX);
        while sequence < 12_000 {
            let transaction = connection.transaction().unwrap();
            let (first, count) = (sequence, rng.u64(1..200));
            for _ in 0..count {
                sequence += 1;
                let mut people = vec![person(2 * sequence), person(2 * sequence + 1)];
                people.extend((sequence % 10 == 0).then_some(regular));
                write(&transaction, &number(sequence), &people).unwrap();
            }
            let step = indexer.step(&transaction, count, 2 * usize::try_from(count).unwrap()).unwrap();
            match rng.u8(..20) {
                // The commit fails, and the messages come again.
                0 => {
                    transaction.rollback().unwrap();
                    sequence = first;
                }
                // The gateway is killed after it.
                1 => {
                    transaction.commit().unwrap();
                    indexer = Indexer::default();
                }
                _ => {
                    transaction.commit().unwrap();
                    indexer.note(&step);
                }
            }
            if sequence > 0 {
                let someone = rng.u64(1..=sequence);
                assert_eq!(found(&connection, person(2 * someone)), 1, "{someone} of {sequence}");
            }
            assert_eq!(found(&connection, regular), usize::try_from(sequence / 10).unwrap());
        }
        let fresh = count(&connection).unwrap();
        assert!(fresh < FRESH_ROWS + MOVED_ROWS, "{fresh} rows lie together");
        let moved: u64 = connection.query_row("SELECT count(*) FROM people", [], |row| row.get(0)).unwrap();
        assert!(moved > 10_000, "{moved} digests were moved");
    }
}
