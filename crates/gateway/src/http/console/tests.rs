//! The console through its router, over a ledger on disk.

mod frame;
mod signing_in;
mod traffic;
mod users;
mod world;
