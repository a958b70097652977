//! The people who use the console: who they are, what they may do, and the record of what they did.
//!
//! `http/console` shows pages and translates; what it knows of people is here, apart from HTTP, and the command line
//! (`baoqiao user`) uses the same.

pub mod attempts;
pub mod audit;
pub mod oidc;
pub mod password;
pub mod role;
pub mod session;
pub mod store;
