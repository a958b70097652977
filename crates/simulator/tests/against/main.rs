//! The simulator against servers of known behaviour.

#[cfg(test)]
mod callers;
#[cfg(test)]
mod load;
#[cfg(test)]
mod outbound;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod send;
#[cfg(test)]
mod server;
