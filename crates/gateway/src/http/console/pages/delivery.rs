//! `/console/deliveries/{id}`: one notice with every attempt at it, why each ended as it did, and what a person may do.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use baoqiao_channels::outbound::why;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::deliveries::{kind_name, standing};
use super::message::{Reason, hidden};
use crate::console::audit::Action;
use crate::console::role::Role;
use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::icons::{Icon, icon};
use crate::http::console::language::{Message, messages};
use crate::http::console::layout::{self, Place};
use crate::http::console::order::Order;
use crate::http::console::parts::{self, Question, Tone, chip, notice, prose, question, reason};
use crate::http::console::sign_in::to;
use crate::http::console::traffic::said;
use crate::http::console::view::View;
use crate::outbox::store::{AttemptRecord, AttemptVerdict, NoticeRecord, NoticeState, Skipped};
use crate::vault::Purpose;

messages! {
    TITLE: "通知 {}", "Notice {}";
    BACK: "全部通知", "All notices";
    QUEUE: "同主题的队列", "The subject's queue";
    KIND: "种类", "Kind";
    SUBJECT: "主题", "Subject";
    PARTNER: "发往", "To";
    QUEUED: "入队时间", "Queued";
    CLOSED: "了结时间", "Closed";
    CAUSE: "起因报文", "Caused by";
    ATTEMPTS: "各次发送", "Attempts";
    NEVER: "还没有发送过", "It was never sent";
    NEVER_HINT: "排在前面的通知了结之后，才轮到它。", "Its turn comes when the notices before it are done.";
    NUMBER: "次", "No.";
    STARTED: "开始时间", "Started";
    DURATION: "用时", "Took";
    VERDICT: "判定", "Verdict";
    DETAIL: "说明", "Detail";
    MILLISECONDS: "{} 毫秒", "{} ms";
    LATE: "结果到达时租约已过期，不作数", "came after its lease had run out, and does not count";
    TAKEN: "已送达", "delivered";
    RETRY: "重试", "retry";
    SLOW_DOWN: "限流", "slow down";
    DEAD: "死信", "dead";
    LOST: "下落不明", "lost";
    WHY_DEAD: "为什么成了死信", "Why it is dead";
    WHY_LOST: "发送途中网关停止，平台可能已收到。", "The gateway stopped while it was being sent; the platform may have it.";
    GIVEN_UP: "超过最长时限，不再自动重试。", "Its maximum age was over; it is not tried again by itself.";
    RESEND: "重发", "Resend";
    RESEND_ASK: "重发这条通知？", "Resend this notice?";
    RESEND_HINT: "立即再发一次；若同主题有更早的通知未了结，则排在其后。", "It is sent once more at once, or after earlier notices of its subject that are not done.";
    SKIP: "跳过", "Skip";
    SKIP_ASK: "跳过这条通知？", "Skip this notice?";
    SKIP_HINT: "这条通知将不再发送，同主题后面的通知继续发送。平台不会知道此事。", "It will not be sent, and later notices of its subject go on. The platform will not know of it.";
    CONTENT: "通知内容与平台答复", "What it says and what was answered";
    SAYS: "通知内容", "What it says";
    ANSWER: "第 {} 次的答复", "Answer to attempt {}";
    NO_ANSWER: "没有收到答复", "No answer came";
    DONE_RESENT: "已安排重发。", "It is sent again.";
    DONE_SKIPPED: "已跳过，同主题后面的通知继续发送。", "It was skipped; later notices of its subject go on.";
    DONE_UNDER_WAY: "未执行：正在发送中，请稍后再试。", "Nothing was done: it is being sent at this moment. Please try again.";
    DONE_CLOSED: "未执行：已送达或已跳过。", "Nothing was done: it was delivered or skipped before.";
    DONE_REASON: "未执行：请填写事由。", "Nothing was done: please give a reason.";
}

const PATH: &str = "/console/deliveries";

/// What is said above the page after an order was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Done {
    Resent,
    Skipped,
    UnderWay,
    Closed,
    Reason,
}

impl Done {
    fn as_str(self) -> &'static str {
        match self {
            Self::Resent => "resent",
            Self::Skipped => "skipped",
            Self::UnderWay => "under-way",
            Self::Closed => "closed",
            Self::Reason => "reason",
        }
    }

    fn notice(self, view: &View) -> Markup {
        match self {
            Self::Resent => notice(Tone::Good, view.t(DONE_RESENT)),
            Self::Skipped => notice(Tone::Good, view.t(DONE_SKIPPED)),
            Self::UnderWay => notice(Tone::Warn, view.t(DONE_UNDER_WAY)),
            Self::Closed => notice(Tone::Warn, view.t(DONE_CLOSED)),
            Self::Reason => notice(Tone::Bad, view.t(DONE_REASON)),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Shown {
    done: Option<Done>,
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/console/deliveries/{id}", get(show))
        .route("/console/deliveries/{id}/show", post(unmask))
        .route("/console/deliveries/{id}/resend", post(resend))
        .route("/console/deliveries/{id}/skip", post(skip))
}

struct Found {
    notice: NoticeRecord,
    attempts: Vec<AttemptRecord>,
}

fn find(console: &Console, id: &str) -> Result<Found, Failure> {
    let id = id.parse().map_err(|_| Failure::NotFound)?;
    let (notice, attempts) = console.desk.show(id)?.ok_or(Failure::NotFound)?;
    Ok(Found { notice, attempts })
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Viewer>,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
) -> Result<Markup, Failure> {
    let view = visit.view;
    let found = console.read(move |console| find(console, &id)).await?;
    let action = format!("{PATH}/{}/show", found.notice.id);
    Ok(page(&view, &found, shown.done, &hidden(&view, &action)))
}

async fn unmask(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Order { view, content, .. }: Order<need::Operator, Reason>,
) -> Result<Markup, Failure> {
    let reason = reason(&content.reason).ok_or(Failure::Unreadable)?;
    let author = view.clone();
    let (found, said) = console
        .read(move |console| {
            let found = find(console, &id)?;
            console.store.record(&author.does(Action::MessageShown, format!("notice:{}", found.notice.id), reason))?;
            let said = contents(console, &author, &found)?;
            Ok((found, said))
        })
        .await?;
    Ok(if view.wants_fragment { said } else { page(&view, &found, None, &said) })
}

/// What the notice says and what was answered, as it is kept.
fn contents(console: &Console, view: &View, found: &Found) -> Result<Markup, Failure> {
    let open = |purpose, sealed: &_| -> Result<String, Failure> {
        Ok(String::from_utf8_lossy(&console.vault.open(purpose, sealed)?).into_owned())
    };
    let content: Value = serde_json::from_str(&open(Purpose::Notice, &found.notice.content)?)?;
    let mut answers = Vec::new();
    for attempt in found.attempts.iter().rev() {
        let answer = attempt.response.as_ref().map(|sealed| open(Purpose::NoticeResponse, sealed)).transpose()?;
        answers.push((attempt.number, answer));
    }
    Ok(html! {
        section.card #said {
            h2 { (view.t(CONTENT)) }
            h3 { (view.t(SAYS)) }
            pre tabindex="0" { (serde_json::to_string_pretty(&content).unwrap_or_default()) }
            @for (number, answer) in &answers {
                h3 { (view.with(ANSWER, &[number])) }
                @match answer {
                    Some(answer) => { pre tabindex="0" { (answer) } }
                    None => { p.muted { (view.t(NO_ANSWER)) } }
                }
            }
        }
    })
}

async fn resend(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Order { view, content, .. }: Order<need::Operator, Reason>,
) -> Result<Response, Failure> {
    let author = view.clone();
    act(&console, id, content, move |console, id, reason| {
        console.store.record(&author.does(Action::NoticesResent, format!("notice:{id}"), reason))?;
        let resent = console.desk.resend(&[id])?;
        Ok(if resent.under_way > 0 { Done::UnderWay } else { Done::Resent })
    })
    .await
}

async fn skip(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Order { view, content, .. }: Order<need::Operator, Reason>,
) -> Result<Response, Failure> {
    let author = view.clone();
    act(&console, id, content, move |console, id, reason| {
        console.store.record(&author.does(Action::NoticeSkipped, format!("notice:{id}"), reason))?;
        Ok(match console.desk.skip(&[id])? {
            Skipped { under_way: 1.., .. } => Done::UnderWay,
            Skipped { closed: 1.., .. } => Done::Closed,
            Skipped { .. } => Done::Skipped,
        })
    })
    .await
}

/// Does something to a notice that exists, for a reason, and leads back to it.
async fn act(
    console: &Arc<Console>,
    id: String,
    content: Reason,
    work: impl FnOnce(&Console, u64, String) -> Result<Done, Failure> + Send + 'static,
) -> Result<Response, Failure> {
    let id: u64 = id.parse().map_err(|_| Failure::NotFound)?;
    let done = match reason(&content.reason) {
        None => Done::Reason,
        Some(reason) => {
            console
                .read(move |console| {
                    console.desk.show(id)?.ok_or(Failure::NotFound)?;
                    work(console, id, reason)
                })
                .await?
        }
    };
    Ok(to(&format!("{PATH}/{id}?done={}", done.as_str())))
}

fn page(view: &View, found: &Found, done: Option<Done>, said: &Markup) -> Markup {
    let notice = &found.notice;
    let title = view.with(TITLE, &[&format!("#{}", notice.id)]);
    let content = html! {
        header.page-head {
            div {
                p { a.back href=(PATH) { (icon(Icon::Back)) (view.t(BACK)) } }
                h1 { (title) " " (standing(view, notice)) }
            }
            @if view.may(Role::Operator) { div.head-actions { (actions(view, notice)) } }
        }
        @if let Some(done) = done { (done.notice(view)) }
        @if notice.state == NoticeState::Dead {
            section.card { h2 { (view.t(WHY_DEAD)) } (explained(view, notice.last.as_ref().map(|(_, detail)| detail.as_str()))) }
        }
        section.card { (facts(view, notice)) }
        section.stack {
            h2 { (view.t(ATTEMPTS)) }
            (attempts(view, &found.attempts))
        }
        (said)
    };
    layout::page(view, Some(Place::Deliveries), &title, &content)
}

fn facts(view: &View, notice: &NoticeRecord) -> Markup {
    let mut subject = form_urlencoded::Serializer::new(String::new());
    let queue = format!("{PATH}?{}", subject.append_pair("subject", &notice.subject).finish());
    let cause = notice.cause_message_id.map(|id| html! { a href={ "/console/messages/" (id) } { "#" (id) } });
    parts::fields([
        (view.t(KIND), kind_name(view, &notice.kind)),
        (view.t(SUBJECT), html! { (parts::code(&notice.subject)) " · " a href=(queue) { (view.t(QUEUE)) } }),
        (view.t(PARTNER), html! { (notice.partner) }),
        (view.t(QUEUED), parts::time(notice.created_at)),
        (view.t(CLOSED), parts::or_none(view, notice.closed_at.map(parts::time))),
        (view.t(CAUSE), parts::or_none(view, cause)),
    ])
}

fn actions(view: &View, notice: &NoticeRecord) -> Markup {
    let ask = |id: &str, button: Message, is_grave, title: Message, hint: Message| {
        let action = format!("{PATH}/{}/{id}", notice.id);
        let (button, title, hint) = (view.t(button), view.t(title), view.t(hint));
        let fields = html! {};
        question(
            view,
            &Question { id, button, is_grave, title, hint, action: &action, fields, target: None, again: None },
        )
    };
    html! {
        @if !notice.leased { (ask("resend", RESEND, false, RESEND_ASK, RESEND_HINT)) }
        @if matches!(notice.state, NoticeState::Pending | NoticeState::Dead) && !notice.leased {
            (ask("skip", SKIP, true, SKIP_ASK, SKIP_HINT))
        }
    }
}

fn attempts(view: &View, attempts: &[AttemptRecord]) -> Markup {
    if attempts.is_empty() {
        return parts::empty(Icon::Send, view.t(NEVER), &html! { (view.t(NEVER_HINT)) });
    }
    let columns = [NUMBER, STARTED, DURATION, VERDICT, DETAIL].map(|column| view.t(column));
    let [number, started, duration, verdict, detail] = columns;
    let rows = html! {
        @for attempt in attempts.iter().rev() {
            tr {
                td.number data-label=(number) { (attempt.number) }
                td data-label=(started) { (parts::time(attempt.started_at)) }
                td data-label=(duration) { (view.with(MILLISECONDS, &[&attempt.duration_ms])) }
                td data-label=(verdict) { (verdict_chip(view, attempt.verdict)) }
                td.wrap data-label=(detail) {
                    div {
                        (explained(view, Some(&attempt.detail)))
                        @if attempt.late { p.muted { (view.t(LATE)) } }
                    }
                }
            }
        }
    };
    parts::table(view.t(ATTEMPTS), &columns, &rows)
}

fn verdict_chip(view: &View, verdict: AttemptVerdict) -> Markup {
    let (tone, name) = match verdict {
        AttemptVerdict::Delivered => (Tone::Good, TAKEN),
        AttemptVerdict::Retry => (Tone::Warn, RETRY),
        AttemptVerdict::SlowDown => (Tone::Warn, SLOW_DOWN),
        AttemptVerdict::Dead => (Tone::Bad, DEAD),
        AttemptVerdict::Lost => (Tone::Quiet, LOST),
    };
    chip(tone, view.t(name))
}

/// What an attempt's detail says, and what the verdict table says of its row.
fn explained(view: &View, detail: Option<&str>) -> Markup {
    let detail = detail.unwrap_or_default();
    let given_up = detail.strip_prefix("given up for its age; ");
    let rule = given_up.unwrap_or(detail).split(':').next().unwrap_or_default();
    html! {
        p { code { (detail) } }
        @if let Some(why) = why(rule) { p.muted { (prose(said(view, &why))) } }
        @else if detail.starts_with("the lease ran out") { p.muted { (view.t(WHY_LOST)) } }
        @if given_up.is_some() { p.muted { (view.t(GIVEN_UP)) } }
    }
}
