//! Another address for a master: by its own failover, by a hello, or the same one afresh by RESET (spec 2 §9.8).

use sentineld::engine::{ConnKind, Level};
use sentineld::model::Address;
use sentineld::wire::Role;

use super::Reference;
use super::state::{State, Who};

impl Reference {
    /// The end of a failover.
    pub fn switch_to_promoted(&mut self, slot: usize) {
        let master = self.at(slot);
        let old = &master.instance.address;
        let new = master.current_address().clone();
        let text = format!("{} {} {} {} {}", master.name(), old.host, old.port, new.host, new.port);
        self.publish(Level::Warning, "+switch-master", text);
        self.change_address(slot, new);
    }

    /// The replicas and the old master become the replicas of the new one; peers are kept.
    pub fn change_address(&mut self, slot: usize, new: Address) {
        let master = self.at(slot);
        let known = master.replicas.iter().map(|replica| &replica.instance.address);
        let mut replicas: Vec<Address> = known.filter(|address| !address.same_as(&new)).cloned().collect();
        if !master.instance.address.same_as(&new) {
            replicas.push(master.instance.address.clone());
        }
        self.reset(slot);
        let master = self.at_mut(slot);
        master.instance.address = new;
        master.instance.s_down_since = 0;
        master.o_down_since = 0;
        for address in replicas {
            if let Some(at) = self.add_replica(slot, address) {
                self.publish_about(Level::Notice, "+slave", Who::Replica(slot, at), "");
            }
        }
        self.set_address(slot);
        self.changed(slot);
        self.flush();
    }

    /// Compat: the time between failovers is forgotten, and the time of the last INFO is not.
    pub fn reset(&mut self, slot: usize) {
        let now = self.wall();
        self.drop_replicas(slot);
        let link = self.at(slot).instance.link;
        self.close(link, ConnKind::Command);
        self.close(link, ConnKind::PubSub);
        let link = self.link_mut(link);
        (link.active_ping, link.ping_sent) = (now, 0);
        (link.available_at, link.pong_at) = (now, now);
        let master = self.at_mut(slot);
        let instance = &mut master.instance;
        (instance.s_down, instance.script_kill_sent) = (false, false);
        (instance.role, instance.role_since) = (Some(Role::Master), now);
        instance.run_id = None;
        (master.o_down, master.in_progress, master.forced, master.reboot) = (false, false, false, false);
        (master.state, master.state_change) = (State::None, 0);
        master.start_time = 0;
        master.leader = None;
    }
}
