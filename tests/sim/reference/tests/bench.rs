//! One modelled Sentinel with stand-ins for servers and peers that answer after a millisecond.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sentineld::conf::{KnownPeer, MasterSettings, ServerSettings, Settings};
use sentineld::engine::{Action, ConnId, ConnKind, Endpoints, Input, Tag};
use sentineld::model::{ClientId, CommandId, Epoch, Instant, Now, Revision, RunId, WallTime};
use sentineld::wire::reply::MasterDownReply;
use sentineld::wire::{Answer, Command, Hello, InfoReport, PingReply, Reply, Request, SentinelCommand};

use crate::reference::Reference;

/// The ports: masters from here on, a hundred apart, their replicas behind them; peers from 5001 on.
pub const MASTER: u16 = 6000;
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ME: &str = "00000000000000000000000000000000000000aa";

pub struct Stub {
    pub up: bool,
    pub mute: bool,
    pub info: String,
    /// Does what SLAVEOF says.
    pub obeys: bool,
    /// A peer's opinion, and the vote it gives: `None` grants every request.
    pub down: bool,
    pub vote: Option<(RunId, Epoch)>,
}

pub struct Bench {
    pub model: Reference,
    pub stubs: BTreeMap<u16, Stub>,
    /// When, in milliseconds, what was said or sent to whom.
    pub events: Vec<(u64, String)>,
    pub sent: Vec<(u64, u16, Request)>,
    pub answers: Vec<Answer>,
    /// The disk: how long a save takes and whether it succeeds.
    pub disk: (u64, bool),
    pub wall_shift: i64,
    pub now: u64,
    pub disk_text: Settings,
    conns: BTreeMap<ConnId, u16>,
    queue: VecDeque<(u64, Input)>,
    commands: u64,
}

pub fn me() -> RunId {
    ME.into()
}

pub fn peer_id(number: u16) -> RunId {
    format!("{number:040x}").into()
}

pub fn replica_info(port: u16, master: u16) -> String {
    format!(
        "run_id:{port:040x}\r\nrole:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:{master}\r\n\
         master_link_status:up\r\nslave_priority:100\r\nslave_repl_offset:{port}\r\n"
    )
}

pub fn master_info(port: u16) -> String {
    format!("run_id:{port:040x}\r\nrole:master\r\n")
}

impl Bench {
    /// `masters` with `replicas` each, all watched by this one and by `peers`, which know that a master is down when it is.
    pub fn new(masters: u16, replicas: u16, peers: u16, adjust: impl Fn(&mut MasterSettings)) -> Self {
        let mut settings = Settings {
            server: ServerSettings { port: 5000, ..ServerSettings::default() },
            ..Settings::default()
        };
        settings.sentinel.my_id = Some(me());
        let mut stubs = BTreeMap::new();
        let stub = |info| Stub { up: true, mute: false, info, obeys: true, down: true, vote: None };
        for index in 0..masters {
            let port = MASTER + 100 * index;
            let name = format!("m{index}");
            let quorum = u32::from(peers / 2 + 1);
            let mut master = MasterSettings::new(name.into(), "127.0.0.1".into(), port, quorum);
            master.down_after = Duration::from_millis(3_000);
            master.failover_timeout = Duration::from_secs(30);
            master.replicas = (1..=replicas).map(|at| ("127.0.0.1".into(), port + at)).collect();
            master.peers = (1..=peers)
                .map(|at| KnownPeer { run_id: peer_id(at), host: "127.0.0.1".into(), port: 5000 + at })
                .collect();
            adjust(&mut master);
            settings.masters.push(master);
            stubs.insert(port, stub(master_info(port)));
            stubs.extend((1..=replicas).map(|at| (port + at, stub(replica_info(port + at, port)))));
        }
        stubs.extend((1..=peers).map(|at| (5000 + at, stub(String::new()))));
        let now = 0;
        Bench {
            model: Reference::new(settings.clone(), 7, time(now, 0)),
            stubs,
            events: Vec::new(),
            sent: Vec::new(),
            answers: Vec::new(),
            disk: (1, true),
            wall_shift: 0,
            now,
            disk_text: settings,
            conns: BTreeMap::new(),
            queue: VecDeque::new(),
            commands: 0,
        }
    }

    /// Runs for some milliseconds, one at a time.
    pub fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.now += 1;
            let now = time(self.now, self.wall_shift);
            let due = self.queue.iter().filter(|(at, _)| *at <= self.now).count();
            let mut ready: Vec<(u64, Input)> = self.queue.drain(..).collect();
            ready.sort_by_key(|(at, _)| *at);
            let later = ready.split_off(due);
            self.queue.extend(later);
            ready.into_iter().for_each(|(_, input)| self.model.handle(now, input));
            if self.model.next_deadline().is_some_and(|due| due <= now.mono) {
                self.model.handle_deadline(now);
            }
            self.drain();
        }
    }

    /// Runs until something was said. Panics with the history if it is not within the time.
    pub fn until(&mut self, prefix: &str, millis: u64) -> u64 {
        let from = self.events.len();
        for _ in 0..millis {
            self.run(1);
            if self.events[from..].iter().any(|(_, text)| text.starts_with(prefix)) {
                return self.now;
            }
        }
        panic!("no {prefix} within {millis} ms: {:#?}", self.events);
    }

    /// When something was first said.
    pub fn seen(&self, prefix: &str) -> Option<u64> {
        self.events.iter().find(|(_, text)| text.starts_with(prefix)).map(|(at, _)| *at)
    }

    /// How often something was said.
    pub fn count(&self, prefix: &str) -> usize {
        self.events.iter().filter(|(_, text)| text.starts_with(prefix)).count()
    }

    pub fn kill(&mut self, port: u16) {
        self.stub(port).up = false;
        let broken: Vec<ConnId> =
            self.conns.iter().filter(|(_, at)| **at == port).map(|(conn, _)| *conn).collect();
        for conn in broken {
            self.conns.remove(&conn);
            self.queue.push_back((self.now + 1, Input::Disconnected(conn, "reset".into())));
        }
    }

    pub fn stub(&mut self, port: u16) -> &mut Stub {
        self.stubs.get_mut(&port).expect("a known port")
    }

    pub fn command(&mut self, command: Command) {
        self.commands += 1;
        let id = CommandId { client: ClientId(1), seq: self.commands };
        self.queue.push_back((self.now, Input::Command { id, command, runnable: Vec::new() }));
        self.run(3);
    }

    /// A peer asks; the answer, if it came at once.
    pub fn asked(&mut self, port: u16, epoch: u64, candidate: Option<RunId>) -> Option<MasterDownReply> {
        self.answers.clear();
        self.command(Command::Sentinel(SentinelCommand::IsMasterDown {
            host: "127.0.0.1".into(),
            port: port.into(),
            epoch: Epoch(epoch),
            candidate,
            asker: None,
        }));
        match self.answers.pop() {
            Some(Answer::MasterDown(reply)) => Some(reply),
            _ => None,
        }
    }

    pub fn hello(&mut self, peer: u16, master: (&str, u16), epochs: (u64, u64)) {
        let (current_epoch, config_epoch) = (Epoch(epochs.0), Epoch(epochs.1));
        self.command(Command::Publish(Some(Hello {
            host: "127.0.0.1".into(),
            port: 5000 + peer,
            run_id: peer_id(peer),
            current_epoch,
            master_name: master.0.into(),
            master_host: "127.0.0.1".into(),
            master_port: master.1,
            config_epoch,
        })));
    }

    fn drain(&mut self) {
        self.model.end_turn();
        while let Some(action) = self.model.poll_action() {
            match action {
                Action::Connect(conn, target) => self.connect(conn, target.port),
                Action::Disconnect(conn) => {
                    self.conns.remove(&conn);
                }
                Action::Send(conn, tag, request, _) => self.send(conn, tag, request),
                Action::Answer(_, answer) => self.answers.push(answer),
                Action::Publish(notice) => {
                    self.events.push((self.now, format!("{} {}", notice.name, notice.payload)));
                }
                Action::LogNextFailover(_) => self.events.push((self.now, "next failover delay".into())),
                Action::Persist(revision, patch) => self.persist(revision, &patch),
                _ => {}
            }
        }
    }

    fn persist(&mut self, revision: Revision, patch: &sentineld::conf::Patch) {
        let (delay, good) = self.disk;
        if good {
            self.disk_text.apply(patch);
        }
        let result = if good { Ok(()) } else { Err("No space left on device".to_owned()) };
        self.queue.push_back((self.now + delay, Input::Persisted(revision, result)));
    }

    fn connect(&mut self, conn: ConnId, port: u16) {
        let fact = if self.stub(port).up {
            self.conns.insert(conn, port);
            Input::Connected(conn, Endpoints { local: LOCALHOST, remote: LOCALHOST })
        } else {
            Input::Disconnected(conn, "refused".into())
        };
        self.queue.push_back((self.now + 1, fact));
    }

    fn send(&mut self, conn: ConnId, tag: Tag, request: Request) {
        let Some(port) = self.conns.get(&conn).copied() else { return };
        self.sent.push((self.now, port, request.clone()));
        if self.stub(port).mute {
            return;
        }
        if let Request::KillClients(_) = request {
            // The sender's own subscription goes with those of the others.
            let own: Vec<ConnId> =
                self.conns.iter().filter(|(_, at)| **at == port).map(|(id, _)| *id).collect();
            for conn in own.into_iter().filter(|conn| conn.kind == ConnKind::PubSub) {
                self.conns.remove(&conn);
                self.queue.push_back((self.now + 1, Input::Disconnected(conn, "killed".into())));
            }
        }
        let reply = self.stub(port).reply(port, request);
        self.queue.push_back((self.now + 1, Input::Reply(conn, tag, reply)));
    }
}

impl Stub {
    fn reply(&mut self, port: u16, request: Request) -> Reply {
        match request {
            Request::Ping => Reply::Ping(PingReply::Pong),
            Request::Info => Reply::Info(Box::new(InfoReport::parse(self.info.as_bytes()))),
            Request::Publish(_) => Reply::Integer(1),
            Request::ReplicaOf(target) if self.obeys => {
                self.info = target.map_or(master_info(port), |(_, master)| replica_info(port, master));
                Reply::Status("QUEUED".into())
            }
            Request::IsMasterDown { epoch, candidate, .. } => {
                let granted = candidate.map(|candidate| self.vote.clone().unwrap_or((candidate, epoch)));
                let (leader, leader_epoch) = granted.unzip();
                let leader_epoch = leader_epoch.unwrap_or_default();
                Reply::MasterDown(MasterDownReply { down: self.down, leader, leader_epoch })
            }
            _ => Reply::Status("OK".into()),
        }
    }
}

fn time(millis: u64, shift: i64) -> Now {
    let wall = 1_800_000_000_000 + shift + i64::try_from(millis).expect("a short run");
    Now { mono: Instant::from_millis(millis), wall: WallTime::from_millis(wall) }
}
