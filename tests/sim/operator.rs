//! What people do to a fleet: commands to Sentinels, passwords and roles of servers, machines that change their owner.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use rand::Rng;
use sentineld::wire::{Frame, ReplyDecoder};

use crate::clock::MILLI;
use crate::faults::{Fault, Mend};
use crate::node::CLIENT;
use crate::plan::server_address;
use crate::properties::words;
use crate::redis::Server;
use crate::world::{World, neighbour_address};

impl World {
    /// The address of a cluster's master: what the newest configuration on any of our disks says.
    pub fn master_of(&self, cluster: usize) -> Option<SocketAddrV4> {
        let (_, newest) = self.files(cluster, 0..self.home).max_by_key(|(_, master)| master.config_epoch)?;
        words::place(newest)
    }

    /// What a Sentinel tells a client that looks a master up.
    pub fn lookup(&mut self, node: usize, name: &str) -> Option<SocketAddrV4> {
        // On a connection of its own: nothing that waits for a disk is before it.
        self.nodes.get_mut(node)?.brain.as_ref()?;
        let answer = self.talk(node, CLIENT, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name])?;
        let mut decoder = ReplyDecoder::default();
        decoder.feed(&answer);
        let Ok(Some(Frame::Array(words))) = decoder.next_frame() else { return None };
        let [Frame::Bulk(host), Frame::Bulk(port)] = words.as_slice() else { return None };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(SocketAddrV4::new(text(host).parse().ok()?, text(port).parse().ok()?))
    }

    /// An operator does something.
    pub fn operate(&mut self, fault: Fault, node: usize, server: SocketAddrV4) {
        let cluster = self.rng.random_range(0..self.plan.clusters.len());
        let name = self.plan.clusters[cluster].name.clone();
        let tell = |world: &mut World, words: &[&str]| {
            world.order(node, words);
        };
        match fault {
            Fault::ForcedFailover => tell(self, &["SENTINEL", "FAILOVER", &name]),
            Fault::Reset => tell(self, &["SENTINEL", "RESET", &name]),
            Fault::Settings => self.change_settings(node, cluster, &name),
            Fault::Remonitor => self.monitor_again(node, cluster),
            Fault::Curiosity => match self.rng.random_range(0..4) {
                0 => tell(self, &["SENTINEL", "CKQUORUM", &name]),
                1 => tell(self, &["SENTINEL", "FLUSHCONFIG"]),
                2 => tell(self, &["SENTINEL", "DEBUG", "PUBLISH-PERIOD", "1000"]),
                _ => tell(self, &["SENTINEL", "DEBUG", "INFO-PERIOD", "5000"]),
            },
            Fault::SimulateFailure => {
                let when = ["crash-after-election", "crash-after-promotion"][self.rng.random_range(0..2)];
                tell(self, &["SENTINEL", "SIMULATE-FAILURE", when]);
                self.nodes[node].doomed = true;
                self.mend_after(15_000, 30_000, Mend::Node(node));
            }
            Fault::RogueEpoch => self.claim_epoch(node, cluster),
            _ => self.hand_made_role(server),
        }
    }

    /// A client that may publish makes up a hello with a huge epoch, of a peer or of a stranger.
    fn claim_epoch(&mut self, node: usize, cluster: usize) {
        let Some(master) = self.master_of(cluster) else { return };
        let from = self.rng.random_range(0..self.home);
        let id = if self.rng.random() { self.nodes[from].my_id.clone() } else { self.fresh_id() };
        let epoch = [1_u64 << 33, 1 << 62, u64::MAX][self.rng.random_range(0..3)];
        let configuration = if self.rng.random() { epoch } else { 0 };
        let (address, name) = (self.nodes[from].address, &self.plan.clusters[cluster].name);
        let hello = format!(
            "{},{},{id},{epoch},{name},{},{},{configuration}",
            address.ip(),
            address.port(),
            master.ip(),
            master.port()
        );
        if from != node {
            self.order(node, &["PUBLISH", "__sentinel__:hello", &hello]);
        }
    }

    fn change_settings(&mut self, node: usize, cluster: usize, name: &str) {
        let watch = self.plan.sentinels[node].watches[cluster].clone();
        let (option, now, later) = match self.rng.random_range(0..3) {
            0 => ("quorum", self.rng.random_range(1..=self.home as u64), u64::from(watch.quorum)),
            1 => ("down-after-milliseconds", self.rng.random_range(200..5_000), watch.down_after),
            _ => ("parallel-syncs", self.rng.random_range(1..4), u64::from(watch.parallel_syncs)),
        };
        self.order(node, &["SENTINEL", "SET", name, option, &now.to_string()]);
        let back = ["SENTINEL", "SET", name, option, &later.to_string()].map(str::to_owned).to_vec();
        self.mend_after(1_000, 20_000, Mend::Order(node, back));
    }

    /// Where somebody who looks finds the master: at the configured address, unless that server follows somebody, or is dead while another
    /// one is a master; then the one with the most replicas in step.
    pub fn master_in_force(&self, cluster: usize) -> Option<SocketAddrV4> {
        let Some(configured) = self.master_of(cluster) else { return self.most_followed(cluster) };
        let masters = self.servers.values();
        let masters =
            masters.filter(|server| server.cluster == cluster && server.alive && server.is_master());
        let found = masters.max_by_key(|master| {
            let mine = |server: &&Server| server.follows(master.address) && server.is_in_step();
            let replicas = self.servers.values().filter(mine).count();
            (master.address == configured, replicas, master.offset)
        });
        Some(found.map_or(configured, |server| server.address))
    }

    /// No file names the master any more: REMOVE was saved, and the disk lost the MONITOR after it. It is known by its replicas then, dead
    /// or alive.
    fn most_followed(&self, cluster: usize) -> Option<SocketAddrV4> {
        let ours = || self.servers.values().filter(move |server| server.cluster == cluster);
        let followers = |master: &Server| ours().filter(|server| server.follows(master.address)).count();
        let found = ours().max_by_key(|server| (server.is_master(), followers(server), server.offset));
        found.map(|server| server.address)
    }

    /// The address that all of a cluster are healed for: the configured one, if there is one.
    pub fn master_to_heal(&self, cluster: usize) -> Option<SocketAddrV4> {
        self.master_of(cluster).or_else(|| self.most_followed(cluster))
    }

    /// Where an operator tells a Sentinel that a master is.
    pub fn master_to_tell(&self, cluster: usize) -> Option<SocketAddrV4> {
        // Where there are others, their configuration is the one to join: another address in the same epoch would contradict it for ever.
        // If no file remembers anything, or they contradict each other, the operator has to look.
        let newest = self.files(cluster, 0..self.home).map(|(_, master)| master.config_epoch).max();
        let newest =
            self.files(cluster, 0..self.home).filter(|(_, master)| Some(master.config_epoch) == newest);
        let places: BTreeSet<(&str, u16)> =
            newest.map(|(_, master)| (master.host.as_str(), master.port)).collect();
        let looks = self.home == 1 || places.len() > 1 || self.all_forgot(cluster);
        if looks { self.master_in_force(cluster) } else { self.master_of(cluster) }
    }

    /// Takes a master out of a Sentinel's hands, and gives it back with the address that the others know, or where it is found.
    pub fn monitor_again(&mut self, node: usize, cluster: usize) {
        let Some(master) = self.master_to_tell(cluster) else { return };
        self.monitor_at(node, cluster, master);
    }

    pub fn monitor_at(&mut self, node: usize, cluster: usize, master: SocketAddrV4) {
        let name = self.plan.clusters[cluster].name.clone();
        let watch = self.plan.sentinels[node].watches[cluster].clone();
        let (ip, port, quorum) =
            (master.ip().to_string(), master.port().to_string(), watch.quorum.to_string());
        self.order(node, &["SENTINEL", "REMOVE", &name]);
        self.order(node, &["SENTINEL", "MONITOR", &name, &ip, &port, &quorum]);
        let (down_after, timeout) = (watch.down_after.to_string(), watch.failover_timeout.to_string());
        let numbers = ["down-after-milliseconds", &down_after, "failover-timeout", &timeout];
        self.order(node, &[&["SENTINEL", "SET", &name], &numbers[..]].concat());
        if let Some(password) = self.plan.clusters[cluster].password.clone() {
            self.order(node, &["SENTINEL", "SET", &name, "auth-pass", &password]);
        }
    }

    /// A server takes another password; whoever is connected stays so.
    pub fn change_password(&mut self, address: SocketAddrV4) {
        let server = self.servers.get_mut(&address).expect("a server");
        server.password = Some(b"changed".to_vec());
        let cluster = server.cluster;
        for node in 0..self.home {
            if self.rng.random() {
                self.break_links(node, address);
            }
        }
        self.note(&format!("{address} takes another password"));
        self.mend_after(2_000, 15_000, Mend::Password(address, cluster));
    }

    /// The operator has second thoughts.
    pub fn restore_password(&mut self, address: SocketAddrV4, cluster: usize) {
        let password = self.plan.clusters[cluster].password.clone();
        let server = self.servers.get_mut(&address).expect("a server");
        server.password = password.map(String::into_bytes);
    }

    /// Whom a server follows, whom that one follows, and so on, itself included.
    fn upstream(&self, address: SocketAddrV4) -> Vec<SocketAddrV4> {
        let mut chain = vec![address];
        while let Some(next) = self.servers.get(&chain[chain.len() - 1]).and_then(Server::master) {
            if chain.contains(&next) {
                break;
            }
            chain.push(next);
        }
        chain
    }

    /// A server without our data is called another cluster's, as the log says. The operator does what the log asks for: it is ours, so it is
    /// made to follow the master. No Sentinel could know: it started empty, or copied the neighbours', or missed two promotions, of which the
    /// Sentinel that calls it so has seen the last only; and it has company that nobody knows.
    pub fn bring_home(&mut self, cluster: usize) {
        let Some(master) = self.master_of(cluster) else { return };
        let history = self.servers.get(&master).map(Server::history).unwrap_or_default();
        for address in self.called_foreign.clone() {
            let now = self.now;
            let server = self.servers.get_mut(&address).filter(|server| server.cluster == cluster);
            // One that is dead may be back later, and the operator remembers.
            let Some(server) = server.filter(|server| server.alive) else { continue };
            self.called_foreign.remove(&address);
            let unknown = server.lost_data || !server.history().iter().any(|id| history.contains(id));
            if address != master && unknown && server.follow(now, master) {
                self.note(&format!("{address} is made to follow {master} by hand, as the log asks for"));
            }
        }
    }

    /// Somebody says SLAVEOF to a server without telling the Sentinels. Nobody makes one of ours follow the neighbours: that would be the
    /// order to join them.
    fn hand_made_role(&mut self, address: SocketAddrV4) {
        let cluster = self.servers[&address].cluster;
        let replicas = self.plan.clusters.get(cluster).map_or(1, |cluster| cluster.replicas);
        let other = server_address(cluster, self.rng.random_range(0..=replicas));
        let (promotes, fresh) = (self.rng.random_bool(0.5), self.fresh_id());
        let (upstream, ours) = (self.upstream(other), self.servers[&other].cluster == cluster);
        let astray = !ours || upstream.iter().any(|at| self.servers[at].cluster != cluster);
        let now = self.now;
        let server = self.servers.get_mut(&address).expect("a server");
        if !server.is_well(now) {
            return;
        }
        if promotes {
            server.become_master(&fresh);
        } else if other != address && !astray {
            server.follow(now, other);
        }
        let master = server.master();
        self.note(&format!("{address} is made to follow {master:?} by hand"));
    }

    /// A replica of ours is lost for good, and a replica of the neighbours' master appears at its address. Not that of a server which any
    /// master of ours was made to follow by hand: the master would join the neighbours by order. Nor that of one that lives and is a master:
    /// it may just have been promoted, and clients be sent to it before anybody can know of its end.
    pub fn reuse_address(&mut self) {
        let master = neighbour_address(&self.plan, 0);
        let (Some(lineage), Some(known)) =
            (self.servers.get(&master).map(|server| server.replid.clone()), self.master_of(0))
        else {
            return;
        };
        let cluster = self.plan.clusters.len();
        let masters = self.files(0, 0..self.home).filter_map(|(_, file)| words::place(file));
        let above: Vec<SocketAddrV4> =
            masters.flat_map(|master| self.upstream(master).split_off(1)).collect();
        let ours = self.servers.values().filter(|server| server.cluster == 0 && server.address != known);
        let ours = ours.filter(|server| !above.contains(&server.address));
        let ours = ours.filter(|server| !(server.alive && server.is_master()));
        // Enough of ours must be left for a failover.
        let candidates: Vec<SocketAddrV4> = ours.map(|server| server.address).collect();
        if candidates.len() < 2 {
            return;
        }
        let address = candidates[self.rng.random_range(0..candidates.len())];
        self.kill_server(address, false);
        self.promoted.remove(&address);
        let mut stranger = Server::new(address, cluster, &lineage);
        stranger.run_id = self.fresh_id();
        stranger.follow(self.now, master);
        self.servers.insert(address, stranger);
        self.note(&format!("{address} belongs to the neighbours from now on"));
        self.queue.push(self.now + MILLI, crate::world::Event::Replicate(false));
    }
}
