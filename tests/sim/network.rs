//! What lies between a Sentinel and the servers: connections, requests and replies on their way, publishing.

use sentineld::engine::{ConnId, ConnKind, Endpoints, Input, Tag, Target};
use sentineld::wire::Request;

use crate::redis::{Client, Role};
use crate::world::{Event, FIRST_NODE_PORT, LOCALHOST, MASTER, World};

impl World {
    pub fn connect(&mut self, node: usize, conn: ConnId, target: &Target) {
        let port = target.port;
        let reachable = match self.servers.get_mut(&port) {
            Some(server) => {
                if server.alive {
                    server.clients.insert((node, conn));
                }
                server.alive
            }
            None => self
                .nodes
                .get(usize::from(port.wrapping_sub(FIRST_NODE_PORT)))
                .is_some_and(|peer| peer.engine.is_some()),
        };
        if reachable {
            self.nodes[node].connections.insert(conn, port);
            self.feed(node, Input::Connected(conn, Endpoints { local: LOCALHOST, remote: LOCALHOST }));
        } else {
            self.feed(node, Input::Disconnected(conn, "Connection refused".into()));
        }
    }

    pub fn send(&mut self, node: usize, conn: ConnId, tag: Tag, request: Request) {
        let Some(port) = self.nodes[node].connections.get(&conn).copied() else { return };
        match &request {
            Request::Publish(hello) => {
                let durable = self.nodes[node].disk.sentinel.current_epoch;
                self.oracle.hello(node, hello, durable);
            }
            Request::ReplicaOf(None) => {
                let epoch = self.nodes[node].candidacy;
                self.oracle.promotion(node, MASTER, epoch);
            }
            _ => {}
        }
        let delay = self.latency(node as u64, u64::from(port));
        if self.servers.contains_key(&port) {
            self.later(delay, Event::Serve(port, (node, conn), tag, request));
        } else {
            let peer = usize::from(port - FIRST_NODE_PORT);
            self.later(delay, Event::Ask(peer, (node, conn), tag, request));
        }
    }

    pub fn serve(&mut self, port: u16, client: Client, tag: Tag, request: Request) {
        let (time, link_up) = (self.now, self.link_up(port));
        let replicas: Vec<u16> = self
            .servers
            .values()
            .filter(|other| other.alive && other.follows(port))
            .map(|other| other.port)
            .collect();
        let server = self.servers.get_mut(&port).expect("a known port");
        if !server.alive || !server.clients.contains(&client) {
            return;
        }
        if server.paused {
            server.backlog.push((client, tag, request));
            return;
        }
        let effect = server.serve(time, client, request, link_up, &replicas);
        if let Some(reply) = effect.reply {
            self.feed(client.0, Input::Reply(client.1, tag, reply));
        }
        self.disconnect(effect.killed);
        if let Some(hello) = effect.published {
            let subscribers: Vec<Client> = [port]
                .iter()
                .chain(&replicas)
                .filter_map(|port| self.servers.get(port))
                .flat_map(|server| server.clients.clone())
                .collect();
            for (node, conn) in subscribers.into_iter().filter(|client| client.1.kind == ConnKind::PubSub) {
                let own =
                    self.nodes[node].engine.as_ref().is_some_and(|engine| *engine.my_id() == hello.run_id);
                self.feed(node, Input::Heard(conn, (!own).then(|| hello.clone())));
            }
        }
    }

    fn link_up(&self, port: u16) -> bool {
        let Role::ReplicaOf(master, synced_at) = self.servers[&port].role else { return false };
        let master = &self.servers[&master];
        master.alive && !master.paused && self.now >= synced_at
    }

    pub fn disconnect(&mut self, clients: Vec<Client>) {
        for (node, conn) in clients {
            self.nodes[node].connections.remove(&conn);
            self.feed(node, Input::Disconnected(conn, "reset by peer".into()));
        }
    }
}
