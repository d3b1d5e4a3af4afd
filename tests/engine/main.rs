//! The rules of the engine, one family a file: facts at times, and what follows from them. Only the public doors are used.

mod asking;
mod commands;
mod crowd;
mod endings;
mod epochs;
mod failover;
mod fields;
mod forced;
mod gossip;
mod greeting;
mod health;
mod hosts;
mod info;
mod lab;
mod levels;
mod links;
mod mandate;
mod reports;
mod scripts;
mod selection;
mod sharing;
mod stub;
mod terms;
mod tilt;
mod votes;
mod waits;
