//! What the pages about messages have in common: names of verdicts and interfaces, words in the page's language, requests as
//! they came.

use std::fmt::Write as _;

use baoqiao_channels::CHANNELS;
use baoqiao_channels::channel::{Interface, Label};
use baoqiao_channels::explain::{Evidence, Kept, Words};
use baoqiao_channels::qimen::body::charset;
use maud::{Markup, html};

use super::language::{Language, Message, messages};
use super::pages::SURRENDER_ORDER;
use super::parts::{Tone, chip};
use super::view::View;
use crate::http::api::ORDERS;
use crate::ledger::store::Verdict;

messages! {
    ACCEPTED: "已受理", "Accepted";
    REPLAYED: "重复答复", "Answered again";
    CONFLICTING: "冲突", "Conflicting";
    REFUSED: "已拒绝", "Refused";
    CUT: "报文体共 {} 字节，只留存了前 {} 字节（配置项 traffic.stranger_body_bytes）。", "The body had {} bytes, of which the first {} were kept (traffic.stranger_body_bytes).";
    HEAD_CUT: "只留存了请求头部的开头。", "Only the beginning of the request's head was kept.";
    UNREADABLE: "报文体读不出字段：{}", "No fields can be read from the body: {}";
    NO_FIELDS: "没有可解码的字段。", "There are no fields to decode.";
}

/// The words in the page's language.
pub(super) fn said<'a>(view: &View, words: &'a Words) -> &'a str {
    match view.language {
        Language::Chinese => &words.zh,
        Language::English => &words.en,
    }
}

/// A verdict's name, and what the reader should make of it.
pub(super) fn verdict(verdict: Verdict) -> (Tone, Message) {
    match verdict {
        Verdict::Accepted => (Tone::Good, ACCEPTED),
        Verdict::Replayed => (Tone::Info, REPLAYED),
        Verdict::Conflicting => (Tone::Bad, CONFLICTING),
        Verdict::Refused => (Tone::Warn, REFUSED),
    }
}

/// A verdict as the ledger names it.
pub(super) fn verdict_chip(view: &View, name: &str) -> Markup {
    match Verdict::from_name(name) {
        Some(known) => {
            let (tone, message) = verdict(known);
            chip(tone, view.t(message))
        }
        None => chip(Tone::Quiet, name),
    }
}

/// Every interface by which platforms call.
pub(super) fn interfaces() -> impl Iterator<Item = &'static dyn Interface> {
    CHANNELS.iter().flat_map(|channel| channel.interfaces()).copied()
}

/// The names of everything that asks the ledger for something: platforms' interfaces, orders of the insurer's own systems
/// and of people.
pub(super) fn scopes() -> impl Iterator<Item = (&'static str, Label)> {
    interfaces().map(|interface| (interface.scope(), interface.label())).chain(ORDERS).chain([SURRENDER_ORDER])
}

/// The name of that scope.
pub(super) fn scope_label(scope: &str) -> Option<Label> {
    scopes().find(|(known, _)| *known == scope).map(|(_, label)| label)
}

/// What a message is for: the interface's name for people, and, where one points at it, the one that it has in the ledger.
pub(super) fn interface_name(view: &View, scope: Option<&str>, channel: &str) -> Markup {
    let Some(scope) = scope else { return html! { (channel) } };
    html! {
        @match scope_label(scope) {
            Some(label) => { span title=(scope) { (view.label(label)) } }
            None => { (scope) }
        }
    }
}

/// The request as it came, its body in the charset of its content type.
pub(super) fn request_text(evidence: &Evidence) -> String {
    let raw = &evidence.raw;
    let charset = charset(&raw.headers);
    let text = |bytes: &[u8]| charset.decode_without_bom_handling(bytes).0.into_owned();
    let mut head = format!("POST {}?{}\n", evidence.path, String::from_utf8_lossy(&raw.query));
    for (name, value) in &raw.headers {
        // Writing to a string cannot fail.
        let _ = writeln!(head, "{name}: {}", text(value.as_bytes()));
    }
    format!("{head}\n{}", text(&raw.body))
}

/// What of a request was not kept.
pub(super) fn cut(view: &View, evidence: &Evidence) -> Option<String> {
    match evidence.kept {
        Kept::Whole => None,
        Kept::BodyCut { body_bytes } => Some(view.with(CUT, &[&body_bytes, &evidence.raw.body.len()])),
        Kept::HeadCut => Some(view.t(HEAD_CUT).to_owned()),
    }
}

/// The fields of the body as JSON, whatever its spelling.
pub(super) fn decoded(view: &View, evidence: &Evidence, channel: &str) -> Markup {
    let channel = CHANNELS.iter().find(|known| known.name() == channel);
    let fields = channel.filter(|_| evidence.kept == Kept::Whole).map(|channel| channel.fields(&evidence.raw));
    html! {
        @match fields {
            None => { p.muted { (view.t(NO_FIELDS)) } }
            Some(Err(refusal)) => { p.muted { (view.with(UNREADABLE, &[&refusal.public_message()])) } }
            Some(Ok(fields)) => { pre { (serde_json::to_string_pretty(&fields).unwrap_or_default()) } }
        }
    }
}
