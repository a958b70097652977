//! A whole ledger is checked: what is well is found to be, and whatever is put out of joint is found by its name.

use std::collections::BTreeSet;

use baoqiao_domain::auction::{AuctionInsuranceType, AuctionNotice, AuctionReport, AuctionStage, AuctionStatus};
use baoqiao_domain::recovery::Recovery;
use baoqiao_domain::rescission::Rescission;
use sha2::{Digest, Sha256};

use super::*;
use crate::ledger::names::{PutBack, put_back_unfound};
use crate::ledger::verification::evidence::FileCheck;
use crate::ledger::verification::{Finding, Rule, Step, verify};

fn rescission(policy_no: &str) -> Command {
    let rescission: Rescission = serde_json::from_value(json!({
        "policySource": "HN_HT_QNW", "interfaceType": "recissionNotice", "orderNo": "O-1", "policyNo": policy_no,
    }))
    .unwrap();
    Command::RescindPolicy(Box::new(rescission))
}

fn recovery() -> Command {
    let recovery: Recovery = serde_json::from_value(json!({
        "partner": "alibaba", "identifier": "R", "institution": "I", "productCode": "PERFORMANCE_SURETY_BONDS",
        "recoverAmount": "12", "currency": "CNY", "currencyRate": "1", "recoverAmountOfCny": "1",
    }))
    .unwrap();
    Command::RecordRecovery(Box::new(recovery))
}

fn stage() -> Command {
    let result = AuctionNotice {
        biz_id: "24010900100YSKSSG".to_owned(),
        policy_number: Some("12345678A".to_owned()),
        insurance_company: None,
        stage: AuctionStage::PreInsurance,
        status: AuctionStatus::Success,
        time_of_occurrence: "2026-01-02T03:04:05Z".parse().unwrap(),
        bank_account_manager_name: None,
        insurance_document: None,
        insurance_type: AuctionInsuranceType::HouseholdProperty,
        appkey: None,
        request_id: None,
    };
    let report = AuctionReport { caller: "core".to_owned(), partner: "alibaba".to_owned(), result };
    Command::ReportAuctionStage(Box::new(report))
}

impl World {
    /// Two policies, of which the second is rescinded and the first has its document; a recovery, a stage, a contradiction.
    async fn live(&self) {
        let first = self.submit(json!({})).await;
        let second = self.submit(json!({"identifier": "02"})).await;
        assert_eq!(self.submit(json!({"amount": "1019"})).await.verdict, Verdict::Conflicting);
        let ended = number(&second);
        for (scope, key, command) in [
            ("avatar/rescission-notice", "O-1", rescission(ended.as_str())),
            ("qimen/recovery", "R", recovery()),
            ("api/auction-stage", "A-1", stage()),
        ] {
            let asked = self.asking(scope, key, None, command);
            assert_eq!(self.ledger.submit(asked).await.unwrap().verdict, Verdict::Accepted);
        }
        let pdf = b"%PDF-1.7";
        let document = DocumentRow {
            policy_no: number(&first),
            sha256: Sha256::digest(pdf).into(),
            template_sha256: [7; 32],
            made_at: self.clock.now(),
            pdf: self.vault.seal(Purpose::Document, pdf).unwrap(),
        };
        self.ledger.keep_document(document, Duration::from_secs(9)).await.unwrap();
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        self.findings_of(FileCheck::Whole)
    }

    fn findings_of(&self, file_check: FileCheck) -> Vec<Finding> {
        off_runtime(|| {
            let mut findings = Vec::new();
            let take = &mut |step| {
                if let Step::Found(finding) = step {
                    findings.push(finding);
                }
            };
            verify(&*self.evidence, &self.vault, file_check, take).unwrap();
            findings
        })
    }
}

async fn a_ledger_that_is_well_is_found_to_be(database: Database) {
    let world = World::open(&database);
    assert_eq!(world.findings(), [], "one that is new");
    world.live().await;
    assert_eq!(world.findings(), []);
    give_places(&world, &database);
    assert_eq!(world.findings(), [], "once events are in a run");
    let (mut begun, mut rows) = (Vec::new(), Vec::new());
    let take = &mut |step| match step {
        Step::Begun(what) => begun.push(what),
        Step::Looked(table, count) => rows.push((table.as_str(), count)),
        Step::Found(_) => {}
    };
    off_runtime(|| verify(&*world.evidence, &world.vault, FileCheck::Whole, take)).unwrap();
    let expected = [
        ("answers", 5),
        ("policies", 2),
        ("records", 2),
        ("events", 5),
        ("documents", 1),
        ("notices", 2),
        ("conflicts", 1),
    ];
    assert_eq!(rows, expected);
    assert_eq!(begun.len(), if database.is_embedded() { 2 } else { 1 }, "{begun:?}");
    world.close().await;
}

on_both_databases! { tokio::test; a_ledger_that_is_well_is_found_to_be, whoever_is_lost_is_put_back }

/// A way to put a ledger out of joint, on each database, and all that is found then.
struct Damage {
    sqlite: &'static str,
    postgres: &'static str,
    found: &'static [Rule],
}

const fn damage(sql: &'static str, found: &'static [Rule]) -> Damage {
    Damage { sqlite: sql, postgres: sql, found }
}

const DAMAGES: &[Damage] = &[
    damage(
        "DELETE FROM policies WHERE state = 'issued'",
        &[Rule::AnswerWithoutPolicy, Rule::EventWithoutState, Rule::DocumentWithoutPolicy],
    ),
    damage(
        "UPDATE answers SET policy_sequence = NULL WHERE key = '02'",
        &[Rule::AnswerWithoutPolicy, Rule::PolicyWithoutAnswer],
    ),
    damage("UPDATE answers SET outcome = content WHERE key = 'O-1'", &[Rule::AnswerUnreadable]),
    Damage {
        sqlite: "UPDATE answers SET fingerprint = zeroblob(32) WHERE key = '01'",
        postgres: "UPDATE answers SET fingerprint = decode(repeat('00', 32), 'hex') WHERE key = '01'",
        found: &[Rule::AnswerDigestDiffers],
    },
    damage("DELETE FROM endings", &[Rule::AnswerWithoutRecord, Rule::PolicyEndDiffers]),
    damage("DELETE FROM recoveries", &[Rule::AnswerWithoutRecord, Rule::EventWithoutState]),
    damage("DELETE FROM auction_stages", &[Rule::AnswerWithoutRecord, Rule::EventWithoutState]),
    damage("DELETE FROM notices WHERE kind = 'auction-result'", &[Rule::AnswerWithoutNotice]),
    damage("UPDATE policies SET premium = '6.37' WHERE state = 'issued'", &[Rule::PolicyDiffers, Rule::EventDiffers]),
    damage(
        "UPDATE policies SET expire_ms = expire_ms + 1 WHERE state = 'issued'",
        &[Rule::PolicyDiffers, Rule::EventDiffers],
    ),
    damage("UPDATE policies SET state = 'surrendered', ended_ms = 1 WHERE state = 'issued'", &[Rule::PolicyEndDiffers]),
    Damage {
        sqlite: "UPDATE fresh_people SET digests = substr(digests, 17)",
        postgres: "UPDATE events SET people = substr(people, 17) WHERE kind = 'policy.issued'",
        found: &[Rule::PolicyNotFound],
    },
    damage("DELETE FROM answers WHERE key = 'R'", &[Rule::RecordWithoutAnswer]),
    damage("DELETE FROM answers WHERE key = 'O-1'", &[Rule::RecordWithoutAnswer, Rule::NoticeWithoutCause]),
    damage("DELETE FROM events WHERE kind = 'policy.issued'", &[Rule::StateWithoutEvent]),
    damage("DELETE FROM events WHERE kind = 'policy.rescinded'", &[Rule::StateWithoutEvent]),
    damage("DELETE FROM events WHERE kind = 'recovery.recorded'", &[Rule::StateWithoutEvent]),
    damage("DELETE FROM events WHERE kind = 'auction.stage-reported'", &[Rule::StateWithoutEvent]),
    damage(
        "UPDATE events SET payload = '{}' WHERE kind = 'policy.rescinded'",
        &[Rule::EventUnreadable, Rule::StateWithoutEvent],
    ),
    damage(
        "UPDATE events SET kind = 'policy.surrendered' WHERE kind = 'policy.rescinded'",
        &[Rule::EventUnreadable, Rule::StateWithoutEvent],
    ),
    damage(
        "UPDATE events SET policy_no = NULL WHERE kind = 'policy.issued'",
        &[Rule::EventUnreadable, Rule::StateWithoutEvent],
    ),
    damage("UPDATE documents SET policy_sequence = policy_sequence + 900", &[Rule::DocumentWithoutPolicy]),
    damage("UPDATE documents SET sha256 = template_sha256", &[Rule::DocumentAltered]),
    damage("UPDATE documents SET pdf = substr(pdf, 1, length(pdf) - 1)", &[Rule::DocumentAltered]),
    damage(
        "UPDATE notices SET content = substr(content, 1, 9) WHERE kind = 'surrender-sync'",
        &[Rule::NoticeUnreadable],
    ),
    damage("UPDATE notices SET kind = 'webhook' WHERE kind = 'surrender-sync'", &[Rule::NoticeUnreadable]),
    damage("UPDATE notices SET subject = 'policy:another' WHERE kind = 'surrender-sync'", &[Rule::NoticeUnreadable]),
    damage("UPDATE notices SET cause_message_id = 5 WHERE kind = 'surrender-sync'", &[Rule::NoticeWithoutCause]),
    damage("UPDATE notices SET due_ms = NULL WHERE kind = 'surrender-sync'", &[Rule::QueueStuck]),
    damage("UPDATE conflicts SET first_message_id = 5", &[Rule::ConflictUnreadable]),
    damage("UPDATE conflicts SET content = substr(content, 1, 9)", &[Rule::ConflictUnreadable]),
    damage("UPDATE number_blocks SET next = 1 WHERE name = 'policy'", &[Rule::NumbersBehind]),
    damage("UPDATE number_blocks SET next = 3 WHERE name = 'message'", &[Rule::NumbersBehind]),
];

/// Damage that only one of the databases can have.
const OF_SQLITE: &[Damage] = &[
    damage("UPDATE recoveries SET policy_sequence = 900, unmatched = NULL", &[Rule::FileDamaged]),
    damage(
        "PRAGMA writable_schema = on; \
         UPDATE sqlite_schema SET sql = replace(sql, 'stated_policy_no TEXT', 'stated_policy_no TEXT NOT NULL') \
         WHERE name = 'recoveries'",
        &[Rule::FileDamaged],
    ),
];
const OF_POSTGRES: &[Damage] = &[
    damage("DELETE FROM feed WHERE position = (SELECT max(position) FROM feed)", &[Rule::EventWithoutPlace]),
    damage("UPDATE number_blocks SET next = 1 WHERE name = 'notice'", &[Rule::NumbersBehind]),
    damage("DELETE FROM people_runs", &[Rule::PolicyNotFound]),
];

async fn each_is_found(make: impl Fn() -> Option<Database>, damages: impl IntoIterator<Item = &Damage>) {
    for damage in damages {
        let Some(database) = make() else { return };
        let world = World::open(&database);
        world.live().await;
        give_places(&world, &database);
        let statement = if database.is_embedded() { damage.sqlite } else { damage.postgres };
        database.damage(statement);
        let mut found: BTreeSet<Rule> = world.findings().into_iter().map(|finding| finding.rule).collect();
        if !damage.found.contains(&Rule::FileDamaged) {
            // References that lead nowhere, SQLite finds as well.
            found.remove(&Rule::FileDamaged);
        }
        assert_eq!(found, damage.found.iter().copied().collect(), "{statement}");
        world.close().await;
    }
}

/// All parties of both policies are lost to the index, and put back.
async fn whoever_is_lost_is_put_back(database: Database) {
    let world = World::open(&database);
    world.live().await;
    give_places(&world, &database);
    database.damage(if database.is_embedded() {
        "DELETE FROM fresh_people"
    } else {
        "DELETE FROM people_runs; UPDATE events SET people = substr(people, 17)"
    });
    let unfound: Vec<Finding> = world.findings();
    assert!(unfound.iter().all(|finding| finding.rule == Rule::PolicyNotFound), "{unfound:?}");
    assert_eq!(unfound.iter().map(|finding| &finding.subject).collect::<BTreeSet<_>>().len(), 2);
    let person = world.vault.blind_index(&PersonKey::phone("+86 139 1231 2323").unwrap());
    let by_phone = || world.reader.policies_of_person(person, 10).unwrap().len();
    assert_eq!(off_runtime(by_phone), 0);
    for (put_back, times) in [(2, "once"), (0, "once more")] {
        let index = database.open(&world.vault).console().unwrap().names;
        let done = off_runtime(|| put_back_unfound(&*world.evidence, &*index, &world.vault, &mut |_| {})).unwrap();
        assert_eq!(done, PutBack { policies: put_back, unreadable: 0 }, "{times}");
        assert_eq!(world.findings(), []);
        assert_eq!(off_runtime(by_phone), 2);
    }
    world.close().await;
}

/// Every event gets its place in the feed, where that is not the one writer's own doing.
fn give_places(world: &World, database: &Database) {
    let backend = database.open(&world.vault);
    let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
    off_runtime(move || {
        if let Some(sequencer) = backend.sequencer(clock).unwrap() {
            let mut sequencer = sequencer.making_runs_of(2);
            while sequencer.turn().unwrap().is_full {}
            sequencer.index_people().unwrap();
        }
    });
}

#[tokio::test]
async fn each_damage_of_an_embedded_ledger_is_found() {
    each_is_found(|| Some(Database::sqlite()), DAMAGES.iter().chain(OF_SQLITE)).await;
}

#[tokio::test]
async fn a_row_that_an_index_lacks_is_found_but_where_a_quick_check_is_asked_for() {
    let database = Database::sqlite();
    let world = World::open(&database);
    world.live().await;
    database.damage(
        "PRAGMA writable_schema = on; \
         UPDATE sqlite_schema SET sql = replace(sql, 'issued_ms', 'effect_ms') \
         WHERE name = 'policies_by_issue'; PRAGMA schema_version = 9000",
    );
    let rules = |file_check| world.findings_of(file_check).iter().map(|found| found.rule).collect::<BTreeSet<_>>();
    assert_eq!(rules(FileCheck::Whole), BTreeSet::from([Rule::FileDamaged]));
    assert_eq!(rules(FileCheck::Quick), BTreeSet::new());
    world.close().await;
}

#[tokio::test]
async fn each_damage_on_postgresql_is_found() {
    each_is_found(Database::postgres, DAMAGES.iter().chain(OF_POSTGRES)).await;
}

#[test]
fn every_rule_has_a_damage() {
    let tried: BTreeSet<Rule> =
        DAMAGES.iter().chain(OF_SQLITE).chain(OF_POSTGRES).flat_map(|damage| damage.found).copied().collect();
    assert_eq!(tried, Rule::ALL.iter().copied().collect());
}
