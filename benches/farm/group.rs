//! A master and its replicas, as far as a Sentinel can see them: roles, links, offsets, lineage, INFO.
//!
//! No sockets, no clock: the time is given. What Redis keeps in a data set does not exist here; a replication stream is a number of
//! bytes.
//!
//! Invariant: `settle` has been called with the current time before anything is read.

use std::fmt::Write as _;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

/// How long a replica needs to find a living master and to catch up with it.
const SYNC: Duration = Duration::from_millis(50);

/// The servers of one master name; the first one was the master when the farm started.
pub struct Group {
    pub servers: Vec<Server>,
}

/// One pretend Redis server.
pub struct Server {
    pub address: SocketAddrV4,
    pub alive: bool,
    /// Whom it follows, in the words of its `SLAVEOF`; `None` for a master.
    pub master: Option<(String, u16)>,
    run_id: String,
    starts: u32,
    replication_id: String,
    /// The lineage before the promotion, and the offset up to which it was shared.
    former: Option<(String, u64)>,
    offset: u64,
    /// Since when it runs in its present role.
    role_since: Instant,
    /// Whether the link to the master works, and since when that is so.
    linked: bool,
    link_since: Instant,
}

impl Group {
    /// A group in step: the first address is the master's, the others follow it.
    pub fn new(addresses: &[SocketAddrV4], now: Instant) -> Group {
        let lineage = identity(&addresses[0].to_string(), 0, 'l');
        let server = |(index, address): (usize, &SocketAddrV4)| Server {
            address: *address,
            alive: true,
            master: (index > 0).then(|| (addresses[0].ip().to_string(), addresses[0].port())),
            run_id: identity(&address.to_string(), 0, 'r'),
            starts: 0,
            replication_id: lineage.clone(),
            former: None,
            offset: 1,
            role_since: now,
            linked: index > 0,
            link_since: now,
        };
        Group { servers: addresses.iter().enumerate().map(server).collect() }
    }

    /// Brings the links to where they are at this time.
    pub fn settle(&mut self, now: Instant) {
        for index in 0..self.servers.len() {
            let source = self.source_of(index, now);
            let server = &self.servers[index];
            if !server.alive || server.linked == source.is_some() {
                continue;
            }
            let taken = source.map(|i| (self.servers[i].replication_id.clone(), self.servers[i].offset));
            let server = &mut self.servers[index];
            (server.linked, server.link_since) = (taken.is_some(), now);
            if let Some((lineage, offset)) = taken {
                (server.replication_id, server.offset, server.former) = (lineage, offset, None);
            }
        }
    }

    /// The server of this group that another one replicates from now.
    fn source_of(&self, index: usize, now: Instant) -> Option<usize> {
        let (host, port) = self.servers[index].master.as_ref()?;
        let named = |s: &Server| s.address.port() == *port && s.address.ip().to_string() == *host && s.alive;
        let source = self.servers.iter().position(named)?;
        let ready = |s: &Server| now >= s.role_since + SYNC || s.linked;
        (source != index && ready(&self.servers[index])).then_some(source)
    }

    /// The servers that replicate from this one now.
    pub fn followers(&self, index: usize) -> Vec<usize> {
        let own = &self.servers[index].address;
        let follows = |s: &Server| {
            let named =
                s.master.as_ref().is_some_and(|(h, p)| *p == own.port() && *h == own.ip().to_string());
            s.alive && s.linked && named
        };
        (0..self.servers.len()).filter(|i| *i != index && follows(&self.servers[*i])).collect()
    }

    /// Bytes were written to the stream of a server.
    pub fn replicate(&mut self, index: usize, bytes: usize) {
        for follower in self.followers(index) {
            self.servers[follower].offset += bytes as u64;
        }
        self.servers[index].offset += bytes as u64;
    }

    /// `SLAVEOF`; false if that changes nothing.
    pub fn follow(&mut self, index: usize, master: Option<(String, u16)>, now: Instant) -> bool {
        let server = &mut self.servers[index];
        if server.master == master {
            return false;
        }
        if master.is_none() {
            let next = identity(&server.address.to_string(), server.offset, 'l');
            server.former = Some((std::mem::replace(&mut server.replication_id, next), server.offset));
        }
        server.master = master;
        (server.role_since, server.linked, server.link_since) = (now, false, now);
        true
    }

    /// The process dies.
    pub fn stop(&mut self, index: usize) {
        self.servers[index].alive = false;
    }

    /// It starts again, with the role it had and with nothing in it.
    pub fn start(&mut self, index: usize, now: Instant) {
        let server = &mut self.servers[index];
        server.starts += 1;
        server.alive = true;
        server.run_id = identity(&server.address.to_string(), u64::from(server.starts), 'r');
        server.replication_id = identity(&server.run_id, u64::from(server.starts), 'l');
        (server.former, server.offset) = (None, 0);
        (server.role_since, server.linked, server.link_since) = (now, false, now);
    }

    /// The answer to INFO: of a real one's fields those that a Sentinel reads, and some beside them.
    pub fn info(&self, index: usize, now: Instant) -> String {
        let server = &self.servers[index];
        let mut text = format!(
            "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nos:Linux x86_64\r\nprocess_id:1\r\n\
             run_id:{}\r\ntcp_port:{}\r\nuptime_in_seconds:{}\r\nhz:10\r\n\r\n# Persistence\r\nloading:0\r\n\
             async_loading:0\r\nrdb_bgsave_in_progress:0\r\naof_enabled:0\r\n\r\n# Replication\r\nrole:{}\r\n",
            server.run_id,
            server.address.port(),
            now.saturating_duration_since(server.role_since).as_secs(),
            if server.master.is_some() { "slave" } else { "master" },
        );
        if let Some((host, port)) = &server.master {
            let state = if server.linked { "up" } else { "down" };
            text += &format!(
                "master_host:{host}\r\nmaster_port:{port}\r\nmaster_link_status:{state}\r\n\
                 master_last_io_seconds_ago:{}\r\nmaster_sync_in_progress:0\r\nslave_read_repl_offset:{offset}\r\n\
                 slave_repl_offset:{offset}\r\n",
                if server.linked { "0" } else { "-1" },
                offset = server.offset,
            );
            if !server.linked {
                let down = now.saturating_duration_since(server.link_since).as_secs();
                text += &format!("master_link_down_since_seconds:{down}\r\n");
            }
            text += "slave_priority:100\r\nslave_read_only:1\r\nreplica_announced:1\r\n";
        }
        let followers = self.followers(index);
        write!(text, "connected_slaves:{}\r\n", followers.len()).expect("a String takes all text");
        for (place, follower) in followers.into_iter().enumerate() {
            let Server { address, offset, .. } = &self.servers[follower];
            let (ip, port) = (address.ip(), address.port());
            text += &format!("slave{place}:ip={ip},port={port},state=online,offset={offset},lag=0\r\n");
        }
        let (former, shared) = match &server.former {
            Some((lineage, offset)) => (lineage.as_str(), (offset + 1).to_string()),
            None => ("0000000000000000000000000000000000000000", "-1".to_owned()),
        };
        text += &format!(
            "master_failover_state:no-failover\r\nmaster_replid:{}\r\nmaster_replid2:{former}\r\n\
             master_repl_offset:{}\r\nsecond_repl_offset:{shared}\r\nrepl_backlog_active:1\r\n",
            server.replication_id, server.offset
        );
        text
    }
}

/// Forty hexadecimal digits that belong to a server and one of its starts or promotions.
fn identity(of: &str, number: u64, kind: char) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let part = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (of, number, kind, salt).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    };
    let mut digits: String = (0..3).map(part).collect();
    digits.truncate(40);
    digits
}
