//! A lost master is replaced within milliseconds of its detection, and demoted when it returns.

use super::*;
use crate::redis::Refuses;

#[test]
fn a_killed_master_is_replaced_within_milliseconds_of_detection() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        world.kill_server(server(0), false);
        let new = fail_over(&mut world, 0);
        pass(&mut world, 5_000);
        let attempts = world.events.iter().filter(|event| event.2.starts_with("+try-failover")).count();
        assert_eq!(attempts, 1, "one Sentinel acts, the others hold back");
        world.restart_server(server(0), 0, false, false);
        until(&mut world, "demotion of the old master", 1_000, |world| {
            world.servers[&server(0)].follows(new)
        });
        pass(&mut world, 3_000);
        assert_eq!(promoted(&world), Some(new), "the new master is left alone");
    });
}

#[test]
fn a_stopped_master_is_replaced_and_demoted_when_it_goes_on() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        world.stop_server(server(0));
        // The silence is noticed at the next PING, up to a period later, and a second Sentinel has to agree.
        let new = fail_over(&mut world, 1_100);
        pass(&mut world, 4_000);
        world.resume_server(server(0));
        until(&mut world, "demotion of the old master", 1_000, |world| {
            world.servers[&server(0)].follows(new)
        });
    });
}

#[test]
fn a_server_without_transactions_is_promoted_by_the_plain_command() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 1);
        let replica = world.servers.get_mut(&server(1)).expect("a replica");
        replica.refuses = Refuses { transactions: true, ..Refuses::default() };
        world.kill_server(server(0), false);
        fail_over(&mut world, 0);
    });
}

#[test]
fn a_replica_that_refuses_is_passed_over_within_a_second() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        let best = world.servers.get_mut(&server(1)).expect("a replica");
        best.refuses = Refuses { slaveof: true, ..Refuses::default() };
        best.priority = 1;
        pass(&mut world, 11_000);
        world.kill_server(server(0), false);
        until(&mut world, "promotion of the other", DOWN_AFTER + 1_000, |world| {
            promoted(world) == Some(server(2))
        });
        until(&mut world, "agreement", 1_000, |world| all_agree(world, server(2)));
    });
}

#[test]
fn an_operator_can_force_a_failover_and_the_old_master_follows() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        let node = usize::try_from(seed % 3).expect("small");
        let answer = world.order(node, &["SENTINEL", "FAILOVER", "mymaster"]);
        assert_eq!(answer.as_deref(), Some(b"+OK\r\n".as_slice()));
        until(&mut world, "promotion", 100, |world| promoted(world).is_some());
        let new = promoted(&world).expect("just seen");
        until(&mut world, "agreement", 100, |world| all_agree(world, new));
        until(&mut world, "demotion of the old master", 2_000, |world| {
            world.servers[&server(0)].follows(new)
        });
    });
}
