//! Moves digests on, some with each batch.

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::block::{RunWriter, SHORT};
use super::merge::Merge;
use super::{Entry, segment};

/// How many rows lie together before the oldest make a run, and how many of them.
const FRESH_ROWS: u64 = 2 * RUN_ROWS;
const RUN_ROWS: u64 = 1 << SHORT.bits;
/// How many rows that came late are moved at once.
const LATE_ROWS: u64 = 256;
/// How many digests are merged with each that comes: more than one, so that short runs become no more.
const MERGED_A_NEW_ONE: usize = 3;

/// What is under way. A batch that fails leaves it ahead of the ledger: it is to be dropped, and begun anew.
#[derive(Default)]
pub(in super::super) struct Indexer {
    /// Rows that lie together; `None` until they were counted.
    fresh: Option<u64>,
    merge: Merge,
}

impl Indexer {
    /// Moves digests on, with a batch in which so many policies with so many digests came.
    pub(in super::super) fn step(
        &mut self,
        transaction: &Transaction<'_>,
        policies: u64,
        digests: usize,
    ) -> rusqlite::Result<()> {
        // Counted anew before each move and after it: another gateway may have moved some.
        let fresh = match self.fresh.map(|fresh| fresh + policies) {
            Some(fresh) if fresh < FRESH_ROWS => fresh,
            _ => count(transaction)?,
        };
        if fresh < FRESH_ROWS {
            self.fresh = Some(fresh);
        } else {
            move_oldest(transaction)?;
            self.merge.look_again();
            self.fresh = None;
        }
        // Also in a batch that has moved some: of the largest every other one does.
        self.merge.step(transaction, digests * MERGED_A_NEW_ONE)
    }
}

/// Makes a run of the oldest rows. Where runs of their number are closed already, they go into segments instead, a digest
/// at a time.
fn move_oldest(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let Some(oldest) = oldest(transaction)? else { return Ok(()) };
    let (number, open) = (oldest >> SHORT.bits, first_open(transaction)?);
    if number < open {
        let late = take(transaction, SHORT.base(open), LATE_ROWS)?;
        return late.iter().try_for_each(|entry| segment::write(transaction, &entry.digest, entry.sequence));
    }
    // What a block can say, with room for what a long run adds.
    let mut entries = take(transaction, SHORT.base(number) + u64::from(u32::MAX / 2), RUN_ROWS)?;
    entries.sort_unstable();
    let mut writer = RunWriter::new(&SHORT, number);
    entries.iter().try_for_each(|entry| writer.push(transaction, entry))?;
    writer.write(transaction)?;
    close(transaction, number + 1)
}

/// Takes the oldest rows out, as far as their sequences are below `end`.
fn take(transaction: &Transaction<'_>, end: u64, rows: u64) -> rusqlite::Result<Vec<Entry>> {
    let query = "SELECT policy_sequence, digests FROM fresh_people WHERE policy_sequence < ? \
                 ORDER BY policy_sequence LIMIT ?";
    let mut statement = transaction.prepare_cached(query)?;
    let mut rows = statement.query([end, rows])?;
    let (mut entries, mut last) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        let (digests, _) = row.get_ref(1)?.as_blob()?.as_chunks();
        entries.extend(digests.iter().map(|digest| Entry { digest: *digest, sequence: last }));
    }
    let delete = "DELETE FROM fresh_people WHERE policy_sequence <= ?";
    transaction.prepare_cached(delete)?.execute([last])?;
    Ok(entries)
}

/// The least number that a short run to come can have.
fn first_open(connection: &Connection) -> rusqlite::Result<u64> {
    connection.prepare_cached("SELECT next_short_run FROM people_head")?.query_row([], |row| row.get(0))
}

/// Lets no short run come whose number is below `next`.
pub(super) fn close(transaction: &Transaction<'_>, next: u64) -> rusqlite::Result<()> {
    let update = "UPDATE people_head SET next_short_run = max(next_short_run, ?)";
    transaction.prepare_cached(update)?.execute([next]).map(|_| ())
}

/// The first policy that is in no run.
pub(super) fn oldest(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    let query = "SELECT policy_sequence FROM fresh_people ORDER BY policy_sequence LIMIT 1";
    connection.prepare_cached(query)?.query_row([], |row| row.get(0)).optional()
}

fn count(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT count(*) FROM fresh_people", [], |row| row.get(0))
}
