//! The tables: adding and removing masters, replicas and peers, and finding them (spec 2 §1.2, §1.6).

use std::hash::{DefaultHasher, Hash, Hasher};

use sentineld::conf::MasterSettings;
use sentineld::engine::{Action, ConnKind, Entity, Level};
use sentineld::model::{Address, Epoch, LinkId, RunId};
use sentineld::wire::Role;

use super::Reference;
use super::state::{Instance, Link, Master, Peer, Replica, State, Who};

impl Reference {
    /// The slots of all masters, as a walk over the table meets them.
    pub fn slots(&self) -> Vec<usize> {
        self.order.clone()
    }

    pub fn at(&self, slot: usize) -> &Master {
        self.masters[slot].as_ref().expect("a slot in use")
    }

    pub fn at_mut(&mut self, slot: usize) -> &mut Master {
        self.masters[slot].as_mut().expect("a slot in use")
    }

    pub fn instance(&self, who: Who) -> &Instance {
        self.at(who.slot()).instance(who)
    }

    pub fn instance_mut(&mut self, who: Who) -> &mut Instance {
        self.at_mut(who.slot()).instance_mut(who)
    }

    pub fn link(&self, id: LinkId) -> &Link {
        self.links[id.index as usize].as_ref().expect("a link in use")
    }

    pub fn link_mut(&mut self, id: LinkId) -> &mut Link {
        self.links[id.index as usize].as_mut().expect("a link in use")
    }

    pub fn link_of(&self, who: Who) -> &Link {
        self.link(self.instance(who).link)
    }

    pub fn link_of_mut(&mut self, who: Who) -> &mut Link {
        let id = self.instance(who).link;
        self.link_mut(id)
    }

    /// Where the instance is that the shell names, if it still exists.
    pub fn find(&self, entity: Entity) -> Option<Who> {
        let (slot, serial) = match entity {
            Entity::Master(id) => (id.index, id.generation),
            Entity::Replica(id) => (id.index, id.generation),
            Entity::Peer(id) => (id.index, id.generation),
        };
        let slot = slot as usize;
        let master = self.masters.get(slot)?.as_ref()?;
        match entity {
            Entity::Master(_) => (master.instance.serial == serial).then_some(Who::Master(slot)),
            Entity::Replica(_) => {
                let at = master.replicas.iter().position(|replica| replica.instance.serial == serial)?;
                Some(Who::Replica(slot, at))
            }
            Entity::Peer(_) => {
                let at = master.peers.iter().position(|peer| peer.instance.serial == serial)?;
                Some(Who::Peer(slot, at))
            }
        }
    }

    pub fn find_name(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// A question is about an address, not a name (spec 2 §7.4).
    pub fn find_address(&self, address: &Address) -> Option<usize> {
        self.order.iter().copied().find(|slot| self.at(*slot).instance.address.same_as(address))
    }

    /// Begins to monitor, with what the settings know already.
    pub fn add_master(&mut self, settings: MasterSettings) {
        let slot = self.masters.len();
        let address = Address::new(settings.host.clone(), settings.port);
        let quorum = settings.quorum;
        let name = settings.name.clone();
        let instance = self.new_instance(name.to_string(), address, Role::Master, true);
        let (replicas, peers) = (settings.replicas.clone(), settings.peers.clone());
        self.masters.push(Some(Master {
            instance,
            o_down: false,
            o_down_since: 0,
            in_progress: false,
            forced: false,
            reboot: false,
            reboot_since: 0,
            state: State::None,
            state_change: 0,
            start_time: 0,
            failover_epoch: Epoch::ZERO,
            delay_logged: 0,
            leader: None,
            leader_epoch: settings.leader_epoch,
            config_epoch: settings.config_epoch,
            replicas: Vec::new(),
            peers: Vec::new(),
            settings,
        }));
        // The place in a hash table with a seed of its own is as good as any.
        let mut hasher = DefaultHasher::new();
        (name.as_str(), self.my_id.as_str()).hash(&mut hasher);
        let place = hasher.finish() as usize % (self.order.len() + 1);
        self.order.insert(place, slot);
        self.names.insert(name.to_string(), slot);
        self.publish_about(Level::Warning, "+monitor", Who::Master(slot), &format!(" quorum {quorum}"));
        for (host, port) in replicas {
            self.add_replica(slot, Address::new(host, port));
        }
        for peer in peers {
            self.add_peer(slot, peer.run_id, Address::new(peer.host, peer.port));
        }
        self.set_address(slot);
    }

    /// Forgets a master and all that belongs to it.
    pub fn remove_master(&mut self, slot: usize) {
        self.drop_replicas(slot);
        self.drop_peers(slot);
        self.release(self.at(slot).instance.link);
        let name = self.at(slot).name().clone();
        self.order.retain(|known| *known != slot);
        self.names.remove(name.as_str());
        self.masters[slot] = None;
        self.changed.remove(&slot);
        self.held.push(Action::SetAddress(name, None));
    }

    /// Adds a replica, unless the address is known. Returns its place.
    pub fn add_replica(&mut self, slot: usize, address: Address) -> Option<usize> {
        let name = address.instance_name(self.globals.announce_hostnames);
        if self.at(slot).replicas.iter().any(|known| known.instance.name == name) {
            return None;
        }
        let now = self.wall();
        let instance = self.new_instance(name, address, Role::Replica, true);
        let replicas = &mut self.at_mut(slot).replicas;
        replicas.push(Replica {
            instance,
            promoted: false,
            reconf_sent: false,
            reconf_inprog: false,
            reconf_done: false,
            reconf_sent_at: 0,
            conf_change: now,
            link_down: 0,
            link_up: false,
            priority: 100,
            offset: 0,
            master_host: None,
            master_port: 0,
        });
        Some(replicas.len() - 1)
    }

    /// Adds a peer, which shares the link of the same Sentinel under another master (spec 2 §1.6). Returns its place.
    pub fn add_peer(&mut self, slot: usize, run_id: RunId, address: Address) -> usize {
        let shared = self.order.iter().filter(|other| **other != slot).find_map(|other| {
            let peers = self.at(*other).peers.iter();
            peers.map(|peer| &peer.instance).find(|known| known.run_id.as_ref() == Some(&run_id))
        });
        let shared = shared.map(|known| known.link);
        let now = self.wall();
        let mut instance = self.new_instance(run_id.to_string(), address, Role::Master, false);
        if let Some(link) = shared {
            self.release(instance.link);
            instance.link = link;
            self.link_mut(link).refcount += 1;
        }
        instance.run_id = Some(run_id);
        let peers = &mut self.at_mut(slot).peers;
        peers.push(Peer {
            instance,
            last_ask_reply: now,
            master_down: false,
            leader: None,
            leader_epoch: Epoch::ZERO,
        });
        peers.len() - 1
    }

    pub fn remove_peer(&mut self, slot: usize, at: usize) {
        let peer = self.at_mut(slot).peers.remove(at);
        self.release(peer.instance.link);
    }

    pub fn drop_replicas(&mut self, slot: usize) {
        for replica in std::mem::take(&mut self.at_mut(slot).replicas) {
            self.release(replica.instance.link);
        }
    }

    pub fn drop_peers(&mut self, slot: usize) {
        for peer in std::mem::take(&mut self.at_mut(slot).peers) {
            self.release(peer.instance.link);
        }
    }

    fn new_instance(&mut self, name: String, address: Address, role: Role, with_pubsub: bool) -> Instance {
        let now = self.wall();
        self.serials += 1;
        let index = self.links.iter().position(Option::is_none).unwrap_or(self.links.len());
        if index == self.links.len() {
            self.links.push(None);
        }
        let id = LinkId::from((u32::try_from(index).expect("a small table"), self.serials));
        self.links[index] = Some(Link::new(id, with_pubsub, now));
        Instance {
            serial: self.serials,
            name,
            address,
            run_id: None,
            link: id,
            last_pub: now,
            s_down: false,
            s_down_since: 0,
            script_kill_sent: false,
            info_at: 0,
            role: Some(role),
            role_since: now,
        }
    }

    /// One owner less: the last one closes the link.
    fn release(&mut self, id: LinkId) {
        self.link_mut(id).refcount -= 1;
        if self.link(id).refcount == 0 {
            self.close(id, ConnKind::Command);
            self.close(id, ConnKind::PubSub);
            self.links[id.index as usize] = None;
        }
    }

    /// Tells the shell what to answer to clients who look the name up.
    pub fn set_address(&mut self, slot: usize) {
        let master = self.at(slot);
        let address = master.current_address();
        let shown = (address.shown_host(self.globals.announce_hostnames), address.port);
        let action = Action::SetAddress(master.name().clone(), Some(shown));
        self.held.push(action);
    }
}
