//! What SENTINEL RESET forgot: set aside for a while, because the others have not forgotten us.
//!
//! Differs: the reference forgets at once (spec 2 §9.8). Until the others are heard of again it is a Sentinel alone with its master, and a
//! majority of one elects itself; and if the master is down there is nobody left to promote. Here peers that are set aside still have
//! a vote, keep their connection, get our hello at once, and stay in the file; replicas that are set aside are asked whom they follow.
//! Whoever shows up is introduced as if it were new. After three publish periods the rest is forgotten for good.
//!
//! Invariant: what is set aside belongs to no list of its master, is shown to nobody, judged by nobody, and never promoted or re-pointed.

use std::time::Duration;

use super::cx::Cx;
use super::fleet::Fleet;
use super::hole::Hole;
use super::notice::Level;
use super::peer::AskState;
use super::probe;
use super::report;
use super::tag::Entity;
use crate::model::{Address, Instant, MasterId, PeerId, ReplicaId};
use crate::wire::{InfoReport, Role};

/// How many publish periods everybody has to be heard of again.
const PERIODS: u32 = 3;

/// What is set aside for one master.
#[derive(Clone, Debug, Default)]
pub struct Forgotten {
    /// Peers: voters that are not known any more.
    pub peers: Vec<PeerId>,
    /// Replicas, of which it is asked whether they still are.
    pub replicas: Vec<ReplicaId>,
    /// When a reset last set something aside.
    at: Option<Instant>,
}

/// Sets all peers aside.
pub fn set_peers_aside(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) {
    if cx.holes.has(Hole::ResetIsBlind) {
        for peer in fleet.masters[id].peers.clone() {
            fleet.remove_peer(peer, cx);
        }
        return;
    }
    for peer in fleet.masters[id].peers.clone() {
        fleet.set_peer_aside(peer);
        let peer_state = &mut fleet.peers[peer];
        (peer_state.ask, peer_state.confirmed) = (AskState::default(), None);
        (peer_state.instance.s_down, peer_state.instance.hello_now) = (false, true);
        cx.touch(Entity::Peer(peer));
    }
    fleet.masters[id].forgotten.at = Some(cx.mono());
}

/// Sets replicas aside that were known at these addresses: fresh instances, to which nothing of before applies.
pub fn set_replicas_aside(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, addresses: Vec<Address>) {
    if cx.holes.has(Hole::ResetIsBlind) {
        return;
    }
    for address in addresses {
        fleet.add_replica_aside(id, address, cx);
    }
    fleet.masters[id].forgotten.at = Some(cx.mono());
}

/// The addresses of all replicas of a master, those that are set aside already included.
pub fn replica_addresses(fleet: &Fleet, id: MasterId) -> Vec<Address> {
    let master = &fleet.masters[id];
    let all = master.replicas.iter().chain(&master.forgotten.replicas);
    all.map(|id| fleet.replicas[*id].instance.address.clone()).collect()
}

/// True for an instance that is set aside.
pub fn is_aside(fleet: &Fleet, entity: Entity) -> bool {
    let Some(master) = fleet.master_of(entity) else { return false };
    let forgotten = &fleet.masters[master].forgotten;
    match entity {
        Entity::Master(_) => false,
        Entity::Replica(id) => forgotten.replicas.contains(&id),
        Entity::Peer(id) => forgotten.peers.contains(&id),
    }
}

/// A replica that is set aside reported: it is back if it says that it follows this master.
pub fn on_info(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId, report: &InfoReport) {
    let master = fleet.replicas[id].master;
    let address = &fleet.masters[master].instance.address;
    let port = report.master_port.unwrap_or_default();
    let ours =
        report.role == Some(Role::Replica) && report::follows(report.master_host.as_deref(), port, address);
    if let Some(info) = fleet.info_mut(Entity::Replica(id)) {
        (info.at, info.asked_at) = (Some(cx.mono()), None);
    }
    cx.touch(Entity::Replica(id));
    if ours {
        fleet.take_replica_back(id);
        probe::touch_followers(fleet, cx, master, &fleet.replicas[id].instance.address);
        fleet.announce(cx, Level::Notice, "+slave", Entity::Replica(id), "");
        cx.ledger.record_master(master);
        report::on_info(fleet, cx, Entity::Replica(id), report);
    }
}

/// A server that is the master from now on is no replica that may still be found: it is watched as the master, by one link.
pub fn drop_replica_at(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, address: &Address) {
    let aside = fleet.masters[id].forgotten.replicas.iter().copied();
    let there: Vec<ReplicaId> =
        aside.filter(|id| fleet.replicas[*id].instance.address.same_as(address)).collect();
    there.into_iter().for_each(|id| fleet.remove_replica(id, cx));
}

/// Forgets for good what was not heard of in time; when that will be.
pub fn step(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Option<Instant> {
    let forgotten = &fleet.masters[id].forgotten;
    let wait: Duration = cx.globals.tunables.publish_period * PERIODS;
    // Nobody could be heard of while this process stood still.
    let due = forgotten.at?.max(cx.thawed_at) + wait;
    if cx.mono() < due {
        return Some(due);
    }
    let (peers, replicas) = (forgotten.peers.clone(), forgotten.replicas.clone());
    peers.into_iter().for_each(|peer| fleet.remove_peer(peer, cx));
    replicas.into_iter().for_each(|replica| fleet.remove_replica(replica, cx));
    fleet.masters[id].forgotten = Forgotten::default();
    cx.ledger.note_master(id);
    cx.touch_master(id);
    None
}
