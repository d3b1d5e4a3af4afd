//! Follows who leads which failover, by what each Sentinel says and asks: what the properties about leaders need.
//!
//! The epoch of a failover is known by the questions for votes and by our own vote (`+vote-for-leader`), which both leave before anybody
//! can be elected. A reference Sentinel asks at its current epoch, whichever that is by then; its failover's epoch is the one in force at
//! `+try-failover` (spec 2 §8.2, §8.3).

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use sentineld::model::Epoch;

use super::words::{self, Named};
use crate::seen::{Kind, Scene, Seen};

/// One Sentinel's failover of one master, from `+try-failover` to its end.
#[derive(Clone, Debug, Default)]
pub struct Lead {
    /// An operator asked for it.
    pub forced: bool,
    /// The master was objectively down, by its own word, when it began.
    pub odown: bool,
    /// The epoch that it wants to lead, or leads.
    pub epoch: Option<Epoch>,
    /// The epoch of a vote for itself that was told of before it was on disk, which is that of another master's failover or of this one.
    unsaved: Option<Epoch>,
    /// When it was elected.
    pub elected_at: Option<u64>,
    /// The replica that was chosen last.
    pub selected: Option<SocketAddrV4>,
    /// Every replica chosen in this failover, the last included.
    pub chosen: Vec<SocketAddrV4>,
    /// The replica whose promotion was confirmed.
    pub promoted: Option<SocketAddrV4>,
}

#[derive(Default)]
struct Node {
    leads: BTreeMap<String, Lead>,
    down: BTreeMap<String, bool>,
    orders: Vec<String>,
    masters: BTreeMap<SocketAddrV4, String>,
    current: Epoch,
}

/// All failovers under way.
#[derive(Default)]
pub struct Leads {
    nodes: BTreeMap<usize, Node>,
}

impl Leads {
    /// Takes what was seen into account. Call before asking.
    pub fn see(&mut self, scene: &Scene, seen: &Seen) {
        let node = self.nodes.entry(scene.node).or_default();
        match seen {
            Seen::Started => {
                *node = Node::default();
                let masters = &scene.facts().disk.masters;
                let places = masters
                    .iter()
                    .filter_map(|master| Some((words::place(master)?, master.name.to_string())));
                node.masters = places.collect();
                node.current = scene.facts().disk.sentinel.current_epoch;
            }
            Seen::Died => node.leads.clear(),
            Seen::Ordered { words } => {
                if let (verb, Some(name)) = words::order(words)
                    && verb == "FAILOVER"
                {
                    node.orders.push(name.to_owned());
                }
            }
            // An order that was refused is no excuse for what comes later. The reference may tell of what it begins after a save.
            Seen::Turned if scene.facts().kind == Kind::Ours => node.orders.clear(),
            Seen::Asked { master, epoch, candidate: Some(candidate), .. } => {
                let ours = scene.facts().kind == Kind::Ours && *candidate == scene.facts().run_id;
                let name = node.masters.get(master);
                if let Some(lead) = name.and_then(|name| node.leads.get_mut(name))
                    && ours
                    && lead.elected_at.is_none()
                {
                    lead.epoch = Some(*epoch);
                }
            }
            Seen::Notice { name, payload } => node.notice(scene, name, payload),
            _ => {}
        }
    }

    /// A Sentinel's failover of a master.
    pub fn of(&self, node: usize, master: &str) -> Option<&Lead> {
        self.nodes.get(&node)?.leads.get(master)
    }

    /// Whose failover chose this server for promotion: the master's name, and the failover.
    pub fn choosing(&self, node: usize, server: SocketAddrV4) -> Option<(&str, &Lead)> {
        let leads = &self.nodes.get(&node)?.leads;
        let found = leads.iter().find(|(_, lead)| lead.selected == Some(server))?;
        Some((found.0, found.1))
    }

    /// The name of the master that a Sentinel knows, or knew since its start, at an address.
    pub fn master_at(&self, node: usize, address: SocketAddrV4) -> Option<&str> {
        self.nodes.get(&node)?.masters.get(&address).map(String::as_str)
    }
}

impl Node {
    fn notice(&mut self, scene: &Scene, name: &str, payload: &str) {
        match name {
            "+new-epoch" => self.current = payload.trim().parse().map_or(self.current, Epoch),
            "+vote-for-leader" => self.voted(scene, payload),
            "+switch-master" => {
                if let Some((master, old, new)) = words::switch(payload) {
                    self.masters.insert(old, master.to_owned());
                    self.masters.insert(new, master.to_owned());
                }
            }
            "+config-update-from" => {
                // What follows is a switch to the configuration of another: a failover of its own is over.
                if let Some(named) = words::instance(payload) {
                    self.leads.remove(named.master);
                }
            }
            _ => {
                if let Some(named) = words::instance(payload) {
                    self.about(scene, name, &named);
                }
            }
        }
    }

    fn about(&mut self, scene: &Scene, name: &str, named: &Named) {
        let master = named.master.to_owned();
        self.masters.insert(named.master_address, master.clone());
        match name {
            "+odown" | "-odown" => {
                self.down.insert(master, name == "+odown");
            }
            "+try-failover" => {
                let forced = self.orders.contains(&master);
                self.orders.retain(|name| *name != master);
                let epoch = (scene.facts().kind == Kind::Reference).then_some(self.current);
                let odown = self.down.get(&master).copied().unwrap_or(false);
                let lead = Lead { forced, odown, epoch, ..Lead::default() };
                self.leads.insert(master, lead);
            }
            "+failover-end" | "+reset-master" | "-monitor" => {
                self.leads.remove(&master);
            }
            _ if name.starts_with("-failover-abort-") => {
                self.leads.remove(&master);
            }
            _ => {
                if let Some(lead) = self.leads.get_mut(&master) {
                    // Nobody is elected before its own vote is on disk.
                    let on_disk =
                        words::master(&scene.facts().disk, &master).map(|master| master.leader_epoch);
                    if name == "+elected-leader" && lead.unsaved.is_some() && lead.unsaved == on_disk {
                        lead.epoch = on_disk;
                    }
                    lead.progress(scene.at, name, named.address);
                }
            }
        }
    }

    /// Our own vote is told of when it is on disk: it names the epoch of the failover that it was cast for.
    fn voted(&mut self, scene: &Scene, payload: &str) {
        let facts = scene.facts();
        let Some((leader, epoch)) = words::vote(payload) else { return };
        if leader != facts.run_id || facts.kind == Kind::Reference {
            return;
        }
        for (master, lead) in self.leads.iter_mut().filter(|(_, lead)| lead.elected_at.is_none()) {
            let on_disk =
                words::master(&facts.disk, master).is_some_and(|master| master.leader_epoch == epoch);
            if on_disk || lead.epoch.is_none() {
                lead.epoch = Some(epoch);
            }
            lead.unsaved = Some(epoch).filter(|_| !on_disk);
        }
    }
}

impl Lead {
    fn progress(&mut self, at: u64, event: &str, address: SocketAddrV4) {
        match event {
            "+elected-leader" => self.elected_at = Some(at),
            "+selected-slave" => {
                self.selected = Some(address);
                self.chosen.push(address);
            }
            "+promoted-slave" => self.promoted = Some(address),
            _ => {}
        }
    }
}
