//! What the console asks of a ledger, on both databases.

use std::time::Duration;

use baoqiao_domain::auction::{AuctionInsuranceType, AuctionNotice, AuctionReport, AuctionStage, AuctionStatus};
use baoqiao_domain::recovery::Recovery;
use baoqiao_domain::rescission::Rescission;
use jiff::SignedDuration;

use super::*;
use crate::console::audit::{Action, AuditEntry, AuditFilter};
use crate::console::role::Role;
use crate::console::session::{Session, TokenDigest};
use crate::console::store::{Admission, Identity, User, UserChange, Vouched};
use crate::ledger::backend::ConsoleTables;
use crate::ledger::lists::PolicyPlace;
use crate::outbox::store::{AttemptVerdict, Finished, Next, NoticeRow, Turn, Want};
use crate::statistics::store::Bounded;
use crate::statistics::{Calls, Latency, MinuteRow};

fn tables(database: &Database) -> ConsoleTables {
    let backend = database.open(&database.vault());
    off_runtime(move || backend.console()).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_323_045 + second).unwrap()
}

fn entry(action: Action, subject: &str, second: i64) -> AuditEntry {
    AuditEntry {
        at: at(second),
        user: "li".to_owned(),
        peer: "192.0.2.1".to_owned(),
        action,
        subject: subject.to_owned(),
        reason: "工单 𠮷".to_owned(),
        detail: "<script>".to_owned(),
    }
}

fn user(name: &str, role: Role) -> User {
    User {
        name: name.to_owned(),
        role,
        password: Some("$argon2id$".to_owned()),
        provider: None,
        disabled_at: None,
        added_at: at(0),
        signed_in_at: None,
    }
}

fn session(digest: u8, user: &str) -> Session {
    let (began_at, seen_at) = (at(0), at(0));
    Session { digest: TokenDigest([digest; 32]), user: user.to_owned(), began_at, seen_at, peer: "p".to_owned() }
}

async fn users_and_their_sessions_are_kept_with_what_was_done(database: Database) {
    let ConsoleTables { store, .. } = tables(&database);
    off_runtime(|| {
        let added = |name, role| store.add_user(&user(name, role), &entry(Action::UserAdded, name, 0)).unwrap();
        assert!(added("li", Role::Admin) && added("wang", Role::Viewer));
        assert!(!added("li", Role::Viewer), "a name is given once");
        assert_eq!(store.users().unwrap(), [user("li", Role::Admin), user("wang", Role::Viewer)]);
        let change = |name, what: &UserChange, keep: Option<u8>| {
            let keep = keep.map(|digest| TokenDigest([digest; 32]));
            store.change_user(name, what, keep.as_ref(), &entry(Action::UserRoleChanged, name, 1)).unwrap()
        };
        assert!(!change("li", &UserChange::Disable, None), "the last admin stays");
        assert!(!change("li", &UserChange::Role(Role::Viewer), None), "the last admin stays one");
        assert!(!change("nobody", &UserChange::Enable, None));
        for digest in [1, 2] {
            store.begin_session(&session(digest, "li"), at(-100), &entry(Action::SignedIn, "", 2)).unwrap();
        }
        assert_eq!(store.session(&TokenDigest([9; 32])).unwrap(), None);
        let (found, whose) = store.session(&TokenDigest([1; 32])).unwrap().unwrap();
        assert_eq!((found, whose.signed_in_at), (session(1, "li"), Some(at(0))));
        store.note_session(&TokenDigest([1; 32]), at(60)).unwrap();
        assert_eq!(store.session(&TokenDigest([1; 32])).unwrap().unwrap().0.seen_at, at(60));
        assert!(change("li", &UserChange::Password("$other".to_owned()), Some(1)));
        assert!(store.session(&TokenDigest([1; 32])).unwrap().is_some(), "the one that is kept");
        assert_eq!(store.session(&TokenDigest([2; 32])).unwrap(), None, "the others end");
        store.end_session(&TokenDigest([1; 32]), &entry(Action::SignedOut, "", 3)).unwrap();
        assert_eq!(store.session(&TokenDigest([1; 32])).unwrap(), None);
        assert!(change("wang", &UserChange::Role(Role::Admin), None) && change("li", &UserChange::Disable, None));
        assert!(store.user("li").unwrap().unwrap().disabled_at.is_some());
        store.begin_session(&session(3, "wang"), at(100), &entry(Action::SignedIn, "", 4)).unwrap();
        store.begin_session(&session(4, "wang"), at(1), &entry(Action::SignedIn, "", 4)).unwrap();
        assert_eq!(store.session(&TokenDigest([3; 32])).unwrap(), None, "one that is over is forgotten");
    });
    assert_eq!(database.count("SELECT count(*) FROM sessions"), 1);
}

fn vouched(subject: &str, known_as: &str, role: Option<Role>, nonce: u8) -> Vouched {
    Vouched {
        identity: Identity { issuer: "https://sso.test".to_owned(), subject: subject.to_owned() },
        known_as: known_as.to_owned(),
        role,
        nonce: [nonce; 32],
        nonce_until: at(600),
        at: at(i64::from(nonce)),
        peer: "192.0.2.1".to_owned(),
    }
}

async fn whom_a_provider_vouches_for_is_known_by_subject_and_has_the_role_of_today(database: Database) {
    let ConsoleTables { store, .. } = tables(&database);
    off_runtime(|| {
        let admit =
            |subject: &str, known_as: &str, role, nonce| store.admit(&vouched(subject, known_as, role, nonce)).unwrap();
        let admitted = |subject: &str, known_as: &str, role, nonce| {
            let Admission::User(user) = admit(subject, known_as, Some(role), nonce) else { panic!("not admitted") };
            (user.name, user.role)
        };
        assert!(store.add_user(&user("li", Role::Admin), &entry(Action::UserAdded, "li", 0)).unwrap());
        assert_eq!(admit("s-1", "Li", None, 1), Admission::WithoutRole(None));
        assert_eq!(admitted("s-1", "Li", Role::Viewer, 2), ("sso:li".to_owned(), Role::Viewer));
        assert_eq!(admitted("s-2", "li", Role::Admin, 3), ("sso:li:2".to_owned(), Role::Admin), "another person");
        assert_eq!(admitted("s-1", "renamed", Role::Viewer, 4), ("sso:li".to_owned(), Role::Viewer), "the same one");
        assert_eq!(admit("s-1", "Li", Some(Role::Admin), 4), Admission::Replayed, "a sign-in counts once");

        let begin = |digest, name| {
            store.begin_session(&session(digest, name), at(-100), &entry(Action::SignedIn, "", 5)).unwrap();
        };
        let lives = |digest| store.session(&TokenDigest([digest; 32])).unwrap().is_some();
        begin(1, "sso:li");
        begin(2, "sso:li:2");
        admitted("s-1", "li", Role::Viewer, 6);
        assert!(lives(1), "nothing changed");
        assert_eq!(admitted("s-1", "li", Role::Operator, 7).1, Role::Operator);
        assert!(!lives(1) && lives(2), "sessions of the role before end");
        assert_eq!(admit("s-2", "li", None, 8), Admission::WithoutRole(Some("sso:li:2".to_owned())));
        assert!(!lives(2));

        let change = |what: &UserChange| {
            store.change_user("sso:li", what, None, &entry(Action::UserDisabled, "sso:li", 9)).unwrap()
        };
        assert!(!change(&UserChange::Role(Role::Admin)) && !change(&UserChange::Password("$x".to_owned())));
        assert!(change(&UserChange::Disable));
        let Admission::User(user) = admit("s-1", "li", Some(Role::Operator), 10) else { panic!("not known") };
        assert!(user.disabled_at.is_some(), "who is disabled here stays so");
        assert_eq!(store.user("sso:li").unwrap().unwrap().provider, Some(vouched("s-1", "", None, 0).identity));
        let log = store.audit(&AuditFilter { user: Some("sso:li".to_owned()), ..AuditFilter::default() }, None, 9);
        let log: Vec<_> =
            log.unwrap().items.into_iter().map(|record| (record.entry.action, record.entry.detail)).collect();
        let by = |role: &str| format!("{role} by iss=https://sso.test sub=s-1");
        assert_eq!(log, [(Action::UserRoleChanged, by("operator")), (Action::UserAdded, by("viewer"))]);

        let late = Vouched { at: at(601), nonce_until: at(1_200), ..vouched("s-1", "li", Some(Role::Operator), 11) };
        assert!(matches!(store.admit(&late).unwrap(), Admission::User(_)));
    });
    assert_eq!(database.count("SELECT count(*) FROM spent_nonces"), 1, "what can no longer come is forgotten");
    assert!(database.execute("UPDATE users SET name = 'wang' WHERE name = 'sso:li:2'").is_err());
    assert!(database.execute("UPDATE users SET subject = 's-1' WHERE name = 'sso:li:2'").is_err());
}

async fn the_audit_log_is_read_by_pages_and_never_changed(database: Database) {
    let ConsoleTables { store, .. } = tables(&database);
    off_runtime(|| {
        for number in 0..5 {
            let action = if number % 2 == 0 { Action::PeopleShown } else { Action::DocumentShown };
            store.record(&entry(action, &format!("policy:P{}", number % 3), number)).unwrap();
        }
        let all = store.audit(&AuditFilter::default(), None, 3).unwrap();
        let times: Vec<_> = all.items.iter().map(|record| record.entry.at).collect();
        assert_eq!(times, [at(4), at(3), at(2)]);
        assert_eq!(all.items[0].entry, entry(Action::PeopleShown, "policy:P1", 4));
        let rest = store.audit(&AuditFilter::default(), all.next, 3).unwrap();
        assert_eq!((rest.items.len(), rest.next), (2, None));
        let count = |filter: AuditFilter| store.audit(&filter, None, 10).unwrap().items.len();
        assert_eq!(count(AuditFilter { action: Some(Action::DocumentShown), ..AuditFilter::default() }), 2);
        assert_eq!(count(AuditFilter { subject: Some("policy:P0".to_owned()), ..AuditFilter::default() }), 2);
        assert_eq!(count(AuditFilter { user: Some("wang".to_owned()), ..AuditFilter::default() }), 0);
    });
    assert!(database.execute("UPDATE audit SET reason = ''").is_err());
    assert!(database.execute("DELETE FROM audit").is_err());
    assert_eq!(database.count("SELECT count(*) FROM audit"), 5);
}

fn minute(minute: i64, node: &str, accepted: u64) -> MinuteRow {
    let mut latency = Latency::default();
    latency.record(Duration::from_millis(3));
    let calls = Calls { accepted, replayed: 1, conflicting: 2, refused: 3, disbelieved: 4 };
    MinuteRow { minute, node: node.to_owned(), interface: "qimen/policy-issuing".to_owned(), calls, latency }
}

async fn figures_are_kept_by_the_minute_and_counted_from_the_ledger(database: Database) {
    let world = World::open(&database);
    world.submit(json!({})).await;
    world.clock.set("2026-01-02T03:05:05Z");
    world.submit(json!({"identifier": "2", "premium": "7.00", "premiumOfCny": "7.00"})).await;
    world.submit(json!({"amount": "1019"})).await;
    let recovery: Recovery = serde_json::from_value(json!({
        "partner": "alibaba", "identifier": "R", "institution": "I", "productCode": "PERFORMANCE_SURETY_BONDS", "recoverAmount": "12",
        "currency": "CNY", "currencyRate": "1", "recoverAmountOfCny": "1",
    }))
    .unwrap();
    let asked = world.asking("qimen/recovery", "R", None, Command::RecordRecovery(Box::new(recovery)));
    assert_eq!(world.ledger.submit(asked).await.unwrap().verdict, Verdict::Accepted);
    let ConsoleTables { figures, .. } = tables(&database);
    off_runtime(|| {
        let start = PolicyPlace { issued_ms: 0, sequence: 0 };
        let rows = figures.issued(start, Timestamp::MAX, 10).unwrap();
        assert_eq!(rows.iter().map(|row| row.premium_of_cny.to_string()).collect::<Vec<_>>(), ["6.36", "7"]);
        assert_eq!(figures.issued(rows[0].place, Timestamp::MAX, 10).unwrap(), rows[1..]);
        let before = "2026-01-02T03:05:00Z".parse().unwrap();
        assert_eq!(figures.issued(start, before, 10).unwrap(), rows[..1]);
        assert_eq!(figures.issued(start, Timestamp::MAX, 1).unwrap(), rows[..1]);

        let one = Bounded { count: 1, or_more: false };
        let oddities = figures.oddities(before, 100).unwrap();
        assert_eq!((oddities.conflicts, oddities.unmatched, oddities.discrepant), (one, one, one));
        let later = before + SignedDuration::from_hours(1);
        assert_eq!(figures.oddities(later, 100).unwrap().conflicts, Bounded::default());

        figures.write_minutes(&[minute(1, "a", 5), minute(2, "a", 6), minute(2, "b", 7)], 0).unwrap();
        figures.write_minutes(&[minute(2, "a", 8)], 2).unwrap();
        let mut rows = figures.minutes(2).unwrap();
        rows.sort_by(|one, other| one.node.cmp(&other.node));
        assert_eq!(rows, [minute(2, "a", 8), minute(2, "b", 7)]);
        assert_eq!(figures.minutes(0).unwrap().len(), 2, "what is too old is forgotten");
    });
    world.close().await;
}

async fn what_waits_is_counted_up_to_a_limit(database: Database) {
    let vault = database.vault();
    let backend = database.open(&vault);
    let ConsoleTables { figures, finder, .. } = tables(&database);
    let mut outbox = off_runtime(move || backend.outbox()).unwrap();
    off_runtime(|| {
        assert_eq!(figures.backlog(10).unwrap(), crate::statistics::store::Backlog::default());
        let row = |subject: &str| NoticeRow {
            kind: "surrender-sync",
            subject: subject.to_owned(),
            partner: "alibaba".to_owned(),
            content: vault.seal(Purpose::Notice, b"{}").unwrap(),
            cause_message_id: None,
        };
        outbox.queue(&[row("policy:P1"), row("policy:P2"), row("policy:P3")], at(0)).unwrap();
        let wants = [Want { partner: "alibaba", limit: 1, lease_until: at(9) }];
        let claimed = outbox.turn(&Turn { now: at(1), owner: "w", finished: &[], wants: &wants }).unwrap().claimed;
        let finished = [Finished {
            id: claimed[0].id,
            leased_at: claimed[0].leased_at,
            started_at: at(1),
            duration_ms: 1,
            verdict: AttemptVerdict::Dead,
            detail: "caller-error: request_id=0195sv073ehj".to_owned(),
            response: None,
            next: Next::Dead,
        }];
        outbox.turn(&Turn { now: at(2), owner: "w", finished: &finished, wants: &[] }).unwrap();
        let backlog = figures.backlog(10).unwrap();
        assert_eq!(backlog.pending, Bounded { count: 2, or_more: false });
        assert_eq!((backlog.dead.count, backlog.oldest), (1, Some(at(0))));
        assert_eq!(figures.backlog(1).unwrap().pending, Bounded { count: 1, or_more: true });
        assert_eq!(finder.notices_answered_with("0195sv073ehj", 100).unwrap(), [claimed[0].id]);
        assert!(finder.notices_answered_with("another", 100).unwrap().is_empty());
    });
}

async fn what_is_no_policy_is_found(database: Database) {
    let world = World::open(&database);
    let issued = world.submit(json!({})).await;
    let rescission: Rescission = serde_json::from_value(json!({
        "policySource": "HN_HT_QNW", "interfaceType": "recissionNotice", "orderNo": "O-1", "policyNo": number(&issued),
    }))
    .unwrap();
    let command = Command::RescindPolicy(Box::new(rescission));
    let asked = world.asking("avatar/rescission-notice", "O-1", Some("uuid-1"), command);
    assert_eq!(world.ledger.submit(asked).await.unwrap().verdict, Verdict::Accepted);
    let result = AuctionNotice {
        biz_id: "24010900100YSKSSG".to_owned(),
        policy_number: Some("12345678A".to_owned()),
        insurance_company: None,
        stage: AuctionStage::PreInsurance,
        status: AuctionStatus::Success,
        time_of_occurrence: at(0),
        bank_account_manager_name: None,
        insurance_document: None,
        insurance_type: AuctionInsuranceType::HouseholdProperty,
        appkey: None,
        request_id: None,
    };
    let report = AuctionReport { caller: "core".to_owned(), partner: "alibaba".to_owned(), result };
    let asked = world.asking("api/auction-stage", "A-1", None, Command::ReportAuctionStage(Box::new(report)));
    assert_eq!(world.ledger.submit(asked).await.unwrap().verdict, Verdict::Accepted);
    let ConsoleTables { finder, names, .. } = tables(&database);
    off_runtime(|| {
        let [message] = finder.messages_of_uuid("uuid-1", 10).unwrap()[..] else { panic!("not one message") };
        assert_eq!(world.lists.message(message).unwrap().unwrap().record.key.as_deref(), Some("O-1"));
        assert!(finder.messages_of_uuid("uuid-2", 10).unwrap().is_empty());
        let stages = finder.auction("24010900100YSKSSG", 10).unwrap();
        assert_eq!(stages.len(), 1);
        assert_eq!((stages[0].stage, stages[0].policy_no.as_deref()), (1, Some("12345678A")));
        assert_eq!(stages[0].occurred_at, at(0));
        assert!(finder.auction("another", 10).unwrap().is_empty());
        assert_eq!(finder.names_missing_to().unwrap(), 0);
        assert!(names.unnamed(10).unwrap().is_empty());
        let name = world.vault.blind_index(&PersonKey::name("张𬭎三").unwrap());
        assert_eq!(world.reader.policies_of_person(name, 10).unwrap().len(), 1);
    });
    world.close().await;
}

on_both_databases! {
    tokio::test;
    users_and_their_sessions_are_kept_with_what_was_done,
    whom_a_provider_vouches_for_is_known_by_subject_and_has_the_role_of_today,
    the_audit_log_is_read_by_pages_and_never_changed,
    figures_are_kept_by_the_minute_and_counted_from_the_ledger,
    what_waits_is_counted_up_to_a_limit,
    what_is_no_policy_is_found,
}
