//! Who leads: one, with a majority, and soon, whoever else is lost.

use super::*;

#[test]
fn a_sentinel_that_dies_with_the_master_does_not_delay() {
    for_seeds(|seed| {
        for victim in 0..3 {
            let mut world = healthy(seed, 3, 2);
            world.kill_server(server(0), false);
            world.kill_node(victim, false);
            fail_over(&mut world, 0);
        }
    });
}

#[test]
fn five_sentinels_agree_on_one_leader() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 5, 3);
        world.kill_server(server(0), false);
        // One replica is re-pointed at a time: two of three have to follow.
        until(&mut world, "promotion", DOWN_AFTER + 30, |world| promoted(world).is_some());
        let new = promoted(&world).expect("just seen");
        until(&mut world, "agreement", 60, |world| all_agree(world, new));
    });
}

#[test]
fn a_lone_sentinel_with_quorum_one_fails_over_by_itself() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 1, 1);
        world.kill_server(server(0), false);
        assert_eq!(fail_over(&mut world, 0), server(1));
    });
}

#[test]
fn without_a_majority_nothing_is_promoted() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        world.kill_node(0, false);
        world.kill_node(1, false);
        world.kill_server(server(0), false);
        pass(&mut world, 30_000);
        assert_eq!(promoted(&world), None);
    });
}

#[test]
fn peers_in_the_file_are_known_at_once() {
    let plan = Plan::plain(1, 3, 1).with(|plan| plan.acquainted = true);
    let mut world = world(plan);
    pass(&mut world, 100);
    world.kill_server(server(0), false);
    until(&mut world, "objectively down", DOWN_AFTER + 100, |world| {
        (0..3).any(|node| said(world, node, 0, "+odown").is_some())
    });
}

#[test]
fn a_master_that_is_monitored_again_is_elected_for_in_fresh_epochs() {
    for_seeds(|seed| {
        let sentinels = 1 + 2 * usize::try_from(seed % 2).expect("small");
        let mut world = healthy(seed, sentinels, 2);
        world.kill_server(server(0), false);
        let first = fail_over(&mut world, 0);
        let (ip, port) = (first.ip().to_string(), first.port().to_string());
        let (name, quorum) = (world.plan.clusters[0].name.clone(), sentinels.div_ceil(2).to_string());
        for node in 0..sentinels {
            world.order(node, &["SENTINEL", "REMOVE", &name]);
            world.order(node, &["SENTINEL", "MONITOR", &name, &ip, &port, &quorum]);
            world
                .order(node, &["SENTINEL", "SET", &name, "down-after-milliseconds", &DOWN_AFTER.to_string()]);
        }
        until(&mut world, "discovery", 5_000, |world| {
            world.facts.iter().all(|facts| {
                let master = &facts.disk.masters[0];
                master.peers.len() == sentinels - 1 && !master.replicas.is_empty()
            })
        });
        pass(&mut world, 3_000);
        world.kill_server(first, false);
        until(&mut world, "second promotion", DOWN_AFTER + 5_000, |world| {
            promoted(world).is_some_and(|address| address != first)
        });
        pass(&mut world, 2_000);
    });
}
