//! Stand-ins for servers and peers: they answer at once, as they are told to.

use sentineld::model::{Epoch, RunId};
use sentineld::wire::reply::MasterDownReply;
use sentineld::wire::{InfoReport, PingReply, Reply, Request};

/// How a stand-in behaves.
#[derive(Clone)]
pub struct Stub {
    /// Accepts connections.
    pub up: bool,
    /// Attempts to connect have no outcome, until the test gives them one.
    pub void: bool,
    /// Takes requests and never answers.
    pub mute: bool,
    /// Answers everything but PING.
    pub silent_to_pings: bool,
    pub ping: PingReply,
    /// The answer to INFO; `None`: an error.
    pub info: Option<String>,
    /// Hellos are answered with an error.
    pub refuses_hellos: bool,
    /// The outcome of SLAVEOF.
    pub slaveof: Result<(), String>,
    /// Becomes a master, or follows whom it is told to, so that INFO shows it.
    pub obeys: bool,
    /// A peer's opinion and its vote; `None` as a vote: grants every request.
    pub down: bool,
    pub vote: Vote,
    queues: bool,
}

#[derive(Clone, PartialEq)]
pub enum Vote {
    Grants,
    Refuses,
    /// Answers with an error, as one does that lets nobody in.
    Fails,
    For(&'static str, u64),
}

pub fn peer_id(number: u16) -> String {
    format!("{number:040x}")
}

pub fn master_info(port: u16, replicas: &[u16]) -> String {
    let mut text = format!("run_id:{port:040x}\r\nrole:master\r\n");
    for (index, port) in replicas.iter().enumerate() {
        text += &format!("slave{index}:ip=127.0.0.1,port={port},state=online,offset=1,lag=0\r\n");
    }
    text
}

pub fn replica_info(port: u16, master: u16, more: &str) -> String {
    format!(
        "run_id:{port:040x}\r\nrole:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:{master}\r\n\
         master_link_status:up\r\nslave_priority:100\r\nslave_repl_offset:10\r\n{more}"
    )
}

impl Stub {
    pub fn new(info: Option<String>) -> Self {
        Stub {
            up: true,
            void: false,
            mute: false,
            silent_to_pings: false,
            ping: PingReply::Pong,
            info,
            refuses_hellos: false,
            slaveof: Ok(()),
            obeys: true,
            down: false,
            vote: Vote::Grants,
            queues: false,
        }
    }
}

impl Stub {
    pub fn reply(&mut self, port: u16, request: Request) -> Reply {
        match request {
            Request::Ping => Reply::Ping(self.ping.clone()),
            Request::Info => match &self.info {
                Some(text) => Reply::Info(Box::new(InfoReport::parse(text.as_bytes()))),
                None => Reply::Error("NOAUTH".into()),
            },
            Request::Publish(_) if self.refuses_hellos => Reply::Error("NOPERM".into()),
            Request::Publish(_) => Reply::Integer(1),
            Request::Multi => {
                self.queues = true;
                Reply::Status("OK".into())
            }
            Request::Exec => {
                self.queues = false;
                Reply::Exec(Some(vec![self.slaveof.clone(), Ok(()), Ok(()), Ok(())]))
            }
            Request::ReplicaOf(target) => {
                if self.obeys && self.slaveof.is_ok() {
                    self.info = Some(match target {
                        None => master_info(port, &[]),
                        Some((_, master)) => replica_info(port, master, ""),
                    });
                }
                match &self.slaveof {
                    Err(text) if !self.queues => Reply::Error(text.clone()),
                    _ => Reply::Status("OK".into()),
                }
            }
            Request::IsMasterDown { .. } if self.vote == Vote::Fails => Reply::Error("NOAUTH".into()),
            Request::IsMasterDown { epoch, candidate, .. } => {
                let (leader, leader_epoch) = match (&self.vote, candidate) {
                    (Vote::For(leader, at), _) => (Some(RunId::from(*leader)), Epoch(*at)),
                    (Vote::Grants, Some(candidate)) => (Some(candidate), epoch),
                    _ => (None, Epoch::ZERO),
                };
                Reply::MasterDown(MasterDownReply { down: self.down, leader, leader_epoch })
            }
            _ => Reply::Status("OK".into()),
        }
    }
}
