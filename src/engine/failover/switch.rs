//! A master gets another address: by our own failover, by a newer configuration of a peer, or not at all (a reset). Spec 2 §9.8.

use super::Failover;
use crate::engine::cx::Cx;
use crate::engine::fleet::{Fleet, resolve_if_needed};
use crate::engine::hearsay;
use crate::engine::hole::Hole;
use crate::engine::lineage::{self, Lineage, Origin};
use crate::engine::notice::Level;
use crate::engine::peer::AskState;
use crate::engine::tag::Entity;
use crate::engine::{action::Action, forgotten, instance::InfoState, script_event};
use crate::model::{Address, Epoch, MasterId, PeerId, ReplicaId};
use crate::wire::Role;

/// A configuration that a peer announced.
pub struct NewAddress {
    /// Who announced it.
    pub peer: PeerId,
    /// Where the master is now.
    pub address: Address,
    /// The epoch of that configuration, greater than ours.
    pub epoch: Epoch,
}

/// The end of our own failover: the promoted replica becomes the master, if that was not said with the promotion already.
pub fn switch_to_promoted(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, promoted: ReplicaId) {
    let address = fleet.replicas[promoted].instance.address.clone();
    let old = fleet.masters[id].instance.address.clone();
    if told_address(fleet, cx, id).same_as(&old) {
        announce_switch(fleet, cx, id, &old, &address);
    }
    change_address(fleet, cx, id, address);
}

/// A peer announced a newer configuration (spec 2 §6.3 step 6): adopted at once, whatever our own state is.
pub fn adopt(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, new: NewAddress) {
    // A configuration is never newer than the epochs that were heard of.
    cx.observe_epoch(new.epoch);
    let told = told_address(fleet, cx, id).clone();
    let master = &mut fleet.masters[id];
    master.config_epoch = new.epoch;
    let old = master.instance.address.clone();
    let promoted = matches!(master.failover, Failover::Reconfiguring { .. });
    if old.same_as(&new.address) && !promoted {
        // A failover of ours may have lost its mandate by that.
        cx.touch_master(id);
        // Differs: the reference saves the number with the next change only.
        cx.ledger.record_master(id);
        return;
    }
    // Differs: what we promoted ourselves is given up for the old master, if that is in force again. The reference goes on, and ends up
    // with its own outcome under the epoch of the other.
    fleet.announce(cx, Level::Warning, "+config-update-from", Entity::Peer(new.peer), "");
    if told.same_as(&new.address) {
        return change_address(fleet, cx, id, new.address);
    }
    announce_switch(fleet, cx, id, &told, &new.address);
    change_address(fleet, cx, id, new.address.clone());
    script_event::reconfigured(fleet, cx, id, "observer", &told, &new.address);
}

/// The address that the last `+switch-master` told of: from the promotion on, that of the promoted replica.
fn told_address<'a>(fleet: &'a Fleet, cx: &Cx, id: MasterId) -> &'a Address {
    let master = &fleet.masters[id];
    match master.failover {
        Failover::Reconfiguring { announced: true, .. } if !cx.holes.has(Hole::LateSwitchMaster) => {
            fleet.current_address(id)
        }
        _ => &master.instance.address,
    }
}

/// `+switch-master <name> <old ip> <old port> <new ip> <new port>`
pub fn announce_switch(fleet: &Fleet, cx: &mut Cx, id: MasterId, old: &Address, new: &Address) {
    let master = &fleet.masters[id];
    let ((old_host, old_port), (new_host, new_port)) = (cx.globals.shown(old), cx.globals.shown(new));
    let payload = format!("{} {old_host} {old_port} {new_host} {new_port}", master.name);
    let notice = fleet.warning(cx, id, "+switch-master", payload);
    cx.outbox.push(Action::Publish(notice));
}

fn change_address(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, address: Address) {
    let old = fleet.masters[id].instance.address.clone();
    lineage::inherit(fleet, cx, id, &address);
    let known = fleet.masters[id].replicas.iter().map(|id| &fleet.replicas[*id]);
    let mut replicas: Vec<(Address, Origin)> =
        known.map(|replica| (replica.instance.address.clone(), replica.origin.clone())).collect();
    replicas.retain(|(known, _)| !known.same_as(&address) && !known.same_as(&old));
    if !old.same_as(&address) {
        replicas.push((old.clone(), Origin::of_master()));
    }
    // Clients were sent to what we promoted when that was confirmed; to what another promoted meanwhile they are sent now.
    let is_own = fleet.current_address(id).same_as(&address);
    let switched_at = match fleet.masters[id].failover {
        Failover::Reconfiguring { since, .. } if is_own => since,
        _ => cx.mono(),
    };
    reset_state(fleet, cx, id);
    forgotten::drop_replica_at(fleet, cx, id, &address);
    resolve_if_needed(&address, cx);
    let master = &mut fleet.masters[id];
    if !cx.holes.has(Hole::SwitchForgetsSpacing) {
        master.switched_at = Some(switched_at);
    }
    master.instance.address = address;
    master.instance.s_down_at = None;
    master.o_down_at = None;
    if !cx.holes.has(Hole::OpinionsSurviveSwitch) {
        forget_questions(fleet, id);
    }
    for (known, origin) in replicas {
        let replica = fleet.add_replica(id, known, cx);
        fleet.replicas[replica].origin = origin;
        fleet.replicas[replica].former_master = fleet.replicas[replica].instance.address.same_as(&old);
        fleet.announce(cx, Level::Notice, "+slave", Entity::Replica(replica), "");
    }
    fleet.masters[id].config_revision = cx.ledger.record_master(id);
    cx.await_save(id);
    // The leader told the peers directly. Who learnt of it tells those who hear it at the new master, and not each peer once more: among N
    // Sentinels that would be N² messages at the worst moment.
    fleet.publish_address(id, cx);
}

/// What peers said, or are still to say, is about the old address.
fn forget_questions(fleet: &mut Fleet, id: MasterId) {
    fleet.masters[id].address_generation += 1;
    for peer in fleet.masters[id].peers.clone() {
        fleet.peers[peer].ask = AskState::default();
    }
}

/// SENTINEL RESET: forgets replicas and peers (`forgotten`), and every verdict (spec 3 §3.4.12). Not recorded: the file follows with the next change.
///
/// Differs: a promotion that was confirmed is brought to its end before. The reference goes back to the old address, and spreads it under
/// the epoch under which the new one is known already.
pub fn reset_master(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) {
    if let Failover::Reconfiguring { promoted, .. } = fleet.masters[id].failover {
        switch_to_promoted(fleet, cx, id, promoted);
    }
    let replicas = forgotten::replica_addresses(fleet, id);
    for replica in fleet.masters[id].forgotten.replicas.clone() {
        fleet.remove_replica(replica, cx);
    }
    forgotten::set_peers_aside(fleet, cx, id);
    reset_state(fleet, cx, id);
    forgotten::set_replicas_aside(fleet, cx, id, replicas);
    // An operator's way to say that everything is new.
    fleet.masters[id].lineage = Lineage::default();
    cx.ledger.note_master(id);
    fleet.announce(cx, Level::Warning, "+reset-master", Entity::Master(id), "");
}

fn reset_state(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) {
    let now = cx.mono();
    hearsay::forget(fleet, cx, id);
    for replica in fleet.masters[id].replicas.clone() {
        fleet.remove_replica(replica, cx);
    }
    let link = fleet.masters[id].instance.link;
    fleet.reset_link(link, cx);
    fleet.links[link].restart_clocks(now);
    if cx.holes.has(Hole::ImpatientWithNewMaster) {
        fleet.links[link].active_ping_at = Some(now);
    }
    let master = &mut fleet.masters[id];
    master.instance.s_down = false;
    master.instance.script_kill_sent = false;
    master.instance.run_id = None;
    master.instance.hello_now = true;
    master.o_down = false;
    master.rebooted_at = None;
    master.ballot.leader = None;
    master.failover = Failover::Idle;
    master.failover_started_at = None;
    master.retry_at = None;
    master.deference = None;
    master.switched_at = None;
    master.backoff.reset();
    master.lacked_votes = false;
    master.fruitless = None;
    master.eligible_since = None;
    // Compat: text and age of the last INFO stay for INFO-CACHE. Differs: a fresh one is asked for as soon as the link is up, not when the
    // period is over: without it there is no replica to fail over to.
    master.info =
        InfoState { at: master.info.at, text: master.info.text.take(), ..InfoState::new(Role::Master, now) };
    cx.touch_master(id);
}
