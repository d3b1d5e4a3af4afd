//! What redis-sentinel makes of a configuration file, we make of it too, byte for byte.
//!
//! The same file and the same history are given to the reference and to us, one after the other in the same folder and on the
//! same ports, so that there is nothing to mask but a generated run id and the order in which the reference walks its hash
//! tables (see `normal`). Then each reads what the other wrote, and writes it again.

mod bench;
mod files;
mod history;
mod normal;
mod random;
mod reload;
mod rows;
#[path = "../support/mod.rs"]
mod support;
mod tables;
mod users;
