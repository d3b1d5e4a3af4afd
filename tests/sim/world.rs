//! Engines, servers and everything between them, in one priority queue of (instant, sequence).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sentineld::conf::{MasterSettings, Patch, Settings};
use sentineld::engine::{Action, ConnId, Engine, Input, Tag};
use sentineld::model::{ClientId, CommandId, Epoch, Instant, MasterName, Now, Revision, WallTime};
use sentineld::wire::{Command, Request, SentinelCommand};

use crate::node::{node_port, run_id, settings};
use crate::oracle::Oracle;
use crate::redis::{Client, Role, Server};

pub const MASTER: &str = "mymaster";
pub const MILLI: u64 = 1_000_000;
pub const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const FIRST_NODE_PORT: u16 = 5000;

/// A fact on its way.
pub enum Event {
    /// To a node, unless it restarted meanwhile.
    Feed(usize, u32, Input),
    /// A request reaches a server.
    Serve(u16, Client, Tag, Request),
    /// A request reaches another Sentinel.
    Ask(usize, Client, Tag, Request),
    /// A node's timer.
    Wake(usize, u32),
    /// A node's disk is done.
    Saved(usize, u32, Revision, Patch),
}

pub struct Node {
    pub engine: Option<Engine>,
    pub disk: Settings,
    pub disk_full: bool,
    /// The epoch in which it last stood for election.
    pub candidacy: Epoch,
    /// How wrong its wall clock is, in milliseconds.
    pub wall_shift: i64,
    unsaved: Vec<Patch>,
    disk_busy_until: u64,
    incarnation: u32,
    pub connections: BTreeMap<ConnId, u16>,
    pub questions: BTreeMap<u64, (Client, Tag)>,
    pub asked: u64,
    wakes_at: Option<Instant>,
}

pub struct World {
    pub now: u64,
    pub nodes: Vec<Node>,
    pub servers: BTreeMap<u16, Server>,
    /// Every published message: when, by whom, what.
    pub events: Vec<(u64, usize, String)>,
    pub oracle: Oracle,
    pub rng: StdRng,
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    pending: BTreeMap<usize, Event>,
    sequence: u64,
    turns: u64,
}

impl World {
    /// `sentinels` nodes that watch port 6000 with replicas at the following ports.
    pub fn new(seed: u64, sentinels: usize, replicas: u16, adjust: impl Fn(&mut MasterSettings)) -> Self {
        let mut servers = BTreeMap::new();
        servers.insert(6000, Server::new(6000, Role::Master));
        for port in 6001..=6000 + replicas {
            servers.insert(port, Server::new(port, Role::ReplicaOf(6000, 0)));
        }
        let mut world = World {
            now: 0,
            nodes: Vec::new(),
            servers,
            events: Vec::new(),
            oracle: Oracle::default(),
            rng: StdRng::seed_from_u64(seed),
            queue: BinaryHeap::new(),
            pending: BTreeMap::new(),
            sequence: 0,
            turns: 0,
        };
        let quorum = u32::try_from(sentinels / 2 + 1).expect("a handful");
        for node in 0..sentinels {
            let mut master = MasterSettings::new(MasterName::from(MASTER), "127.0.0.1".into(), 6000, quorum);
            adjust(&mut master);
            world.nodes.push(Node {
                engine: None,
                disk: settings(node, master),
                disk_full: false,
                candidacy: Epoch::ZERO,
                wall_shift: 0,
                unsaved: Vec::new(),
                disk_busy_until: 0,
                incarnation: 0,
                connections: BTreeMap::new(),
                questions: BTreeMap::new(),
                asked: 0,
                wakes_at: None,
            });
            world.start(node);
        }
        world
    }

    /// Starts a node from what is on its disk.
    pub fn start(&mut self, node: usize) {
        let seed = self.rng.random();
        let state = &mut self.nodes[node];
        state.incarnation += 1;
        state.connections.clear();
        state.unsaved.clear();
        state.questions.clear();
        state.wakes_at = None;
        state.engine = Some(Engine::new(state.disk.clone(), seed, now(self.now, state.wall_shift)));
        self.drain(node);
    }

    /// Kills a node: what was not saved is gone, and its connections break.
    pub fn kill_node(&mut self, node: usize) {
        self.nodes[node].engine = None;
        for server in self.servers.values_mut() {
            server.clients.retain(|client| client.0 != node);
        }
        let port = node_port(node);
        for other in 0..self.nodes.len() {
            let broken: Vec<ConnId> = self.nodes[other]
                .connections
                .iter()
                .filter(|(_, target)| **target == port)
                .map(|(id, _)| *id)
                .collect();
            for conn in broken {
                self.feed(other, Input::Disconnected(conn, "reset".into()));
            }
        }
    }

    pub fn kill_server(&mut self, port: u16) {
        let clients = self.servers.get_mut(&port).expect("a known port").die();
        self.disconnect(clients);
    }

    /// Starts a killed server again, as a master of its own: it has not heard the news.
    pub fn restart_server(&mut self, port: u16) {
        let run_id = format!("{:040x}", self.rng.random::<u64>());
        let server = self.servers.get_mut(&port).expect("a known port");
        server.alive = true;
        server.run_id = run_id;
    }

    /// Breaks the connections of a node to a server.
    pub fn cut_links(&mut self, node: usize, port: u16) {
        let server = self.servers.get_mut(&port).expect("a known port");
        let clients: Vec<Client> = server.clients.iter().copied().filter(|client| client.0 == node).collect();
        clients.iter().for_each(|client| server.forget(*client));
        self.disconnect(clients);
    }

    pub fn pause_server(&mut self, port: u16) {
        self.servers.get_mut(&port).expect("a known port").paused = true;
    }

    pub fn resume_server(&mut self, port: u16) {
        let server = self.servers.get_mut(&port).expect("a known port");
        server.paused = false;
        let backlog = std::mem::take(&mut server.backlog);
        for (client, tag, request) in backlog {
            self.serve(port, client, tag, request);
        }
    }

    /// An operator's command to a node.
    pub fn command(&mut self, node: usize, command: SentinelCommand) {
        let id = CommandId { client: ClientId(0), seq: u64::MAX };
        self.turn(
            node,
            Some(Input::Command { id, command: Command::Sentinel(command), runnable: Vec::new() }),
        );
    }

    /// Runs until the condition holds. Panics with the history if it does not within `millis` of virtual time.
    pub fn until(&mut self, what: &str, millis: u64, condition: impl Fn(&World) -> bool) {
        let deadline = self.now + millis * MILLI;
        while !condition(self) {
            if !self.step(deadline) {
                panic!("{what} did not happen within {millis} ms:\n{}", self.history());
            }
        }
    }

    /// Runs for a while.
    pub fn run(&mut self, millis: u64) {
        let deadline = self.now + millis * MILLI;
        while self.step(deadline) {}
        self.now = deadline;
    }

    /// Remembers what a node said; with `SIM_TRACE` set, says it too.
    fn note(&mut self, node: usize, text: String) {
        if std::env::var_os("SIM_TRACE").is_some() {
            eprintln!("{:10.3} {node} {text}", self.now as f64 / 1e6);
        }
        // Our own vote is told of when it is on disk: whatever is promoted from then on is promoted in its epoch.
        let own_vote =
            text.strip_prefix("+vote-for-leader ").and_then(|vote| vote.strip_prefix(&run_id(node)));
        if let Some(epoch) = own_vote.and_then(|epoch| epoch.trim().parse().ok()) {
            self.nodes[node].candidacy = Epoch(epoch);
        }
        self.events.push((self.now, node, text));
    }

    pub fn history(&self) -> String {
        self.events
            .iter()
            .map(|(at, node, text)| format!("{:10.3} {node} {text}\n", *at as f64 / 1e6))
            .collect()
    }

    /// When `node` first published a message that begins like this, at or after an instant.
    pub fn seen(&self, node: usize, since: u64, prefix: &str) -> Option<u64> {
        self.events
            .iter()
            .find(|(at, who, text)| *at >= since && *who == node && text.starts_with(prefix))
            .map(|event| event.0)
    }

    /// The master's port on disk, of every live node.
    pub fn ports_on_disk(&self) -> Vec<u16> {
        let live = self.nodes.iter().filter(|node| node.engine.is_some());
        live.map(|node| node.disk.masters[0].port).collect()
    }

    fn step(&mut self, deadline: u64) -> bool {
        let Some(Reverse((at, _, key))) = self.queue.peek().copied() else { return false };
        if at > deadline {
            return false;
        }
        self.queue.pop();
        self.now = self.now.max(at);
        match self.pending.remove(&key).expect("queued once") {
            Event::Feed(node, incarnation, input) if self.nodes[node].incarnation == incarnation => {
                self.turn(node, Some(input))
            }
            Event::Wake(node, incarnation) if self.nodes[node].incarnation == incarnation => {
                self.nodes[node].wakes_at = None;
                self.turn(node, None);
            }
            Event::Saved(node, incarnation, revision, patch)
                if self.nodes[node].incarnation == incarnation =>
            {
                self.saved(node, revision, patch);
            }
            Event::Serve(port, client, tag, request) => self.serve(port, client, tag, request),
            Event::Ask(node, client, tag, request) => self.ask(node, client, tag, request),
            Event::Feed(..) | Event::Wake(..) | Event::Saved(..) => {}
        }
        true
    }

    /// An attempt to write is over. One that failed is repeated, like the store does, until it succeeds.
    fn saved(&mut self, node: usize, revision: Revision, patch: Patch) {
        let state = &mut self.nodes[node];
        if state.engine.is_none() {
            return;
        }
        state.unsaved.push(patch);
        let full = state.disk_full;
        if full {
            let again = Event::Saved(node, state.incarnation, revision, Patch::default());
            self.later(1_000 * MILLI, again);
        } else {
            for patch in std::mem::take(&mut state.unsaved) {
                state.disk.apply(&patch);
            }
        }
        let result = if full { Err("No space left on device".to_owned()) } else { Ok(()) };
        self.turn(node, Some(Input::Persisted(revision, result)));
    }

    pub fn later(&mut self, delay: u64, event: Event) {
        self.sequence += 1;
        let key = usize::try_from(self.sequence).expect("a short run");
        self.queue.push(Reverse((self.now + delay, self.sequence, key)));
        self.pending.insert(key, event);
    }

    /// One way over the network: 50 to 150 µs. Order within a connection is kept by a constant for each pair of ends.
    pub fn latency(&self, a: u64, b: u64) -> u64 {
        50_000 + (a.wrapping_mul(31).wrapping_add(b).wrapping_mul(2_654_435_761) % 100_000)
    }

    pub fn feed(&mut self, node: usize, input: Input) {
        let delay = self.latency(node as u64, 7);
        let incarnation = self.nodes[node].incarnation;
        self.later(delay, Event::Feed(node, incarnation, input));
    }

    pub fn turn(&mut self, node: usize, input: Option<Input>) {
        let now = now(self.now, self.nodes[node].wall_shift);
        let Some(engine) = &mut self.nodes[node].engine else { return };
        if let Some(input) = input {
            engine.handle(now, input);
        }
        if engine.next_deadline().is_some_and(|due| due <= now.mono) {
            engine.handle_deadline(now);
        }
        self.drain(node);
    }

    fn drain(&mut self, node: usize) {
        let Some(engine) = &mut self.nodes[node].engine else { return };
        engine.end_turn();
        engine.audit();
        let actions: Vec<Action> = std::iter::from_fn(|| engine.poll_action()).collect();
        self.turns += 1;
        // Copying an engine is dear: some turns stand for all, and those that had news are looked at in any case.
        if self.turns.is_multiple_of(64) || actions.iter().any(|action| matches!(action, Action::Publish(_)))
        {
            let unsettled = engine.unsettled();
            assert!(unsettled.is_empty(), "node {node} was not settled: {unsettled:?}\n{}", self.history());
        }
        let Some(engine) = &self.nodes[node].engine else { return };
        let due = engine.next_deadline().map(|due| due.max(Instant::from_nanos(self.now)));
        for action in actions {
            self.act(node, action);
        }
        let state = &mut self.nodes[node];
        if let Some(due) = due.filter(|due| state.wakes_at.is_none_or(|at| *due < at)) {
            state.wakes_at = Some(due);
            let (incarnation, delay) = (state.incarnation, due.as_nanos().saturating_sub(self.now));
            self.later(delay, Event::Wake(node, incarnation));
        }
    }

    fn act(&mut self, node: usize, action: Action) {
        match action {
            Action::Connect(conn, target) => self.connect(node, conn, &target),
            Action::Disconnect(conn) => {
                self.nodes[node].connections.remove(&conn);
                self.servers.values_mut().for_each(|server| server.forget((node, conn)));
            }
            Action::Send(conn, tag, request, _) => self.send(node, conn, tag, request),
            Action::Answer(id, answer) => self.answered(node, id, answer),
            Action::Publish(notice) => {
                self.note(node, format!("{} {}", notice.name, notice.payload));
            }
            Action::Log(_, text) => self.note(node, format!("log: {text}")),
            Action::Persist(revision, patch) => {
                let busy = self.nodes[node].disk_busy_until.saturating_sub(self.now);
                let delay = busy + 500_000 + self.rng.random_range(0..1_000_000);
                self.nodes[node].disk_busy_until = self.now + delay;
                let incarnation = self.nodes[node].incarnation;
                self.later(delay, Event::Saved(node, incarnation, revision, patch));
            }
            _ => {}
        }
    }
}

fn now(nanos: u64, shift: i64) -> Now {
    let wall = shift + i64::try_from(nanos / MILLI).expect("a short run");
    Now { mono: Instant::from_nanos(nanos), wall: WallTime::from_millis(1_800_000_000_000 + wall) }
}
