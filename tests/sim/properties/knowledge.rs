//! Which configuration of a master each Sentinel knows of, at the greatest epoch: from its file, from its own promotions, from hellos of
//! peers it knows. What several properties compare its deeds with.
//!
//! A hello of a stranger is not believed by itself, nor is an epoch that no fleet can have reached: neither counts here until the Sentinel
//! shows by `+config-update-from`, its own hellos or its file that it took it.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use sentineld::model::Epoch;
use sentineld::wire::Hello;

use super::leads::Leads;
use super::words;
use crate::seen::{Scene, Seen};

/// A greater step than this is not believed.
const JUMP: u64 = 1 << 32;

#[derive(Default)]
pub struct Knowledge {
    known: BTreeMap<(usize, String), (Epoch, SocketAddrV4)>,
    /// By Sentinel, master and sender: the last hello of one that was no peer when it came.
    strangers: BTreeMap<(usize, String, String), Hello>,
    leads: Leads,
}

impl Knowledge {
    /// Takes what was seen into account. Call before asking.
    pub fn see(&mut self, scene: &Scene, seen: &Seen) {
        self.leads.see(scene, seen);
        match seen {
            Seen::Started => {
                self.known.retain(|(node, _), _| *node != scene.node);
                self.strangers.retain(|(node, ..), _| *node != scene.node);
                self.read_file(scene);
            }
            Seen::Saved => self.read_file(scene),
            Seen::Ordered { words } => {
                let gone = |name: &str| words::order(words).0 != "RESET" && words::forgets(words, name);
                self.known.retain(|(node, name), _| *node != scene.node || !gone(name));
            }
            Seen::Notice { name, payload } if name == "+monitor" => {
                // Said when it is saved: what the file said before is over.
                if let Some(named) = words::instance(payload) {
                    self.known.remove(&(scene.node, named.master.to_owned()));
                }
                self.read_file(scene);
            }
            Seen::Notice { name, payload } if name == "+switch-master" => {
                // Whether it could save its own promotion or not.
                let Some((master, _, new)) = words::switch(payload) else { return };
                let lead = self.leads.of(scene.node, master).filter(|lead| lead.promoted == Some(new));
                if let Some(epoch) = lead.and_then(|lead| lead.epoch) {
                    self.note(scene.node, master, epoch, new);
                }
            }
            Seen::Greeted { hello, .. } => self.learn(scene, hello),
            Seen::Heard { hello } if known_peer(scene, hello) => self.learn(scene, hello),
            Seen::Heard { hello } => {
                let key = (scene.node, hello.master_name.to_string(), hello.run_id.to_string());
                self.strangers.insert(key, hello.clone());
            }
            Seen::Notice { name, payload } if name == "+config-update-from" => {
                let Some(named) = words::instance(payload) else { return };
                let key = (scene.node, named.master.to_owned(), named.name.to_owned());
                if let Some(hello) = self.strangers.remove(&key) {
                    self.learn(scene, &hello);
                }
            }
            _ => {}
        }
    }

    /// The master that a Sentinel knows at an address, by its greatest configuration.
    pub fn master_at(&self, node: usize, address: SocketAddrV4) -> Option<(&str, Epoch)> {
        let mut known = self.known.iter();
        known
            .find(|((of, _), (_, at))| *of == node && *at == address)
            .map(|((_, name), (epoch, _))| (name.as_str(), *epoch))
    }

    fn read_file(&mut self, scene: &Scene) {
        for master in &scene.facts().disk.masters {
            if let Some(address) = words::place(master) {
                self.note(scene.node, master.name.as_str(), master.config_epoch, address);
            }
        }
    }

    fn learn(&mut self, scene: &Scene, hello: &Hello) {
        let Ok(host) = hello.master_host.parse() else { return };
        let name = hello.master_name.as_str();
        let monitored = words::master(&scene.facts().disk, name).is_some();
        if monitored && plausible(scene, hello.config_epoch.max(hello.current_epoch)) {
            self.note(scene.node, name, hello.config_epoch, SocketAddrV4::new(host, hello.master_port));
        }
    }

    fn note(&mut self, node: usize, master: &str, epoch: Epoch, address: SocketAddrV4) {
        let known = self.known.entry((node, master.to_owned())).or_insert((epoch, address));
        if epoch > known.0 {
            *known = (epoch, address);
        }
    }
}

/// An epoch that a fleet may have reached, as far as the Sentinel concerned can tell.
pub fn plausible(scene: &Scene, epoch: Epoch) -> bool {
    let known = scene.facts().disk.sentinel.current_epoch.0;
    epoch.0 <= known.saturating_add(JUMP) && epoch.0 <= i64::MAX as u64 / 2
}

/// The sender is in the file of the Sentinel concerned.
pub fn known_peer(scene: &Scene, hello: &Hello) -> bool {
    let master = words::master(&scene.facts().disk, hello.master_name.as_str());
    master.is_some_and(|master| master.peers.iter().any(|peer| peer.run_id == hello.run_id))
}
