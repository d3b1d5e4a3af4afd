//! Everything there is in a run, and the loop that lets it happen: one queue of (instant, sequence), one generator of chance.
//!
//! A second shell around the engine, beside the daemon: `shell` is what the driver does, `link` and `door` what its connections do, `disk`
//! its store. `serving` is the other end. Nothing here judges; that is for the properties, which are shown every event.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::clock::{MILLI, Queue, SECOND};
use crate::faults::Mend;
use crate::network::{Network, Way, Wire};
use crate::node::Node;
use crate::plan::{Plan, server_address};
use crate::redis::{self, Server};
use crate::runner;
use crate::seen::{NodeFacts, Property, Scene, Seen};
use crate::stats::Stats;
use crate::trace;

/// What is to happen.
pub enum Event {
    /// The request to open a connection arrives.
    Syn(Wire),
    /// The next packet of a direction arrives.
    Arrive(Wire, Way),
    /// A sender's patience with a partition ends; the number tells which stall it was.
    Stalled(Wire, Way, u32),
    /// A Sentinel's timer, unless it was set anew.
    Wake(usize, u64),
    /// A Sentinel's disk is done, or tries again; the number is that of the process.
    Disk(usize, u32),
    /// Replication goes on; true: for good.
    Replicate(bool),
    /// A server comes to what arrived while it was busy.
    Unbusy(SocketAddrV4),
    /// Trouble ends.
    Mend(Mend),
    /// An operator's words for a Sentinel that was busy.
    Order(usize, Vec<String>),
}

pub struct World {
    pub now: u64,
    pub plan: Plan,
    pub rng: StdRng,
    pub queue: Queue<Event>,
    pub net: Network,
    /// Our fleet first, then the neighbours'.
    pub nodes: Vec<Node>,
    pub facts: Vec<NodeFacts>,
    pub servers: BTreeMap<SocketAddrV4, Server>,
    pub stats: Stats,
    pub properties: Vec<Box<dyn Property>>,
    /// Every published event of our fleet: when, by whom, what.
    pub events: Vec<(u64, usize, String)>,
    /// The first thing that was wrong.
    pub failure: Option<String>,
    /// How many of the nodes are ours.
    pub home: usize,
    pub turns: u64,
    /// Of so many turns one is followed by a check of the law of settling, which copies the engine.
    pub deep_every: u64,
    /// The core healed: nothing breaks any more, and nothing else is mended.
    pub healed: bool,
    /// Servers that a log called another cluster's, and that the operator did not see to yet.
    pub called_foreign: BTreeSet<SocketAddrV4>,
    /// Servers that a Sentinel of ours told to be the master, which the properties have judged.
    pub promoted: BTreeSet<SocketAddrV4>,
    serial: u64,
}

/// The address of the neighbours' servers: the cluster after our last.
pub fn neighbour_address(plan: &Plan, index: usize) -> SocketAddrV4 {
    server_address(plan.clusters.len(), index)
}

impl World {
    /// Everything as the plan says, and all Sentinels just started.
    pub fn new(plan: Plan, properties: Vec<Box<dyn Property>>) -> Self {
        let mut world = World {
            now: 0,
            rng: StdRng::seed_from_u64(plan.seed),
            queue: Queue::new(),
            net: Network::new(plan.latency.0, plan.latency.1),
            nodes: Vec::new(),
            facts: Vec::new(),
            servers: BTreeMap::new(),
            stats: Stats::default(),
            properties,
            events: Vec::new(),
            failure: None,
            home: plan.sentinels.len(),
            turns: 0,
            deep_every: runner::number("SIM_DEEP").unwrap_or(512).max(1),
            healed: false,
            called_foreign: BTreeSet::new(),
            promoted: BTreeSet::new(),
            serial: 0,
            plan,
        };
        for cluster in 0..world.plan.clusters.len() {
            let settings = world.plan.clusters[cluster].clone();
            world.build_cluster(cluster, settings.replicas);
            for index in 0..=settings.replicas {
                let server = world.servers.get_mut(&server_address(cluster, index)).expect("just built");
                server.password = settings.password.clone().map(String::into_bytes);
                (server.sync_time, server.write_rate) = (settings.sync_time, settings.write_rate);
            }
        }
        if world.plan.neighbours {
            let cluster = world.plan.clusters.len();
            world.build_cluster(cluster, 1);
        }
        world.queue.push(redis::PERIOD, Event::Replicate(true));
        for node in 0..world.home {
            let text = world.plan.file(node, true);
            world.add_node(node, text);
        }
        if world.plan.neighbours {
            let (node, text) = (world.home, world.neighbours_file());
            world.add_node(node, text);
        }
        for node in 0..world.nodes.len() {
            world.start_node(node);
        }
        world
    }

    fn build_cluster(&mut self, cluster: usize, replicas: usize) {
        let lineage = self.fresh_id();
        let master = server_address(cluster, 0);
        self.servers.insert(master, Server::new(master, cluster, &lineage));
        for index in 1..=replicas {
            let address = server_address(cluster, index);
            let mut server = Server::new(address, cluster, &lineage);
            server.follow(0, master);
            self.servers.insert(address, server);
        }
        let net = &self.net;
        redis::replicate(&mut self.servers, 0, 0, |a, b| net.connects(*a.ip(), *b.ip()));
    }

    /// Forty hexadecimal digits that nobody had before.
    pub fn fresh_id(&mut self) -> String {
        self.serial += 1;
        format!("{:016x}{:024x}", self.rng.random::<u64>(), self.serial)
    }

    /// Lets everything up to an instant happen, unless something goes wrong before.
    pub fn run_until(&mut self, until: u64) {
        while self.step(until) {}
        if self.failure.is_none() {
            self.now = self.now.max(until);
        }
    }

    /// Runs for some milliseconds.
    pub fn run(&mut self, millis: u64) {
        self.run_until(self.now + millis * MILLI);
    }

    /// Runs until the condition holds: false if that took more than so many milliseconds.
    pub fn reaches(&mut self, millis: u64, condition: impl Fn(&World) -> bool) -> bool {
        let deadline = self.now + millis * MILLI;
        while !condition(self) {
            if !self.step(deadline) {
                return false;
            }
        }
        true
    }

    /// The next event; false if there is none until then, or something went wrong.
    fn step(&mut self, until: u64) -> bool {
        if self.failure.is_some() {
            return false;
        }
        let Some((at, event)) = self.queue.pop(until) else { return false };
        self.now = self.now.max(at);
        match event {
            Event::Syn(wire) => self.syn(wire),
            Event::Arrive(wire, way) => self.arrive(wire, way),
            Event::Stalled(wire, way, stalls) => self.stalled(wire, way, stalls),
            Event::Wake(node, at) => self.wake(node, at),
            Event::Disk(node, incarnation) => self.disk_event(node, incarnation),
            Event::Replicate(for_good) => self.replicate(for_good),
            Event::Unbusy(server) => self.serve_mailbox(server),
            // What is broken when the core heals is broken for good.
            Event::Mend(_) if self.healed => {}
            Event::Mend(mend) => self.mend(mend),
            Event::Order(node, words) => self.mend(Mend::Order(node, words)),
        }
        true
    }

    fn replicate(&mut self, for_good: bool) {
        let net = &self.net;
        let elapsed = if for_good { redis::PERIOD } else { 0 };
        redis::replicate(&mut self.servers, self.now, elapsed, |a, b| net.connects(*a.ip(), *b.ip()));
        if for_good {
            self.queue.push(self.now + redis::PERIOD, Event::Replicate(true));
        }
    }

    /// Shows something to all properties.
    pub fn saw(&mut self, node: usize, seen: &Seen) {
        if node >= self.home || self.failure.is_some() {
            return;
        }
        let scene = Scene { at: self.now, node, nodes: &self.facts[..self.home], servers: &self.servers };
        for property in &mut self.properties {
            if let Err(text) = property.see(&scene, seen) {
                self.failure = Some(format!("{}: Sentinel {node}: {text}", property.name()));
                return;
            }
        }
    }

    /// Lets all properties look at the end.
    pub fn finish(&mut self) {
        if self.failure.is_some() {
            return;
        }
        let facts = &self.facts[..self.home];
        let scene = Scene { at: self.now, node: 0, nodes: facts, servers: &self.servers };
        for property in &mut self.properties {
            if let Err(text) = property.finish(&scene) {
                self.failure = Some(format!("{}: {text}", property.name()));
                return;
            }
        }
        for node in 0..self.home {
            if let Err(text) = self.nodes[node].disk.text(&self.facts[node].disk) {
                return self.fail(text);
            }
        }
    }

    /// Something is wrong.
    pub fn fail(&mut self, text: String) {
        self.failure.get_or_insert(text);
    }

    /// Notes what happens in the surroundings.
    pub fn note(&self, text: &str) {
        trace::note(self.now, "*", text);
    }

    /// The machine of a Sentinel.
    pub fn machine(&self, node: usize) -> Ipv4Addr {
        *self.nodes[node].address.ip()
    }

    /// Simulated seconds so far.
    pub fn seconds(&self) -> u64 {
        self.now / SECOND
    }
}
