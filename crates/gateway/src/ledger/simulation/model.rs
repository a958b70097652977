//! What a ledger has to come to: messages one after the other, with no batches, no database and nothing that fails.
//!
//! It shares no code with the ledger, only the meaning of the messages.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ask::{Ask, Kind, PARTNERS, SOURCES};
use super::contents::Contents;

/// What a caller is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    Answer(Value),
    Refusal(&'static str),
}

/// A message that was answered under its key.
struct First {
    fields: BTreeMap<&'static str, String>,
    answer: Value,
}

/// A ledger, as simply as it can be told.
#[derive(Default)]
pub(super) struct Model {
    firsts: BTreeMap<(&'static str, String), First>,
    uuids: BTreeMap<[String; 2], (String, BTreeMap<&'static str, String>)>,
    /// By auction: whose it is, and the last stage that succeeded.
    auctions: BTreeMap<String, (String, Option<u8>)>,
    pub(super) contents: Contents,
}

impl Model {
    /// Takes one message. `issued` tells the number of a policy that it brings about, which the model cannot know.
    pub(super) fn settle(&mut self, id: &str, ask: &Ask, issued: impl FnOnce() -> String) -> Expected {
        let (verdict, expected) = self.answer(id, ask, issued);
        let code = match &expected {
            Expected::Answer(_) => String::new(),
            Expected::Refusal(code) => (*code).to_owned(),
        };
        self.contents.messages.insert(id.to_owned(), [verdict.to_owned(), code]);
        expected
    }

    fn answer(&mut self, id: &str, ask: &Ask, issued: impl FnOnce() -> String) -> (&'static str, Expected) {
        let refused = |code| ("refused", Expected::Refusal(code));
        if ask.kind == Kind::Unreadable {
            return refused("MALFORMED_BODY");
        }
        let key = (ask.kind.scope(), ask.key.clone());
        if let Some(first) = self.firsts.get(&key).filter(|first| first.fields != ask.fields) {
            let mut differing: Vec<String> = Vec::new();
            for (name, value) in &ask.fields {
                if first.fields.get(name) != Some(value) {
                    differing.push(path(ask.kind, name));
                    // The premium in yuan is sent along with it.
                    differing.extend((*name == "premium").then(|| "premiumOfCny".to_owned()));
                }
            }
            differing.sort();
            self.contents.conflicts.insert(id.to_owned(), differing);
            return ("conflicting", Expected::Refusal("IDEMPOTENCY_CONFLICT"));
        }
        let uuid = ask.uuid.clone().map(|uuid| [ask.field("policySource").to_owned(), uuid]);
        let content = (ask.key.clone(), ask.fields.clone());
        if uuid.as_ref().and_then(|uuid| self.uuids.get(uuid)).is_some_and(|known| *known != content) {
            return refused("UUID_REUSED");
        }
        let (verdict, answer) = match self.firsts.get(&key) {
            Some(first) => ("replayed", first.answer.clone()),
            None => match self.decide(ask, issued) {
                Ok(answer) => ("accepted", answer),
                Err(code) => return refused(code),
            },
        };
        if let Some(uuid) = uuid {
            self.contents.uuids.insert(uuid.clone());
            self.uuids.insert(uuid, content);
        }
        self.contents.answers.insert((key.0.to_owned(), key.1.clone()), answer.clone());
        self.firsts.entry(key).or_insert(First { fields: ask.fields.clone(), answer: answer.clone() });
        (verdict, Expected::Answer(answer))
    }

    fn decide(&mut self, ask: &Ask, issued: impl FnOnce() -> String) -> Result<Value, &'static str> {
        match ask.kind {
            Kind::Issue if ask.field("premium") == "0" => Err("INVALID_ARGUMENT"),
            Kind::Issue => Ok(self.issue(ask, &issued())),
            Kind::Recover => Ok(self.recover(ask)),
            Kind::Rescind if ask.field("secondRefundAmount") != "10.2" => Err("INVALID_ARGUMENT"),
            Kind::Rescind => self.end(ask, "rescinded", "policyRescinded"),
            Kind::Surrender => self.end(ask, "surrendered", "policySurrendered"),
            Kind::Stage => self.stage(ask),
            Kind::Unreadable => Err("MALFORMED_BODY"),
        }
    }

    fn issue(&mut self, ask: &Ask, number: &str) -> Value {
        let row = [ask.key.clone(), ask.field("partner").to_owned(), "issued".to_owned()];
        let before = self.contents.policies.insert(number.to_owned(), row);
        assert_eq!(before, None, "{number} was used before");
        self.happened("policy.issued", format!("policy:{number}"));
        json!({"type": "policyIssued", "policyNo": number, "policyFileUrl": format!("https://x.test/{number}")})
    }

    fn recover(&mut self, ask: &Ask) -> Value {
        let (partner, policy_no) = (ask.field("partner"), ask.field("policyNo"));
        let unmatched = match self.contents.policies.get(policy_no) {
            None => "unknown",
            Some([_, sold_by, _]) if sold_by != partner => "other-partner",
            Some(_) => {
                self.contents.recoveries.insert(ask.key.clone(), policy_no.to_owned());
                self.happened("recovery.recorded", format!("policy:{policy_no}"));
                return json!({"type": "recoveryRecorded", "policyNo": policy_no});
            }
        };
        self.contents.recoveries.insert(ask.key.clone(), unmatched.to_owned());
        self.happened("recovery.recorded", format!("recovery:{partner}/{}", ask.key));
        json!({"type": "recoveryRecorded", "unmatched": unmatched})
    }

    fn end(&mut self, ask: &Ask, state: &str, kind: &str) -> Result<Value, &'static str> {
        let number = ask.field("policyNo");
        let policy = self.contents.policies.get_mut(number).ok_or("POLICY_NOT_FOUND")?;
        let partner = policy[1].clone();
        let source = SOURCES.iter().position(|source| *source == ask.field("policySource"));
        if source.is_some_and(|source| PARTNERS[source] != partner) {
            return Err("POLICY_NOT_PERMITTED");
        }
        if policy[2] != "issued" {
            return Err("WRONG_POLICY_STATE");
        }
        state.clone_into(&mut policy[2]);
        self.contents.endings.insert(number.to_owned(), state.to_owned());
        let subject = format!("policy:{number}");
        if partner == "alibaba" {
            self.told("surrender-sync", subject.clone(), partner);
        }
        self.happened(&format!("policy.{state}"), subject);
        Ok(json!({"type": kind, "policyNo": number}))
    }

    fn stage(&mut self, ask: &Ask) -> Result<Value, &'static str> {
        let (biz_id, partner) = (ask.field("bizId"), ask.field("partner"));
        let stage: u8 = ask.field("stage").parse().unwrap();
        let (owner, last) = self.auctions.get(biz_id).cloned().unwrap_or_else(|| (partner.to_owned(), None));
        if owner != partner {
            return Err("AUCTION_CASE_OF_ANOTHER_PARTNER");
        }
        match (last, stage) {
            (None, 1) | (Some(1), 2) | (Some(2), 3) | (Some(3 | 5), 4 | 5) => {}
            (Some(4), _) => return Err("AUCTION_CASE_CLOSED"),
            (Some(last), stage) if stage <= last.min(3) => return Err("AUCTION_STAGE_ALREADY_SUCCEEDED"),
            _ => return Err("AUCTION_STAGE_OUT_OF_ORDER"),
        }
        let last = if ask.field("status") == "1" { Some(stage) } else { last };
        self.auctions.insert(biz_id.to_owned(), (owner.clone(), last));
        self.contents.stages.push([biz_id.to_owned(), stage.to_string(), ask.field("status").to_owned()]);
        self.contents.stages.sort();
        let subject = format!("auction:{biz_id}");
        self.told("auction-result", subject.clone(), owner);
        self.happened("auction.stage-reported", subject);
        Ok(json!({"type": "auctionStageRecorded", "bizId": biz_id, "stage": stage}))
    }

    /// Whose an auction is, and the stage that may come next; 退保 again where nothing may.
    pub(super) fn next_stage(&self, biz_id: &str) -> (String, String) {
        let (owner, last) = self.auctions.get(biz_id).cloned().unwrap_or_else(|| (PARTNERS[0].to_owned(), None));
        (owner, last.map_or(1, |last| (last + 1).min(4)).to_string())
    }

    fn told(&mut self, kind: &str, subject: String, partner: String) {
        self.contents.notices.push([kind.to_owned(), subject, partner]);
    }

    /// What happens is an event, and some events are pushed to an endpoint of the insurer's.
    fn happened(&mut self, kind: &str, subject: String) {
        self.contents.events.push([kind.to_owned(), subject]);
        if super::world::PUSHED.contains(&kind) {
            self.told("webhook", "webhook:core".to_owned(), "webhook:core".to_owned());
        }
    }
}

/// Where a field stands in the content that is kept.
fn path(kind: Kind, name: &str) -> String {
    if kind == Kind::Stage && name != "partner" { format!("result.{name}") } else { name.to_owned() }
}
