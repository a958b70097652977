//! What the gateway decides, and nothing of how it is reached or stored.
//!
//! A channel decodes a message into a [`ledger::Command`]; [`ledger::settle`] turns it, over the state the
//! ledger has loaded, into an outcome with its effects or into a [`refusal::Refusal`]. Time, policy numbers
//! and document addresses are handed in, so that the same inputs always give the same decision.
#![warn(clippy::float_arithmetic)]

pub mod auction;
pub mod bucket;
pub mod capitals;
pub mod currency;
pub mod difference;
pub mod event;
pub mod idempotency;
pub mod issuing;
pub mod ledger;
pub mod money;
pub mod notice;
pub mod party;
pub mod policy;
pub mod policy_number;
pub mod product;
pub mod recovery;
pub mod refusal;
pub mod rescission;
pub mod source;
pub mod surrender;
pub mod time;
pub mod webhook;
