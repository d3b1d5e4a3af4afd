//! All masters, replicas, peers and links, and the indexes over them. Keeps them consistent, decides nothing.
//!
//! Invariant: every replica and peer is listed by its master, every instance is an owner of its link (asserted in `audit`).

mod addresses;
mod telling;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::action::{Action, Target};
use super::cx::Cx;
use super::failover::Failover;
use super::globals::{Credentials, Globals};
use super::hearsay;
use super::instance::{InfoState, Instance};
use super::link::{self, Link};
use super::master::Master;
use super::names::Names;
use super::peer::{AskState, Peer};
use super::replica::Replica;
use super::slab::Slab;
use super::tag::Entity;
use crate::conf::{KnownPeer, MasterSettings};
use crate::model::{Address, LinkId, MasterId, MasterName, PeerId, ReplicaId, RunId};

/// See the module.
#[derive(Clone, Default)]
pub struct Fleet {
    /// Masters.
    pub masters: Slab<MasterId, Master>,
    /// Replicas of all masters.
    pub replicas: Slab<ReplicaId, Replica>,
    /// Peers of all masters.
    pub peers: Slab<PeerId, Peer>,
    /// Connection pairs.
    pub links: Slab<LinkId, Link>,
    /// Names of instances to come.
    pub names: Names,
    by_name: BTreeMap<MasterName, MasterId>,
    by_run_id: BTreeMap<RunId, Vec<PeerId>>,
    by_address: addresses::Addresses,
}

impl Fleet {
    /// The master of that name.
    pub fn find(&self, name: &str) -> Option<MasterId> {
        self.by_name.get(name).copied()
    }

    /// All masters, by name.
    pub fn masters_by_name(&self) -> impl Iterator<Item = &Master> {
        self.by_name.values().map(|id| &self.masters[*id])
    }

    /// The replica of a master at that address.
    ///
    /// Differs: by its address. The reference looks for the name that it would give it now, and finds nobody once `announce-hostnames` was
    /// changed (spec 2 §1.2).
    pub fn find_replica(&self, master: MasterId, address: &Address) -> Option<ReplicaId> {
        let replicas = &self.masters[master].replicas;
        replicas.iter().copied().find(|id| self.replicas[*id].instance.address.same_as(address))
    }

    /// The peer of a master with that run id.
    pub fn find_peer(&self, master: MasterId, run_id: &RunId) -> Option<PeerId> {
        // A master has a few peers; a peer may have many masters.
        self.masters[master].peers.iter().copied().find(|id| self.peers[*id].run_id() == run_id)
    }

    /// The instances, under all masters, that are the Sentinel of that run id.
    pub fn peers_by_run_id(&self, run_id: &RunId) -> Vec<PeerId> {
        self.by_run_id.get(run_id).cloned().unwrap_or_default()
    }

    /// The common part of any live instance.
    pub fn instance(&self, entity: Entity) -> Option<&Instance> {
        match entity {
            Entity::Master(id) => self.masters.get(id).map(|master| &master.instance),
            Entity::Replica(id) => self.replicas.get(id).map(|replica| &replica.instance),
            Entity::Peer(id) => self.peers.get(id).map(|peer| &peer.instance),
        }
    }

    /// The common part of any live instance.
    pub fn instance_mut(&mut self, entity: Entity) -> Option<&mut Instance> {
        match entity {
            Entity::Master(id) => self.masters.get_mut(id).map(|master| &mut master.instance),
            Entity::Replica(id) => self.replicas.get_mut(id).map(|replica| &mut replica.instance),
            Entity::Peer(id) => self.peers.get_mut(id).map(|peer| &mut peer.instance),
        }
    }

    /// The INFO side of a live master or replica.
    pub fn info_mut(&mut self, entity: Entity) -> Option<&mut InfoState> {
        match entity {
            Entity::Master(id) => self.masters.get_mut(id).map(|master| &mut master.info),
            Entity::Replica(id) => self.replicas.get_mut(id).map(|replica| &mut replica.info),
            Entity::Peer(_) => None,
        }
    }

    /// Peers are asked anew about a master: what they said, and what they are still to say, is about a past.
    pub fn forget_opinions(&mut self, id: MasterId, cx: &mut Cx) {
        cx.touch_master(id);
        self.masters[id].address_generation += 1;
        for peer in self.masters[id].peers.clone() {
            self.peers[peer].ask.forget_opinion();
        }
    }

    /// Has every rule run again: something they all depend on changed.
    pub fn touch_all(&self, cx: &mut Cx) {
        self.masters.iter().for_each(|(id, _)| cx.touch(Entity::Master(id)));
        self.replicas.iter().for_each(|(id, _)| cx.touch(Entity::Replica(id)));
        self.peers.iter().for_each(|(id, _)| cx.touch(Entity::Peer(id)));
        self.links.iter().for_each(|(id, _)| cx.touch_link(id));
    }

    /// The master that a live instance belongs to (a master belongs to itself).
    pub fn master_of(&self, entity: Entity) -> Option<MasterId> {
        match entity {
            Entity::Master(id) => self.masters.get(id).map(|master| master.id),
            Entity::Replica(id) => self.replicas.get(id).map(|replica| replica.master),
            Entity::Peer(id) => self.peers.get(id).map(|peer| peer.master),
        }
    }

    /// Where clients are to be sent: the promoted replica once its promotion is confirmed, else the master (spec 3 §3.4.6).
    pub fn current_address(&self, id: MasterId) -> &Address {
        let master = &self.masters[id];
        match master.failover {
            Failover::Reconfiguring { promoted, .. } => &self.replicas[promoted].instance.address,
            _ => &master.instance.address,
        }
    }

    /// A master as it is written to disk. While replicas are re-pointed the file already names the new master, and lists the old
    /// one as a replica, so that a crash at any point reloads a consistent picture (spec 1 §5.4).
    pub fn to_persist(&self, id: MasterId, globals: &Globals) -> MasterSettings {
        let master = &self.masters[id];
        let place = |address: &Address| globals.shown(address);
        let current = self.current_address(id);
        let mut settings = master.settings.clone();
        (settings.host, settings.port) = place(current);
        settings.config_epoch = master.config_epoch;
        settings.leader_epoch = master.ballot.epoch;
        let addresses = master.replicas.iter().map(|id| &self.replicas[*id].instance.address);
        let swapped =
            addresses.map(|address| if address == current { &master.instance.address } else { address });
        settings.replicas = swapped.map(place).collect();
        let peers = master.peers.iter().chain(&master.forgotten.peers).map(|id| &self.peers[*id]);
        settings.peers = peers
            .map(|peer| {
                let (host, port) = place(&peer.instance.address);
                KnownPeer { run_id: peer.run_id().clone(), host, port }
            })
            .collect();
        settings
    }

    /// Adds a master with what its settings know of replicas and peers.
    pub fn add_master(&mut self, settings: MasterSettings, cx: &mut Cx) -> MasterId {
        let now = cx.mono();
        let address = Address::new(settings.host.clone(), settings.port);
        let name = settings.name.clone();
        let link = self.links.insert_with(|_| Link::new(true, now));
        let (replicas, peers) = (settings.replicas.clone(), settings.peers.clone());
        let instance = Instance::new(name.to_string(), address.clone(), None, link);
        let id = self.masters.insert_with(|id| Master::new(id, settings, instance, now));
        self.by_name.insert(name, id);
        self.links[link].owners.push(Entity::Master(id));
        cx.touch_master(id);
        cx.touch_link(link);
        resolve_if_needed(&address, cx);
        for (host, port) in replicas {
            let address = Address::new(host, port);
            if self.find_replica(id, &address).is_none() {
                self.add_replica(id, address, cx);
            }
        }
        for known in peers {
            if known.run_id != cx.globals.my_id && self.find_peer(id, &known.run_id).is_none() {
                self.add_peer(id, known.run_id, Address::new(known.host, known.port), cx);
            }
        }
        self.publish_address(id, cx);
        id
    }

    /// Adds a replica.
    pub fn add_replica(&mut self, master: MasterId, address: Address, cx: &mut Cx) -> ReplicaId {
        let aside = &self.masters[master].forgotten.replicas;
        let known = aside.iter().copied().find(|id| self.replicas[*id].instance.address.same_as(&address));
        known.into_iter().for_each(|id| self.remove_replica(id, cx));
        let id = self.add_stray(master, address, true, cx);
        self.masters[master].replicas.push(id);
        id
    }

    /// Adds a replica that is set aside (`forgotten`).
    pub fn add_replica_aside(&mut self, master: MasterId, address: Address, cx: &mut Cx) {
        let id = self.add_stray(master, address, true, cx);
        self.masters[master].forgotten.replicas.push(id);
    }

    /// Adds an instance that belongs to no list yet, with a subscription or without one.
    pub fn add_stray(
        &mut self,
        master: MasterId,
        address: Address,
        with_pubsub: bool,
        cx: &mut Cx,
    ) -> ReplicaId {
        let now = cx.mono();
        let name = address.instance_name(cx.globals.announce_hostnames());
        resolve_if_needed(&address, cx);
        let link = self.links.insert_with(|_| Link::new(with_pubsub, now));
        let instance = Instance::new(name, address, None, link);
        let id = self.replicas.insert_with(|id| Replica::new(id, master, instance, now));
        self.links[link].owners.push(Entity::Replica(id));
        cx.touch(Entity::Replica(id));
        cx.touch_link(link);
        id
    }

    /// A replica that was set aside is one of its master's again.
    pub fn take_replica_back(&mut self, id: ReplicaId) {
        let master = &mut self.masters[self.replicas[id].master];
        master.forgotten.replicas.retain(|other| *other != id);
        master.replicas.push(id);
    }

    /// A peer belongs to no list any more, and is found by nobody, but keeps its link (`forgotten`).
    pub fn set_peer_aside(&mut self, id: PeerId) {
        let peer = &self.peers[id];
        let master = &mut self.masters[peer.master];
        master.peers.retain(|other| *other != id);
        master.forgotten.peers.push(id);
        self.unindex(id);
    }

    /// A peer is not found by its run id any more.
    fn unindex(&mut self, id: PeerId) {
        let run_id = self.peers[id].run_id().clone();
        let Some(peers) = self.by_run_id.get_mut(&run_id) else { return };
        peers.retain(|other| *other != id);
        if peers.is_empty() {
            self.by_run_id.remove(&run_id);
        }
    }

    /// Adds a peer; if that Sentinel is known for another master, the two share the link (spec 2 §1.6).
    pub fn add_peer(&mut self, master: MasterId, run_id: RunId, address: Address, cx: &mut Cx) -> PeerId {
        let now = cx.mono();
        let known = self.by_run_id.get(&run_id).and_then(|peers| peers.first()).copied();
        let aside = self.masters[master].forgotten.peers.clone();
        let is_back = |id: &PeerId| {
            let peer = &self.peers[*id];
            *peer.run_id() == run_id && peer.instance.address.same_as(&address)
        };
        let shared = known.or(aside.iter().copied().find(is_back)).map(|id| self.peers[id].instance.link);
        let link = shared.unwrap_or_else(|| self.links.insert_with(|_| Link::new(false, now)));
        resolve_if_needed(&address, cx);
        let instance = Instance::new(run_id.to_string(), address, Some(run_id.clone()), link);
        let id = self.peers.insert_with(|_| Peer {
            master,
            instance,
            hello_at: now,
            confirmed: None,
            claim: None,
            ask: AskState::default(),
        });
        self.links[link].owners.push(Entity::Peer(id));
        self.masters[master].peers.push(id);
        for old in aside {
            let peer = &self.peers[old];
            if *peer.run_id() == run_id || peer.instance.address.same_as(&self.peers[id].instance.address) {
                self.remove_peer(old, cx);
            }
        }
        self.by_run_id.entry(run_id).or_default().push(id);
        cx.touch(Entity::Peer(id));
        cx.touch_link(link);
        id
    }

    /// Forgets a replica and closes its connections.
    pub fn remove_replica(&mut self, id: ReplicaId, cx: &mut Cx) {
        let Some(replica) = self.replicas.remove(id) else { return };
        if let Some(master) = self.masters.get_mut(replica.master) {
            master.replicas.retain(|other| *other != id);
            master.forgotten.replicas.retain(|other| *other != id);
            master.hearsay.drop_server(id);
        }
        self.release_link(replica.instance.link, Entity::Replica(id), cx);
    }

    /// Forgets a peer for its master; the connection closes with its last owner.
    pub fn remove_peer(&mut self, id: PeerId, cx: &mut Cx) {
        if self.peers.get(id).is_none() {
            return;
        }
        self.unindex(id);
        let Some(peer) = self.peers.remove(id) else { return };
        if let Some(master) = self.masters.get_mut(peer.master) {
            master.peers.retain(|other| *other != id);
            master.forgotten.peers.retain(|other| *other != id);
        }
        self.release_link(peer.instance.link, Entity::Peer(id), cx);
    }

    /// Forgets a master with everything it has.
    pub fn remove_master(&mut self, id: MasterId, cx: &mut Cx) {
        hearsay::forget(self, cx, id);
        let forgotten = std::mem::take(&mut self.masters[id].forgotten);
        for replica in self.masters[id].replicas.iter().copied().chain(forgotten.replicas).collect::<Vec<_>>()
        {
            self.remove_replica(replica, cx);
        }
        for peer in self.masters[id].peers.iter().copied().chain(forgotten.peers).collect::<Vec<_>>() {
            self.remove_peer(peer, cx);
        }
        let master = self.masters.remove(id).expect("the id was just used");
        self.by_name.remove(master.name.as_str());
        self.by_address.remove(&master.name);
        self.release_link(master.instance.link, Entity::Master(id), cx);
        cx.outbox.push(Action::SetAddress(master.name, None));
    }

    /// Gives an instance's link new, closed connections: its address or its password changed.
    pub fn reset_link(&mut self, id: LinkId, cx: &mut Cx) {
        for conn in self.links[id].close(id) {
            cx.outbox.push(Action::Disconnect(conn));
        }
        cx.unsampled.remove(&id);
        for owner in self.links[id].owners.clone() {
            link::lose_questions(self, owner, "closed");
            link::touch_with_master(self, cx, owner);
        }
        cx.touch_link(id);
    }

    /// Where a link connects to.
    pub fn target(&self, id: LinkId) -> Option<Target> {
        let address = &self.instance(*self.links[id].owners.first()?)?.address;
        let target = Target { host: address.host.clone(), ip: address.ip, port: address.port };
        (target.port != 0).then_some(target)
    }

    /// User and password for a link.
    pub fn credentials(&self, id: LinkId, globals: &Globals) -> Option<Credentials> {
        match *self.links[id].owners.first()? {
            Entity::Peer(_) => globals.peer_credentials(),
            entity => self.masters[self.master_of(entity)?].credentials(),
        }
    }

    /// The name a command has for an instance. Differs: commands to peers are never renamed; the reference renames them too,
    /// which cuts it off from its peers (spec 2 §3.7).
    pub fn renamed(&self, entity: Entity, word: &str) -> Option<Arc<str>> {
        match entity {
            Entity::Peer(_) => None,
            entity => self.masters[self.master_of(entity)?].renamed(word),
        }
    }

    fn release_link(&mut self, id: LinkId, owner: Entity, cx: &mut Cx) {
        self.links[id].owners.retain(|other| *other != owner);
        if self.links[id].owners.is_empty() {
            cx.unsampled.remove(&id);
            for conn in self.links[id].close(id) {
                cx.outbox.push(Action::Disconnect(conn));
            }
            self.links.remove(id);
        }
    }
}

/// Has a host name looked up, so that addresses can be compared and shown; connecting looks it up by itself again.
pub fn resolve_if_needed(address: &Address, cx: &mut Cx) {
    if address.ip.is_none() && cx.globals.settings.resolve_hostnames {
        cx.outbox.push(Action::Resolve(address.host.clone()));
    }
}
