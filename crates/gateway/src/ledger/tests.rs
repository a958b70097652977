//! The engine over both databases: what it promises, whatever happens in between.

mod commits;
mod console;
mod documents;
mod failures;
mod nodes;
mod retention;
mod verification;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Condvar, Mutex};

use baoqiao_channels::CHANNELS;
use baoqiao_channels::access::Access;
use baoqiao_channels::channel::RawRequest;
use baoqiao_domain::currency::Currency;
use baoqiao_domain::idempotency::{IdempotencyKey, MessageUuid};
use baoqiao_domain::issuing::PolicyApplication;
use baoqiao_domain::ledger::{Command, Outcome};
use baoqiao_domain::party::PersonKey;
use baoqiao_domain::product::{AmountRange, DiscrepancyPolicy, Product};
use baoqiao_domain::source::PolicySource;
use serde_json::{Value, json};

use super::backend::{Backend, Readers};
use super::fixture::{Database, off_runtime, on_both_databases};
use super::lists::{Lists, MessageFilter};
use super::resends::ResendRow;
use super::store::{Decide, NumberBlock, Reader, Wanted};
use super::verification::evidence::Evidence;
use super::*;
use crate::vault::Purpose;
use crate::vault::keyring::Keyring;

/// A clock that stands where the test sets it.
struct TestClock(AtomicI64);

impl TestClock {
    fn set(&self, now: &str) {
        self.0.store(now.parse::<Timestamp>().unwrap().as_millisecond(), Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// How a store takes what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Works,
    /// As a full or read-only disk does.
    Fails,
    /// As a database does whose network is gone.
    Hangs,
}

/// The order that a store obeys.
struct Order {
    mood: Mutex<Mood>,
    changed: Condvar,
    /// Told when something hangs.
    hung: tokio::sync::Notify,
}

impl Order {
    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
        self.changed.notify_all();
    }

    fn obey(&self, context: &'static str, may_hang: bool) -> Result<(), StoreError> {
        let mut mood = self.mood.lock().unwrap();
        while *mood == Mood::Hangs && may_hang {
            self.hung.notify_one();
            mood = self.changed.wait(mood).unwrap();
        }
        if *mood == Mood::Fails { Err(StoreError { context, reason: "disk full".to_owned() }) } else { Ok(()) }
    }
}

/// A store that does as it is told.
struct Obedient {
    inner: Box<dyn Store>,
    order: Arc<Order>,
}

impl Store for Obedient {
    fn reserve(&mut self, block: NumberBlock, count: u64) -> Result<u64, StoreError> {
        // What the committer sets aside when it starts comes at no moment that a test could know.
        self.order.obey("reserving numbers", false)?;
        self.inner.reserve(block, count)
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        self.order.obey("trying to write", true)?;
        self.inner.probe()
    }

    fn transact(&mut self, wanted: &Wanted<'_>, decide: &mut Decide<'_>) -> Result<(), StoreError> {
        self.order.obey("writing a batch", true)?;
        self.inner.transact(wanted, decide)
    }
}

/// A ledger, with what tests look at from outside.
struct World {
    ledger: Ledger,
    committer: Committer,
    reader: Arc<dyn Reader>,
    lists: Arc<dyn Lists>,
    evidence: Arc<dyn Evidence>,
    vault: Arc<Vault>,
    clock: Arc<TestClock>,
    order: Arc<Order>,
}

fn catalogue() -> Catalogue {
    let range = |min: &str, max: &str| AmountRange { min: min.parse().unwrap(), max: max.parse().unwrap() };
    Catalogue::new([Product {
        code: "PERFORMANCE_SURETY_BONDS".to_owned(),
        name: "履约保证保险".to_owned(),
        prefix: "PBDI".parse().unwrap(),
        sum_insured_cny: range("1", "1000000"),
        premium_cny: range("0.01", "10000"),
        premium_tolerance: "0.01".parse().unwrap(),
        cny_tolerance: "0.01".parse().unwrap(),
        currencies: vec![Currency::CNY],
        partners: vec!["alibaba".to_owned()],
        on_sale: true,
        recovery_discrepancy: DiscrepancyPolicy::Record,
    }])
    .with_sources([PolicySource { code: "HN_HT_QNW".to_owned(), partners: vec!["alibaba".to_owned()], products: None }])
    .with_surrender_sync(["alibaba".to_owned()])
    .with_platforms(["alibaba".to_owned(), "auction".to_owned()])
}

impl World {
    fn open(database: &Database) -> Self {
        let vault = Arc::new(database.vault());
        let mut backend = database.open(&vault);
        let Readers { reader, lists, evidence, .. } = backend.readers();
        let clock = Arc::new(TestClock(AtomicI64::default()));
        clock.set("2026-01-02T03:04:05Z");
        let rules = Rules {
            catalogue: Arc::new(catalogue()),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            vault: Arc::clone(&vault),
            document_url: Box::new(|number| format!("https://x.test/documents/{number}")),
            stranger_records: 3,
            wake_outbox: Wake::default(),
            feed: Feed::default(),
            webhooks: Vec::new(),
        };
        let order = Arc::new(Order {
            mood: Mutex::new(Mood::Works),
            changed: Condvar::new(),
            hung: tokio::sync::Notify::new(),
        });
        let obedient = |inner| Box::new(Obedient { inner, order: Arc::clone(&order) }) as Box<dyn Store>;
        let stores = backend.stores().unwrap().into_iter().map(obedient).collect();
        let (ledger, committer) = Ledger::start_lanes(stores, rules, 4_096).unwrap();
        Self { ledger, committer, reader, lists, evidence, vault, clock, order }
    }

    async fn close(self) {
        self.committer.finish().await.unwrap();
    }

    fn submission(&self, changes: &Value) -> Submission {
        let mut content = json!({
            "partner": "alibaba", "identifier": "01", "insureId": "02", "productCode": "PERFORMANCE_SURETY_BONDS",
            "insureTime": "2021-08-04T07:23:28Z", "effectTime": "2021-08-04T07:23:26Z", "expireTime": "2021-09-12T15:59:59Z",
            "amount": "1018.0", "premium": "6.36", "premiumOfCny": "6.36", "currency": "CNY", "currencyRate": "1",
            "applicantPersonalInfo": {"personName": "张𬭎三", "personPhone": "13912312323", "personLicenseNo": "11010119900307123X"},
        });
        content.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let application: PolicyApplication = serde_json::from_value(content).unwrap();
        let key = application.identifier.clone();
        self.asking("qimen/policy-issuing", &key, None, Command::IssuePolicy(Box::new(application)))
    }

    fn asking(&self, scope: &'static str, key: &str, uuid: Option<&str>, command: Command) -> Submission {
        let uuid = uuid.map(|uuid| MessageUuid { scope, sender: "HN_HT_QNW".to_owned(), uuid: uuid.to_owned() });
        let key = IdempotencyKey { scope, key: key.to_owned() };
        let asked = Asked::new(&self.vault, key, uuid, command).unwrap();
        Submission { arrival: self.arrival(), asked: Ok(asked), render: render() }
    }

    fn arrival(&self) -> Arrival {
        Arrival {
            received_at: self.clock.now(),
            channel: "qimen",
            scope: Some("qimen/policy-issuing"),
            caller: "alibaba".to_owned(),
            secret_index: 0,
            peer: "192.0.2.1".to_owned(),
            request: self.vault.seal(Purpose::Request, "张𬭎三".as_bytes()).unwrap(),
        }
    }

    async fn submit(&self, changes: Value) -> Answered {
        self.ledger.submit(self.submission(&changes)).await.unwrap()
    }
}

fn render() -> Render {
    let method = "qimen.alibaba.finance.insurance.policy.issuing";
    let access = Access::new([], std::collections::HashMap::from([(method.to_owned(), "qimen/policy-issuing")]));
    let raw = RawRequest { query: format!("method={method}").into(), ..RawRequest::default() };
    let interface = CHANNELS.iter().find_map(|channel| channel.interface(&raw, &access)).unwrap();
    Box::new(move |result, now| interface.reply(&raw, result, now))
}

fn number(answered: &Answered) -> PolicyNumber {
    answered.result.as_ref().unwrap().policy_no().unwrap().clone()
}

async fn the_first_answer_is_given_for_ever_also_after_a_restart(database: Database) {
    let world = World::open(&database);
    let first = world.submit(json!({})).await;
    assert_eq!(first.verdict, Verdict::Accepted);
    let again = world.submit(json!({})).await;
    world.close().await;
    let world = World::open(&database);
    let much_later = world.submit(json!({"amount": "1018"})).await;
    for copy in [&again, &much_later] {
        assert_eq!(copy.verdict, Verdict::Replayed);
        assert_eq!(copy.reply, first.reply);
    }
    let other = world.submit(json!({"identifier": "03"})).await;
    assert!(number(&other).sequence() > number(&first).sequence());
    world.close().await;
    assert_eq!(database.count("SELECT count(*) FROM policies"), 2);
    assert_eq!(database.count("SELECT count(*) FROM events WHERE kind = 'policy.issued'"), 2);
    assert_eq!(database.count("SELECT count(*) FROM messages"), 4);
}

async fn copies_at_the_same_moment_make_one_policy(database: Database) {
    let world = World::open(&database);
    let copies: Vec<_> = (0..200)
        .map(|n| {
            let (ledger, submission) =
                (world.ledger.clone(), world.submission(&json!({"identifier": format!("{}", n % 5)})));
            tokio::spawn(async move { ledger.submit(submission).await.unwrap() })
        })
        .collect();
    let mut numbers = std::collections::BTreeSet::new();
    let mut accepted = 0;
    for copy in copies {
        let answered = copy.await.unwrap();
        accepted += u32::from(answered.verdict == Verdict::Accepted);
        numbers.insert(number(&answered));
    }
    assert_eq!((accepted, numbers.len()), (5, 5));
    world.close().await;
    assert_eq!(database.count("SELECT count(*) FROM policies"), 5);
}

async fn other_content_under_the_key_is_refused_and_both_are_kept(database: Database) {
    let world = World::open(&database);
    let first = world.submit(json!({})).await;
    let other = world.submit(json!({"amount": "1019", "insureId": "9"})).await;
    assert_eq!(other.verdict, Verdict::Conflicting);
    let differing = vec!["amount".to_owned(), "insureId".to_owned()];
    assert_eq!(other.result, Err(Refusal::IdempotencyConflict { key: "01".to_owned(), differing }));
    assert_eq!(world.submit(json!({})).await.reply, first.reply);
    world.close().await;
    assert_eq!(database.count("SELECT count(*) FROM policies"), 1);
    let kept = "SELECT count(*) FROM conflicts c JOIN answers a ON a.message_id = c.first_message_id \
                WHERE c.differing = '[\"amount\",\"insureId\"]' AND c.content <> a.content";
    assert_eq!(database.count(kept), 1);
}

async fn another_partner_learns_nothing_of_what_the_first_sent(database: Database) {
    let world = World::open(&database);
    world.submit(json!({})).await;
    let guess = json!({"partner": "other", "applicantPersonalInfo": {"personName": "张𬭎三", "personPhone": "1"}});
    let refused = world.submit(guess).await.result;
    let differing = vec!["partner".to_owned()];
    assert_eq!(refused, Err(Refusal::IdempotencyConflict { key: "01".to_owned(), differing }));
    world.close().await;
    let kept = "SELECT count(*) FROM conflicts WHERE differing LIKE '%applicantPersonalInfo.personPhone%'";
    assert_eq!(database.count(kept), 1);
}

async fn one_answer_that_does_not_open_refuses_its_own_message_alone(database: Database) {
    let world = World::open(&database);
    world.submit(json!({"identifier": "content"})).await;
    world.submit(json!({"identifier": "outcome"})).await;
    for column in ["content", "outcome"] {
        database.execute(&format!("UPDATE answers SET {column} = fingerprint WHERE key = '{column}'")).unwrap();
    }
    for changes in [json!({"identifier": "content", "amount": "2"}), json!({"identifier": "outcome"})] {
        let refused = world.submit(changes).await;
        assert!(matches!(refused.result, Err(Refusal::LedgerUnavailable { .. })), "{refused:?}");
    }
    assert_eq!(world.submit(json!({"identifier": "3"})).await.verdict, Verdict::Accepted);
    assert!(world.ledger.is_writable().await);
    world.close().await;
    assert_eq!(database.count("SELECT count(*) FROM messages WHERE verdict = 'refused'"), 2);
}

async fn a_refusal_is_recorded_and_blocks_no_retry(database: Database) {
    let world = World::open(&database);
    let refused = world.submit(json!({"premium": "0"})).await;
    assert!(matches!(refused.result, Err(Refusal::InvalidFields(_))));
    let unreadable =
        Submission { asked: Err(Refusal::Malformed { reason: "x".to_owned() }), ..world.submission(&json!({})) };
    assert_eq!(world.ledger.submit(unreadable).await.unwrap().verdict, Verdict::Refused);
    assert_eq!(world.submit(json!({})).await.verdict, Verdict::Accepted);
    world.close().await;
    assert_eq!(database.count("SELECT count(*) FROM messages WHERE verdict = 'refused'"), 2);
    assert_eq!(database.count("SELECT count(*) FROM answers"), 1);
}

async fn a_ledger_that_cannot_be_written_refuses_for_now_and_recovers_by_itself(database: Database) {
    let world = World::open(&database);
    world.order.set(Mood::Fails);
    let refused = world.submit(json!({})).await;
    assert!(matches!(refused.result, Err(Refusal::LedgerUnavailable { .. })));
    assert!(String::from_utf8(refused.reply.body).unwrap().contains("LEDGER_UNAVAILABLE"));
    assert!(!world.ledger.is_writable().await);
    world.order.set(Mood::Works);
    assert!(world.ledger.is_writable().await, "only a call would have told");
    assert_eq!(world.submit(json!({})).await.verdict, Verdict::Accepted);
    world.close().await;
    assert_eq!(database.count("SELECT count(*) FROM messages"), 1);
}

async fn a_person_is_found_by_number_and_stands_nowhere_in_the_file(database: Database) {
    let world = World::open(&database);
    let first = world.submit(json!({})).await;
    let second = world.submit(json!({"identifier": "2"})).await;
    world.submit(json!({"identifier": "3", "applicantPersonalInfo": null})).await;
    for key in [PersonKey::phone("+86 139 1231 2323"), PersonKey::license_no("11010119900307123x")] {
        let person = world.vault.blind_index(&key.unwrap());
        let found = off_runtime(|| world.reader.policies_of_person(person, 10)).unwrap();
        let numbers: Vec<PolicyNumber> = found.into_iter().map(|record| record.policy.number).collect();
        assert_eq!(numbers, [number(&second), number(&first)]);
    }
    let nobody = PersonKey::phone("10086").unwrap();
    let nobody = world.vault.blind_index(&nobody);
    assert!(off_runtime(|| world.reader.policies_of_person(nobody, 10)).unwrap().is_empty());
    let record = off_runtime(|| world.reader.policy(&number(&first))).unwrap().unwrap();
    let by_key = off_runtime(|| world.reader.policy_by_key("qimen/policy-issuing", "01")).unwrap();
    assert_eq!(by_key, Some(record.clone()));
    let content = world.vault.open(Purpose::Content, &record.content).unwrap();
    assert!(String::from_utf8(content).unwrap().contains("张𬭎三"));
    world.close().await;
    for plain in ["张𬭎三", "13912312323", "11010119900307123X", "x.test/documents"] {
        assert!(!database.holds(plain), "{plain}");
    }
    assert!(database.holds("PERFORMANCE_SURETY_BONDS"), "what is plain is found");
}

fn rescission(policy_no: &PolicyNumber, order_no: &str) -> Command {
    let rescission = json!({
        "policySource": "HN_HT_QNW", "interfaceType": "proposalOrder", "orderNo": order_no, "policyNo": policy_no,
        "secondRefundAmount": "10.2", "installmentList": [{"payNo": "1", "amount": "10.2"}],
    });
    Command::RescindPolicy(Box::new(serde_json::from_value(rescission).unwrap()))
}

const NOTICE: &str = "avatar/rescission-notice";

async fn a_rescinded_policy_is_ended_once_and_its_notice_is_queued_with_it(database: Database) {
    let world = World::open(&database);
    let policy_no = number(&world.submit(json!({})).await);
    let send = |order: &str, uuid: &str| {
        world.ledger.submit(world.asking(NOTICE, order, Some(uuid), rescission(&policy_no, order)))
    };
    assert_eq!(send("1", "u1").await.unwrap().verdict, Verdict::Accepted);
    assert_eq!(send("1", "u2").await.unwrap().verdict, Verdict::Replayed);
    let code = |answered: Answered| answered.result.unwrap_err().code().as_str();
    assert_eq!(code(send("2", "u2").await.unwrap()), "UUID_REUSED");
    assert_eq!(code(send("2", "u3").await.unwrap()), "WRONG_POLICY_STATE");
    world.close().await;
    let world = World::open(&database);
    let send = |order: &str, uuid: &str| {
        world.ledger.submit(world.asking(NOTICE, order, Some(uuid), rescission(&policy_no, order)))
    };
    assert_eq!(send("1", "u9").await.unwrap().verdict, Verdict::Replayed);
    assert_eq!(code(send("2", "u1").await.unwrap()), "UUID_REUSED");
    assert_eq!(code(send("2", "u3").await.unwrap()), "WRONG_POLICY_STATE");
    assert_eq!(off_runtime(|| world.reader.policy(&policy_no)).unwrap().unwrap().policy.state.as_str(), "rescinded");
    world.close().await;
    let ended = "SELECT count(*) FROM endings e JOIN policies p ON p.sequence = e.policy_sequence \
                 WHERE e.kind = p.state AND e.ended_ms = p.ended_ms AND e.refund_amount = '10.2' AND e.order_no = '1'";
    assert_eq!(database.count(ended), 1);
    let queued = "SELECT count(*) FROM notices n JOIN endings e ON e.message_id = n.cause_message_id \
                  WHERE n.kind = 'surrender-sync' AND n.partner = 'alibaba' AND n.state = 'pending'";
    assert_eq!(database.count(queued), 1);
    assert_eq!(database.count("SELECT count(*) FROM notices"), 1);
    assert_eq!(database.count("SELECT count(*) FROM events WHERE kind = 'policy.rescinded'"), 1);
    assert_eq!(database.count("SELECT count(*) FROM message_uuids"), 3);
}

/// The same orders for two policies, many at the same moment: some of a batch belong to two buckets under one key.
async fn a_key_for_two_policies_at_the_same_moment_ends_one_of_them(database: Database) {
    let world = World::open(&database);
    let first = number(&world.submit(json!({"identifier": "01"})).await);
    let second = number(&world.submit(json!({"identifier": "02"})).await);
    assert_ne!(first.bucket(), second.bucket());
    let calls: Vec<_> = (0..40)
        .map(|n| {
            let policy_no = if n % 2 == 0 { &first } else { &second };
            let submission = world.asking(NOTICE, "1", Some(&format!("{n}")), rescission(policy_no, "1"));
            let ledger = world.ledger.clone();
            tokio::spawn(async move { ledger.submit(submission).await.unwrap().verdict })
        })
        .collect();
    let mut verdicts = Vec::new();
    for call in calls {
        verdicts.push(call.await.unwrap());
    }
    let counted = |verdict| verdicts.iter().filter(|other| **other == verdict).count();
    assert_eq!((counted(Verdict::Accepted), counted(Verdict::Replayed), counted(Verdict::Conflicting)), (1, 19, 20));
    world.close().await;
}

async fn of_many_rescissions_at_the_same_moment_one_is_taken(database: Database) {
    let world = World::open(&database);
    let policy_no = number(&world.submit(json!({})).await);
    let calls: Vec<_> = (0..50)
        .map(|n| {
            let order = format!("{n}");
            let submission = world.asking(NOTICE, &order, Some(&order), rescission(&policy_no, &order));
            let ledger = world.ledger.clone();
            tokio::spawn(async move { ledger.submit(submission).await.unwrap().verdict })
        })
        .collect();
    let mut accepted = 0;
    for call in calls {
        accepted += u32::from(call.await.unwrap() == Verdict::Accepted);
    }
    assert_eq!(accepted, 1);
    world.close().await;
    assert_eq!(database.count("SELECT count(*) FROM notices"), 1);
}

#[tokio::test]
async fn a_policy_that_has_ended_ends_in_no_other_way_even_by_hand() {
    let database = Database::sqlite();
    let world = World::open(&database);
    let policy_no = number(&world.submit(json!({})).await);
    let submission = world.asking(NOTICE, "1", Some("1"), rescission(&policy_no, "1"));
    world.ledger.submit(submission).await.unwrap();
    world.close().await;
    for statement in [
        "UPDATE policies SET state = 'surrendered'",
        "UPDATE policies SET state = 'issued', ended_ms = NULL",
        "UPDATE policies SET ended_ms = NULL",
    ] {
        assert!(database.execute(statement).is_err(), "{statement}");
    }
}

async fn a_recovery_is_recorded_beside_its_policy_or_visibly_beside_none(database: Database) {
    let world = World::open(&database);
    let policy_no = number(&world.submit(json!({})).await);
    let recovery = |identifier: &str, policy_no: &str| {
        let recovery = json!({
            "partner": "alibaba", "identifier": identifier, "institution": "HYUNDAI", "policyNo": policy_no,
            "productCode": "PERFORMANCE_SURETY_BONDS", "recoverAmount": "12", "currency": "CNY", "currencyRate": "1",
            "recoverAmountOfCny": "1", "recoveryPersonalInfo": {"personName": "张𬭎三"},
        });
        let recovery = serde_json::from_value(recovery).unwrap();
        world.asking("qimen/recovery", identifier, None, Command::RecordRecovery(Box::new(recovery)))
    };
    for (identifier, stated) in [("1", policy_no.as_str()), ("2", "822042111010001111008"), ("1", policy_no.as_str())] {
        world.ledger.submit(recovery(identifier, stated)).await.unwrap().result.unwrap();
    }
    world.close().await;
    let matched = "SELECT count(*) FROM recoveries r JOIN policies p ON p.sequence = r.policy_sequence \
                   WHERE r.identifier = '1' AND r.unmatched IS NULL";
    assert_eq!(database.count(matched), 1);
    let unmatched = "SELECT count(*) FROM recoveries WHERE unmatched = 'unknown' \
                     AND discrepancies = '[{\"field\":\"recoverAmountOfCny\",\"stated\":\"1\",\"computed\":\"12\"}]'";
    assert_eq!(database.count(unmatched), 1);
    assert_eq!(database.count("SELECT count(*) FROM recoveries"), 2);
    let told = "SELECT count(*) FROM events WHERE kind = 'recovery.recorded' AND subject = 'recovery:alibaba/2' \
                AND policy_no IS NULL AND payload LIKE '%\"unmatched\":\"unknown\"%' AND payload NOT LIKE '%张%'";
    assert_eq!(database.count(told), 1);
}

async fn an_auctions_stages_are_kept_in_order_over_a_restart(database: Database) {
    let report = async |world: &World, stage: u8| {
        let report = json!({"caller": "core", "partner": "auction", "result": {
            "bizId": "24010900100YSKSSG", "stage": stage, "status": 1, "insuranceType": 1,
            "timeOfOccurrence": "2025-04-08T01:55:00Z",
        }});
        let report = serde_json::from_value(report).unwrap();
        let command = Command::ReportAuctionStage(Box::new(report));
        let submission = world.asking("api/auction-stage", &stage.to_string(), None, command);
        world.ledger.submit(submission).await.unwrap().result
    };
    let world = World::open(&database);
    assert!(report(&world, 1).await.is_ok());
    world.close().await;
    let world = World::open(&database);
    let refusal = report(&world, 3).await.unwrap_err();
    assert_eq!(refusal.code().as_str(), "AUCTION_STAGE_OUT_OF_ORDER");
    assert!(report(&world, 2).await.is_ok());
    world.close().await;
    assert_eq!(database.count("SELECT count(*) FROM auction_stages WHERE status = 1"), 2);
    let queued = "SELECT count(*) FROM notices WHERE subject = 'auction:24010900100YSKSSG' AND kind = 'auction-result'";
    assert_eq!(database.count(queued), 2);
}

async fn strangers_fill_their_ring_and_nothing_else(database: Database) {
    let world = World::open(&database);
    for n in 0..10 {
        world.ledger.record_stranger(Stranger {
            received_at: world.clock.now(),
            channel: "qimen",
            peer: "192.0.2.9".to_owned(),
            reason: format!("stranger {n}"),
            body_bytes: 1 << 20,
            request: world.vault.seal(Purpose::Request, b"x").unwrap(),
        });
    }
    world.close().await;
    assert_eq!(database.count("SELECT count(*) FROM strangers"), 3);
    let newest = "SELECT count(*) FROM strangers WHERE reason IN ('stranger 7', 'stranger 8', 'stranger 9')";
    assert_eq!(database.count(newest), 3);
    assert_eq!(database.count("SELECT count(*) FROM messages"), 0);
}

async fn the_traffic_is_listed_newest_first_and_tells_which_secrets_are_used(database: Database) {
    let world = World::open(&database);
    for (n, second) in [3, 1, 2].into_iter().enumerate() {
        world.clock.set(&format!("2026-01-02T03:04:0{second}Z"));
        let mut submission = world.submission(&json!({"identifier": format!("{second}")}));
        submission.arrival.secret_index = n % 2;
        world.ledger.submit(submission).await.unwrap();
    }
    world.clock.set("2026-01-02T03:04:09Z");
    world.submit(json!({"identifier": "3", "amount": "1019"})).await;
    for n in 0..4 {
        world.ledger.record_stranger(Stranger {
            received_at: world.clock.now(),
            channel: "qimen",
            peer: "192.0.2.9".to_owned(),
            reason: format!("stranger {n}"),
            body_bytes: 1 << 20,
            request: world.vault.seal(Purpose::Request, b"x").unwrap(),
        });
    }
    let lists = Arc::clone(&world.lists);
    world.close().await;
    let listed = |filter: MessageFilter| -> Vec<String> {
        let (mut keys, mut after) = (Vec::new(), None);
        loop {
            let slice = off_runtime(|| lists.messages(&filter, after, 2)).unwrap();
            keys.extend(slice.items.into_iter().map(|message| message.key.unwrap()));
            after = slice.next;
            if after.is_none() {
                return keys;
            }
        }
    };
    assert_eq!(listed(MessageFilter::default()), ["3", "3", "2", "1"], "by the time of their arrival");
    let conflicting = MessageFilter { verdict: Some("conflicting".to_owned()), ..MessageFilter::default() };
    let conflicts = off_runtime(|| lists.messages(&conflicting, None, 2)).unwrap().items;
    assert_eq!(listed(conflicting), ["3"]);
    let all = off_runtime(|| lists.messages(&MessageFilter::default(), None, 9)).unwrap().items;
    let first = all.iter().find(|message| message.key == conflicts[0].key && message.id != conflicts[0].id).unwrap();
    let asked: Vec<u64> = all.iter().map(|message| message.id).collect();
    let policies = off_runtime(|| lists.policies_of_conflicts(&asked)).unwrap();
    assert_eq!(policies, [(conflicts[0].id, first.policy_no.clone().unwrap())]);
    let scope = Some("qimen/policy-issuing".to_owned());
    let (from, to) = ("2026-01-02T03:04:02Z".parse().ok(), "2026-01-02T03:04:09Z".parse().ok());
    assert_eq!(listed(MessageFilter { scope, from, to, ..MessageFilter::default() }), ["3", "2"]);
    let code = Some("IDEMPOTENCY_CONFLICT".to_owned());
    assert_eq!(listed(MessageFilter { code, ..MessageFilter::default() }), ["3"]);
    let used = off_runtime(|| lists.secrets_used(100)).unwrap();
    let used: Vec<_> = used.iter().map(|one| (one.caller.as_str(), one.secret_index, one.messages)).collect();
    assert_eq!(used, [("alibaba", 0, 3), ("alibaba", 1, 1)]);
    assert_eq!(off_runtime(|| lists.secrets_used(1)).unwrap()[0].messages, 1, "of the newest alone");
    let strangers = off_runtime(|| lists.strangers(None, 2)).unwrap();
    let reasons: Vec<_> = strangers.items.iter().map(|stranger| stranger.reason.as_str()).collect();
    assert_eq!(reasons, ["stranger 3", "stranger 2"]);
    let rest = off_runtime(|| lists.strangers(strangers.next, 2)).unwrap();
    assert_eq!((rest.items.len(), rest.items[0].reason.as_str(), rest.next), (1, "stranger 1", None));
    let newest = off_runtime(|| lists.stranger(strangers.items[0].number)).unwrap().unwrap();
    assert_eq!(newest.record, strangers.items[0]);
}

async fn a_ledger_does_not_open_with_another_ledgers_keys(database: Database) {
    World::open(&database).close().await;
    let vault = Vault::new(&Keyring::generate(getrandom::fill).unwrap(), getrandom::fill);
    let error = off_runtime(|| Backend::open(database.url(), &vault)).err().unwrap();
    assert!(error.to_string().contains("the key file is another ledger's"), "{error}");
}

#[tokio::test]
async fn a_full_queue_is_refused_at_once() {
    let (tasks, _queue) = mpsc::channel(1);
    let ledger = Ledger { lanes: [Lane { tasks, pulse: Arc::default() }].into() };
    let database = Database::sqlite();
    let world = World::open(&database);
    let waiting = tokio::spawn({
        let (ledger, submission) = (ledger.clone(), world.submission(&json!({})));
        async move { ledger.submit(submission).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(ledger.submit(world.submission(&json!({}))).await, Err(Refusal::Busy));
    waiting.abort();
    world.close().await;
}

#[test]
fn an_outcome_reads_back_as_it_was_kept() {
    let kept = r#"{"type":"policyIssued","policyNo":"PBDI20211201Q000F0001","policyFileUrl":"https://x.test/a"}"#;
    let outcome: Outcome = serde_json::from_str(kept).unwrap();
    assert_eq!(serde_json::to_string(&outcome).unwrap(), kept);
}

/// A copy of an order to send again at another gateway: whoever ends later has the answer of the first.
async fn of_two_answers_to_one_order_to_send_again_the_first_counts(database: Database) {
    let vault = database.vault();
    let log = || database.open(&vault).resends().unwrap();
    let (mut one, mut other) = (log(), log());
    let row = ResendRow {
        fingerprint: baoqiao_domain::idempotency::Fingerprint([7; 32]),
        content: "{}".to_owned(),
        asked_by: "core".to_owned(),
        asked_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        answer: None,
    };
    off_runtime(|| {
        assert_eq!(one.begin("k", &row).unwrap(), None);
        assert_eq!(other.begin("k", &row).unwrap(), Some(row.clone()), "under way");
        assert_eq!(other.finish("k", "{\"sent\":2}").unwrap(), "{\"sent\":2}");
        assert_eq!(one.finish("k", "{\"sent\":1}").unwrap(), "{\"sent\":2}");
        assert_eq!(one.begin("k", &row).unwrap().unwrap().answer.as_deref(), Some("{\"sent\":2}"));
    });
}

on_both_databases! {
    tokio::test(flavor = "multi_thread", worker_threads = 2);
    the_first_answer_is_given_for_ever_also_after_a_restart,
    of_two_answers_to_one_order_to_send_again_the_first_counts,
    copies_at_the_same_moment_make_one_policy,
    other_content_under_the_key_is_refused_and_both_are_kept,
    another_partner_learns_nothing_of_what_the_first_sent,
    one_answer_that_does_not_open_refuses_its_own_message_alone,
    a_refusal_is_recorded_and_blocks_no_retry,
    a_ledger_that_cannot_be_written_refuses_for_now_and_recovers_by_itself,
    a_person_is_found_by_number_and_stands_nowhere_in_the_file,
    a_rescinded_policy_is_ended_once_and_its_notice_is_queued_with_it,
    a_key_for_two_policies_at_the_same_moment_ends_one_of_them,
    of_many_rescissions_at_the_same_moment_one_is_taken,
    a_recovery_is_recorded_beside_its_policy_or_visibly_beside_none,
    an_auctions_stages_are_kept_in_order_over_a_restart,
    strangers_fill_their_ring_and_nothing_else,
    the_traffic_is_listed_newest_first_and_tells_which_secrets_are_used,
    a_ledger_does_not_open_with_another_ledgers_keys,
}
