//! What tests need of the world around. For development only: nothing that is shipped depends on it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "whatever fails here fails the test"
)]

pub mod gateway;
pub mod http;
pub mod openid;
mod postgres;

pub use postgres::Postgres;
