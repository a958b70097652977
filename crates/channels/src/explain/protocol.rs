//! Whose check a request is held against.

use jiff::Timestamp;

use super::evidence::Evidence;
use super::secrets::Known;
use super::{Explanation, Words};
use crate::CHANNELS;
use crate::channel::Channel;
use crate::qimen::sign::SignedParts;
use crate::top;

/// Whose check a request is held against: a channel's, or TOP's, which we call ourselves.
#[derive(Clone, Copy)]
pub enum Protocol {
    /// A platform calls us.
    Channel(&'static dyn Channel),
    /// We call TOP.
    Top,
}

impl Protocol {
    /// The protocol of that name, such as `qimen` or `top`.
    pub fn by_name(name: &str) -> Option<Self> {
        let channel = CHANNELS.iter().copied().find(|channel| channel.name() == name).map(Self::Channel);
        channel.or_else(|| (name == Self::Top.name()).then_some(Self::Top))
    }

    /// Every name.
    pub fn names() -> Vec<&'static str> {
        CHANNELS.iter().map(|channel| channel.name()).chain([Self::Top.name()]).collect()
    }

    /// The protocol that a request looks like: by its path, and where that is a proxy's own, by whether it is signed in
    /// its parameters.
    pub fn of(evidence: &Evidence) -> Self {
        let by_path = CHANNELS.iter().copied().find(|channel| evidence.path.ends_with(channel.path()));
        if let Some(channel) = by_path {
            return Self::Channel(channel);
        }
        if evidence.path.ends_with(top::call::PATH) {
            return Self::Top;
        }
        let signed = SignedParts::of(&evidence.raw).value("sign").is_some();
        Self::by_name(if signed { "qimen" } else { "avatar" }).unwrap_or(Self::Top)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Channel(channel) => channel.name(),
            Self::Top => "top",
        }
    }

    /// What it is, in words.
    pub fn words(self) -> Words {
        match self {
            Self::Channel(channel) => {
                let name = channel.name();
                Words::new(format!("平台调用我方（{name}）"), format!("a call to us ({name})"))
            }
            Self::Top => Words::new("我方调用平台（top）", "a call of ours to the platform (top)"),
        }
    }

    /// The explanation of a request that came, or went, at `now`.
    pub fn explain(self, evidence: &Evidence, known: &Known<'_>, now: Timestamp) -> Explanation {
        match self {
            Self::Channel(channel) => channel.explain(evidence, known, now),
            Self::Top => top::explain(evidence, known, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::RawRequest;
    use crate::explain::Kept;

    fn name(path: &str, query: &'static str) -> &'static str {
        let raw = RawRequest { query: query.into(), ..RawRequest::default() };
        Protocol::of(&Evidence { path: path.to_owned(), raw, kept: Kept::Whole, peer: None }).name()
    }

    #[test]
    fn a_request_is_known_by_its_path_or_else_by_its_sign() {
        assert_eq!(name("/qimen", ""), "qimen");
        assert_eq!(name("/proxy/avatar/refund/second/refundNotice", "sign=1"), "avatar");
        assert_eq!(name("/router/rest", "sign=1"), "top");
        assert_eq!(name("/", "sign=1"), "qimen");
        assert_eq!(name("/", ""), "avatar");
        for name in Protocol::names() {
            assert_eq!(Protocol::by_name(name).unwrap().name(), name);
        }
        assert!(Protocol::by_name("pigeon").is_none());
    }
}
