//! Which replica to promote (spec 2 §9.3).

use std::cmp::Reverse;
use std::time::Duration;

use super::{Failover, abort};
use crate::engine::cx::Cx;
use crate::engine::fleet::Fleet;
use crate::engine::notice::Level;
use crate::engine::probe;
use crate::engine::replica::Replica;
use crate::engine::tag::Entity;
use crate::model::{Instant, MasterId, ReplicaId};

/// How long the selection waits for reports that were asked for and did not come yet.
const REPORT_WAIT: Duration = Duration::from_millis(500);
/// How long it keeps looking while no replica is eligible.
const SEARCH_WAIT: Duration = Duration::from_millis(3_000);

/// Replicas that may be promoted now, the best first.
pub fn eligible_replicas(fleet: &Fleet, cx: &Cx, id: MasterId) -> Vec<ReplicaId> {
    let master = &fleet.masters[id];
    let replicas = master.replicas.iter().map(|id| &fleet.replicas[*id]);
    let mut eligible: Vec<&Replica> =
        replicas.filter(|replica| objection(fleet, cx, replica).is_none()).collect();
    eligible.sort_by_key(|replica| {
        let run_id = replica.instance.run_id.as_ref().map(|id| id.as_str().to_ascii_lowercase());
        (replica.priority, Reverse(replica.repl_offset), run_id.is_none(), run_id)
    });
    eligible.into_iter().map(|replica| replica.id).collect()
}

/// Why a replica may not be promoted, if so. Differs: only the command connection has to be up. The subscription may just have been cut
/// by another Sentinel's SLAVEOF block, which says nothing about the replica.
fn objection(fleet: &Fleet, cx: &Cx, replica: &Replica) -> Option<String> {
    let now = cx.mono();
    let master = &fleet.masters[replica.master];
    let tunables = &cx.globals.tunables;
    let link = &fleet.links[replica.instance.link];
    let silence = now.since(link.available_at);
    let max_info_age =
        if master.instance.s_down { tunables.ping_period * 5 } else { tunables.info_period * 3 };
    let down_time = master
        .instance
        .s_down_at
        .filter(|_| master.instance.s_down)
        .map_or(Duration::ZERO, |at| now.since(at));
    let max_link_down = master.settings.down_after.saturating_mul(10) + down_time;
    if replica.instance.s_down {
        Some("it is subjectively down".to_owned())
    } else if !link.command.is_up() {
        Some("it is not connected".to_owned())
    } else if silence > tunables.ping_period * 5 {
        Some(format!("its last PING reply is {} ms old", silence.as_millis()))
    } else if replica.priority == 0 {
        Some("its priority is 0".to_owned())
    } else if !replica.info.fresher_than(max_info_age, now) {
        Some("its last INFO is too old".to_owned())
    } else if i128::from(replica.link_down_ms) > max_link_down.as_millis() as i128 {
        Some(format!("its link to the master is down for {} ms", replica.link_down_ms))
    } else {
        None
    }
}

/// Chooses once all reports are in, or waited for long enough; when to look again.
pub fn step(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Option<Instant> {
    let now = cx.mono();
    let Failover::Selecting { epoch, since, forced, refused } = fleet.masters[id].failover.clone() else {
        return None;
    };
    let report_deadline = since + REPORT_WAIT;
    if now < report_deadline && awaits_reports(fleet, id, since, &refused) {
        return Some(report_deadline);
    }
    let eligible = eligible_replicas(fleet, cx, id);
    let Some(candidate) = eligible.into_iter().find(|replica| !refused.contains(replica)) else {
        return search_on(fleet, cx, id, since);
    };
    let entity = Entity::Replica(candidate);
    fleet.announce(cx, Level::Warning, "+selected-slave", entity, "");
    fleet.announce(cx, Level::Notice, "+failover-state-send-slaveof-noone", entity, "");
    fleet.replicas[candidate].block = None;
    fleet.masters[id].failover =
        Failover::Promoting { epoch, candidate, since: now, chosen_at: now, sent: false, forced, refused };
    None
}

/// Some connected replica that may still be chosen has not reported since it was asked for what the selection needs.
fn awaits_reports(fleet: &Fleet, id: MasterId, since: Instant, refused: &[ReplicaId]) -> bool {
    let candidates = fleet.masters[id].replicas.iter().filter(|id| !refused.contains(id));
    let answers = |replica: &&Replica| {
        let connected = fleet.links[replica.instance.link].command.is_up();
        connected && !replica.instance.s_down && replica.info.asked_at.is_some()
    };
    candidates.map(|id| &fleet.replicas[*id]).filter(answers).any(|replica| !replica.info.fresh_since(since))
}

/// Nobody to promote: ask again for a while, then give up.
///
/// Differs: the log says why each replica lost.
fn search_on(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, since: Instant) -> Option<Instant> {
    let now = cx.mono();
    let deadline = since + SEARCH_WAIT;
    if now < deadline && !fleet.masters[id].replicas.is_empty() {
        let mut next = deadline;
        for replica in fleet.masters[id].replicas.clone() {
            let info = &fleet.replicas[replica].info;
            let due = info.at.map_or(now, |at| at + REPORT_WAIT);
            if info.asked_at.is_some() {
                continue;
            }
            if due <= now {
                probe::ask_info(fleet, cx, Entity::Replica(replica));
            } else {
                next = next.min(due);
            }
        }
        return Some(next);
    }
    for replica in fleet.masters[id].replicas.clone() {
        let replica = &fleet.replicas[replica];
        let why = objection(fleet, cx, replica).unwrap_or_else(|| "it refused".to_owned());
        cx.log(Level::Notice, format!("Replica {} can't be promoted: {why}", replica.instance.name));
    }
    abort(fleet, cx, id, "-failover-abort-no-good-slave", None);
    None
}
