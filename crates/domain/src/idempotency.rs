//! What makes two messages one.

use std::fmt;

/// The identity under which an answer is kept for ever: the channel and interface, and the key that the
/// interface's document names (`identifier` in issuing and recovery).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey {
    /// Channel and interface, such as `qimen/policy-issuing`.
    pub scope: &'static str,
    /// The document's key, as it came.
    pub key: String,
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scope, self.key)
    }
}

/// A message's own identity, apart from what it asks: `head.uuid` of Avatar, which may never come twice with other
/// content. A retry may bring a new one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageUuid {
    /// Channel and interface, such as `avatar/rescission-notice`.
    pub scope: &'static str,
    /// Who sent it: one sender's identities are nothing to another.
    pub sender: String,
    /// The identity, as it came.
    pub uuid: String,
}

/// A keyed digest of a message's decoded business content: without signature, timestamp or spelling, so that
/// a retry in another format is the same message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);
