//! A stage for the properties' own tests: things are seen one after the other, and each is expected to pass or to be objected to.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use sentineld::conf::{KnownPeer, MasterSettings, Settings};
use sentineld::engine::ConnKind;
use sentineld::model::{Epoch, MasterName, RunId};
use sentineld::wire::reply::MasterDownReply;
use sentineld::wire::{Hello, InfoReport, PingReply, Reply};

use crate::redis::Server;
use crate::seen::{Kind, NodeFacts, Property, Scene, Seen};

/// The name of the master that every Sentinel on the stage knows.
pub const NAME: &str = "m";

/// Where server `number` is; 1 is the master at the beginning.
pub fn server(number: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, number), 6379)
}

/// Where Sentinel `number` is.
pub fn sentinel(number: usize) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 1, u8::try_from(number).expect("a handful")), 26379)
}

/// The id of Sentinel `number`.
pub fn id(number: usize) -> String {
    format!("{number:040x}")
}

/// A property, and Sentinels to see things at: three of them, with a quorum of two, that know each other.
pub struct Stage<P> {
    property: P,
    pub servers: BTreeMap<SocketAddrV4, Server>,
    pub nodes: Vec<NodeFacts>,
    at: u64,
    node: usize,
}

impl<P: Property> Stage<P> {
    pub fn new(property: P) -> Self {
        let nodes = (0..3).map(facts).collect();
        Stage { property, servers: BTreeMap::new(), nodes, at: 0, node: 0 }
    }

    /// It is that late, in milliseconds.
    pub fn at(&mut self, millis: u64) -> &mut Self {
        self.at = millis * 1_000_000;
        self
    }

    /// What follows concerns this Sentinel.
    pub fn node(&mut self, node: usize) -> &mut Self {
        self.node = node;
        self
    }

    /// The master in the file of the Sentinel concerned.
    pub fn file(&mut self) -> &mut MasterSettings {
        &mut self.nodes[self.node].disk.masters[0]
    }

    /// The file of the Sentinel concerned has these epochs: current, of the vote, of the configuration.
    pub fn epochs(&mut self, current: u64, vote: u64, configuration: u64) -> &mut Self {
        self.nodes[self.node].disk.sentinel.current_epoch = Epoch(current);
        self.file().leader_epoch = Epoch(vote);
        self.file().config_epoch = Epoch(configuration);
        self
    }

    /// This is fine.
    pub fn fine(&mut self, seen: Seen) -> &mut Self {
        if let Err(text) = self.see(&seen) {
            panic!("{seen:?} is fine, but: {text}");
        }
        self
    }

    /// This is objected to.
    pub fn wrong(&mut self, seen: Seen) -> &mut Self {
        assert!(self.see(&seen).is_err(), "{seen:?} must be objected to");
        self
    }

    /// A fine event.
    pub fn says(&mut self, name: &str, payload: &str) -> &mut Self {
        self.fine(notice(name, payload))
    }

    /// An election won in an epoch, with the votes of these others, up to the choice of a replica.
    pub fn elected(&mut self, epoch: u64, voters: &[usize], chosen: u8) -> &mut Self {
        let leader = self.node;
        self.says("+odown", &format!("{} #quorum 2/2", of_master(1)));
        self.says("+try-failover", &of_master(1));
        let durable = self.nodes[leader].disk.masters[0].config_epoch.0;
        self.epochs(epoch, epoch, durable);
        self.says("+vote-for-leader", &format!("{} {epoch}", id(leader)));
        for voter in voters {
            self.fine(asked(sentinel(*voter), epoch, Some(leader)));
            self.node(*voter).fine(told(Some(leader), epoch)).node(leader);
        }
        self.says("+elected-leader", &of_master(1));
        self.says("+selected-slave", &of_replica(chosen, 1))
    }

    fn see(&mut self, seen: &Seen) -> Result<(), String> {
        let scene = Scene { at: self.at, node: self.node, nodes: &self.nodes, servers: &self.servers };
        self.property.see(&scene, seen)
    }
}

fn facts(number: usize) -> NodeFacts {
    let mut master = MasterSettings::new(MasterName::from(NAME), server(1).ip().to_string(), 6379, 2);
    let peer = |other| KnownPeer {
        run_id: RunId::from(id(other)),
        host: sentinel(other).ip().to_string(),
        port: sentinel(other).port(),
    };
    master.peers = (0..3).filter(|other| *other != number).map(peer).collect();
    master.replicas = (2..4).map(|other| (server(other).ip().to_string(), 6379)).collect();
    let disk = Settings { masters: vec![master], ..Settings::default() };
    NodeFacts {
        kind: Kind::Ours,
        run_id: id(number),
        address: sentinel(number),
        disk,
        alive: true,
        stopped: false,
    }
}

/// The master as events name it, when it is at server `number`.
pub fn of_master(number: u8) -> String {
    format!("master {NAME} {} 6379", server(number).ip())
}

/// A replica as events name it, with the master at server `master`.
pub fn of_replica(number: u8, master: u8) -> String {
    let (replica, master) = (server(number), server(master));
    format!("slave {replica} {} 6379 @ {NAME} {} 6379", replica.ip(), master.ip())
}

pub fn notice(name: &str, payload: &str) -> Seen {
    Seen::Notice { name: name.to_owned(), payload: payload.to_owned() }
}

/// `+switch-master` between two servers.
pub fn switched(old: u8, new: u8) -> Seen {
    notice("+switch-master", &format!("{NAME} {} 6379 {} 6379", server(old).ip(), server(new).ip()))
}

/// A question about the master at server 1.
pub fn asked(to: SocketAddrV4, epoch: u64, candidate: Option<usize>) -> Seen {
    Seen::Asked { to, master: server(1), epoch: Epoch(epoch), candidate: candidate.map(id) }
}

pub fn told(leader: Option<usize>, epoch: u64) -> Seen {
    told_late(leader, epoch, 0)
}

/// An answer that was kept for so many milliseconds.
pub fn told_late(leader: Option<usize>, epoch: u64, millis: u64) -> Seen {
    let waited = millis * crate::clock::MILLI;
    Seen::Told { master: NAME.into(), down: true, leader: leader.map(id), epoch: Epoch(epoch), waited }
}

/// A hello of Sentinel `from`: its current epoch, where the master is, and the epoch of that configuration.
pub fn hello(from: usize, current: u64, master: u8, epoch: u64) -> Hello {
    Hello {
        host: sentinel(from).ip().to_string(),
        port: sentinel(from).port(),
        run_id: RunId::from(id(from)),
        current_epoch: Epoch(current),
        master_name: MasterName::from(NAME),
        master_host: server(master).ip().to_string(),
        master_port: server(master).port(),
        config_epoch: Epoch(epoch),
    }
}

/// A hello of the Sentinel itself leaves it.
pub fn greeted(hello: Hello) -> Seen {
    Seen::Greeted { to: server(1), hello }
}

pub fn heard(hello: Hello) -> Seen {
    Seen::Heard { hello }
}

/// SLAVEOF to server `number`: NO ONE, or another server.
pub fn pointed(number: u8, master: Option<u8>) -> Seen {
    Seen::Pointed { server: server(number), master: master.map(server) }
}

pub fn ordered(words: &str) -> Seen {
    Seen::Ordered { words: words.split(' ').map(str::to_owned).collect() }
}

pub fn linked(to: SocketAddrV4) -> Seen {
    Seen::Linked { to, kind: ConnKind::Command }
}

pub fn broken(to: SocketAddrV4) -> Seen {
    Seen::Broken { to, kind: ConnKind::Command }
}

/// A server's answer to a PING of this moment.
pub fn ping(from: u8, reply: PingReply) -> Seen {
    ping_of(u64::MAX, from, reply)
}

/// A server's answer to a PING that left so many nanoseconds after the start.
pub fn ping_of(asked_at: u64, from: u8, reply: PingReply) -> Seen {
    Seen::Got { from: server(from), reply: Reply::Ping(reply), asked_at }
}

/// A peer's answer to a question.
pub fn opinion(from: usize, down: bool) -> Seen {
    let reply = MasterDownReply { down, leader: None, leader_epoch: Epoch::ZERO };
    Seen::Got { from: sentinel(from), reply: Reply::MasterDown(reply), asked_at: u64::MAX }
}

/// An INFO of server `number`: its lines, each ended by a semicolon.
pub fn info(number: u8, lines: &str) -> Seen {
    let report = InfoReport::parse(lines.replace(';', "\r\n").as_bytes());
    Seen::Informed { server: server(number), report: Box::new(report) }
}
