//! Who looks: the session of each request, and what a handler asks of it.
//!
//! [`identify`] makes the [`View`] of every request. A handler gets it by asking for a [`Visit`] with the role that its
//! page needs, so that a handler without one does not know who looks and has no page to show.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::SET_COOKIE;
use http::request::Parts;

use super::Console;
use super::cookies::Cookie;
use super::failure::{self, Failure};
use super::language::Language;
use super::view::{SignedIn, Theme, View};
use crate::console::role::Role;
use crate::console::session::Token;
use baoqiao_channels::origin::Origin;

/// What a handler needs of who looks.
pub(super) trait Need: Send + Sync + 'static {
    /// The role; `None` for pages that are for everybody.
    const ROLE: Option<Role>;
}

/// The needs as types.
pub(super) mod need {
    use super::{Need, Role};

    macro_rules! needs {
        ($($(#[$doc:meta])* $name:ident = $role:expr;)*) => {
            $(
                $(#[$doc])*
                pub(in crate::http::console) struct $name;

                impl Need for $name {
                    const ROLE: Option<Role> = $role;
                }
            )*
        };
    }

    needs! {
        /// Nobody in particular.
        Anybody = None;
        /// Somebody who may look.
        Viewer = Some(Role::Viewer);
        /// Somebody who may act and see personal data.
        Operator = Some(Role::Operator);
        /// Somebody who manages users.
        Admin = Some(Role::Admin);
    }
}

/// A request by somebody who has the role.
pub(super) struct Visit<N> {
    /// Whom the page is shown to, and how.
    pub(super) view: View,
    needed: PhantomData<N>,
}

/// The request's view, where who looks has the role that is needed.
pub(super) fn admitted<N: Need>(parts: &Parts) -> Result<View, Failure> {
    // `identify` is before every handler.
    let view = parts.extensions.get::<View>().cloned().ok_or(Failure::NotFound)?;
    match (N::ROLE, &view.user) {
        (None, _) => Ok(view),
        (Some(_), None) => Err(Failure::SignInFirst),
        (Some(role), Some(user)) if user.role >= role => Ok(view),
        (Some(role), Some(_)) => Err(Failure::RoleMissing(role)),
    }
}

impl<N: Need> FromRequestParts<Arc<Console>> for Visit<N> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _console: &Arc<Console>) -> Result<Self, Failure> {
        Ok(Self { view: admitted::<N>(parts)?, needed: PhantomData })
    }
}

/// The session that a request's cookie names, where it still counts, and its user.
async fn signed_in(console: &Arc<Console>, token: &Token) -> Result<Option<SignedIn>, Failure> {
    let (digest, now) = (token.digest(), console.clock.now());
    console
        .read(move |console| {
            let Some((session, user)) = console.store.session(&digest)? else { return Ok(None) };
            let counts = session.is_alive(now, console.lifetimes) && console.takes_sessions_of(&user);
            if !counts || user.disabled_at.is_some() {
                return Ok(None);
            }
            if session.is_to_be_noted(now) {
                console.store.note_session(&digest, now)?;
            }
            let has_password = user.password.is_some();
            Ok(Some(SignedIn { name: user.name, role: user.role, session: digest, has_password }))
        })
        .await
}

/// Makes the view of a request, and the page of a failure.
pub(super) async fn identify(State(console): State<Arc<Console>>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let session = Cookie::Session.of(headers).and_then(Token::parse);
    let visitor = Cookie::Visitor.of(headers).and_then(Token::parse);
    let found = match &session {
        Some(token) => signed_in(&console, token).await,
        None => Ok(None),
    };
    let (user, failed) = match found {
        Ok(user) => (user, None),
        Err(failure) => (None, Some(failure)),
    };
    let token = session.filter(|_| user.is_some()).or(visitor);
    let (token, new_visitor) = match token {
        Some(token) => (Some(token), false),
        None => (Token::random(console.entropy).ok(), true),
    };
    let peer =
        request.extensions().get::<Origin>().and_then(|origin| origin.address).map(|address| address.to_string());
    let view = View {
        language: Cookie::Language.of(headers).and_then(Language::from_tag).unwrap_or_default(),
        theme: Cookie::Theme.of(headers).and_then(Theme::from_name).unwrap_or_default(),
        user,
        form_token: token.as_ref().map(Token::form_token).unwrap_or_default(),
        address: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        wants_fragment: headers.contains_key("hx-request"),
        peer: peer.unwrap_or_default(),
        now: console.clock.now(),
    };
    request.extensions_mut().insert(view.clone());
    let mut response = match failed {
        None => next.run(request).await,
        Some(failure) => axum::response::IntoResponse::into_response(failure),
    };
    let cookie = token.filter(|_| new_visitor).and_then(|token| Cookie::Visitor.set(&token.expose()));
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    failure::show(response, &view)
}
