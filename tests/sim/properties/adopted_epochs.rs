//! **A configuration that a Sentinel adopts was won by itself, or heard of with a greater epoch than its own**, at the address that goes
//! with it. Nobody makes configurations up (spec 2 §6.3 step 6, §9.5).
//!
//! Won: it led a failover in that epoch. Reference Sentinels are skipped: a RESET in the middle of their failover brings them back to the old
//! address, under the epoch of the new one (§9.8).
//!
//! Can't see: what an operator's MONITOR brings; it begins at epoch 0.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use sentineld::model::Epoch;

use super::leads::Leads;
use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

#[derive(Default)]
pub struct AdoptedEpochs {
    leads: Leads,
    /// By Sentinel and master: the epoch that it is known to have.
    known: BTreeMap<(usize, String), Epoch>,
    /// By Sentinel and master: configurations that it heard of.
    heard: BTreeMap<(usize, String), BTreeSet<(Epoch, SocketAddrV4)>>,
}

impl Property for AdoptedEpochs {
    fn name(&self) -> &'static str {
        "an adopted configuration was won, or heard of with a greater epoch"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        self.leads.see(scene, seen);
        match seen {
            _ if scene.facts().kind == Kind::Reference => Ok(()),
            Seen::Started => {
                self.known.retain(|(node, _), _| *node != scene.node);
                for master in &scene.facts().disk.masters {
                    self.known.insert((scene.node, master.name.to_string()), master.config_epoch);
                }
                Ok(())
            }
            Seen::Ordered { words } => {
                self.known.retain(|(node, name), _| *node != scene.node || !words::forgets(words, name));
                Ok(())
            }
            Seen::Heard { hello } => {
                if let Ok(host) = hello.master_host.parse() {
                    let configuration = (hello.config_epoch, SocketAddrV4::new(host, hello.master_port));
                    let key = (scene.node, hello.master_name.to_string());
                    self.heard.entry(key).or_default().insert(configuration);
                }
                Ok(())
            }
            Seen::Notice { name, payload } if name == "+selected-slave" => {
                // It may be over, or overtaken, before it is saved, or told to peers.
                let won = words::instance(payload).and_then(|named| {
                    let epoch = self.leads.of(scene.node, named.master)?.epoch?;
                    Some((named.master.to_owned(), (epoch, named.address)))
                });
                if let Some((name, configuration)) = won {
                    self.heard.entry((scene.node, name)).or_default().insert(configuration);
                }
                Ok(())
            }
            Seen::Greeted { hello, .. } => {
                let Ok(host) = hello.master_host.parse() else { return Ok(()) };
                let address = SocketAddrV4::new(host, hello.master_port);
                self.has(scene, hello.master_name.as_str(), hello.config_epoch, address)
            }
            Seen::Saved => {
                for master in &scene.facts().disk.masters {
                    if let Some(address) = words::place(master) {
                        self.has(scene, master.name.as_str(), master.config_epoch, address)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl AdoptedEpochs {
    fn has(&mut self, scene: &Scene, name: &str, epoch: Epoch, address: SocketAddrV4) -> Result<(), String> {
        let key = (scene.node, name.to_owned());
        let known = self.known.entry(key.clone()).or_insert(Epoch::ZERO);
        if epoch <= *known {
            return Ok(());
        }
        *known = epoch;
        let heard = self.heard.get(&key).is_some_and(|heard| heard.contains(&(epoch, address)));
        let lead = self.leads.of(scene.node, name);
        let won = lead.is_some_and(|lead| {
            lead.elected_at.is_some() && lead.epoch == Some(epoch) && lead.selected == Some(address)
        });
        if heard || won {
            return Ok(());
        }
        Err(format!("configuration {epoch} of {name} at {address} was neither won nor heard of"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn what_was_heard_or_won_is_fine() {
        let mut stage = Stage::new(AdoptedEpochs::default());
        stage.fine(Seen::Started).fine(heard(hello(1, 3, 2, 3))).fine(greeted(hello(0, 3, 2, 3)));
        stage.node(2).fine(Seen::Started).elected(4, &[1], 3).fine(greeted(hello(2, 4, 3, 4)));
    }

    #[test]
    fn anything_else_is_not() {
        let mut stage = Stage::new(AdoptedEpochs::default());
        stage.fine(Seen::Started).fine(heard(hello(1, 3, 2, 3))).wrong(greeted(hello(0, 3, 3, 3)));
        stage.wrong(greeted(hello(0, 4, 2, 4)));
        stage.node(2).fine(Seen::Started).elected(4, &[1], 3).wrong(greeted(hello(2, 5, 3, 5)));
        stage.node(1).fine(Seen::Started).epochs(2, 2, 2).wrong(Seen::Saved);
    }

    #[test]
    fn a_vote_that_was_saved_late_names_the_epoch_all_the_same() {
        for saved in [true, false] {
            let mut stage = Stage::new(AdoptedEpochs::default());
            stage.says("+try-failover", &of_master(1)).fine(asked(sentinel(1), 1, Some(0)));
            stage.epochs(1, 1, 0).says("+vote-for-leader", &format!("{} 5", id(0)));
            if saved {
                stage.epochs(5, 5, 0);
            }
            stage.says("+elected-leader", &of_master(1)).says("+selected-slave", &of_replica(2, 1));
            let told = greeted(hello(0, 5, 2, 5));
            if saved {
                stage.fine(told);
            } else {
                stage.wrong(told);
            }
        }
    }
}
