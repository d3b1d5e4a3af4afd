//! What an operator expects of a fleet, each tried with many seeds: no property objects, and what is awaited comes in time.

mod disks;
mod elections;
mod failovers;

use std::net::SocketAddrV4;

use crate::plan::{Plan, server_address};
use crate::runner::{number, quietly, wanted};
use crate::trace;
use crate::world::World;

/// The silence after which a master is down, in these scenarios, in milliseconds.
pub const DOWN_AFTER: u64 = 1_000;

/// The first master, and its replicas by their number.
pub fn server(index: usize) -> SocketAddrV4 {
    server_address(0, index)
}

/// Runs a scenario for many seeds; a failure tells its own and the history.
pub fn for_seeds(scenario: impl Fn(u64)) {
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SCENARIO_SEEDS").unwrap_or(12),
    };
    for seed in seeds {
        trace::begin();
        if let Err(text) = quietly(|| scenario(seed)) {
            panic!("{}\n{text}\nthis was SIM_SEED={seed}", trace::history());
        }
    }
}

/// A world with every property, just started.
pub fn world(plan: Plan) -> World {
    World::new(plan, wanted())
}

/// Everybody knows everybody, and the seed decides how far into its periods.
pub fn healthy(seed: u64, sentinels: usize, replicas: usize) -> World {
    settled(Plan::plain(seed, sentinels, replicas))
}

/// The same from a plan of one's own.
pub fn settled(plan: Plan) -> World {
    let (seed, sentinels, replicas) = (plan.seed, plan.sentinels.len(), plan.clusters[0].replicas);
    let mut world = world(plan);
    until(&mut world, "discovery", 5_000, |world| {
        world.facts.iter().all(|facts| {
            let master = &facts.disk.masters[0];
            master.peers.len() == sentinels - 1 && master.replicas.len() == replicas
        })
    });
    world.run(3_000 + seed * 37 % 1_000);
    world
}

/// Runs until the condition holds, which must be within so many milliseconds.
pub fn until(world: &mut World, what: &str, millis: u64, condition: impl Fn(&World) -> bool) {
    let came = world.reaches(millis, condition);
    if let Some(failure) = &world.failure {
        panic!("{failure}");
    }
    assert!(came, "{what} did not happen within {millis} ms");
}

/// Runs for a while, in which nothing may go wrong.
pub fn pass(world: &mut World, millis: u64) {
    world.run(millis);
    if let Some(failure) = &world.failure {
        panic!("{failure}");
    }
}

/// All files of live Sentinels name this master.
pub fn all_agree(world: &World, master: SocketAddrV4) -> bool {
    let mut live = world.facts.iter().filter(|facts| facts.alive);
    live.all(|facts| {
        let known = &facts.disk.masters[0];
        known.host == master.ip().to_string() && known.port == master.port()
    })
}

/// A master that is not the first one.
pub fn promoted(world: &World) -> Option<SocketAddrV4> {
    let masters = world.servers.values().filter(|server| server.is_well(world.now) && server.is_master());
    masters.map(|server| server.address).find(|address| *address != server(0))
}

/// When a Sentinel first said something that begins like this, at or after an instant.
pub fn said(world: &World, node: usize, since: u64, prefix: &str) -> Option<u64> {
    let told =
        world.events.iter().find(|(at, who, text)| *at >= since && *who == node && text.starts_with(prefix));
    told.map(|event| event.0)
}

/// The whole story of a lost master, up to everybody agreeing and following; `detection` is how long the loss itself may go unnoticed.
pub fn fail_over(world: &mut World, detection: u64) -> SocketAddrV4 {
    let lost_at = world.now;
    let limit = detection + DOWN_AFTER;
    let left = |world: &World, slack: u64| {
        (lost_at / 1_000_000 + limit + slack).saturating_sub(world.now / 1_000_000)
    };
    until(world, "promotion", limit + 30, |world| promoted(world).is_some());
    let address = promoted(world).expect("just seen");
    let rest = left(world, 60);
    until(world, "agreement", rest, |world| all_agree(world, address));
    let rest = left(world, 100);
    until(world, "following", rest, |world| {
        let mut others =
            world.servers.values().filter(|other| other.address != address && other.address != server(0));
        others.all(|other| !other.is_well(world.now) || other.follows(address))
    });
    address
}
