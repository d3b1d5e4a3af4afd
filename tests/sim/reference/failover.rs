//! The failover: one step of it at a tick (spec 2 §9).

use sentineld::engine::{Ask, BlockStep, Level};
use sentineld::model::Address;
use sentineld::wire::Request;
use sentineld::wire::request::ClientKind;

use super::Reference;
use super::state::{State, Who};

impl Reference {
    pub fn failover_step(&mut self, slot: usize) {
        if !self.at(slot).in_progress {
            return;
        }
        match self.at(slot).state {
            State::WaitStart => self.wait_start(slot),
            State::SelectSlave => self.select_slave(slot),
            State::SendSlaveofNoOne => self.send_slaveof_no_one(slot),
            State::WaitPromotion => self.wait_promotion(slot),
            State::ReconfSlaves => self.reconf_next(slot),
            State::None | State::UpdateConfig => {}
        }
    }

    fn enter(&mut self, slot: usize, state: State) {
        let now = self.wall();
        let master = self.at_mut(slot);
        (master.state, master.state_change) = (state, now);
    }

    /// Spec 2 §8.4. Compat: nothing waits for the random start time.
    fn wait_start(&mut self, slot: usize) {
        let now = self.wall();
        let winner = self.leader(slot, self.at(slot).failover_epoch);
        if winner.as_ref() != Some(&self.my_id) && !self.at(slot).forced {
            if now - self.at(slot).start_time > self.election_timeout(slot) {
                self.publish_about(Level::Warning, "-failover-abort-not-elected", Who::Master(slot), "");
                self.abort(slot);
            }
            return;
        }
        self.publish_about(Level::Warning, "+elected-leader", Who::Master(slot), "");
        if self.crash_after_election {
            return self.crash();
        }
        self.enter(slot, State::SelectSlave);
        self.publish_about(Level::Warning, "+failover-state-select-slave", Who::Master(slot), "");
    }

    fn select_slave(&mut self, slot: usize) {
        let Some(at) = self.select(slot) else {
            self.publish_about(Level::Warning, "-failover-abort-no-good-slave", Who::Master(slot), "");
            return self.abort(slot);
        };
        let who = Who::Replica(slot, at);
        self.publish_about(Level::Warning, "+selected-slave", who, "");
        self.at_mut(slot).replicas[at].promoted = true;
        self.enter(slot, State::SendSlaveofNoOne);
        self.publish_about(Level::Notice, "+failover-state-send-slaveof-noone", who, "");
    }

    fn send_slaveof_no_one(&mut self, slot: usize) {
        let Some(at) = self.at(slot).promoted() else { return };
        let who = Who::Replica(slot, at);
        if self.link_of(who).disconnected {
            return self.abort_if_late(slot);
        }
        self.send_slaveof(slot, at, None);
        self.publish_about(Level::Notice, "+failover-state-wait-promotion", who, "");
        self.enter(slot, State::WaitPromotion);
    }

    fn wait_promotion(&mut self, slot: usize) {
        self.abort_if_late(slot);
    }

    fn abort_if_late(&mut self, slot: usize) {
        let master = self.at(slot);
        if self.wall() - master.state_change > master.failover_timeout() {
            self.publish_about(Level::Warning, "-failover-abort-slave-timeout", Who::Master(slot), "");
            self.abort(slot);
        }
    }

    /// Compat: the start time stays, so that nothing is tried again before twice the failover timeout has passed.
    fn abort(&mut self, slot: usize) {
        let now = self.wall();
        let master = self.at_mut(slot);
        (master.in_progress, master.forced) = (false, false);
        (master.state, master.state_change) = (State::None, now);
        master.replicas.iter_mut().for_each(|replica| replica.promoted = false);
    }

    /// Spec 2 §9.4: six requests, whose replies nobody reads.
    pub fn send_slaveof(&mut self, slot: usize, at: usize, target: Option<&Address>) {
        let target = target.map(|to| (to.shown_host(self.globals.announce_hostnames), to.port));
        let queued = Ask::ReplicaOf(BlockStep::Queued);
        let words = [
            (queued, Request::Multi),
            (queued, Request::ReplicaOf(target)),
            (queued, Request::ConfigRewrite),
            (queued, Request::KillClients(ClientKind::Normal)),
            (queued, Request::KillClients(ClientKind::PubSub)),
            (Ask::ReplicaOf(BlockStep::Exec), Request::Exec),
        ];
        for (ask, request) in words {
            self.send(Who::Replica(slot, at), ask, request);
        }
    }

    /// Spec 2 §9.5: its INFO says master. From here on nothing takes the failover back.
    pub fn on_promoted(&mut self, slot: usize) {
        let master = self.at_mut(slot);
        master.config_epoch = master.failover_epoch;
        let Some(at) = master.promoted() else { return };
        self.enter(slot, State::ReconfSlaves);
        self.changed(slot);
        self.flush();
        self.publish_about(Level::Warning, "+promoted-slave", Who::Replica(slot, at), "");
        if self.crash_after_promotion {
            return self.crash();
        }
        self.publish_about(Level::Warning, "+failover-state-reconf-slaves", Who::Master(slot), "");
        self.set_address(slot);
        self.force_hello(slot);
    }

    /// Spec 2 §9.6. Compat: while as many are in progress as may be, not even a time-out is noticed.
    fn reconf_next(&mut self, slot: usize) {
        let now = self.wall();
        let master = self.at(slot);
        let Some(target) = master.promoted().map(|at| master.replicas[at].instance.address.clone()) else {
            return;
        };
        let limit = i64::from(master.settings.parallel_syncs);
        let busy = master.replicas.iter().filter(|replica| replica.reconf_sent || replica.reconf_inprog);
        let mut in_progress = i64::try_from(busy.count()).expect("a small table");
        for at in 0..self.at(slot).replicas.len() {
            if in_progress >= limit {
                break;
            }
            let who = Who::Replica(slot, at);
            let replica = &self.at(slot).replicas[at];
            if replica.promoted || replica.reconf_done {
                continue;
            }
            if replica.reconf_sent && now - replica.reconf_sent_at > self.periods.reconf_timeout {
                self.publish_about(Level::Notice, "-slave-reconf-sent-timeout", who, "");
                let replica = &mut self.at_mut(slot).replicas[at];
                (replica.reconf_sent, replica.reconf_done) = (false, true);
            }
            let replica = &self.at(slot).replicas[at];
            if replica.reconf_sent || replica.reconf_inprog || self.link_of(who).disconnected {
                continue;
            }
            self.send_slaveof(slot, at, Some(&target));
            let replica = &mut self.at_mut(slot).replicas[at];
            (replica.reconf_sent, replica.reconf_sent_at) = (true, now);
            self.publish_about(Level::Notice, "+slave-reconf-sent", who, "");
            in_progress += 1;
        }
        self.detect_end(slot);
    }

    /// Spec 2 §9.7. Compat: while the promoted replica is down nothing ends, not even by time.
    fn detect_end(&mut self, slot: usize) {
        let master = self.at(slot);
        let Some(promoted) = master.promoted() else { return };
        if master.replicas[promoted].instance.s_down {
            return;
        }
        let late = self.wall() - master.state_change > master.failover_timeout();
        let remains = master
            .replicas
            .iter()
            .any(|replica| !replica.promoted && !replica.reconf_done && !replica.instance.s_down);
        if remains && !late {
            return;
        }
        if remains {
            self.publish_about(Level::Warning, "+failover-end-for-timeout", Who::Master(slot), "");
        }
        self.publish_about(Level::Warning, "+failover-end", Who::Master(slot), "");
        let target = self.at(slot).replicas[promoted].instance.address.clone();
        self.enter(slot, State::UpdateConfig);
        if late {
            self.point_the_rest(slot, &target);
        }
    }

    /// Compat: never transmitted, since the connections end with the tick (spec 2 §9.7).
    fn point_the_rest(&mut self, slot: usize, target: &Address) {
        for at in 0..self.at(slot).replicas.len() {
            let who = Who::Replica(slot, at);
            let replica = &self.at(slot).replicas[at];
            if replica.promoted
                || replica.reconf_done
                || replica.reconf_sent
                || self.link_of(who).disconnected
            {
                continue;
            }
            self.send_slaveof(slot, at, Some(target));
            self.at_mut(slot).replicas[at].reconf_sent = true;
            self.publish_about(Level::Notice, "+slave-reconf-sent-be", who, "");
        }
    }
}
