//! The outbox: every notice that was decided is sent, in order, until it is taken or a person has looked at it.
//!
//! A notice is a row that was written with its cause, in one transaction. [`Worker`] claims due rows under a lease,
//! has each signed anew, sends it, has the answer judged, and records the attempt: all of that in turns of one
//! transaction, which records what has ended and claims what comes next. A worker that dies between sending and
//! recording leaves a lease that runs out; then the notice is sent again. So each arrives at least once, and never
//! none.
//!
//! - Notices of one subject go strictly in order, one at a time: the [store] makes only the first of them
//!   active. Subjects go side by side.
//! - A [lane](LaneConfig) is an application of ours at a platform. It keeps its call rate; a platform that complains is
//!   given a pause, and one that is down is tried by one call at a time.
//! - What fails is tried again after a [back-off](Backoff), until it was tried for too long. Then it is dead: visible,
//!   its subject waiting, until a person has it sent again or skipped ([`Desk`]).

mod attempt;
mod backoff;
mod desk;
mod lane;
pub mod store;
mod transport;
mod wake;
mod worker;

#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use desk::Desk;
pub use lane::LaneConfig;
pub use transport::{HttpTransport, Sending, Transport};
pub use wake::Wake;
pub use worker::{Policy, Tools, Worker};
