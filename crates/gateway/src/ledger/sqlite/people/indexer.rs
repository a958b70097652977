//! Moves digests on into runs, some with each batch.

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::Entry;
use super::block::{RunWriter, SHORT};
use super::merge::Merge;

/// How many rows lie together before the oldest make a run, and how many of them.
const FRESH_ROWS: u64 = 2 * RUN_ROWS;
const RUN_ROWS: u64 = 1 << SHORT.bits;
/// How many digests are moved with each that comes: more than one, so that fresh ones and short runs become no more.
const MOVED_A_NEW_ONE: usize = 3;

/// What is under way. A batch that fails leaves it ahead of the ledger: it is to be dropped, and begun anew.
#[derive(Default)]
pub(in super::super) struct Indexer {
    /// Rows that lie together; `None` until they were counted.
    fresh: Option<u64>,
    run: Option<NewRun>,
    merge: Merge,
}

/// A short run that is being written.
struct NewRun {
    entries: std::vec::IntoIter<Entry>,
    /// The first and last policy of it.
    range: (u64, u64),
    writer: RunWriter,
}

impl Indexer {
    /// Moves digests on, with a batch in which so many policies with so many digests came.
    pub(in super::super) fn step(
        &mut self,
        transaction: &Transaction<'_>,
        policies: u64,
        digests: usize,
    ) -> rusqlite::Result<()> {
        let fresh = match self.fresh {
            Some(fresh) => fresh + policies,
            None => count(transaction)?,
        };
        self.fresh = Some(fresh);
        if self.run.is_none() && fresh >= FRESH_ROWS {
            self.run = NewRun::begin(transaction)?;
        }
        let entries = digests * MOVED_A_NEW_ONE;
        let Some(run) = &mut self.run else { return self.merge.step(transaction, entries) };
        if let Some(gone) = run.step(transaction, entries)? {
            self.fresh = Some(fresh.saturating_sub(gone));
            self.run = None;
            self.merge.look_again();
        }
        Ok(())
    }
}

impl NewRun {
    /// Takes the oldest rows up.
    fn begin(transaction: &Transaction<'_>) -> rusqlite::Result<Option<Self>> {
        let Some(first) = oldest(transaction)? else { return Ok(None) };
        let number = first >> SHORT.bits;
        // What a block can say, with room for what a long run adds.
        let end = SHORT.base(number) + u64::from(u32::MAX / 2);
        let query = "SELECT policy_sequence, digests FROM fresh_people WHERE policy_sequence < ? \
                     ORDER BY policy_sequence LIMIT ?";
        let mut statement = transaction.prepare_cached(query)?;
        let mut rows = statement.query([end, RUN_ROWS])?;
        let (mut entries, mut last) = (Vec::new(), first);
        while let Some(row) = rows.next()? {
            let sequence = row.get(0)?;
            last = sequence;
            let (digests, _) = row.get_ref(1)?.as_blob()?.as_chunks();
            entries.extend(digests.iter().map(|digest| Entry { digest: *digest, sequence }));
        }
        entries.sort_unstable();
        let writer = RunWriter::new(&SHORT, number);
        Ok(Some(Self { entries: entries.into_iter(), range: (first, last), writer }))
    }

    /// Writes so many entries; says how many rows have gone once all are written.
    fn step(&mut self, transaction: &Transaction<'_>, entries: usize) -> rusqlite::Result<Option<u64>> {
        for entry in self.entries.by_ref().take(entries) {
            self.writer.push(transaction, &entry)?;
        }
        if !self.entries.as_slice().is_empty() {
            return Ok(None);
        }
        self.writer.write(transaction)?;
        let delete = "DELETE FROM fresh_people WHERE policy_sequence BETWEEN ? AND ?";
        let gone = transaction.prepare_cached(delete)?.execute(self.range)?;
        Ok(Some(u64::try_from(gone).unwrap_or(u64::MAX)))
    }
}

/// The first policy that is in no run.
pub(super) fn oldest(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    let query = "SELECT policy_sequence FROM fresh_people ORDER BY policy_sequence LIMIT 1";
    connection.prepare_cached(query)?.query_row([], |row| row.get(0)).optional()
}

fn count(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT count(*) FROM fresh_people", [], |row| row.get(0))
}
