//! **Configurations of one epoch name one address.** A Sentinel follows the greatest epoch; of two configurations with one epoch each would
//! keep its own for ever, and its clients with it (spec 2 §6.3, §8.6).
//!
//! Looked at in hellos and in files, from the last time on that a Sentinel was replaced by one with an empty disk: that one has forgotten
//! what it voted for. Epoch 0 is what operators wrote, which no election made: it is left out. So are, in a fleet with
//! reference Sentinels, epochs in which one of those stood: two of them can win one epoch (§8.6, §9.10), and we only pass on what they say;
//! and epochs of ours for which one of those named another address: it spreads its own promotion under the epoch of another that it hears
//! of meanwhile (§9.9).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use sentineld::model::Epoch;

use super::leads::Leads;
use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

#[derive(Default)]
pub struct EqualConfigs {
    leads: Leads,
    /// Cluster of Sentinels, master, epoch → the address, and who named it first.
    named: BTreeMap<(String, Epoch), (SocketAddrV4, String)>,
    /// Epochs in which a reference Sentinel stood, by master.
    foreign: BTreeSet<(String, Epoch)>,
}

impl Property for EqualConfigs {
    fn name(&self) -> &'static str {
        "equal configuration epochs name equal addresses"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        self.leads.see(scene, seen);
        match seen {
            Seen::Replaced => {
                self.named.clear();
                Ok(())
            }
            Seen::Notice { name, payload }
                if name == "+try-failover" && scene.facts().kind == Kind::Reference =>
            {
                let stood = words::instance(payload).and_then(|named| {
                    Some((named.master.to_owned(), self.leads.of(scene.node, named.master)?.epoch?))
                });
                self.foreign.extend(stood);
                Ok(())
            }
            Seen::Greeted { hello, .. } => {
                let Ok(host) = hello.master_host.parse() else { return Ok(()) };
                let address = SocketAddrV4::new(host, hello.master_port);
                self.names(scene, hello.master_name.as_str(), hello.config_epoch, address)
            }
            Seen::Saved => {
                for master in &scene.facts().disk.masters {
                    if let Some(address) = words::place(master) {
                        self.names(scene, master.name.as_str(), master.config_epoch, address)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl EqualConfigs {
    fn names(
        &mut self,
        scene: &Scene,
        name: &str,
        epoch: Epoch,
        address: SocketAddrV4,
    ) -> Result<(), String> {
        let key = (name.to_owned(), epoch);
        if epoch == Epoch::ZERO || self.foreign.contains(&key) {
            return Ok(());
        }
        let me = &scene.facts().run_id;
        let (first, by) = self.named.entry(key).or_insert_with(|| (address, me.clone()));
        if *first == address {
            return Ok(());
        }
        if scene.facts().kind == Kind::Reference {
            self.foreign.insert((name.to_owned(), epoch));
            return Ok(());
        }
        Err(format!("configuration {epoch} of {name} is at {address} for {me}, at {first} for {by}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn greater_epochs_may_name_others() {
        let mut stage = Stage::new(EqualConfigs::default());
        stage
            .fine(greeted(hello(0, 1, 1, 0)))
            .fine(greeted(hello(0, 1, 2, 1)))
            .fine(greeted(hello(0, 2, 1, 2)));
        stage.node(1).fine(greeted(hello(1, 2, 1, 2)));
        stage.file().host = server(2).ip().to_string();
        stage.epochs(2, 1, 1).fine(Seen::Saved);
    }

    #[test]
    fn equal_ones_may_not() {
        let mut stage = Stage::new(EqualConfigs::default());
        stage.fine(greeted(hello(0, 1, 2, 1)));
        stage.node(1).wrong(greeted(hello(1, 1, 3, 1)));
        stage.epochs(1, 1, 1).wrong(Seen::Saved);
    }

    #[test]
    fn what_a_reference_sentinel_claimed_is_its_own() {
        let mut stage = Stage::new(EqualConfigs::default());
        stage.nodes[2].kind = Kind::Reference;
        stage.node(2).says("+new-epoch", "1").says("+try-failover", &of_master(1));
        stage.fine(greeted(hello(2, 1, 2, 1))).node(1).fine(greeted(hello(1, 1, 3, 1)));
    }

    #[test]
    fn so_is_what_it_makes_of_an_epoch_of_ours() {
        let mut stage = Stage::new(EqualConfigs::default());
        stage.nodes[2].kind = Kind::Reference;
        // That it passes our word on excuses nobody.
        stage.fine(greeted(hello(0, 1, 2, 1))).node(2).fine(greeted(hello(2, 1, 2, 1)));
        stage.node(1).wrong(greeted(hello(1, 1, 3, 1)));
        stage.node(2).fine(greeted(hello(2, 1, 3, 1))).node(1).fine(greeted(hello(1, 1, 3, 1)));
    }
}
