//! The real binary over HTTP, as a platform, a customer and an operator meet it.

#![cfg(test)]

mod commands;
mod documents;
mod gateway;
mod issuing;
mod life;
mod limits;
mod messages;
mod tls;
