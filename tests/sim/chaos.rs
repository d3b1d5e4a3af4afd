//! Anything may break for a while; once it no longer does, there is one master that all follow.

use rand::Rng;

use crate::redis::{Refuses, Role};
use crate::scenarios::{for_seeds, healthy};
use crate::world::World;

/// Breaks or mends something at random. Forced failovers are left out: Compat: they take an epoch without anybody's agreement, so that two
/// of them can collide (spec 2 §9.10).
fn disturb(world: &mut World) {
    let port = 6000 + world.rng.random_range(0..3u16);
    let node = world.rng.random_range(0..3usize);
    let server = |world: &World| (world.servers[&port].alive, world.servers[&port].paused);
    match (world.rng.random_range(0..9), server(world)) {
        (0, (true, false)) => world.kill_server(port),
        (1, (true, false)) => world.pause_server(port),
        (0..=2, (true, true)) => world.resume_server(port),
        (0..=2, (false, _)) => world.restart_server(port),
        (3, _) if world.nodes[node].engine.is_some() => world.kill_node(node),
        (3 | 4, _) if world.nodes[node].engine.is_none() => world.start(node),
        (5, _) => world.nodes[node].disk_full ^= true,
        (6, _) => world.cut_links(node, port),
        (7, _) => world.nodes[node].wall_shift += world.rng.random_range(-3_000..3_000),
        (8, _) => {
            let next =
                [Refuses::Nothing, Refuses::Transactions, Refuses::SlaveOf][world.rng.random_range(0..3)];
            world.servers.get_mut(&port).expect("a known port").refuses = next;
        }
        _ => {}
    }
}

fn heal(world: &mut World) {
    for port in 6000..6003 {
        world.servers.get_mut(&port).expect("a known port").refuses = Refuses::Nothing;
        if !world.servers[&port].alive {
            world.restart_server(port);
        }
        world.resume_server(port);
    }
    for node in 0..world.nodes.len() {
        world.nodes[node].disk_full = false;
        if world.nodes[node].engine.is_none() {
            world.start(node);
        }
    }
}

/// One master by everybody's word and file, and all others follow it.
fn is_well(world: &World) -> bool {
    let ports = world.ports_on_disk();
    let port = ports[0];
    let others = world.servers.values().filter(|server| server.port != port);
    ports.iter().all(|other| *other == port)
        && world.servers[&port].role == Role::Master
        && others.into_iter().all(|server| server.follows(port))
}

#[test]
fn after_any_trouble_all_follow_one_master() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        for _ in 0..40 {
            disturb(&mut world);
            let pause = world.rng.random_range(1..1_500);
            world.run(pause);
        }
        heal(&mut world);
        // The slowest way: a vote given to a leader that died, TILT, and a stray replica that is repaired after failover-timeout.
        world.until("recovery", 180_000, is_well);
        world.run(30_000);
        assert!(is_well(&world), "it stays well:\n{}", world.history());
    });
}
