//! `/console/messages/{id}`: one message of a known caller, why it was believed, and, with a reason, what was said.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use baoqiao_channels::explain::{Evidence, Explanation, Protocol};
use baoqiao_channels::signs;
use maud::{Markup, html};
use serde::Deserialize;

use crate::console::audit::Action;
use crate::console::role::Role;
use crate::explainer::of_message;
use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::explanation::{Content, explanation};
use crate::http::console::failure::Failure;
use crate::http::console::icons::{Icon, icon};
use crate::http::console::language::messages;
use crate::http::console::layout::{self, Place};
use crate::http::console::order::Order;
use crate::http::console::parts::{self, Question, Tone, notice, question, reason};
use crate::http::console::traffic::{decoded, interface_name, request_text, verdict_chip};
use crate::http::console::view::View;
use crate::ledger::lists::WholeMessage;
use crate::vault::Purpose;

messages! {
    TITLE: "报文 {}", "Message {}";
    BACK: "全部报文", "All messages";
    AT: "收到时间", "Received";
    INTERFACE: "接口", "Interface";
    CALLER: "调用方", "Caller";
    PEER: "来源地址", "From";
    KEY: "幂等号", "Key";
    CODE: "拒绝码", "Code";
    POLICY: "保单", "Policy";
    SECRET: "验签密钥", "Signed with";
    SECRET_NUMBER: "第 {} 个", "secret {}";
    CONFLICT: "同一幂等号先后发来了不同的内容，以首次为准。", "The same key came with different contents; the first one counts.";
    SEE_CONFLICT: "逐字段对比", "Compare field by field";
    CHECK: "验签过程", "Signature check";
    CHECK_LEAD: "按现在的配置重新校验；收到时的密钥可能已更换。", "Checked again by the present configuration; the secrets may have been others then.";
    NO_CHECK: "这一渠道的报文没有签名。", "Messages of this channel have no signature.";
    SAID: "报文原文与应答", "What was said";
    SAID_HIDDEN: "原文含个人信息，未显示。", "What was said holds personal data and is not shown.";
    SHOW: "显示原文", "Show it";
    SHOW_ASK: "显示这条报文的原文？", "Show what was said?";
    SHOW_HINT: "原文中的姓名、证件号等不脱敏。查看会写入审计日志。", "Names and ID numbers in it are not masked. Looking is written into the audit log.";
    REQUEST: "请求原文", "Request as it came";
    DECODED: "解码后的字段", "Decoded fields";
    ANSWER: "应答原文", "Answer as it went out";
    ROLE_NEEDED: "需要操作员角色才能显示。", "Showing it needs the role of an operator.";
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/console/messages/{id}", get(show)).route("/console/messages/{id}/show", post(unmask))
}

/// A message with what is needed to show it.
struct Found {
    message: WholeMessage,
    evidence: Evidence,
    explanation: Option<Explanation>,
    /// Whether its caller's messages are signed with a secret.
    is_signed: bool,
}

fn find(console: &Console, id: &str) -> Result<Found, Failure> {
    let id = id.parse().map_err(|_| Failure::NotFound)?;
    let message = console.lists.message(id)?.ok_or(Failure::NotFound)?;
    let evidence = of_message(&console.vault, &message)?;
    let protocol = Protocol::by_name(&message.record.channel);
    let explain = |protocol| console.explainer.explain(protocol, &evidence, message.record.received_at);
    let explanation = protocol.map(explain);
    let is_signed = signs(&message.record.channel, &message.record.caller, &console.config.access);
    Ok(Found { message, evidence, explanation, is_signed })
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Viewer>,
    Path(id): Path<String>,
) -> Result<Markup, Failure> {
    let found = console.read(move |console| find(console, &id)).await?;
    Ok(page(&visit.view, &found, &hidden(&visit.view, &format!("/console/messages/{}/show", found.message.record.id))))
}

/// A reason for looking.
#[derive(Debug, Deserialize)]
pub(super) struct Reason {
    pub(super) reason: String,
}

async fn unmask(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Order { view, content, .. }: Order<need::Operator, Reason>,
) -> Result<Markup, Failure> {
    let reason = reason(&content.reason).ok_or(Failure::Unreadable)?;
    let who = view.clone();
    let (found, reply) = console
        .read(move |console| {
            let found = find(console, &id)?;
            let subject = format!("message:{}", found.message.record.id);
            console.store.record(&who.does(Action::MessageShown, subject, reason))?;
            let reply = console.vault.open(Purpose::Reply, &found.message.reply)?;
            Ok((found, String::from_utf8_lossy(&reply).into_owned()))
        })
        .await?;
    let said = said(&view, &found, &reply);
    Ok(if view.wants_fragment { said } else { page(&view, &found, &said) })
}

fn page(view: &View, found: &Found, said: &Markup) -> Markup {
    let record = &found.message.record;
    let title = view.with(TITLE, &[&format!("#{}", record.id)]);
    let content = html! {
        header.page-head {
            div {
                p { a.back href="/console/messages" { (icon(Icon::Back)) (view.t(BACK)) } }
                h1 { (title) " " (verdict_chip(view, &record.verdict)) }
            }
        }
        @if found.message.conflict.is_some() {
            (notice(Tone::Warn, view.t(CONFLICT)))
            p { a.button href={ "/console/conflicts/" (record.id) } { (view.t(SEE_CONFLICT)) } }
        }
        section.card { (facts(view, found)) }
        section.card {
            h2 { (view.t(CHECK)) }
            @match &found.explanation {
                Some(explained) => {
                    p.muted { (view.t(CHECK_LEAD)) }
                    (explanation(view, explained, Content::Hidden))
                }
                None => { p.muted { (view.t(NO_CHECK)) } }
            }
        }
        (said)
    };
    layout::page(view, Some(Place::Messages), &title, &content)
}

fn facts(view: &View, found: &Found) -> Markup {
    let record = &found.message.record;
    let or_none = |text: Option<&String>| parts::or_none(view, text.map(|text| parts::code(text)));
    let policy = record.policy_no.as_ref().map(|number| {
        html! { a href={ "/console/policies/" (number) } { (parts::code(number)) } }
    });
    let secret = html! { (view.with(SECRET_NUMBER, &[&(record.secret_index + 1)])) };
    let first = [
        (view.t(AT), parts::time(record.received_at)),
        (view.t(INTERFACE), interface_name(view, record.scope.as_deref(), &record.channel)),
        (view.t(CALLER), html! { (record.caller) }),
        (view.t(PEER), html! { (record.peer) }),
    ];
    let last = [
        (view.t(KEY), or_none(record.key.as_ref())),
        (view.t(CODE), or_none(record.code.as_ref())),
        (view.t(POLICY), parts::or_none(view, policy)),
    ];
    parts::fields(first.into_iter().chain(found.is_signed.then_some((view.t(SECRET), secret))).chain(last))
}

/// What stands where personal data would, and the way to see it for those who may.
pub(super) fn hidden(view: &View, action: &str) -> Markup {
    let asked = Question {
        id: "show",
        button: view.t(SHOW),
        is_grave: false,
        title: view.t(SHOW_ASK),
        hint: view.t(SHOW_HINT),
        action,
        fields: html! {},
        target: Some("#said"),
        again: None,
    };
    html! {
        section.card #said {
            h2 { (view.t(SAID)) }
            p.muted { (view.t(SAID_HIDDEN)) }
            @if view.may(Role::Operator) { div { (question(view, &asked)) } }
            @else { p.muted { (view.t(ROLE_NEEDED)) } }
        }
    }
}

fn said(view: &View, found: &Found, reply: &str) -> Markup {
    html! {
        section.card #said {
            h2 { (view.t(SAID)) }
            (request(view, &found.evidence, &found.message.record.channel))
            h3 { (view.t(ANSWER)) }
            pre tabindex="0" { (reply) }
            @if let Some(explained) = &found.explanation {
                h3 { (view.t(CHECK)) }
                (explanation(view, explained, Content::Shown))
            }
        }
    }
}

/// A request as it came and as it reads.
pub(super) fn request(view: &View, evidence: &Evidence, channel: &str) -> Markup {
    html! {
        h3 { (view.t(REQUEST)) }
        pre tabindex="0" { (request_text(evidence)) }
        h3 { (view.t(DECODED)) }
        (decoded(view, evidence, channel))
    }
}
