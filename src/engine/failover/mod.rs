//! The failover of one master, as its leader lives it (spec 2 §8.3–§9.7): elect, select, promote, re-point, switch.
//!
//! Each state carries the data it needs. `step` derives what to do from recorded facts, as often as anything changes: no state waits
//! for a tick, and none for a periodic INFO, because the INFO that a state needs is asked for on entering it.

mod elect;
mod mandate;
mod promote;
mod reconfigure;
mod select;
mod switch;
mod wait;

pub use elect::Force;
pub use mandate::{has_mandate, in_term};
pub use promote::on_promoted;
pub use reconfigure::is_crowded;
pub use select::{eligible_replicas, on_promotable};
pub use switch::{NewAddress, adopt, reset_master};
pub use wait::not_before;

use std::time::Duration;

use mandate::Mandate;

use super::cx::Cx;
use super::fleet::Fleet;
use super::hole::Hole;
use super::notice::Level;
use super::tag::Entity;
use crate::model::{Epoch, Instant, MasterId, ReplicaId, RunId};

/// The first pause after a failover that found nobody to promote; doubles.
const FRUITLESS_PAUSE: Duration = Duration::from_secs(5);

/// A failover that found nobody to promote.
#[derive(Clone, Debug, PartialEq)]
pub struct Fruitless {
    /// When it ended.
    pub ended_at: Instant,
    /// Replicas that might have been promoted, and were not for other reasons.
    pub tried: Vec<ReplicaId>,
}

/// Where a failover stands (spec 2 §9.1).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Failover {
    /// None in progress.
    #[default]
    Idle,
    /// Asking for votes: `wait_start`.
    Electing {
        /// The epoch we want to lead.
        epoch: Epoch,
        /// When this failover began, which the election time-out counts from.
        started_at: Instant,
        /// When votes were last asked for in a fresh epoch.
        asked_at: Instant,
        /// How long to wait after that before a fresh epoch is tried, if nobody can win this one.
        pause: Duration,
        /// The most voters that there were since it began: who is forgotten meanwhile may have voted for another, and still counts.
        voters: usize,
        /// An operator wants it, and how far it is with the votes.
        force: Force,
    },
    /// Elected, waiting for fresh reports of the replicas: `select_slave`.
    Selecting {
        /// The epoch we lead.
        epoch: Epoch,
        /// Since when.
        since: Instant,
        /// An operator wants it.
        forced: bool,
        /// Replicas that refused to be promoted.
        refused: Vec<ReplicaId>,
    },
    /// SLAVEOF NO ONE on its way: `send_slaveof_noone`, then `wait_promotion`.
    Promoting {
        /// The epoch we lead.
        epoch: Epoch,
        /// Whom we promote.
        candidate: ReplicaId,
        /// The run id that it had when it was chosen.
        process: Option<RunId>,
        /// Since when we promote anybody.
        since: Instant,
        /// When this candidate was chosen.
        chosen_at: Instant,
        /// The command was sent.
        sent: bool,
        /// An operator wants it.
        forced: bool,
        /// Replicas that refused to be promoted.
        refused: Vec<ReplicaId>,
    },
    /// Promoted; the other replicas are re-pointed: `reconf_slaves`. Nothing aborts it any more.
    Reconfiguring {
        /// The new master.
        promoted: ReplicaId,
        /// Since when.
        since: Instant,
        /// An operator wanted it.
        forced: bool,
        /// It was made known; before that, the attempt to save the new configuration is awaited.
        announced: bool,
    },
}

impl Failover {
    /// Any state but idle.
    pub fn is_running(&self) -> bool {
        *self != Failover::Idle
    }

    /// The replica that is, or is to be, promoted.
    pub fn promoted(&self) -> Option<ReplicaId> {
        match self {
            Failover::Promoting { candidate, .. } => Some(*candidate),
            Failover::Reconfiguring { promoted, .. } => Some(*promoted),
            _ => None,
        }
    }

    /// The epoch that it wants to lead, or leads; none once the promotion is confirmed, whose epoch is that of the configuration.
    pub fn epoch(&self) -> Option<Epoch> {
        match self {
            Failover::Electing { epoch, .. }
            | Failover::Selecting { epoch, .. }
            | Failover::Promoting { epoch, .. } => Some(*epoch),
            Failover::Idle | Failover::Reconfiguring { .. } => None,
        }
    }

    /// An operator asked for it.
    pub fn is_forced(&self) -> bool {
        match self {
            Failover::Idle => false,
            Failover::Electing { force, .. } => *force != Force::No,
            Failover::Selecting { forced, .. }
            | Failover::Promoting { forced, .. }
            | Failover::Reconfiguring { forced, .. } => *forced,
        }
    }

    /// The name in `failover-state` (spec 3 §3.4.3).
    pub fn state_name(&self) -> Option<&'static str> {
        match self {
            Failover::Idle => None,
            Failover::Electing { .. } => Some("wait_start"),
            Failover::Selecting { .. } => Some("select_slave"),
            Failover::Promoting { sent: false, .. } => Some("send_slaveof_noone"),
            Failover::Promoting { sent: true, .. } => Some("wait_promotion"),
            Failover::Reconfiguring { .. } => Some("reconf_slaves"),
        }
    }
}

/// Begins a failover by an operator's word (spec 2 §9.10). The caller has checked that one may begin.
pub fn force(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) {
    elect::start(fleet, cx, id, Force::Asking { again: false });
}

/// Starts a failover if it is time, and takes the one in progress as far as the facts allow; when to look again.
pub fn step(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Option<Instant> {
    // A failover has few states and only moves forward within a turn: the bound is never reached.
    for _ in 0..16 {
        let before = fleet.masters[id].failover.clone();
        let mandate_due = match mandate::check(fleet, cx, id) {
            Mandate::Lost => continue,
            Mandate::Held(due) => due,
        };
        let due = match &before {
            Failover::Idle => elect::start_step(fleet, cx, id),
            Failover::Electing { .. } => elect::step(fleet, cx, id),
            Failover::Selecting { .. } => select::step(fleet, cx, id),
            Failover::Promoting { .. } => promote::step(fleet, cx, id),
            Failover::Reconfiguring { .. } => reconfigure::step(fleet, cx, id),
        };
        if fleet.masters[id].failover == before {
            return due.into_iter().chain(mandate_due).chain(select::next_eligible(fleet, cx, id)).min();
        }
        cx.touch_master(id);
    }
    unreachable!("a failover settles within a turn")
}

/// Ends a failover that found nobody to promote. The next begins as soon as a replica may be promoted that is not among the `tried`, or
/// after a pause that grows.
///
/// Differs: the reference waits for twice failover-timeout.
fn give_up(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, event: &'static str, tried: Vec<ReplicaId>) {
    if cx.holes.has(Hole::GivesUpWithoutReplica) {
        return abort(fleet, cx, id, event, None);
    }
    abort(fleet, cx, id, event, Some(FRUITLESS_PAUSE));
    fleet.masters[id].fruitless = Some(Fruitless { ended_at: cx.mono(), tried });
}

/// Ends a failover that did not come to a promotion (spec 2 §9.1). The next attempt waits for `pause`, longer each time; without one, as
/// in the reference, for twice failover-timeout from the start of this one.
fn abort(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, event: &'static str, pause: Option<Duration>) {
    fleet.announce(cx, Level::Warning, event, Entity::Master(id), "");
    wait::after_failure(fleet, cx, id, pause);
    let master = &mut fleet.masters[id];
    master.failover = Failover::Idle;
    master.eligible_since = None;
    for replica in master.replicas.clone() {
        fleet.replicas[replica].block = None;
    }
}
