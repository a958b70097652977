//! What is at hand of a request that was made.

use std::net::IpAddr;

use crate::channel::RawRequest;

/// How much of a request is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// All of it.
    Whole,
    /// The head, and of the body only the beginning.
    BodyCut {
        /// How long the body was, in bytes.
        body_bytes: usize,
    },
    /// Only the beginning of the head: not even the parameters are all there.
    HeadCut,
}

/// A request that was made, as it was recorded or pasted.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The path, such as `/qimen`.
    pub path: String,
    /// The request, as far as it is at hand.
    pub raw: RawRequest,
    /// How far that is.
    pub kept: Kept,
    /// The address that it came from, where that is known.
    pub peer: Option<IpAddr>,
}
