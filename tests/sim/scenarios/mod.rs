//! What an operator expects of a fleet, each tried with many seeds: no property objects, and what is awaited comes in time.
//!
//! The promises of liveness have a file each, with their bounds at the top: `detection`, `replacement`, `split_vote`, `leader_crash`,
//! `agreement`, `rediscovery`. docs/SIMULATOR.md lists the bounds, and docs/SAFETY.md those that an operator should know.

mod agreement;
mod detection;
mod disks;
mod elections;
mod failovers;
mod leader_crash;
mod rediscovery;
mod replacement;
mod split_vote;

use std::net::SocketAddrV4;

use crate::clock::MILLI;
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

/// The same; how long it took, in milliseconds.
pub fn takes(world: &mut World, what: &str, millis: u64, condition: impl Fn(&World) -> bool) -> u64 {
    let since = world.now;
    until(world, what, millis, condition);
    (world.now - since) / MILLI
}

/// Runs for a while, in which nothing may go wrong.
pub fn pass(world: &mut World, millis: u64) {
    world.run(millis);
    if let Some(failure) = &world.failure {
        panic!("{failure}");
    }
}

/// Three Sentinels or more on machines that are far from each other: a packet takes 20 to 40 ms.
pub fn far_apart(seed: u64, sentinels: usize, replicas: usize) -> World {
    settled(Plan::plain(seed, sentinels, replicas).with(|plan| plan.latency = (20 * MILLI, 20 * MILLI)))
}

/// The longest that a packet takes, in milliseconds, rounded up.
pub fn longest_way(world: &World) -> u64 {
    (world.net.base + world.net.jitter).div_ceil(MILLI)
}

/// All files of live Sentinels name this master.
pub fn all_agree(world: &World, master: SocketAddrV4) -> bool {
    let mut live = world.facts.iter().filter(|facts| facts.alive);
    live.all(|facts| {
        let known = &facts.disk.masters[0];
        known.host == master.ip().to_string() && known.port == master.port()
    })
}

/// The same, and they tell their clients so.
pub fn all_name(world: &World, master: SocketAddrV4) -> bool {
    let told = (master.ip().to_string(), master.port());
    let name = &world.plan.clusters[0].name;
    let mut live = world.nodes.iter().filter(|node| node.brain.is_some());
    all_agree(world, master) && live.all(|node| node.directory.get(name.as_str()) == Some(&told))
}

/// The master that all live Sentinels name, if it is one.
pub fn named(world: &World) -> Option<SocketAddrV4> {
    let masters = world.servers.values().filter(|server| server.is_well(world.now) && server.is_master());
    masters.map(|server| server.address).find(|address| all_name(world, *address))
}

/// The same, if every other server that is well follows it.
pub fn well(world: &World) -> Option<SocketAddrV4> {
    named(world).filter(|master| {
        let mut others = world.servers.values().filter(|server| server.is_well(world.now));
        others.all(|server| server.address == *master || server.follows(*master))
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

/// When and by whom something that begins like this was first said, at or after an instant.
pub fn first_said(world: &World, since: u64, prefix: &str) -> Option<(u64, usize)> {
    let told = world.events.iter().find(|(at, _, text)| *at >= since && text.starts_with(prefix));
    told.map(|event| (event.0, event.1))
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
