//! What is PostgreSQL's own: several gateways on one database, the order of the feed, and names that move.

use std::sync::Arc;

use baoqiao_domain::bucket::Bucket;
use baoqiao_domain::idempotency::IdempotencyKey;
use baoqiao_domain::policy::PolicyState;
use baoqiao_domain::policy_number::PolicyNumber;
use jiff::Timestamp;

use super::connection::Connection;
use super::migrations;
use super::notice_lists::Wanted;
use super::settings::{Settings, Use};
use crate::clock::Clock;
use crate::config::{LedgerUrl, PostgresUrl};
use crate::ledger::fixture::{Database, off_runtime};
use crate::ledger::lists::PolicyFilter;
use crate::ledger::store::{self, WantedKey};
use crate::outbox::store::{Filter, NoticeState};
use crate::vault::BlindIndex;

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }
}

fn settings(database: &Database, purpose: Use) -> Arc<Settings> {
    let LedgerUrl::Postgres(url) = database.url() else { panic!("not a database on a server") };
    Settings::new(url, purpose).unwrap()
}

fn connection(database: &Database) -> Connection {
    Connection::new(settings(database, Use::Writing)).unwrap()
}

/// A ledger without rows.
fn ledger() -> Option<Database> {
    let database = Database::postgres()?;
    off_runtime(|| migrations::run(&mut Connection::patient(settings(&database, Use::Maintenance)).unwrap())).unwrap();
    Some(database)
}

fn key() -> IdempotencyKey {
    IdempotencyKey { scope: "avatar/rescission-notice", key: "QS221219154313290T12K25".to_owned() }
}

fn bucket(index: u16) -> Bucket {
    Bucket::new(index).unwrap()
}

/// Claims the key for a bucket, and tells the epoch, or that it was used elsewhere.
fn claim(database: &Database, index: u16) -> Result<i64, &'static str> {
    let key = key();
    let wanted = store::Wanted {
        keys: vec![WantedKey { key: &key, bucket: bucket(index), is_placed_by_key: false }],
        ..store::Wanted::default()
    };
    let claimed =
        connection(database).run("test", async |session| super::claims::claim(session, &wanted).await).unwrap();
    if claimed.answer_elsewhere(&key).is_some() { Err("used elsewhere") } else { Ok(claimed.epoch_of_key(&key)) }
}

/// Writes an answer as a batch does, under a claim's epoch; `false` where a fence is in the way.
fn answer(database: &Database, index: u16, epoch: i64) -> bool {
    let sql = "INSERT INTO answers (bucket, scope, key, message_id, fingerprint, content, outcome, epoch) \
               VALUES ($1, $2, $3, 1, decode(repeat('00', 32), 'hex'), '', '', $4) \
               ON CONFLICT (bucket, scope, key) DO UPDATE SET message_id = excluded.message_id, \
                 fingerprint = excluded.fingerprint, content = excluded.content, outcome = excluded.outcome, \
                 epoch = excluded.epoch \
               WHERE answers.outcome IS NULL AND answers.epoch < excluded.epoch";
    let (key, index) = (key(), i16::try_from(index).unwrap());
    let write = connection(database)
        .run("test", async |session| session.execute(sql, &[&index, &key.scope, &key.key, &epoch]).await);
    write.unwrap() == 1
}

#[test]
fn a_key_that_was_used_for_one_policy_is_recognised_for_another() {
    let Some(database) = ledger() else { return };
    let epoch = claim(&database, 7).unwrap();
    assert!(answer(&database, 7, epoch));
    assert_eq!(claim(&database, 7), Ok(epoch), "the same policy again");
    assert_eq!(claim(&database, 9), Err("used elsewhere"));
    assert_eq!(claim(&database, 9), Err("used elsewhere"), "and for ever");
}

#[test]
fn a_key_whose_first_message_was_refused_may_be_used_for_another_policy() {
    let Some(database) = ledger() else { return };
    assert_eq!(claim(&database, 7), Ok(1));
    assert_eq!(claim(&database, 9), Ok(2));
    assert!(answer(&database, 9, 2));
    assert_eq!(claim(&database, 7), Err("used elsewhere"));
}

#[test]
fn whoever_followed_a_claim_before_it_moved_writes_nothing() {
    let Some(database) = ledger() else { return };
    let slow = claim(&database, 7).unwrap();
    let quick = claim(&database, 9).unwrap();
    assert!(!answer(&database, 7, slow), "its claim has moved");
    assert!(answer(&database, 9, quick));
    assert_eq!(claim(&database, 7), Err("used elsewhere"), "begun again, it learns why");
}

#[test]
fn a_claim_may_come_back_and_no_older_one_passes() {
    let Some(database) = ledger() else { return };
    let first = claim(&database, 7).unwrap();
    let second = claim(&database, 9).unwrap();
    let third = claim(&database, 7).unwrap();
    assert!(first < second && second < third);
    assert!(!answer(&database, 9, second) && !answer(&database, 7, first));
    assert!(answer(&database, 7, third));
}

/// The steps of a move that crashed after its fence: the next comer to either bucket gets on.
#[test]
fn a_move_that_ended_halfway_keeps_nobody_from_the_key() {
    for next in [7, 9] {
        let Some(database) = ledger() else { return };
        let before = claim(&database, 7).unwrap();
        let fence = "INSERT INTO answers (bucket, scope, key, epoch) \
                     VALUES (7, 'avatar/rescission-notice', 'QS221219154313290T12K25', 1)";
        database.execute(fence).unwrap();
        assert!(!answer(&database, 7, before), "the fence holds");
        let after = claim(&database, next).unwrap();
        assert!(answer(&database, next, after), "bucket {next}");
    }
}

#[test]
fn two_gateways_migrate_one_new_database_at_once() {
    let Some(database) = Database::postgres() else { return };
    let run = || migrations::run(&mut Connection::patient(settings(&database, Use::Maintenance)).unwrap());
    std::thread::scope(|scope| {
        let both = [scope.spawn(run), scope.spawn(run), scope.spawn(run)];
        for one in both {
            one.join().unwrap().unwrap();
        }
    });
    let steps = i64::try_from(migrations::STEPS.len()).unwrap();
    assert_eq!(database.count("SELECT version FROM schema_version"), steps);
    database.execute("UPDATE schema_version SET version = 99").unwrap();
    assert!(off_runtime(run).unwrap_err().to_string().contains("it needs a newer baoqiao"));
}

#[test]
fn events_get_one_order_whichever_gateway_gives_it() {
    let Some(database) = ledger() else { return };
    let insert = |message_id: i64, at_ms: i64, subject: &str, ordinal: i32| {
        for (table, columns, values) in [("events", ", kind, payload", ", 'k', '{}'"), ("feed_pending", "", "")] {
            let statement = format!(
                "INSERT INTO {table} (bucket, message_id, place, at_ms, subject, ordinal{columns}) \
                 VALUES ({}, {message_id}, 0, {at_ms}, '{subject}', {ordinal}{values})",
                message_id % 1_024
            );
            database.execute(&statement).unwrap();
        }
    };
    // The second event of `a` has the lower number and the earlier time: its gateway's clock is behind.
    insert(5_000, 100, "a", 1);
    insert(5_000 - 1_024, 50, "a", 2);
    insert(7_000, 70, "b", 1);
    let sequencer = || super::Sequencer::new(settings(&database, Use::Writing), Arc::new(StoppedClock)).unwrap();
    let (mut one, mut two) = (sequencer(), sequencer());
    let turned = one.turn().unwrap();
    assert!(turned.has_grown && !turned.is_full);
    assert!(two.turn().unwrap().has_grown, "the other one notices what was given");
    insert(9_000, 10, "c", 1);
    two.turn().unwrap();
    let reader = super::PostgresReader::new(settings(&database, Use::Reading), 1);
    let events = crate::ledger::lists::Lists::events(&reader, 0, 10).unwrap();
    let order: Vec<(u64, &str, i64)> =
        events.iter().map(|event| (event.id, event.subject.as_str(), event.at.as_millisecond())).collect();
    assert_eq!(order, [(1, "a", 100), (2, "b", 70), (3, "a", 50), (4, "c", 10)]);
    assert_eq!(database.count("SELECT count(*) FROM feed_pending"), 0);
}

/// However many endpoints are told of them: the numbers that were set aside may be too few for a turn.
#[test]
fn events_are_ordered_whatever_they_take_of_the_numbers_of_notices() {
    const ENDPOINTS: i64 = 5;
    let Some(database) = ledger() else { return };
    let mut sequencer = super::Sequencer::new(settings(&database, Use::Writing), Arc::new(StoppedClock)).unwrap();
    let mut last = 0;
    // Within a block, then past its end, then more than a block.
    for (turn, events) in [(1, 700), (2, 1_100), (3, 2_000)] {
        let first = last + 1;
        last += events;
        let event = format!(
            "INSERT INTO feed_pending (bucket, message_id, place, at_ms, subject, ordinal) \
             SELECT 0, n * 1024, 0, n, 'policy:' || n, 1 FROM generate_series({first}, {last}) n"
        );
        database.execute(&event).unwrap();
        let webhook = format!(
            "INSERT INTO webhooks_pending (bucket, message_id, place, subject, partner, kind, content) \
             SELECT 0, n * 1024, 0, 'webhook:' || e, 'webhook:' || e, 'webhook', '' \
             FROM generate_series({first}, {last}) n, generate_series(1, {ENDPOINTS}) e"
        );
        database.execute(&webhook).unwrap();
        let turned = sequencer.turn().unwrap();
        assert!(turned.has_grown && turned.has_notices, "turn {turn}");
        assert_eq!(database.count("SELECT count(*) FROM notices"), last * ENDPOINTS, "turn {turn}");
    }
    let unordered = "SELECT count(*) FROM (SELECT cause_message_id - lag(cause_message_id) \
                     OVER (PARTITION BY subject ORDER BY ordinal) AS step FROM notices) x WHERE step <= 0";
    assert_eq!(database.count(unordered), 0);
}

#[test]
fn every_growing_table_has_the_bucket_first_in_its_key() {
    let Some(database) = ledger() else { return };
    let keys = "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] \
                WHERE i.indisprimary AND c.relnamespace = 'public'::regnamespace AND a.attname <> 'bucket' \
                  AND c.relname NOT IN ('schema_version', 'number_blocks', 'key_check', 'probe', 'feed_head', 'feed', \
                                        'people_head', 'strangers', 'resends', 'users', 'sessions', 'audit', 'audit_head', 'call_minutes', \
                                        'spent_nonces')";
    assert_eq!(database.count(keys), 0);
    let sequences = "SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace";
    assert_eq!(database.count(sequences), 0, "no number comes from a sequence");
}

#[test]
fn notices_are_found_through_an_index_and_come_out_sorted() {
    let Some(database) = ledger() else { return };
    let filter = |state, kind: &str, partner: &str, subject: &str| {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Filter { state, kind: text(kind), partner: text(partner), subject: text(subject), before: Some(9_000_000) }
    };
    database.add_notices(1, 20_000, "'policy:' || i % 5000", ("surrender-sync", "alibaba", "delivered"));
    database.add_notices(20_001, 2_000, "'webhook:a'", ("webhook", "webhook:a", "delivered"));
    database.add_notices(30_001, 100, "'webhook:b'", ("webhook", "webhook:b", "skipped"));
    database.add_notices(40_001, 100, "'webhook:b'", ("webhook", "webhook:b", "dead"));
    database.add_notices(50_001, 100, "'webhook:b'", ("webhook", "webhook:b", "pending"));
    let (pending, delivered) = (Some(NoticeState::Pending), Some(NoticeState::Delivered));
    let (dead, skipped) = (Some(NoticeState::Dead), Some(NoticeState::Skipped));
    let mut connection = Connection::new(settings(&database, Use::Reading)).unwrap();
    for (filter, index, sorts) in [
        (filter(None, "", "", ""), "notices_by_id", false),
        (filter(delivered, "", "", ""), "notices_by_id", false),
        (filter(None, "webhook", "", ""), "notices_by_kind", false),
        (filter(delivered, "webhook", "webhook:a", ""), "notices_by_partner", false),
        (filter(None, "", "", "policy:7"), "notices_by_subject", false),
        (filter(pending, "webhook", "webhook:b", "webhook:b"), "notices_open", false),
        (filter(pending, "webhook", "webhook:b", ""), "notices_open", true),
        (filter(dead, "webhook", "webhook:b", "webhook:b"), "notices_dead", false),
        (filter(skipped, "webhook", "webhook:b", "webhook:b"), "notices_skipped", false),
    ] {
        let plan = connection.run("test", async |session| {
            let wanted = Wanted::new(session, &filter).await?;
            let (rows, order) = wanted.rows();
            // As one call's share of a table of millions.
            let explain = format!("EXPLAIN {rows} ORDER BY {order} LIMIT 50");
            let steps = session.query_once(&explain, &wanted.of_rows()).await?;
            Ok(steps.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n"))
        });
        let plan = plan.unwrap();
        assert!(plan.contains(index) && !plan.contains("Seq Scan on notices "), "{filter:?}:\n{plan}");
        assert_eq!(plan.contains("Sort"), sorts, "{filter:?}:\n{plan}");
    }
}

#[test]
fn attempts_that_are_forgotten_next_are_found_through_an_index() {
    let Some(database) = ledger() else { return };
    database.add_notices(1, 5_000, "'policy:' || i", ("surrender-sync", "alibaba", "delivered"));
    let explain = format!("EXPLAIN {}", super::retention::FIND);
    let steps =
        connection(&database).run("test", async |session| session.query_once(&explain, &[&5_i64, &9_i64]).await);
    let plan = steps.unwrap().iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n");
    assert!(plan.contains("Index Scan using notices_with_attempts") && !plan.contains("Sort"), "{plan}");
}

#[test]
fn what_lost_a_race_is_begun_again_and_what_is_wrong_is_not() {
    let Some(database) = ledger() else { return };
    let mut connection = connection(&database);
    for code in ["40001", "40P01", "23505"] {
        let mut attempts = 0;
        let done = connection.transact("test", async |session| {
            attempts += 1;
            if attempts < 4 {
                session.batch(&format!("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$")).await?;
            }
            Ok(attempts)
        });
        assert_eq!(done.unwrap(), 4, "{code}");
    }
    let mut attempts = 0;
    let wrong = connection.transact("testing", async |session| {
        attempts += 1;
        session.batch("SELECT 1 / 0").await
    });
    assert_eq!(wrong.unwrap_err().to_string(), "testing: division by zero (SQLSTATE 22012)");
    assert_eq!(attempts, 1);
    assert!(connection.run("test", async |session| session.batch("SELECT 1").await).is_ok(), "and it goes on");
}

#[test]
fn a_connection_that_is_cut_is_opened_anew() {
    let Some(database) = ledger() else { return };
    let mut connection = connection(&database);
    let mut attempts = 0;
    let done = connection.transact("test", async |session| {
        attempts += 1;
        if attempts < 3 {
            session.batch("SELECT pg_terminate_backend(pg_backend_pid())").await?;
        }
        Ok(attempts)
    });
    assert_eq!(done.unwrap(), 3);
}

/// What a connection to a server of that certificate comes to, over which name, with these roots.
fn encrypted(url: &str, roots: Option<&str>) -> Result<bool, String> {
    let folder = tempfile::tempdir().unwrap();
    let root_certificates = roots.map(|pem| {
        let path = folder.path().join("roots.pem");
        std::fs::write(&path, pem).unwrap();
        path
    });
    let url = PostgresUrl { config: url.parse().unwrap(), encrypted: true, root_certificates, readers: 1, lanes: 1 };
    let settings = Settings::new(&url, Use::Reading).map_err(|error| error.to_string())?;
    let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let mut connection = Connection::new(settings).unwrap();
    let asked =
        connection.run("testing", async |session| Ok(session.query_opt(query, &[]).await?.unwrap().try_get(0)?));
    asked.map_err(|error| error.to_string())
}

#[test]
fn a_connection_over_a_network_is_encrypted_and_its_server_known() {
    if !baoqiao_testkit::Postgres::is_available() {
        return;
    }
    let signed = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        rcgen::generate_simple_self_signed(names).unwrap()
    };
    let (own, stranger) = (signed(&["localhost"]), signed(&["localhost"]));
    let server = baoqiao_testkit::Postgres::start();
    let url = |host: &str| format!("postgres://postgres@{host}:{}/postgres", server.port());
    let unencrypted = encrypted(&url("localhost"), Some(&own.cert.pem())).unwrap_err();
    assert!(unencrypted.contains("server does not support TLS"), "{unencrypted}");
    server.enable_tls(&own.cert.pem(), &own.signing_key.serialize_pem());
    assert_eq!(encrypted(&url("localhost"), Some(&own.cert.pem())), Ok(true));
    for (host, roots) in [
        ("localhost", Some(stranger.cert.pem())),
        ("localhost", None),
        // Its certificate is for another name.
        ("127.0.0.1", Some(own.cert.pem())),
    ] {
        let refused = encrypted(&url(host), roots.as_deref()).unwrap_err();
        assert!(refused.contains("invalid peer certificate"), "{host}: {refused}");
    }
    let nothing = encrypted(&url("localhost"), Some("no certificate")).unwrap_err();
    assert!(nothing.contains("no certificate in it"), "{nothing}");
}

#[test]
fn what_is_written_is_synced_whatever_the_database_says() {
    let Some(database) = ledger() else { return };
    let shown = |purpose| {
        let mut connection = Connection::new(settings(&database, purpose)).unwrap();
        let setting = connection.run("test", async |session| {
            Ok(session.query_opt("SHOW synchronous_commit", &[]).await?.unwrap().try_get::<_, String>(0)?)
        });
        setting.unwrap()
    };
    for (set, kept) in [("off", "on"), ("remote_apply", "remote_apply")] {
        let name = database.name();
        database.execute(&format!("ALTER DATABASE \"{name}\" SET synchronous_commit = {set}")).unwrap();
        assert_eq!((shown(Use::Writing).as_str(), shown(Use::Outbox).as_str()), (kept, "off"), "{set}");
    }
}

/// Somebody of whom there is one.
fn person(random: u64) -> BlindIndex {
    let mut digest = [0; 16];
    digest[..8].copy_from_slice(&random.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    BlindIndex(digest)
}

/// The policy of a sequence, in some bucket.
fn policy_no(sequence: u64) -> PolicyNumber {
    let bucket = bucket(u16::try_from(sequence * 7 % 1_024).unwrap());
    PolicyNumber::new(&"PBDI".parse().unwrap(), StoppedClock.now(), bucket, sequence)
}

/// Events that policies were issued, each with its parties, as a batch leaves them.
fn issue(connection: &mut Connection, policies: &[(u64, Vec<BlindIndex>)]) {
    let event = "INSERT INTO events (bucket, message_id, place, at_ms, kind, subject, ordinal, policy_no, payload, people) \
                 VALUES ($1, $2, 0, 0, 'k', $3, 1, $4, '{}', $5)";
    let pending = "INSERT INTO feed_pending (bucket, message_id, place, at_ms, subject, ordinal) \
                   VALUES ($1, $2, 0, 0, $3, 1)";
    let written = connection.transact("test", async |session| {
        for (sequence, people) in policies {
            let number = policy_no(*sequence);
            let bucket = i16::try_from(number.bucket().index()).unwrap();
            let message_id = i64::try_from(number.bucket().tag(*sequence)).unwrap();
            let subject = format!("policy:{number}");
            let digests = super::people::together(people);
            session.execute(event, &[&bucket, &message_id, &subject, &number.as_str(), &digests]).await?;
            session.execute(pending, &[&bucket, &message_id, &subject]).await?;
        }
        Ok(())
    });
    written.unwrap();
}

/// The sequences of a person's policies.
fn found(connection: &mut Connection, person: BlindIndex, limit: usize) -> Vec<i64> {
    let find = async |session: &super::connection::Session| super::people::find(session, person, limit).await;
    let (buckets, sequences) = connection.run("test", find).unwrap();
    let expected: Vec<i16> = sequences.iter().map(|sequence| i16::try_from(sequence * 7 % 1_024).unwrap()).collect();
    assert_eq!(buckets, expected);
    sequences
}

#[test]
fn everybody_is_found_all_the_while_whatever_stops_and_however_turns_fall() {
    let Some(database) = ledger() else { return };
    let mut connection = connection(&database);
    let mut reader = Connection::new(settings(&database, Use::Reading)).unwrap();
    let sequencer = || {
        let made = super::Sequencer::new(settings(&database, Use::Writing), Arc::new(StoppedClock)).unwrap();
        made.making_runs_of(20)
    };
    let mut sequencers = [sequencer(), sequencer()];
    let mut rng = fastrand::Rng::with_seed(7);
    let mut sequence = 0;
    // One of them takes part in each tenth policy.
    let regular = person(u64::MAX);
    while sequence < 600 {
        let which = rng.usize(..2);
        match rng.u8(..6) {
            0 => {
                let mut issued = Vec::new();
                for _ in 0..rng.u64(1..30) {
                    sequence += 1;
                    let mut people = vec![person(2 * sequence), person(2 * sequence + 1)];
                    people.extend((sequence % 10 == 0).then_some(regular));
                    issued.push((sequence, people));
                }
                issue(&mut connection, &issued);
            }
            1 | 2 => drop(sequencers[which].turn().unwrap()),
            3 => sequencers[which].index_people().unwrap(),
            // The gateway is killed: the next one begins anew.
            4 => sequencers[which] = sequencer(),
            // The server is, just before the run is there.
            _ => {
                let index = async |session: &super::connection::Session| {
                    super::people::index(session, 20).await?;
                    session.batch("SELECT 1 / 0").await
                };
                connection.transact("test", index).unwrap_err();
            }
        }
        let everybody = found(&mut reader, regular, 1_000);
        let expected: Vec<i64> = (1..=i64::try_from(sequence / 10).unwrap()).rev().map(|n| 10 * n).collect();
        assert_eq!(everybody, expected, "{sequence}");
        if sequence > 0 {
            let someone = rng.u64(1..=sequence);
            assert_eq!(found(&mut reader, person(2 * someone), 10), [i64::try_from(someone).unwrap()], "of {sequence}");
        }
    }
    assert_eq!(found(&mut reader, regular, 3).len(), 3);
    assert!(found(&mut reader, person(u64::MAX - 1), 10).is_empty());
    let runs = database.count("SELECT count(DISTINCT run) FROM people_runs");
    assert_eq!(database.count("SELECT next FROM people_head"), 1 + 20 * runs);
    assert!(runs > 5, "{runs} runs were made");
}

#[test]
fn a_person_of_a_ledger_of_before_is_found_after_its_migration_and_beside_a_gateway_of_before() {
    let Some(database) = Database::postgres() else { return };
    let mut maintenance = Connection::patient(settings(&database, Use::Maintenance)).unwrap();
    off_runtime(|| migrations::migrate(&mut maintenance, &migrations::STEPS[..4])).unwrap();
    let mut connection = connection(&database);
    let someone = person(3);
    let old = |sequence: u64| {
        let digest = format!("{:032x}", u128::from_be_bytes(someone.0));
        let bucket = policy_no(sequence).bucket().index();
        format!("INSERT INTO people VALUES ({bucket}, {}, decode('{digest}', 'hex'), {sequence})", sequence >> 18)
    };
    database.execute(&format!("{}; UPDATE feed_head SET next = 5000", old(1))).unwrap();
    off_runtime(|| migrations::run(&mut maintenance)).unwrap();
    assert_eq!(database.count("SELECT next FROM people_head"), 5_000, "what was there before is in no run");
    issue(&mut connection, &[(2, vec![someone])]);
    database.execute(&old(3)).unwrap();
    let mut reader = Connection::new(settings(&database, Use::Reading)).unwrap();
    assert_eq!(found(&mut reader, someone, 10), [3, 2, 1]);
    assert_eq!(found(&mut reader, someone, 2), [3, 2]);
}

#[test]
fn a_step_waits_for_nobody_for_long() {
    let Some(database) = Database::postgres() else { return };
    let mut maintenance = Connection::patient(settings(&database, Use::Maintenance)).unwrap();
    let shown = "CREATE TABLE shown AS SELECT current_setting('lock_timeout') AS timeout";
    off_runtime(|| migrations::migrate(&mut maintenance, &[shown])).unwrap();
    assert_eq!(database.count("SELECT count(*) FROM shown WHERE timeout = '2s'"), 1);
}

#[test]
fn a_search_for_a_person_goes_through_no_table() {
    let Some(database) = ledger() else { return };
    let mut connection = connection(&database);
    let people = |n| (n, vec![person(2 * n), person(2 * n + 1)]);
    issue(&mut connection, &(1..=2_000).map(people).collect::<Vec<_>>());
    let sequencer = super::Sequencer::new(settings(&database, Use::Writing), Arc::new(StoppedClock)).unwrap();
    let mut sequencer = sequencer.making_runs_of(90);
    while database.count("SELECT max(next) FROM people_head") < 1_950 {
        sequencer.turn().unwrap();
        sequencer.index_people().unwrap();
    }
    database.execute("ANALYZE").unwrap();
    let mut reader = Connection::new(settings(&database, Use::Reading)).unwrap();
    for n in [1, 1_999] {
        let gone_through = reader.transact("test", async |session| {
            super::people::find(session, person(2 * n), 10).await?;
            let read = "SELECT coalesce(sum(seq_tup_read), 0)::bigint FROM pg_stat_xact_user_tables \
                        WHERE relname IN ('events', 'feed', 'people_runs', 'policies')";
            Ok(session.query_opt(read, &[]).await?.unwrap().try_get::<_, i64>(0)?)
        });
        assert_eq!(gone_through.unwrap(), 0, "{n}");
        assert_eq!(found(&mut reader, person(2 * n), 10), [i64::try_from(n).unwrap()]);
    }
}

#[test]
fn policies_that_ended_are_read_from_an_index_of_their_own() {
    let Some(database) = ledger() else { return };
    let insert = "INSERT INTO policies (bucket, sequence, policy_no, partner, product_code, identifier, insure_id, amount, \
                    premium, premium_of_cny, currency, effect_ms, expire_ms, issued_ms, state, ended_ms, content_scope, \
                    content_key, events) \
                  SELECT 0, n, n, 'p', 'c', n, n, '1', '1', '1', 'CNY', 0, 1, n, \
                    CASE WHEN n % 500 = 0 THEN 'rescinded' ELSE 'issued' END, CASE WHEN n % 500 = 0 THEN n END, 's', n, 1 \
                  FROM generate_series(1, 4000) AS n";
    database.execute(insert).unwrap();
    database.execute("ANALYZE").unwrap();
    let filter = PolicyFilter { state: Some(PolicyState::Surrendered), ..PolicyFilter::default() };
    let mut reader = Connection::new(settings(&database, Use::Reading)).unwrap();
    let looked_at = reader.transact("test", async |session| {
        let found = super::lists::policies(session, &filter, None, 10).await?;
        assert!(found.items.is_empty() && found.next.is_none());
        let read =
            "SELECT (seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_xact_user_tables WHERE relname = 'policies'";
        Ok(session.query_opt(read, &[]).await?.unwrap().try_get::<_, i64>(0)?)
    });
    // The eight that were rescinded, more than once, and none of the 3,992 others.
    let looked_at = looked_at.unwrap();
    assert!((8..100).contains(&looked_at), "{looked_at}");
}
