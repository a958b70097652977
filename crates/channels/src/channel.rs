//! What a channel and an interface are to the gateway.
//!
//! A call passes `interface` (which only decides in whose envelope is answered), `authenticate`, `decode`, the
//! ledger, `reply`. No method has a default: a default that says yes is how signatures get skipped.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde_json::{Map, Value};

use baoqiao_domain::idempotency::MessageUuid;
use baoqiao_domain::ledger::{Command, Outcome};
use baoqiao_domain::product::Catalogue;
use baoqiao_domain::refusal::Refusal;

use crate::access::Access;
use crate::explain::{Evidence, Explanation, Known};
use crate::origin::Origin;

/// A request as it arrived, nothing decoded.
#[derive(Debug, Clone, Default)]
pub struct RawRequest {
    /// The query string, without the question mark.
    pub query: Bytes,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A request whose caller is known. Only a channel's `authenticate` makes one.
#[derive(Debug, Clone)]
pub struct Verified<'a> {
    raw: &'a RawRequest,
    caller: &'a str,
    secret_index: usize,
}

impl<'a> Verified<'a> {
    pub(crate) fn new(raw: &'a RawRequest, caller: &'a str, secret_index: usize) -> Self {
        Self { raw, caller, secret_index }
    }

    /// The request.
    pub fn raw(&self) -> &'a RawRequest {
        self.raw
    }

    /// The caller's id in the configuration.
    pub fn caller(&self) -> &'a str {
        self.caller
    }

    /// Which of the caller's live secrets fitted, counted from 0: tells when a rotation is complete.
    pub fn secret_index(&self) -> usize {
        self.secret_index
    }
}

/// What a request asks for, with the document's idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The key that the interface's document names.
    pub key: String,
    /// The message's own identity, where the document has such: it may never come twice with other content.
    pub uuid: Option<MessageUuid>,
    /// The command.
    pub command: Command,
}

/// An answer, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status: 200 for every business answer, refused signatures included (protocols.md §2).
    pub status: u16,
    /// The content type with its charset.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// The body of a request that somebody wants to try.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The content type with its charset.
    pub content_type: HeaderValue,
    /// The body, in that charset.
    pub body: Bytes,
}

impl Draft {
    pub(crate) fn headers(&self) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, self.content_type.clone())])
    }
}

/// A name for people, in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// 中文.
    pub zh: &'static str,
    /// English.
    pub en: &'static str,
}

/// What an interface's document shows of it.
#[derive(Debug, Clone, Copy)]
pub struct Examples {
    /// A request.
    pub request: &'static str,
    /// The answer of one that was accepted.
    pub answer: &'static str,
}

/// What came of a call: the form in which an interface is told.
pub type CallResult = Result<Outcome, Refusal>;

/// A family of interfaces behind one address.
pub trait Channel: Send + Sync {
    /// Its name in the ledger and in the configuration, such as `qimen`.
    fn name(&self) -> &'static str;

    /// The path of its calls, such as `/qimen`.
    fn path(&self) -> &'static str;

    /// Its interfaces.
    fn interfaces(&self) -> &'static [&'static dyn Interface];

    /// The ids of all who may call it.
    fn callers(&self, access: &Access) -> Vec<String>;

    /// Whether that caller's calls are signed with a secret: where they are not, none of its secrets has fitted either.
    fn signs(&self, caller: &str, access: &Access) -> bool;

    /// The interface that a request claims to be for; nothing of the request is to be believed yet.
    fn interface(&self, raw: &RawRequest, access: &Access) -> Option<&'static dyn Interface>;

    /// Checks who calls, on the bytes as they came and on where they came from.
    ///
    /// # Errors
    /// [`Refusal::Untrusted`], with the reason for our own eyes; where the caller stands in the body, also what is
    /// wrong with that.
    fn authenticate<'a>(
        &self,
        raw: &'a RawRequest,
        origin: &Origin,
        access: &'a Access,
        now: Timestamp,
    ) -> Result<Verified<'a>, Refusal>;

    /// Tells `authenticate` step by step, of a request that had come at `now`, and, where its signature is wrong, what
    /// its sender did instead. For people: nothing is believed for it.
    fn explain(&self, evidence: &Evidence, known: &Known<'_>, now: Timestamp) -> Explanation;

    /// The fields of the body as one tree, whatever its spelling: for people, as nothing of it is believed or checked.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when it cannot be read.
    fn fields(&self, raw: &RawRequest) -> Result<Map<String, Value>, Refusal>;

    /// A request to that interface as that caller would make it at `now`, signed with a live secret; `None` where there is
    /// no such caller. For people to try things with: what comes of it is a call like any other.
    fn compose(
        &self,
        interface: &dyn Interface,
        caller: &str,
        draft: &Draft,
        access: &Access,
        now: Timestamp,
    ) -> Option<RawRequest>;

    /// Refuses a verified call that is for no interface.
    fn unknown_interface(&self, call: &Verified<'_>) -> Refusal;

    /// The code by which the other side is told of a refusal.
    fn told_code(&self, refusal: &Refusal) -> &'static str;

    /// The answer to a refused call that is for no known interface.
    fn reply_refused(&self, raw: &RawRequest, refusal: &Refusal, now: Timestamp) -> Reply;
}

/// One interface of a channel.
pub trait Interface: Send + Sync {
    /// Channel and interface as the idempotency keys' scope, such as `qimen/policy-issuing`.
    fn scope(&self) -> &'static str;

    /// Its name, for people.
    fn label(&self) -> Label;

    /// The method name on the wire unless the configuration says otherwise; `None` in a channel without such names.
    fn default_method(&self) -> Option<&'static str>;

    /// What its document shows of it, the request in JSON.
    fn examples(&self) -> Examples;

    /// The idempotency keys that messages of these callers may have which name themselves so in the field that people
    /// know them by, such as an order number.
    fn keys_named(&self, name: &str, callers: &[String]) -> Vec<String>;

    /// Reads the request into a command.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] and [`Refusal::InvalidFields`], the latter with every problem that can be told,
    /// the catalogue's rules included.
    fn decode(&self, call: &Verified<'_>, catalogue: &Catalogue) -> Result<Decoded, Refusal>;

    /// Writes the answer of the moment `now` in the interface's own envelope and in the format that the request asks
    /// for. Only what says the moment may differ when the same is answered again.
    fn reply(&self, raw: &RawRequest, result: &CallResult, now: Timestamp) -> Reply;
}
