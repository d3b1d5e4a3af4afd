//! The flavours: what is likely to go wrong in a run that looks for one weakness, and the table of all of them.

use sentineld::engine::Hole;

use super::Row;
use super::prompt::Bounds;
use crate::clock::{MILLI, SECOND};
use crate::faults::Fault::{self, *};
use crate::plan::{Cluster, Plan, Watch};

/// What a flavour promises beyond the properties of every run.
pub enum Also {
    Nothing,
    Prompt(Bounds),
    FirstTry,
}

/// A kind of plan, by seed, and what else holds in it.
pub struct Flavour {
    pub plan: fn(u64) -> Plan,
    pub also: Also,
}

/// Every weakness, and how it is looked for.
pub fn rows() -> Vec<Row> {
    let safety =
        |hole, seeds, by, plan| Row { hole, flavour: Flavour { plan, also: Also::Nothing }, seeds, by };
    let prompt = |hole, seeds, (replaced, ended): (u64, u64), plan| {
        let bounds = Bounds { replaced: replaced * MILLI, ended: ended * MILLI };
        Row { hole, flavour: Flavour { plan, also: Also::Prompt(bounds) }, seeds, by: "in time" }
    };
    let first_try = |hole, seeds, plan| Row {
        hole,
        flavour: Flavour { plan, also: Also::FirstTry },
        seeds,
        by: "first try",
    };
    vec![
        safety(Hole::CountsAtCurrentEpoch, 40, "two votes", many_elections),
        first_try(Hole::OneEpochForAll, 40, masters_fail_together),
        safety(Hole::VotesWithoutDisk, 20, "durable", full_disks),
        safety(Hole::OpinionsSurviveSwitch, 40, "no objective failure", masters_out_of_sight),
        safety(Hole::ImpatientWithNewMaster, 20, "down-after", slow_connections),
        safety(Hole::SwitchForgetsSpacing, 20, "spacing", masters_die),
        safety(Hole::TrustsAnyEpoch, 10, "cap", rogue_epochs),
        safety(Hole::SelectsOnOldReports, 40, "eligible", late_reports),
        safety(Hole::PromotesUnsynced, 40, "eligible", replicas_without_data),
        safety(Hole::PromotesForeign, 100, "another cluster", only_strangers_left),
        safety(Hole::OldRepliesCount, 200, "said itself", late_replies),
        prompt(Hole::MuteReplicaBlocks, 200, (60_000, 11_000), mute_replicas),
        safety(Hole::WallClockTilts, 10, "wall-clock", clock_steps),
        safety(Hole::LateSwitchMaster, 10, "+switch-master", masters_die),
        safety(Hole::FollowsForeign, 40, "another cluster", strangers),
        safety(Hole::ResetIsBlind, 40, "no promotion without", resets),
        prompt(Hole::WaitsForDeadPromoted, 100, (60_000, 12_000), masters_die_in_a_row),
        prompt(Hole::LockedOutByDeadLeader, 100, (13_000, 60_000), leaders_die),
        prompt(Hole::GivesUpWithoutReplica, 200, (8_000, 60_000), replicas_come_late),
        safety(Hole::WrongPasswordIsDeath, 20, "password", wrong_passwords),
        safety(Hole::ForcedWithoutVotes, 40, "one leader", forced_together),
        safety(Hole::KeepsLostMandate, 200, "lost its mandate", frozen_leaders),
        safety(Hole::StallsCount, 20, "down-after", short_stalls),
        safety(Hole::MonitorForgetsVotes, 20, "two votes", monitored_again),
    ]
}

/// Acquainted Sentinels, a master with two replicas, a quarter of a minute of such trouble.
fn base(seed: u64, sentinels: usize, strikes: usize, weights: &[(Fault, u32)]) -> Plan {
    Plan::plain(seed, sentinels, 2).only(weights).with(|plan| {
        plan.acquainted = true;
        plan.calm = 3 * SECOND;
        plan.trouble = 15 * SECOND;
        plan.strikes = strikes;
        plan.last_failover = false;
    })
}

fn watches(plan: &mut Plan, change: impl Fn(&mut Watch)) {
    plan.sentinels.iter_mut().flat_map(|sentinel| &mut sentinel.watches).for_each(change);
}

/// The first cluster and its watch again, so many times in all.
fn clusters(plan: &mut Plan, count: usize) {
    let first = plan.clusters[0].clone();
    let clusters = (0..count).map(|index| Cluster { name: format!("master{index}"), ..first.clone() });
    plan.clusters = clusters.collect();
    for sentinel in &mut plan.sentinels {
        sentinel.watches = vec![sentinel.watches[0].clone(); count];
    }
}

fn masters_die(seed: u64) -> Plan {
    base(seed, 3, 8, &[(KillMaster, 1)]).with(|plan| watches(plan, |watch| watch.down_after = 500))
}

fn many_elections(seed: u64) -> Plan {
    base(seed, 5, 60, &[(KillMaster, 3), (ForcedFailover, 3)]).with(|plan| {
        clusters(plan, 3);
        plan.latency = (5 * MILLI, 40 * MILLI);
        watches(plan, |watch| watch.down_after = 400);
    })
}

fn masters_fail_together(seed: u64) -> Plan {
    base(seed, 5, 80, &[(KillMaster, 1)]).with(|plan| {
        clusters(plan, 12);
        plan.trouble = SECOND / 2;
        plan.latency = (MILLI, 34 * MILLI);
        watches(plan, |watch| (watch.down_after, watch.failover_timeout) = (200, 60_000));
    })
}

fn full_disks(seed: u64) -> Plan {
    base(seed, 3, 16, &[(KillMaster, 2), (FullDisk, 3)])
}

fn masters_out_of_sight(seed: u64) -> Plan {
    base(seed, 3, 40, &[(KillMaster, 3), (Cut, 4), (BrokenLinks, 4), (SlowCommand, 3)]).with(|plan| {
        watches(plan, |watch| watch.down_after = 300);
    })
}

fn slow_connections(seed: u64) -> Plan {
    base(seed, 3, 12, &[(KillMaster, 2), (BrokenLinks, 2), (SlowCommand, 2)]).with(|plan| {
        plan.latency = (20 * MILLI, 40 * MILLI);
        watches(plan, |watch| watch.down_after = 200);
    })
}

fn rogue_epochs(seed: u64) -> Plan {
    base(seed, 3, 8, &[(KillMaster, 1), (RogueEpoch, 2)])
}

fn late_reports(seed: u64) -> Plan {
    base(seed, 3, 20, &[(KillMaster, 2), (LyingServer, 4), (SlowCommand, 3)])
}

fn replicas_without_data(seed: u64) -> Plan {
    base(seed, 3, 20, &[(KillMaster, 2), (KillServer, 3)]).with(|plan| {
        plan.clusters[0].sync_time = 3 * SECOND;
        plan.clusters[0].replicas = 3;
    })
}

fn strangers(seed: u64) -> Plan {
    base(seed, 3, 10, &[(ForcedFailover, 2), (AddressReuse, 3)]).with(|plan| {
        plan.neighbours = true;
        plan.clusters[0].replicas = 4;
    })
}

fn only_strangers_left(seed: u64) -> Plan {
    base(seed, 3, 40, &[(ForcedFailover, 3), (AddressReuse, 1), (Priority, 6)]).with(|plan| {
        plan.neighbours = true;
        plan.trouble = 30 * SECOND;
    })
}

fn late_replies(seed: u64) -> Plan {
    base(seed, 3, 150, &[(StopSentinel, 4), (ForcedFailover, 4), (LyingServer, 4), (SlowCommand, 4)]).with(
        |plan| {
            plan.trouble = 60 * SECOND;
            watches(plan, |watch| watch.down_after = 10_000);
        },
    )
}

fn mute_replicas(seed: u64) -> Plan {
    base(seed, 3, 20, &[(KillMaster, 1), (LyingServer, 3)]).with(|plan| {
        plan.trouble = 60 * SECOND;
        watches(plan, |watch| watch.failover_timeout = 120_000);
    })
}

fn clock_steps(seed: u64) -> Plan {
    base(seed, 3, 8, &[(ClockStep, 1)])
}

fn resets(seed: u64) -> Plan {
    base(seed, 3, 30, &[(KillMaster, 2), (Reset, 3), (Isolation, 2)]).with(|plan| {
        watches(plan, |watch| (watch.quorum, watch.down_after) = (1, 300));
    })
}

fn masters_die_in_a_row(seed: u64) -> Plan {
    base(seed, 3, 60, &[(KillMaster, 1)]).with(|plan| {
        plan.trouble = 50 * SECOND;
        plan.clusters[0].replicas = 4;
        plan.clusters[0].sync_time = 2 * SECOND;
        watches(plan, |watch| {
            (watch.down_after, watch.failover_timeout, watch.parallel_syncs) = (500, 120_000, 4);
        });
    })
}

fn leaders_die(seed: u64) -> Plan {
    base(seed, 3, 8, &[(KillMaster, 2), (SimulateFailure, 2)]).with(|plan| {
        watches(plan, |watch| (watch.quorum, watch.failover_timeout) = (2, 60_000));
    })
}

fn replicas_come_late(seed: u64) -> Plan {
    base(seed, 1, 40, &[(KillMaster, 2), (StopServer, 3)]).with(|plan| {
        plan.trouble = 60 * SECOND;
        plan.clusters[0].replicas = 1;
        watches(plan, |watch| watch.failover_timeout = 60_000);
    })
}

fn wrong_passwords(seed: u64) -> Plan {
    base(seed, 3, 12, &[(Password, 2), (BrokenLinks, 4)]).with(|plan| {
        watches(plan, |watch| watch.down_after = 500);
    })
}

fn forced_together(seed: u64) -> Plan {
    base(seed, 3, 200, &[(ForcedFailover, 1)]).with(|plan| plan.latency = (10 * MILLI, 60 * MILLI))
}

fn frozen_leaders(seed: u64) -> Plan {
    base(seed, 3, 60, &[(KillMaster, 3), (StopSentinel, 6), (SlowCommand, 4)]).with(|plan| {
        watches(plan, |watch| watch.down_after = 400);
    })
}

fn short_stalls(seed: u64) -> Plan {
    base(seed, 3, 60, &[(StopSentinel, 1)]).with(|plan| watches(plan, |watch| watch.down_after = 300))
}

fn monitored_again(seed: u64) -> Plan {
    base(seed, 5, 60, &[(KillMaster, 4), (Remonitor, 4), (SlowCommand, 1)]).with(|plan| {
        plan.latency = (5 * MILLI, 40 * MILLI);
        watches(plan, |watch| watch.down_after = 300);
    })
}
