//! Fleets with Sentinels of the reference in them: alone as measured, and together with ours, whoever leads.

use std::net::SocketAddrV4;

use crate::clock::MILLI;
use crate::plan::{Plan, server_address};
use crate::seen::Kind;
use crate::world::World;

/// So many Sentinels of ours, then of the reference, with a master and two replicas, calm and acquainted; and the master just killed.
fn bereaved(seed: u64, (ours, theirs): (usize, usize), down_after: u64) -> World {
    let plan = Plan::plain(seed, ours + theirs, 2).with(|plan| {
        for (at, sentinel) in plan.sentinels.iter_mut().enumerate() {
            sentinel.kind = if at < ours { Kind::Ours } else { Kind::Reference };
            sentinel.watches[0].down_after = down_after;
        }
    });
    let mut world = World::new(plan, Vec::new());
    world.run(14_000 + seed * 137 % 1_000);
    world.kill_server(server_address(0, 0), false);
    world
}

/// The one address that every Sentinel tells clients of, if it is a living master.
fn agreed(world: &World) -> Option<SocketAddrV4> {
    let mut told = world.nodes.iter().map(|node| node.directory.get("mymaster").cloned());
    let first = told.next()??;
    if told.any(|other| other.as_ref() != Some(&first)) {
        return None;
    }
    let address = SocketAddrV4::new(first.0.parse().ok()?, first.1);
    world
        .servers
        .get(&address)
        .filter(|server| server.alive && server.is_master())
        .map(|server| server.address)
}

fn history(world: &World) -> String {
    let line = |(at, node, text): &(u64, usize, String)| format!("{:10.3} {node} {text}\n", *at as f64 / 1e6);
    world.events.iter().map(line).collect()
}

/// When something was first said, in milliseconds after the moment when the master could be held for down.
fn first(world: &World, due: u64, prefix: &str) -> u64 {
    let found = world.events.iter().find(|(at, _, text)| *at >= due && text.starts_with(prefix));
    let Some((at, ..)) = found else { panic!("no {prefix}:\n{}", history(world)) };
    (at - due) / MILLI
}

fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Spec 2 §14.1, killed, with a tick of leave on either side of what was measured there and again since (promotion from 0.68 s).
#[test]
fn the_reference_takes_the_measured_time() {
    let steps = [
        ("+sdown master", 0, 160),
        ("+odown", 10, 290),
        ("+try-failover", 10, 290),
        ("+elected-leader", 90, 350),
        ("+failover-state-wait-promotion", 230, 530),
        ("+promoted-slave", 580, 1_340),
        ("+switch-master", 630, 1_430),
    ];
    let mut times = vec![Vec::new(); steps.len()];
    let mut leaders_switch = Vec::new();
    for seed in 0..25 {
        let mut world = bereaved(seed, (0, 3), 3_000);
        let due = world.now + 3_000 * MILLI;
        assert!(world.reaches(20_000, |world| agreed(world).is_some()), "{}", history(&world));
        world.run(5_000);
        for (step, (prefix, ..)) in steps.iter().enumerate() {
            times[step].push(first(&world, due, prefix));
        }
        // Whoever is last has re-pointed the other replica first.
        let last = world.events.iter().rfind(|(_, _, text)| text.starts_with("+switch-master"));
        leaders_switch.push((last.expect("agreed").0 - due) / MILLI);
    }
    for ((prefix, least, most), times) in steps.into_iter().zip(times) {
        let median = median(times);
        assert!((least..=most).contains(&median), "{prefix} after {median} ms, measured: {least} to {most}");
    }
    let leader = median(leaders_switch);
    assert!((1_600..=2_500).contains(&leader), "the leader's own switch after {leader} ms");
}

#[test]
fn mixed_fleets_fail_over_whoever_leads() {
    for fleet in [(2, 1), (1, 2), (3, 2), (2, 3)] {
        let mut led = [0, 0];
        for seed in 0..20 {
            let mut world = bereaved(seed, fleet, 3_000);
            assert!(
                world.reaches(60_000, |world| agreed(world).is_some()),
                "{fleet:?}, {seed}:\n{}",
                history(&world)
            );
            let address = agreed(&world).expect("just seen");
            for (_, node, _) in world.events.iter().filter(|(_, _, text)| text.starts_with("+promoted-slave"))
            {
                led[usize::from(world.nodes[*node].kind == Kind::Reference)] += 1;
            }
            world.restart_server(server_address(0, 0), 0, false, false);
            let follows = |world: &World| world.servers[&server_address(0, 0)].follows(address);
            assert!(world.reaches(60_000, follows), "{fleet:?}, {seed}:\n{}", history(&world));
            world.run(5_000);
            assert_eq!(agreed(&world), Some(address), "{fleet:?}, {seed}:\n{}", history(&world));
            assert_eq!(world.failure, None);
        }
        eprintln!(
            "{} ours and {} of the reference: {} and {} failovers led",
            fleet.0, fleet.1, led[0], led[1]
        );
    }
}

/// Ours is quicker, so where both can lead it mostly does: with ours unable to notice in time, the reference leads, and ours follow.
#[test]
fn the_reference_leads_where_ours_are_slower_to_notice() {
    for seed in 0..10 {
        let plan = Plan::plain(seed, 5, 2).with(|plan| {
            for (at, sentinel) in plan.sentinels.iter_mut().enumerate() {
                sentinel.kind = if at < 2 { Kind::Ours } else { Kind::Reference };
                sentinel.watches[0].down_after = if at < 2 { 20_000 } else { 1_000 };
            }
        });
        let mut world = World::new(plan, Vec::new());
        world.run(14_000);
        world.kill_server(server_address(0, 0), false);
        assert!(world.reaches(15_000, |world| agreed(world).is_some()), "{seed}:\n{}", history(&world));
        let leader = world.events.iter().find(|(_, _, text)| text.starts_with("+promoted-slave"));
        let leader = leader.map(|(_, node, _)| world.nodes[*node].kind);
        assert_eq!(leader, Some(Kind::Reference), "{seed}:\n{}", history(&world));
    }
}
