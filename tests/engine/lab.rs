//! One engine with stand-ins for everything around it, in virtual time: servers and peers that answer at once, as they are told to.
//!
//! Only the public doors of the engine are used. What a stand-in does not do by itself, a test feeds by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use sentineld::conf::{KnownPeer, MasterSettings, Patch, SentinelSettings, Settings};
use sentineld::engine::{Action, ConnId, ConnKind, Endpoints, Engine, Input, Tag};
use sentineld::model::{Instant, MasterName, Now, Revision, RunId, WallTime};
use sentineld::wire::{Answer, Reply, Request};

use crate::stub::{Stub, master_info, peer_id, replica_info};

pub const MASTER: &str = "mymaster";
pub const MY_ID: &str = "00000000000000000000000000000000000000ff";
const MILLI: u64 = 1_000_000;
/// The wall clock at the beginning, in milliseconds.
const EPOCH_MS: i64 = 1_800_000_000_000;
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What becomes of attempts to save.
#[derive(Clone, Copy, PartialEq)]
pub enum Disk {
    Works,
    Fails,
    /// No attempt ends until the test says so.
    Hangs,
}

pub struct Lab {
    pub engine: Engine,
    /// Nanoseconds.
    pub now: u64,
    pub wall_shift: i64,
    pub stubs: BTreeMap<u16, Stub>,
    pub disk: Disk,
    pub saved: Settings,
    pub saves: Vec<(Revision, Patch)>,
    /// When, and `name payload` or the line.
    pub events: Vec<(u64, String)>,
    pub sent: Vec<(u64, u16, Request)>,
    pub answers: BTreeMap<u64, Answer>,
    pub scripts: Vec<(sentineld::model::ScriptId, Vec<String>)>,
    /// How often certificates were to be read again.
    pub rereads: usize,
    pub killed_scripts: Vec<sentineld::model::ScriptId>,
    pub crashed: Option<i32>,
    pub scripts_before_crash: Vec<String>,
    pub addresses: BTreeMap<String, Option<(String, u16)>>,
    pub connects: Vec<(u64, u16, ConnKind)>,
    /// Attempts without an outcome so far.
    pub attempts: Vec<(ConnId, u16)>,
    /// What mute stand-ins were asked, with the answers they owe.
    pub unanswered: Vec<(ConnId, Tag, Reply)>,
    /// Every request with the name it was sent by.
    pub renames: Vec<(u16, Request, Option<String>)>,
    conns: BTreeMap<ConnId, u16>,
    inbox: Vec<Input>,
    pub asked: u64,
    counted: usize,
    turns: u64,
}

/// A master at 6000 with replicas from 6001 and peers from 5001, all known from the file; down-after 1 s, failover-timeout 10 s.
pub fn lab(replicas: u16, peers: u16) -> Lab {
    lab_with(replicas, peers, |_| {})
}

/// Why a master is not one by which others are judged.
#[derive(Clone, Copy, Debug)]
pub enum MasterTrouble {
    Dead,
    WithoutInfo,
    SaysReplica,
}

impl MasterTrouble {
    pub const ALL: [MasterTrouble; 3] =
        [MasterTrouble::Dead, MasterTrouble::WithoutInfo, MasterTrouble::SaysReplica];
}

pub fn lab_with(replicas: u16, peers: u16, adjust: impl Fn(&mut Settings)) -> Lab {
    let mut master = MasterSettings::new(MasterName::from(MASTER), "127.0.0.1".into(), 6000, 1);
    master.quorum = u32::from(peers / 2 + 1);
    master.down_after = std::time::Duration::from_secs(1);
    master.failover_timeout = std::time::Duration::from_secs(10);
    let ports: Vec<u16> = (6001..=6000 + replicas).collect();
    master.replicas = ports.iter().map(|port| ("127.0.0.1".to_owned(), *port)).collect();
    master.peers = (1..=peers)
        .map(|number| KnownPeer {
            run_id: RunId::from(peer_id(number)),
            host: "127.0.0.1".into(),
            port: 5000 + number,
        })
        .collect();
    let sentinel = SentinelSettings { my_id: Some(MY_ID.into()), ..SentinelSettings::initial() };
    let mut settings = Settings { sentinel, masters: vec![master], ..Settings::default() };
    settings.server.port = 26379;
    adjust(&mut settings);
    let mut lab = Lab::start(settings);
    lab.stubs.insert(6000, Stub::new(Some(master_info(6000, &ports))));
    for port in ports {
        lab.stubs.insert(port, Stub::new(Some(replica_info(port, 6000, ""))));
    }
    for number in 1..=peers {
        lab.stubs.insert(5000 + number, Stub::new(None));
    }
    lab.settle();
    lab
}

impl Lab {
    pub fn start(settings: Settings) -> Lab {
        let engine = Engine::new(settings.clone(), 1, at(0, 0));
        Lab {
            engine,
            now: 0,
            wall_shift: 0,
            stubs: BTreeMap::new(),
            disk: Disk::Works,
            saved: settings,
            saves: Vec::new(),
            events: Vec::new(),
            sent: Vec::new(),
            answers: BTreeMap::new(),
            scripts: Vec::new(),
            rereads: 0,
            killed_scripts: Vec::new(),
            crashed: None,
            scripts_before_crash: Vec::new(),
            addresses: BTreeMap::new(),
            connects: Vec::new(),
            attempts: Vec::new(),
            unanswered: Vec::new(),
            renames: Vec::new(),
            conns: BTreeMap::new(),
            inbox: Vec::new(),
            asked: 0,
            counted: 0,
            turns: 0,
        }
    }

    /// The same disk, a new process.
    pub fn restart(&mut self) {
        self.engine = Engine::new(self.saved.clone(), 2, self.clock());
        self.conns.clear();
        self.inbox.clear();
        self.settle();
    }

    pub fn clock(&self) -> Now {
        at(self.now, self.wall_shift)
    }

    /// Feeds a fact and everything that follows from it at this instant.
    pub fn feed(&mut self, input: Input) {
        self.inbox.push(input);
        self.settle();
    }

    pub fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 1_000, "no end of it:\n{}", self.history());
            self.turn();
            if self.inbox.is_empty() {
                return;
            }
        }
    }

    fn turn(&mut self) {
        let now = self.clock();
        for input in std::mem::take(&mut self.inbox) {
            self.engine.handle(now, input);
        }
        if self.engine.next_deadline().is_some_and(|due| due <= now.mono) {
            self.engine.handle_deadline(now);
        }
        self.engine.end_turn();
        self.engine.audit();
        while let Some(action) = self.engine.poll_action() {
            self.act(action);
        }
        // Copying an engine is dear: in long quiet times some turns stand for all.
        self.turns += 1;
        if self.turns < 300 || self.turns.is_multiple_of(32) {
            let unsettled = self.engine.unsettled();
            assert!(unsettled.is_empty(), "not settled: {unsettled:?}\n{}", self.history());
        }
    }

    /// Lets time pass.
    pub fn run(&mut self, millis: u64) {
        let end = self.now + millis * MILLI;
        self.run_to(end);
    }

    fn run_to(&mut self, end: u64) {
        while let Some(due) = self.engine.next_deadline().map(|due| due.as_nanos()).filter(|due| *due <= end)
        {
            self.now = self.now.max(due);
            self.settle();
        }
        self.now = end;
        self.settle();
    }

    /// Runs until an event that begins like this was published since the last look; returns when, in milliseconds.
    pub fn until(&mut self, prefix: &str, millis: u64) -> u64 {
        let end = self.now + millis * MILLI;
        loop {
            if let Some(found) = self.events[self.counted..].iter().find(|event| event.1.starts_with(prefix))
            {
                return found.0 / MILLI;
            }
            let due = self.engine.next_deadline().map_or(end, |due| due.as_nanos());
            assert!(due < end, "no {prefix} within {millis} ms:\n{}", self.history());
            self.now = self.now.max(due);
            self.settle();
        }
    }

    /// Forgets what was seen so far.
    pub fn mark(&mut self) {
        self.counted = self.events.len();
        self.sent.clear();
        self.connects.clear();
    }

    /// Events since the mark.
    pub fn seen(&self) -> Vec<&str> {
        self.events[self.counted..].iter().map(|event| event.1.as_str()).collect()
    }

    /// Their first words, without log lines.
    pub fn names(&self) -> Vec<&str> {
        let names = self.seen().into_iter().filter(|text| text.starts_with(['+', '-']));
        names.map(|text| text.split(' ').next().unwrap_or_default()).collect()
    }

    pub fn count(&self, prefix: &str) -> usize {
        self.seen().into_iter().filter(|text| text.starts_with(prefix)).count()
    }

    pub fn asked_of(&self, port: u16, wanted: impl Fn(&Request) -> bool) -> usize {
        self.sent.iter().filter(|(_, to, request)| *to == port && wanted(request)).count()
    }

    pub fn history(&self) -> String {
        self.events.iter().map(|(at, text)| format!("{:10.3} {text}\n", *at as f64 / 1e6)).collect()
    }

    pub fn stub(&mut self, port: u16) -> &mut Stub {
        self.stubs.get_mut(&port).expect("a known port")
    }

    /// The master on port 6000 stops being sane, and all that follows from that alone has happened (spec 2 §5.3).
    pub fn trouble_master(&mut self, trouble: MasterTrouble) {
        match trouble {
            MasterTrouble::Dead => self.kill(6000),
            MasterTrouble::WithoutInfo => self.stub(6000).info = None,
            MasterTrouble::SaysReplica => self.stub(6000).info = Some(replica_info(6000, 6001, "")),
        }
        self.run(20_100);
        self.mark();
    }

    /// The process ends: connections break.
    pub fn kill(&mut self, port: u16) {
        self.stub(port).up = false;
        self.cut(port, None);
    }

    /// Breaks the connections to a port, or those of one kind.
    pub fn cut(&mut self, port: u16, kind: Option<ConnKind>) {
        let broken: Vec<ConnId> = self
            .conns
            .iter()
            .filter(|(id, to)| **to == port && kind.is_none_or(|kind| id.kind == kind))
            .map(|(id, _)| *id)
            .collect();
        for id in broken {
            self.conns.remove(&id);
            self.inbox.push(Input::Disconnected(id, "reset".into()));
        }
        self.settle();
    }

    /// The connections to a port that the engine holds for open.
    pub fn open(&self, port: u16) -> BTreeSet<ConnId> {
        self.conns.iter().filter(|(_, to)| **to == port).map(|(id, _)| *id).collect()
    }

    /// Attempts to connect that hung so far succeed or fail, as the stand-in is now.
    pub fn conclude_attempts(&mut self) {
        for (conn, port) in std::mem::take(&mut self.attempts) {
            self.conclude(conn, port);
        }
        self.settle();
    }

    fn conclude(&mut self, conn: ConnId, port: u16) {
        let up = self.stubs.get(&port).is_some_and(|stub| stub.up);
        self.inbox.push(if up {
            self.conns.insert(conn, port);
            Input::Connected(conn, Endpoints { local: HERE, remote: HERE })
        } else {
            Input::Disconnected(conn, "refused".into())
        });
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Connect(conn, target) => {
                self.connects.push((self.now, target.port, conn.kind));
                if self.stubs.get(&target.port).is_some_and(|stub| stub.void) {
                    return self.attempts.push((conn, target.port));
                }
                self.conclude(conn, target.port);
            }
            Action::Disconnect(conn) => {
                self.conns.remove(&conn);
            }
            Action::Send(conn, tag, request, name) => {
                let port = self.conns.get(&conn).copied().unwrap_or_default();
                self.renames.push((port, request.clone(), name.map(|name| name.to_string())));
                self.serve(conn, tag, request);
            }
            Action::Answer(id, answer) => {
                let known = self.answers.insert(id.seq, answer);
                assert!(known.is_none(), "command {} was answered twice", id.seq);
            }
            Action::Publish(notice) => {
                crate::levels::check(&notice);
                self.events.push((self.now, format!("{} {}", notice.name, notice.payload)));
            }
            Action::Log(_, text) => self.events.push((self.now, format!("log: {text}"))),
            Action::LogNextFailover(until) => {
                let after = until.as_millis() - EPOCH_MS;
                self.events.push((self.now, format!("log: Next failover delay {after}")));
            }
            Action::SetAddress(name, address) => {
                self.addresses.insert(name.to_string(), address);
            }
            Action::Persist(revision, patch) => {
                if self.disk == Disk::Works {
                    self.saved.apply(&patch);
                }
                self.saves.push((revision, patch));
                match self.disk {
                    Disk::Works => self.inbox.push(Input::Persisted(revision, Ok(()))),
                    Disk::Fails => self.inbox.push(Input::Persisted(revision, Err("full".into()))),
                    Disk::Hangs => {}
                }
            }
            Action::RunScript(id, argv) => self.scripts.push((id, argv)),
            Action::KillScript(id) => self.killed_scripts.push(id),
            Action::Crash(code) if self.crashed.is_none() => {
                self.crashed = Some(code);
                self.scripts_before_crash = self.scripts.iter().map(|(_, argv)| argv[0].clone()).collect();
            }
            Action::Crash(_) => {}
            Action::Resolve(_) | Action::SetLogLevel(_) => {}
            Action::RereadCertificates => self.rereads += 1,
        }
    }

    /// Everything recorded so far is saved after all.
    pub fn save_all(&mut self) {
        let Some((last, _)) = self.saves.last().cloned() else { return };
        for (_, patch) in self.saves.clone() {
            self.saved.apply(&patch);
        }
        self.feed(Input::Persisted(last, Ok(())));
    }

    fn serve(&mut self, conn: ConnId, tag: Tag, request: Request) {
        let Some(port) = self.conns.get(&conn).copied() else { return };
        self.sent.push((self.now, port, request.clone()));
        let Some(stub) = self.stubs.get_mut(&port) else { return };
        if stub.silent_to_pings && matches!(request, Request::Ping) {
            return;
        }
        if stub.mute {
            let reply = stub.clone().reply(port, request);
            return self.unanswered.push((conn, tag, reply));
        }
        let reply = stub.reply(port, request);
        self.inbox.push(Input::Reply(conn, tag, reply));
    }
}

fn at(nanos: u64, shift: i64) -> Now {
    let wall = i64::try_from(nanos / MILLI).expect("a short run");
    Now { mono: Instant::from_nanos(nanos), wall: WallTime::from_millis(EPOCH_MS + wall + shift) }
}
