//! `/console/account`: who I am here, and my password.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use crate::console::audit::{Action, AuditEntry};
use crate::console::password::{self, Checked, Password};
use crate::console::store::UserChange;
use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::language::messages;
use crate::http::console::layout::{self, form_token};
use crate::http::console::order::Order;
use crate::http::console::parts::{self, Tone, notice};
use crate::http::console::sign_in::to;
use crate::http::console::view::{SignedIn, View};

messages! {
    TITLE: "我的账户", "My account";
    NAME: "用户名", "User name";
    ROLE: "角色", "Role";
    CHANGE: "修改密码", "Change password";
    CURRENT: "当前密码", "Current password";
    NEW: "新密码", "New password";
    HINT: "至少 {} 个字符。保存后，其他设备上的会话全部退出。", "At least {} characters. Saving signs you out everywhere else.";
    ELSEWHERE: "您通过统一登录进入，密码不在此处管理。", "You sign in elsewhere; your password is not kept here.";
    DONE: "密码已修改，其他会话已退出。", "Your password was changed, and other sessions were signed out.";
    WRONG: "当前密码不正确，未保存。", "That is not your current password; nothing was saved.";
    TOO_OFTEN: "失败次数过多，未保存。请过几分钟再试。", "Too many failures; nothing was saved. Please try again in some minutes.";
    WEAK: "新密码太短或太简单，未保存。", "The new password is too short or too simple; nothing was saved.";
}

const PATH: &str = "/console/account";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Done {
    Changed,
    Wrong,
    TooOften,
    Weak,
}

impl Done {
    /// The page that tells it.
    fn address(self) -> &'static str {
        match self {
            Self::Changed => "/console/account?done=changed",
            Self::Wrong => "/console/account?done=wrong",
            Self::TooOften => "/console/account?done=too-often",
            Self::Weak => "/console/account?done=weak",
        }
    }
}

#[derive(Debug, Deserialize)]
struct Shown {
    done: Option<Done>,
}

#[derive(Deserialize)]
struct Passwords {
    current: String,
    new: String,
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(PATH, get(show).post(change))
}

async fn show(visit: Visit<need::Viewer>, Query(shown): Query<Shown>) -> Result<Markup, Failure> {
    let user = visit.view.user.as_ref().ok_or(Failure::SignInFirst)?;
    Ok(page(&visit.view, user, shown.done))
}

async fn change(
    State(console): State<Arc<Console>>,
    Order { view, content, .. }: Order<need::Viewer, Passwords>,
) -> Result<Response, Failure> {
    let user = view.user.clone().ok_or(Failure::SignInFirst)?;
    let Ok(new) = Password::chosen(content.new, &user.name) else { return Ok(to(Done::Weak.address())) };
    let current = Password::typed(content.current);
    let turn = Arc::clone(&console.signing_in).acquire_owned().await.map_err(|_| Failure::Busy)?;
    let done = console
        .read(move |console| {
            let _turn = turn;
            exchange(console, &view, &user, &current, &new)
        })
        .await?;
    Ok(to(done.address()))
}

/// Exchanges a password, where the current one is right. A wrong one counts as a failed sign-in does.
fn exchange(
    console: &Console,
    view: &View,
    user: &SignedIn,
    current: &Password,
    new: &Password,
) -> Result<Done, Failure> {
    if console.attempts.refused_until(&user.name, &view.peer, view.now).is_some() {
        return Ok(Done::TooOften);
    }
    let hash = console.store.user(&user.name)?.and_then(|user| user.password).unwrap_or_default();
    if current.check(&hash) == Checked::Wrong {
        console.attempts.failed(&user.name, &view.peer, view.now);
        return Ok(Done::Wrong);
    }
    let hash = new.hash(console.entropy).map_err(|error| Failure::Unavailable(error.to_string()))?;
    let entry = AuditEntry {
        at: view.now,
        user: user.name.clone(),
        peer: view.peer.clone(),
        action: Action::PasswordSet,
        subject: format!("user:{}", user.name),
        reason: String::new(),
        detail: "by the user".to_owned(),
    };
    let change = UserChange::Password(hash);
    let is_changed = console.store.change_user(&user.name, &change, Some(&user.session), &entry)?;
    Ok(if is_changed { Done::Changed } else { Done::Wrong })
}

fn page(view: &View, user: &SignedIn, done: Option<Done>) -> Markup {
    let about = [(view.t(NAME), html! { (user.name) }), (view.t(ROLE), html! { (layout::role(view, user.role)) })];
    let content = html! {
        header.page-head { div { h1 { (view.t(TITLE)) } } }
        @match done {
            Some(Done::Changed) => { (notice(Tone::Good, view.t(DONE))) }
            Some(Done::Wrong) => { (notice(Tone::Bad, view.t(WRONG))) }
            Some(Done::TooOften) => { (notice(Tone::Bad, view.t(TOO_OFTEN))) }
            Some(Done::Weak) => { (notice(Tone::Bad, view.t(WEAK))) }
            None => {}
        }
        (parts::card(view.t(TITLE), &parts::fields(about)))
        (parts::card(view.t(CHANGE), &password_form(view, user)))
    };
    layout::page(view, None, view.t(TITLE), &content)
}

fn password_form(view: &View, user: &SignedIn) -> Markup {
    if !user.has_password {
        return html! { p.muted { (view.t(ELSEWHERE)) } };
    }
    html! {
        form.narrow-form method="post" action=(PATH) {
            (form_token(view))
            input.hidden type="text" name="username" value=(user.name) autocomplete="username" readonly tabindex="-1" aria-hidden="true";
            div.field {
                label for="current" { (view.t(CURRENT)) }
                input #current name="current" type="password" autocomplete="current-password" required;
            }
            div.field {
                label for="new" { (view.t(NEW)) }
                input #new name="new" type="password" autocomplete="new-password" required
                    minlength=(password::MIN_CHARS) maxlength=(password::MAX_BYTES);
                p.field-hint { (view.with(HINT, &[&password::MIN_CHARS])) }
            }
            button.button.primary.filled type="submit" { (view.t(CHANGE)) }
        }
    }
}
