//! What an INFO says, and what follows from it (spec 2 §5.2, §5.3).

use sentineld::engine::Level;
use sentineld::model::{Address, RunId};
use sentineld::wire::{InfoReport, Role};

use super::Reference;
use super::state::{Millis, State, Who, millis};

impl Reference {
    pub fn on_info(&mut self, who: Who, report: &InfoReport) {
        let now = self.wall();
        self.instance_mut(who).info_at = now;
        match who {
            Who::Master(slot) => {
                for (host, port) in report.replicas.clone() {
                    self.discover(slot, Address::new(host, port));
                }
            }
            Who::Replica(slot, at) => self.note_replica(slot, at, report),
            Who::Peer(..) => return,
        }
        self.note_run_id(who, report);
        self.note_role(who, report.role);
        if self.tilt_since != 0 {
            return;
        }
        if let Who::Replica(slot, at) = who {
            match report.role {
                Some(Role::Master) => self.react_to_master(slot, at),
                Some(Role::Replica) => self.react_to_replica(slot, at),
                None => {}
            }
        }
    }

    fn discover(&mut self, slot: usize, address: Address) {
        // Names are not resolved here: an address that is none is no replica.
        if address.ip.is_none() {
            return;
        }
        if let Some(at) = self.add_replica(slot, address) {
            self.publish_about(Level::Notice, "+slave", Who::Replica(slot, at), "");
            self.changed(slot);
            self.flush();
        }
    }

    fn note_replica(&mut self, slot: usize, at: usize, report: &InfoReport) {
        let now = self.wall();
        let replica = &mut self.at_mut(slot).replicas[at];
        replica.link_down = report.master_link_down_since.map_or(0, |seconds| seconds.saturating_mul(1_000));
        if let Some(host) = &report.master_host
            && replica.master_host.as_ref().is_none_or(|known| !known.eq_ignore_ascii_case(host))
        {
            replica.master_host = Some(host.clone());
            replica.conf_change = now;
        }
        if let Some(port) = report.master_port.filter(|port| *port != replica.master_port) {
            replica.master_port = port;
            replica.conf_change = now;
        }
        replica.link_up = report.master_link_up.unwrap_or(replica.link_up);
        replica.priority = report.priority.unwrap_or(replica.priority);
        replica.offset = report.repl_offset.unwrap_or(replica.offset);
    }

    fn note_run_id(&mut self, who: Who, report: &InfoReport) {
        let now = self.wall();
        let Some(run_id) = report.run_id.as_deref().map(RunId::from) else { return };
        let known = self.instance_mut(who).run_id.replace(run_id.clone());
        if known.is_none_or(|known| known == run_id) {
            return;
        }
        self.publish_about(Level::Notice, "+reboot", who, "");
        if let Who::Master(slot) = who
            && self.at(slot).settings.reboot_down_after.is_some()
        {
            let master = self.at_mut(slot);
            (master.reboot, master.reboot_since) = (true, now);
        }
    }

    fn note_role(&mut self, who: Who, role: Option<Role>) {
        let now = self.wall();
        let instance = self.instance_mut(who);
        if instance.role == role {
            return;
        }
        (instance.role, instance.role_since) = (role, now);
        if let (Who::Replica(slot, at), Some(Role::Replica)) = (who, role) {
            self.at_mut(slot).replicas[at].conf_change = now;
        }
        let own = if matches!(who, Who::Master(_)) { Role::Master } else { Role::Replica };
        let name = if role == Some(own) { "+role-change" } else { "-role-change" };
        let word = if role == Some(Role::Master) { "master" } else { "slave" };
        self.publish_about(Level::Verbose, name, who, &format!(" new reported role is {word}"));
    }

    /// A replica says that it is a master: promoted by us, or astray.
    fn react_to_master(&mut self, slot: usize, at: usize) {
        let now = self.wall();
        let who = Who::Replica(slot, at);
        let master = self.at(slot);
        if master.replicas[at].promoted && master.in_progress && master.state == State::WaitPromotion {
            return self.on_promoted(slot);
        }
        let wait = self.periods.publish * 4;
        let settled = now - master.replicas[at].instance.role_since > wait;
        if !master.replicas[at].promoted && self.looks_sane(slot) && self.no_down_for(who, wait) && settled {
            let target = self.at(slot).instance.address.clone();
            self.send_slaveof(slot, at, Some(&target));
            self.publish_about(Level::Notice, "+convert-to-slave", who, "");
        }
    }

    fn react_to_replica(&mut self, slot: usize, at: usize) {
        let now = self.wall();
        let who = Who::Replica(slot, at);
        let timeout = self.at(slot).failover_timeout();
        let address = self.at(slot).instance.address.clone();
        let replica = &self.at(slot).replicas[at];
        let strays = !follows(replica, &address);
        let settled = now - replica.conf_change > timeout;
        if strays && self.looks_sane(slot) && self.no_down_for(who, timeout) && settled {
            self.send_slaveof(slot, at, Some(&address));
            self.publish_about(Level::Notice, "+fix-slave-config", who, "");
        }
        let master = self.at(slot);
        let promoted = master.promoted().map(|at| master.replicas[at].instance.address.clone());
        let replica = &mut self.at_mut(slot).replicas[at];
        let reports_it = promoted.is_some_and(|promoted| follows(replica, &promoted));
        if replica.reconf_sent && reports_it {
            (replica.reconf_sent, replica.reconf_inprog) = (false, true);
            self.publish_about(Level::Notice, "+slave-reconf-inprog", who, "");
        }
        let replica = &mut self.at_mut(slot).replicas[at];
        if replica.reconf_inprog && replica.link_up {
            (replica.reconf_inprog, replica.reconf_done) = (false, true);
            self.publish_about(Level::Notice, "+slave-reconf-done", who, "");
        }
    }

    /// Right after a switch the age of the last INFO is still that of the old master's (spec 2 §5.3).
    fn looks_sane(&self, slot: usize) -> bool {
        let master = self.at(slot);
        master.instance.role == Some(Role::Master)
            && !master.instance.s_down
            && !master.o_down
            && self.wall() - master.instance.info_at < self.periods.info * 2
    }

    /// In truth: it last *went* down more than that long ago (spec 2 §1.4).
    fn no_down_for(&self, who: Who, wait: Millis) -> bool {
        let since = self.instance(who).s_down_since;
        since == 0 || self.wall() - since > wait
    }

    /// Spec 2 §5.4: restarted, and not one PONG since.
    pub fn reboots_too_long(&self, slot: usize) -> bool {
        let master = self.at(slot);
        let limit = master.settings.reboot_down_after.map(millis);
        master.reboot && limit.is_some_and(|limit| self.wall() - master.reboot_since > limit)
    }
}

fn follows(replica: &super::state::Replica, address: &Address) -> bool {
    let reported = replica.master_host.as_ref().map(|host| Address::new(host.clone(), replica.master_port));
    reported.is_some_and(|reported| reported.same_as(address))
}
