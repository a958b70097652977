//! Makes one long run of short ones.

use rusqlite::Transaction;

use super::Entry;
use super::block::{BLOCK_ENTRIES, LONG, RunWriter, SHORT, first_id, last_id, prefix};
use super::indexer::{close, oldest};

/// How many bits of a short run's number tell it from others in its long one.
const SHORT_BITS: u32 = LONG.bits - SHORT.bits;
/// How many blocks that have gone into a long run are deleted at once, at the least.
const DELETED_AT_ONCE: usize = 8;

/// What is to be done next.
#[derive(Default)]
pub(super) enum Merge {
    /// To find out what there is to do.
    #[default]
    Look,
    /// To write a long run.
    Write(Box<NewRun>),
    /// To delete short runs that are in a long one.
    Delete,
    /// Nothing until another short run is whole.
    Rest,
}

/// A long run that is being written.
pub(super) struct NewRun {
    number: u64,
    sources: Vec<Source>,
    writer: RunWriter,
}

/// A short run that is being read.
struct Source {
    number: u64,
    /// Entries whose digests begin with less are written already.
    from: u64,
    /// The least id that its next block can have; `None` after the last.
    next: Option<u64>,
    block: std::iter::Peekable<std::vec::IntoIter<Entry>>,
}

impl Merge {
    /// There is another short run.
    pub(super) fn look_again(&mut self) {
        if matches!(self, Self::Rest) {
            *self = Self::Look;
        }
    }

    /// Moves so many entries.
    pub(super) fn step(&mut self, transaction: &Transaction<'_>, entries: usize) -> rusqlite::Result<()> {
        let blocks = DELETED_AT_ONCE.max(entries / BLOCK_ENTRIES);
        match self {
            Self::Look => *self = next(transaction, blocks)?,
            // Another gateway was faster, and its sources may be gone.
            Self::Write(run) if head(transaction)? > run.number => *self = Self::Delete,
            Self::Write(run) => {
                if run.step(transaction, entries)? {
                    *self = Self::Delete;
                }
            }
            Self::Delete => {
                if delete(transaction, blocks)? == 0 {
                    *self = Self::Look;
                }
            }
            Self::Rest => {}
        }
        Ok(())
    }
}

fn head(transaction: &Transaction<'_>) -> rusqlite::Result<u64> {
    transaction.prepare_cached("SELECT next_long_run FROM people_head")?.query_row([], |row| row.get(0))
}

/// The next long run is that of the first short one that is in none, once greater policies have come: then it is closed.
fn next(transaction: &Transaction<'_>, blocks: usize) -> rusqlite::Result<Merge> {
    if delete(transaction, blocks)? > 0 {
        return Ok(Merge::Delete);
    }
    let Some(first) = SHORT.from(transaction, head(transaction)? << SHORT_BITS)? else { return Ok(Merge::Rest) };
    let number = first >> SHORT_BITS;
    if oldest(transaction)?.is_none_or(|fresh| fresh >> LONG.bits <= number) {
        return Ok(Merge::Rest);
    }
    close(transaction, (number + 1) << SHORT_BITS)?;
    Ok(Merge::Write(Box::new(NewRun::begin(transaction, number)?)))
}

/// Deletes so many blocks that are in long runs, and says how many there were.
fn delete(transaction: &Transaction<'_>, blocks: usize) -> rusqlite::Result<usize> {
    let delete =
        "DELETE FROM people_runs_of_1024 WHERE id IN (SELECT id FROM people_runs_of_1024 WHERE id < ? LIMIT ?)";
    let end = first_id(head(transaction)? << SHORT_BITS);
    transaction.prepare_cached(delete)?.execute((end, blocks))
}

impl NewRun {
    /// Goes on from the last block that was written: only that one is written again.
    fn begin(transaction: &Transaction<'_>, number: u64) -> rusqlite::Result<Self> {
        let written = LONG.last_between(transaction, first_id(number), last_id(number))?;
        let from = written.map_or(0, |id| id - first_id(number));
        let first = number << SHORT_BITS;
        let sources = (first..first + (1 << SHORT_BITS)).map(|run| Source::begin(transaction, run, from));
        let sources = sources.collect::<rusqlite::Result<_>>()?;
        Ok(Self { number, sources, writer: RunWriter::new(&LONG, number) })
    }

    /// Writes so many entries; `true` once all are written.
    fn step(&mut self, transaction: &Transaction<'_>, entries: usize) -> rusqlite::Result<bool> {
        for _ in 0..entries {
            let Some(entry) = self.least(transaction)? else {
                self.writer.write(transaction)?;
                let update = "UPDATE people_head SET next_long_run = ?";
                transaction.prepare_cached(update)?.execute([self.number + 1])?;
                return Ok(true);
            };
            self.writer.push(transaction, &entry)?;
        }
        Ok(false)
    }

    fn least(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<Option<Entry>> {
        let mut least: Option<(Entry, &mut Source)> = None;
        for source in &mut self.sources {
            let Some(entry) = source.peek(transaction)? else { continue };
            if least.as_ref().is_none_or(|(before, _)| entry < *before) {
                least = Some((entry, source));
            }
        }
        Ok(least.and_then(|(_, source)| source.block.next()))
    }
}

impl Source {
    fn begin(transaction: &Transaction<'_>, number: u64, from: u64) -> rusqlite::Result<Self> {
        let next = SHORT.last_between(transaction, first_id(number), first_id(number) | from)?;
        let next = Some(next.unwrap_or(first_id(number)));
        Ok(Self { number, from, next, block: Vec::new().into_iter().peekable() })
    }

    fn peek(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<Option<Entry>> {
        while let (None, Some(from)) = (self.block.peek(), self.next) {
            let block = SHORT.block_from(transaction, self.number, from)?;
            self.next = block.as_ref().map(|(id, _)| id + 1);
            let mut entries = block.map(|(_, entries)| entries).unwrap_or_default();
            entries.retain(|entry| prefix(entry.digest) >= self.from);
            self.block = entries.into_iter().peekable();
        }
        Ok(self.block.peek().copied())
    }
}
