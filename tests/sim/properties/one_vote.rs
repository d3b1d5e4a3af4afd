//! **A Sentinel never votes for two candidates in one epoch of a master**, however often it crashes in between. A majority that can be had
//! twice elects two leaders (spec 2 §8.1).
//!
//! A vote is what it answers to a candidate, and its own candidacy: who asks for votes has voted for itself. Reference Sentinels are
//! skipped: they give votes that are not on disk, and after a crash give them again.
//!
//! Can't see: votes that never left it.

use std::collections::BTreeMap;

use sentineld::model::Epoch;

use super::leads::Leads;
use crate::seen::{Kind, Property, Scene, Seen};

#[derive(Default)]
pub struct OneVote {
    leads: Leads,
    /// Voter, master, epoch → for whom it voted.
    votes: BTreeMap<(String, String, Epoch), String>,
}

impl Property for OneVote {
    fn name(&self) -> &'static str {
        "never two votes of a Sentinel in an epoch of a master"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        self.leads.see(scene, seen);
        let (master, leader, epoch) = match seen {
            _ if scene.facts().kind == Kind::Reference => return Ok(()),
            Seen::Told { master, leader: Some(leader), epoch, .. } => (master.to_string(), leader, *epoch),
            Seen::Asked { master, epoch, candidate: Some(leader), .. } => {
                let Some(name) = self.leads.master_at(scene.node, *master) else { return Ok(()) };
                (name.to_owned(), leader, *epoch)
            }
            _ => return Ok(()),
        };
        let voter = &scene.facts().run_id;
        let key = (voter.clone(), master, epoch);
        let first = self.votes.entry(key).or_insert_with(|| leader.clone());
        if first == leader {
            return Ok(());
        }
        Err(format!("{voter} voted for {leader} in epoch {epoch}, in which it had voted for {first}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn the_same_vote_may_be_told_again() {
        let mut stage = Stage::new(OneVote::default());
        stage.fine(Seen::Started).fine(told(Some(1), 4)).fine(told(Some(1), 4)).fine(told(None, 4));
        stage.fine(told(Some(2), 5)).fine(asked(sentinel(1), 6, Some(0)));
        stage.node(1).fine(told(Some(2), 4));
    }

    #[test]
    fn another_may_not() {
        let mut stage = Stage::new(OneVote::default());
        stage.fine(Seen::Started).fine(told(Some(1), 4)).fine(Seen::Died).fine(Seen::Started);
        stage.wrong(told(Some(2), 4));
        stage.wrong(asked(sentinel(2), 4, Some(0)));
    }
}
