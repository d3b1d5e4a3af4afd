//! A Sentinel's process and machine, from outside: start, end, stop, its disk, its clock.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddrV4;

use rand::Rng;
use sentineld::conf::Settings;
use sentineld::engine::{Action, ConnId, Input};
use sentineld::model::{CommandId, MasterName};

use crate::brain::Brain;
use crate::clock;
use crate::disk::Disk;
use crate::door::Session;
use crate::link::Link;
use crate::network::{Packet, Way, Wire};
use crate::plan::{self, Opening};
use crate::seen::{Kind, NodeFacts, Seen};
use crate::trace;
use crate::world::{Event, World, neighbour_address};

/// What arrived and was not handled yet.
pub enum Mail {
    /// On a connection of its own.
    Link(ConnId, Wire, Packet),
    /// From a client.
    Door(Wire, Packet),
    /// From the disk.
    Saved(Input),
}

pub struct Node {
    pub kind: Kind,
    pub address: SocketAddrV4,
    pub brain: Option<Brain>,
    /// Counts its processes.
    pub incarnation: u32,
    pub links: BTreeMap<ConnId, Link>,
    pub sessions: BTreeMap<Wire, Session>,
    pub disk: Disk,
    pub mailbox: VecDeque<Mail>,
    pub stopped: bool,
    /// The machine is on.
    pub powered: bool,
    /// It waits for its disk, as the reference does: what it has to do meanwhile is kept.
    pub kept: Option<Vec<Action>>,
    /// How wrong its wall clock is, in milliseconds.
    pub wall_shift: i64,
    pub wakes_at: Option<u64>,
    /// An operator had it crash in its next failover.
    pub doomed: bool,
    /// What it tells clients that look a master up.
    pub directory: BTreeMap<MasterName, (String, u16)>,
    /// The addresses that peers asked about, the master that was there when the question came, and when that was, until they are answered.
    pub questions: BTreeMap<CommandId, (String, i64, Option<MasterName>, u64)>,
    /// Connections written to in the present turn.
    pub written: Vec<Wire>,
    pub my_id: String,
    /// What its store knows of its configuration, saved or not.
    pub book: Settings,
    /// Where that said before that masters are, since the start.
    pub before: BTreeMap<(String, i64), MasterName>,
}

/// The operator's connection, which needs no network.
pub const OPERATOR: Wire = 0;
/// The connection of a client on the same machine, likewise.
pub const CLIENT: Wire = Wire::MAX;

impl World {
    /// A new machine with a first configuration file; nothing runs on it yet.
    pub fn add_node(&mut self, node: usize, text: String) {
        let (disk, settings) = Disk::new(text.into_bytes()).expect("a valid first file");
        let kind = self.plan.sentinels.get(node).map_or(Kind::Ours, |sentinel| sentinel.kind);
        let address = plan::sentinel_address(node);
        self.facts.push(NodeFacts {
            kind,
            run_id: String::new(),
            address,
            disk: settings.clone(),
            alive: false,
            stopped: false,
        });
        self.nodes.push(Node {
            kind,
            address,
            brain: None,
            incarnation: 0,
            links: BTreeMap::new(),
            sessions: BTreeMap::new(),
            disk,
            mailbox: VecDeque::new(),
            stopped: false,
            powered: true,
            kept: None,
            wall_shift: 0,
            wakes_at: None,
            doomed: false,
            directory: BTreeMap::new(),
            questions: BTreeMap::new(),
            written: Vec::new(),
            my_id: String::new(),
            book: settings,
            before: BTreeMap::new(),
        });
    }

    /// Starts a Sentinel from the text on its disk.
    pub fn start_node(&mut self, node: usize) {
        if self.nodes[node].brain.is_some() {
            return;
        }
        let opening = if node < self.home { self.plan.opening } else { Opening::default() };
        let seed = self.rng.random();
        let state = &mut self.nodes[node];
        let settings = match state.disk.text(&self.facts[node].disk) {
            Ok((_, settings)) => settings,
            Err(text) => return self.fail(format!("Sentinel {node} can't start: {text}")),
        };
        state.incarnation += 1;
        state.powered = true;
        state.doomed = false;
        state.book = settings.clone();
        state.before.clear();
        let brain = Brain::new(state.kind, settings, seed, clock::now(self.now, state.wall_shift), opening);
        state.my_id = brain.my_id();
        state.brain = Some(brain);
        for wire in [OPERATOR, CLIENT] {
            state.sessions.insert(wire, Session::default());
        }
        let facts = &mut self.facts[node];
        (facts.alive, facts.stopped, facts.run_id) = (true, false, state.my_id.clone());
        self.stats.starts += 1;
        trace::note(self.now, &node.to_string(), "starts");
        self.saw(node, &Seen::Started);
        self.turn(node, &mut Vec::new());
    }

    /// The process ends, or with it the machine: then nobody is told, and its connections stay half open.
    pub fn kill_node(&mut self, node: usize, with_machine: bool) {
        if self.nodes[node].brain.take().is_none() {
            return;
        }
        let state = &mut self.nodes[node];
        let facts = &mut self.facts[node];
        let survived = state.disk.crash(self.now, &mut self.rng, &mut facts.disk);
        (facts.alive, facts.stopped) = (false, false);
        state.stopped = false;
        state.powered = !with_machine;
        state.kept = None;
        state.wakes_at = None;
        state.mailbox.clear();
        state.directory.clear();
        state.questions.clear();
        state.written.clear();
        let links = std::mem::take(&mut state.links);
        let sessions = std::mem::take(&mut state.sessions);
        for link in links.into_values() {
            if with_machine {
                if let Some(connection) = self.net.connections.get_mut(&link.wire) {
                    connection.client_open = false;
                }
            } else {
                self.close(link.wire);
            }
        }
        for wire in sessions.into_keys().filter(|wire| ![OPERATOR, CLIENT].contains(wire)) {
            if with_machine {
                if let Some(connection) = self.net.connections.get_mut(&wire) {
                    connection.server_open = false;
                }
            } else {
                self.hang_up(wire, "Connection reset by peer", 0);
            }
        }
        self.stats.crashes += 1;
        trace::note(self.now, &node.to_string(), if with_machine { "loses power" } else { "dies" });
        if survived {
            self.saw(node, &Seen::Saved);
        }
        self.saw(node, &Seen::Died);
    }

    /// Another machine at the same address takes the place of a dead one: no state, a new id.
    pub fn replace_node(&mut self, node: usize) {
        let text = self.plan.file(node, false);
        let (disk, settings) = Disk::new(text.into_bytes()).expect("a valid first file");
        self.nodes[node].disk = disk;
        self.facts[node].disk = settings;
        trace::note(self.now, &node.to_string(), "is replaced");
        self.saw(node, &Seen::Replaced);
        self.start_node(node);
    }

    /// SIGSTOP.
    pub fn stop_node(&mut self, node: usize) {
        if self.nodes[node].brain.is_some() && !self.nodes[node].stopped {
            self.nodes[node].stopped = true;
            self.facts[node].stopped = true;
            trace::note(self.now, &node.to_string(), "is stopped");
            self.saw(node, &Seen::Paused);
        }
    }

    /// SIGCONT: everything that came meanwhile is handled at once. Only the reference reads before it looks at its timers: it has one
    /// thread. Ours decides in another one than it reads in, and that one is up first.
    pub fn resume_node(&mut self, node: usize) {
        if std::mem::take(&mut self.nodes[node].stopped) {
            self.facts[node].stopped = false;
            trace::note(self.now, &node.to_string(), "goes on");
            self.saw(node, &Seen::Resumed);
            if self.nodes[node].kind == Kind::Ours {
                self.turn(node, &mut Vec::new());
            }
            // Who waits for its disk goes on with that, whatever else came before.
            let state = &mut self.nodes[node];
            let awaited = state.kept.as_ref();
            let saved = awaited
                .and_then(|_| state.mailbox.iter().position(|mail| matches!(mail, Mail::Saved(_))))
                .and_then(|at| state.mailbox.remove(at));
            match saved {
                Some(saved) => self.receive(node, saved),
                None => self.read_mail(node),
            }
        }
    }

    pub fn step_clock(&mut self, node: usize, millis: i64) {
        self.nodes[node].wall_shift += millis;
        trace::note(self.now, &node.to_string(), &format!("has its wall clock set by {millis} ms"));
        self.saw(node, &Seen::ClockStepped(millis));
    }

    /// The disk is done, or is to be tried again.
    pub fn disk_event(&mut self, node: usize, incarnation: u32) {
        let state = &mut self.nodes[node];
        if state.incarnation != incarnation || state.brain.is_none() {
            return;
        }
        let facts = &mut self.facts[node];
        let Some(outcome) = state.disk.finish(self.now, &mut self.rng, &mut facts.disk) else {
            if let Some(at) = state.disk.retry(self.now, &mut self.rng) {
                self.queue.push(at, Event::Disk(node, incarnation));
            }
            return;
        };
        if let Some(at) = outcome.next {
            self.queue.push(at, Event::Disk(node, incarnation));
        }
        if outcome.saved {
            self.stats.saves += 1;
            self.saw(node, &Seen::Saved);
        }
        if outcome.told {
            let result = if outcome.saved { Ok(()) } else { Err("No space left on device".to_owned()) };
            self.receive(node, Mail::Saved(Input::Persisted(outcome.revision, result)));
        }
    }

    /// The first file of the neighbours' Sentinel: its master goes by the name of our first.
    pub fn neighbours_file(&self) -> String {
        let (name, master) = (&self.plan.clusters[0].name, neighbour_address(&self.plan, 0));
        let id = plan::run_id(0x1000);
        format!(
            "port 26379\nsentinel myid {id}\nsentinel monitor {name} {} {} 1\nsentinel down-after-milliseconds {name} 2000\n\
             sentinel failover-timeout {name} 10000\nsentinel current-epoch 40\nsentinel config-epoch {name} 40\n",
            master.ip(),
            master.port()
        )
    }

    /// A packet on the way down that nobody takes any more is answered by a reset.
    pub fn reset_server_end(&mut self, wire: Wire) {
        self.transmit(wire, Way::Up, Packet::Closed("Connection reset by peer"), 0);
    }
}
