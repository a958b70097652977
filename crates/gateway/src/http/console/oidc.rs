//! `/console/oidc/…`: sign-in through the provider.
//!
//! `start` sends the browser to the provider with a cookie that it brings back: that one alone is `Lax`, since it comes
//! back from another site. For the same reason the session's own cookie, which is `Strict`, would not be sent to a page
//! that the provider's answer redirects to; so the answer is a page of ours that moves on by itself.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{REFRESH, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use maud::html;
use serde::Deserialize;

use super::Console;
use super::access::{Visit, need};
use super::cookies::Cookie;
use super::failure::Failure;
use super::language::messages;
use super::layout;
use super::preferences::within;
use super::sign_in::{self, Back, NOBODY, Said, begin, refusal, to};
use super::view::View;
use crate::console::oidc::{Pending, Provider, SignInError, word};
use crate::console::session::Token;
use crate::console::store::{Admission, Vouched};

messages! {
    ENTERED: "已登录", "Signed in";
    ENTERED_HINT: "正在打开控制台；若没有自动打开，请点击：", "The console is about to open. If it does not:";
    ENTER: "进入控制台", "Open the console";
    LEFT: "已退出控制台", "Signed out of the console";
    LEFT_HINT: "正在退出统一登录；若没有自动跳转，请点击：", "You are about to be signed out of single sign-on as well. If you are not:";
    LEAVE: "退出统一登录", "Sign out of single sign-on";
    UNUSABLE: "统一登录暂时无法使用，原因已写入网关日志。请稍后再试。", "Single sign-on cannot be used at the moment; the reason is in the gateway's log. Please try again later.";
    STALE: "这次登录已超时、已用过，或浏览器没有带回 Cookie。请重新登录。", "This sign-in took too long, was used before, or your browser did not send its cookie back. Please sign in again.";
    MISMATCH: "这次登录不是从本浏览器当前的登录页面发起的，未登录。请重新登录。", "This sign-in was not begun on the present sign-in page of this browser; you are not signed in. Please sign in again.";
    DISBELIEVED: "统一登录的答复未通过校验，未登录；原因已写入网关日志。请重新登录。", "What single sign-on answered did not stand up to checking; you are not signed in. The reason is in the gateway's log. Please sign in again.";
    REFUSED: "统一登录未允许登录：{}", "Single sign-on did not let you in: {}";
    NO_ROLE: "您已通过统一登录（{}），但没有使用本控制台的权限。请联系管理员，将您加入有权限的组，然后重新登录。", "Single sign-on knows you ({}), but nothing there allows you to use this console. Please ask an administrator to add you to a group that may, then sign in again.";
    DISABLED: "您（{}）在本控制台已被停用。请联系管理员。", "You ({}) are disabled in this console. Please ask an administrator.";
}

/// The longest text of the provider that is shown, in characters.
const SHOWN_CHARS: usize = 200;

/// What the provider answers with, by the browser.
#[derive(Deserialize)]
pub(super) struct Answer {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

fn provider(console: &Console) -> Result<&Arc<Provider>, Failure> {
    console.provider.as_ref().ok_or(Failure::NotFound)
}

/// `GET /console/oidc/start`.
pub(super) async fn start(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Anybody>,
    Query(back): Query<Back>,
) -> Result<Response, Failure> {
    let (provider, view) = (provider(&console)?, visit.view);
    let back = within(back.back.as_deref());
    if view.user.is_some() {
        return Ok(to(back));
    }
    let random = |error: getrandom::Error| Failure::Unavailable(format!("no random bytes: {error}"));
    let pending = Pending::new(back, view.now, console.entropy).map_err(random)?;
    match provider.sign_in_address(&pending).await {
        Ok(address) => {
            let mut response = to(&address);
            let cookie = Cookie::Provider.set(&pending.seal(&console.vault)?);
            response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
            Ok(response)
        }
        Err(error) => {
            tracing::error!(peer = view.peer, %error, "sign-in through the provider failed");
            let said = Said::Text(view.t(UNUSABLE).to_owned());
            Ok(refused(&console, &view, StatusCode::BAD_GATEWAY, back, &said))
        }
    }
}

/// `GET /console/oidc/callback`.
pub(super) async fn callback(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Anybody>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response, Failure> {
    provider(&console)?;
    let view = visit.view;
    let pending = Cookie::Provider.of(&headers).and_then(|text| Pending::open(text, &console.vault, view.now));
    let back = within(pending.as_ref().map(Pending::back)).to_owned();
    let mut response = match conclude(&console, &view, pending, answer).await? {
        Ok(token) => entered(&view, &back, &token),
        Err((status, said)) => refused(&console, &view, status, &back, &said),
    };
    // It was for one answer, whatever came of it.
    response.headers_mut().extend(Cookie::Provider.remove().map(|cookie| (SET_COOKIE, cookie)));
    Ok(response)
}

/// What is told to somebody who is not let in.
type Told = (StatusCode, Said);

/// Judges the provider's answer: a session, or what is told instead.
async fn conclude(
    console: &Arc<Console>,
    view: &View,
    pending: Option<Pending>,
    answer: Answer,
) -> Result<Result<Token, Told>, Failure> {
    if let Some(until) = console.attempts.address_refused_until(&view.peer, view.now) {
        let said = Said::Wait(until.duration_since(view.now).as_secs().max(1));
        return Ok(Err((StatusCode::TOO_MANY_REQUESTS, said)));
    }
    let text = |message| Said::Text(view.t(message).to_owned());
    let Some(pending) = pending else { return Ok(Err((StatusCode::BAD_REQUEST, text(STALE)))) };
    if !answer.state.is_some_and(|state| pending.is_answered_by(&state)) {
        note_refusal(console, view, None, "answer to another sign-in (state)").await?;
        return Ok(Err((StatusCode::FORBIDDEN, text(MISMATCH))));
    }
    if let Some(error) = answer.error {
        let shown = shown(answer.error_description.as_deref().unwrap_or(&error));
        note_refusal(console, view, None, &format!("refused by the provider: {}", word(&error))).await?;
        return Ok(Err((StatusCode::FORBIDDEN, Said::Text(view.with(REFUSED, &[&shown])))));
    }
    let Some(code) = answer.code.filter(|code| !code.is_empty()) else {
        note_refusal(console, view, None, "answer without a code").await?;
        return Ok(Err((StatusCode::FORBIDDEN, text(DISBELIEVED))));
    };
    match provider(console)?.redeem(&pending, &code, answer.iss.as_deref(), &view.peer).await {
        Ok(vouched) => admit(console, view, vouched).await,
        Err(SignInError::Busy) => Err(Failure::Busy),
        Err(error @ SignInError::Provider(_)) => {
            tracing::error!(peer = view.peer, %error, "sign-in through the provider failed");
            Ok(Err((StatusCode::BAD_GATEWAY, text(UNUSABLE))))
        }
        Err(error) => {
            note_refusal(console, view, None, &error.to_string()).await?;
            Ok(Err((StatusCode::FORBIDDEN, text(DISBELIEVED))))
        }
    }
}

/// Lets in somebody for whom the provider vouches, where they have a role and are not disabled here.
async fn admit(console: &Arc<Console>, view: &View, vouched: Vouched) -> Result<Result<Token, Told>, Failure> {
    let (told, known_as) = (vouched.identity.told(), shown(&vouched.known_as));
    let admitted = console.read(move |console| Ok(console.store.admit(&vouched)?)).await?;
    let (name, why, said) = match admitted {
        Admission::User(user) if user.disabled_at.is_none() => {
            let (peer, now) = (view.peer.clone(), view.now);
            return console.read(move |console| begin(console, &user, &peer, now, &told)).await.map(Ok);
        }
        Admission::User(user) => {
            let said = view.with(DISABLED, &[&user.name]);
            (user.name, "disabled", said)
        }
        Admission::WithoutRole(name) => {
            (name.unwrap_or_else(|| NOBODY.to_owned()), "no role", view.with(NO_ROLE, &[&known_as]))
        }
        Admission::Replayed => (NOBODY.to_owned(), "used before", view.t(STALE).to_owned()),
    };
    // The provider vouches for them: they are no strangers, whatever they are called here.
    note_refusal(console, view, Some(&name), &format!("{why}: {told}")).await?;
    Ok(Err((StatusCode::FORBIDDEN, Said::Text(said))))
}

/// Counts a refused sign-in, and writes it down; without a name, that of a stranger.
async fn note_refusal(console: &Arc<Console>, view: &View, name: Option<&str>, why: &str) -> Result<(), Failure> {
    console.attempts.address_failed(&view.peer, view.now);
    tracing::warn!(user = name.unwrap_or(NOBODY), peer = view.peer, why, "sign-in refused");
    match refusal(console, name, &view.peer, view.now, why) {
        Some(entry) => console.read(move |console| Ok(console.store.record(&entry)?)).await,
        None => Ok(()),
    }
}

/// A text from outside, as much of it as is shown; the template escapes it.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS).collect()
}

/// The sign-in page with what is said, at an address that may be gone back to.
fn refused(console: &Console, view: &View, status: StatusCode, back: &str, said: &Said) -> Response {
    let query: String = form_urlencoded::byte_serialize(back.as_bytes()).collect();
    let view = View { address: format!("/console/sign-in?back={query}"), ..view.clone() };
    (status, sign_in::page(console, &view, true, back, "", said)).into_response()
}

/// A page that moves on by itself, and has a link for a browser that does not.
fn moving_on(view: &View, address: &str, words: [&str; 3]) -> Response {
    let [title, hint, link] = words;
    let content = html! {
        section.sign-in {
            h1 { (title) }
            p.muted { (hint) }
            p { a.button.primary.filled href=(address) { (link) } }
        }
    };
    let mut response = layout::bare(view, title, &content).into_response();
    let refresh = HeaderValue::from_str(&format!("0; url={address}"));
    response.headers_mut().extend(refresh.ok().map(|refresh| (REFRESH, refresh)));
    response
}

fn entered(view: &View, back: &str, token: &Token) -> Response {
    let view = View { address: back.to_owned(), ..view.clone() };
    let mut response = moving_on(&view, back, [view.t(ENTERED), view.t(ENTERED_HINT), view.t(ENTER)]);
    response.headers_mut().extend(Cookie::Session.set(&token.expose()).map(|cookie| (SET_COOKIE, cookie)));
    response
}

/// What somebody sees who has signed out here and is to be signed out at the provider; `None` where it has no address
/// for that. No redirect: `form-action` keeps those that follow a form within the console.
pub(super) async fn left(console: &Console, view: &View) -> Option<Response> {
    let address = console.provider.as_ref()?.sign_out_address().await?;
    let view = View { user: None, address: "/console/sign-in".to_owned(), ..view.clone() };
    Some(moving_on(&view, &address, [view.t(LEFT), view.t(LEFT_HINT), view.t(LEAVE)]))
}
