//! The network between machines: connections as pairs of byte streams, latency, loss, partitions.
//!
//! Order is kept within a connection and direction, not across. A lost packet is what TCP makes of it: everything behind it on the same
//! connection comes late. What is sent into a partition is kept and retransmitted after it; if that takes too long the sender's end
//! breaks, and the other end does not learn of it until it sends something itself: the connection is half open.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

use rand::Rng;
use rand::rngs::StdRng;
use sentineld::engine::ConnId;

use crate::clock::{MILLI, SECOND};
use crate::world::{Event, World};

/// Names one connection; never used again in a run.
pub type Wire = u32;

/// How long the kernel tries to connect.
const CONNECT_PATIENCE: u64 = 60 * SECOND;

/// Direction of bytes on a connection, as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the server.
    Up,
    /// To the client.
    Down,
}

pub enum Packet {
    /// The connection is established.
    Accepted,
    Bytes(Vec<u8>),
    /// The sender's end is closed, or was never there; the reason as the receiver's system tells it.
    Closed(&'static str),
}

#[derive(Default)]
struct Stream {
    in_flight: VecDeque<Packet>,
    /// When the last packet arrives; none sent later may overtake it.
    last: u64,
    /// What was sent into a partition.
    held: VecDeque<Packet>,
    /// Counts the stalls, so that the time-out of one that ended finds nothing.
    stalls: u32,
}

/// From a Sentinel to a server or to another Sentinel.
pub struct Connection {
    pub node: usize,
    pub conn: ConnId,
    pub from: Ipv4Addr,
    pub to: SocketAddrV4,
    pub client_open: bool,
    pub server_open: bool,
    /// What the client wrote in its present turn.
    pub unsent: Vec<u8>,
    began_at: u64,
    up: Stream,
    down: Stream,
}

impl Connection {
    fn stream(&mut self, way: Way) -> &mut Stream {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }

    fn path(&self, way: Way) -> (Ipv4Addr, Ipv4Addr) {
        match way {
            Way::Up => (self.from, *self.to.ip()),
            Way::Down => (*self.to.ip(), self.from),
        }
    }
}

pub struct Network {
    /// Shortest way of a packet, and what chance adds at most, in nanoseconds.
    pub base: u64,
    pub jitter: u64,
    /// The share of packets that have to be sent again.
    pub loss: f64,
    pub connections: BTreeMap<Wire, Connection>,
    cuts: BTreeSet<(Ipv4Addr, Ipv4Addr)>,
    next: Wire,
}

impl Network {
    pub fn new(base: u64, jitter: u64) -> Self {
        Network {
            base,
            jitter,
            loss: 0.0,
            connections: BTreeMap::new(),
            cuts: BTreeSet::new(),
            // 0 is the operator's own connection, which no network carries.
            next: 1,
        }
    }

    pub fn latency(&self, rng: &mut StdRng) -> u64 {
        self.base + rng.random_range(0..=self.jitter)
    }

    pub fn is_cut(&self, path: (Ipv4Addr, Ipv4Addr)) -> bool {
        !self.cuts.is_empty() && self.cuts.contains(&path)
    }

    /// True if bytes get through both ways.
    pub fn connects(&self, a: Ipv4Addr, b: Ipv4Addr) -> bool {
        !self.is_cut((a, b)) && !self.is_cut((b, a))
    }

    /// From now on nothing gets from the first machine to the second.
    pub fn cut(&mut self, from: Ipv4Addr, to: Ipv4Addr) {
        self.cuts.insert((from, to));
    }

    /// The directions that are cut.
    pub fn cuts(&self) -> Vec<(Ipv4Addr, Ipv4Addr)> {
        self.cuts.iter().copied().collect()
    }
}

impl World {
    /// A Sentinel opens a connection.
    pub fn open(&mut self, node: usize, conn: ConnId, to: SocketAddrV4) -> Wire {
        let wire = self.net.next;
        self.net.next += 1;
        let connection = Connection {
            node,
            conn,
            from: *self.nodes[node].address.ip(),
            to,
            client_open: true,
            server_open: false,
            unsent: Vec::new(),
            began_at: self.now,
            up: Stream::default(),
            down: Stream::default(),
        };
        self.net.connections.insert(wire, connection);
        let at = self.now + self.net.latency(&mut self.rng);
        self.queue.push(at, Event::Syn(wire));
        wire
    }

    /// The request to connect reaches the other side, or is sent once more.
    pub fn syn(&mut self, wire: Wire) {
        let Some(connection) = self.net.connections.get(&wire) else { return };
        if !connection.client_open {
            self.net.connections.remove(&wire);
            return;
        }
        let (from, to, began_at) = (connection.from, connection.to, connection.began_at);
        if self.net.is_cut((from, *to.ip())) || !self.is_powered(to) {
            let waited = self.now - began_at;
            if waited > CONNECT_PATIENCE {
                return self.deliver(wire, Way::Down, Packet::Closed("Connection timed out"));
            }
            return self.queue.push(self.now + (waited + SECOND / 2).min(4 * SECOND), Event::Syn(wire));
        }
        let accepted = self.accept(to, wire);
        if let Some(connection) = self.net.connections.get_mut(&wire) {
            connection.server_open = accepted;
        }
        let answer = if accepted { Packet::Accepted } else { Packet::Closed("Connection refused") };
        self.transmit(wire, Way::Down, answer, 0);
    }

    /// Puts a packet on its way; `extra` is how much later than now it leaves.
    pub fn transmit(&mut self, wire: Wire, way: Way, packet: Packet, extra: u64) {
        let mut at = self.now + extra + self.net.latency(&mut self.rng);
        if self.net.loss > 0.0 && self.rng.random_bool(self.net.loss) {
            at += self.rng.random_range(20..400) * MILLI;
            self.stats.faults.lost_packets += 1;
        }
        let Some(connection) = self.net.connections.get_mut(&wire) else { return };
        let stream = connection.stream(way);
        stream.last = stream.last.max(at);
        stream.in_flight.push_back(packet);
        let at = stream.last;
        self.queue.push(at, Event::Arrive(wire, way));
    }

    /// The first packet of a direction arrives, or runs into a partition.
    pub fn arrive(&mut self, wire: Wire, way: Way) {
        let Some(connection) = self.net.connections.get_mut(&wire) else { return };
        let path = connection.path(way);
        let stream = connection.stream(way);
        let Some(packet) = stream.in_flight.pop_front() else { return };
        if stream.held.is_empty() && !self.net.cuts.contains(&path) {
            return self.deliver(wire, way, packet);
        }
        stream.held.push_back(packet);
        if stream.held.len() == 1 {
            self.expect_timeout(wire, way);
        }
    }

    /// The sender's end breaks if nothing is acknowledged for so long.
    pub fn expect_timeout(&mut self, wire: Wire, way: Way) {
        let patience = self.rng.random_range(5..40) * SECOND;
        let Some(connection) = self.net.connections.get_mut(&wire) else { return };
        let stream = connection.stream(way);
        stream.stalls += 1;
        let stalls = stream.stalls;
        self.queue.push(self.now + patience, Event::Stalled(wire, way, stalls));
    }

    /// The sender gives up. Nobody tells the receiver.
    pub fn stalled(&mut self, wire: Wire, way: Way, stalls: u32) {
        let Some(connection) = self.net.connections.get_mut(&wire) else { return };
        if connection.stream(way).stalls != stalls {
            return;
        }
        self.stats.faults.half_open += 1;
        match way {
            Way::Up if connection.client_open => {
                self.deliver(wire, Way::Down, Packet::Closed("Connection timed out"))
            }
            Way::Down if connection.server_open => {
                connection.server_open = false;
                let to = connection.to;
                self.drop_session(to, wire);
            }
            _ => {}
        }
    }

    /// Bytes get through again from the first machine to the second: what was held is sent once more.
    pub fn heal(&mut self, from: Ipv4Addr, to: Ipv4Addr) {
        self.net.cuts.remove(&(from, to));
        for (wire, connection) in &mut self.net.connections {
            for way in [Way::Up, Way::Down] {
                if connection.path(way) != (from, to) {
                    continue;
                }
                let stream = connection.stream(way);
                stream.stalls += 1;
                let at = self.now + self.rng.random_range(1..400) * MILLI;
                while let Some(packet) = stream.held.pop_back() {
                    stream.in_flight.push_front(packet);
                    stream.last = stream.last.max(at);
                    let at = stream.last;
                    self.queue.push(at, Event::Arrive(*wire, way));
                }
            }
        }
    }

    /// The client's end is closed: by itself, or because its process ended.
    pub fn close(&mut self, wire: Wire) {
        let Some(connection) = self.net.connections.get_mut(&wire) else { return };
        connection.client_open = false;
        connection.unsent.clear();
        self.transmit(wire, Way::Up, Packet::Closed("Server closed the connection"), 0);
    }

    /// The server's end is closed.
    pub fn hang_up(&mut self, wire: Wire, reason: &'static str, extra: u64) {
        let Some(connection) = self.net.connections.get_mut(&wire) else { return };
        connection.server_open = false;
        self.transmit(wire, Way::Down, Packet::Closed(reason), extra);
    }
}
