//! `/console/audit`: who did what, when, from where and why.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use crate::console::audit::{Action, AuditFilter, AuditRecord};
use crate::console::role::Role;
use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::icons::Icon;
use crate::http::console::language::{Message, messages};
use crate::http::console::layout::{self, Place};
use crate::http::console::parts::{self, Tone, chip, code};
use crate::http::console::view::View;
use crate::ledger::lists::Slice;

messages! {
    LEAD: "谁、何时、从哪里、做了什么、为什么。执行之前写入；退保未能执行的，另有一条记录。只增不改，数据库拒绝修改与删除。", "Who did what, when, from where and why. Written before it is done; a surrender that was then refused has a second entry. Append-only: the database refuses changes and deletions.";
    AT: "时间", "Time";
    USER: "用户", "User";
    PEER: "来源", "From";
    ACTION: "动作", "Action";
    SUBJECT: "对象", "Subject";
    REASON: "事由", "Reason";
    DETAIL: "详情", "Details";
    ANY: "全部动作", "Any action";
    FILTER: "筛选", "Filter";
    EMPTY: "没有符合条件的记录", "No entry fits";
    EMPTY_HINT: "放宽筛选条件，或清空后重新查看。", "Widen the filter, or clear it.";
    COMMAND_LINE: "命令行", "command line";
    BY_PASSWORD: "凭密码", "by password";
    WRONG_PASSWORD: "密码错误", "wrong password";
    UNKNOWN_USER: "没有该用户", "unknown user";
    DISABLED: "用户已停用", "the user is disabled";
    SIGNED_IN: "登录", "Signed in";
    SIGN_IN_REFUSED: "登录被拒", "Sign-in refused";
    SIGNED_OUT: "退出登录", "Signed out";
    USER_ADDED: "添加用户", "Added a user";
    USER_ROLE: "更改角色", "Changed a role";
    USER_DISABLED: "停用用户", "Disabled a user";
    USER_ENABLED: "启用用户", "Enabled a user";
    PASSWORD_SET: "设置密码", "Set a password";
    PEOPLE_SHOWN: "查看个人信息", "Looked at personal data";
    DOCUMENT_SHOWN: "查看电子保单", "Looked at a document";
    MESSAGE_SHOWN: "查看原始报文", "Looked at a raw message";
    SURRENDERED: "发起退保", "Ordered a surrender";
    SURRENDER_REFUSED: "退保未执行", "Surrender refused";
    REFUND: "退款 {} 元", "refund {} CNY";
    NOTICE: "通知 {}", "notice {}";
    BY_THE_USER: "本人", "by the user";
    HASHED_ANEW: "按新参数重新计算摘要", "hashed anew under other parameters";
    ENDED: "保单此前已终止", "the policy had ended before";
    SENT_BEFORE: "同一表单此前已提交过，内容不同", "the same form was sent before with other content";
    RESENT: "重发通知", "Resent notices";
    SKIPPED: "跳过通知", "Skipped a notice";
    TRIED: "试发报文", "Tried a message";
    KEY_ADDED: "新增密封密钥", "Added a sealing key";
    KEY_CHOSEN: "启用密封密钥", "Put a sealing key into use";
}

const PATH: &str = "/console/audit";
const ROWS: usize = 50;

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    user: Option<String>,
    action: Option<String>,
    subject: Option<String>,
    before: Option<u64>,
}

impl Wanted {
    fn filter(&self) -> AuditFilter {
        let text =
            |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        AuditFilter {
            user: text(&self.user),
            action: self.action.as_deref().and_then(Action::from_name),
            subject: text(&self.subject),
        }
    }
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(PATH, get(show))
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Admin>,
    Query(wanted): Query<Wanted>,
) -> Result<Markup, Failure> {
    let (filter, before) = (wanted.filter(), wanted.before);
    let asked = filter.clone();
    let slice = console.read(move |console| Ok(console.store.audit(&asked, before, ROWS)?)).await?;
    Ok(page(&visit.view, &filter, &slice))
}

/// An action's name, and what the reader should make of it.
pub(super) fn action(action: Action) -> (Tone, Message) {
    match action {
        Action::SignedIn => (Tone::Quiet, SIGNED_IN),
        Action::SignInRefused => (Tone::Warn, SIGN_IN_REFUSED),
        Action::SignedOut => (Tone::Quiet, SIGNED_OUT),
        Action::UserAdded => (Tone::Info, USER_ADDED),
        Action::UserRoleChanged => (Tone::Info, USER_ROLE),
        Action::UserDisabled => (Tone::Info, USER_DISABLED),
        Action::UserEnabled => (Tone::Info, USER_ENABLED),
        Action::PasswordSet => (Tone::Info, PASSWORD_SET),
        Action::PeopleShown => (Tone::Warn, PEOPLE_SHOWN),
        Action::DocumentShown => (Tone::Warn, DOCUMENT_SHOWN),
        Action::MessageShown => (Tone::Warn, MESSAGE_SHOWN),
        Action::PolicySurrendered => (Tone::Bad, SURRENDERED),
        Action::SurrenderRefused => (Tone::Warn, SURRENDER_REFUSED),
        Action::NoticesResent => (Tone::Info, RESENT),
        Action::NoticeSkipped => (Tone::Bad, SKIPPED),
        Action::MessageTried => (Tone::Info, TRIED),
        Action::KeyAdded => (Tone::Warn, KEY_ADDED),
        Action::KeyChosen => (Tone::Warn, KEY_CHOSEN),
    }
}

fn page(view: &View, filter: &AuditFilter, slice: &Slice<AuditRecord, u64>) -> Markup {
    let columns = [AT, USER, PEER, ACTION, SUBJECT, REASON, DETAIL].map(|column| view.t(column));
    let rows = html! { @for record in &slice.items { (row(view, &columns, record)) } };
    let older = slice.next.map(|next| address(filter, next));
    let content = html! {
        header.page-head { div { h1 { (view.t(Place::Audit.label())) } p.muted { (view.t(LEAD)) } } }
        (filter_form(view, filter))
        @if slice.items.is_empty() {
            (parts::empty(Icon::Audit, view.t(EMPTY), &html! { (view.t(EMPTY_HINT)) }))
        } @else {
            (parts::table(view.t(Place::Audit.label()), &columns, &rows))
        }
        (parts::older(view, older.as_deref()))
    };
    layout::page(view, Some(Place::Audit), view.t(Place::Audit.label()), &content)
}

/// The address of the page after that entry.
fn address(filter: &AuditFilter, before: u64) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(filter.user.as_deref().map(|user| ("user", user)));
    query.extend_pairs(filter.action.map(|action| ("action", action.as_str())));
    query.extend_pairs(filter.subject.as_deref().map(|subject| ("subject", subject)));
    format!("{PATH}?{}", query.append_pair("before", &before.to_string()).finish())
}

fn filter_form(view: &View, filter: &AuditFilter) -> Markup {
    html! {
        form.filter method="get" action=(PATH) {
            div.field {
                label for="user" { (view.t(USER)) }
                input #user name="user" value=[filter.user.as_deref()] maxlength="64" autocomplete="off";
            }
            div.field {
                label for="action" { (view.t(ACTION)) }
                select #action name="action" {
                    option value="" { (view.t(ANY)) }
                    @for one in Action::ALL {
                        option value=(one.as_str()) selected[filter.action == Some(one)] { (view.t(action(one).1)) }
                    }
                }
            }
            div.field {
                label for="subject" { (view.t(SUBJECT)) }
                input #subject name="subject" value=[filter.subject.as_deref()] maxlength="128" autocomplete="off"
                    placeholder="policy:PBDI…";
            }
            div.field.field-button { button.button type="submit" { (view.t(FILTER)) } }
        }
    }
}

/// What the gateway itself writes into the log, in the page's language; other texts as they are.
fn own_word<'a>(view: &View, text: &'a str) -> Cow<'a, str> {
    if let Some(role) = Role::from_name(text) {
        return layout::role(view, role).into();
    }
    if let Some(amount) = text.strip_prefix("refund ") {
        return view.with(REFUND, &[&amount]).into();
    }
    if let Some(number) = text.strip_prefix("notice ") {
        return view.with(NOTICE, &[&number]).into();
    }
    let word = match text {
        "command line" => COMMAND_LINE,
        "password" => BY_PASSWORD,
        "wrong password" => WRONG_PASSWORD,
        "unknown user" => UNKNOWN_USER,
        "disabled" => DISABLED,
        "by the user" => BY_THE_USER,
        "hashed anew under other parameters" => HASHED_ANEW,
        "WRONG_POLICY_STATE" => ENDED,
        "IDEMPOTENCY_CONFLICT" => SENT_BEFORE,
        other => return other.into(),
    };
    view.t(word).into()
}

fn row(view: &View, columns: &[&str; 7], record: &AuditRecord) -> Markup {
    let [at, user, peer, what, subject, reason, detail] = columns;
    let entry = &record.entry;
    let (tone, name) = action(entry.action);
    html! {
        tr {
            td data-label=(at) { (parts::time(entry.at)) }
            td data-label=(user) { strong { (entry.user) } }
            td data-label=(peer) { (own_word(view, &entry.peer)) }
            td data-label=(what) { (chip(tone, view.t(name))) }
            td data-label=(subject) { @if !entry.subject.is_empty() { (code(&entry.subject)) } }
            td.wrap data-label=(reason) { (entry.reason) }
            td.wrap data-label=(detail) { (own_word(view, &entry.detail)) }
        }
    }
}
