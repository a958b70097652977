//! What an address may say that no log, no history and no proxy should read: sealed by the ledger's key.
//!
//! What people look for may be a name or an ID number, so a search's address holds it sealed. What somebody has given a
//! reason to look at has an address that is good for their session and a while, and holds the reason for the audit log.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::view::View;
use crate::vault::{Purpose, Sealed, Vault};

/// How long something may be looked at again under the same reason.
const LOOK_FOR: SignedDuration = SignedDuration::from_mins(10);

/// What an address says under seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ticket {
    /// Find this.
    Find(String),
    /// Let this session look at this.
    Look {
        /// The digest of its token.
        session: [u8; 32],
        /// What it may look at, as the audit log names it.
        subject: String,
        /// Why.
        reason: String,
        /// Until when.
        until: Timestamp,
    },
}

impl Ticket {
    /// A ticket for whoever looks, to look at that.
    pub(super) fn look(view: &View, subject: String, reason: String) -> Option<Self> {
        let session = view.user.as_ref()?.session.0;
        Some(Self::Look { session, subject, reason, until: view.now + LOOK_FOR })
    }

    /// The reason, where the ticket lets whoever looks see that.
    pub(super) fn reason_to_look(self, view: &View, wanted: &str) -> Option<String> {
        let Self::Look { session, subject, reason, until } = self else { return None };
        let is_theirs = view.user.as_ref().is_some_and(|user| user.session.0 == session);
        (is_theirs && subject == wanted && view.now < until).then_some(reason)
    }

    /// Its text in an address.
    pub(super) fn seal(&self, vault: &Vault) -> Result<String, Failure> {
        let plain = serde_json::to_vec(self).map_err(|error| Failure::Unavailable(error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(vault.seal(Purpose::Address, &plain)?.as_bytes()))
    }

    /// Reads an address's text; `None` for what this gateway has not written.
    pub(super) fn open(vault: &Vault, text: &str) -> Option<Self> {
        let sealed = Sealed::from_stored(URL_SAFE_NO_PAD.decode(text).ok()?);
        serde_json::from_slice(&vault.open(Purpose::Address, &sealed).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::role::Role;
    use crate::console::session::TokenDigest;
    use crate::http::console::language::Language;
    use crate::http::console::view::{SignedIn, Theme};
    use crate::vault::tests::vault;

    fn view(session: u8, now: Timestamp) -> View {
        let session = TokenDigest([session; 32]);
        let user = SignedIn { name: "li".to_owned(), role: Role::Operator, session, has_password: true };
        View {
            language: Language::Chinese,
            theme: Theme::System,
            user: Some(user),
            form_token: String::new(),
            address: String::new(),
            wants_fragment: false,
            peer: String::new(),
            now,
        }
    }

    #[test]
    fn a_ticket_is_good_for_one_session_one_subject_and_a_while() {
        let vault = vault();
        let now = Timestamp::UNIX_EPOCH;
        let ticket = Ticket::look(&view(1, now), "policy:P1".to_owned(), "工单 7".to_owned()).unwrap();
        let text = ticket.seal(&vault).unwrap();
        let reason = |view: &View, wanted: &str| Ticket::open(&vault, &text).unwrap().reason_to_look(view, wanted);
        assert_eq!(reason(&view(1, now), "policy:P1").as_deref(), Some("工单 7"));
        assert_eq!(reason(&view(2, now), "policy:P1"), None);
        assert_eq!(reason(&view(1, now), "policy:P2"), None);
        assert_eq!(reason(&view(1, now + LOOK_FOR), "policy:P1"), None);
        assert_eq!(Ticket::open(&crate::vault::tests::vault(), &text), None);
        assert_eq!(Ticket::open(&vault, "AAAA"), None);
        assert_eq!(Ticket::Find("x".to_owned()).reason_to_look(&view(1, now), "policy:P1"), None);
    }
}
