//! The service: what arrives over HTTP becomes a command, the ledger decides and keeps it, the answer goes back.
//!
//! The decisions are in `baoqiao-domain` and the wire in `baoqiao-channels`; here are the shell around them and
//! the three things that touch the world: sockets, files and the clock.

pub mod clock;
pub mod config;
pub mod console;
pub mod documents;
pub mod explainer;
pub mod gateway;
pub mod http;
pub mod https;
pub mod ledger;
pub mod opening;
pub mod outbox;
pub mod record;
pub mod statistics;
pub mod tls;
pub mod vault;
