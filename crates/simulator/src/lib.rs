//! The platform's side, to develop and measure against.
//!
//! [`qimen`] builds signed calls, pure and with the time handed in; [`client`] sends them; [`load`] sends many and
//! reports; [`platform`] takes the gateway's calls; [`callers`] plays the platforms that call it, by a scenario.

pub mod callers;
pub mod client;
pub mod example;
pub mod load;
pub mod platform;
pub mod pretty;
pub mod qimen;
pub mod scenario_file;
