//! Bad logs, and the law that each breaks. A judge that cannot find fault proves nothing.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Arrival, Evidence, Law, violations};
use crate::census::{Listed, Seen};
use crate::journal::{Answer, Attempt};
use crate::order::{Interface, Order};

fn order(interface: Interface, key: &str, subject: &str, content: Value) -> Arc<Order> {
    Arc::new(Order { interface, key: key.to_owned(), subject: subject.to_owned(), content })
}

fn issuing(key: &str) -> Arc<Order> {
    order(Interface::Issuing, key, key, json!({"amount": "160"}))
}

fn surrender(key: &str, policy_no: &str) -> Arc<Order> {
    let content = json!({"refundMoney": "1", "endorsementNo": key, "surrenderTime": "2026-01-02T03:04:05Z"});
    order(Interface::Surrender, key, policy_no, content)
}

fn stage(key: &str, biz_id: &str, stage: u8) -> Arc<Order> {
    let time = format!("2026-01-01T00:00:0{stage}Z");
    let content = json!({"stage": stage, "status": 1, "requestId": key, "timeOfOccurrence": time});
    order(Interface::AuctionStage, key, biz_id, content)
}

fn issued(policy_no: &str) -> Answer {
    Answer::Accepted(format!(r#"{{"success":"true","context":{{"policyNo":"{policy_no}"}}}}"#))
}

fn yes() -> Answer {
    Answer::Accepted("yes".to_owned())
}

fn no(code: &str) -> Answer {
    Answer::Refused(code.to_owned())
}

/// A log in the making: a client that sends one thing after the other.
#[derive(Default)]
struct Log {
    evidence: Evidence,
    moment: u64,
}

impl Log {
    fn sent(&mut self, order: &Arc<Order>, answer: Answer) -> &mut Self {
        let begun = self.moment + 1;
        self.moment += 2;
        self.evidence.attempts.push(Attempt { order: Arc::clone(order), begun, ended: self.moment, answer });
        self
    }

    fn listed(&mut self, identifier: &str, policy_no: &str, state: &str) -> &mut Self {
        let (identifier, policy_no, state) = (identifier.to_owned(), policy_no.to_owned(), state.to_owned());
        self.evidence.census.policies.push(Listed { identifier, policy_no, state });
        self
    }

    fn arrived(&mut self, order: &Order) -> &mut Self {
        self.evidence.arrivals.push(Arrival { notice: order.notice().unwrap(), taken: true });
        self
    }

    fn told(&mut self, order: &Order) -> &mut Self {
        let id = self.evidence.census.events.len() as u64 + 1;
        self.evidence.census.events.push(Seen { id, fact: order.fact() });
        self
    }

    fn asked_back_from_here(&mut self) -> &mut Self {
        self.evidence.asked_back_from = self.moment + 1;
        self
    }

    fn broken(&self) -> Vec<Law> {
        let mut laws: Vec<Law> = violations(&self.evidence).into_iter().map(|violation| violation.law).collect();
        laws.sort();
        laws
    }
}

/// One policy, issued, asked for twice, surrendered; one auction of two stages: all as it should be.
fn good() -> Log {
    let mut log = Log::default();
    log.sent(&issuing("a"), Answer::Silence("killed".to_owned())).sent(&issuing("a"), issued("P1"));
    log.sent(&surrender("s", "P1"), yes());
    log.sent(&stage("1", "B", 1), yes()).sent(&stage("2", "B", 2), Answer::Later("SYSTEM_BUSY".to_owned()));
    log.sent(&stage("2", "B", 2), yes()).asked_back_from_here();
    log.sent(&issuing("a"), issued("P1")).sent(&surrender("s", "P1"), yes());
    log.sent(&stage("1", "B", 1), yes()).sent(&stage("2", "B", 2), yes());
    log.listed("a", "P1", "surrendered");
    log.arrived(&stage("1", "B", 1)).arrived(&surrender("s", "P1")).arrived(&surrender("s", "P1"));
    log.arrived(&stage("2", "B", 2));
    log.told(&issuing("a")).told(&surrender("s", "P1")).told(&stage("1", "B", 1)).told(&stage("2", "B", 2));
    log
}

#[test]
fn a_good_log_breaks_no_law() {
    assert_eq!(violations(&good().evidence), []);
}

#[test]
fn a_lost_policy_is_found() {
    let mut log = good();
    log.evidence.census.policies.clear();
    assert_eq!(log.broken(), [Law::OnceInLedger]);
    let mut log = good();
    let asked_back = log.evidence.attempts.iter_mut().rfind(|attempt| attempt.order.key == "a").unwrap();
    asked_back.answer = Answer::Silence("down".to_owned());
    assert_eq!(log.broken(), [Law::AskedBack]);
    asked_back_with(no("POLICY_NOT_FOUND"), &[Law::NotForgotten, Law::AskedBack]);
}

fn asked_back_with(answer: Answer, laws: &[Law]) {
    let mut log = good();
    log.evidence.attempts.iter_mut().rfind(|attempt| attempt.order.key == "a").unwrap().answer = answer;
    assert_eq!(log.broken(), laws);
}

#[test]
fn a_changed_answer_is_found() {
    let other_spelling = r#"{"success": "true","context":{"policyNo":"P1"}}"#;
    asked_back_with(Answer::Accepted(other_spelling.to_owned()), &[Law::SameAnswer]);
    asked_back_with(issued("P2"), &[Law::SameAnswer]);
}

#[test]
fn a_doubled_policy_is_found() {
    let mut log = good();
    log.listed("a", "P2", "issued");
    assert_eq!(log.broken(), [Law::OnceInLedger, Law::OnceInLedger]);
    let mut log = good();
    log.told(&issuing("a"));
    assert_eq!(log.broken(), [Law::Told]);
}

#[test]
fn a_policy_that_nobody_was_told_of_is_found() {
    let mut log = good();
    log.listed("b", "P2", "issued");
    assert_eq!(log.broken(), [Law::OnceInLedger]);
    log.told(&issuing("b"));
    assert_eq!(log.broken(), [Law::OnceInLedger, Law::Told]);
}

#[test]
fn a_number_given_twice_is_found() {
    let mut log = good();
    log.sent(&issuing("b"), issued("P1")).listed("b", "P1", "surrendered").told(&issuing("b"));
    assert_eq!(log.broken(), [Law::OwnNumber]);
}

#[test]
fn two_contents_under_one_key_are_found() {
    let other = order(Interface::Issuing, "a", "a", json!({"amount": "320"}));
    let mut log = good();
    log.sent(&other, no("IDEMPOTENCY_CONFLICT"));
    assert_eq!(log.broken(), []);
    log.sent(&other, issued("P1"));
    assert_eq!(log.broken(), [Law::OneContent]);
}

#[test]
fn a_refusal_without_a_reason_is_found() {
    for code in ["IDEMPOTENCY_CONFLICT", "WRONG_POLICY_STATE", "POLICY_NOT_FOUND", "INVALID_ARGUMENT"] {
        let mut log = good();
        log.sent(&surrender("t", "P2"), no(code));
        assert_eq!(log.broken(), [Law::ReasonedRefusal], "{code}");
    }
    let mut log = good();
    log.sent(&surrender("t", "P1"), no("WRONG_POLICY_STATE"));
    assert_eq!(log.broken(), []);
}

#[test]
fn a_policy_that_ended_twice_is_found() {
    let again = surrender("t", "P1");
    let mut log = good();
    log.sent(&again, yes()).arrived(&again);
    assert!(log.broken().contains(&Law::OneEnding));
}

#[test]
fn a_wrong_state_is_found() {
    let mut log = good();
    log.evidence.census.policies[0].state = "issued".to_owned();
    assert_eq!(log.broken(), [Law::OnceInLedger]);
}

#[test]
fn a_lost_or_doubled_recovery_is_found() {
    let recovery = order(Interface::Recovery, "r", "P1", json!({"recoverAmount": "1"}));
    let mut log = good();
    log.sent(&recovery, yes()).told(&recovery);
    for (count, laws) in [(0, vec![Law::OnceInLedger]), (1, vec![]), (2, vec![Law::OnceInLedger])] {
        log.evidence.census.recoveries = vec!["r".to_owned(); count];
        assert_eq!(log.broken(), laws, "{count}");
    }
    log.evidence.census.recoveries = vec!["r".to_owned(), "other".to_owned()];
    assert_eq!(log.broken(), [Law::OnceInLedger]);
}

#[test]
fn a_missing_notice_is_found() {
    let mut log = good();
    log.evidence.arrivals.pop();
    assert_eq!(log.broken(), [Law::Noticed]);
    let mut log = good();
    log.evidence.arrivals.last_mut().unwrap().taken = false;
    assert_eq!(log.broken(), [Law::Noticed]);
}

#[test]
fn a_notice_without_a_cause_is_found() {
    let mut log = good();
    log.arrived(&surrender("s", "P2"));
    assert_eq!(log.broken(), [Law::Noticed]);
}

#[test]
fn notices_in_the_wrong_order_are_found() {
    let mut log = good();
    log.evidence.arrivals.swap(0, 3);
    assert_eq!(log.broken(), [Law::NoticesInOrder]);
    let mut log = good();
    // Sent again, after the one that comes after it.
    log.arrived(&stage("1", "B", 1));
    assert!(log.broken().contains(&Law::NoticesInOrder));
}

#[test]
fn an_event_lost_or_out_of_order_is_found() {
    let mut log = good();
    log.evidence.census.events.pop();
    assert_eq!(log.broken(), [Law::Told]);
    let mut log = good();
    log.evidence.census.events.swap(0, 3);
    assert!(log.broken().iter().all(|law| *law == Law::FeedInOrder));
    assert!(!log.broken().is_empty());
    let mut log = good();
    for (place, event) in log.evidence.census.events.iter_mut().enumerate() {
        event.id = if place < 2 { 1 } else { 7 + place as u64 };
    }
    assert_eq!(log.broken(), [Law::FeedInOrder]);
}

#[test]
fn a_reader_that_missed_an_event_is_found() {
    let mut log = good();
    let events = log.evidence.census.events.clone();
    log.evidence.census.followed = vec![events.clone()];
    assert_eq!(log.broken(), []);
    log.evidence.census.followed.push(events.iter().skip(1).cloned().collect());
    log.evidence.census.followed.push(events.iter().take(2).cloned().collect());
    assert_eq!(log.broken(), [Law::FeedInOrder, Law::FeedInOrder]);
}
