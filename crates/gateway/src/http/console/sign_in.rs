//! `/console/sign-in` and `/console/sign-out`.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::Console;
use super::access::{Visit, need};
use super::cookies::Cookie;
use super::failure::Failure;
use super::language::{Message, messages};
use super::layout;
use super::oidc;
use super::order::{Nothing, Order};
use super::parts::{Tone, notice};
use super::preferences::within;
use super::view::View;
use crate::console::audit::{Action, AuditEntry};
use crate::console::password::{Checked, Password};
use crate::console::session::{Session, Token};
use crate::console::store::{User, UserChange, user_name};

messages! {
    TITLE: "登录", "Sign in";
    LEAD: "承保、追缴、退保与平台往来，一处看清。", "Policies, recoveries, surrenders and what platforms say, in one place.";
    NAME: "用户名", "User name";
    PASSWORD: "密码", "Password";
    SUBMIT: "登录", "Sign in";
    WRONG: "用户名或密码不正确，或该用户已停用。", "The user name or the password is not right, or the user is disabled.";
    WAIT: "失败次数过多，请在 {} 秒后再试。", "Too many failures: please try again in {} s.";
    THROUGH: "统一登录", "Single sign-on";
    OR_PASSWORD: "或使用本控制台的用户名和密码：", "Or with a user name and password of this console:";
    NO_PASSWORDS: "本控制台只接受统一登录。", "This console takes single sign-on only.";
    NO_USERS: "还没有任何用户", "There are no users yet";
    NO_USERS_HINT: "在网关所在的机器上添加第一个用户，然后刷新本页：", "Add the first one on the gateway's machine, then reload this page:";
}

/// The first user is an admin, who adds the others here.
const FIRST_USER: &str = "baoqiao user add --config baoqiao.toml --name admin --role admin";

#[derive(Debug, Default, Deserialize)]
pub(super) struct Back {
    pub(super) back: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SignIn {
    name: String,
    password: String,
    #[serde(default)]
    back: Option<String>,
}

/// What the page says above its form.
pub(super) enum Said {
    Nothing,
    Wrong,
    Wait(i64),
    Text(String),
}

/// `GET /console/sign-in`.
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Anybody>,
    Query(back): Query<Back>,
) -> Result<Response, Failure> {
    if visit.view.user.is_some() {
        return Ok(to(within(back.back.as_deref())));
    }
    let has_users = console.read(|console| Ok(!console.store.users()?.is_empty())).await?;
    Ok(page(&console, &visit.view, has_users, within(back.back.as_deref()), "", &Said::Nothing).into_response())
}

/// `POST /console/sign-in`.
pub(super) async fn sign_in(
    State(console): State<Arc<Console>>,
    order: Order<need::Anybody, SignIn>,
) -> Result<Response, Failure> {
    let Order { view, content, .. } = order;
    let back = within(content.back.as_deref()).to_owned();
    if !console.takes_passwords() {
        let said = Said::Text(view.t(NO_PASSWORDS).to_owned());
        return Ok((StatusCode::FORBIDDEN, page(&console, &view, true, &back, "", &said)).into_response());
    }
    // No user has a name that is none; such a one is looked for all the same, so that it takes as long.
    let name = user_name(&content.name).unwrap_or_default();
    let password = Password::typed(content.password);
    // One at a time: each takes a core and 19 MiB for a while.
    let turn = Arc::clone(&console.signing_in).acquire_owned().await.map_err(|_| Failure::Busy)?;
    let (peer, asked) = (view.peer.clone(), name.clone());
    let came_to = console
        .read(move |console| {
            let _turn = turn;
            check(console, &asked, &password, &peer)
        })
        .await?;
    match came_to {
        CameTo::Wait(until) => {
            let seconds = until.duration_since(view.now).as_secs().max(1);
            let page = page(&console, &view, true, &back, &name, &Said::Wait(seconds));
            Ok((StatusCode::TOO_MANY_REQUESTS, page).into_response())
        }
        CameTo::Refused => {
            let page = page(&console, &view, true, &back, &name, &Said::Wrong);
            Ok((StatusCode::FORBIDDEN, page).into_response())
        }
        CameTo::SignedIn(token) => {
            let mut response = to(&back);
            response.headers_mut().extend(Cookie::Session.set(&token.expose()).map(|cookie| (SET_COOKIE, cookie)));
            Ok(response)
        }
    }
}

enum CameTo {
    Wait(Timestamp),
    Refused,
    SignedIn(Token),
}

fn check(console: &Console, name: &str, password: &Password, peer: &str) -> Result<CameTo, Failure> {
    let now = console.clock.now();
    if let Some(until) = console.attempts.refused_until(name, peer, now) {
        return Ok(CameTo::Wait(until));
    }
    let user = console.store.user(name)?;
    let checked = if let Some(hash) = user.as_ref().and_then(|user| user.password.as_deref()) {
        password.check(hash)
    } else {
        password.check_nothing();
        Checked::Wrong
    };
    match user {
        Some(user) if checked != Checked::Wrong && user.disabled_at.is_none() => {
            console.attempts.succeeded(name);
            let token = begin(console, &user, peer, now, "password")?;
            if checked == Checked::Outdated {
                renew(console, &user, password, &token, peer);
            }
            Ok(CameTo::SignedIn(token))
        }
        user => {
            console.attempts.failed(name, peer, now);
            let why = match &user {
                None => "unknown user",
                Some(user) if user.disabled_at.is_some() => "disabled",
                Some(_) => "wrong password",
            };
            let name = user.as_ref().map(|user| user.name.as_str());
            if let Some(entry) = refusal(console, name, peer, now, why) {
                console.store.record(&entry)?;
            }
            tracing::warn!(user = name.unwrap_or(NOBODY), peer, why, "sign-in refused");
            Ok(CameTo::Refused)
        }
    }
}

/// What stands for the name of nobody: what was typed for it may be a password, and is not written down.
pub(super) const NOBODY: &str = "unknown";

/// What the audit log is told of a refused sign-in: each of a user's, and of those of nobody so many a minute.
pub(super) fn refusal(
    console: &Console,
    name: Option<&str>,
    peer: &str,
    now: Timestamp,
    why: &str,
) -> Option<AuditEntry> {
    let told = match name {
        Some(_) => 0,
        None => console.refusals.take(now)?,
    };
    let detail =
        if told == 0 { why.to_owned() } else { format!("{why}; {told} more since the last that was written down") };
    Some(entry(Action::SignInRefused, name.unwrap_or(NOBODY), peer, now, &detail))
}

/// What the audit log is told of somebody at the door.
pub(super) fn entry(action: Action, name: &str, peer: &str, at: Timestamp, detail: &str) -> AuditEntry {
    AuditEntry {
        at,
        user: name.to_owned(),
        peer: peer.to_owned(),
        action,
        subject: String::new(),
        reason: String::new(),
        detail: detail.to_owned(),
    }
}

/// Begins a session of a user who has proved who they are.
pub(super) fn begin(console: &Console, user: &User, peer: &str, now: Timestamp, how: &str) -> Result<Token, Failure> {
    let random = |error: getrandom::Error| Failure::Unavailable(format!("no random bytes: {error}"));
    let token = Token::random(console.entropy).map_err(random)?;
    let session =
        Session { digest: token.digest(), user: user.name.clone(), began_at: now, seen_at: now, peer: peer.to_owned() };
    let ended_before = now - console.lifetimes.absolute;
    console.store.begin_session(&session, ended_before, &entry(Action::SignedIn, &user.name, peer, now, how))?;
    tracing::info!(user = user.name, peer, "signed in");
    Ok(token)
}

/// Hashes a password anew under today's parameters. Nobody is kept out when that fails.
fn renew(console: &Console, user: &User, password: &Password, token: &Token, peer: &str) {
    let Ok(hash) = password.hash(console.entropy) else { return };
    let now = console.clock.now();
    let entry = entry(Action::PasswordSet, &user.name, peer, now, "hashed anew under other parameters");
    let change = UserChange::Password(hash);
    if let Err(error) = console.store.change_user(&user.name, &change, Some(&token.digest()), &entry) {
        tracing::warn!(user = user.name, %error, "a password was not hashed anew");
    }
}

/// `POST /console/sign-out`.
pub(super) async fn sign_out(
    State(console): State<Arc<Console>>,
    order: Order<need::Viewer, Nothing>,
) -> Result<Response, Failure> {
    let view = order.view;
    let mut leaves_provider = false;
    if let Some(user) = view.user.clone() {
        leaves_provider = !user.has_password;
        let entry = entry(Action::SignedOut, &user.name, &view.peer, view.now, "");
        console.read(move |console| Ok(console.store.end_session(&user.session, &entry)?)).await?;
    }
    let left = if leaves_provider { oidc::left(&console, &view).await } else { None };
    let mut response = left.unwrap_or_else(|| to("/console/sign-in"));
    response.headers_mut().extend(Cookie::Session.remove().map(|cookie| (SET_COOKIE, cookie)));
    Ok(response)
}

/// On to that address.
pub(super) fn to(address: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().extend(HeaderValue::from_str(address).ok().map(|address| (LOCATION, address)));
    response
}

/// The page, with what is said above its form.
pub(super) fn page(console: &Console, view: &View, has_users: bool, back: &str, name: &str, said: &Said) -> Markup {
    let said = match said {
        Said::Nothing => None,
        Said::Wrong => Some(view.t(WRONG).to_owned()),
        Said::Wait(seconds) => Some(view.with(WAIT, &[seconds])),
        Said::Text(text) => Some(text.clone()),
    };
    let text = |message: Message| view.t(message);
    let provider = console.provider.as_ref().map(|provider| provider.config());
    let content = html! {
        section.sign-in {
            h1 { (text(TITLE)) }
            p.muted { (text(LEAD)) }
            @if let Some(said) = &said { (notice(Tone::Bad, said)) }
            @if let Some(provider) = provider {
                @let query: String = form_urlencoded::byte_serialize(back.as_bytes()).collect();
                // A link and no form: what follows a form may not leave the console.
                a.button.primary.filled href={ "/console/oidc/start?back=" (query) } {
                    (provider.label.as_deref().unwrap_or_else(|| text(THROUGH)))
                }
                @if provider.password_sign_in { p.muted { (text(OR_PASSWORD)) } }
            } @else if !has_users {
                div.first-user {
                    p.empty-title { (text(NO_USERS)) }
                    p { (text(NO_USERS_HINT)) }
                    pre tabindex="0" { code { (FIRST_USER) } }
                }
            }
            @if console.takes_passwords() { (password_form(view, provider.is_none(), back, name)) }
        }
    };
    layout::bare(view, text(TITLE), &content)
}

fn password_form(view: &View, is_only_way: bool, back: &str, name: &str) -> Markup {
    let text = |message: Message| view.t(message);
    html! {
        form method="post" action="/console/sign-in" {
            (layout::form_token(view))
            input type="hidden" name="back" value=(back);
            div.field {
                label for="name" { (text(NAME)) }
                input #name name="name" value=(name) autocomplete="username" required maxlength="64"
                    autocapitalize="none" spellcheck="false" autofocus[is_only_way && name.is_empty()];
            }
            div.field {
                label for="password" { (text(PASSWORD)) }
                input #password name="password" type="password" autocomplete="current-password" required
                    maxlength="1024" autofocus[!name.is_empty()];
            }
            button.button.primary.filled[is_only_way] type="submit" { (text(SUBMIT)) }
        }
    }
}
