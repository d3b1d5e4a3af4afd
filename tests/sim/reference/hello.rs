//! What a hello changes: peers, the epoch, the configuration (spec 2 §6.3).

use sentineld::engine::{ConnKind, Level};
use sentineld::model::Address;
use sentineld::wire::Hello;

use super::Reference;
use super::state::Who;

impl Reference {
    /// Compat: no look at whose hello it is; one of its own, by PUBLISH, makes it a peer of itself.
    pub fn on_hello(&mut self, hello: &Hello) {
        let Some(slot) = self.find_name(hello.master_name.as_str()) else { return };
        let address = Address::new(hello.host.clone(), hello.port);
        let known = self.at(slot).peers.iter().position(|peer| {
            peer.instance.run_id.as_ref() == Some(&hello.run_id) && peer.instance.address.same_as(&address)
        });
        let known = known.or_else(|| self.introduce(slot, hello, address));
        if hello.current_epoch > self.epoch {
            self.epoch = hello.current_epoch;
            self.globals_changed = true;
            self.flush();
            let text = self.epoch.to_string();
            self.publish(Level::Warning, "+new-epoch", text);
        }
        let Some(at) = known else { return };
        self.learn_configuration(slot, at, hello);
    }

    /// A peer that is new, or at another address. None can be made without an address.
    fn introduce(&mut self, slot: usize, hello: &Hello, address: Address) -> Option<usize> {
        let is_same = |at: &usize| self.at(slot).peers[*at].instance.run_id.as_ref() == Some(&hello.run_id);
        let same_id: Vec<usize> = (0..self.at(slot).peers.len()).filter(is_same).collect();
        let moved = !same_id.is_empty();
        for at in same_id.into_iter().rev() {
            self.remove_peer(slot, at);
            self.changed(slot);
        }
        if moved {
            let more = format!(" ip {} port {} for {}", hello.host, hello.port, hello.run_id);
            self.publish_about(Level::Notice, "+sentinel-address-switch", Who::Master(slot), &more);
        } else {
            self.evict_namesake(slot, &address);
        }
        address.ip?;
        let at = self.add_peer(slot, hello.run_id.clone(), address.clone());
        let who = Who::Peer(slot, at);
        if moved {
            self.move_namesakes(slot, at, &address);
        } else {
            self.publish_about(Level::Notice, "+sentinel", who, "");
        }
        self.changed(slot);
        self.flush();
        Some(at)
    }

    /// Another Sentinel was at this address: it is forgotten everywhere.
    fn evict_namesake(&mut self, slot: usize, address: &Address) {
        let peers = &self.at(slot).peers;
        let Some(at) = peers.iter().position(|peer| peer.instance.address.same_as(address)) else { return };
        self.publish_about(Level::Notice, "+sentinel-invalid-addr", Who::Peer(slot, at), "");
        let gone = self.at(slot).peers[at].instance.run_id.clone();
        for other in self.slots() {
            let peers = &self.at(other).peers;
            if let Some(at) = peers.iter().position(|peer| peer.instance.run_id == gone) {
                self.remove_peer(other, at);
                self.changed(other);
            }
        }
    }

    fn move_namesakes(&mut self, slot: usize, at: usize, address: &Address) {
        let moved = self.at(slot).peers[at].instance.run_id.clone();
        let mut others = 0;
        for other in self.slots().into_iter().filter(|other| *other != slot) {
            let peers = &self.at(other).peers;
            let Some(peer) = peers.iter().position(|peer| peer.instance.run_id == moved) else { continue };
            let link = self.at(other).peers[peer].instance.link;
            self.at_mut(other).peers[peer].instance.address = address.clone();
            self.close(link, ConnKind::Command);
            self.changed(other);
            others += 1;
        }
        if others > 0 {
            let more = format!(" {others} additional matching instances");
            self.publish_about(Level::Notice, "+sentinel-address-update", Who::Peer(slot, at), &more);
        }
    }

    /// A higher configuration epoch is followed, in any state; an equal or lower one says nothing.
    fn learn_configuration(&mut self, slot: usize, at: usize, hello: &Hello) {
        if hello.config_epoch <= self.at(slot).config_epoch {
            return;
        }
        self.at_mut(slot).config_epoch = hello.config_epoch;
        self.changed(slot);
        let old = self.at(slot).instance.address.clone();
        let new = Address::new(hello.master_host.clone(), hello.master_port);
        if old.same_as(&new) {
            return;
        }
        self.publish_about(Level::Warning, "+config-update-from", Who::Peer(slot, at), "");
        let name = self.at(slot).name();
        let text = format!("{name} {} {} {} {}", old.host, old.port, new.host, new.port);
        self.publish(Level::Warning, "+switch-master", text);
        self.change_address(slot, new);
    }
}
