//! Runs and their blocks, as they lie in tables.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{DIGEST_BYTES, Entry};
use crate::vault::BlindIndex;

/// How many digests lie in a block: a page holds so many and no more.
pub(super) const BLOCK_ENTRIES: usize = 400;
/// How far a policy's sequence is above the run's first takes so much.
const OFFSET_BYTES: usize = 4;
const ENTRY_BYTES: usize = DIGEST_BYTES + OFFSET_BYTES;
/// Where the number of a run lies in a block's id.
const RUN_SHIFT: u32 = 32;

/// Runs of a kind, and the statements for them.
pub(super) struct Runs {
    /// A run is numbered by its first policy's sequence without so many bits.
    pub(super) bits: u32,
    insert: &'static str,
    /// Of the blocks between two ids, the last one's entries, its id, and the first one's id and entries.
    last: &'static str,
    last_id: &'static str,
    first: &'static str,
}

macro_rules! runs {
    ($table:literal, $bits:literal) => {
        Runs {
            bits: $bits,
            insert: concat!("INSERT OR REPLACE INTO ", $table, " (id, entries) VALUES (?, ?)"),
            last: concat!("SELECT entries FROM ", $table, " WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1"),
            last_id: concat!("SELECT id FROM ", $table, " WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1"),
            first: concat!("SELECT id, entries FROM ", $table, " WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1"),
        }
    };
}

/// Of 1,024 policies.
pub(super) const SHORT: Runs = runs!("people_runs_of_1024", 10);
/// Of the policies of 32 short runs.
pub(super) const LONG: Runs = runs!("people_long_runs", 15);

/// What of a digest is in a block's id.
pub(super) fn prefix(digest: [u8; DIGEST_BYTES]) -> u64 {
    let [first, second, third, fourth, ..] = digest;
    u64::from(u32::from_be_bytes([first, second, third, fourth]))
}

/// The least id that a block of the run can have.
pub(super) fn first_id(run: u64) -> u64 {
    run << RUN_SHIFT
}

/// The greatest.
pub(super) fn last_id(run: u64) -> u64 {
    first_id(run) | u64::from(u32::MAX)
}

impl Runs {
    /// The sequence from which a run's entries are counted.
    pub(super) fn base(&self, run: u64) -> u64 {
        run << self.bits
    }

    /// The run before `run`, or the last of all.
    pub(super) fn before(&self, connection: &Connection, run: Option<u64>) -> rusqlite::Result<Option<u64>> {
        let end = run.map_or(i64::MAX.unsigned_abs(), first_id);
        let Some(last) = end.checked_sub(1) else { return Ok(None) };
        Ok(self.last_between(connection, 0, last)?.map(|id| id >> RUN_SHIFT))
    }

    /// The first run whose number is not below `run`.
    pub(super) fn from(&self, connection: &Connection, run: u64) -> rusqlite::Result<Option<u64>> {
        let ids = (first_id(run), i64::MAX);
        let first = connection.prepare_cached(self.first)?.query_row(ids, |row| row.get::<_, u64>(0)).optional()?;
        Ok(first.map(|id| id >> RUN_SHIFT))
    }

    /// The last block whose id is one of these.
    pub(super) fn last_between(&self, connection: &Connection, from: u64, to: u64) -> rusqlite::Result<Option<u64>> {
        connection.prepare_cached(self.last_id)?.query_row((from, to), |row| row.get(0)).optional()
    }

    /// The policies of a person in a run.
    pub(super) fn policies_of(
        &self,
        connection: &Connection,
        run: u64,
        person: BlindIndex,
    ) -> rusqlite::Result<Vec<u64>> {
        let ids = (first_id(run), first_id(run) | prefix(person.0));
        let read = |row: &rusqlite::Row<'_>| {
            let entries = self.entries(run, row.get_ref(0)?.as_blob()?);
            Ok(entries.filter(|entry| entry.digest == person.0).map(|entry| entry.sequence).collect())
        };
        Ok(connection.prepare_cached(self.last)?.query_row(ids, read).optional()?.unwrap_or_default())
    }

    /// The id and the entries of the first block of the run that is not before `from`.
    pub(super) fn block_from(
        &self,
        connection: &Connection,
        run: u64,
        from: u64,
    ) -> rusqlite::Result<Option<(u64, Vec<Entry>)>> {
        let ids = (from, last_id(run));
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, self.entries(run, row.get_ref(1)?.as_blob()?).collect()));
        connection.prepare_cached(self.first)?.query_row(ids, read).optional()
    }

    fn entries(&self, run: u64, block: &[u8]) -> impl Iterator<Item = Entry> {
        let base = self.base(run);
        let (entries, _) = block.as_chunks::<ENTRY_BYTES>();
        entries.iter().filter_map(move |entry| {
            let (digest, offset) = entry.split_first_chunk()?;
            let offset = u32::from_be_bytes(*offset.first_chunk()?);
            Some(Entry { digest: *digest, sequence: base + u64::from(offset) })
        })
    }
}

/// Writes a run's entries, which come in their order, a block at a time.
pub(super) struct RunWriter {
    runs: &'static Runs,
    run: u64,
    /// The beginnings of the first and the last digest in the block.
    prefixes: (u64, u64),
    block: Vec<u8>,
}

impl RunWriter {
    pub(super) fn new(runs: &'static Runs, run: u64) -> Self {
        Self { runs, run, prefixes: (0, 0), block: Vec::with_capacity(BLOCK_ENTRIES * ENTRY_BYTES) }
    }

    /// All of a person's entries lie in one block, and no two blocks have the same id.
    pub(super) fn push(&mut self, transaction: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<()> {
        let prefix = prefix(entry.digest);
        if self.block.len() >= BLOCK_ENTRIES * ENTRY_BYTES && prefix != self.prefixes.1 {
            self.write(transaction)?;
        }
        if self.block.is_empty() {
            self.prefixes.0 = prefix;
        }
        self.prefixes.1 = prefix;
        self.block.extend(entry.digest);
        let offset = u32::try_from(entry.sequence.saturating_sub(self.runs.base(self.run)));
        self.block.extend(offset.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?.to_be_bytes());
        Ok(())
    }

    pub(super) fn write(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        if !self.block.is_empty() {
            let id = first_id(self.run) | self.prefixes.0;
            transaction.prepare_cached(self.runs.insert)?.execute(params![id, self.block])?;
            self.block.clear();
        }
        Ok(())
    }
}
