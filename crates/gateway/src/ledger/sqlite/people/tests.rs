//! Everybody is found, wherever the digests are at the time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use baoqiao_domain::bucket::Bucket;
use baoqiao_domain::policy_number::PolicyNumber;

use super::*;
use crate::ledger::sqlite::migrations;
use crate::ledger::verification::evidence::Parties;

/// Policies enough for two long runs.
const POLICIES: u64 = 95_000;
/// Batches are of this many and fewer.
const BATCH: u64 = 200;
/// How many numbers a gateway sets aside.
const BLOCK: u64 = 8_192;

fn number(sequence: u64) -> PolicyNumber {
    let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    PolicyNumber::new(&"PBDI".parse().unwrap(), at, Bucket::default(), sequence)
}

/// Somebody whose digest is as random as they are.
fn person(seed: u64) -> BlindIndex {
    let mut digest = [0; DIGEST_BYTES];
    fastrand::Rng::with_seed(seed).fill(&mut digest);
    BlindIndex(digest)
}

/// One of them takes part in each tenth policy: more often than a block has room for.
fn regular() -> BlindIndex {
    person(u64::MAX)
}

/// A gateway, of which there may be two on one file.
#[derive(Default)]
struct Gateway {
    indexer: Indexer,
    numbers: Range<u64>,
}

struct World {
    connection: Connection,
    gateways: [Gateway; 2],
    /// Numbers from here on are nobody's.
    free: u64,
    issued: BTreeSet<u64>,
}

impl World {
    fn new() -> Self {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::run(&mut connection).unwrap();
        Self { connection, gateways: Default::default(), free: 1, issued: BTreeSet::new() }
    }

    /// Issues so many policies, which come to be or do not.
    fn batch(&mut self, gateway: usize, count: u64, is_committed: bool) {
        let Self { connection, gateways, free, issued } = self;
        let gateway = &mut gateways[gateway];
        let numbers: Vec<u64> = std::iter::repeat_with(|| {
            if gateway.numbers.is_empty() {
                gateway.numbers = *free..*free + BLOCK;
                *free += BLOCK;
            }
            gateway.numbers.next().unwrap()
        })
        .take(usize::try_from(count).unwrap())
        .collect();
        let transaction = connection.transaction().unwrap();
        for sequence in &numbers {
            let mut people = vec![person(2 * sequence), person(2 * sequence + 1)];
            people.extend(sequence.is_multiple_of(10).then(regular));
            write(&transaction, &number(*sequence), &people).unwrap();
        }
        let mut indexer = std::mem::take(&mut gateway.indexer);
        indexer.step(&transaction, count, 2 * numbers.len()).unwrap();
        if is_committed {
            transaction.commit().unwrap();
            gateway.indexer = indexer;
            issued.extend(numbers);
        }
    }

    fn found(&self, person: BlindIndex) -> Vec<u64> {
        find(&self.connection, person, usize::MAX).unwrap()
    }

    fn count(&self, query: &str) -> u64 {
        self.connection.query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// Looks for one of so many of these policies' parties.
    fn check(&self, policies: Range<u64>, one_of: usize) {
        for sequence in self.issued.range(policies).step_by(one_of) {
            assert_eq!(self.found(person(2 * sequence)), [*sequence]);
        }
    }

    /// The policies that are not found by both of their own parties, and by how many not, as a check of a whole ledger looks.
    fn unfound(&self) -> BTreeMap<u64, usize> {
        let parties = |sequence: &u64| {
            let people = vec![person(2 * sequence), person(2 * sequence + 1)];
            Parties { message_id: 1, policy_no: number(*sequence), people }
        };
        let all: Vec<Parties> = self.issued.iter().map(parties).collect();
        let unfound = all.chunks(8_192).flat_map(|piece| unfound(&self.connection, piece).unwrap());
        unfound.map(|parties| (parties.policy_no.sequence(), parties.people.len())).collect()
    }

    /// Looks for the regular.
    fn check_regular(&self) {
        let regulars: Vec<u64> =
            self.issued.iter().rev().filter(|sequence| sequence.is_multiple_of(10)).copied().collect();
        assert_eq!(self.found(regular()), regulars);
        assert_eq!(find(&self.connection, regular(), 3).unwrap(), regulars[..3]);
    }
}

#[test]
fn everybody_is_found_all_the_while_whatever_stops_and_however_batches_fall() {
    let mut world = World::new();
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut longest_fresh, mut most_short) = (0, 0);
    while world.free < POLICIES {
        // The other gateway is slower, and so comes with lower numbers when its runs are closed.
        let gateway = usize::from(rng.u8(..8) == 0);
        world.batch(gateway, rng.u64(1..=BATCH), rng.u8(..20) > 0);
        if rng.u8(..80) == 0 {
            // It is killed.
            world.gateways[gateway] = Gateway::default();
        }
        let someone = rng.u64(1..world.free);
        let is_issued = world.issued.contains(&someone);
        assert_eq!(world.found(person(2 * someone)), [someone].repeat(usize::from(is_issued)));
        if rng.u8(..100) == 0 {
            assert_eq!(world.unfound(), BTreeMap::new());
        }
        longest_fresh = longest_fresh.max(world.count("SELECT count(*) FROM fresh_people"));
        most_short = most_short.max(world.count("SELECT count(DISTINCT id >> 32) FROM people_runs_of_1024"));
    }
    world.check(0..u64::MAX, 61);
    world.check_regular();
    assert!(world.count("SELECT next_long_run FROM people_head") > 0);
    assert!(world.count("SELECT count(*) FROM people") > 0, "nobody came late");
    assert!(longest_fresh < 2 * 1_024 + 5 * BATCH, "{longest_fresh} rows lie together");
    assert!(most_short < 36, "{most_short} short runs are searched");
}

#[test]
fn whoever_is_lost_to_the_index_is_told_wherever_they_were() {
    let mut world = World::new();
    while world.issued.len() < 45_000 {
        // Of numbers that come late, some go into segments.
        world.batch(usize::from(world.issued.len() % 1_000 < 100), 100, true);
    }
    assert_eq!(world.unfound(), BTreeMap::new());
    let tables = [
        ("people_long_runs", "id % 41 = 0"),
        ("people_runs_of_1024", "id % 41 = 0"),
        ("fresh_people", "policy_sequence % 100 = 3"),
        ("people", "policy_sequence % 100 = 3"),
    ];
    for (table, condition) in tables {
        world.connection.execute_batch("SAVEPOINT loss").unwrap();
        assert!(world.connection.execute(&format!("DELETE FROM {table} WHERE {condition}"), []).unwrap() > 0);
        let unfound = world.unfound();
        assert!(!unfound.is_empty(), "{table}");
        let some_lost = unfound.keys().step_by(31);
        for sequence in world.issued.iter().step_by(991).chain(some_lost) {
            let people = [person(2 * sequence), person(2 * sequence + 1)];
            let lost = people.iter().filter(|person| !world.found(**person).contains(sequence)).count();
            assert_eq!(unfound.get(sequence).copied().unwrap_or_default(), lost, "{table}, {sequence}");
        }
        world.connection.execute_batch("ROLLBACK TO loss; RELEASE loss").unwrap();
    }
    world.connection.execute_batch("DELETE FROM fresh_people WHERE policy_sequence % 100 = 3").unwrap();
    assert!(!world.unfound().is_empty());
    world.connection.execute("UPDATE name_index SET missing_to = ?", [u32::MAX]).unwrap();
    assert_eq!(world.unfound(), BTreeMap::new(), "nobody's names were put there yet");
}

/// The other gateway has set numbers aside, and issues from them when their runs are nearly whole, or are in a long run
/// that is being written, or whole.
#[test]
fn policies_that_come_after_greater_ones_cost_nobody_their_place() {
    for (due, late) in [(2_000, 50), (35_000, 3_000), (40_000, 3_000), (70_000, 3_000)] {
        let mut world = World::new();
        world.batch(1, 1, true);
        world.gateways[1].numbers = 30_000..30_000 + late;
        world.gateways[0].numbers = 2..30_000;
        world.free = 30_000 + late;
        while world.issued.last().is_none_or(|last| *last < due) {
            world.batch(0, 100, true);
        }
        (0..late / 50).for_each(|_| world.batch(1, 50, true));
        (0..250).for_each(|_| world.batch(0, 100, true));
        world.check(0..u64::MAX, 61);
        world.check_regular();
        world.check(30_000..30_000 + late, 7);
    }
}

#[test]
fn a_gateway_that_stood_still_over_a_long_run_leaves_it_to_the_other() {
    let mut world = World::new();
    // Until a long run is begun, by either of them.
    (0..350).for_each(|_| world.batch(0, 100, true));
    (0..20).for_each(|_| world.batch(1, 1, true));
    assert_eq!(world.count("SELECT next_long_run FROM people_head"), 0);
    assert!(world.count("SELECT count(*) FROM people_long_runs") > 0);
    // One of them ends it, and deletes what it was made of.
    (0..250).for_each(|_| world.batch(0, 100, true));
    assert_eq!(world.count("SELECT next_long_run FROM people_head"), 1);
    assert!(world.count("SELECT min(id) >> 32 FROM people_runs_of_1024") >= 32);
    (0..100).for_each(|_| world.batch(1, 100, true));
    world.check(0..u64::MAX, 61);
    world.check_regular();
}

/// A ledger as schema 13 had it, with runs of 2,048 policies.
struct Before {
    connection: Connection,
    issued: BTreeSet<u64>,
}

impl Before {
    fn new() -> Self {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::run_to(&mut connection, 13);
        Self { connection, issued: BTreeSet::new() }
    }

    /// Writes so many blocks of a run of these policies.
    fn run(&mut self, table: &str, number: u64, policies: impl Iterator<Item = u64> + Clone, blocks: usize) {
        self.issued.extend(policies.clone());
        let base = number << if table == "people_short_runs" { 11 } else { 15 };
        let mut entries: Vec<_> = policies.map(|sequence| (person(2 * sequence).0, sequence - base)).collect();
        entries.sort_unstable();
        for block in entries.chunks(400).take(blocks) {
            let bytes = block.iter().flat_map(|(digest, offset)| [&digest[..], &offset.to_be_bytes()[4..]].concat());
            let id = (number << 32) | u64::from(u32::from_be_bytes(*block[0].0.first_chunk().unwrap()));
            let insert = format!("INSERT INTO {table} (id, entries) VALUES (?, ?)");
            self.connection.execute(&insert, params![id, bytes.collect::<Vec<u8>>()]).unwrap();
        }
    }

    /// Policies whose digests are in no run.
    fn fresh(&mut self, policies: Range<u64>) {
        self.issued.extend(policies.clone());
        let transaction = self.connection.transaction().unwrap();
        for sequence in policies {
            write(&transaction, &number(sequence), &[person(2 * sequence)]).unwrap();
        }
        transaction.commit().unwrap();
    }

    /// Its successor, and another gateway that still has these numbers.
    fn successor(mut self, numbers: Range<u64>) -> World {
        migrations::run(&mut self.connection).unwrap();
        let free = self.issued.last().unwrap() + 1;
        let mut world = World { connection: self.connection, gateways: Default::default(), free, issued: self.issued };
        world.gateways[1].numbers = numbers;
        world
    }
}

#[test]
fn runs_of_an_earlier_version_are_found_and_go_into_a_long_one() {
    let mut before = Before::new();
    let late = 14 << 11..(14 << 11) + 100;
    for run in 13..=15 {
        let policies = (run << 11..(run + 1) << 11).filter(|sequence| !late.contains(sequence));
        // The last one was under way.
        before.run("people_short_runs", run, policies, if run == 15 { 1 } else { 9 });
    }
    before.fresh(15 << 11..(15 << 11) + 3_000);
    let mut world = before.successor(late);
    world.batch(1, 100, true);
    for one_of in [1, 7] {
        world.check(0..u64::MAX, one_of);
        (0..300).for_each(|_| world.batch(0, 100, true));
    }
    assert_eq!(world.count("SELECT next_long_run FROM people_head"), 2);
    assert!(world.count("SELECT min(id) >> 32 FROM people_runs_of_1024") >= 64);
}

/// The other gateway has the last numbers of the run, for which there is no short run yet.
#[test]
fn a_long_run_that_an_earlier_version_began_takes_no_policy_more() {
    let mut before = Before::new();
    let end = 1 << 15;
    let late = end - 4_096..end;
    let early = 1..late.start;
    for run in 0..14 {
        before.run("people_short_runs", run, (run << 11).max(1)..(run + 1) << 11, 9);
    }
    before.run("people_long_runs", 0, early, 40);
    before.fresh(end..end + 1_900);
    let mut world = before.successor(late);
    (0..20).for_each(|_| world.batch(1, 100, true));
    (0..400).for_each(|_| world.batch(0, 100, true));
    assert_eq!(world.count("SELECT next_long_run FROM people_head"), 1);
    world.check(0..u64::MAX, 11);
}

/// Its policies are late for a closed run, and are the first of those that lie together for a while.
#[test]
fn a_gateway_with_old_numbers_does_not_keep_the_other_ones_runs_from_being_merged() {
    let mut world = World::new();
    world.gateways[1].numbers = 30_000..34_000;
    world.gateways[0].numbers = 1..30_000;
    world.free = 34_000;
    (0..450).for_each(|_| world.batch(0, 100, true));
    assert!(world.count("SELECT next_short_run FROM people_head") >= 32, "the run is closed");
    let mut most_short = 0;
    for _ in 0..800 {
        world.batch(1, 1, true);
        world.batch(0, 100, true);
        most_short = most_short.max(world.count("SELECT count(DISTINCT id >> 32) FROM people_runs_of_1024"));
    }
    assert!(most_short < 80, "{most_short} short runs are searched");
    world.check(0..u64::MAX, 61);
    world.check_regular();
}

#[test]
fn large_batches_are_merged_as_fast_as_they_come() {
    let mut world = World::new();
    let mut most_short = 0;
    while world.free < 6 << 15 {
        world.batch(0, 512, true);
        most_short = most_short.max(world.count("SELECT count(DISTINCT id >> 32) FROM people_runs_of_1024"));
    }
    assert!(most_short < 80, "{most_short} short runs are searched");
}

#[test]
fn what_is_in_runs_has_gone_from_where_it_was() {
    let mut world = World::new();
    while world.free < POLICIES {
        world.batch(0, 100, true);
    }
    let long = world.count("SELECT sum(length(entries)) / 20 FROM people_long_runs WHERE id >> 32 = 0");
    // The digests of two parties each, and of the regular.
    let policies = 32 * 1_024;
    assert_eq!(long, 2 * policies + policies / 10);
    let remaining = world.count("SELECT min(id) >> 32 FROM people_runs_of_1024");
    assert!(remaining >= 32, "short run {remaining} is in a long one and still there");
    assert_eq!(world.count("SELECT count(*) FROM people"), 0, "only late ones go there");
}

#[test]
fn a_block_takes_a_page_and_no_more() {
    let mut world = World::new();
    while world.free < 10_000 {
        world.batch(0, 100, true);
    }
    let query = "SELECT count(*), count(*) FILTER (WHERE length(entries) = 8000), count(DISTINCT id >> 32) \
                 FROM people_runs_of_1024";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let (blocks, full, runs): (u64, u64, u64) = world.connection.query_row(query, params![], read).unwrap();
    // Of each run one is the rest, and one may have more of the regular.
    assert!(full > 0 && blocks - full <= 2 * runs, "{full} of {blocks} are full");
}
