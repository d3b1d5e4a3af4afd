//! The rules of the engine, one family a file: facts at times, and what follows from them. Only the public doors are used.

mod failover;
mod gossip;
mod lab;
mod links;
mod stub;
mod votes;
