//! **No vote leaves before it is on disk**: neither an answer to a candidate, nor a question that rests on our own vote. What a crash can
//! erase would be given again to another (spec 2 §8.1; §14.3 "votes without durability check").
//!
//! Compared with what a start would read at that very moment. Reference Sentinels are skipped: a save that failed does not keep them.
//!
//! Can't see: whose vote is on disk; the file has the epoch alone, and who does not find itself there after a start votes for nobody.

use super::leads::Leads;
use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

#[derive(Default)]
pub struct DurableVotes {
    leads: Leads,
}

impl Property for DurableVotes {
    fn name(&self) -> &'static str {
        "no vote leaves before it is durable"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        self.leads.see(scene, seen);
        let (name, epoch) = match seen {
            _ if scene.facts().kind == Kind::Reference => return Ok(()),
            Seen::Told { master, leader: Some(_), epoch, .. } => (master.as_str(), *epoch),
            Seen::Asked { master, epoch, candidate: Some(_), .. } => {
                match self.leads.master_at(scene.node, *master) {
                    Some(name) => (name, *epoch),
                    None => return Ok(()),
                }
            }
            _ => return Ok(()),
        };
        let disk = &scene.facts().disk;
        // A master that is not in the file was just taken away by an operator, or is just being added.
        let saved = words::master(disk, name).map(|master| master.leader_epoch);
        match saved {
            Some(saved) if saved < epoch => {
                Err(format!("a vote in epoch {epoch} of {name} left while the file knew of one in {saved}"))
            }
            _ if disk.sentinel.current_epoch < epoch && saved.is_some() => Err(format!(
                "a vote in epoch {epoch} left while the file was at {}",
                disk.sentinel.current_epoch
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn a_saved_vote_may_leave() {
        let mut stage = Stage::new(DurableVotes::default());
        stage.fine(Seen::Started).fine(told(None, 3));
        stage.epochs(3, 3, 0).fine(told(Some(1), 3)).fine(asked(sentinel(1), 3, Some(0)));
    }

    #[test]
    fn an_unsaved_one_may_not() {
        let mut stage = Stage::new(DurableVotes::default());
        stage.fine(Seen::Started).epochs(3, 2, 0).wrong(told(Some(1), 3));
        stage.wrong(asked(sentinel(1), 3, Some(0)));
        stage.epochs(2, 3, 0).wrong(told(Some(1), 3));
    }
}
