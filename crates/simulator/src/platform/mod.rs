//! TOP, 淘宝开放平台, as an insurer's calls meet it (protocols.md §1): to develop and test against with no network.
//!
//! A call to `/router/rest` passes the checks of its system parameters ([`Fault`] names each code), then the call
//! rate, then the [`Scenario`], which may misbehave to order; what is left is answered in the shape of its interface.
//! Everything is recorded before it is answered, so that a timeout can be told from a message never taken.
//!
//! The signature is checked by code of this module alone, written from protocols.md: it shares nothing with what
//! signs the gateway's calls, and so can judge it.

mod answer;
mod call;
mod checks;
mod fault;
mod interface;
mod record;
mod respond;
mod scenario;
mod server;
mod signature;

pub use fault::Fault;
pub use record::{Answered, Received};
pub use scenario::Scenario;
pub use server::{App, Now, Platform, Setup};

/// Where the platform takes calls.
pub const PATH: &str = "/router/rest";
