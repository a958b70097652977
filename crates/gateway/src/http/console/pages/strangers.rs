//! `/console/strangers`: messages of which nothing was believed, and why.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use baoqiao_channels::explain::{Evidence, Explanation, Protocol};
use baoqiao_channels::phrases::in_both;
use maud::{Markup, html};
use serde::Deserialize;

use super::message::{Reason, hidden, request};
use super::messages::{Tab, tabs};
use crate::console::audit::Action;
use crate::explainer::of_stranger;
use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::explanation::{Content, explanation};
use crate::http::console::failure::Failure;
use crate::http::console::icons::{Icon, icon};
use crate::http::console::language::messages;
use crate::http::console::layout::{self, Place};
use crate::http::console::live::live;
use crate::http::console::order::Order;
use crate::http::console::parts::{self, Tone, notice, reason};
use crate::http::console::traffic::{cut, said as told};
use crate::http::console::view::View;
use crate::ledger::lists::{Slice, StrangerRecord, WholeStranger};

messages! {
    LEAD: "未受理的来者：app_key 未知、签名不符、来源地址不在白名单，或报文无法读取等。只留存最近的若干条，每条只留存开头。", "Calls that were turned away: an unknown app_key, a wrong signature, an address that is not allowed, a body that does not read. Only the latest are kept, and of each only its beginning.";
    AT: "时间", "Time";
    CHANNEL: "渠道", "Channel";
    PEER: "来源地址", "From";
    REASON: "日志中的原因", "Reason, as logged";
    BYTES: "报文体字节", "Body bytes";
    STRANGERS: "陌生来者", "Strangers";
    EMPTY: "没有陌生来者", "No strangers";
    EMPTY_HINT: "验签等校验不通过的调用会出现在这里，并解释原因。", "Calls that do not pass the checks appear here, with the reason explained.";
    TITLE: "陌生来者 {}", "Stranger {}";
    BACK: "全部陌生来者", "All strangers";
    CHECK: "校验过程", "The check";
    CHECK_LEAD: "逐项重查，并用常见错误比对签名。", "Every step again, and the signature held against the usual mistakes.";
    SAID: "留存的原文", "What is kept of it";
}

const PATH: &str = "/console/strangers";
const ROWS: usize = 50;

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    before: Option<u64>,
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(PATH, get(list))
        .route("/console/strangers/live", get(tail))
        .route("/console/strangers/{number}", get(show))
        .route("/console/strangers/{number}/show", post(unmask))
}

async fn list(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Viewer>,
    Query(wanted): Query<Wanted>,
) -> Result<Markup, Failure> {
    let slice = console.read(move |console| Ok(console.lists.strangers(wanted.before, ROWS)?)).await?;
    let view = &visit.view;
    let live = wanted.before.is_none().then_some("/console/strangers/live");
    let content = html! {
        header.page-head { div { h1 { (view.t(Place::Messages.label())) } p.muted { (view.t(LEAD)) } } }
        (tabs(view, Tab::Strangers))
        div.live-part data-live=[live] { (table(view, &slice)) }
    };
    Ok(layout::page(view, Some(Place::Messages), view.t(Place::Messages.label()), &content))
}

async fn tail(State(console): State<Arc<Console>>, visit: Visit<need::Viewer>) -> Result<Response, Failure> {
    live(&console, visit.view, move |console, view| Ok(table(view, &console.lists.strangers(None, ROWS)?)))
}

fn table(view: &View, slice: &Slice<StrangerRecord, u64>) -> Markup {
    if slice.items.is_empty() {
        return parts::empty(Icon::Messages, view.t(EMPTY), &html! { (view.t(EMPTY_HINT)) });
    }
    let columns = [AT, CHANNEL, REASON, PEER, BYTES].map(|column| view.t(column));
    let [at, channel, why, peer, bytes] = columns;
    let rows = html! {
        @for stranger in &slice.items {
            @let address = format!("{PATH}/{}", stranger.number);
            tr data-open=(address) {
                td data-label=(at) { a href=(address) { (parts::short_time(stranger.received_at, view.now)) } }
                td data-label=(channel) { (stranger.channel) }
                td.wrap data-label=(why) { (told(view, &in_both(&stranger.reason))) }
                td data-label=(peer) { (stranger.peer) }
                td.number data-label=(bytes) { (stranger.body_bytes) }
            }
        }
    };
    let older = slice.next.map(|next| format!("{PATH}?before={next}"));
    html! { (parts::table(view.t(STRANGERS), &columns, &rows)) (parts::older(view, older.as_deref())) }
}

struct Found {
    stranger: WholeStranger,
    evidence: Evidence,
    explanation: Explanation,
}

fn find(console: &Console, number: &str) -> Result<Found, Failure> {
    let number = number.parse().map_err(|_| Failure::NotFound)?;
    let stranger = console.lists.stranger(number)?.ok_or(Failure::NotFound)?;
    let evidence = of_stranger(&console.vault, &stranger)?;
    let named = Protocol::by_name(&stranger.record.channel);
    let protocol = named.unwrap_or_else(|| Protocol::of(&evidence));
    let explanation = console.explainer.explain(protocol, &evidence, stranger.record.received_at);
    Ok(Found { stranger, evidence, explanation })
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Viewer>,
    Path(number): Path<String>,
) -> Result<Markup, Failure> {
    let found = console.read(move |console| find(console, &number)).await?;
    let action = format!("{PATH}/{}/show", found.stranger.record.number);
    Ok(page(&visit.view, &found, &hidden(&visit.view, &action)))
}

async fn unmask(
    State(console): State<Arc<Console>>,
    Path(number): Path<String>,
    Order { view, content, .. }: Order<need::Operator, Reason>,
) -> Result<Markup, Failure> {
    let reason = reason(&content.reason).ok_or(Failure::Unreadable)?;
    let who = view.clone();
    let found = console
        .read(move |console| {
            let found = find(console, &number)?;
            let subject = format!("stranger:{}", found.stranger.record.number);
            console.store.record(&who.does(Action::MessageShown, subject, reason))?;
            Ok(found)
        })
        .await?;
    let said = html! {
        section.card #said {
            h2 { (view.t(SAID)) }
            @if let Some(cut) = cut(&view, &found.evidence) { (notice(Tone::Info, &cut)) }
            (request(&view, &found.evidence, &found.stranger.record.channel))
            h3 { (view.t(CHECK)) }
            (explanation(&view, &found.explanation, Content::Shown))
        }
    };
    Ok(if view.wants_fragment { said } else { page(&view, &found, &said) })
}

fn page(view: &View, found: &Found, said: &Markup) -> Markup {
    let record = &found.stranger.record;
    let title = view.with(TITLE, &[&format!("#{}", record.number)]);
    let content = html! {
        header.page-head {
            div { p { a.back href=(PATH) { (icon(Icon::Back)) (view.t(BACK)) } } h1 { (title) } }
        }
        section.card {
            (parts::fields([
                (view.t(AT), parts::time(record.received_at)),
                (view.t(CHANNEL), html! { (record.channel) }),
                (view.t(PEER), html! { (record.peer) }),
                (view.t(BYTES), html! { (record.body_bytes) }),
                (view.t(REASON), html! { (told(view, &in_both(&record.reason))) }),
            ]))
        }
        section.card {
            h2 { (view.t(CHECK)) }
            p.muted { (view.t(CHECK_LEAD)) }
            (explanation(view, &found.explanation, Content::Hidden))
        }
        (said)
    };
    layout::page(view, Some(Place::Messages), &title, &content)
}
