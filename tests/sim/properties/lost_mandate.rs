//! **A leader that lost its mandate stops.** It promotes nobody any more once it voted for another in a later epoch, once it heard of a
//! configuration as new as its own would be, or when its election is long ago: others may have elected the next by then.
//!
//! All three hold for what an operator ordered too, and for every SLAVEOF NO ONE: the first, a repetition, another replica's. Ten seconds, or
//! failover-timeout if that is shorter, is the time after which others may stand again (spec 2 §8.4: the time an election may take).
//! Reference Sentinels are skipped: they go on for failover-timeout, whatever happens meanwhile, but for a configuration greater than
//! theirs (§9.9).
//!
//! Epochs that no fleet can have reached are not believed, and take no mandate away. A machine that is new knows nothing of what was heard
//! at its place before.
//!
//! Can't see: later elections of which the leader did not hear.

use std::collections::BTreeMap;
use std::time::Duration;

use sentineld::model::Epoch;

use super::knowledge::{known_peer, plausible};
use super::leads::{Lead, Leads};
use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

/// How long a mandate lasts at most.
const MANDATE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub struct LostMandate {
    leads: Leads,
    /// By Sentinel and master: the greatest epoch in which it voted for another.
    voted: BTreeMap<(usize, String), Epoch>,
    /// By Sentinel and master: the greatest configuration that a peer told it of.
    heard: BTreeMap<(usize, String), Epoch>,
    /// By Sentinel and master: the longest failover-timeout that an operator set. It counts before it is in the file.
    set: BTreeMap<(usize, String), Duration>,
}

impl Property for LostMandate {
    fn name(&self) -> &'static str {
        "a leader that lost its mandate stops"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        self.leads.see(scene, seen);
        match seen {
            Seen::Replaced => {
                self.voted.retain(|(node, _), _| *node != scene.node);
                self.heard.retain(|(node, _), _| *node != scene.node);
                self.set.retain(|(node, _), _| *node != scene.node);
                Ok(())
            }
            Seen::Told { master, leader: Some(leader), epoch, .. } if *leader != scene.facts().run_id => {
                let voted = self.voted.entry((scene.node, master.to_string())).or_default();
                *voted = (*voted).max(*epoch);
                Ok(())
            }
            Seen::Heard { hello }
                if known_peer(scene, hello)
                    && plausible(scene, hello.config_epoch.max(hello.current_epoch)) =>
            {
                let heard = self.heard.entry((scene.node, hello.master_name.to_string())).or_default();
                *heard = (*heard).max(hello.config_epoch);
                Ok(())
            }
            Seen::Ordered { words } => {
                self.ordered(scene, words);
                Ok(())
            }
            Seen::Pointed { server, master: None } if scene.facts().kind == Kind::Ours => {
                match self.leads.choosing(scene.node, *server) {
                    Some((master, lead)) => self.judge(scene, master, lead),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

impl LostMandate {
    fn ordered(&mut self, scene: &Scene, words: &[String]) {
        let (verb, Some(name)) = words::order(words) else { return };
        let mut options = words.iter().skip_while(|word| !word.eq_ignore_ascii_case("failover-timeout"));
        if verb == "SET"
            && let Some(millis) = options.nth(1).and_then(|value| value.parse().ok())
        {
            let longest = self.set.entry((scene.node, name.to_owned())).or_default();
            *longest = (*longest).max(Duration::from_millis(millis));
        }
    }

    fn judge(&self, scene: &Scene, master: &str, lead: &Lead) -> Result<(), String> {
        let (Some(epoch), Some(elected_at)) = (lead.epoch, lead.elected_at) else { return Ok(()) };
        let key = (scene.node, master.to_owned());
        if let Some(voted) = self.voted.get(&key).filter(|voted| **voted > epoch) {
            return Err(format!(
                "the leader of epoch {epoch} of {master} promotes, after its vote in {voted}"
            ));
        }
        if let Some(heard) = self.heard.get(&key).filter(|heard| **heard >= epoch) {
            return Err(format!(
                "the leader of epoch {epoch} of {master} promotes, though {heard} is in force"
            ));
        }
        let in_file = words::master(&scene.facts().disk, master).map(|master| master.failover_timeout);
        let timeout = in_file.max(self.set.get(&key).copied()).unwrap_or(MANDATE);
        if Duration::from_nanos(scene.at - elected_at) > MANDATE.min(timeout) {
            let late = (scene.at - elected_at) / 1_000_000;
            return Err(format!(
                "the leader of epoch {epoch} of {master} promotes {late} ms after its election"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn a_fresh_mandate_is_fine() {
        let mut stage = Stage::new(LostMandate::default());
        stage
            .fine(told(Some(1), 2))
            .elected(3, &[1], 2)
            .fine(told(Some(0), 3))
            .fine(heard(hello(1, 3, 1, 2)));
        stage.at(10_000).fine(pointed(2, None));
    }

    #[test]
    fn a_vote_for_another_ends_it() {
        let mut stage = Stage::new(LostMandate::default());
        stage.elected(3, &[1], 2).fine(told(Some(1), 4)).wrong(pointed(2, None));
    }

    #[test]
    fn so_does_a_newer_configuration() {
        let mut stage = Stage::new(LostMandate::default());
        stage.elected(3, &[1], 2).fine(heard(hello(7, 9, 2, 9))).fine(pointed(2, None));
        stage.fine(heard(hello(1, 3, 3, 3))).wrong(pointed(2, None));
    }

    #[test]
    fn a_new_machine_has_heard_of_nothing() {
        let mut stage = Stage::new(LostMandate::default());
        stage.fine(told(Some(1), 9)).fine(heard(hello(1, 9, 3, 9)));
        stage.elected(3, &[1], 2).wrong(pointed(2, None)).fine(Seen::Replaced).fine(Seen::Started);
        stage.elected(3, &[1], 2).fine(pointed(2, None));
    }

    #[test]
    fn so_does_time() {
        let mut stage = Stage::new(LostMandate::default());
        stage.elected(3, &[1], 2).at(10_001).wrong(pointed(2, None));
    }

    #[test]
    fn an_order_ages_too() {
        let mut stage = Stage::new(LostMandate::default());
        stage.fine(ordered("SENTINEL FAILOVER m")).elected(3, &[1], 2).at(10_000).fine(pointed(2, None));
        stage.at(10_001).wrong(pointed(2, None));
    }

    #[test]
    fn a_short_failover_timeout_makes_it_shorter() {
        let mut stage = Stage::new(LostMandate::default());
        stage.file().failover_timeout = Duration::from_secs(3);
        stage.elected(3, &[1], 2).at(3_000).fine(pointed(2, None)).at(3_001).wrong(pointed(2, None));
        stage.fine(ordered("SENTINEL SET m failover-timeout 4000")).at(4_000).fine(pointed(2, None));
        stage.at(4_001).wrong(pointed(2, None));
    }
}
