//! **A silent master is held for down in time, and not early**: by each Sentinel after its own down-after, by all together as soon as word
//! of the last that the quorum needs has gone round.

use super::*;

/// What a connection that breaks costs beyond down-after, in milliseconds: word of it, the next attempt to connect, and its refusal.
const BROKEN: u64 = 20;
/// What silence costs beyond down-after: a PING every second notices it, or one every down-after if that is shorter.
const PING_PERIOD: u64 = 1_000;
/// So many ways of a packet are added at most.
const WAYS: u64 = 3;

/// How a master falls silent.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Killed,
    Powerless,
    Stopped,
    CutOff,
}

fn fall_silent(world: &mut World, end: End) {
    match end {
        End::Killed => world.kill_server(server(0), false),
        End::Powerless => world.kill_server(server(0), true),
        End::Stopped => world.stop_server(server(0)),
        End::CutOff => {
            for node in 0..world.home {
                let machine = world.machine(node);
                world.net.cut(machine, *server(0).ip());
                world.net.cut(*server(0).ip(), machine);
            }
        }
    }
}

/// Everybody's +sdown and +odown come in their time after the end of the master.
fn detected(mut world: World, end: End, down_after: u64) {
    let (since, way) = (world.now, longest_way(&world));
    fall_silent(&mut world, end);
    let unnoticed = if end == End::Killed { BROKEN } else { PING_PERIOD.min(down_after) };
    let bound = down_after + unnoticed + WAYS * way;
    pass(&mut world, bound + 4 * way + 1);
    let millis = |at: u64| (at - since) / MILLI;
    let mut down = Vec::new();
    for node in 0..world.home {
        let own = said(&world, node, since, "+sdown master").map(millis);
        // The last answer may have been on its way.
        assert!(own.is_none_or(|at| at + WAYS * way >= down_after), "{end:?}: down after {own:?} ms already");
        // Others may be so much quicker that their new master is heard of before.
        let at = own.or(said(&world, node, since, "+switch-master").map(millis));
        let at = at.unwrap_or_else(|| panic!("{end:?}: Sentinel {node} holds it for well after {bound} ms"));
        assert!(at <= bound, "{end:?}: Sentinel {node} holds it for down after {at} ms of {bound}");
        down.push(at);
    }
    let quorum = usize::try_from(world.plan.sentinels[0].watches[0].quorum).expect("few");
    let mut all = down.clone();
    all.sort_unstable();
    for (node, own) in down.iter().enumerate() {
        // Whoever is needed last asks and is asked, and what it answers then goes round.
        let due = own.max(&all[quorum - 1]) + 4 * way;
        let at =
            said(&world, node, since, "+odown").or(said(&world, node, since, "+switch-master")).map(millis);
        assert!(at.is_some_and(|at| at <= due), "{end:?}: Sentinel {node} agrees after {at:?} ms of {due}");
    }
}

#[test]
fn a_silent_master_is_down_in_time_and_not_early() {
    for_seeds(|seed| {
        for end in [End::Killed, End::Powerless, End::Stopped, End::CutOff] {
            detected(healthy(seed, 3, 2), end, DOWN_AFTER);
            detected(healthy(seed, 5, 1), end, DOWN_AFTER);
        }
    });
}

#[test]
fn distance_costs_as_many_ways_as_words_have_to_go() {
    for_seeds(|seed| {
        for end in [End::Killed, End::Powerless, End::Stopped, End::CutOff] {
            detected(far_apart(seed, 3, 1), end, DOWN_AFTER);
        }
    });
}

#[test]
fn a_short_down_after_is_noticed_as_soon() {
    for_seeds(|seed| {
        for end in [End::Killed, End::Stopped] {
            let plan = Plan::plain(seed, 3, 1).with(|plan| {
                plan.sentinels.iter_mut().for_each(|sentinel| sentinel.watches[0].down_after = 300);
            });
            detected(settled(plan), end, 300);
        }
    });
}
