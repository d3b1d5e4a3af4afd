//! Replication: who follows whom, full and partial synchronisation, offsets that grow.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::{Role, Server};
use crate::clock::{MILLI, SECOND};

/// A replica's side of replication.
#[derive(Clone, Debug, PartialEq)]
pub struct Following {
    pub master: SocketAddrV4,
    pub link: Link,
}

/// The connection to the master.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Link {
    /// Broken since then; `None`: it was never up.
    Down {
        since: Option<u64>,
    },
    /// A full synchronisation, complete then.
    Syncing {
        until: u64,
    },
    Up,
}

impl Following {
    /// Since when the link is down, if it was ever up.
    pub fn down_since(&self) -> Option<u64> {
        match self.link {
            Link::Down { since } => since,
            Link::Syncing { .. } | Link::Up => None,
        }
    }
}

/// What a replica sees of its master.
struct Upstream {
    replid: String,
    replid2: Option<(String, u64)>,
    offset: u64,
    sync_time: u64,
    cluster: usize,
    data_of: usize,
    lost_data: bool,
}

impl Server {
    /// SLAVEOF NO ONE: a lineage of its own begins, and the one so far is remembered.
    pub fn become_master(&mut self, fresh_replid: &str) {
        if self.role != Role::Master {
            self.joined = Some(self.data_of).filter(|of| *of != self.cluster).or(self.joined);
            self.replid2 =
                Some((std::mem::replace(&mut self.replid, fresh_replid.to_owned()), self.offset + 1));
            self.role = Role::Master;
        }
    }

    /// SLAVEOF host port. False if it follows that one already.
    pub fn follow(&mut self, now: u64, master: SocketAddrV4) -> bool {
        if self.follows(master) {
            return false;
        }
        let since = self.is_in_step().then_some(now);
        self.role = Role::Replica(Following { master, link: Link::Down { since } });
        true
    }

    /// True if what this replica has is the beginning of what the master has.
    fn continues(&self, upstream: &Upstream) -> bool {
        let same = self.replid == upstream.replid && self.offset <= upstream.offset;
        let before = upstream
            .replid2
            .as_ref()
            .is_some_and(|(old, until)| self.replid == *old && self.offset <= *until);
        same || before
    }
}

/// Lets replication go on for `elapsed` nanoseconds. `reaches` tells whether two machines are connected.
pub fn replicate(
    servers: &mut BTreeMap<SocketAddrV4, Server>,
    now: u64,
    elapsed: u64,
    reaches: impl Fn(SocketAddrV4, SocketAddrV4) -> bool,
) {
    for server in servers.values_mut().filter(|server| server.is_master() && server.is_well(now)) {
        server.offset += server.write_rate * (elapsed / MILLI) / 1_000;
    }
    let replicas: Vec<(SocketAddrV4, SocketAddrV4)> =
        servers.values().filter_map(|server| Some((server.address, server.master()?))).collect();
    for (address, master) in replicas {
        let upstream =
            servers.get(&master).filter(|_| reaches(address, master)).and_then(|master| offer(master, now));
        let server = servers.get_mut(&address).expect("just listed");
        if server.is_well(now) {
            advance(server, now, upstream);
        }
    }
}

/// What a server gives to those who follow it; a replica that lost its own master gives nothing.
fn offer(master: &Server, now: u64) -> Option<Upstream> {
    let able = master.is_well(now) && (master.is_master() || master.is_in_step());
    able.then(|| Upstream {
        replid: master.replid.clone(),
        replid2: master.replid2.clone(),
        offset: master.offset,
        sync_time: master.sync_time,
        cluster: master.cluster,
        data_of: master.data_of,
        lost_data: master.lost_data,
    })
}

fn advance(server: &mut Server, now: u64, upstream: Option<Upstream>) {
    let continues = upstream.as_ref().is_some_and(|upstream| server.continues(upstream));
    let Role::Replica(following) = &mut server.role else { return };
    let Some(upstream) = upstream else {
        if following.link == Link::Up {
            following.link = Link::Down { since: Some(now) };
        } else if let Link::Syncing { .. } = following.link {
            following.link = Link::Down { since: None };
        }
        return;
    };
    let received = upstream.offset.saturating_sub(server.lag);
    match following.link {
        Link::Down { .. } | Link::Up if continues => server.offset = server.offset.max(received),
        Link::Syncing { until } if until <= now => server.offset = received,
        Link::Down { .. } | Link::Up => {
            following.link = Link::Syncing { until: now + upstream.sync_time };
            return;
        }
        Link::Syncing { .. } => return,
    }
    following.link = Link::Up;
    server.data_of = upstream.data_of;
    server.lost_data = upstream.lost_data || upstream.cluster != server.cluster;
    server.replid = upstream.replid;
    server.replid2 = upstream.replid2;
}

/// How often replication is looked at.
pub const PERIOD: u64 = SECOND / 10;
