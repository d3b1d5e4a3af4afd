//! Votes: given, counted, and stood for (spec 2 §8).

use std::collections::BTreeMap;

use sentineld::engine::{Action, Level};
use sentineld::model::{Epoch, RunId, WallTime};

use super::Reference;
use super::state::{Millis, State, Who};

impl Reference {
    /// Spec 2 §8.1: one vote for each master and epoch, whoever comes first. Answers with what is stored.
    ///
    /// Compat: no vote in an epoch that the process has left behind, even if it was another master's election that raised it.
    pub fn vote(&mut self, slot: usize, epoch: Epoch, candidate: &RunId) -> (Option<RunId>, Epoch) {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.globals_changed = true;
            self.flush();
            self.publish(Level::Warning, "+new-epoch", epoch.to_string());
        }
        if self.at(slot).leader_epoch < epoch && self.epoch <= epoch {
            let current = self.epoch;
            let master = self.at_mut(slot);
            master.leader = Some(candidate.clone());
            master.leader_epoch = current;
            // The epoch of a failover that began here is written with the vote in it.
            self.globals_changed = true;
            self.changed(slot);
            self.flush();
            self.publish(Level::Warning, "+vote-for-leader", format!("{candidate} {current}"));
            if *candidate != self.my_id {
                let start = self.wall() + self.desync();
                self.at_mut(slot).start_time = start;
            }
        }
        let master = self.at(slot);
        (master.leader.clone(), master.leader_epoch)
    }

    /// Spec 2 §8.2: who leads in this epoch, if anybody.
    ///
    /// Compat: the votes of peers count if they are of the *current* epoch of the process, whatever epoch the failover has.
    pub fn leader(&mut self, slot: usize, epoch: Epoch) -> Option<RunId> {
        let current = self.epoch;
        let mut tally: BTreeMap<RunId, usize> = BTreeMap::new();
        let mut winner: Option<(RunId, usize)> = None;
        let more = |votes: usize, winner: &Option<(RunId, usize)>| {
            winner.as_ref().is_none_or(|(_, most)| votes > *most)
        };
        for peer in self.at(slot).peers.iter().filter(|peer| peer.leader_epoch == current) {
            let Some(leader) = &peer.leader else { continue };
            let votes = tally.entry(leader.clone()).or_default();
            *votes += 1;
        }
        for (leader, votes) in &tally {
            if more(*votes, &winner) {
                winner = Some((leader.clone(), *votes));
            }
        }
        // Its own vote goes with the majority of the others, if it is still free.
        let favourite = winner.as_ref().map_or(self.my_id.clone(), |(leader, _)| leader.clone());
        let (mine, my_epoch) = self.vote(slot, epoch, &favourite);
        if let Some(mine) = mine.filter(|_| my_epoch == epoch) {
            let votes = tally.get(&mine).copied().unwrap_or_default() + 1;
            if more(votes, &winner) {
                winner = Some((mine, votes));
            }
        }
        let master = self.at(slot);
        let needed = (master.voters() / 2 + 1).max(master.settings.quorum as usize);
        winner.filter(|(_, votes)| *votes >= needed).map(|(leader, _)| leader)
    }

    /// Spec 2 §8.3. True if a failover was started.
    pub fn start_failover_if_needed(&mut self, slot: usize) -> bool {
        let now = self.wall();
        let master = self.at(slot);
        if !master.o_down || master.in_progress {
            return false;
        }
        let wait = master.failover_timeout() * 2;
        if now - master.start_time < wait {
            if master.delay_logged != master.start_time {
                let start = master.start_time;
                self.at_mut(slot).delay_logged = start;
                self.held.push(Action::LogNextFailover(WallTime::from_millis(start + wait)));
            }
            return false;
        }
        self.start_failover(slot);
        true
    }

    /// Raises the epoch, which is written with the vote that follows.
    pub fn start_failover(&mut self, slot: usize) {
        let now = self.wall();
        self.epoch = self.epoch.next();
        let (epoch, start) = (self.epoch, now + self.desync());
        let master = self.at_mut(slot);
        master.state = State::WaitStart;
        master.in_progress = true;
        master.failover_epoch = epoch;
        master.start_time = start;
        master.state_change = now;
        self.globals_changed = true;
        self.publish(Level::Warning, "+new-epoch", epoch.to_string());
        self.publish_about(Level::Warning, "+try-failover", Who::Master(slot), "");
    }

    /// How long an election may last.
    pub fn election_timeout(&self, slot: usize) -> Millis {
        self.periods.election_timeout.min(self.at(slot).failover_timeout())
    }
}
