//! **A split vote is repeated within two seconds**, in a fresh epoch, and does not split again for long.

use super::*;

/// From the candidacy that nobody can win to the next one, in milliseconds.
const REPEATED: u64 = 2_000;
/// From the first candidacy to a new master.
const REPLACED: u64 = 5_000;

/// The epochs in which a Sentinel voted for itself.
fn candidacies(world: &World, node: usize) -> Vec<(u64, u64)> {
    let prefix = format!("+vote-for-leader {} ", world.facts[node].run_id);
    let own = world.events.iter().filter(|(_, who, _)| *who == node);
    let epochs =
        own.filter_map(|(at, _, text)| Some((*at, text.strip_prefix(&prefix)?.trim().parse().ok()?)));
    epochs.collect()
}

/// The first candidate, while its own vote is being saved: it asked nobody yet.
fn first_candidate(world: &mut World) -> (usize, u64) {
    let since = world.now;
    until(world, "a candidacy", 2 * DOWN_AFTER, |world| first_said(world, since, "+try-failover").is_some());
    let (_, node) = first_said(world, since, "+try-failover").expect("just said");
    let epoch = world.events.iter().rev().find_map(|(_, who, text)| {
        text.strip_prefix("+new-epoch ").filter(|_| *who == node)?.trim().parse().ok()
    });
    (node, epoch.expect("a fresh epoch"))
}

#[test]
fn votes_that_strangers_got_are_asked_for_again_in_a_fresh_epoch() {
    for_seeds(|seed| {
        for sentinels in [3, 5, 7] {
            let mut world = healthy(seed, sentinels, 2);
            world.kill_server(server(0), false);
            let (candidate, epoch) = first_candidate(&mut world);
            let began = world.now;
            // Every other vote of this epoch is given to somebody else, each to another.
            for voter in (0..sentinels).filter(|node| *node != candidate) {
                let (ip, port) = (server(0).ip().to_string(), server(0).port().to_string());
                let (epoch, stranger) = (epoch.to_string(), format!("{voter:040x}"));
                world.talk(
                    voter,
                    crate::node::CLIENT,
                    &["SENTINEL", "is-master-down-by-addr", &ip, &port, &epoch, &stranger],
                );
            }
            until(&mut world, "another candidacy", REPEATED, |world| {
                (0..sentinels).any(|node| candidacies(world, node).iter().any(|(_, later)| *later > epoch))
            });
            let left = REPLACED - (world.now - began) / MILLI;
            until(&mut world, "promotion", left, |world| promoted(world).is_some());
        }
    });
}

/// Two that can't hear each other both go first, and each gets a vote of the other two: three of four are needed.
#[test]
fn candidates_that_do_not_hear_each_other_take_turns() {
    for_seeds(|seed| {
        let mut world = healthy(seed, 4, 2);
        let (first, second) = (world.machine(0), world.machine(1));
        for (from, to) in [(first, second), (second, first)] {
            world.net.cut(from, to);
        }
        // Neither reaches the other any more, and both know it.
        pass(&mut world, 45_000);
        world.kill_server(server(0), false);
        let since = world.now;
        until(&mut world, "promotion", DOWN_AFTER + REPLACED, |world| promoted(world).is_some());
        for node in [0, 1] {
            let mine: Vec<(u64, u64)> =
                candidacies(&world, node).into_iter().filter(|(at, _)| *at >= since).collect();
            for pair in mine.windows(2) {
                assert!(pair[1].0 - pair[0].0 <= REPEATED * MILLI, "{mine:?}");
            }
        }
    });
}
