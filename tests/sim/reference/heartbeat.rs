//! PING, INFO and hello, each when its time has come at a tick (spec 2 §4, §5.1, §6.2).

use sentineld::engine::Ask;
use sentineld::wire::{Hello, PingReply, Request};

use super::Reference;
use super::state::{Millis, Who};

/// Unanswered requests of one owner beyond which no periodic ones are added (spec 2 §1.8).
const MAX_PENDING: i64 = 100;
/// INFO to replicas while something goes on (spec 2 §5.1).
const FAST_INFO: Millis = 1_000;

impl Reference {
    pub fn send_periodic(&mut self, who: Who) {
        let now = self.wall();
        let link = self.link_of(who);
        if link.disconnected || link.pending >= MAX_PENDING * link.refcount {
            return;
        }
        let (pong_at, ping_sent) = (link.pong_at, link.ping_sent);
        let instance = self.instance(who);
        let (info_at, last_pub) = (instance.info_at, instance.last_pub);
        let period = match who {
            Who::Replica(slot, at) => {
                let master = self.at(slot);
                let hurried = master.o_down || master.in_progress || master.replicas[at].link_down != 0;
                Some(if hurried { FAST_INFO } else { self.periods.info })
            }
            Who::Master(_) => Some(self.periods.info),
            Who::Peer(..) => None,
        };
        // The time moves with the answer alone: until then this is repeated at every tick.
        if period.is_some_and(|period| info_at == 0 || now - info_at > period) {
            self.send(who, Ask::Info, Request::Info);
        }
        let ping_period = self.at(who.slot()).down_after().min(self.periods.ping);
        if now - pong_at > ping_period && now - ping_sent > ping_period / 2 {
            self.send_ping(who);
        }
        if now - last_pub > self.periods.publish {
            self.send_hello(who);
        }
    }

    pub fn send_ping(&mut self, who: Who) {
        let now = self.wall();
        self.send(who, Ask::Ping, Request::Ping);
        let link = self.link_of_mut(who);
        link.ping_sent = now;
        if link.active_ping == 0 {
            link.active_ping = now;
        }
    }

    /// Spec 2 §4.2.
    pub fn on_ping_reply(&mut self, who: Who, reply: &PingReply) {
        let now = self.wall();
        let link = self.link_of_mut(who);
        link.pong_at = now;
        match reply {
            PingReply::Pong | PingReply::Loading | PingReply::MasterDown => {
                link.available_at = now;
                link.active_ping = 0;
                if let (PingReply::Pong, Who::Master(slot)) = (reply, who) {
                    self.at_mut(slot).reboot = false;
                }
            }
            PingReply::Busy if self.instance(who).s_down && !self.instance(who).script_kill_sent => {
                self.send(who, Ask::ScriptKill, Request::ScriptKill);
                self.instance_mut(who).script_kill_sent = true;
            }
            PingReply::Busy | PingReply::Other(_) => {}
        }
    }

    /// Spec 2 §6.1. Without an address of its own to tell there is no hello.
    fn send_hello(&mut self, who: Who) {
        let master = self.at(who.slot());
        let local = self.link_of(who).local.map(|ip| ip.to_string());
        let Some(host) = self.globals.announce_ip.clone().or(local) else { return };
        let address = master.current_address();
        let hello = Hello {
            host,
            port: self.globals.announce_port.unwrap_or(self.port),
            run_id: self.my_id.clone(),
            current_epoch: self.epoch,
            master_name: master.name().clone(),
            master_host: address.shown_host(self.globals.announce_hostnames),
            master_port: address.port,
            config_epoch: master.config_epoch,
        };
        self.send(who, Ask::Publish, Request::Publish(hello));
    }

    /// Hellos about a master leave at the next tick (spec 2 §6.2).
    pub fn force_hello(&mut self, slot: usize) {
        let back = self.periods.publish + 1;
        let master = self.at_mut(slot);
        master.instance.last_pub -= back;
        master.replicas.iter_mut().for_each(|replica| replica.instance.last_pub -= back);
        master.peers.iter_mut().for_each(|peer| peer.instance.last_pub -= back);
    }
}
