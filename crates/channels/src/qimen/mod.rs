//! Qimen, 奇门: the platform calls the insurer (protocols.md §2).

pub mod body;
pub mod sign;
