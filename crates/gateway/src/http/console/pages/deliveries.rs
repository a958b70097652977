//! `/console/deliveries`: what is to be sent, what came of it, and what stands behind what.

mod orders;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use baoqiao_channels::OUTBOUND;
use baoqiao_channels::outbound::outbound_for;
use baoqiao_domain::notice::NoticeKind;
use maud::{Markup, html};
use serde::Deserialize;

use super::messages::choice;
use crate::console::role::Role;
use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::icons::Icon;
use crate::http::console::language::messages;
use crate::http::console::layout::{self, Place};
use crate::http::console::live::live;
use crate::http::console::parts::{self, Tone, chip, notice};
use crate::http::console::view::View;
use crate::http::console::words::bounded;
use crate::ledger::lists::Slice;
use crate::outbox::store::{Filter, NoticeRecord, NoticeState};

messages! {
    LEAD: "发给平台与内部系统的通知。同一主题严格按顺序发送：排在前面的成了死信，后面的都等它。", "What platforms and our own systems are told. Notices of one subject go strictly in order: behind a dead one all others wait.";
    QUEUES: "各主题的队列", "Queues by subject";
    QUEUES_LEAD: "每个主题排在最前的一条，等得最久的在先。", "The first notice of each subject, those that have waited longest first.";
    ALL: "全部通知", "All notices";
    NO_QUEUES: "没有待发的通知", "Nothing waits to be sent";
    NO_QUEUES_HINT: "全部通知都已送达或已跳过。", "Every notice was delivered or skipped.";
    NUMBER: "编号", "No.";
    STATE: "状态", "State";
    KIND: "种类", "Kind";
    SUBJECT: "主题", "Subject";
    NOTICE: "通知与主题", "Notice and subject";
    PARTNER: "发往", "To";
    QUEUED: "入队时间", "Queued";
    ATTEMPTS: "次数", "Attempts";
    LAST: "最近一次", "Last attempt";
    BEHIND: "等待 #{}", "waits for #{}";
    WAITING: "{} 条在等它", "{} wait for it";
    UNDER_WAY: "发送中", "being sent";
    DUE: "再发于", "due";
    PENDING: "待发", "Pending";
    DELIVERED: "已送达", "Delivered";
    DEAD: "死信", "Dead";
    SKIPPED: "已跳过", "Skipped";
    FILTER: "筛选", "Filter";
    CLEAR: "清空", "Clear";
    EMPTY: "没有符合条件的通知", "No notice fits";
    EMPTY_HINT: "放宽筛选条件，或清空后重新查看。", "Widen the filter, or clear it.";
    NONE_HERE: "这一段里没有符合条件的通知", "None of these notices fits";
    NONE_HERE_HINT: "一次只查看一部分通知，请继续看更早的。", "Only so many are looked at a time: go on to the older ones.";
    RESEND_ALL: "重发符合条件的…", "Resend what fits…";
    SKIP_ALL: "跳过符合条件的…", "Skip what fits…";
    RESENT: "已安排重发：{} 条立即发送，{} 条排在同主题的前一条之后，{} 条正在发送中。", "Sent again: {} now, {} after others of their subjects, {} were being sent already.";
    SKIPPED_NOW: "已跳过 {} 条；{} 条正在发送中，未跳过；{} 条此前已了结。", "{} skipped; {} were being sent and were not; {} were done before.";
}

const PATH: &str = "/console/deliveries";
const ROWS: usize = 50;
const QUEUES_SHOWN: usize = 20;

/// What the address asks for.
#[derive(Debug, Default, Clone, Deserialize)]
struct Wanted {
    state: Option<String>,
    kind: Option<String>,
    subject: Option<String>,
    partner: Option<String>,
    before: Option<u64>,
    /// What came of sending again: due, waiting, under way.
    resent: Option<String>,
    /// What came of skipping: skipped, under way, closed.
    skipped: Option<String>,
}

fn text(given: Option<&String>) -> Option<String> {
    given.map(|text| text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

impl Wanted {
    fn filter(&self) -> Filter {
        Filter {
            state: self.state.as_deref().and_then(NoticeState::from_name),
            kind: text(self.kind.as_ref()),
            subject: text(self.subject.as_ref()),
            partner: text(self.partner.as_ref()),
            before: self.before,
        }
    }

    fn is_narrowed(&self) -> bool {
        self.filter() != Filter { before: self.before, ..Filter::default() }
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        let given =
            [("state", &self.state), ("kind", &self.kind), ("subject", &self.subject), ("partner", &self.partner)];
        given.into_iter().filter_map(|(name, value)| Some((name, text(value.as_ref())?))).collect()
    }

    fn address(&self, path: &str, before: Option<u64>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs());
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        format!("{path}?{}", query.finish())
    }
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(PATH, get(show)).route("/console/deliveries/live", get(tail)).merge(orders::routes())
}

/// What the list shows.
struct Found {
    queues: Vec<NoticeRecord>,
    notices: Vec<NoticeRecord>,
    next: Option<u64>,
}

fn find(console: &Console, wanted: &Wanted) -> Result<Found, Failure> {
    let is_first = wanted.before.is_none() && !wanted.is_narrowed();
    let queues = if is_first { console.desk.queues(QUEUES_SHOWN)? } else { Vec::new() };
    let Slice { items: notices, next } = console.desk.list(&wanted.filter(), ROWS)?;
    Ok(Found { queues, notices, next })
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Viewer>,
    Query(wanted): Query<Wanted>,
) -> Result<Markup, Failure> {
    let view = visit.view;
    let asked = wanted.clone();
    let found = console.read(move |console| find(console, &asked)).await?;
    let live = wanted.before.is_none().then(|| wanted.address("/console/deliveries/live", None));
    let content = html! {
        header.page-head {
            div { h1 { (view.t(Place::Deliveries.label())) } p.muted { (view.t(LEAD)) } }
            @if view.may(Role::Operator) {
                div.head-actions {
                    a.button href=(wanted.address(orders::RESEND, None)) { (view.t(RESEND_ALL)) }
                    a.button.danger href=(wanted.address(orders::SKIP, None)) { (view.t(SKIP_ALL)) }
                }
            }
        }
        @if let Some(resent) = wanted.resent.as_deref().and_then(counts) {
            (notice(Tone::Good, &view.with(RESENT, &[&resent[0], &resent[1], &resent[2]])))
        }
        @if let Some(skipped) = wanted.skipped.as_deref().and_then(counts) {
            (notice(Tone::Good, &view.with(SKIPPED_NOW, &[&skipped[0], &skipped[1], &skipped[2]])))
        }
        (filter_form(&view, &console, &wanted, PATH))
        div.live-part data-live=[live] { (lists(&view, &wanted, &found)) }
    };
    Ok(layout::page(&view, Some(Place::Deliveries), view.t(Place::Deliveries.label()), &content))
}

/// Three counts, with commas between them.
fn counts(text: &str) -> Option<[u64; 3]> {
    let counts: Vec<u64> = text.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
    counts.try_into().ok()
}

async fn tail(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Viewer>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    live(&console, visit.view, move |console, view| Ok(lists(view, &wanted, &find(console, &wanted)?)))
}

fn lists(view: &View, wanted: &Wanted, found: &Found) -> Markup {
    let older = found.next.map(|next| wanted.address(PATH, Some(next)));
    let is_narrowed = wanted.is_narrowed();
    html! {
        @if wanted.before.is_none() && !is_narrowed {
            section {
                h2 { (view.t(QUEUES)) }
                p.muted { (view.t(QUEUES_LEAD)) }
                @if found.queues.is_empty() {
                    (parts::empty(Icon::Check, view.t(NO_QUEUES), &html! { (view.t(NO_QUEUES_HINT)) }))
                } @else { (table(view, view.t(QUEUES), &found.queues)) }
            }
            h2 { (view.t(ALL)) }
        }
        @if found.notices.is_empty() {
            @let (title, hint) = if older.is_some() { (NONE_HERE, NONE_HERE_HINT) } else { (EMPTY, EMPTY_HINT) };
            (parts::empty(Icon::Send, view.t(title), &html! { (view.t(hint)) }))
        } @else { (table(view, view.t(ALL), &found.notices)) }
        (parts::older(view, older.as_deref()))
    }
}

fn table(view: &View, name: &str, notices: &[NoticeRecord]) -> Markup {
    let columns = [NUMBER, STATE, NOTICE, PARTNER, QUEUED, ATTEMPTS, LAST].map(|column| view.t(column));
    let rows = html! { @for notice in notices { (row(view, &columns, notice)) } };
    parts::table(name, &columns, &rows)
}

fn row(view: &View, columns: &[&str; 7], notice: &NoticeRecord) -> Markup {
    let [number, state, what, partner, queued, attempts, last] = columns;
    let address = format!("{PATH}/{}", notice.id);
    html! {
        tr data-open=(address) {
            td data-label=(number) { a href=(address) { "#" (notice.id) } }
            td data-label=(state) { (standing(view, notice)) }
            td.subject data-label=(what) {
                (kind_name(view, &notice.kind))
                span.below { (subject_code(&notice.subject)) }
            }
            td data-label=(partner) { (notice.partner) }
            td data-label=(queued) { (parts::short_time(notice.created_at, view.now)) }
            td.number data-label=(attempts) { (notice.attempts) }
            td.detail data-label=(last) { @if let Some((_, detail)) = &notice.last { (detail) } }
        }
    }
}

/// A subject, which may be cut behind what it is: `policy:` and its number.
fn subject_code(subject: &str) -> Markup {
    html! {
        @match subject.split_once(':') {
            Some((kind, name)) => { code { (kind) ":" wbr; (name) } }
            None => { (parts::code(subject)) }
        }
    }
}

/// A state's chip.
pub(super) fn state_chip(view: &View, state: NoticeState) -> Markup {
    let (tone, name) = match state {
        NoticeState::Pending => (Tone::Info, PENDING),
        NoticeState::Delivered => (Tone::Good, DELIVERED),
        NoticeState::Dead => (Tone::Bad, DEAD),
        NoticeState::Skipped => (Tone::Quiet, SKIPPED),
    };
    chip(tone, view.t(name))
}

/// Where a notice stands, and what it holds up.
pub(super) fn standing(view: &View, notice: &NoticeRecord) -> Markup {
    html! {
        (state_chip(view, notice.state))
        @if let Some(behind) = notice.behind { " " span.muted { (view.with(BEHIND, &[&behind])) } }
        @else if notice.leased { " " span.muted { (view.t(UNDER_WAY)) } }
        @else if let Some(due) = notice.due_at.filter(|due| *due > view.now) {
            " " span.muted { (view.t(DUE)) " " (parts::short_time(due, view.now)) }
        }
        @if notice.waiting.count > 0 { " " (chip(Tone::Warn, &view.with(WAITING, &[&bounded(notice.waiting)]))) }
    }
}

/// A kind's name for people.
pub(super) fn kind_label<'a>(view: &View, kind: &'a str) -> &'a str {
    NoticeKind::from_name(kind).and_then(outbound_for).map_or(kind, |interface| view.label(interface.label()))
}

/// A kind's name for people, and, where one points at it, the ledger's.
pub(super) fn kind_name(view: &View, kind: &str) -> Markup {
    html! { span title=(kind) { (kind_label(view, kind)) } }
}

fn filter_form(view: &View, console: &Console, wanted: &Wanted, path: &str) -> Markup {
    let states = NoticeState::ALL.map(|state| {
        let name = match state {
            NoticeState::Pending => PENDING,
            NoticeState::Delivered => DELIVERED,
            NoticeState::Dead => DEAD,
            NoticeState::Skipped => SKIPPED,
        };
        (state.as_str(), view.t(name))
    });
    let kinds = OUTBOUND.iter().map(|interface| (interface.kind().as_str(), view.label(interface.label())));
    let partners = console.receivers();
    let partners = partners.iter().map(|partner| (partner.as_str(), partner.as_str()));
    html! {
        form.filter method="get" action=(path) {
            (choice(view, "state", view.t(STATE), states.into_iter(), wanted.state.as_deref()))
            (choice(view, "kind", view.t(KIND), kinds, wanted.kind.as_deref()))
            (choice(view, "partner", view.t(PARTNER), partners, wanted.partner.as_deref()))
            div.field {
                label for="subject" { (view.t(SUBJECT)) }
                input #subject name="subject" value=[wanted.subject.as_deref()] maxlength="128" autocomplete="off"
                    placeholder="policy:PBDI…";
            }
            div.field.field-button {
                div.button-row {
                    button.button type="submit" { (view.t(FILTER)) }
                    a.quiet-button href=(path) { (view.t(CLEAR)) }
                }
            }
        }
    }
}
