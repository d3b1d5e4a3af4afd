//! An engine with one master, its replica and a peer, which answer INFO as they are told: whatever it hears, it stays sound, and what it
//! saves can be loaded.

use std::net::{IpAddr, Ipv4Addr};

use sentineld::conf::{KnownPeer, MasterSettings, SentinelSettings, Settings};
use sentineld::engine::{Action, ConnId, ConnKind, Endpoints, Engine, Input};
use sentineld::model::{ClientId, CommandId, Instant, Now, WallTime};
use sentineld::wire::{Answer, Command, Hello, InfoReport, PingReply, Reply, Request};

use super::machine::assert_survives_a_restart;

/// The name of its master.
pub const MASTER: &str = "mymaster";

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const MASTER_PORT: u16 = 6379;
const REPLICA_PORT: u16 = 6380;

/// See the module.
pub struct Stand {
    engine: Engine,
    saved: Settings,
    millis: u64,
    info: Option<InfoReport>,
    gossip: Option<ConnId>,
    inbox: Vec<Input>,
    answers: Vec<Answer>,
    asked: u64,
}

impl Stand {
    /// A Sentinel that has just been started, with its connections to master and replica. `info` is what these answer to INFO.
    pub fn new(resolve_hostnames: bool, info: Option<InfoReport>) -> Stand {
        let mut master = MasterSettings::new(MASTER.into(), HERE.to_string(), MASTER_PORT, 1);
        master.replicas = vec![(HERE.to_string(), REPLICA_PORT)];
        master.peers =
            vec![KnownPeer { run_id: format!("{:040x}", 7).into(), host: HERE.to_string(), port: 26380 }];
        let my_id = Some(format!("{:040x}", 1).into());
        let sentinel = SentinelSettings { my_id, resolve_hostnames, ..SentinelSettings::initial() };
        let saved = Settings { sentinel, masters: vec![master], ..Settings::default() };
        let mut stand = Stand {
            engine: Engine::new(saved.clone(), 1, at(0)),
            saved,
            millis: 0,
            info,
            gossip: None,
            inbox: Vec::new(),
            answers: Vec::new(),
            asked: 0,
        };
        stand.settle();
        stand
    }

    /// A gossip message arrives on the subscription to the master.
    pub fn hear(&mut self, hello: Hello) {
        let conn = self.gossip.expect("the subscription was opened");
        self.inbox.push(Input::Heard(conn, Some(hello)));
        self.settle();
    }

    /// A client asks; gives what it is answered at once.
    pub fn ask(&mut self, command: Command, runnable: Vec<Vec<u8>>) -> Vec<Answer> {
        let id = CommandId { client: ClientId(1), seq: self.asked };
        self.asked += 1;
        self.inbox.push(Input::Command { id, command, runnable });
        self.settle();
        std::mem::take(&mut self.answers)
    }

    /// Lets time pass.
    pub fn run(&mut self, millis: u64) {
        let end = self.millis + millis;
        while let Some(due) = self.engine.next_deadline().map(|due| due.as_nanos().div_ceil(1_000_000))
            && due <= end
        {
            self.millis = self.millis.max(due);
            self.settle();
        }
        self.millis = end;
        self.settle();
    }

    /// Checks what must hold at any time.
    pub fn check(&self) {
        let unsettled = self.engine.unsettled();
        assert!(unsettled.is_empty(), "not settled: {unsettled:?}");
        assert_survives_a_restart(&self.saved);
    }

    fn settle(&mut self) {
        for _ in 0..1_000 {
            let now = at(self.millis);
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
            if self.inbox.is_empty() {
                return;
            }
        }
        panic!("no end of it");
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Connect(conn, target) if [MASTER_PORT, REPLICA_PORT].contains(&target.port) => {
                if conn.kind == ConnKind::PubSub && target.port == MASTER_PORT {
                    self.gossip.get_or_insert(conn);
                }
                self.inbox.push(Input::Connected(conn, Endpoints { local: HERE, remote: HERE }));
            }
            Action::Send(conn, tag, request, _) => {
                let reply = match (request, &self.info) {
                    (Request::Ping, _) => Reply::Ping(PingReply::Pong),
                    (Request::Info, Some(info)) => Reply::Info(Box::new(info.clone())),
                    _ => Reply::Status("OK".into()),
                };
                self.inbox.push(Input::Reply(conn, tag, reply));
            }
            Action::Persist(revision, patch) => {
                self.saved.apply(&patch);
                self.inbox.push(Input::Persisted(revision, Ok(())));
            }
            Action::Answer(_, answer) => self.answers.push(answer),
            // A line of the log or of INFO must stay one.
            Action::Publish(notice) => assert!(!notice.payload.contains(['\r', '\n']), "{notice:?}"),
            _ => {}
        }
    }
}

fn at(millis: u64) -> Now {
    let wall = i64::try_from(millis).expect("a short run") + 1_800_000_000_000;
    Now { mono: Instant::from_millis(millis), wall: WallTime::from_millis(wall) }
}
