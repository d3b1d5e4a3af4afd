//! A fleet on machines of its own: one master, its replicas, the Sentinels of either kind, and the clients' machines.
//!
//! It starts, restarts and asks; it does not decide what happens to whom, nor what may follow from it.
//!
//! Machines are numbered: data nodes first, then Sentinels, then clients.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::net::{Disk, Net, SMALL_DISK};
use super::place::Places;
use crate::support::node::{in_path, text_of};
use crate::support::{Client, Kind, Node, Value, World};

/// The name under which the master is watched.
pub const NAME: &str = "mymaster";
/// One that stays with the majority, and one that is cut off together with a master.
pub const CLIENTS: usize = 2;

/// What a fleet is made of.
#[derive(Clone)]
pub struct Shape {
    pub name: &'static str,
    pub sentinels: Vec<Kind>,
    pub replicas: usize,
    /// How long an instance may be silent before it counts as down.
    pub down_after_ms: u32,
    /// How long everything may take to be in order after a heal.
    pub agree_within: Duration,
}

pub const FAILOVER_TIMEOUT_MS: u32 = 6_000;

impl Shape {
    /// True if no Sentinel is the reference, whose known weaknesses nobody can take away from it.
    pub fn is_pure(&self) -> bool {
        self.sentinels.iter().all(|kind| *kind == Kind::Subject)
    }

    fn quorum(&self) -> usize {
        self.sentinels.len() / 2 + 1
    }
}

/// A running fleet.
pub struct Fleet {
    pub shape: Shape,
    pub data: Vec<Node>,
    pub sentinels: Vec<Node>,
    pub net: Net,
    /// What keeps the Sentinels' files: the weakest of all.
    pub disk: Disk,
    folders: Vec<PathBuf>,
    pub world: World,
}

impl Fleet {
    /// Starts everything and takes the calling thread into the fleet's network.
    pub fn start(shape: Shape, is_loopback: bool) -> Fleet {
        let world = World::new();
        let net = Net::new(1 + shape.replicas + shape.sentinels.len() + CLIENTS, is_loopback);
        let (data, sentinels, folders) = (Vec::new(), Vec::new(), Vec::new());
        let mut fleet = Fleet { shape, data, sentinels, net, disk: Disk::Block, folders, world };
        (0..=fleet.shape.replicas).for_each(|i| fleet.add_data(i));
        (0..fleet.shape.sentinels.len()).for_each(|i| fleet.add_sentinel(i));
        fleet
    }

    /// Data that was acknowledged survives kill -9: the append-only file is written before the answer.
    fn add_data(&mut self, i: usize) {
        let (name, places) = (format!("data{i}"), self.net.places);
        let (dir, address, port) = (self.world.folder(&name), places.address(i), places.data);
        let follow =
            if i == 0 { String::new() } else { format!("replicaof {} {}\n", places.address(0), port.public) };
        let text = format!(
            "port {}\nbind {address}\nbind-source-addr {address}\nprotected-mode no\ndir {}\nsave \"\"\nappendonly yes\nappendfsync no\n\
             repl-diskless-sync-delay 0\nrepl-timeout 10\nrepl-ping-replica-period 1\n\
             replica-announce-ip {address}\nreplica-announce-port {}\n{follow}",
            port.own,
            dir.display(),
            port.public
        );
        let conf = self.world.write(&format!("{name}/redis.conf"), &text);
        let log = self.world.path(&format!("{name}.log"));
        self.net.guard(i, (port.public, port.own));
        let mut node = Node::new(&name, in_path("redis-server"), port.own, conf, log);
        node.host = address;
        node.prefix = self.net.prefix(i);
        node.start();
        self.data.push(node);
    }

    fn add_sentinel(&mut self, i: usize) {
        let (name, machine, places) = (format!("sentinel{i}"), self.sentinel_machine(i), self.net.places);
        let (dir, address, port) = (self.world.folder(&name), places.address(machine), places.sentinel);
        self.disk = self.disk.max(self.net.small_disk(machine, &dir));
        let text = format!(
            "port {}\nbind {address}\nbind-source-addr {address}\nprotected-mode no\ndir {}\n\
             sentinel announce-ip {address}\nsentinel announce-port {}\n\
             sentinel monitor {NAME} {} {} {}\nsentinel down-after-milliseconds {NAME} {}\n\
             sentinel failover-timeout {NAME} {FAILOVER_TIMEOUT_MS}\n",
            port.own,
            dir.display(),
            port.public,
            places.address(0),
            places.data.public,
            self.shape.quorum(),
            self.shape.down_after_ms
        );
        let conf = dir.join("sentinel.conf");
        std::fs::write(self.net.outside(machine, &conf), text).expect("room on a new disk");
        let log = self.world.path(&format!("{name}.log"));
        self.net.guard(machine, (port.public, port.own));
        let program = self.shape.sentinels[i].program();
        let mut node = Node::new(&name, program, port.own, conf, log);
        node.host = address;
        node.prefix = self.net.prefix(machine);
        node.start();
        self.sentinels.push(node);
        self.folders.push(dir);
    }

    /// The machine of a Sentinel.
    pub fn sentinel_machine(&self, i: usize) -> usize {
        1 + self.shape.replicas + i
    }

    /// The machine of a client.
    pub fn client_machine(&self, i: usize) -> usize {
        1 + self.shape.replicas + self.shape.sentinels.len() + i
    }

    /// The folder in which a Sentinel keeps its file.
    pub fn folder(&self, sentinel: usize) -> &PathBuf {
        &self.folders[sentinel]
    }

    /// Fills the disk of a Sentinel to the last byte. It must be one of its own: a disk that others need is never filled.
    pub fn fill_disk(&self, sentinel: usize) {
        if self.disk == Disk::Shared {
            return;
        }
        let filler =
            self.net.outside(self.sentinel_machine(sentinel), &self.folders[sentinel].join("filler"));
        let mut file = std::fs::File::create(filler).expect("a new file");
        let mut budget = 4 * SMALL_DISK;
        for size in [16 * 1024, 1024, 1] {
            while std::io::Write::write(&mut file, &vec![b'x'; size]).is_ok_and(|written| written == size) {
                budget = budget.checked_sub(size).expect("a small disk is full before this");
            }
        }
    }

    /// Makes room again on all disks.
    pub fn empty_disks(&self) {
        for (i, folder) in self.folders.iter().enumerate() {
            let filler = self.net.outside(self.sentinel_machine(i), &folder.join("filler"));
            std::fs::remove_file(filler).ok();
        }
    }

    /// Wakes what is stopped and starts what is dead; the data nodes first.
    pub fn revive(&mut self) {
        for node in self.data.iter_mut().chain(&mut self.sentinels) {
            revive(node);
        }
    }

    /// The data node that a Sentinel names as master.
    pub fn named_by(&self, sentinel: usize) -> Option<usize> {
        named(&mut connect(&self.sentinels[sentinel])?, self.net.places)
    }

    /// The data node that most Sentinels name.
    pub fn master(&self) -> Option<usize> {
        let named: Vec<usize> = (0..self.sentinels.len()).filter_map(|i| self.named_by(i)).collect();
        let count = |wanted: usize| named.iter().filter(|node| **node == wanted).count();
        named.iter().copied().find(|node| count(*node) > self.sentinels.len() / 2)
    }

    /// Waits until everything is in order; the master, or what was still wrong at the end.
    pub fn agree(&self) -> Result<usize, String> {
        let started = Instant::now();
        loop {
            match self.agreed() {
                Ok(master) => return Ok(master),
                Err(why) if started.elapsed() > self.shape.agree_within => return Err(why),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    fn agreed(&self) -> Result<usize, String> {
        let mut named = Vec::new();
        for sentinel in &self.sentinels {
            named.push(self.satisfied(sentinel).map_err(|why| format!("{}: {why}", sentinel.name))?);
        }
        let master = named[0];
        if named.iter().any(|node| *node != master) {
            return Err(format!("the Sentinels name {named:?}"));
        }
        for (i, node) in self.data.iter().enumerate() {
            let wanted = if i == master { "master" } else { "slave" };
            if node.info("replication", "role") != wanted {
                return Err(format!("{} should be a {wanted}", node.name));
            }
            let follows = node.info("replication", "master_host")
                == self.net.places.address(master).to_string()
                && node.info("replication", "master_link_status") == "up";
            if i != master && !follows {
                return Err(format!("{} does not follow data{master}", node.name));
            }
        }
        Ok(master)
    }

    /// The master that a Sentinel names, if it finds nothing wrong with anybody.
    fn satisfied(&self, sentinel: &Node) -> Result<usize, String> {
        let mut client = connect(sentinel).ok_or("no answer")?;
        let mut ask = |what: &str| {
            let answer = client.call(&["SENTINEL", what, NAME]);
            answer.map_err(|e| format!("SENTINEL {what}: {e}"))
        };
        let master = ask("MASTER")?;
        let field = |key: &str| master.field(key).unwrap_or_default();
        if field("flags") != "master" {
            return Err(format!("the master's flags are {}", field("flags")));
        }
        let replicas = ask("REPLICAS")?;
        let works = |r: &Value| {
            r.field("flags").as_deref() == Some("slave")
                && r.field("master-link-status").as_deref() == Some("ok")
        };
        let working = replicas.items().iter().filter(|r| works(r)).count();
        if replicas.items().len() != self.shape.replicas || working != self.shape.replicas {
            return Err(format!("{working} of {} replicas are well", replicas.items().len()));
        }
        let peers = ask("SENTINELS")?;
        let well = peers.items().iter().filter(|p| p.field("flags").as_deref() == Some("sentinel")).count();
        if peers.items().len() != self.sentinels.len() - 1 || well != peers.items().len() {
            return Err(format!("{well} of {} peers are well", peers.items().len()));
        }
        self.net.places.machine_at(&field("ip")).ok_or_else(|| format!("the master is {}", field("ip")))
    }

    /// The log of a Sentinel.
    pub fn log_of(&self, sentinel: usize) -> String {
        text_of(&self.sentinels[sentinel].log)
    }
}

fn revive(node: &mut Node) {
    if node.is_up() && node.ended().is_some() {
        node.kill9();
    }
    if node.is_up() {
        node.thaw();
    } else {
        node.start();
    }
}

/// A connection to a node that may be away, with little patience.
fn connect(node: &Node) -> Option<Client> {
    Client::connect_at(node.host, node.port, Duration::from_millis(800)).ok()
}

/// The data node that the Sentinel behind a connection names.
pub fn named(client: &mut Client, places: Places) -> Option<usize> {
    let answer = client.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).ok()?;
    places.machine_at(answer.texts().first()?)
}
