//! TOP, 淘宝开放平台: the insurer calls the platform (protocols.md §1).

pub mod sign;
