//! The same engine under a virtual network, disk and clock: every run is fixed by its seed. docs/SIMULATOR.md tells what is modelled.
//!
//! `SIM_SEEDS=1000 cargo test --profile sim --features holes --test sim seeds` runs more of them; a failure prints its seed, and
//! `SIM_SEED=<n>` replays it; with `SIM_TRACE=1` it tells everything that leaves a Sentinel.

mod brain;
mod clock;
mod disk;
mod door;
mod faults;
#[cfg(feature = "holes")]
mod holes;
mod link;
mod liveness;
mod mass;
mod mixed;
mod network;
mod node;
mod operator;
mod plan;
mod properties;
mod redis;
mod reference;
mod regressions;
mod remedies;
mod runner;
mod scenarios;
// What no property asks for yet is there for the next one.
#[allow(dead_code)]
mod seen;
mod serving;
mod shell;
mod stats;
mod trace;
mod world;
