//! Looks everywhere where what somebody has in hand may be. Each look goes through an index, or through so many rows.

use std::collections::BTreeSet;

use baoqiao_channels::CHANNELS;
use baoqiao_channels::channel::Channel;
use baoqiao_domain::party::PersonKey;
use baoqiao_domain::policy::Policy;
use baoqiao_domain::policy_number::PolicyNumber;

use crate::http::console::Console;
use crate::http::console::failure::Failure;
use crate::ledger::finding::StageRecord;
use crate::ledger::lists::{MessageFilter, MessageRecord};
use crate::outbox::store::{Filter, NoticeRecord};

/// The most of one kind that are listed.
pub(super) const MOST: usize = 50;
/// Notices among which a platform's words are looked for.
const NEWEST_NOTICES: u64 = 20_000;
/// A shorter text is no platform's `request_id`.
const SHORTEST_REQUEST_ID: usize = 6;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) policies: Vec<Policy>,
    pub(super) messages: Vec<MessageRecord>,
    pub(super) stages: Vec<StageRecord>,
    pub(super) notices: Vec<NoticeRecord>,
    /// Whether somebody was found by it.
    pub(super) by_person: bool,
    /// Whether older policies are not found by name.
    pub(super) names_missing: bool,
}

impl Found {
    pub(super) fn is_empty(&self) -> bool {
        self.policies.is_empty() && self.messages.is_empty() && self.stages.is_empty() && self.notices.is_empty()
    }

    /// The one policy that is meant, where nothing else can be.
    pub(super) fn the_policy(&self) -> Option<&Policy> {
        let [policy] = self.policies.as_slice() else { return None };
        let number = policy.number.as_str();
        let about_it = |message: &MessageRecord| message.policy_no.as_deref() == Some(number);
        (self.messages.iter().all(about_it) && self.stages.is_empty() && self.notices.is_empty()).then_some(policy)
    }

    fn add(&mut self, policy: Policy) {
        if !self.policies.iter().any(|known| known.number == policy.number) {
            self.policies.push(policy);
        }
    }
}

/// Looks for it everywhere.
pub(super) fn search(console: &Console, wanted: &str) -> Result<Found, Failure> {
    let mut found = Found::default();
    if let Ok(number) = wanted.parse::<PolicyNumber>()
        && let Some(record) = console.reader.policy(&number)?
    {
        found.add(record.policy);
        return Ok(found);
    }
    people(console, wanted, &mut found)?;
    messages(console, wanted, &mut found)?;
    found.stages = console.finder.auction(wanted, MOST)?;
    notices(console, wanted, &mut found)?;
    Ok(found)
}

fn people(console: &Console, wanted: &str, found: &mut Found) -> Result<(), Failure> {
    let name = PersonKey::name(wanted);
    found.names_missing = name.is_some() && !is_number(wanted) && console.finder.names_missing_to()? > 0;
    let keys = [PersonKey::license_no(wanted), PersonKey::phone(wanted), name];
    for key in keys.into_iter().flatten() {
        for record in console.reader.policies_of_person(console.vault.blind_index(&key), MOST)? {
            found.by_person = true;
            found.add(record.policy);
        }
    }
    Ok(())
}

/// Names have no digits; that older ones are missing is said of what may be one.
fn is_number(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// The idempotency keys that may be meant: as it was typed, and as interfaces make them of it.
fn keys(console: &Console, wanted: &str) -> BTreeSet<String> {
    let of_channel = |channel: &&'static dyn Channel| {
        let callers = channel.callers(&console.config.access);
        channel.interfaces().iter().flat_map(move |interface| interface.keys_named(wanted, &callers))
    };
    CHANNELS.iter().flat_map(of_channel).chain([wanted.to_owned()]).collect()
}

/// By idempotency key (the identifier of issuing and recovery, the order number of a rescission), by identity, by number.
fn messages(console: &Console, wanted: &str, found: &mut Found) -> Result<(), Failure> {
    for key in keys(console, wanted) {
        let filter = MessageFilter { key: Some(key), ..MessageFilter::default() };
        found.messages.extend(console.lists.messages(&filter, None, MOST)?.items);
    }
    let mut ids = console.finder.messages_of_uuid(wanted, MOST)?;
    ids.extend(wanted.parse::<u64>());
    for id in ids {
        if !found.messages.iter().any(|message| message.id == id)
            && let Some(message) = console.lists.message(id)?
        {
            found.messages.push(message.record);
        }
    }
    let numbers: Vec<PolicyNumber> =
        found.messages.iter().filter_map(|message| message.policy_no.as_deref()?.parse().ok()).collect();
    for number in numbers {
        if let Some(record) = console.reader.policy(&number)? {
            found.add(record.policy);
        }
    }
    Ok(())
}

/// By number, by the auction that they are about, by what the platform answered.
fn notices(console: &Console, wanted: &str, found: &mut Found) -> Result<(), Failure> {
    let subject = Filter { subject: Some(format!("auction:{wanted}")), ..Filter::default() };
    found.notices = console.desk.list(&subject, MOST)?.items;
    let mut ids = Vec::new();
    ids.extend(wanted.strip_prefix('#').and_then(|number| number.parse::<u64>().ok()));
    if wanted.len() >= SHORTEST_REQUEST_ID && wanted.bytes().all(|byte| byte.is_ascii_graphic()) {
        ids.extend(console.finder.notices_answered_with(wanted, NEWEST_NOTICES)?);
    }
    for id in ids {
        if let Some((notice, _)) = console.desk.show(id)? {
            found.notices.push(notice);
        }
    }
    Ok(())
}
