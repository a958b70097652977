//! The crash suite: whatever is killed, whenever, what was acknowledged stays.
//!
//! Clients with a seeded script call gateways of the real binary. These, their database and the way to it are killed and
//! cut at random moments, while the platform that they notify misbehaves. Afterwards everything is asked back. [`check`] judges by what clients sent and were
//! answered, and by what the platform took, alone. `docs/reliability.md` tells what was found.
//!
//! The long tests are ignored unless asked for: `scripts/test.sh` runs them once, `scripts/soak.sh` for as long as wanted.

#![cfg(test)]

mod campaign;
mod census;
mod check;
mod client;
mod fleet;
mod journal;
mod order;
mod power;
mod proxy;
mod runs;
mod script;
mod starting;
mod world;
