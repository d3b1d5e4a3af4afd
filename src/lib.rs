//! sentineld: a drop-in replacement for the Redis Sentinel daemon.
//!
//! Facts go in, actions come out, and nothing else happens in between: every decision is made by [`engine`], which does no I/O;
//! the rest feeds it and carries out what it asks. Modules, in dependency order:
//!
//! - [`text`]: words and numbers as text
//! - [`model`]: leaf values (time, identity, epochs, addresses)
//! - [`wire`]: bytes ⇄ types, the only place that knows RESP
//! - [`conf`]: `sentinel.conf`, read and rewritten
//! - [`acl`]: who may run what: users and their rules
//! - [`session`]: one client connection's own state
//! - [`engine`]: every decision
//! - [`daemon`]: the only I/O
//! - [`cli`]: the command line

pub mod acl;
pub mod cli;
pub mod conf;
pub mod daemon;
pub mod engine;
pub mod model;
pub mod session;
pub mod text;
pub mod wire;
