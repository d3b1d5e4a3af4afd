//! The `sentineld` binary.

fn main() {}
