//! The rules of the engine, one family a file: facts at times, and what follows from them. Only the public doors are used.

mod asking;
mod commands;
mod contact;
mod denials;
mod endings;
mod failover;
mod fields;
mod gossip;
mod greeting;
mod health;
mod hosts;
mod info;
mod lab;
mod late;
mod levels;
mod lineage;
mod links;
mod opinions;
mod reports;
mod scripts;
mod selection;
mod sharing;
mod stub;
mod terms;
mod tilt;
mod votes;
