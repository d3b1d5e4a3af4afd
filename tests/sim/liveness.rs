//! The end of every run: a core heals, whatever else is broken stays broken, and within a bound all is well, and stays so.
//!
//! The core is a majority of the Sentinels (and as many as the quorum asks for), the master and at least one replica, most often all of them,
//! and the network between them. All is well when the files of all core Sentinels and what they tell clients name one address, that server
//! is a master, and every other server that lives follows it and is in step; and the core Sentinels know all who follow it, because without
//! them there is nobody to promote.
//!
//! What no Sentinel can know, the operator does, as the log asks for: a server of ours that lost its data, or has a history that is too old
//! for anybody to know, and that has company which nobody knows, is made a replica of the master (`World::bring_home`). A fleet of which all
//! files are new, or know nothing of a master any more, is told where the master is.
//!
//! A fleet with Sentinels of the reference gets the same time, and is not held to it: after a RESET in the middle of its failover one of
//! those names another address under the same epoch for ever, and its TILT lasts for half a minute.

use std::net::SocketAddrV4;

use rand::Rng;
use rand::seq::SliceRandom;

use crate::clock::{MILLI, SECOND};
use crate::disk::Health;
use crate::faults::Mend;
use crate::redis::{Lies, Refuses, Server};
use crate::seen::Seen;
use crate::trace;
use crate::world::World;

/// How often it is looked whether all is well.
const LOOK: u64 = 100 * MILLI;
/// How long it has to stay so.
const STAYS: u64 = 6 * SECOND;

/// What was healed.
pub struct Core {
    pub nodes: Vec<usize>,
}

impl World {
    /// The liveness phase.
    pub fn recover(&mut self) {
        if self.failure.is_some() {
            return;
        }
        let core = self.heal_core();
        let (down_after, timeout) = self.plan.slowest();
        // A vote for a leader that died costs twice failover-timeout, a replica that strayed as much again, TILT half a minute.
        let bound = 60 * SECOND + 2 * down_after + 5 * timeout;
        if !self.settles("after everything healed", bound, &core) || !self.plan.last_failover {
            return;
        }
        let cluster = self.rng.random_range(0..self.plan.clusters.len());
        let Some(master) = self.master_of(cluster) else { return };
        let spares = self.servers.values().filter(|server| server.alive && server.follows(master)).count();
        if spares == 0 {
            return;
        }
        self.kill_server(master, false);
        let bound = 20 * SECOND + down_after + 3 * timeout;
        if !self.settles("after one more master died", bound, &core) {
            return;
        }
        self.mend(Mend::Server(master));
        self.settles("after the old master came back", 30 * SECOND + timeout, &core);
    }

    /// True if all becomes well within the bound, and stays so.
    fn settles(&mut self, when: &str, bound: u64, core: &Core) -> bool {
        let deadline = self.now + bound;
        // What began before the healing may still take its course, so that it is well again only after that.
        let (mut well_since, mut wrong) = (None, None);
        while self.failure.is_none() {
            match self.complaint(core) {
                None => {
                    let since = *well_since.get_or_insert(self.now);
                    if self.now >= since + STAYS {
                        return true;
                    }
                }
                complaint => (well_since, wrong) = (None, complaint),
            }
            if well_since.is_none() && self.now >= deadline {
                break;
            }
            (0..self.plan.clusters.len()).for_each(|cluster| self.bring_home(cluster));
            self.run_until(self.now + LOOK);
        }
        if self.plan.is_mixed() {
            return false;
        }
        let wrong = wrong.unwrap_or_default();
        self.fail(format!("liveness: not well for good within {} s {when}: {wrong}", bound / SECOND));
        false
    }

    /// Ends all trouble in a core, and most outside of it.
    pub fn heal_core(&mut self) -> Core {
        trace::note(self.now, "*", "the core heals");
        self.healed = true;
        let watches = self.plan.sentinels.iter().flat_map(|sentinel| &sentinel.watches);
        let quorum = watches.map(|watch| watch.quorum as usize).max().unwrap_or(1);
        let needed = quorum.max(self.home / 2 + 1).min(self.home);
        let mut nodes: Vec<usize> = (0..self.home).collect();
        nodes.shuffle(&mut self.rng);
        let outside = nodes.split_off(needed);
        for (from, to) in self.net.cuts() {
            self.heal(from, to);
        }
        self.net.loss = 0.0;
        self.heal_servers();
        for node in outside {
            if self.leave_broken(node) {
                nodes.push(node);
            }
        }
        nodes.sort_unstable();
        nodes.iter().for_each(|node| self.heal_node(*node));
        for cluster in 0..self.plan.clusters.len() {
            self.reinstate(cluster, &nodes);
            self.reunite(cluster, &nodes);
            nodes.iter().for_each(|node| self.restore_settings(*node, cluster));
        }
        for node in 0..self.home {
            if self.facts[node].alive {
                self.saw(node, &Seen::Healed);
            }
        }
        Core { nodes }
    }

    fn heal_servers(&mut self) {
        let clusters = self.plan.clusters.len();
        let all: Vec<SocketAddrV4> = self.servers.keys().copied().collect();
        let masters: Vec<Option<SocketAddrV4>> =
            (0..clusters).map(|cluster| self.master_to_heal(cluster)).collect();
        let ours = |cluster| self.servers.values().filter(|server| server.cluster == cluster).count();
        let mut alive: Vec<usize> = (0..clusters).map(ours).collect();
        for address in all {
            let server = self.servers.get_mut(&address).expect("listed");
            (server.lies, server.refuses, server.lag) = (Lies::default(), Refuses::default(), 0);
            (server.priority, server.busy_script) = (100, false);
            let cluster = server.cluster;
            if cluster < clusters {
                self.restore_password(address, cluster);
            }
            self.resume_server(address);
            let master = masters.get(cluster).copied().flatten();
            let spares = alive.get(cluster).is_some_and(|alive| *alive > 2);
            if spares && master != Some(address) && self.rng.random_bool(0.1) {
                // It stays as it is, which may be dead: the master and a replica are left.
                alive[cluster] -= 1;
                continue;
            }
            self.restart_server(address, 0, true, false);
        }
        (0..clusters).for_each(|cluster| self.untangle(cluster));
    }

    /// A Sentinel outside of the core keeps its trouble, or gets some for good. True if it has none.
    fn leave_broken(&mut self, node: usize) -> bool {
        match self.rng.random_range(0..6) {
            0 => self.kill_node(node, false),
            1 => self.stop_node(node),
            2 => self.nodes[node].disk.health = Health::Full,
            kind @ (3 | 4) => {
                let machine = self.machine(node);
                let nodes = self.nodes.iter().map(|node| *node.address.ip());
                let others: Vec<_> = nodes.chain(self.servers.keys().map(|address| *address.ip())).collect();
                for other in others.into_iter().filter(|other| *other != machine) {
                    self.net.cut(other, machine);
                    if kind == 4 {
                        self.net.cut(machine, other);
                    }
                }
            }
            _ => return true,
        }
        trace::note(self.now, &node.to_string(), "stays broken");
        false
    }

    fn heal_node(&mut self, node: usize) {
        self.nodes[node].disk.health = Health::Well;
        self.resume_node(node);
        if self.nodes[node].doomed {
            self.kill_node(node, false);
        }
        self.start_node(node);
    }

    fn restore_settings(&mut self, node: usize, cluster: usize) {
        let name = self.plan.clusters[cluster].name.clone();
        let watch = self.plan.sentinels[node].watches[cluster].clone();
        let (quorum, down_after) = (watch.quorum.to_string(), watch.down_after.to_string());
        let numbers = ["quorum", &quorum, "down-after-milliseconds", &down_after];
        self.order(node, &[&["SENTINEL", "SET", &name], &numbers[..]].concat());
    }

    /// What is not as it should be.
    fn complaint(&mut self, core: &Core) -> Option<String> {
        (0..self.plan.clusters.len()).find_map(|cluster| self.complaint_about(cluster, core))
    }

    fn complaint_about(&mut self, cluster: usize, core: &Core) -> Option<String> {
        let name = self.plan.clusters[cluster].name.clone();
        let mut agreed = None;
        for &node in &core.nodes {
            let disk = &self.facts[node].disk;
            let Some(master) = disk.masters.iter().find(|master| master.name.as_str() == name) else {
                return Some(format!("Sentinel {node} does not watch {name}"));
            };
            let address = (master.host.clone(), master.port);
            if *agreed.get_or_insert(address.clone()) != address {
                return Some(format!(
                    "the files of Sentinels {:?} name different masters of {name}",
                    core.nodes
                ));
            }
        }
        let (host, port) = agreed?;
        let address = SocketAddrV4::new(host.parse().ok()?, port);
        let Some(master) = self.servers.get(&address).filter(|server| server.alive && server.is_master())
        else {
            return Some(format!("{address} is not the master of {name}"));
        };
        // Whoever was told to follow one of ours before it could be known, and has copied it, came over.
        // So did whom one of ours promoted, which `foreign` has judged. And where one of ours that had their data was promoted, before anybody could tell, nothing tells the two clusters apart.
        let ours = |server: &&Server| server.cluster == cluster;
        let joined = self.servers.values().filter(ours).any(|server| server.joined == Some(master.cluster));
        let came_over = master.data_of == cluster || self.promoted.contains(&address);
        if master.cluster != cluster && !came_over && !joined {
            return Some(format!("{address} is the neighbours'"));
        }
        // Who was forgotten by an operator while it was away is for the operator to remember.
        let known = |address: SocketAddrV4| {
            let files = core.nodes.iter().flat_map(|node| &self.facts[*node].disk.masters);
            let mut replicas = files.flat_map(|master| &master.replicas);
            replicas.any(|(host, port)| *host == address.ip().to_string() && *port == address.port())
        };
        let ours = self.servers.values().filter(|server| server.cluster == cluster && server.alive);
        // Who copied the neighbours' data is theirs, whatever it was: it followed an address that passed to them.
        let theirs = |server: &&Server| {
            let master = server.master().and_then(|master| self.servers.get(&master));
            server.is_in_step() && master.is_some_and(|master| master.cluster != cluster)
        };
        let ours = ours.filter(|server| known(server.address) && !theirs(server));
        let stray = ours
            .into_iter()
            .find(|server| server.address != address && !(server.follows(address) && server.is_in_step()));
        if let Some(stray) = stray {
            return Some(format!(
                "{} of {name} is {:?} and not in step with {address}",
                stray.address, stray.role
            ));
        }
        let in_step = self.servers.values().filter(|server| server.alive && server.is_in_step());
        let replicas: Vec<SocketAddrV4> =
            in_step.filter(|server| server.follows(address)).map(|server| server.address).collect();
        for &node in &core.nodes {
            let masters = &self.facts[node].disk.masters;
            let listed = masters.iter().filter(|master| master.name.as_str() == name);
            let listed: Vec<&(String, u16)> = listed.flat_map(|master| &master.replicas).collect();
            let knows =
                |replica: &SocketAddrV4| listed.contains(&&(replica.ip().to_string(), replica.port()));
            if let Some(unknown) = replicas.iter().find(|replica| !knows(replica)) {
                return Some(format!("Sentinel {node} does not know that {unknown} follows {address}"));
            }
            let told = self.lookup(node, &name);
            if told != Some(address) {
                return Some(format!("Sentinel {node} tells clients {told:?} instead of {address}"));
            }
        }
        None
    }
}
