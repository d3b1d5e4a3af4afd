//! The only async code and the only I/O: sockets, timers, files, processes around the engine.

pub mod inbox;
pub mod serving;
