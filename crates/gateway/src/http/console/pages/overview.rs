//! `/console`: how things are, and what needs a person now, first.

mod figures;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use baoqiao_domain::policy::{Phase, Policy};

use super::messages::address_of;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::icons::{Icon, icon};
use crate::http::console::language::{Message, messages};
use crate::http::console::layout::{self, Place};
use crate::http::console::parts::{self, Tone};
use crate::http::console::view::View;
use crate::http::console::{Console, live, words};
use crate::ledger::lists::PolicyFilter;
use crate::ledger::store::Verdict;
use crate::statistics::{Calls, InterfaceFigures, Snapshot};

messages! {
    ATTENTION: "需要处理", "Needs you now";
    ALL_WELL: "没有需要人工处理的事项", "Nothing needs you now";
    UNWRITABLE: "台账无法写入，平台的调用正被答复“请重试”", "The ledger cannot be written: platforms are told to try again";
    DEAD: "{} 条通知成了死信，不再重试；同主题的后续通知也在等待", "Dead letters: {}. They are not tried again, and what is behind them waits";
    LATE: "有通知已等待 {} 仍未送达", "A notice has waited for {}";
    CONFLICTS: "24 小时内 {} 次幂等冲突：同一幂等号，内容不同", "Conflicts in 24 hours (one identifier, different content): {}";
    UNMATCHED: "24 小时内 {} 笔追缴没有对应的保单", "Recoveries in 24 hours that belong to no policy: {}";
    DISCREPANT: "24 小时内 {} 笔追缴的金额对不上", "Recoveries in 24 hours whose amounts disagree: {}";
    REFUSING: "{} 最近一小时有 {} 的调用未成功", "{}: {} of the last hour's calls failed";
    DISBELIEVED: "最近一小时 {} 次调用未受理：调用方未通过校验，或报文无法读取", "Calls of the last hour that were turned away, as their callers were not believed or they could not be read: {}";
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
/// A notice that waits for longer is told of.
const LATE_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// An interface with that many failures in an hour, and of that share, is told of.
const MANY_FAILURES: u64 = 10;
const SHARE_OF_FAILURES: u64 = 10;

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/console", get(show)).route("/console/live", get(live_part))
}

async fn show(State(console): State<Arc<Console>>, visit: Visit<need::Viewer>) -> Result<Markup, Failure> {
    let view = visit.view;
    let asked = view.clone();
    let part = console.read(move |console| part(console, &asked)).await?;
    let content = html! {
        header.page-head { div { h1 { (view.t(Place::Overview.label())) } } }
        div.live data-live="/console/live" { (part) }
    };
    Ok(layout::page(&view, Some(Place::Overview), view.t(Place::Overview.label()), &content))
}

async fn live_part(State(console): State<Arc<Console>>, visit: Visit<need::Viewer>) -> Result<Response, Failure> {
    live::live(&console, visit.view, part)
}

fn part(console: &Console, view: &View) -> Result<Markup, Failure> {
    let snapshot = console.figures.snapshot(view.now)?;
    let latest = console.lists.policies(&PolicyFilter::default(), None, LATEST_ROWS)?.items;
    Ok(html! {
        (attention(view, &snapshot, console.ledger.seems_writable()))
        (figures::tiles(view, &snapshot))
        (figures::charts(view, &snapshot))
        (figures::interfaces(view, &snapshot))
        (parts::card(view.t(LATEST), &latest_policies(view, &latest)))
    })
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

/// Something that a person should look at, and where.
struct Item {
    is_bad: bool,
    text: String,
    address: Option<String>,
}

fn items(view: &View, snapshot: &Snapshot, is_writable: bool) -> Vec<Item> {
    let Snapshot { backlog, oddities, interfaces, .. } = snapshot;
    let mut items = Vec::new();
    let mut push = |is_bad, text, address: Option<String>| items.push(Item { is_bad, text, address });
    if !is_writable {
        push(true, view.t(UNWRITABLE).to_owned(), None);
    }
    if backlog.dead.count > 0 {
        let text = view.with(DEAD, &[&words::bounded(backlog.dead)]);
        push(true, text, Some("/console/deliveries?state=dead".to_owned()));
    }
    let waited = backlog.oldest.map(|oldest| snapshot.at.duration_since(oldest)).filter(|age| *age > LATE_AFTER);
    if let Some(waited) = waited {
        let text = view.with(LATE, &[&words::age(view, waited)]);
        push(true, text, Some("/console/deliveries?state=pending".to_owned()));
    }
    for interface in interfaces.iter().filter(|interface| fails_often(interface)) {
        let share = words::share(interface.hour.failed(), interface.hour.total()).unwrap_or_default();
        let text = view.with(REFUSING, &[&figures::label(view, &interface.interface), &share]);
        push(true, text, Some(failures(interface, view.now)));
    }
    let odd = [
        (oddities.conflicts, CONFLICTS, "/console/conflicts"),
        (oddities.unmatched, UNMATCHED, "/console/recoveries?odd=unmatched"),
        (oddities.discrepant, DISCREPANT, "/console/recoveries?odd=discrepant"),
    ];
    for (count, message, address) in odd.into_iter().filter(|(count, ..)| count.count > 0) {
        push(false, view.with(message, &[&words::bounded(count)]), Some(address.to_owned()));
    }
    let disbelieved: u64 = interfaces.iter().map(|interface| interface.hour.disbelieved).sum();
    if disbelieved > 0 {
        let text = view.with(DISBELIEVED, &[&words::count(disbelieved)]);
        push(false, text, Some("/console/strangers".to_owned()));
    }
    items
}

/// Where the failures of an interface's last hour are listed, by what most of them are.
fn failures(interface: &InterfaceFigures, now: Timestamp) -> String {
    let Calls { conflicting, refused, disbelieved, .. } = interface.hour;
    if disbelieved > conflicting.max(refused) {
        return "/console/strangers".to_owned();
    }
    let verdict = if conflicting > refused { Verdict::Conflicting } else { Verdict::Refused };
    // A call that named no known interface is recorded with its channel alone.
    let named = if interface.interface.contains('/') { "interface" } else { "channel" };
    address_of(named, &interface.interface, verdict, now - SignedDuration::from_hours(1))
}

fn fails_often(interface: &InterfaceFigures) -> bool {
    let (failed, total) = (interface.hour.failed(), interface.hour.total());
    failed >= MANY_FAILURES && failed.saturating_mul(100) >= total.saturating_mul(SHARE_OF_FAILURES)
}

fn attention(view: &View, snapshot: &Snapshot, is_writable: bool) -> Markup {
    let items = items(view, snapshot, is_writable);
    html! {
        section.attention aria-label=(view.t(ATTENTION)) {
            @if items.is_empty() { p.attention-none { (icon(Icon::Check)) (view.t(ALL_WELL)) } }
            @else {
                h2 { (view.t(ATTENTION)) (parts::chip(Tone::Warn, &items.len().to_string())) }
                ul {
                    @for item in &items {
                        li.attention-item.is-bad[item.is_bad] {
                            (icon(Icon::Alert))
                            @match &item.address {
                                Some(address) => { a href=(address) { (item.text) } }
                                None => { span { (item.text) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn latest_policies(view: &View, policies: &[Policy]) -> Markup {
    if policies.is_empty() {
        return parts::empty(Icon::Policy, view.t(NO_POLICIES), &html! { (view.t(NO_POLICIES_HINT)) });
    }
    policy_table(view, view.t(LATEST), policies)
}

/// Policies as rows that lead to them.
pub(super) fn policy_table(view: &View, name: &str, policies: &[Policy]) -> Markup {
    let columns = [NUMBER, STATE, PARTNER, PREMIUM, ISSUED].map(|column| view.t(column));
    let [number, state, partner, premium, issued] = columns;
    let rows = html! {
        @for policy in policies {
            @let address = format!("/console/policies/{}", policy.number);
            tr data-open=(address) {
                td data-label=(number) { a.number-link href=(address) { (parts::code(policy.number.as_str())) } }
                td data-label=(state) { (parts::toned(view, phase(policy.phase(view.now)))) }
                td data-label=(partner) { (policy.partner) }
                td data-label=(premium) { (parts::amount(policy.premium, policy.currency.code())) }
                td data-label=(issued) { (parts::short_time(policy.issued_at, view.now)) }
            }
        }
    };
    parts::table(name, &columns, &rows)
}
