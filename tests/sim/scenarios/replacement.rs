//! **A master that is objectively down is replaced at once, and everybody is told**: a leader is elected, a replica promoted, and clients of all
//! Sentinels are sent to it, within the time that a dozen words need.

use super::*;

/// From the first +odown to +elected-leader, beside the ways of packets: a vote is on disk at each end, at most 1.5 ms each.
const ELECTED: u64 = 10;
/// From the first +odown until every Sentinel has told its clients, likewise.
const PUBLISHED: u64 = 30;
/// Each Sentinel that ranks first and does not answer costs as much.
const HOLD_BACK: u64 = 75;

/// The times from the first +odown to the election, and to the last +switch-master, are within their bounds.
fn replaced(world: &mut World, waits: u64) {
    let since = world.now;
    let way = longest_way(world);
    until(world, "+odown", DOWN_AFTER + 1_100 + 4 * way, |world| {
        first_said(world, since, "+odown").is_some()
    });
    let (down, _) = first_said(world, since, "+odown").expect("just said");
    let bound = waits + ELECTED + 4 * way;
    until(world, "an election", bound, |world| first_said(world, down, "+elected-leader").is_some());
    let spent = (world.now - down) / MILLI;
    // Beside the election: report, promotion and its confirmation, a hello by the new master and its word to everybody.
    let bound = (waits + PUBLISHED + 14 * way).saturating_sub(spent);
    until(world, "publication", bound, |world| {
        let live = |node: &usize| world.facts[*node].alive && !world.facts[*node].stopped;
        (0..world.home).filter(live).all(|node| said(world, node, down, "+switch-master").is_some())
    });
    let new = promoted(world).expect("just told of");
    let told = Some((new.ip().to_string(), new.port()));
    for node in (0..world.home).filter(|node| world.facts[*node].alive && !world.facts[*node].stopped) {
        assert_eq!(
            world.nodes[node].directory.get("mymaster").cloned(),
            told,
            "what clients of {node} are told"
        );
    }
    let count = |prefix: &str| world.events.iter().filter(|(_, _, text)| text.starts_with(prefix)).count();
    assert_eq!(count("+elected-leader"), 1);
}

#[test]
fn a_leader_is_elected_and_the_new_master_published_at_once() {
    for_seeds(|seed| {
        for (sentinels, replicas) in [(1, 1), (3, 1), (3, 2), (5, 2), (7, 3)] {
            let mut world = healthy(seed, sentinels, replicas);
            world.kill_server(server(0), false);
            replaced(&mut world, 0);
        }
    });
}

#[test]
fn distance_costs_the_ways_of_the_words() {
    for_seeds(|seed| {
        let mut world = far_apart(seed, 3, 2);
        world.kill_server(server(0), false);
        // Who ranks second waits for two round trips at least, and the first may notice as much later.
        replaced(&mut world, 0);
    });
}

#[test]
fn sentinels_that_died_before_cost_nothing_and_frozen_ones_their_turn() {
    for_seeds(|seed| {
        for victims in [[0, 1], [1, 2], [3, 4]] {
            for frozen in [false, true] {
                let mut world = healthy(seed, 5, 2);
                for victim in victims {
                    if frozen {
                        world.stop_node(victim);
                    } else {
                        world.kill_node(victim, false);
                    }
                }
                world.kill_server(server(0), false);
                replaced(&mut world, if frozen { 2 * HOLD_BACK } else { 0 });
            }
        }
    });
}
