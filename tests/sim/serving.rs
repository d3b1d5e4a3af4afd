//! Where packets end: at a Sentinel's own connection, at its client port, or at a Redis server; and what servers do of that.

use std::net::SocketAddrV4;

use bytes::Bytes;
use sentineld::wire::request::HELLO_CHANNEL;
use sentineld::wire::{Protocol, pubsub};

use crate::clock::MILLI;
use crate::door::Session;
use crate::network::{Packet, Way, Wire};
use crate::node::Mail;
use crate::redis::{Effect, Means, Start};
use crate::trace;
use crate::world::{Event, World};

impl World {
    /// The Sentinel that listens at an address.
    pub fn node_at(&self, address: SocketAddrV4) -> Option<usize> {
        self.nodes.iter().position(|node| node.address == address)
    }

    /// True if the machine at an address is on: whoever it is asked for, it answers.
    pub fn is_powered(&self, address: SocketAddrV4) -> bool {
        match (self.servers.get(&address), self.node_at(address)) {
            (Some(server), _) => server.powered,
            (None, Some(node)) => self.nodes[node].powered,
            (None, None) => false,
        }
    }

    /// Somebody connects: false if nobody listens.
    pub fn accept(&mut self, to: SocketAddrV4, wire: Wire) -> bool {
        if let Some(server) = self.servers.get_mut(&to) {
            if server.alive {
                server.accept(wire);
            }
            return server.alive;
        }
        let Some(node) = self.node_at(to).filter(|node| self.nodes[*node].brain.is_some()) else {
            return false;
        };
        self.nodes[node].sessions.insert(wire, Session::default());
        true
    }

    /// The server's end of a connection is no more, without a word to the client.
    pub fn drop_session(&mut self, to: SocketAddrV4, wire: Wire) {
        if let Some(server) = self.servers.get_mut(&to) {
            server.forget(wire);
        } else if let Some(node) = self.node_at(to) {
            self.nodes[node].sessions.remove(&wire);
        }
    }

    /// A packet has arrived.
    pub fn deliver(&mut self, wire: Wire, way: Way, packet: Packet) {
        let Some(connection) = self.net.connections.get_mut(&wire) else { return };
        let (node, conn, to) = (connection.node, connection.conn, connection.to);
        let closes = matches!(packet, Packet::Closed(_));
        match way {
            Way::Down if connection.client_open => {
                connection.client_open &= !closes;
                self.receive(node, Mail::Link(conn, wire, packet));
            }
            // Nobody is there any more; a machine that is on says so.
            Way::Down if !closes && self.nodes[node].powered => self.reset_server_end(wire),
            Way::Down => {}
            Way::Up if connection.server_open => {
                connection.server_open &= !closes;
                self.deliver_up(to, wire, packet);
            }
            Way::Up if closes => {}
            Way::Up if self.is_powered(to) => {
                self.transmit(wire, Way::Down, Packet::Closed("Connection reset by peer"), 0);
            }
            Way::Up => self.expect_timeout(wire, Way::Up),
        }
        if let Some(connection) = self.net.connections.get(&wire)
            && !connection.client_open
            && !connection.server_open
        {
            self.net.connections.remove(&wire);
        }
    }

    fn deliver_up(&mut self, to: SocketAddrV4, wire: Wire, packet: Packet) {
        if !self.servers.contains_key(&to) {
            if let Some(node) = self.node_at(to) {
                self.receive(node, Mail::Door(wire, packet));
            }
            return;
        }
        let Packet::Bytes(bytes) = packet else { return self.drop_session(to, wire) };
        let server = self.servers.get_mut(&to).expect("just looked");
        if server.stopped || server.busy_until > self.now {
            return server.mailbox.push((wire, bytes));
        }
        self.serve(to, wire, &bytes);
    }

    /// A server goes on: everything that waits is answered.
    pub fn serve_mailbox(&mut self, address: SocketAddrV4) {
        let Some(server) = self.servers.get_mut(&address) else { return };
        if server.stopped || server.busy_until > self.now {
            return;
        }
        for (wire, bytes) in std::mem::take(&mut server.mailbox) {
            self.serve(address, wire, &bytes);
        }
    }

    fn serve(&mut self, address: SocketAddrV4, wire: Wire, bytes: &[u8]) {
        let replicas: Vec<(SocketAddrV4, u64)> = self
            .servers
            .values()
            .filter(|server| server.alive && server.follows(address) && server.is_in_step())
            .map(|server| (server.address, server.offset))
            .collect();
        let fresh_replid = self.fresh_id();
        let means = Means { now: self.now, fresh_replid: &fresh_replid, replicas: &replicas };
        let server = self.servers.get_mut(&address).expect("it was asked");
        let effect = server.serve(&means, wire, bytes);
        let delay = server.lies.delay;
        self.take_effect(address, wire, effect, delay);
    }

    fn take_effect(&mut self, address: SocketAddrV4, wire: Wire, effect: Effect, delay: u64) {
        for payload in effect.published {
            self.spread(address, &payload, 0, 0);
        }
        for killed in effect.killed {
            self.hang_up(killed, "Server closed the connection", 0);
        }
        if !effect.replies.is_empty() {
            self.transmit(wire, Way::Down, Packet::Bytes(effect.replies), delay);
        }
        if effect.moved {
            let master = self.servers[&address].master();
            trace::note(self.now, "*", &format!("{address} follows {master:?}"));
            self.queue.push(self.now + 2 * MILLI, Event::Replicate(false));
            // A full synchronisation may be short.
            self.queue.push(self.now + 8 * MILLI, Event::Replicate(false));
        }
    }

    /// A message goes to the subscribers of a server and, with the stream of replication, to those of its replicas.
    fn spread(&mut self, address: SocketAddrV4, payload: &Bytes, delay: u64, depth: usize) {
        let server = &self.servers[&address];
        if !server.is_well(self.now) || depth > 4 {
            return;
        }
        let subscribers: Vec<Wire> = server.subscribers().collect();
        let message = pubsub::message(HELLO_CHANNEL, payload.clone()).to_bytes(Protocol::Resp2);
        for wire in subscribers {
            self.transmit(wire, Way::Down, Packet::Bytes(message.to_vec()), delay);
        }
        let followers = self.servers.values().filter(|other| other.follows(address) && other.is_in_step());
        let followers: Vec<SocketAddrV4> = followers.map(|other| other.address).collect();
        for follower in followers {
            let delay = delay + self.net.latency(&mut self.rng);
            self.spread(follower, payload, delay, depth + 1);
        }
    }

    /// A server's process ends, or with it its machine.
    pub fn kill_server(&mut self, address: SocketAddrV4, with_machine: bool) {
        let Some(server) = self.servers.get_mut(&address) else { return };
        let wires = server.die();
        server.powered = !with_machine;
        self.note(&format!("{address} {}", if with_machine { "loses power" } else { "dies" }));
        for wire in wires {
            if !with_machine {
                self.hang_up(wire, "Connection reset by peer", 0);
            } else if let Some(connection) = self.net.connections.get_mut(&wire) {
                connection.server_open = false;
            }
        }
        self.queue.push(self.now + 2 * MILLI, Event::Replicate(false));
    }

    /// A dead server starts again, remembering whom it followed or not.
    pub fn restart_server(&mut self, address: SocketAddrV4, loading: u64, remembers: bool, empty: bool) {
        let start =
            Start { run_id: self.fresh_id(), loading, remembers, empty, fresh_replid: self.fresh_id() };
        let Some(server) = self.servers.get_mut(&address).filter(|server| !server.alive) else { return };
        server.restart(self.now, &start);
        self.note(&format!("{address} starts{}", if empty { " without data" } else { "" }));
    }

    pub fn stop_server(&mut self, address: SocketAddrV4) {
        if let Some(server) = self.servers.get_mut(&address).filter(|server| server.alive) {
            server.stopped = true;
            self.note(&format!("{address} is stopped"));
        }
    }

    pub fn resume_server(&mut self, address: SocketAddrV4) {
        if let Some(server) = self.servers.get_mut(&address).filter(|server| server.stopped) {
            server.stopped = false;
            self.note(&format!("{address} goes on"));
            self.serve_mailbox(address);
        }
    }

    /// Breaks the connections between a Sentinel and an address; both ends hear of it.
    pub fn break_links(&mut self, node: usize, to: SocketAddrV4) {
        let between = self.net.connections.iter().filter(|(_, link)| link.node == node && link.to == to);
        let wires: Vec<Wire> = between.map(|(wire, _)| *wire).collect();
        for wire in wires {
            self.drop_session(to, wire);
            self.hang_up(wire, "Connection reset by peer", 0);
        }
    }
}
