//! Whom a page is shown to, and how: what every template takes.

use std::fmt::Display;

use baoqiao_channels::channel::Label;
use jiff::Timestamp;

use super::language::{Language, Message};
use crate::console::audit::{Action, AuditEntry};
use crate::console::role::Role;
use crate::console::session::TokenDigest;

/// The colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Theme {
    /// As the person's system has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// Every theme, in the order in which the button goes through them.
    pub(super) const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The name in HTML and in the cookie.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == name)
    }
}

/// Somebody who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignedIn {
    /// Their name.
    pub(super) name: String,
    /// What they may do.
    pub(super) role: Role,
    /// Their session.
    pub(super) session: TokenDigest,
    /// Whether their password is kept here.
    pub(super) has_password: bool,
}

/// One request for a page.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// The language.
    pub(super) language: Language,
    /// The colours.
    pub(super) theme: Theme,
    /// Who looks.
    pub(super) user: Option<SignedIn>,
    /// What every form carries.
    pub(super) form_token: String,
    /// The address within the gateway, with its query.
    pub(super) address: String,
    /// Whether a piece of a page is asked for.
    pub(super) wants_fragment: bool,
    /// The address that they come from.
    pub(super) peer: String,
    /// The moment.
    pub(super) now: Timestamp,
}

impl View {
    /// A message in the page's language.
    pub(super) fn t(&self, message: Message) -> &'static str {
        message.in_language(self.language)
    }

    /// A name in the page's language.
    pub(super) fn label(&self, label: Label) -> &'static str {
        match self.language {
            Language::Chinese => label.zh,
            Language::English => label.en,
        }
    }

    /// A message with values.
    pub(super) fn with(&self, message: Message, values: &[&dyn Display]) -> String {
        message.with(self.language, values)
    }

    /// Whether who looks may do what that role may.
    pub(super) fn may(&self, role: Role) -> bool {
        self.user.as_ref().is_some_and(|user| user.role >= role)
    }

    /// What the audit log is told of what they do: to what, and why.
    pub(super) fn does(&self, action: Action, subject: String, reason: String) -> AuditEntry {
        let (user, peer) = (self.user_name().to_owned(), self.peer.clone());
        AuditEntry { at: self.now, user, peer, action, subject, reason, detail: String::new() }
    }

    /// The name of who looks.
    pub(super) fn user_name(&self) -> &str {
        self.user.as_ref().map_or("", |user| &user.name)
    }
}
