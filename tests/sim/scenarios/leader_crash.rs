//! **A leader that dies costs seconds**, in whatever state of the failover: the others finish it, or do it again, and agree; and when it is
//! back it agrees with them.

use super::*;

/// Where the failover stands when its leader dies.
const MOMENTS: [Moment; 7] = [
    Moment::Elected,
    Moment::Selecting,
    Moment::SentInVain,
    Moment::Sent,
    Moment::Promoted,
    Moment::Repointing,
    Moment::Switched,
];
/// From then until all other Sentinels tell clients of the same living master, in milliseconds. If the process of the leader ends, they wait
/// for a second without a connection; if its machine does, so that nobody is told, until they hold it for down.
const AGREED: [u64; 2] = [1_200, DOWN_AFTER + 1_200];
/// And until all servers follow it, with a failover-timeout of 20 s. Replicas that the leader was to re-point still follow a dead master: the
/// others leave them to it for as long as it may take, and then look at their next INFO.
const FOLLOWED: u64 = 100;
const FOLLOWED_BY_REPAIR: u64 = 20_000 + 10_000;
/// Within so many milliseconds of its return the dead leader agrees as well.
const BACK: u64 = 500;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// Before it did anything.
    Elected,
    /// It waits for the reports of the replicas.
    Selecting,
    /// SLAVEOF NO ONE left it and never arrives.
    SentInVain,
    /// SLAVEOF NO ONE is on its way.
    Sent,
    /// The promotion is confirmed and saved, and nobody was told.
    Promoted,
    /// Some replicas follow the new master, and others the old one.
    Repointing,
    /// All is done.
    Switched,
}

/// A fleet in which a failover takes its time where it is to be cut short.
fn fleet(seed: u64, moment: Moment) -> World {
    let replicas = if moment == Moment::Repointing { 3 } else { 2 };
    let plan = Plan::plain(seed, 3, replicas).with(|plan| {
        if moment == Moment::Repointing {
            plan.clusters[0].sync_time = 2_000 * MILLI;
        }
    });
    settled(plan)
}

fn tell_all(world: &mut World, words: &[&str]) {
    for node in 0..world.home {
        world.order(node, words);
    }
}

/// Kills the master, and the leader of the failover at its moment. Who that was.
fn lose_leader(world: &mut World, moment: Moment, with_machine: bool) -> usize {
    let since = world.now;
    let (last, not) = match moment {
        Moment::Elected => return crash(world, "crash-after-election"),
        Moment::Promoted => return crash(world, "crash-after-promotion"),
        Moment::Selecting => ("+failover-state-select-slave", Some("+selected-slave")),
        Moment::SentInVain | Moment::Sent => ("+failover-state-wait-promotion", Some("+promoted-slave")),
        Moment::Repointing => ("+slave-reconf-inprog", Some("+failover-end")),
        Moment::Switched => ("+failover-end", None),
    };
    world.kill_server(server(0), false);
    if moment == Moment::Selecting {
        pass(world, DOWN_AFTER - 20);
        slow_down(world, 400 * MILLI);
    }
    until(world, last, DOWN_AFTER + 5_000, |world| first_said(world, since, last).is_some());
    let (_, leader) = first_said(world, since, last).expect("just said");
    assert_eq!(not.and_then(|not| said(world, leader, since, not)), None, "{moment:?} is over");
    if moment == Moment::SentInVain {
        let servers: Vec<SocketAddrV4> = world.servers.keys().copied().collect();
        servers.iter().for_each(|to| world.net.cut(world.machine(leader), *to.ip()));
    }
    world.kill_node(leader, with_machine);
    slow_down(world, 0);
    leader
}

/// Kills the master, and has whoever leads crash by itself.
fn crash(world: &mut World, when: &str) -> usize {
    tell_all(world, &["SENTINEL", "SIMULATE-FAILURE", when]);
    world.kill_server(server(0), false);
    let dead = |world: &World| (0..world.home).find(|node| !world.facts[*node].alive);
    until(world, when, DOWN_AFTER + 5_000, |world| dead(world).is_some());
    // The next is to live.
    tell_all(world, &["SENTINEL", "SIMULATE-FAILURE", "help"]);
    dead(world).expect("just seen")
}

/// So much later than they could the replicas answer, in nanoseconds.
fn slow_down(world: &mut World, delay: u64) {
    world.servers.values_mut().for_each(|server| server.lies.delay = delay);
}

#[test]
fn a_leader_that_dies_in_any_state_costs_seconds() {
    for moment in MOMENTS {
        let left = if moment == Moment::Repointing { FOLLOWED_BY_REPAIR } else { FOLLOWED };
        for (kind, bound) in AGREED.into_iter().enumerate() {
            let longest = std::sync::Mutex::new((0, 0, 0));
            for_seeds(|seed| {
                let mut world = fleet(seed, moment);
                let leader = lose_leader(&mut world, moment, kind == 1);
                let agreed = takes(&mut world, "agreement", bound, |world| named(world).is_some());
                let followed = takes(&mut world, "all follow", left, |world| well(world).is_some());
                // It stays so, whatever was still on its way.
                pass(&mut world, 1_000);
                let cuts = world.net.cuts();
                cuts.into_iter().for_each(|(from, to)| world.heal(from, to));
                world.start_node(leader);
                let back =
                    takes(&mut world, "agreement with who is back", BACK, |world| well(world).is_some());
                let mut longest = longest.lock().expect("no panic here");
                *longest = (longest.0.max(agreed), longest.1.max(agreed + followed), longest.2.max(back));
            });
            eprintln!("{moment:?}, {kind}: longest {:?} ms", longest.into_inner().expect("no panic above"));
        }
    }
}
