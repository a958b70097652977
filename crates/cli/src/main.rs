//! The one binary, `baoqiao`.

mod commands;

fn main() {}
