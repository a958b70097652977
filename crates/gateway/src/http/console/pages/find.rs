//! `/console/find`: one box for whatever somebody has in hand.
//!
//! What is looked for may be a name or an ID number. So it is sent as a form, and the address of what was found, which
//! stays in the browser's history and in proxies' logs, holds it sealed.

mod search;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use baoqiao_domain::auction::{AuctionInsuranceType, AuctionStage, AuctionStatus, UnknownNumber};
use baoqiao_domain::policy::Policy;

use super::deliveries::{kind_label, state_chip};
use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::icons::Icon;
use crate::http::console::language::{Message, messages};
use crate::http::console::layout::{self, Place, form_token};
use crate::http::console::order::Order;
use crate::http::console::parts::{self, Tone, chip, code, notice};
use crate::http::console::sign_in::to;
use crate::http::console::ticket::Ticket;
use crate::http::console::traffic::{interface_name, verdict_chip};
use crate::http::console::view::View;
use crate::ledger::finding::StageRecord;
use crate::ledger::lists::MessageRecord;
use crate::outbox::store::NoticeRecord;
use search::{Found, MOST, search};

messages! {
    LEAD: "一个输入框，找到任何内容：", "One box for whatever you have in hand:";
    TAKES_POLICY: "保单号、幂等号（identifier）、订单号（orderNo）", "a policy number, an identifier, an order number (orderNo)";
    TAKES_PERSON: "姓名或公司名全称、证件号、电话（经盲索引查找，输入内容不会出现在网址和日志中）", "the whole name of a person or company, an ID number, a phone (through a blind index; what you type is in no address and no log)";
    TAKES_MESSAGE: "报文的 uuid、拍卖的 biz_id、平台答复中的 request_id", "a message's uuid, an auction's biz_id, the request_id of a platform's answer";
    SEARCH: "查找", "Find";
    WANTED: "要找的内容", "What to look for";
    RESULTS: "查找结果", "What was found";
    NOTHING: "没有找到", "Nothing was found";
    NOTHING_HINT: "请核对后再试：姓名须为全称；幂等号、订单号区分大小写。平台答复的 request_id 只在最近 20,000 条通知中查找。", "Please check it and try again: names must be whole; identifiers and order numbers are case-sensitive. A platform's request_id is looked for among the last 20,000 notices.";
    NAMES_MISSING: "较早的保单尚未建立姓名索引，按姓名可能找不到。请在网关所在机器运行 baoqiao reindex。", "Older policies are not yet found by name. Run baoqiao reindex on the gateway's machine.";
    POLICIES: "保单", "Policies";
    MORE: "只列出最近 {} 张，请用证件号或保单号缩小范围。", "Only the newest {} are listed; an ID number or a policy number finds one.";
    MESSAGES: "报文", "Messages";
    MESSAGE: "报文", "Message";
    AT: "时间", "Time";
    INTERFACE: "接口", "Interface";
    CALLER: "调用方", "Caller";
    VERDICT: "结果", "Verdict";
    POLICY: "保单", "Policy";
    AUCTION: "拍卖保险", "Auction insurance";
    STAGE: "阶段", "Stage";
    STATUS: "状态", "Status";
    PARTNER: "合作方", "Partner";
    PRE_INSURANCE: "预保", "pre-insurance";
    UNDERWRITING: "核保", "underwriting";
    INSURING: "投保", "insuring";
    SURRENDER: "退保", "surrender";
    ENDORSEMENT: "批改", "endorsement";
    SUCCEEDED: "成功", "succeeded";
    FAILED: "失败", "failed";
    HOUSEHOLD: "家财险", "household property";
    PERFORMANCE: "履约险", "performance bond";
    NOTICES: "通知投递", "Deliveries";
    NOTICE: "通知", "Notice";
    SUBJECT: "对象", "Subject";
    STATE: "状态", "State";
}

const PATH: &str = "/console/find";
/// The longest text that is looked for, in bytes.
const MAX_WANTED_BYTES: usize = 512;

#[derive(Deserialize)]
struct Wanted {
    wanted: String,
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(PATH, get(ask).post(begin)).route("/console/find/{ticket}", get(show))
}

async fn ask(visit: Visit<need::Viewer>) -> Markup {
    let view = &visit.view;
    let content = html! {
        header.page-head { div { h1 { (view.t(Place::Find.label())) } p.muted { (view.t(LEAD)) } } }
        (large_form(view, ""))
        ul.takes {
            @for takes in [TAKES_POLICY, TAKES_PERSON, TAKES_MESSAGE] { li { (view.t(takes)) } }
        }
    };
    layout::page(view, Some(Place::Find), view.t(Place::Find.label()), &content)
}

async fn begin(
    State(console): State<Arc<Console>>,
    Order { content, .. }: Order<need::Viewer, Wanted>,
) -> Result<Response, Failure> {
    let wanted = content.wanted.trim();
    if wanted.is_empty() || wanted.len() > MAX_WANTED_BYTES {
        return Ok(to(PATH));
    }
    let ticket = Ticket::Find(wanted.to_owned()).seal(&console.vault)?;
    Ok(to(&format!("{PATH}/{ticket}")))
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Viewer>,
    Path(ticket): Path<String>,
) -> Result<Response, Failure> {
    let Some(Ticket::Find(wanted)) = Ticket::open(&console.vault, &ticket) else { return Err(Failure::NotFound) };
    let asked = wanted.clone();
    let found = console.read(move |console| search(console, &asked)).await?;
    if let Some(policy) = found.the_policy() {
        return Ok(to(&format!("/console/policies/{}", policy.number)));
    }
    Ok(page(&visit.view, &wanted, &found).into_response())
}

fn large_form(view: &View, wanted: &str) -> Markup {
    html! {
        form.find-form method="post" action=(PATH) {
            (form_token(view))
            label.hidden for="wanted" { (view.t(WANTED)) }
            input #wanted type="search" name="wanted" value=(wanted) required maxlength="256" autocomplete="off"
                spellcheck="false" autofocus;
            button.button.primary.filled type="submit" { (view.t(SEARCH)) }
        }
    }
}

fn page(view: &View, wanted: &str, found: &Found) -> Markup {
    let content = html! {
        header.page-head { div { h1 { (view.t(RESULTS)) } } }
        // Whoever found people by it typed a name or a number: it is not shown again.
        (large_form(view, if found.by_person { "" } else { wanted }))
        @if found.names_missing { (notice(Tone::Warn, view.t(NAMES_MISSING))) }
        @if found.is_empty() {
            (parts::empty(Icon::Search, view.t(NOTHING), &html! { (view.t(NOTHING_HINT)) }))
        }
        @if !found.policies.is_empty() { (policies(view, &found.policies)) }
        @if !found.stages.is_empty() { (parts::card(view.t(AUCTION), &stages(view, &found.stages))) }
        @if !found.messages.is_empty() { (parts::card(view.t(MESSAGES), &message_table(view, &found.messages))) }
        @if !found.notices.is_empty() { (parts::card(view.t(NOTICES), &notice_table(view, &found.notices))) }
    };
    layout::page(view, Some(Place::Find), view.t(RESULTS), &content)
}

fn policies(view: &View, policies: &[Policy]) -> Markup {
    let table = html! {
        @if policies.len() >= MOST { p.muted { (view.with(MORE, &[&MOST])) } }
        (super::overview::policy_table(view, view.t(POLICIES), policies))
    };
    parts::card(view.t(POLICIES), &table)
}

fn message_table(view: &View, messages: &[MessageRecord]) -> Markup {
    let columns = [MESSAGE, AT, INTERFACE, CALLER, VERDICT, POLICY].map(|column| view.t(column));
    let [number, at, interface, caller, ended, policy] = columns;
    let rows = html! {
        @for message in messages {
            @let address = format!("/console/messages/{}", message.id);
            tr data-open=(address) {
                td data-label=(number) { a href=(address) { (message.id) } }
                td data-label=(at) { (parts::time(message.received_at)) }
                td data-label=(interface) { (interface_name(view, message.scope.as_deref(), &message.channel)) }
                td data-label=(caller) { (message.caller) }
                td data-label=(ended) {
                    (verdict_chip(view, &message.verdict))
                    @if let Some(refusal) = &message.code { " " (code(refusal)) }
                }
                td data-label=(policy) {
                    @if let Some(number) = &message.policy_no { a href={ "/console/policies/" (number) } { (code(number)) } }
                }
            }
        }
    };
    parts::table(view.t(MESSAGES), &columns, &rows)
}

fn stages(view: &View, stages: &[StageRecord]) -> Markup {
    let columns = [STAGE, STATUS, AT, PARTNER, POLICY, MESSAGE].map(|column| view.t(column));
    let [stage, status, at, partner, policy, number] = columns;
    let rows = html! {
        @for record in stages {
            @let address = format!("/console/messages/{}", record.message_id);
            tr data-open=(address) {
                td data-label=(stage) { (insurance(view, record.insurance_type)) " · " (stage_name(view, record.stage)) }
                td data-label=(status) { (status_chip(view, record.status)) }
                td data-label=(at) { (parts::time(record.recorded_at)) }
                td data-label=(partner) { (record.partner) }
                td data-label=(policy) { @if let Some(number) = &record.policy_no { (code(number)) } }
                td data-label=(number) { a href=(address) { (record.message_id) } }
            }
        }
    };
    parts::table(view.t(AUCTION), &columns, &rows)
}

/// A number of the document in words, and as it is where the document has none such.
fn in_words<T>(view: &View, number: u8, known: Result<T, UnknownNumber>, word: fn(T) -> Message) -> String {
    known.map_or_else(|_| number.to_string(), |known| view.t(word(known)).to_owned())
}

fn insurance(view: &View, number: u8) -> String {
    in_words(view, number, AuctionInsuranceType::try_from(number), |kind| match kind {
        AuctionInsuranceType::HouseholdProperty => HOUSEHOLD,
        AuctionInsuranceType::Performance => PERFORMANCE,
    })
}

fn stage_name(view: &View, number: u8) -> String {
    in_words(view, number, AuctionStage::try_from(number), |stage| match stage {
        AuctionStage::PreInsurance => PRE_INSURANCE,
        AuctionStage::Underwriting => UNDERWRITING,
        AuctionStage::Insuring => INSURING,
        AuctionStage::Surrender => SURRENDER,
        AuctionStage::Endorsement => ENDORSEMENT,
    })
}

fn status_chip(view: &View, number: u8) -> Markup {
    match AuctionStatus::try_from(number) {
        Ok(AuctionStatus::Success) => chip(Tone::Good, view.t(SUCCEEDED)),
        Ok(AuctionStatus::Failure) => chip(Tone::Bad, view.t(FAILED)),
        Err(_) => chip(Tone::Quiet, &number.to_string()),
    }
}

fn notice_table(view: &View, notices: &[NoticeRecord]) -> Markup {
    let columns = [NOTICE, SUBJECT, STATE, AT].map(|column| view.t(column));
    let [number, subject, state, at] = columns;
    let rows = html! {
        @for notice in notices {
            @let address = format!("/console/deliveries/{}", notice.id);
            tr data-open=(address) {
                td data-label=(number) { a href=(address) { (notice.id) } " " span.muted { (kind_label(view, &notice.kind)) } }
                td data-label=(subject) { (code(&notice.subject)) }
                td data-label=(state) { (state_chip(view, notice.state)) }
                td data-label=(at) { (parts::time(notice.created_at)) }
            }
        }
    };
    parts::table(view.t(NOTICES), &columns, &rows)
}
