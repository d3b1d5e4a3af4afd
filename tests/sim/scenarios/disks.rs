//! What a disk has to do with it: no vote without one, no promise forgotten by a restart.

use super::*;
use crate::disk::Health;

#[test]
fn a_full_disk_gives_no_vote_and_wins_no_election() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        for node in [0, 1] {
            world.nodes[node].disk.health = Health::Full;
        }
        world.kill_server(server(0), false);
        pass(&mut world, 15_000);
        assert_eq!(promoted(&world), None);
        for node in [0, 1] {
            world.nodes[node].disk.health = Health::Well;
        }
        until(&mut world, "promotion once there is space", 60_000, |world| promoted(world).is_some());
    });
}

#[test]
fn a_sentinel_that_restarts_remembers_its_vote_and_the_new_master() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 3, 2);
        world.kill_server(server(0), false);
        let victim = usize::try_from(seed % 3).expect("small");
        // Somewhere in the middle of the failover.
        pass(&mut world, DOWN_AFTER + seed % 12);
        world.kill_node(victim, false);
        pass(&mut world, seed % 50);
        world.start_node(victim);
        until(&mut world, "promotion", 45_000, |world| promoted(world).is_some());
        // A leader that dies before it has saved the promotion may promote the other replica in its next life.
        until(&mut world, "agreement", 45_000, |world| {
            promoted(world).is_some_and(|new| all_agree(world, new))
        });
    });
}
