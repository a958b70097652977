//! All that has happened to a policy, from every place where something of it is kept, in one line of time.

use jiff::Timestamp;
use maud::{Markup, html};

use baoqiao_domain::issuing::PolicyApplication;
use baoqiao_domain::policy::Policy;
use baoqiao_domain::policy_number::PolicyNumber;

use super::orders::resend_question;
use super::{address, format_local};
use crate::console::audit::{AuditFilter, AuditRecord};
use crate::console::role::Role;
use crate::http::console::Console;
use crate::http::console::failure::Failure;
use crate::http::console::language::{Message, messages};
use crate::http::console::pages::audit;
use crate::http::console::pages::deliveries::{kind_label, state_chip};
use crate::http::console::parts::{self, Tone, chip};
use crate::http::console::traffic::{interface_name, verdict_chip};
use crate::http::console::view::View;
use crate::http::console::words::grouped;
use crate::ledger::lists::{EndingRecord, MessageFilter, MessageRecord, RecoveryFilter, RecoveryRecord};
use crate::outbox::store::{AttemptRecord, AttemptVerdict, Filter, NoticeRecord};
use crate::vault::Purpose;

messages! {
    STORY: "经过", "What happened";
    AS_OF: "看当时的样子", "As it was then";
    AS_OF_LABEL: "看某一时刻的样子（GMT+8）", "As it was at (GMT+8)";
    LOOK: "查看", "Look";
    MESSAGE: "收到报文 {}", "Message {} came";
    FROM: "{}，来自 {}", "{}, from {}";
    ISSUED: "出单", "Issued";
    RECOVERED: "追缴入账", "Recovery recorded";
    RECOVERED_DETAIL: "{} · 追缴 {} 元", "{} · {} CNY recovered";
    DISCREPANT: "金额对不上", "amounts disagree";
    RESCINDED: "解约", "Rescinded";
    SURRENDERED: "退保", "Surrendered";
    ASKED_BY: "由 {} 提出", "asked by {}";
    REFUND: "退款 {} 元", "refund {} CNY";
    QUEUED: "通知 {} 待投递：{}", "Notice {} queued: {}";
    ATTEMPT: "第 {} 次投递通知 {}", "Attempt {} at notice {}";
    TOOK: "{} 毫秒", "{} ms";
    DELIVERED: "已送达", "taken";
    RETRY: "稍后重试", "to be tried again";
    SLOW_DOWN: "对方限流", "too fast for them";
    DEAD: "死信", "dead";
    LOST: "结果不明", "no word of how it ended";
    MADE: "首次生成电子保单", "Document first made";
    NOW: "现在：", "now:";
}

/// The most of one kind in a story.
const MOST: usize = 100;

/// A policy with all that is known of it.
pub(super) struct Story {
    pub(super) policy: Policy,
    pub(super) application: PolicyApplication,
    pub(super) ending: Option<EndingRecord>,
    pub(super) document_made_at: Option<Timestamp>,
    messages: Vec<MessageRecord>,
    recoveries: Vec<RecoveryRecord>,
    notices: Vec<(NoticeRecord, Vec<AttemptRecord>)>,
    /// For those who may read the audit log.
    looks: Vec<AuditRecord>,
}

/// A policy and the application that it was issued on.
pub(super) fn application(console: &Console, number: &PolicyNumber) -> Result<(Policy, PolicyApplication), Failure> {
    let record = console.reader.policy(number)?.ok_or(Failure::NotFound)?;
    let content = console.vault.open(Purpose::Content, &record.content)?;
    Ok((record.policy, serde_json::from_slice(&content)?))
}

impl Story {
    /// Reads it.
    pub(super) fn load(console: &Console, number: &PolicyNumber, sees_audit: bool) -> Result<Self, Failure> {
        let (policy, application) = application(console, number)?;
        let filter = RecoveryFilter { policy_no: Some(number.clone()), ..RecoveryFilter::default() };
        let recoveries = console.lists.recoveries(&filter, None, MOST)?.items;
        let ending = console.lists.ending(number)?;
        let messages = messages(console, &policy, ending.as_ref(), &recoveries)?;
        let subject = Filter { subject: Some(super::subject(number)), ..Filter::default() };
        let mut notices = Vec::new();
        for notice in console.desk.list(&subject, MOST)?.items {
            notices.extend(console.desk.show(notice.id)?);
        }
        let about = AuditFilter { subject: Some(super::subject(number)), ..AuditFilter::default() };
        let looks = if sees_audit { console.store.audit(&about, None, MOST)?.items } else { Vec::new() };
        let document_made_at = console.reader.document(number)?.map(|document| document.made_at);
        Ok(Self { policy, application, ending, document_made_at, messages, recoveries, notices, looks })
    }
}

/// The messages under the keys of what happened: those that did it, their copies, and those that were refused.
fn messages(
    console: &Console,
    policy: &Policy,
    ending: Option<&EndingRecord>,
    recoveries: &[RecoveryRecord],
) -> Result<Vec<MessageRecord>, Failure> {
    let mut keys = vec![policy.identifier.clone()];
    keys.extend(recoveries.iter().map(|recovery| recovery.identifier.clone()));
    if let Some(ending) = ending {
        keys.extend(console.lists.message(ending.message_id)?.and_then(|message| message.record.key));
    }
    keys.sort_unstable();
    keys.dedup();
    let mut messages = Vec::new();
    for key in keys.into_iter().take(MOST) {
        let filter = MessageFilter { key: Some(key), ..MessageFilter::default() };
        messages.extend(console.lists.messages(&filter, None, MOST)?.items);
    }
    Ok(messages)
}

/// Something that happened.
struct Event {
    at: Timestamp,
    /// Of two of the same moment, the lower one came first: what was asked, what came of it, what follows.
    rank: u8,
    tone: Tone,
    title: String,
    detail: Markup,
    link: Option<String>,
}

impl Event {
    fn new(at: Timestamp, rank: u8, tone: Tone, title: String, detail: Markup) -> Self {
        Self { at, rank, tone, title, detail, link: None }
    }

    fn linked(self, link: String) -> Self {
        Self { link: Some(link), ..self }
    }
}

fn message(view: &View, message: &MessageRecord) -> Event {
    let from = view.with(FROM, &[&message.caller, &message.peer]);
    let detail = html! {
        (verdict_chip(view, &message.verdict)) " "
        @if let Some(refusal) = &message.code { (parts::code(refusal)) " " }
        span.muted { (interface_name(view, message.scope.as_deref(), &message.channel)) " · " (from) }
    };
    let title = view.with(MESSAGE, &[&message.id]);
    Event::new(message.received_at, 0, Tone::Quiet, title, detail).linked(format!("/console/messages/{}", message.id))
}

fn recovery(view: &View, recovery: &RecoveryRecord) -> Event {
    let yuan = recovery.recover_amount_of_cny.as_deref().map_or_else(|| "—".to_owned(), grouped);
    let detail = html! {
        (view.with(RECOVERED_DETAIL, &[&recovery.identifier, &yuan]))
        @if recovery.discrepancies != "[]" { " " (chip(Tone::Warn, view.t(DISCREPANT))) }
    };
    Event::new(recovery.recorded_at, 1, Tone::Info, view.t(RECOVERED).to_owned(), detail)
}

fn ended(view: &View, ending: &EndingRecord) -> Event {
    let title = view.t(if ending.kind == "rescinded" { RESCINDED } else { SURRENDERED });
    let detail = html! {
        (view.with(ASKED_BY, &[&ending.asked_by]))
        @if let Some(refund) = &ending.refund_amount { " · " (view.with(REFUND, &[&grouped(refund)])) }
    };
    Event::new(ending.ended_at, 1, Tone::Warn, title.to_owned(), detail)
}

fn attempt_verdict(verdict: AttemptVerdict) -> (Tone, Message) {
    match verdict {
        AttemptVerdict::Delivered => (Tone::Good, DELIVERED),
        AttemptVerdict::Retry => (Tone::Warn, RETRY),
        AttemptVerdict::SlowDown => (Tone::Warn, SLOW_DOWN),
        AttemptVerdict::Dead => (Tone::Bad, DEAD),
        AttemptVerdict::Lost => (Tone::Warn, LOST),
    }
}

/// When a notice was queued, with where it stands now, and each attempt at it.
fn notice(
    view: &View,
    number: &PolicyNumber,
    notice: &NoticeRecord,
    attempts: &[AttemptRecord],
    is_now: bool,
) -> Vec<Event> {
    let standing = html! {
        @if is_now {
            span.muted { (view.t(NOW)) } " " (state_chip(view, notice.state))
            @if view.may(Role::Operator) { " " (resend_question(view, number, notice.id)) }
        }
    };
    let title = view.with(QUEUED, &[&notice.id, &kind_label(view, &notice.kind)]);
    let link = format!("/console/deliveries/{}", notice.id);
    let mut events = vec![Event::new(notice.created_at, 2, Tone::Info, title, standing).linked(link)];
    for attempt in attempts {
        let (tone, came_to) = attempt_verdict(attempt.verdict);
        let detail = html! {
            (chip(tone, view.t(came_to))) " "
            span.muted { (attempt.detail) " · " (view.with(TOOK, &[&attempt.duration_ms])) }
        };
        let title = view.with(ATTEMPT, &[&attempt.number, &notice.id]);
        events.push(Event::new(attempt.started_at, 3, tone, title, detail));
    }
    events
}

fn look(view: &View, record: &AuditRecord) -> Event {
    let entry = &record.entry;
    let (tone, name) = audit::action(entry.action);
    let detail = html! { span.muted { (entry.user) " · " (entry.reason) } };
    Event::new(entry.at, 4, tone, view.t(name).to_owned(), detail)
}

fn events(view: &View, story: &Story, at: Option<Timestamp>) -> Vec<Event> {
    let policy = &story.policy;
    let mut events: Vec<Event> = story.messages.iter().map(|found| message(view, found)).collect();
    let issued = html! { span.muted { (policy.partner) } };
    events.push(Event::new(policy.issued_at, 1, Tone::Good, view.t(ISSUED).to_owned(), issued));
    events.extend(story.recoveries.iter().map(|found| recovery(view, found)));
    events.extend(story.ending.as_ref().map(|ending| ended(view, ending)));
    for (found, attempts) in &story.notices {
        events.extend(notice(view, &policy.number, found, attempts, at.is_none()));
    }
    let made = |at| Event::new(at, 2, Tone::Quiet, view.t(MADE).to_owned(), html! {});
    events.extend(story.document_made_at.map(made));
    events.extend(story.looks.iter().map(|record| look(view, record)));
    events.retain(|event| at.is_none_or(|at| event.at <= at));
    events.sort_by_key(|event| (event.at, event.rank));
    events
}

/// The story, up to a moment.
pub(super) fn card(view: &View, story: &Story, at: Option<Timestamp>) -> Markup {
    let number = &story.policy.number;
    html! {
        section.card {
            h2 { (view.t(STORY)) }
            ol.story {
                @for event in events(view, story, at) {
                    li class={ "story-event " (tone_class(event.tone)) } data-open=[event.link.as_deref()] {
                        p.story-title {
                            @match &event.link {
                                Some(link) => { a href=(link) { (event.title) } }
                                None => { (event.title) }
                            }
                        }
                        div.story-detail { (event.detail) }
                        p.story-time {
                            (parts::time(event.at))
                            a.story-then href={ (address(number)) "?at=" (format_local(event.at)) } { (view.t(AS_OF)) }
                        }
                    }
                }
            }
            form.as-of-form method="get" action=(address(number)) {
                div.field {
                    label for="at" { (view.t(AS_OF_LABEL)) }
                    input #at name="at" type="datetime-local" step="1" required value=(format_local(at.unwrap_or(view.now)));
                }
                div.field.field-button { button.button type="submit" { (view.t(LOOK)) } }
            }
        }
    }
}

fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Info => "info",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
        Tone::Quiet => "quiet",
    }
}
