//! **There is never more than one leader of a failover for a master and an epoch.** Two leaders may promote two replicas, and then half of
//! the clients write where the other half does not read (spec 2 §8.2, §8.6).
//!
//! Who says `+elected-leader`, or sends SLAVEOF NO ONE, leads. Reference Sentinels are skipped, and so is one of ours beside one of them:
//! they count votes of one epoch for another (§8.6), and take an epoch without asking when an operator orders a failover (§9.10).
//!
//! A Sentinel that comes back on an empty disk, under another id, has forgotten whom it voted for, and no protocol can make up for that:
//! what was before is not held against what comes after.
//!
//! Can't see: a leader that neither says nor does anything; it harms nobody.

use std::collections::BTreeMap;

use sentineld::model::Epoch;

use super::leads::{Lead, Leads};
use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

#[derive(Default)]
pub struct OneLeader {
    leads: Leads,
    /// Master and epoch → the id of who led first.
    leaders: BTreeMap<(String, Epoch), String>,
}

impl Property for OneLeader {
    fn name(&self) -> &'static str {
        "one leader for a master and epoch"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        self.leads.see(scene, seen);
        if matches!(seen, Seen::Replaced) {
            self.leaders.clear();
        }
        if scene.facts().kind == Kind::Reference {
            return Ok(());
        }
        let led = match seen {
            Seen::Notice { name, payload } if name == "+elected-leader" => {
                words::instance(payload).and_then(|named| {
                    Some((named.master.to_owned(), self.leads.of(scene.node, named.master)?.clone()))
                })
            }
            Seen::Pointed { server, master: None } => self
                .leads
                .choosing(scene.node, *server)
                .map(|(master, lead)| (master.to_owned(), lead.clone())),
            _ => None,
        };
        led.map_or(Ok(()), |(master, lead)| self.leads_now(scene, master, &lead))
    }
}

impl OneLeader {
    fn leads_now(&mut self, scene: &Scene, master: String, lead: &Lead) -> Result<(), String> {
        let me = &scene.facts().run_id;
        let Some(epoch) = lead.epoch else {
            return Err(format!("{me} leads a failover of {master} in an epoch that it never stood in"));
        };
        let first = self.leaders.entry((master.clone(), epoch)).or_insert_with(|| me.clone());
        if first == me {
            return Ok(());
        }
        Err(format!("{me} leads a failover of {master} in epoch {epoch}, as {first} did"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn leaders_of_different_epochs_are_fine() {
        let mut stage = Stage::new(OneLeader::default());
        stage.node(0).elected(1, &[1], 2).fine(pointed(2, None));
        stage.node(1).elected(2, &[2], 3).fine(pointed(3, None));
        stage.node(0).elected(3, &[2], 2).fine(pointed(2, None));
    }

    #[test]
    fn two_of_one_epoch_are_not() {
        let mut stage = Stage::new(OneLeader::default());
        stage.node(0).elected(1, &[1], 2);
        stage.node(1).says("+try-failover", &of_master(1)).epochs(1, 1, 0);
        stage.says("+vote-for-leader", &format!("{} 1", id(1)));
        stage.wrong(notice("+elected-leader", &of_master(1)));
    }
}
