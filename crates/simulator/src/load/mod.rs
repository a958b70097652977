//! Many issuing calls, and recoveries among them, each with its own identifier and signature, and a report on their answers.
//!
//! One thread drives all connections, since it shares the machine with the gateway that it measures: [`mint`]
//! splices identifiers into a prebuilt body, [`deck`] decides which call repeats an earlier one, [`connection`]
//! sends at the moment that [`alarm`] keeps, [`judge`] reads the answer, [`tally`] counts, [`report`] tells.

mod alarm;
mod connection;
mod deck;
mod judge;
mod mint;
mod plan;
mod report;
mod run;
mod tally;
mod target;

pub use plan::{Identifiers, LoadError, Plan};
pub use report::{Bucket, Latency, Report};
pub use run::{Progress, run};
pub use tally::Counts;
