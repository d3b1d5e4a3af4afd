//! The rules of the engine, one family a file: facts at times, and what follows from them. Only the public doors are used.

mod asking;
mod commands;
mod failover;
mod gossip;
mod health;
mod info;
mod lab;
mod levels;
mod links;
mod scripts;
mod selection;
mod stub;
mod votes;
