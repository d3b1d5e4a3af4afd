//! Words and numbers as text: what the configuration file and the protocol read by the same rules.

pub mod lossless;
pub mod number;
pub mod words;
