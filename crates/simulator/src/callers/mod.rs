//! The platforms that call the gateway, played by a scenario: Qimen's issuing and recovery, Avatar's rescission.
//!
//! A scenario is a list of steps; a step sends a range of messages in some order, each in so many copies at the same
//! moment, and all of it again so many times. A message is known by its number through all steps: a recovery or a
//! rescission of message 3 is about the policy that issuing message 3 was answered with. Whatever is sent how often,
//! a message that was accepted once must be answered alike for ever; the [`Report`] counts where it was not.

mod message;
mod play;
mod report;
mod scenario;

pub use play::{Callers, PlayError};
pub use report::{Report, StepReport};
pub use scenario::Scenario;
