//! The real binary over HTTP, as a platform, a customer and an operator meet it.

#![cfg(test)]

mod backup;
mod commands;
mod core_system;
mod documents;
mod failures;
mod gateway;
mod issuing;
mod life;
mod limits;
mod messages;
mod outbound;
mod papers;
mod pictures;
mod provider;
mod tls;
mod verify;
