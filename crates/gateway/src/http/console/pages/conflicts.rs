//! `/console/conflicts`: keys that came twice with different content; both contents, field by field.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use baoqiao_domain::difference::{Difference, differences};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::message::Reason;
use crate::console::audit::Action;
use crate::console::role::Role;
use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::icons::{Icon, icon};
use crate::http::console::language::messages;
use crate::http::console::layout::{self, Place};
use crate::http::console::order::Order;
use crate::http::console::parts::{self, Question, question, reason};
use crate::http::console::traffic::interface_name;
use crate::http::console::view::View;
use crate::ledger::lists::{ConflictRecord, MessageFilter, MessagePlace, MessageRecord, Slice};
use crate::ledger::store::Verdict;
use crate::vault::{Purpose, Sealed};

messages! {
    LEAD: "同一幂等号先后发来不同的内容。首次的有效，之后的被拒绝并留存，供双方核对。", "Keys that came again with other content. The first stays in force; the later one was refused, and is kept to be compared.";
    AT: "时间", "Time";
    INTERFACE: "接口", "Interface";
    KEY: "幂等号", "Key";
    CALLER: "调用方", "Caller";
    POLICY: "保单", "Policy";
    EMPTY: "没有冲突", "No conflicts";
    EMPTY_HINT: "平台重试时内容一致，就不会出现在这里。", "Retries whose content is the same do not appear here.";
    TITLE: "冲突 {}", "Conflict {}";
    BACK: "全部冲突", "All conflicts";
    FIRST: "首次（报文 {}）", "First (message {})";
    SECOND: "之后（报文 {}）", "Later (message {})";
    FIELD: "字段", "Field";
    ABSENT: "未出现", "absent";
    COUNT: "共 {} 个字段不一致", "{} fields differ";
    SAME: "没有字段不一致。", "No field differs.";
    HIDDEN: "可能是个人信息，未显示", "may be personal data, not shown";
    SHOW: "显示全部值", "Show all values";
    SHOW_ASK: "显示两份内容的全部值？", "Show all values of both contents?";
    SHOW_HINT: "其中的姓名、证件号等不脱敏。查看会写入审计日志。", "Names and ID numbers in them are not masked. Looking is written into the audit log.";
    ROLE_NEEDED: "显示被隐去的值需要操作员角色。", "Showing what is hidden needs the role of an operator.";
    TOLD: "对方得到的答复里指出了：{}", "The other side was told: {}";
}

const PATH: &str = "/console/conflicts";
const ROWS: usize = 50;

/// Fields that name no person and hold no text of the other side's choosing.
const PLAIN: [&str; 28] = [
    "amount",
    "amountOfCny",
    "bizId",
    "currency",
    "currencyRate",
    "effectTime",
    "expireTime",
    "identifier",
    "institution",
    "insureId",
    "insurePeriod",
    "insureTime",
    "insuranceType",
    "orderNo",
    "partner",
    "policyNo",
    "premium",
    "premiumOfCny",
    "premiumRate",
    "productCode",
    "recoverAmount",
    "recoverAmountOfCny",
    "recoverCostOfCny",
    "recoverTime",
    "refundAmount",
    "stage",
    "status",
    "surrenderTime",
];

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    after: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(PATH, get(list))
        .route("/console/conflicts/{id}", get(show))
        .route("/console/conflicts/{id}/show", post(unmask))
}

async fn list(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Viewer>,
    Query(wanted): Query<Wanted>,
) -> Result<Markup, Failure> {
    let place: Option<MessagePlace> = wanted.after.as_deref().and_then(|text| text.parse().ok());
    let verdict = Some(Verdict::Conflicting.as_str().to_owned());
    let filter = MessageFilter { verdict, ..MessageFilter::default() };
    let (slice, policies) = console
        .read(move |console| {
            let slice = console.lists.messages(&filter, place, ROWS)?;
            let ids: Vec<u64> = slice.items.iter().map(|message| message.id).collect();
            Ok((slice, console.lists.policies_of_conflicts(&ids)?.into_iter().collect()))
        })
        .await?;
    let view = &visit.view;
    let content = html! {
        header.page-head { div { h1 { (view.t(Place::Conflicts.label())) } p.muted { (view.t(LEAD)) } } }
        (table(view, &slice, &policies))
    };
    Ok(layout::page(view, Some(Place::Conflicts), view.t(Place::Conflicts.label()), &content))
}

fn table(view: &View, slice: &Slice<MessageRecord, MessagePlace>, policies: &HashMap<u64, String>) -> Markup {
    let older = slice.next.map(|next| format!("{PATH}?after={next}"));
    if slice.items.is_empty() {
        let nothing = parts::empty(Icon::Conflict, view.t(EMPTY), &html! { (view.t(EMPTY_HINT)) });
        return html! { @if older.is_none() { (nothing) } (parts::older(view, older.as_deref())) };
    }
    let columns = [AT, INTERFACE, KEY, CALLER, POLICY].map(|column| view.t(column));
    let [at, interface, key, caller, policy] = columns;
    let rows = html! {
        @for message in &slice.items {
            @let address = format!("{PATH}/{}", message.id);
            tr data-open=(address) {
                td data-label=(at) { a href=(address) { (parts::short_time(message.received_at, view.now)) } }
                td data-label=(interface) { (interface_name(view, message.scope.as_deref(), &message.channel)) }
                td.wrap data-label=(key) { @if let Some(key) = &message.key { (parts::code(key)) } }
                td data-label=(caller) { (message.caller) }
                td data-label=(policy) { @if let Some(number) = policies.get(&message.id) { (policy_link(number)) } }
            }
        }
    };
    html! { (parts::table(view.t(Place::Conflicts.label()), &columns, &rows)) (parts::older(view, older.as_deref())) }
}

fn policy_link(number: &str) -> Markup {
    html! { a href={ "/console/policies/" (number) } { (parts::code(number)) } }
}

/// A conflict with both contents.
struct Found {
    message: MessageRecord,
    /// The policy that the first message is about.
    policy_no: Option<String>,
    conflict: ConflictRecord,
    differing: Vec<Difference>,
}

fn find(console: &Console, id: &str) -> Result<Found, Failure> {
    let id = id.parse().map_err(|_| Failure::NotFound)?;
    let message = console.lists.message(id)?.ok_or(Failure::NotFound)?;
    let conflict = message.conflict.ok_or(Failure::NotFound)?;
    let open = |sealed: &Sealed| -> Result<Value, Failure> {
        Ok(serde_json::from_slice(&console.vault.open(Purpose::Content, sealed)?)?)
    };
    let differing = differences(&open(&conflict.first)?, &open(&conflict.second)?);
    let policy_no = console.lists.policies_of_conflicts(&[id])?.pop().map(|(_, number)| number);
    Ok(Found { message: message.record, policy_no, conflict, differing })
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Viewer>,
    Path(id): Path<String>,
) -> Result<Markup, Failure> {
    let found = console.read(move |console| find(console, &id)).await?;
    Ok(page(&visit.view, &found, &compared(&visit.view, &found, false)))
}

async fn unmask(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Order { view, content, .. }: Order<need::Operator, Reason>,
) -> Result<Markup, Failure> {
    let reason = reason(&content.reason).ok_or(Failure::Unreadable)?;
    let who = view.clone();
    let found = console
        .read(move |console| {
            let found = find(console, &id)?;
            let subject = format!("message:{}", found.message.id);
            console.store.record(&who.does(Action::MessageShown, subject, reason))?;
            Ok(found)
        })
        .await?;
    let compared = compared(&view, &found, true);
    Ok(if view.wants_fragment { compared } else { page(&view, &found, &compared) })
}

fn page(view: &View, found: &Found, compared: &Markup) -> Markup {
    let message = &found.message;
    let title = view.with(TITLE, &[&message.key.as_deref().unwrap_or_default()]);
    let content = html! {
        header.page-head {
            div { p { a.back href=(PATH) { (icon(Icon::Back)) (view.t(BACK)) } } h1 { (title) } }
        }
        section.card {
            (parts::fields([
                (view.t(AT), parts::time(message.received_at)),
                (view.t(INTERFACE), interface_name(view, message.scope.as_deref(), &message.channel)),
                (view.t(KEY), parts::or_none(view, message.key.as_deref().map(parts::code))),
                (view.t(CALLER), html! { (message.caller) }),
                (view.t(POLICY), parts::or_none(view, found.policy_no.as_deref().map(policy_link))),
            ]))
            (told(view, &found.conflict.differing))
        }
        (compared)
    };
    layout::page(view, Some(Place::Conflicts), &title, &content)
}

/// Which fields the answer named.
fn told(view: &View, differing: &str) -> Markup {
    let names: Vec<String> = serde_json::from_str(differing).unwrap_or_default();
    html! { @if !names.is_empty() { p.muted { (view.with(TOLD, &[&names.join(", ")])) } } }
}

/// Both contents, field by field; where not all is to be shown, only the fields that name nobody.
fn compared(view: &View, found: &Found, is_shown: bool) -> Markup {
    let is_plain = |path: &str| PLAIN.contains(&path);
    let hides = !is_shown && found.differing.iter().any(|one| !is_plain(&one.path));
    let columns = [
        view.t(FIELD).to_owned(),
        view.with(FIRST, &[&format!("#{}", found.conflict.first_message_id)]),
        view.with(SECOND, &[&format!("#{}", found.message.id)]),
    ];
    let columns = columns.each_ref().map(String::as_str);
    let rows = html! {
        @for one in &found.differing {
            @let shown = is_shown || is_plain(&one.path);
            tr {
                td.wrap data-label=(columns[0]) { code { (one.path) } }
                td.wrap data-label=(columns[1]) { (value(view, one.first.as_ref(), shown)) }
                td.wrap data-label=(columns[2]) { (value(view, one.second.as_ref(), shown)) }
            }
        }
    };
    let action = format!("{PATH}/{}/show", found.message.id);
    let asked = Question {
        id: "show",
        button: view.t(SHOW),
        is_grave: false,
        title: view.t(SHOW_ASK),
        hint: view.t(SHOW_HINT),
        action: &action,
        fields: html! {},
        target: Some("#compared"),
        again: None,
    };
    let count = view.with(COUNT, &[&found.differing.len()]);
    html! {
        section #compared {
            div.section-head {
                h2 { (count) }
                @if hides && view.may(Role::Operator) { (question(view, &asked)) }
                @else if hides { span.muted { (view.t(ROLE_NEEDED)) } }
            }
            @if found.differing.is_empty() { p.muted { (view.t(SAME)) } }
            @else { (parts::table(&count, &columns, &rows)) }
            p.muted {
                a href={ "/console/messages/" (found.conflict.first_message_id) } { (columns[1]) } " · "
                a href={ "/console/messages/" (found.message.id) } { (columns[2]) }
            }
        }
    }
}

fn value(view: &View, value: Option<&Value>, shown: bool) -> Markup {
    html! {
        @match value {
            None => { span.muted { (view.t(ABSENT)) } }
            Some(_) if !shown => { span.muted title=(view.t(HIDDEN)) { "•••" } }
            Some(Value::String(text)) => {
                // The ledger keeps moments as UTC; people here read the clock of GMT+8.
                @match text.parse::<Timestamp>() { Ok(moment) => { (parts::time(moment)) } Err(_) => { code { (text) } } }
            }
            Some(other) => { code { (other.to_string()) } }
        }
    }
}
