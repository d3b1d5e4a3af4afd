//! The same engine under a virtual network, disk and clock: every run is fixed by its seed.
//!
//! `SIM_SEEDS=1000 cargo test --release --test sim` runs more of them; a failure prints its seed, and `SIM_SEED=<n>` replays it; with
//! `SIM_TRACE=1` it tells what every Sentinel says meanwhile.

mod chaos;
mod network;
mod node;
mod oracle;
#[allow(dead_code)] // The world has nothing to show them yet.
mod properties;
mod redis;
mod scenarios;
#[allow(dead_code)]
mod seen;
mod world;
