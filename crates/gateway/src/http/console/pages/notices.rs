//! `/console/channels/notices/{kind}`: an interface by which we call, its examples, the verdict table, and what the gateway
//! would make of an answer that somebody makes up.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use baoqiao_channels::outbound::{Judgement, Outbound, OutboundResponse, Verdict, outbound_for, why};
use baoqiao_channels::top::verdict::RULES;
use baoqiao_domain::notice::NoticeKind;
use bytes::Bytes;
use http::HeaderMap;
use maud::{Markup, html};
use serde::Deserialize;

use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::icons::{Icon, icon};
use crate::http::console::language::{Language, messages};
use crate::http::console::layout::{self, Place, form_token};
use crate::http::console::order::Order;
use crate::http::console::parts::{self, Tone, chip, prose};
use crate::http::console::traffic::said;
use crate::http::console::view::View;

messages! {
    BACK: "渠道与产品", "Channels";
    KIND: "代号", "Id";
    METHOD: "方法名", "Method";
    EXAMPLES: "示例", "Examples";
    REQUEST: "请求（按接口文档的示例）", "Request (the document's example)";
    ACCEPTED: "表示受理的答复", "An answer that takes it";
    PLAY: "扮演平台", "Play the platform";
    PLAY_LEAD: "写一个答复，看网关会如何判定。不发送任何东西。", "Write an answer and see what the gateway would make of it. Nothing is sent.";
    STATUS: "HTTP 状态码", "HTTP status";
    BODY: "答复内容", "Body of the answer";
    JUDGE: "判定", "Judge";
    JUDGED: "判定结果", "The verdict";
    TABLE: "判定表", "The verdict table";
    TABLE_LEAD: "从上到下，第一条符合的生效。", "From the top: the first row that matches decides.";
    ROW: "规则", "Row";
    WHEN: "条件", "When";
    VERDICT: "判定", "Verdict";
    WHY: "理由", "Why";
    DELIVERED: "已送达", "delivered";
    RETRY: "重试", "retry";
    SLOW_DOWN: "限流", "slow down";
    DEAD: "死信", "dead";
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/console/channels/notices/{kind}", get(show).post(judge))
}

fn find(kind: &str) -> Result<&'static dyn Outbound, Failure> {
    NoticeKind::from_name(kind).and_then(outbound_for).ok_or(Failure::NotFound)
}

async fn show(visit: Visit<need::Viewer>, Path(kind): Path<String>) -> Result<Markup, Failure> {
    let interface = find(&kind)?;
    let played = Played { status: 200, body: interface.examples().answer.to_owned() };
    Ok(page(&visit.view, interface, &played, None))
}

/// What somebody answers as the platform.
#[derive(Debug, Deserialize)]
struct Played {
    status: u16,
    body: String,
}

async fn judge(
    State(_): State<Arc<Console>>,
    Path(kind): Path<String>,
    Order { view, content, .. }: Order<need::Viewer, Played>,
) -> Result<Markup, Failure> {
    let interface = find(&kind)?;
    let answer = OutboundResponse::Answer {
        status: content.status,
        headers: HeaderMap::new(),
        body: Bytes::from(content.body.clone()),
    };
    let judgement = interface.verdict(&answer);
    Ok(page(&view, interface, &content, Some(&judgement)))
}

fn page(view: &View, interface: &dyn Outbound, played: &Played, judgement: Option<&Judgement>) -> Markup {
    let shown = interface.examples();
    let title = view.label(interface.label());
    let content = html! {
        header.page-head {
            div {
                p { a.back href="/console/channels" { (icon(Icon::Back)) (view.t(BACK)) } }
                h1 { (title) }
            }
        }
        section.card {
            (parts::fields([
                (view.t(KIND), parts::code(interface.kind().as_str())),
                (view.t(METHOD), parts::code(interface.method())),
            ]))
        }
        @if let Some(judgement) = judgement { (judged(view, judgement)) }
        (play_form(view, interface, played))
        section.card {
            h2 { (view.t(EXAMPLES)) }
            h3 { (view.t(REQUEST)) }
            pre tabindex="0" { (shown.request) }
            h3 { (view.t(ACCEPTED)) }
            pre tabindex="0" { (shown.answer) }
        }
        @if interface.kind() != NoticeKind::Webhook { (table(view)) }
    };
    layout::page(view, Some(Place::Channels), title, &content)
}

fn verdict_chip(view: &View, name: &str) -> Markup {
    let (tone, word) = match name {
        "delivered" => (Tone::Good, DELIVERED),
        "retry" => (Tone::Warn, RETRY),
        "slow-down" => (Tone::Warn, SLOW_DOWN),
        _ => (Tone::Bad, DEAD),
    };
    chip(tone, view.t(word))
}

fn judged(view: &View, judgement: &Judgement) -> Markup {
    let pause = match judgement.verdict {
        Verdict::Retry { after } => after,
        Verdict::SlowDown { pause } => pause,
        Verdict::Delivered | Verdict::Dead => None,
    };
    let shown = html! {
        p {
            (verdict_chip(view, judgement.verdict.as_str())) " " code { (judgement.rule) ": " (judgement.detail) }
            @if let Some(pause) = pause { " " (pause.as_secs()) " s" }
        }
        @if let Some(why) = why(judgement.rule) { p.muted { (prose(said(view, &why))) } }
    };
    html! { section.card role="status" { h2 { (view.t(JUDGED)) } (shown) } }
}

fn play_form(view: &View, interface: &dyn Outbound, played: &Played) -> Markup {
    let action = format!("/console/channels/notices/{}", interface.kind());
    let form = html! {
        p.muted { (view.t(PLAY_LEAD)) }
        form.wide-form method="post" action=(action) {
            (form_token(view))
            div.field {
                label for="status" { (view.t(STATUS)) }
                input #status name="status" type="number" min="100" max="599" value=(played.status) required;
            }
            div.field {
                label for="body" { (view.t(BODY)) }
                textarea #body name="body" rows="8" spellcheck="false" autocomplete="off" { (played.body) }
            }
            div { button.button.primary.filled type="submit" { (view.t(JUDGE)) } }
        }
    };
    parts::card(view.t(PLAY), &form)
}

fn table(view: &View) -> Markup {
    let columns = [ROW, WHEN, VERDICT, WHY].map(|column| view.t(column));
    let [name, when, verdict, reason] = columns;
    let rows = html! {
        @for row in RULES {
            tr {
                td data-label=(name) { (parts::code(row.name)) }
                td.wrap data-label=(when) { (prose(said(view, &row.when.words()))) }
                td data-label=(verdict) { (verdict_chip(view, &row.ruling.to_string())) }
                td.wrap data-label=(reason) {
                    @match view.language { Language::Chinese => { (prose(row.why_zh)) } Language::English => { (prose(row.why)) } }
                }
            }
        }
    };
    html! {
        section.stack {
            h2 { (view.t(TABLE)) }
            p.muted { (view.t(TABLE_LEAD)) }
            (parts::table(view.t(TABLE), &columns, &rows))
        }
    }
}
