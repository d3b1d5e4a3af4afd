//! Brings back what strayed: a replica that calls itself master, or follows somebody else (spec 2 §5.3 steps 2b and 3).
//!
//! The reference waits 8 seconds before it demotes, lest it undo a promotion it has not heard of yet. That patience is kept, and counts
//! from the end of TILT at the earliest. Differs: patience alone proves nothing to a Sentinel that hears from nobody; nothing is repaired
//! unless a majority of Sentinels named the configuration we have, lately, and to demote, since the replica was seen as a master.
//!
//! One case needs no patience. Differs: the master that a failover replaced, and that was not seen as a replica since, is demoted at once
//! when it comes back, as soon as a majority has named our configuration again. Nobody can have promoted it meanwhile, because only
//! a replica can be promoted; it merely has not heard the news.
//!
//! Invariant: an instance of another cluster is left alone.

use std::time::Duration;

use super::block;
use super::cx::Cx;
use super::election;
use super::fleet::Fleet;
use super::notice::Level;
use super::probe;
use super::tag::Entity;
use crate::model::{Instant, MasterId, ReplicaId};
use crate::wire::Role;

/// How long a repair is given to show before it is repeated.
const INTERVAL: Duration = Duration::from_millis(2_000);
/// Between one Sentinel's demotion of a returned master and the next one's, so that not all of them do the same at once.
const HOLD_BACK: Duration = Duration::from_millis(150);
/// A hello older than this confirms nothing.
pub const CONFIRMED_FOR: Duration = Duration::from_secs(10);

/// A replica reports to be a master, and no promotion of it is under way.
pub fn on_another_master(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId) {
    if fleet.replicas[id].info.role_since == cx.mono() {
        look_around(fleet, cx, id);
    }
    if is_stray(fleet, cx, id) {
        have_it_speak(fleet, cx, fleet.replicas[id].master);
    }
    demote_if_stray(fleet, cx, id);
}

/// It is beside a master that is one, as was seen since.
fn is_stray(fleet: &Fleet, cx: &Cx, id: ReplicaId) -> bool {
    let replica = &fleet.replicas[id];
    let master = replica.master;
    let seen_since = replica.info.role_since.max(cx.thawed_at);
    fleet.masters[master].failover.promoted() != Some(id)
        && !replica.origin.is_foreign()
        && !recently_repaired(fleet, cx, id)
        && looks_sane(fleet, cx, master)
        && fleet.masters[master].info.tells_of(seen_since)
}

fn demote_if_stray(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId) {
    if !is_stray(fleet, cx, id) {
        return;
    }
    let now = cx.mono();
    let replica = &fleet.replicas[id];
    let master = replica.master;
    let seen_since = replica.info.role_since.max(cx.thawed_at);
    let patience = cx.globals.tunables.publish_period * 4;
    // News of a promotion reach everybody in half of the patience: what is named after that is named in full knowledge.
    let waited = replica.instance.no_down_for(patience, now)
        && now.since(seen_since) > patience
        && confirmed_by_majority(fleet, cx, master, seen_since + patience / 2);
    let proven = known_stale(fleet, cx, id) && replica.info.tells_of(demotion_due(fleet, cx, id));
    if spoke_lately(fleet, cx, master) && (waited || proven) && point_at_master(fleet, cx, id) {
        fleet.announce(cx, Level::Notice, "+convert-to-slave", Entity::Replica(id), "");
    }
}

/// Another master was just seen. Who is right is known when ours has reported again, and the peers have greeted: ours to them makes those of
/// our kind answer.
fn look_around(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId) {
    let master = fleet.replicas[id].master;
    probe::ask_info(fleet, cx, Entity::Master(master));
    if fleet.replicas[id].former_master {
        for peer in fleet.masters[master].peers.clone() {
            fleet.peers[peer].instance.hello_now = true;
            cx.touch(Entity::Peer(peer));
        }
    }
}

/// A replica reports whom it follows.
pub fn on_role_replica(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId) {
    let now = cx.mono();
    let replica = &fleet.replicas[id];
    let master = &fleet.masters[replica.master];
    // Compat: the comparison is with the configured master also while a failover re-points replicas; its patience makes that safe.
    let follows =
        super::report::follows(replica.master_host.as_deref(), replica.master_port, &master.instance.address);
    let patience = master.settings.failover_timeout;
    let grown =
        replica.instance.no_down_for(patience, now) && now.since(replica.config_changed_at) > patience;
    let awake = now.since(cx.thawed_at) > cx.globals.tunables.publish_period * 4;
    let quiet = !recently_repaired(fleet, cx, id) && !master.failover.is_running();
    let ours = !replica.origin.is_foreign() && confirmed_by_majority(fleet, cx, replica.master, cx.thawed_at);
    if !follows
        && grown
        && awake
        && quiet
        && ours
        && looks_sane(fleet, cx, replica.master)
        && point_at_master(fleet, cx, id)
    {
        fleet.announce(cx, Level::Notice, "+fix-slave-config", Entity::Replica(id), "");
    }
}

/// Whose turn it is, and whether a majority confirms our configuration, are facts of the peers: a returned master depends on them.
pub fn touch_returned(fleet: &Fleet, cx: &mut Cx, id: MasterId) {
    for id in &fleet.masters[id].replicas {
        let replica = &fleet.replicas[*id];
        if replica.former_master && replica.info.role == Role::Master {
            cx.touch(Entity::Replica(*id));
        }
    }
}

/// Looks again at a returned master when it is our turn; when that is.
pub fn step(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId) -> Option<Instant> {
    let replica = &fleet.replicas[id];
    let waiting =
        replica.former_master && replica.info.role == Role::Master && replica.info.asked_at.is_none();
    let seen_since = replica.info.role_since.max(cx.thawed_at);
    if !waiting || !known_stale(fleet, cx, id) || !fleet.masters[replica.master].info.tells_of(seen_since) {
        return None;
    }
    let again = replica.repaired_at.map_or(Instant::ZERO, |at| at + INTERVAL);
    let due = demotion_due(fleet, cx, id).max(again);
    if due > cx.mono() {
        return Some(due);
    }
    if replica.info.tells_of(due) {
        demote_if_stray(fleet, cx, id);
    } else if fleet.links[replica.instance.link].command.is_up() {
        // Its last report is older than our turn: somebody else may have demoted it meanwhile.
        probe::ask_info(fleet, cx, Entity::Replica(id));
    }
    None
}

fn demotion_due(fleet: &Fleet, cx: &Cx, id: ReplicaId) -> Instant {
    let replica = &fleet.replicas[id];
    let rank = u32::try_from(election::rank(fleet, cx, replica.master)).unwrap_or(u32::MAX);
    replica.info.role_since + HOLD_BACK.saturating_mul(rank)
}

/// It was the master before the configuration that a majority named again since it came back.
fn known_stale(fleet: &Fleet, cx: &Cx, id: ReplicaId) -> bool {
    let replica = &fleet.replicas[id];
    let seen_since = replica.info.role_since.max(cx.thawed_at);
    replica.former_master
        && !replica.origin.is_foreign()
        && confirmed_by_majority(fleet, cx, replica.master, seen_since)
}

/// A majority of voters, ourselves included, named our configuration at `since` or later, and lately, and nobody a newer one.
pub fn confirmed_by_majority(fleet: &Fleet, cx: &Cx, id: MasterId, since: Instant) -> bool {
    let now = cx.mono();
    let master = &fleet.masters[id];
    let same = |peer: &&crate::model::PeerId| {
        fleet.peers[**peer].confirmed.as_ref().is_some_and(|(epoch, address, at)| {
            *epoch == master.config_epoch
                && address.same_as(&master.instance.address)
                && *at >= since
                && now.since(*at) <= CONFIRMED_FOR
        })
    };
    1 + master.peers.iter().filter(same).count() > master.voters() / 2
}

/// Spec 2 §5.3: its word may be trusted when others are compared with it.
pub fn looks_sane(fleet: &Fleet, cx: &Cx, id: MasterId) -> bool {
    let master = &fleet.masters[id];
    let fresh = master.info.fresher_than(cx.globals.tunables.info_period * 2, cx.mono());
    // Differs: the report must be of the address in force (its run id is forgotten with the address); the reference also trusts one
    // of the address before (spec 2 §5.3).
    let reported = master.instance.run_id.is_some() && fresh;
    master.info.role == Role::Master && !master.instance.s_down && !master.o_down && reported
}

/// The master said lately that it is one.
///
/// Differs: for the reference a report of 20 seconds ago is enough. If somebody made the master follow that very replica meanwhile, they
/// would follow each other from then on, and neither could be promoted.
fn spoke_lately(fleet: &Fleet, cx: &Cx, id: MasterId) -> bool {
    fleet.masters[id].info.questioned_at.is_some_and(|at| cx.mono().since(at) <= INTERVAL)
}

/// It is asked as often as who calls itself master beside it, with each report of that one, so that a repair need not wait for it.
fn have_it_speak(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) {
    let info = &fleet.masters[id].info;
    let age = info.questioned_at.map(|at| cx.mono().since(at));
    if info.asked_at.is_none() && age.is_none_or(|age| age >= INTERVAL / 2) {
        probe::ask_info(fleet, cx, Entity::Master(id));
    }
}

fn recently_repaired(fleet: &Fleet, cx: &Cx, id: ReplicaId) -> bool {
    fleet.replicas[id].repaired_at.is_some_and(|at| cx.mono().since(at) < INTERVAL)
}

fn point_at_master(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId) -> bool {
    let now = cx.mono();
    let target = cx.globals.shown(&fleet.masters[fleet.replicas[id].master].instance.address);
    let sent = block::send_block(fleet, cx, id, Some(target));
    if sent {
        fleet.replicas[id].repaired_at = Some(now);
    }
    sent
}
