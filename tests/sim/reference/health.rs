//! Down or not: its own view, that of its peers, and the questions to them (spec 2 §7).

use sentineld::engine::{Ask, ConnKind, Level};
use sentineld::wire::reply::MasterDownReply;
use sentineld::wire::{Request, Role};

use super::Reference;
use super::state::{State, Who};

impl Reference {
    /// Spec 2 §7.1, and the links that are dropped for silence (§3.6).
    pub fn check_s_down(&mut self, who: Who) {
        let now = self.wall();
        let link = self.link_of(who);
        let elapsed = match link.active_ping {
            0 if link.disconnected => now - link.available_at,
            0 => 0,
            since => now - since,
        };
        self.drop_silent(who);
        let down_after = self.at(who.slot()).down_after();
        let instance = self.instance(who);
        let mut down = elapsed > down_after;
        if let Who::Master(slot) = who {
            let turned = instance.role == Some(Role::Replica)
                && now - instance.role_since > down_after + self.periods.info * 2;
            down |= turned || self.reboots_too_long(slot);
        }
        let instance = self.instance_mut(who);
        if down == instance.s_down {
            return;
        }
        instance.s_down = down;
        if down {
            instance.s_down_since = now;
        } else {
            instance.script_kill_sent = false;
        }
        self.publish_about(Level::Warning, if down { "+sdown" } else { "-sdown" }, who, "");
    }

    fn drop_silent(&mut self, who: Who) {
        let now = self.wall();
        let half = self.at(who.slot()).down_after() / 2;
        let link = self.link_of(who);
        let old = |since| now - since > self.periods.min_reconnect;
        let silent_command = link.command.open
            && old(link.command.since)
            && link.active_ping != 0
            && now - link.active_ping > half
            && now - link.pong_at > half;
        let silent_pubsub = link.pubsub.as_ref().is_some_and(|conn| conn.open && old(conn.since))
            && now - link.heard_at > self.periods.publish * 3;
        let id = link.id;
        if silent_command {
            self.close(id, ConnKind::Command);
        }
        if silent_pubsub {
            self.close(id, ConnKind::PubSub);
        }
    }

    /// Spec 2 §7.2.
    pub fn check_o_down(&mut self, slot: usize) {
        let now = self.wall();
        let master = self.at_mut(slot);
        let count = 1 + master.peers.iter().filter(|peer| peer.master_down).count();
        let quorum = master.settings.quorum;
        let down = master.instance.s_down && count >= quorum as usize;
        if down == master.o_down {
            return;
        }
        master.o_down = down;
        if down {
            master.o_down_since = now;
            let more = format!(" #quorum {count}/{quorum}");
            self.publish_about(Level::Warning, "+odown", Who::Master(slot), &more);
        } else {
            self.publish_about(Level::Warning, "-odown", Who::Master(slot), "");
        }
    }

    /// Spec 2 §7.3. Compat: with the epoch of the process and not that of the failover, and without a limit while nobody answers.
    pub fn ask_peers(&mut self, slot: usize, forced: bool) {
        let now = self.wall();
        for at in 0..self.at(slot).peers.len() {
            let ask = self.periods.ask;
            let peer = &mut self.at_mut(slot).peers[at];
            let elapsed = now - peer.last_ask_reply;
            if elapsed > ask * 5 {
                peer.master_down = false;
                peer.leader = None;
            }
            let due = forced || elapsed >= ask;
            let who = Who::Peer(slot, at);
            let master = self.at(slot);
            if !master.instance.s_down || self.link_of(who).disconnected || !due {
                continue;
            }
            let stands = master.state != State::None;
            let address = &master.instance.address;
            let request = Request::IsMasterDown {
                host: address.shown_host(self.globals.announce_hostnames),
                port: address.port,
                epoch: self.epoch,
                candidate: stands.then(|| self.my_id.clone()),
            };
            self.send(
                who,
                Ask::MasterDown { address_generation: 0, candidacy: None, at: self.now.mono },
                request,
            );
        }
    }

    /// Spec 2 §7.5. Compat: whatever address and epoch the question was about.
    pub fn on_ask_reply(&mut self, who: Who, reply: MasterDownReply) {
        let now = self.wall();
        let Who::Peer(slot, at) = who else { return };
        let peer = &mut self.at_mut(slot).peers[at];
        peer.last_ask_reply = now;
        peer.master_down = reply.down;
        let Some(leader) = reply.leader else { return };
        let is_news = peer.leader_epoch != reply.leader_epoch;
        let text = format!("{} voted for {leader} {}", peer.instance.name, reply.leader_epoch);
        (peer.leader, peer.leader_epoch) = (Some(leader), reply.leader_epoch);
        if is_news {
            self.log(Level::Warning, text);
        }
    }
}
