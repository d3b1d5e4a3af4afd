//! The fleets, and the rounds that every run begins with: together they hold every kind of fault.

use std::time::Duration;

use super::fleet::Shape;
use super::plan::{Dice, Fault, Plan};
use crate::support::Kind;

/// A kind of fleet, with which rounds are played one after the other.
pub struct Lane {
    pub shape: Shape,
    pub fixed: Vec<Vec<Fault>>,
    number: u64,
}

impl Lane {
    /// What happens in a round.
    pub fn plan(&self, seed: u64, round: u64) -> Plan {
        let mut dice = Dice::new(seed, self.number, round);
        match self.fixed.get(round as usize) {
            Some(faults) => Plan::of(faults, &mut dice),
            None => Plan::random(&mut dice),
        }
    }
}

/// All lanes; they are played at the same time.
pub fn lanes() -> Vec<Lane> {
    use Fault::*;
    let (ours, theirs) = (Kind::Subject, Kind::Reference);
    let three = vec![
        vec![KillMaster],
        vec![KillLeaderAt("+elected-leader")],
        vec![FullDisk(0), KillMaster],
        vec![CutMinority],
        vec![StopSentinel(0), KillReplica(0), BlinkMaster],
        vec![KillLeaderAt("+promoted-slave")],
        vec![RestartSentinels, Reset(1)],
        vec![StopMaster],
        vec![Failover(0)],
    ];
    let five = vec![
        vec![CrashLeader("crash-after-election")],
        vec![MuteMaster],
        vec![SlowDisks(300), KillMaster],
        vec![KillLeaderAt("+failover-state-send-slaveof-noone")],
        vec![KillSentinel(0), MuteSentinel(1), StopReplica(1)],
        vec![CrashLeader("crash-after-promotion")],
        vec![Lossy(8), KillMaster],
        vec![SlowMaster(150), SlowSentinel(3, 300)],
    ];
    let mixed = vec![
        vec![KillMaster],
        vec![CutMaster],
        vec![DeafMaster],
        vec![KillLeaderAt("+failover-state-reconf-slaves")],
        vec![CutSentinel(4), RestartMaster],
        vec![Failover(2)],
    ];
    let lane = |number, name, sentinels: Vec<Kind>, replicas, down_after_ms, seconds, fixed| Lane {
        shape: Shape { name, sentinels, replicas, down_after_ms, agree_within: Duration::from_secs(seconds) },
        fixed,
        number,
    };
    vec![
        lane(0, "3 sentineld", vec![ours; 3], 2, 1_000, 45, three),
        lane(1, "5 sentineld", vec![ours; 5], 3, 1_000, 45, five),
        lane(2, "3 sentineld + 2 reference", vec![ours, theirs, ours, theirs, ours], 2, 2_000, 60, mixed),
    ]
}
