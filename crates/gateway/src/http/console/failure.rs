//! What goes wrong, and the page that says so.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderName, HeaderValue, LOCATION};
use maud::{Markup, html};

use super::language::{Message, messages};
use super::layout;
use super::view::View;
use crate::console::role::Role;
use crate::ledger::store::StoreError;
use crate::vault::VaultError;
use baoqiao_domain::refusal::Refusal;

messages! {
    NOT_FOUND: "没有这一页", "There is no such page";
    NOT_FOUND_HINT: "地址可能不完整，或所指的内容不在台账中。", "The address may be incomplete, or what it names is not in the ledger.";
    ROLE_MISSING: "您的角色不能这样做", "Your role does not allow this";
    ROLE_MISSING_HINT: "需要 {} 角色。管理员可以在“用户”页面调整。", "It needs the role {}. An admin can change roles on the page Users.";
    OTHER_ORIGIN: "请求不是从本控制台发出的", "This was not sent from the console";
    OTHER_ORIGIN_HINT: "未执行任何操作。请从控制台页面重新提交。", "Nothing was done. Please send it again from a page of the console.";
    COOKIE_MISSING: "浏览器没有带回 Cookie", "Your browser did not send the cookie back";
    COOKIE_MISSING_HINT: "控制台的 Cookie 只在 HTTPS 或本机地址（127.0.0.1）下有效。请用这样的地址打开控制台。", "The console's cookies count over HTTPS or on the machine itself (127.0.0.1) only. Please open the console at such an address.";
    FORM_TOO_OLD: "页面已过期", "This page is too old";
    FORM_TOO_OLD_HINT: "登录状态在打开页面之后发生了变化，未执行任何操作。请刷新页面后重试。", "You have signed in or out since it was opened; nothing was done. Please reload it and try again.";
    UNREADABLE: "请求无法识别", "The request could not be read";
    UNREADABLE_HINT: "未执行任何操作。请返回后重试。", "Nothing was done. Please go back and try again.";
    REFUSED: "未能执行", "It was not carried out";
    UNAVAILABLE: "台账暂时无法读写", "The ledger cannot be read or written at the moment";
    UNAVAILABLE_HINT: "原因已写入网关日志。请稍后再试；若持续出现，请运行 baoqiao doctor 检查。", "The reason is in the gateway's log. Please try again; if it stays so, run baoqiao doctor.";
    BUSY: "网关繁忙", "The gateway is busy";
    BUSY_HINT: "请稍后再试。", "Please try again in a moment.";
    TOO_SLOW: "台账没有及时答复", "The ledger did not answer in time";
    TOO_SLOW_HINT: "已等待 {} 秒（配置项 server.request_deadline_ms）。请稍后再试，或缩小查询范围。如果刚才提交了操作，请先查看它是否已经生效，再决定是否重做。", "It was waited for {} s (server.request_deadline_ms). Please try again in a moment, or ask for less. If you have just given an order, look first whether it was carried out.";
    HOME: "回到总览", "Back to the overview";
}

/// Why a request is not answered with what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no such thing.
    NotFound,
    /// Nobody has signed in.
    SignInFirst,
    /// Another role is needed.
    RoleMissing(Role),
    /// A form of another site's page.
    OtherOrigin,
    /// A form without the cookie that it is bound to.
    CookieMissing,
    /// A form of another session's page.
    FormTooOld,
    /// Not a form, too long, or without a field that it must have.
    Unreadable,
    /// The ledger refused an order; with its text, which is Chinese.
    Refused(String),
    /// Too much is going on.
    Busy,
    /// The ledger did not answer within that time; what was asked may still be done.
    TooSlow { waited: Duration },
    /// The ledger cannot be read or written, or what it holds does not open; the reason is for the log.
    Unavailable(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Unavailable(format!("what the ledger holds does not read: {error}"))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Busy => Self::Busy,
            Refusal::LedgerUnavailable { internal } => Self::Unavailable(internal),
            refusal => Self::Refused(refusal.public_message()),
        }
    }
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::SignInFirst => StatusCode::UNAUTHORIZED,
            Self::RoleMissing(_) | Self::OtherOrigin | Self::CookieMissing | Self::FormTooOld => StatusCode::FORBIDDEN,
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::TooSlow { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Busy | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn words(&self, view: &View) -> (Message, String) {
        let hint = |message: Message| view.t(message).to_owned();
        match self {
            Self::NotFound | Self::SignInFirst => (NOT_FOUND, hint(NOT_FOUND_HINT)),
            Self::RoleMissing(role) => (ROLE_MISSING, view.with(ROLE_MISSING_HINT, &[&layout::role(view, *role)])),
            Self::OtherOrigin => (OTHER_ORIGIN, hint(OTHER_ORIGIN_HINT)),
            Self::CookieMissing => (COOKIE_MISSING, hint(COOKIE_MISSING_HINT)),
            Self::FormTooOld => (FORM_TOO_OLD, hint(FORM_TOO_OLD_HINT)),
            Self::Unreadable => (UNREADABLE, hint(UNREADABLE_HINT)),
            Self::Refused(text) => (REFUSED, text.clone()),
            Self::Busy => (BUSY, hint(BUSY_HINT)),
            Self::TooSlow { waited } => (TOO_SLOW, view.with(TOO_SLOW_HINT, &[&waited.as_secs().max(1)])),
            Self::Unavailable(_) => (UNAVAILABLE, hint(UNAVAILABLE_HINT)),
        }
    }
}

impl IntoResponse for Failure {
    /// The page itself is put in by [`show`], which knows whom it is shown to.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The page of a failure, where the response is one.
pub(super) fn show(mut response: Response, view: &View) -> Response {
    let Some(failure) = response.extensions_mut().remove::<Failure>() else { return response };
    match &failure {
        Failure::Unavailable(reason) => {
            tracing::error!(user = view.user_name(), %reason, "a page of the console could not be shown");
        }
        Failure::TooSlow { .. } => {
            tracing::warn!(user = view.user_name(), "the ledger did not answer a page of the console in time");
        }
        _ => {}
    }
    let mut shown = match failure {
        Failure::SignInFirst => to_sign_in(view),
        failure => (failure.status(), page(view, &failure)).into_response(),
    };
    // What else was set, a cookie of the visitor's, stays.
    for (name, value) in response.headers() {
        if *name != http::header::CONTENT_LENGTH {
            shown.headers_mut().append(name.clone(), value.clone());
        }
    }
    shown
}

/// Whoever has to sign in first comes back to where they wanted to go.
fn to_sign_in(view: &View) -> Response {
    let back: String = form_urlencoded::byte_serialize(view.address.as_bytes()).collect();
    let target =
        if view.wants_fragment { "/console/sign-in".to_owned() } else { format!("/console/sign-in?back={back}") };
    let header = if view.wants_fragment { HeaderName::from_static("hx-redirect") } else { LOCATION };
    let status = if view.wants_fragment { StatusCode::UNAUTHORIZED } else { StatusCode::SEE_OTHER };
    let mut response = status.into_response();
    if let Ok(target) = HeaderValue::from_str(&target) {
        response.headers_mut().insert(header, target);
    }
    response
}

fn page(view: &View, failure: &Failure) -> Markup {
    let (title, hint) = failure.words(view);
    let said = html! {
        div.failure role="alert" {
            h1 { (view.t(title)) }
            p { (hint) }
            @if !view.wants_fragment {
                p { a.button href="/console" { (view.t(HOME)) } }
            }
        }
    };
    if view.wants_fragment { said } else { layout::page(view, None, view.t(title), &said) }
}
