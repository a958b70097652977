//! The console through its router, over a ledger on disk.

mod finding;
mod frame;
mod overview;
mod policy;
mod provider;
mod signing_in;
mod traffic;
mod users;
mod world;
