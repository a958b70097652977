//! `/console/users`: who may sign in, and what they may do.
//!
//! The page to read first: its messages, its routes, its handlers, its templates, in this order.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;

use crate::console::audit::{Action, AuditEntry};
use crate::console::password::{self, Password};
use crate::console::role::Role;
use crate::console::store::{User, UserChange, user_name};
use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::language::messages;
use crate::http::console::layout::{self, Place, form_token};
use crate::http::console::order::Order;
use crate::http::console::parts::{self, Question, Tone, chip, notice, question, reason};
use crate::http::console::sign_in::to;
use crate::http::console::view::View;

messages! {
    LEAD: "谁可以登录，可以做什么。所有变更写入审计日志，并使该用户退出所有会话。", "Who may sign in, and what they may do. Every change goes into the audit log and signs the user out everywhere.";
    NAME: "用户名", "User name";
    ROLE: "角色", "Role";
    STATE: "状态", "State";
    LAST: "最近登录", "Last sign-in";
    ADDED: "添加时间", "Added";
    ACTIONS: "操作", "Actions";
    ENABLED: "可登录", "Enabled";
    DISABLED: "已停用", "Disabled";
    ELSEWHERE: "统一登录", "Single sign-on";
    NEVER: "从未", "never";
    YOU: "您", "you";
    ADD: "添加用户", "Add a user";
    ADD_HINT: "初始密码请当面或通过可信渠道告知；对方登录后可在“我的账户”中修改。", "Tell them their first password in person or over a trusted channel; they can change it on their account page.";
    PASSWORD: "密码", "Password";
    PASSWORD_HINT: "至少 {} 个字符", "At least {} characters";
    CHANGE_ROLE: "更改角色", "Change role";
    CHANGE_ROLE_ASK: "更改 {} 的角色？", "Change the role of {}?";
    CHANGE_ROLE_HINT: "只读：查看，个人信息脱敏。操作员：另可退保、重发，并可凭事由查看个人信息。管理员：另可管理用户、查阅审计日志。", "Viewer: looks, with personal data masked. Operator: also surrenders, resends, and sees personal data with a reason. Admin: also manages users and reads the audit log.";
    SET_PASSWORD: "重设密码", "Set password";
    SET_PASSWORD_ASK: "重设 {} 的密码？", "Set the password of {}?";
    DISABLE: "停用", "Disable";
    DISABLE_ASK: "停用 {}？", "Disable {}?";
    DISABLE_HINT: "该用户立即退出所有会话，不能再登录；可以重新启用。", "The user is signed out everywhere at once and cannot sign in; they can be enabled again.";
    ENABLE: "启用", "Enable";
    ENABLE_ASK: "重新启用 {}？", "Enable {} again?";
    ENABLE_HINT: "该用户可以像停用之前一样登录。", "The user can sign in as they did before.";
    DONE_ADDED: "已添加用户。", "The user was added.";
    DONE_CHANGED: "已保存。", "Saved.";
    DONE_TAKEN: "已有同名用户，未添加。", "There is a user of that name already; nobody was added.";
    DONE_NAME: "用户名只能包含文字、数字和 . _ @ -，最长 64 个字符。", "A user name has letters, digits and . _ @ - only, at most 64 of them.";
    DONE_WEAK: "密码太短或太简单，未保存：至少 12 个字符，且不能是用户名或重复的单个字符。", "The password is too short or too simple, nothing was saved: at least 12 characters, not the user name, not one character repeated.";
    DONE_REFUSED: "未保存：用户不存在，其角色来自统一登录，或者这会使系统没有可登录的管理员。", "Nothing was saved: there is no such user, their role comes from single sign-on, or nobody would be left who is an admin.";
    DONE_REASON: "未保存：请填写事由。", "Nothing was saved: please give a reason.";
}

const PATH: &str = "/console/users";

/// What is said above the page after an order was given; its name is in the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Done {
    Added,
    Changed,
    Taken,
    Name,
    Weak,
    Refused,
    Reason,
}

impl Done {
    fn address(self) -> &'static str {
        match self {
            Self::Added => "/console/users?done=added",
            Self::Changed => "/console/users?done=changed",
            Self::Taken => "/console/users?done=taken",
            Self::Name => "/console/users?done=name",
            Self::Weak => "/console/users?done=weak",
            Self::Refused => "/console/users?done=refused",
            Self::Reason => "/console/users?done=reason",
        }
    }

    fn notice(self, view: &View) -> Markup {
        match self {
            Self::Added => notice(Tone::Good, view.t(DONE_ADDED)),
            Self::Changed => notice(Tone::Good, view.t(DONE_CHANGED)),
            Self::Taken => notice(Tone::Bad, view.t(DONE_TAKEN)),
            Self::Name => notice(Tone::Bad, view.t(DONE_NAME)),
            Self::Weak => notice(Tone::Bad, view.t(DONE_WEAK)),
            Self::Refused => notice(Tone::Bad, view.t(DONE_REFUSED)),
            Self::Reason => notice(Tone::Bad, view.t(DONE_REASON)),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Shown {
    done: Option<Done>,
}

#[derive(Deserialize)]
struct NewUser {
    name: String,
    role: String,
    password: String,
}

#[derive(Deserialize)]
struct Change {
    name: String,
    reason: String,
    role: Option<String>,
    password: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(PATH, get(show))
        .route("/console/users/add", post(add))
        .route("/console/users/role", post(change_role))
        .route("/console/users/password", post(set_password))
        .route("/console/users/disable", post(disable))
        .route("/console/users/enable", post(enable))
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Admin>,
    Query(shown): Query<Shown>,
) -> Result<Markup, Failure> {
    let users = console.read(|console| Ok(console.store.users()?)).await?;
    Ok(page(&visit.view, &users, shown.done))
}

async fn add(State(console): State<Arc<Console>>, order: Order<need::Admin, NewUser>) -> Result<Response, Failure> {
    let Order { view, content, .. } = order;
    let role = Role::from_name(&content.role).ok_or(Failure::Unreadable)?;
    let Some(name) = user_name(&content.name) else { return Ok(to(Done::Name.address())) };
    let Ok(password) = Password::chosen(content.password, &name) else { return Ok(to(Done::Weak.address())) };
    let entry = entry(&view, Action::UserAdded, &name, "", role.as_str());
    let added_at = view.now;
    let added = console
        .read(move |console| {
            let password =
                Some(password.hash(console.entropy).map_err(|error| Failure::Unavailable(error.to_string()))?);
            let user = User { name, role, password, provider: None, disabled_at: None, added_at, signed_in_at: None };
            Ok(console.store.add_user(&user, &entry)?)
        })
        .await?;
    Ok(to(if added { Done::Added } else { Done::Taken }.address()))
}

fn entry(view: &View, action: Action, name: &str, reason: &str, detail: &str) -> AuditEntry {
    AuditEntry {
        at: view.now,
        user: view.user_name().to_owned(),
        peer: view.peer.clone(),
        action,
        subject: format!("user:{name}"),
        reason: reason.to_owned(),
        detail: detail.to_owned(),
    }
}

/// Carries out a change; whoever changes themselves stays signed in where they are.
async fn carry_out(
    console: &Arc<Console>,
    view: &View,
    content: &Change,
    change: UserChange,
    (action, detail): (Action, &str),
) -> Result<Response, Failure> {
    let Some(reason) = reason(&content.reason) else { return Ok(to(Done::Reason.address())) };
    let entry = entry(view, action, &content.name, &reason, detail);
    let keep = view.user.as_ref().filter(|user| user.name == content.name).map(|user| user.session);
    let name = content.name.clone();
    let changed =
        console.read(move |console| Ok(console.store.change_user(&name, &change, keep.as_ref(), &entry)?)).await?;
    Ok(to(if changed { Done::Changed } else { Done::Refused }.address()))
}

async fn change_role(
    State(console): State<Arc<Console>>,
    Order { view, content, .. }: Order<need::Admin, Change>,
) -> Result<Response, Failure> {
    let role = content.role.as_deref().and_then(Role::from_name).ok_or(Failure::Unreadable)?;
    carry_out(&console, &view, &content, UserChange::Role(role), (Action::UserRoleChanged, role.as_str())).await
}

async fn set_password(
    State(console): State<Arc<Console>>,
    Order { view, content, .. }: Order<need::Admin, Change>,
) -> Result<Response, Failure> {
    let typed = content.password.clone().ok_or(Failure::Unreadable)?;
    let Ok(password) = Password::chosen(typed, &content.name) else { return Ok(to(Done::Weak.address())) };
    let hash = console
        .read(move |console| password.hash(console.entropy).map_err(|error| Failure::Unavailable(error.to_string())))
        .await?;
    carry_out(&console, &view, &content, UserChange::Password(hash), (Action::PasswordSet, "")).await
}

async fn disable(
    State(console): State<Arc<Console>>,
    Order { view, content, .. }: Order<need::Admin, Change>,
) -> Result<Response, Failure> {
    carry_out(&console, &view, &content, UserChange::Disable, (Action::UserDisabled, "")).await
}

async fn enable(
    State(console): State<Arc<Console>>,
    Order { view, content, .. }: Order<need::Admin, Change>,
) -> Result<Response, Failure> {
    carry_out(&console, &view, &content, UserChange::Enable, (Action::UserEnabled, "")).await
}

fn page(view: &View, users: &[User], done: Option<Done>) -> Markup {
    let columns = [NAME, ROLE, STATE, LAST, ADDED, ACTIONS].map(|column| view.t(column));
    let rows = html! { @for (place, user) in users.iter().enumerate() { (row(view, &columns, place, user)) } };
    let content = html! {
        header.page-head {
            div { h1 { (view.t(Place::Users.label())) } p.muted { (view.t(LEAD)) } }
        }
        @if let Some(done) = done { (done.notice(view)) }
        (parts::table(view.t(Place::Users.label()), &columns, &rows))
        (add_form(view))
    };
    layout::page(view, Some(Place::Users), view.t(Place::Users.label()), &content)
}

fn row(view: &View, columns: &[&str; 6], place: usize, user: &User) -> Markup {
    let [name, role, state, last, added, actions] = columns;
    html! {
        tr {
            td data-label=(name) {
                strong { (user.name) }
                @if user.name == view.user_name() { " " (chip(Tone::Info, view.t(YOU))) }
                @if let Some(identity) = &user.provider {
                    p.field-hint title=(identity.issuer) { (identity.subject) }
                }
            }
            td data-label=(role) { (layout::role(view, user.role)) }
            td data-label=(state) {
                @if user.disabled_at.is_some() { (chip(Tone::Quiet, view.t(DISABLED))) }
                @else { (chip(Tone::Good, view.t(ENABLED))) }
                @if user.provider.is_some() { " " (chip(Tone::Info, view.t(ELSEWHERE))) }
            }
            td data-label=(last) {
                @match user.signed_in_at {
                    Some(at) => { (parts::short_time(at, view.now)) }
                    None => { span.muted { (view.t(NEVER)) } }
                }
            }
            td data-label=(added) { (parts::time(user.added_at)) }
            td.row-actions data-label=(actions) { (row_actions(view, place, user)) }
        }
    }
}

fn row_actions(view: &View, place: usize, user: &User) -> Markup {
    let name = html! { input type="hidden" name="name" value=(user.name); };
    // A name may hold what an id may not.
    let id = |what: &str| format!("{what}-{place}");
    let ask = |what: &str, button, is_grave, title, hint: &str, fields: Markup| {
        let title = view.with(title, &[&user.name]);
        let (id, action) = (id(what), format!("{PATH}/{what}"));
        let (button, fields) = (view.t(button), html! { (name) (fields) });
        question(
            view,
            &Question {
                id: &id,
                button,
                is_grave,
                title: &title,
                hint,
                action: &action,
                fields,
                target: None,
                again: None,
            },
        )
    };
    html! {
        @if user.provider.is_none() {
            (ask("role", CHANGE_ROLE, false, CHANGE_ROLE_ASK, view.t(CHANGE_ROLE_HINT), role_field(view, &id("role-of"), user.role)))
            (ask("password", SET_PASSWORD, false, SET_PASSWORD_ASK, view.t(ADD_HINT), password_field(view, &id("password-of"), Some(&user.name))))
        }
        @if user.disabled_at.is_some() {
            (ask("enable", ENABLE, false, ENABLE_ASK, view.t(ENABLE_HINT), html! {}))
        } @else {
            (ask("disable", DISABLE, true, DISABLE_ASK, view.t(DISABLE_HINT), html! {}))
        }
    }
}

fn role_field(view: &View, id: &str, chosen: Role) -> Markup {
    html! {
        div.field {
            label for=(id) { (view.t(ROLE)) }
            select id=(id) name="role" {
                @for role in Role::ALL {
                    option value=(role.as_str()) selected[role == chosen] { (layout::role(view, role)) }
                }
            }
        }
    }
}

fn password_field(view: &View, id: &str, user: Option<&str>) -> Markup {
    html! {
        div.field {
            label for=(id) { (view.t(PASSWORD)) }
            // Password managers are told whose it is.
            @if let Some(user) = user {
                input.hidden type="text" autocomplete="username" value=(user) readonly tabindex="-1" aria-hidden="true";
            }
            input id=(id) name="password" type="password" autocomplete="new-password" required
                minlength=(password::MIN_CHARS) maxlength=(password::MAX_BYTES);
            p.field-hint { (view.with(PASSWORD_HINT, &[&password::MIN_CHARS])) }
        }
    }
}

fn add_form(view: &View) -> Markup {
    let form = html! {
        p.muted { (view.t(ADD_HINT)) }
        form.inline-form method="post" action="/console/users/add" {
            (form_token(view))
            div.field {
                label for="new-name" { (view.t(NAME)) }
                input #new-name name="name" required maxlength="64" autocomplete="off" autocapitalize="none";
            }
            (role_field(view, "new-role", Role::Viewer))
            (password_field(view, "new-password", None))
            div.field.field-button { button.button.primary.filled type="submit" { (view.t(ADD)) } }
        }
    };
    parts::card(view.t(ADD), &form)
}
