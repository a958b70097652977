//! `/console`: how things are, and what needs a person now, first.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use jiff::Timestamp;
use maud::{Markup, html};

use baoqiao_domain::policy::{Phase, Policy};

use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::icons::{Icon, icon};
use crate::http::console::language::{Message, messages};
use crate::http::console::layout::{self, Place};
use crate::http::console::parts::{self, Tone};
use crate::http::console::view::View;
use crate::ledger::lists::PolicyFilter;
use crate::outbox::store::{Filter, NoticeState};

messages! {
    ATTENTION: "需要处理", "Needs you now";
    ALL_WELL: "没有需要人工处理的事项", "Nothing needs you now";
    DEAD: "{} 条通知已停止重试，其后续通知在等待", "{} notices were given up, and others wait behind them";
    LATEST: "最近出单", "Latest policies";
    NO_POLICIES: "还没有保单", "There are no policies yet";
    NO_POLICIES_HINT: "平台的第一次出单成功后会出现在这里。本机试跑：baoqiao demo", "The first one that a platform has issued appears here. To try it on this machine: baoqiao demo";
    NUMBER: "保单号", "Policy number";
    PARTNER: "合作方", "Partner";
    PREMIUM: "保费", "Premium";
    ISSUED: "出单时间", "Issued";
    STATE: "状态", "State";
    PENDING: "未生效", "Not yet in force";
    IN_FORCE: "保障中", "In force";
    EXPIRED: "已到期", "Expired";
    RESCINDED: "已解约", "Rescinded";
    SURRENDERED: "已退保", "Surrendered";
}

const LATEST_ROWS: usize = 8;

struct Overview {
    dead: u64,
    latest: Vec<Policy>,
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/console", get(show))
}

async fn show(State(console): State<Arc<Console>>, visit: Visit<need::Viewer>) -> Result<Markup, Failure> {
    let overview = console
        .read(|console| {
            let dead = Filter { state: Some(NoticeState::Dead), ..Filter::default() };
            Ok(Overview {
                dead: console.desk.count(&dead)?,
                latest: console.lists.policies(&PolicyFilter::default(), None, LATEST_ROWS)?.items,
            })
        })
        .await?;
    Ok(page(&visit.view, &overview))
}

/// A phase's name, and what the reader should make of it.
pub(super) fn phase(phase: Phase) -> (Tone, Message) {
    match phase {
        Phase::Pending => (Tone::Info, PENDING),
        Phase::InForce => (Tone::Good, IN_FORCE),
        Phase::Expired => (Tone::Quiet, EXPIRED),
        Phase::Rescinded => (Tone::Warn, RESCINDED),
        Phase::Surrendered => (Tone::Warn, SURRENDERED),
    }
}

fn page(view: &View, overview: &Overview) -> Markup {
    let content = html! {
        header.page-head { div { h1 { (view.t(Place::Overview.label())) } } }
        (attention(view, overview))
        (parts::card(view.t(LATEST), &latest(view, &overview.latest, view.now)))
    };
    layout::page(view, Some(Place::Overview), view.t(Place::Overview.label()), &content)
}

fn attention(view: &View, overview: &Overview) -> Markup {
    html! {
        section.attention aria-label=(view.t(ATTENTION)) {
            @if overview.dead == 0 {
                p.attention-none { (icon(Icon::Check)) (view.t(ALL_WELL)) }
            } @else {
                p.attention-item { (icon(Icon::Alert)) (view.with(DEAD, &[&overview.dead])) }
            }
        }
    }
}

fn latest(view: &View, policies: &[Policy], now: Timestamp) -> Markup {
    if policies.is_empty() {
        return parts::empty(Icon::Policy, view.t(NO_POLICIES), &html! { (view.t(NO_POLICIES_HINT)) });
    }
    let columns = [NUMBER, STATE, PARTNER, PREMIUM, ISSUED].map(|column| view.t(column));
    let [number, state, partner, premium, issued] = columns;
    let rows = html! {
        @for policy in policies {
            tr {
                td data-label=(number) { (parts::code(policy.number.as_str())) }
                td data-label=(state) { (parts::toned(view, phase(policy.phase(now)))) }
                td data-label=(partner) { (policy.partner) }
                td.number data-label=(premium) { (parts::amount(policy.premium, policy.currency.code())) }
                td data-label=(issued) { (parts::short_time(policy.issued_at, now)) }
            }
        }
    };
    parts::table(&columns, &rows)
}
