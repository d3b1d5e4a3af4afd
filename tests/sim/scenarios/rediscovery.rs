//! **After SENTINEL RESET everybody is known again soon**, whether the master lives or not, and a failover comes as if nothing had been
//! forgotten.

use super::*;
use crate::node::CLIENT;

/// From RESET until all replicas are known again, in milliseconds: by a living master's word, or by their own.
const REPLICAS: u64 = 20;
/// From RESET until all Sentinels are known again. They answer our greeting at once, but for those that greeted within the last second:
/// they do when their next hello is due, two seconds after the last.
const SENTINELS: u64 = 2_050;
/// A master that dies when everybody was just reset is replaced as soon as any other: detection begins anew with the reset.
const REPLACED: u64 = DOWN_AFTER + 500;

/// How many of them a Sentinel tells clients of.
fn count(world: &mut World, node: usize, what: &str) -> usize {
    let answer = world.talk(node, CLIENT, &["SENTINEL", what, "mymaster"]).unwrap_or_default();
    let text = String::from_utf8_lossy(&answer).into_owned();
    let length = text.strip_prefix('*').and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    length.unwrap_or_else(|| panic!("{what}: {text:?}"))
}

/// Waits until each of these knows all of a kind again. How long that took, in milliseconds.
fn known_again(world: &mut World, nodes: &[usize], since: u64, what: &str, bound: u64) -> u64 {
    loop {
        let counts: Vec<usize> = nodes.iter().map(|node| count(world, *node, what)).collect();
        let late = (world.now - since) / MILLI;
        if counts.iter().all(|count| *count == 2) {
            return late;
        }
        assert!(late < bound, "{counts:?} {what} are known after {late} ms");
        pass(world, 5);
    }
}

#[test]
fn everybody_is_known_again_soon() {
    let worst = std::sync::Mutex::new([0; 2]);
    for_seeds(|seed| {
        for (dead, nodes) in
            [(false, vec![1]), (false, vec![0, 1, 2]), (true, vec![1]), (true, vec![0, 1, 2])]
        {
            let mut world = healthy(seed, 3, 2);
            if dead {
                world.kill_server(server(0), false);
            }
            for node in &nodes {
                world.order(*node, &["SENTINEL", "RESET", "*"]);
            }
            let since = world.now;
            let replicas = known_again(&mut world, &nodes, since, "REPLICAS", REPLICAS);
            let mut longest = worst.lock().expect("no panic here");
            longest[0] = replicas.max(longest[0]);
            longest[1] = known_again(&mut world, &nodes, since, "SENTINELS", SENTINELS).max(longest[1]);
            // When what was set aside is forgotten for good, nothing is missing.
            pass(&mut world, 7_000);
            for node in 0..3 {
                assert_eq!(
                    (count(&mut world, node, "SENTINELS"), count(&mut world, node, "REPLICAS")),
                    (2, 2)
                );
            }
        }
    });
    eprintln!(
        "longest until replicas and Sentinels are known: {:?} ms",
        worst.into_inner().expect("no panic above")
    );
}

#[test]
fn a_master_that_is_down_when_everybody_is_reset_is_replaced_as_soon() {
    for_seeds(|seed| {
        for waits in [0, 500, 990, 1_010] {
            let mut world = healthy(seed, 3, 2);
            world.kill_server(server(0), false);
            pass(&mut world, waits);
            if promoted(&world).is_some() {
                continue;
            }
            for node in 0..3 {
                world.order(node, &["SENTINEL", "RESET", "*"]);
            }
            until(&mut world, "promotion", REPLACED, |world| promoted(world).is_some());
            until(&mut world, "all is well", 1_000, |world| well(world).is_some());
        }
    });
}
