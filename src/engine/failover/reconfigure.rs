//! Re-pointing the other replicas, parallel-syncs at a time, and the end of a failover (spec 2 §9.6, §9.7).

use std::time::Duration;

use super::{Failover, promote, switch};
use crate::engine::block::send_block;
use crate::engine::cx::Cx;
use crate::engine::fleet::Fleet;
use crate::engine::hole::Hole;
use crate::engine::lineage;
use crate::engine::notice::Level;
use crate::engine::replica::{Outcome, Reconf, Replica};
use crate::engine::tag::Entity;
use crate::model::{Instant, MasterId, ReplicaId};
use crate::wire::Role;

/// Re-points as many replicas as may be, ends the failover when none is left; when to look again.
pub fn step(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Option<Instant> {
    let now = cx.mono();
    let Failover::Reconfiguring { promoted, since, announced, .. } = fleet.masters[id].failover else {
        return None;
    };
    if !cx.outbox.is_settled(fleet.masters[id].config_revision) {
        // Others can act on whatever follows: it waits for the save, whose end has this master looked at again.
        return None;
    }
    if !announced {
        promote::announce_promotion(fleet, cx, id);
    }
    let sent_due = give_up_on_silent(fleet, cx, id);
    send_next(fleet, cx, id, promoted);
    let deadline = since + fleet.masters[id].settings.failover_timeout;
    // Differs: the reference waits for a dead promoted replica for ever (spec 2 §9.7). Switching to it lets it be failed over in turn.
    let promoted_is_dead = fleet.replicas[promoted].instance.s_down;
    if promoted_is_dead && cx.holes.has(Hole::WaitsForDeadPromoted) {
        return None;
    }
    let timed_out = now > deadline;
    if timed_out {
        fleet.announce(cx, Level::Warning, "+failover-end-for-timeout", Entity::Master(id), "");
    }
    if timed_out || promoted_is_dead || remaining(fleet, id, promoted) == 0 {
        fleet.announce(cx, Level::Warning, "+failover-end", Entity::Master(id), "");
        if timed_out {
            tell_the_rest(fleet, cx, id, promoted);
        }
        switch::switch_to_promoted(fleet, cx, id, promoted);
        return None;
    }
    sent_due.into_iter().chain([deadline + Duration::from_nanos(1)]).min()
}

/// The last word to replicas that were not told yet. Compat: their connections are closed in the same turn, so that it may not arrive;
/// whoever stays behind is repaired later (spec 2 §9.7).
fn tell_the_rest(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, promoted: ReplicaId) {
    let target = target(fleet, cx, promoted);
    for replica in fleet.masters[id].replicas.clone() {
        let known = &fleet.replicas[replica];
        let untold = replica != promoted && known.reconf.is_none() && is_ours_to_point(known);
        if untold && is_introduced(fleet, cx, replica) && send_block(fleet, cx, replica, Some(target.clone()))
        {
            fleet.announce(cx, Level::Notice, "+slave-reconf-sent-be", Entity::Replica(replica), "");
        }
    }
}

/// The new master, as SLAVEOF names it.
fn target(fleet: &Fleet, cx: &Cx, promoted: ReplicaId) -> (String, u16) {
    cx.globals.shown(&fleet.replicas[promoted].instance.address)
}

/// Replicas that still have to be brought to the new master: neither done nor down.
fn remaining(fleet: &Fleet, id: MasterId, promoted: ReplicaId) -> usize {
    let replicas = fleet.masters[id]
        .replicas
        .iter()
        .filter(|replica| **replica != promoted)
        .map(|id| &fleet.replicas[*id]);
    let awaited = |replica: &&Replica| {
        replica.reconf != Some(Reconf::Done) && !replica.instance.s_down && is_ours_to_point(replica)
    };
    replicas.filter(awaited).count()
}

/// A replica that made no progress, or refused, no longer counts: it must not keep the others waiting. When the next one is due.
///
/// Differs: with parallel-syncs 1 the reference's time-out never comes, and a mute replica blocks all others (spec 2 §9.6).
fn give_up_on_silent(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Option<Instant> {
    let now = cx.mono();
    let timeout = cx.globals.tunables.replica_reconf_timeout;
    let mut next = None;
    if cx.holes.has(Hole::MuteReplicaBlocks) && busy(fleet, id) >= limit(fleet, id) {
        return None;
    }
    for replica_id in fleet.masters[id].replicas.clone() {
        let replica = &mut fleet.replicas[replica_id];
        let Some(Reconf::Sent { at }) = replica.reconf else { continue };
        let due = at + timeout;
        match replica.block.as_ref().map(|block| &block.outcome) {
            // The connection broke before the reply: once it is back the command is sent again.
            Some(Outcome::Lost(_)) if now <= due => {
                replica.reconf = None;
                replica.block = None;
            }
            Some(Outcome::Refused(_) | Outcome::Lost(_)) => replica.reconf = Some(Reconf::Done),
            _ if now > due => {
                replica.reconf = Some(Reconf::Done);
                fleet.announce(
                    cx,
                    Level::Notice,
                    "-slave-reconf-sent-timeout",
                    Entity::Replica(replica_id),
                    "",
                );
            }
            _ => next = Some(next.map_or(due, |at: Instant| at.min(due)) + Duration::from_nanos(1)),
        }
    }
    next
}

fn send_next(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, promoted: ReplicaId) {
    let now = cx.mono();
    let target = target(fleet, cx, promoted);
    let replicas = fleet.masters[id].replicas.clone();
    let limit = limit(fleet, id);
    let mut in_progress = busy(fleet, id);
    for replica in replicas.into_iter().filter(|replica| *replica != promoted) {
        if in_progress >= limit {
            return;
        }
        let known = &fleet.replicas[replica];
        if known.reconf.is_some()
            || !is_ours_to_point(known)
            || !is_introduced(fleet, cx, replica)
            || !send_block(fleet, cx, replica, Some(target.clone()))
        {
            continue;
        }
        fleet.replicas[replica].reconf = Some(Reconf::Sent { at: now });
        fleet.announce(cx, Level::Notice, "+slave-reconf-sent", Entity::Replica(replica), "");
        // Who is down takes nobody's turn (`busy`), or the next one would be told only when something else happens.
        in_progress += usize::from(!fleet.replicas[replica].instance.s_down);
    }
}

/// True for a replica that is under way, of more than may be: one that was told while it was down did not count, and came back.
pub fn is_crowded(fleet: &Fleet, id: ReplicaId) -> bool {
    let replica = &fleet.replicas[id];
    let running = matches!(fleet.masters[replica.master].failover, Failover::Reconfiguring { .. });
    running && replica.reconf_in_progress() && busy(fleet, replica.master) > limit(fleet, replica.master)
}

/// Replicas that may be re-pointed at once.
fn limit(fleet: &Fleet, id: MasterId) -> usize {
    usize::try_from(fleet.masters[id].settings.parallel_syncs).unwrap_or(0)
}

/// Replicas that are being re-pointed.
///
/// Differs: one that died meanwhile makes room; in the reference the others wait for failover-timeout.
fn busy(fleet: &Fleet, id: MasterId) -> usize {
    let busy = |replica: &Replica| replica.reconf_in_progress() && !replica.instance.s_down;
    fleet.masters[id].replicas.iter().filter(|id| busy(&fleet.replicas[**id])).count()
}

/// It has said who it is since it was connected to: its machine may have been lost, and its address given to another cluster.
///
/// Differs: the reference sends SLAVEOF as soon as there is a connection.
fn is_introduced(fleet: &Fleet, cx: &Cx, id: ReplicaId) -> bool {
    lineage::is_introduced(fleet, id) || cx.holes.has(Hole::FollowsForeign)
}

/// False for an instance of another cluster, and for one that calls itself master.
///
/// Differs: the reference re-points both. Who calls itself master may have been promoted in a later epoch, by a leader that we can't hear
/// just now: it is left to `repair`, which makes sure that a majority agrees with us.
fn is_ours_to_point(replica: &Replica) -> bool {
    !replica.origin.is_foreign() && replica.info.role == Role::Replica
}
