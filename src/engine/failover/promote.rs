//! Promoting the chosen replica, and what follows the moment it reports to be a master (spec 2 §9.4, §9.5).

use std::time::Duration;

use super::{Failover, elect, mandate, select, switch};
use crate::engine::block::send_block;
use crate::engine::cx::Cx;
use crate::engine::fleet::Fleet;
use crate::engine::hole::Hole;
use crate::engine::notice::Level;
use crate::engine::replica::Outcome;
use crate::engine::tag::Entity;
use crate::engine::{lineage, probe, repair, script_event};
use crate::model::{Instant, MasterId, ReplicaId};

/// A candidate that can't be reached, or does not answer, is given this long before another is tried.
const PATIENCE: Duration = Duration::from_millis(1_000);
/// See [`is_another_process`].
const ANOTHER_PROCESS: &str = "is another process than the one chosen";

/// Sends SLAVEOF NO ONE once, reads what became of it, and turns to the next candidate if need be; when to look again.
pub fn step(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Option<Instant> {
    let now = cx.mono();
    let Failover::Promoting { candidate, since, chosen_at, sent, .. } = fleet.masters[id].failover else {
        return None;
    };
    let deadline = since + fleet.masters[id].settings.failover_timeout;
    if now > deadline {
        let tried = super::eligible_replicas(fleet, cx, id);
        super::give_up(fleet, cx, id, "-failover-abort-slave-timeout", tried);
        return None;
    }
    if let Some(reason) = second_thoughts(fleet, cx, id) {
        look_anew(fleet, cx, id, &reason);
        return None;
    }
    let give_up = deadline + Duration::from_nanos(1);
    if !sent {
        let introduced = lineage::is_introduced(fleet, candidate) || cx.holes.has(Hole::SelectsOnOldReports);
        if introduced && send_block(fleet, cx, candidate, None) {
            if let Failover::Promoting { sent, chosen_at, .. } = &mut fleet.masters[id].failover {
                (*sent, *chosen_at) = (true, now);
            }
            fleet.announce(
                cx,
                Level::Notice,
                "+failover-state-wait-promotion",
                Entity::Replica(candidate),
                "",
            );
            return None;
        }
        let due = chosen_at + PATIENCE;
        return if now < due {
            Some(due.min(give_up))
        } else {
            next_candidate(fleet, cx, id, "it is not connected", give_up)
        };
    }
    let outcome = fleet.replicas[candidate].block.as_ref().map(|block| block.outcome.clone());
    match outcome {
        Some(Outcome::Refused(reason) | Outcome::Lost(reason)) => {
            next_candidate(fleet, cx, id, &reason, give_up)
        }
        Some(Outcome::Pending) if now >= chosen_at + PATIENCE => {
            next_candidate(fleet, cx, id, "it does not answer", give_up)
        }
        Some(Outcome::Pending) => Some((chosen_at + PATIENCE).min(give_up)),
        // Accepted: its INFO is asked for again and again until it says `role:master`.
        _ if fleet.replicas[candidate].instance.s_down => {
            next_candidate(fleet, cx, id, "it went down", give_up)
        }
        _ => Some(give_up),
    }
}

/// Why the candidate is not the one that was chosen any more, if so. Once it was told to be the master it is judged by what becomes of that.
fn second_thoughts(fleet: &Fleet, cx: &Cx, id: MasterId) -> Option<String> {
    let Failover::Promoting { candidate, sent, .. } = fleet.masters[id].failover else { return None };
    if is_another_process(fleet, cx, id) {
        return Some(ANOTHER_PROCESS.to_owned());
    }
    let introduced = !sent && lineage::is_introduced(fleet, candidate);
    let objection = select::own_objection(fleet, cx, &fleet.replicas[candidate]).filter(|_| introduced);
    objection.map(|why| format!("can't be promoted any more: {why}"))
}

/// The candidate restarted since it was chosen, or another server has its address: what it was chosen for may be gone.
fn is_another_process(fleet: &Fleet, cx: &Cx, id: MasterId) -> bool {
    let Failover::Promoting { candidate, process, .. } = &fleet.masters[id].failover else { return false };
    !cx.holes.has(Hole::SelectsOnOldReports)
        && process.is_some()
        && fleet.replicas[*candidate].instance.run_id != *process
}

/// Chooses again, by fresh reports. Also if it is a master already: that may be its start without its data, and not what we asked for.
fn look_anew(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, reason: &str) {
    let Failover::Promoting { epoch, candidate, forced, refused, .. } = fleet.masters[id].failover.clone()
    else {
        return;
    };
    let name = &fleet.replicas[candidate].instance.name;
    cx.log(Level::Warning, format!("Replica {name} {reason}. Choosing again"));
    fleet.replicas[candidate].block = None;
    fleet.masters[id].failover = Failover::Selecting { epoch, since: cx.mono(), forced, refused };
    cx.touch_master(id);
}

/// Turns to another replica, if there is another; else stays with this one until failover-timeout, sending anew after a failure.
fn next_candidate(
    fleet: &mut Fleet,
    cx: &mut Cx,
    id: MasterId,
    reason: &str,
    give_up: Instant,
) -> Option<Instant> {
    let now = cx.mono();
    let Failover::Promoting { epoch, candidate, forced, refused, .. } = fleet.masters[id].failover.clone()
    else {
        return None;
    };
    let untried = |replica: &ReplicaId| *replica != candidate && !refused.contains(replica);
    let alternative = super::eligible_replicas(fleet, cx, id).into_iter().any(|replica| untried(&replica));
    let name = fleet.replicas[candidate].instance.name.clone();
    if alternative {
        cx.log(Level::Warning, format!("Replica {name} could not be promoted: {reason}. Trying another one"));
        fleet.replicas[candidate].block = None;
        let mut refused = refused;
        refused.push(candidate);
        fleet.masters[id].failover = Failover::Selecting { epoch, since: now, forced, refused };
        return None;
    }
    let pending =
        fleet.replicas[candidate].block.as_ref().is_some_and(|block| block.outcome == Outcome::Pending);
    let connected = fleet.links[fleet.replicas[candidate].instance.link].command.is_up();
    if let Failover::Promoting { chosen_at, sent, .. } = &mut fleet.masters[id].failover {
        let again = *chosen_at + PATIENCE;
        if now < again {
            return Some(again.min(give_up));
        }
        *chosen_at = now;
        // A block that was refused or lost is sent anew; one that is merely slow is left alone.
        *sent = pending && connected;
    }
    cx.log(
        Level::Warning,
        format!("Replica {name} could not be promoted: {reason}. There is no other, trying again"),
    );
    Some((now + PATIENCE).min(give_up))
}

/// The candidate reports `role:master` (spec 2 §9.5). Nothing aborts the failover from here on; it goes on once the new configuration
/// is saved. Should that fail, our vote for this epoch is on disk all the same, so that the epoch can't be used for another address, and
/// clients are better served than kept waiting.
pub fn on_promoted(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) {
    let Failover::Promoting { epoch, candidate, forced, since, sent: true, .. } = fleet.masters[id].failover
    else {
        return;
    };
    if is_another_process(fleet, cx, id) {
        return look_anew(fleet, cx, id, ANOTHER_PROCESS);
    }
    if !cx.holes.has(Hole::KeepsLostMandate) && !still_wanted(fleet, cx, id, since) {
        return;
    }
    let heir = fleet.replicas[candidate].instance.address.clone();
    lineage::inherit(fleet, cx, id, &heir);
    let master = &mut fleet.masters[id];
    master.config_epoch = epoch;
    master.failover =
        Failover::Reconfiguring { promoted: candidate, since: cx.mono(), forced, announced: false };
    master.config_revision = cx.ledger.record_master(id);
    cx.await_save(id);
    cx.touch_master(id);
}

/// A promotion that shows in the term of our election is what was voted for. After it, or after a freeze of ours, the others may have elected
/// somebody else and the candidate may be a replica again: its report must be a new one, and a majority must still name the configuration
/// before it.
fn still_wanted(fleet: &Fleet, cx: &Cx, id: MasterId, since: Instant) -> bool {
    let Some(candidate) = fleet.masters[id].failover.promoted() else { return false };
    let frozen = cx.thawed_at > since;
    let late = !mandate::in_term(fleet, cx, id);
    let fresh = fleet.replicas[candidate].info.tells_of(cx.thawed_at);
    let heard_since = if frozen { cx.thawed_at } else { since };
    fresh && (!frozen && !late || repair::confirmed_by_majority(fleet, cx, id, heard_since))
}

/// Makes a saved promotion known: to subscribers, to clients, to the reconfiguration script, to the other Sentinels.
pub fn announce_promotion(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) {
    let Failover::Reconfiguring { promoted, announced, since, .. } = &mut fleet.masters[id].failover else {
        return;
    };
    // A slow disk takes nothing off the time in which replicas are re-pointed, and off that before the next failover.
    (*announced, *since) = (true, cx.mono());
    let promoted = *promoted;
    fleet.announce(cx, Level::Warning, "+promoted-slave", Entity::Replica(promoted), "");
    if cx.globals.simulate.after_promotion {
        elect::crash(cx);
    }
    fleet.announce(cx, Level::Warning, "+failover-state-reconf-slaves", Entity::Master(id), "");
    fleet.publish_address(id, cx);
    let old = fleet.masters[id].instance.address.clone();
    let new = fleet.replicas[promoted].instance.address.clone();
    if !cx.holes.has(Hole::LateSwitchMaster) {
        switch::announce_switch(fleet, cx, id, &old, &new);
    }
    script_event::reconfigured(fleet, cx, id, "leader", &old, &new);
    probe::hurry_hello(fleet, cx, id);
}
