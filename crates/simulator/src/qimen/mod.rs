//! Calls as the Qimen platform makes them (protocols.md §2).

mod answer;
mod call;
mod charset;
mod document;
mod parameters;
mod xml;

pub use answer::{Answer, Verdict};
pub use baoqiao_channels::rule::Rule;
pub use call::{AnswerFormat, Call, SignedRequest};
pub use charset::{Charset, NotInCharset, UnknownCharset};
pub use document::{Document, DocumentError, source_text};
pub use parameters::{Parameter, decode_query, encode_query};

pub(crate) use parameters::decoded_pairs;
