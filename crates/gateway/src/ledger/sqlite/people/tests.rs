//! Everybody is found, wherever the digests are at the time.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use baoqiao_domain::bucket::Bucket;
use baoqiao_domain::policy_number::PolicyNumber;

use super::*;
use crate::ledger::sqlite::migrations;

/// Policies enough for two long runs.
const POLICIES: u64 = 95_000;
/// Batches are of this many and fewer.
const BATCH: u64 = 600;

fn number(sequence: u64) -> PolicyNumber {
    let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    PolicyNumber::new(&"PBDI".parse().unwrap(), at, Bucket::default(), sequence)
}

fn person(random: u64) -> BlindIndex {
    let mut digest = [0; DIGEST_BYTES];
    digest[..8].copy_from_slice(&random.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    BlindIndex(digest)
}

/// One of them takes part in each tenth policy: more often than a block has room for.
fn regular() -> BlindIndex {
    person(u64::MAX)
}

struct World {
    connection: Connection,
    indexer: Indexer,
    sequence: u64,
}

impl World {
    fn new() -> Self {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::run(&mut connection).unwrap();
        Self { connection, indexer: Indexer::default(), sequence: 0 }
    }

    /// Issues so many policies, which come to be or do not.
    fn batch(&mut self, count: u64, is_committed: bool) {
        let transaction = self.connection.transaction().unwrap();
        for sequence in self.sequence + 1..=self.sequence + count {
            let mut people = vec![person(2 * sequence), person(2 * sequence + 1)];
            people.extend(sequence.is_multiple_of(10).then(regular));
            write(&transaction, &number(sequence), &people).unwrap();
        }
        let mut indexer = std::mem::take(&mut self.indexer);
        indexer.step(&transaction, count, 2 * usize::try_from(count).unwrap()).unwrap();
        if is_committed {
            transaction.commit().unwrap();
            self.indexer = indexer;
            self.sequence += count;
        }
    }

    fn found(&self, person: BlindIndex) -> Vec<u64> {
        find(&self.connection, person, usize::MAX).unwrap()
    }

    fn count(&self, query: &str) -> u64 {
        self.connection.query_row(query, [], |row| row.get(0)).unwrap()
    }
}

#[test]
fn everybody_is_found_all_the_while_whatever_stops_and_however_batches_fall() {
    let mut world = World::new();
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut longest_fresh, mut most_short) = (0, 0);
    while world.sequence < POLICIES {
        let is_committed = rng.u8(..20) > 0;
        world.batch(rng.u64(1..=BATCH), is_committed);
        if rng.u8(..40) == 0 {
            // The gateway is killed.
            world.indexer = Indexer::default();
        }
        let someone = rng.u64(1..=world.sequence.max(1));
        assert_eq!(world.found(person(2 * someone)), [someone].repeat(usize::from(world.sequence > 0)));
        assert!(world.found(person(2 * world.sequence + 2)).is_empty(), "nobody yet");
        longest_fresh = longest_fresh.max(world.count("SELECT count(*) FROM fresh_people"));
        most_short = most_short.max(world.count("SELECT count(DISTINCT id >> 32) FROM people_short_runs"));
    }
    let regulars: Vec<u64> = (1..=world.sequence / 10).rev().map(|tenth| tenth * 10).collect();
    assert_eq!(world.found(regular()), regulars);
    assert_eq!(find(&world.connection, regular(), 3).unwrap(), regulars[..3]);
    assert_eq!(world.count("SELECT next_long_run FROM people_head"), 2);
    assert!(longest_fresh < 2 * 2_048 + 5 * BATCH, "{longest_fresh} rows lie together");
    assert!(most_short < 40, "{most_short} short runs are searched");
}

#[test]
fn what_is_in_runs_has_gone_from_where_it_was() {
    let mut world = World::new();
    while world.sequence < POLICIES {
        world.batch(100, true);
    }
    let long = world.count("SELECT sum(length(entries)) / 20 FROM people_long_runs WHERE id >> 32 = 0");
    // The policies from 1 on of sixteen short runs: the digests of two parties each, and of the regular.
    let policies = 16 * 2_048;
    assert_eq!(long, 2 * policies + policies / 10);
    let remaining = world.count("SELECT min(id) >> 32 FROM people_short_runs");
    assert!(remaining >= 16, "short run {remaining} is in a long one and still there");
    // One that is not whole waits.
    assert!(world.count("SELECT count(*) FROM people_short_runs") > 0);
}

#[test]
fn a_block_takes_a_page_and_no_more() {
    let mut world = World::new();
    while world.sequence < 10_000 {
        world.batch(100, true);
    }
    world
        .connection
        .execute_batch("CREATE TEMP TABLE sizes AS SELECT length(entries) AS bytes FROM people_short_runs")
        .unwrap();
    let (blocks, full): (u64, u64) = world
        .connection
        .query_row("SELECT count(*), count(*) FILTER (WHERE bytes = 8000) FROM sizes", params![], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    // Of each run one is the rest, and one may have more of the regular.
    assert!(blocks - full <= 2 * 4, "{full} of {blocks} are full");
}
