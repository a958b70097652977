//! TOP, 淘宝开放平台: the insurer calls the platform (protocols.md §1).
//!
//! `POST {gateway}/router/rest`; [`call`] makes the request, [`verdict`] says what the answer means, and one file
//! an interface says what goes into the one and which words of the other accept the notice.

mod answer;
pub mod auction_result;
pub mod call;
mod explain;
pub mod sign;
pub mod surrender_sync;
pub mod verdict;

pub use auction_result::AuctionResult;
pub use explain::explain;
pub use surrender_sync::SurrenderSync;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod verdict_tests;
