//! What an operator expects of a failover, in virtual time.

use std::time::Duration;

use sentineld::conf::MasterSettings;
use sentineld::wire::SentinelCommand;

use crate::node::known_peer;
use crate::redis::{Refuses, Role};
use crate::world::{MASTER, MILLI, World};

const DOWN_AFTER_MS: u64 = 1_000;

fn quick(master: &mut MasterSettings) {
    master.down_after = Duration::from_millis(DOWN_AFTER_MS);
    master.failover_timeout = Duration::from_secs(20);
}

/// Runs the scenario for many seeds; a failure names its own.
pub fn for_seeds(scenario: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(25),
    };
    for seed in seeds {
        if let Err(panic) = std::panic::catch_unwind(|| scenario(seed)) {
            eprintln!("failed with SIM_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Everybody knows everybody, and the seed decides how far into its periods.
pub fn healthy(seed: u64, sentinels: usize, replicas: u16) -> World {
    let mut world = World::new(seed, sentinels, replicas, quick);
    world.until("discovery", 5_000, |world| {
        world.nodes.iter().all(|node| {
            let master = &node.disk.masters[0];
            master.peers.len() == sentinels - 1 && master.replicas.len() == usize::from(replicas)
        })
    });
    world.run(3_000 + seed * 37 % 1_000);
    world
}

fn all_agree(world: &World, port: u16) -> bool {
    world.ports_on_disk().iter().all(|known| *known == port)
}

fn promoted(world: &World) -> Option<u16> {
    let masters =
        world.servers.values().filter(|server| server.alive && !server.paused && server.role == Role::Master);
    masters.map(|server| server.port).find(|port| *port != 6000)
}

/// The whole story of a lost master, up to everybody agreeing and following.
fn fail_over(world: &mut World, detection_ms: u64) -> u16 {
    let lost_at = world.now;
    let limit = detection_ms + DOWN_AFTER_MS;
    world.until("promotion", limit + 30, |world| promoted(world).is_some());
    let port = promoted(world).expect("just seen");
    world.until("agreement", (lost_at / MILLI + limit + 60).saturating_sub(world.now / MILLI), |world| {
        all_agree(world, port)
    });
    world.until("following", (lost_at / MILLI + limit + 100).saturating_sub(world.now / MILLI), |world| {
        let others = world
            .servers
            .values()
            .filter(|server| server.alive && !server.paused && server.port != port && server.port != 6000);
        others.into_iter().all(|server| server.follows(port))
    });
    port
}

#[test]
fn a_killed_master_is_replaced_within_milliseconds_of_detection() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        world.kill_server(6000);
        let port = fail_over(&mut world, 0);
        world.run(5_000);
        let attempts = world.events.iter().filter(|event| event.2.starts_with("+try-failover")).count();
        assert_eq!(attempts, 1, "one Sentinel acts, the others hold back:\n{}", world.history());
        world.restart_server(6000);
        world.until("demotion of the old master", 1_000, |world| world.servers[&6000].follows(port));
        world.run(3_000);
        assert_eq!(promoted(&world), Some(port), "the new master is left alone:\n{}", world.history());
    });
}

#[test]
fn a_stopped_master_is_replaced_and_demoted_when_it_goes_on() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        world.pause_server(6000);
        // The silence is noticed at the next PING, up to a period later, and a second Sentinel has to agree.
        let port = fail_over(&mut world, 1_100);
        world.run(4_000);
        world.resume_server(6000);
        world.until("demotion of the old master", 1_000, |world| world.servers[&6000].follows(port));
    });
}

#[test]
fn a_sentinel_that_dies_with_the_master_does_not_delay() {
    for_seeds(|seed| {
        for victim in 0..3 {
            let mut world = healthy(seed, 3, 2);
            world.kill_server(6000);
            world.kill_node(victim);
            fail_over(&mut world, 0);
        }
    });
}

#[test]
fn five_sentinels_agree_on_one_leader() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 5, 3);
        world.kill_server(6000);
        // One replica is re-pointed at a time: two of three have to follow.
        world.until("promotion", DOWN_AFTER_MS + 30, |world| promoted(world).is_some());
        let port = promoted(&world).expect("just seen");
        world.until("agreement", 60, |world| all_agree(world, port));
    });
}

#[test]
fn a_lone_sentinel_with_quorum_one_fails_over_by_itself() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 1, 1);
        world.kill_server(6000);
        assert_eq!(fail_over(&mut world, 0), 6001);
    });
}

#[test]
fn without_a_majority_nothing_is_promoted() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        world.kill_node(0);
        world.kill_node(1);
        world.kill_server(6000);
        world.run(30_000);
        assert_eq!(promoted(&world), None, "{}", world.history());
    });
}

#[test]
fn a_full_disk_gives_no_vote_and_wins_no_election() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        world.nodes[0].disk_full = true;
        world.nodes[1].disk_full = true;
        world.kill_server(6000);
        world.run(15_000);
        assert_eq!(promoted(&world), None, "{}", world.history());
        world.nodes[0].disk_full = false;
        world.nodes[1].disk_full = false;
        world.until("promotion once there is space", 60_000, |world| promoted(world).is_some());
    });
}

#[test]
fn a_server_without_transactions_is_promoted_by_the_plain_command() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 1);
        world.servers.get_mut(&6001).expect("a replica").refuses = Refuses::Transactions;
        world.kill_server(6000);
        fail_over(&mut world, 0);
    });
}

#[test]
fn a_replica_that_refuses_is_passed_over_within_a_second() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        let best = world.servers.get_mut(&6001).expect("a replica");
        best.refuses = Refuses::SlaveOf;
        best.priority = 1;
        world.run(11_000);
        world.kill_server(6000);
        world.until("promotion of the other", DOWN_AFTER_MS + 1_000, |world| promoted(world) == Some(6002));
        world.until("agreement", 1_000, |world| all_agree(world, 6002));
    });
}

#[test]
fn an_operator_can_force_a_failover_and_the_old_master_follows() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        world.command(usize::try_from(seed % 3).expect("small"), SentinelCommand::Failover(MASTER.into()));
        world.until("promotion", 100, |world| promoted(world).is_some());
        let port = promoted(&world).expect("just seen");
        world.until("agreement", 100, |world| all_agree(world, port));
        world.until("demotion of the old master", 2_000, |world| world.servers[&6000].follows(port));
    });
}

#[test]
fn a_node_that_restarts_remembers_its_vote_and_the_new_master() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        world.kill_server(6000);
        let lost_at = world.now;
        let victim = usize::try_from(seed % 3).expect("small");
        // Somewhere in the middle of the failover.
        world.run(DOWN_AFTER_MS + seed % 12);
        world.kill_node(victim);
        world.run(seed % 50);
        world.start(victim);
        world.until("promotion", 45_000, |world| promoted(world).is_some());
        // A leader that dies before it has saved the promotion may promote the other replica in its next life.
        let settled = |world: &World| promoted(world).is_some_and(|port| all_agree(world, port));
        world.until("agreement", 45_000, settled);
        assert!(world.now > lost_at);
    });
}

#[test]
fn peers_in_the_file_are_known_at_once() {
    let mut world = World::new(1, 3, 1, |master| {
        quick(master);
        master.peers = (0..3).map(known_peer).collect();
    });
    world.run(100);
    // Our own id in the file is not a peer: the voters stay three.
    world.kill_server(6000);
    world.until("objectively down", DOWN_AFTER_MS + 100, |world| {
        (0..3).any(|node| world.seen(node, 0, "+odown").is_some())
    });
}
