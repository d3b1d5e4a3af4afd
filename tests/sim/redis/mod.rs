//! A model of a Redis server, as far as a Sentinel can tell: what it answers to which bytes, and how replication goes meanwhile.
//!
//! Data are a lineage (replication ids) and an offset in it; there are no keys. Time is the world's.

mod commands;
mod info;
mod replication;

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use sentineld::wire::RequestDecoder;

use crate::network::Wire;

pub use commands::{Effect, Means};
pub use replication::{Following, Link, PERIOD, replicate};

/// What a server believes to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    Master,
    Replica(Following),
}

/// Which commands a server turns down, as an ACL or a rename does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refuses {
    pub transactions: bool,
    pub slaveof: bool,
    pub config: bool,
}

/// How a server's word departs from the truth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lies {
    /// Added to the offset that it reports.
    pub offset: u64,
    /// The INFO that it gives, however old.
    pub frozen: Option<String>,
    /// How much later than it could it answers, in nanoseconds.
    pub delay: u64,
}

/// Who is connected.
#[derive(Default)]
pub struct Client {
    decoder: RequestDecoder,
    authenticated: bool,
    subscribed: bool,
    /// Commands between MULTI and EXEC, and whether one of them was refused.
    transaction: Option<(Vec<Vec<bytes::Bytes>>, bool)>,
}

/// One server.
pub struct Server {
    pub address: SocketAddrV4,
    /// Which cluster its data belong to: an index into the plan's clusters.
    pub cluster: usize,
    /// The process runs.
    pub alive: bool,
    /// Its machine is on: who connects to a dead process is refused, who connects to a dead machine hears nothing.
    pub powered: bool,
    /// Stopped by SIGSTOP.
    pub stopped: bool,
    pub role: Role,
    /// Of this process.
    pub run_id: String,
    /// Whose data it has: of another cluster than its own, once it copied from there.
    pub data_of: usize,
    /// The cluster whose data it had when it was made a master, if that is not its own: its fleet has joined that one.
    pub joined: Option<usize>,
    /// It started without data since it was last in step with anybody who had them, or what it has is a copy of such a server's.
    pub lost_data: bool,
    /// The lineage of its data.
    pub replid: String,
    /// The lineage before that, and up to which offset it is shared.
    pub replid2: Option<(String, u64)>,
    pub offset: u64,
    pub priority: i32,
    /// Until when it loads its data.
    pub loading_until: u64,
    /// A script that runs for too long.
    pub busy_script: bool,
    /// A command that takes long: nothing is answered before.
    pub busy_until: u64,
    pub password: Option<Vec<u8>>,
    pub refuses: Refuses,
    pub lies: Lies,
    /// Writes its clients make, in bytes of replication stream for each second.
    pub write_rate: u64,
    /// How far it stays behind its master, in bytes.
    pub lag: u64,
    /// How long its replicas' full synchronisation takes, in nanoseconds.
    pub sync_time: u64,
    clients: BTreeMap<Wire, Client>,
    /// What arrived while the process was stopped.
    pub mailbox: Vec<(Wire, Vec<u8>)>,
}

impl Server {
    pub fn new(address: SocketAddrV4, cluster: usize, replid: &str) -> Self {
        Server {
            address,
            cluster,
            alive: true,
            powered: true,
            stopped: false,
            role: Role::Master,
            run_id: format!("{:08x}{:032x}", u32::from(*address.ip()), address.port()),
            data_of: cluster,
            joined: None,
            lost_data: false,
            replid: replid.to_owned(),
            replid2: None,
            offset: 1_000,
            priority: 100,
            loading_until: 0,
            busy_script: false,
            busy_until: 0,
            password: None,
            refuses: Refuses::default(),
            lies: Lies::default(),
            write_rate: 1_000,
            lag: 0,
            sync_time: 3_000_000,
            clients: BTreeMap::new(),
            mailbox: Vec::new(),
        }
    }

    pub fn is_master(&self) -> bool {
        self.role == Role::Master
    }

    /// Whom it follows.
    pub fn master(&self) -> Option<SocketAddrV4> {
        match &self.role {
            Role::Master => None,
            Role::Replica(following) => Some(following.master),
        }
    }

    pub fn follows(&self, master: SocketAddrV4) -> bool {
        self.master() == Some(master)
    }

    /// It runs, and nothing keeps it from answering.
    pub fn is_well(&self, now: u64) -> bool {
        self.alive && !self.stopped && self.loading_until <= now && !self.busy_script
    }

    /// It follows its master and is in step with it.
    pub fn is_in_step(&self) -> bool {
        matches!(&self.role, Role::Replica(following) if following.link == Link::Up)
    }

    /// The replication ids that INFO tells.
    pub fn history(&self) -> Vec<String> {
        let before = self.replid2.iter().map(|(id, _)| id);
        std::iter::once(&self.replid).chain(before).cloned().collect()
    }

    pub fn accept(&mut self, wire: Wire) {
        self.clients.insert(wire, Client::default());
    }

    pub fn forget(&mut self, wire: Wire) {
        self.clients.remove(&wire);
        self.mailbox.retain(|(other, _)| *other != wire);
    }

    /// The process ends; its connections, for the world to close.
    pub fn die(&mut self) -> Vec<Wire> {
        self.alive = false;
        self.stopped = false;
        self.busy_script = false;
        self.busy_until = 0;
        self.mailbox.clear();
        self.lies = Lies::default();
        std::mem::take(&mut self.clients).into_keys().collect()
    }

    /// Starts again: with its data, or empty, and as a master of its own if nobody made it remember whom it followed.
    pub fn restart(&mut self, now: u64, start: &Start) {
        self.alive = true;
        self.powered = true;
        self.run_id.clone_from(&start.run_id);
        self.loading_until = now + start.loading;
        match (&mut self.role, start.remembers) {
            (Role::Replica(following), true) => following.link = Link::Down { since: None },
            (role, _) => *role = Role::Master,
        }
        if start.empty {
            (self.lost_data, self.data_of) = (true, self.cluster);
            self.replid.clone_from(&start.fresh_replid);
            self.replid2 = None;
            self.offset = 0;
        }
    }

    /// The connections that subscribed.
    pub fn subscribers(&self) -> impl Iterator<Item = Wire> {
        self.clients.iter().filter(|(_, client)| client.subscribed).map(|(wire, _)| *wire)
    }
}

/// How a server starts again.
pub struct Start {
    pub run_id: String,
    /// How long it loads, in nanoseconds.
    pub loading: u64,
    /// Its configuration file says whom it follows.
    pub remembers: bool,
    /// Its data are gone.
    pub empty: bool,
    /// The lineage that it begins then.
    pub fresh_replid: String,
}
