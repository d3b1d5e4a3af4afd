//! Which replica to promote (spec 2 §9.3).

use std::cmp::Reverse;
use std::time::Duration;

use super::{Failover, give_up, mandate};
use crate::engine::cx::Cx;
use crate::engine::fleet::Fleet;
use crate::engine::hole::Hole;
use crate::engine::lineage;
use crate::engine::master::Master;
use crate::engine::notice::Level;
use crate::engine::probe;
use crate::engine::replica::Replica;
use crate::engine::tag::Entity;
use crate::model::{Instant, MasterId, ReplicaId, RunId};
use crate::wire::Role;

/// How long the selection waits for reports that were asked for and did not come yet.
const REPORT_WAIT: Duration = Duration::from_millis(500);
/// How long it keeps looking while no replica is eligible.
const SEARCH_WAIT: Duration = Duration::from_millis(3_000);
/// How long it keeps looking while there is a replica that is not down, and merely owes a report or is just being connected to again; not
/// beyond the mandate.
const LONGEST_WAIT: Duration = Duration::from_millis(8_000);
/// So long before the mandate ends it gives up, while it can still say why.
const BEFORE_THE_END: Duration = Duration::from_millis(50);
/// A report that was asked for before the election was won counts if that is no longer ago than this, and the master was objectively down.
const REPORT_AGE: Duration = Duration::from_millis(1_000);

/// For how many times down-after a replica's link to its master may have been down before the master was.
const LINK_DOWN_FACTOR: u32 = 10;

/// Replicas that may be promoted now, the best first.
pub fn eligible_replicas(fleet: &Fleet, cx: &Cx, id: MasterId) -> Vec<ReplicaId> {
    let master = &fleet.masters[id];
    let replicas = master.replicas.iter().map(|id| &fleet.replicas[*id]);
    let mut eligible: Vec<&Replica> =
        replicas.filter(|replica| objection(fleet, cx, replica).is_none()).collect();
    eligible.sort_by_cached_key(|replica| merit(fleet, replica));
    eligible.into_iter().map(|replica| replica.id).collect()
}

/// The less, the better: whether its data can be trusted to be the latest, then as in the reference.
fn merit(fleet: &Fleet, replica: &Replica) -> impl Ord + use<> {
    let run_id = replica.instance.run_id.as_ref().map(|id: &RunId| id.as_str().to_ascii_lowercase());
    let (standing, _) = lineage::standing(fleet, replica);
    (standing, replica.priority, Reverse(replica.repl_offset), run_id.is_none(), run_id)
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
    let gone_for = gone_since(master).map_or(Duration::ZERO, |at| now.since(at));
    let max_link_down = master.settings.down_after.saturating_mul(LINK_DOWN_FACTOR) + gone_for;
    if replica.instance.s_down {
        Some("it is subjectively down".to_owned())
    } else if !link.command.is_up() {
        Some("it is not connected".to_owned())
    } else if silence > tunables.ping_period * 5 {
        Some(format!("its last PING reply is {} ms old", silence.as_millis()))
    } else if !replica.info.fresher_than(max_info_age, now) {
        Some("its last INFO is too old".to_owned())
    } else if i128::from(replica.link_down_ms) > max_link_down.as_millis() as i128 {
        Some(format!("its link to the master is down for {} ms", replica.link_down_ms))
    } else {
        own_objection(fleet, cx, replica).map(str::to_owned)
    }
}

/// Why a replica may not be promoted by what it says of itself, if so.
pub fn own_objection(fleet: &Fleet, cx: &Cx, replica: &Replica) -> Option<&'static str> {
    if replica.priority == 0 { Some("its priority is 0") } else { lineage::objection(fleet, cx, replica) }
}

/// Since when no replica can have been in step with the master through no fault of its own.
///
/// Differs: a master that says that it follows somebody is gone from then on, not from its SDOWN, which that only is after two INFO periods
/// more. In the reference no replica can be promoted after that if ten times down-after are shorter.
fn gone_since(master: &Master) -> Option<Instant> {
    let down_at = master.instance.s_down_at.filter(|_| master.instance.s_down)?;
    let demoted = master.info.role == Role::Replica;
    Some(if demoted { down_at.min(master.info.role_since) } else { down_at })
}

/// Somebody to promote is looked for, or was in vain.
fn is_searching(master: &Master) -> bool {
    let selects = matches!(master.failover, Failover::Selecting { .. } | Failover::Promoting { .. });
    selects || master.fruitless.is_some()
}

/// A replica gave a sign by which it may be eligible again.
pub fn on_promotable(fleet: &Fleet, cx: &mut Cx, id: MasterId) {
    if is_searching(&fleet.masters[id]) {
        cx.touch_master(id);
    }
}

/// When the next replica may become eligible by time alone: the longer the master is gone, the longer a link to it may be down.
pub fn next_eligible(fleet: &Fleet, cx: &Cx, id: MasterId) -> Option<Instant> {
    let master = &fleet.masters[id];
    let gone_since = gone_since(master).filter(|_| is_searching(master))?;
    let allowed = master.settings.down_after.saturating_mul(LINK_DOWN_FACTOR);
    let replicas = master.replicas.iter().map(|id| &fleet.replicas[*id]);
    let dues = replicas.filter_map(|replica| {
        let link_down = Duration::from_millis(u64::try_from(replica.link_down_ms).ok()?);
        Some(gone_since + link_down.checked_sub(allowed)?)
    });
    dues.filter(|due| *due > cx.mono()).min()
}

/// Chooses once all reports are in, or waited for long enough; when to look again.
///
/// Differs: the reference does not wait, and takes the last report there is, up to 5 seconds old (30 if an operator asked).
pub fn step(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Option<Instant> {
    let now = cx.mono();
    let Failover::Selecting { epoch, since, forced, refused } = fleet.masters[id].failover.clone() else {
        return None;
    };
    let report_deadline = since + REPORT_WAIT;
    if now < report_deadline && awaits_reports(fleet, cx, id, since, &refused) {
        return Some(report_deadline);
    }
    let eligible = eligible_replicas(fleet, cx, id);
    let mut fresh = eligible.into_iter().filter(|replica| {
        !refused.contains(replica) && has_reported(fleet, cx, &fleet.replicas[*replica], since)
    });
    let Some(candidate) = fresh.next() else {
        return search_on(fleet, cx, id, since, refused);
    };
    explain(fleet, cx, id, since, &refused, Some(candidate));
    let entity = Entity::Replica(candidate);
    fleet.announce(cx, Level::Warning, "+selected-slave", entity, "");
    fleet.announce(cx, Level::Notice, "+failover-state-send-slaveof-noone", entity, "");
    fleet.replicas[candidate].block = None;
    let process = fleet.replicas[candidate].instance.run_id.clone();
    let (since, chosen_at, sent) = (now, now, false);
    fleet.masters[id].failover =
        Failover::Promoting { epoch, candidate, process, since, chosen_at, sent, forced, refused };
    None
}

/// Its last report was asked for late enough to choose by: on the connection that it has now, because whoever was away may have been told to
/// copy another server meanwhile, or be another process.
fn has_reported(fleet: &Fleet, cx: &Cx, replica: &Replica, since: Instant) -> bool {
    if cx.holes.has(Hole::SelectsOnOldReports) {
        return true;
    }
    if !lineage::is_introduced(fleet, replica.id) {
        return false;
    }
    if replica.info.tells_of(since) {
        return true;
    }
    let master = &fleet.masters[replica.master];
    let down_at = master.o_down_at.filter(|_| master.o_down).unwrap_or(Instant::ZERO);
    let recent = replica.info.questioned_at.is_some_and(|at| cx.mono().since(at) < REPORT_AGE);
    recent && replica.info.tells_of(down_at)
}

/// Nothing speaks against a replica but that it did not report, or that there is no connection to it at the moment.
fn may_still_turn_up(fleet: &Fleet, cx: &Cx, replica: &Replica, since: Instant) -> bool {
    let is_silent =
        !fleet.links[replica.instance.link].command.is_up() || !has_reported(fleet, cx, replica, since);
    is_silent && !replica.instance.s_down && replica.priority != 0
}

/// Some connected replica that may still be chosen has not reported what the selection needs. Then all who did not report since the election are
/// asked, also those whose last report would do at this moment: it may be too old when the wait is over.
fn awaits_reports(
    fleet: &mut Fleet,
    cx: &mut Cx,
    id: MasterId,
    since: Instant,
    refused: &[ReplicaId],
) -> bool {
    if cx.holes.has(Hole::SelectsOnOldReports) {
        return false;
    }
    let within_reach = |id: &ReplicaId| {
        let replica = &fleet.replicas[*id];
        let connected = fleet.links[replica.instance.link].command.is_up() && !replica.instance.s_down;
        connected && !refused.contains(id)
    };
    let reached: Vec<ReplicaId> = fleet.masters[id].replicas.iter().copied().filter(within_reach).collect();
    let awaited = reached.iter().any(|id| !has_reported(fleet, cx, &fleet.replicas[*id], since));
    for id in reached.into_iter().filter(|_| awaited) {
        // Once: an error is an answer too.
        let info = &fleet.replicas[id].info;
        let asked = info.asked_at.max(info.owed.back().copied());
        if !info.tells_of(since) && asked.is_none_or(|asked| asked < since) {
            probe::ask_info(fleet, cx, Entity::Replica(id));
        }
    }
    awaited
}

/// Nobody to promote: ask again for a while, then give up.
fn search_on(
    fleet: &mut Fleet,
    cx: &mut Cx,
    id: MasterId,
    since: Instant,
    refused: Vec<ReplicaId>,
) -> Option<Instant> {
    let now = cx.mono();
    let mut others = fleet.masters[id].replicas.iter().filter(|replica| !refused.contains(replica));
    let has_hope = others.any(|replica| may_still_turn_up(fleet, cx, &fleet.replicas[*replica], since));
    let longest = since + if has_hope { LONGEST_WAIT } else { SEARCH_WAIT };
    let near_its_end =
        |over: Instant| Instant::ZERO + over.since(Instant::ZERO).saturating_sub(BEFORE_THE_END);
    let deadline = mandate::expiry(fleet, cx, id).map_or(longest, |over| longest.min(near_its_end(over)));
    if now < deadline && !fleet.masters[id].replicas.is_empty() {
        let mut next = deadline;
        for replica in fleet.masters[id].replicas.clone() {
            let info = &fleet.replicas[replica].info;
            // A report of before the election is too old then, and another one is asked for (`awaits_reports`).
            let too_old = info.questioned_at.map(|at| at + REPORT_AGE).filter(|at| *at > now);
            next = too_old.map_or(next, |at| next.min(at));
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
    explain(fleet, cx, id, since, &refused, None);
    give_up(fleet, cx, id, "-failover-abort-no-good-slave", refused);
    None
}

/// Says of each replica why it was chosen or not.
fn explain(
    fleet: &Fleet,
    cx: &mut Cx,
    id: MasterId,
    since: Instant,
    refused: &[ReplicaId],
    chosen: Option<ReplicaId>,
) {
    let best = chosen.map(|id| &fleet.replicas[id]);
    for replica in fleet.masters[id].replicas.iter().map(|id| &fleet.replicas[*id]) {
        let name = &replica.instance.name;
        let objection = match objection(fleet, cx, replica) {
            None if refused.contains(&replica.id) => Some("it was tried, in vain".to_owned()),
            None if !has_reported(fleet, cx, replica, since) => {
                Some("it did not answer when it was asked for its state".to_owned())
            }
            objection => objection,
        };
        let verdict = match (objection, best) {
            (Some(why), _) => {
                cx.log(Level::Notice, format!("Replica {name} can't be promoted: {why}"));
                continue;
            }
            (None, Some(best)) if best.id == replica.id => "chosen".to_owned(),
            (None, Some(best)) => format!("behind, {}", why_behind(fleet, replica, best)),
            (None, None) => continue,
        };
        let (priority, offset) = (replica.priority, replica.repl_offset);
        cx.log(Level::Notice, format!("Replica {name}: priority {priority}, offset {offset}: {verdict}"));
    }
}

fn why_behind(fleet: &Fleet, replica: &Replica, best: &Replica) -> &'static str {
    let (standing, doubt) = lineage::standing(fleet, replica);
    if standing != lineage::standing(fleet, best).0 {
        doubt.unwrap_or("its data may be older")
    } else if replica.priority != best.priority {
        "its priority number is higher"
    } else if replica.repl_offset != best.repl_offset {
        "it has less of the data"
    } else {
        "its run id comes later"
    }
}
