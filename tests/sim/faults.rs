//! Trouble: each kind strikes at random, lasts for a while, and is mended, unless the run's end comes first.

use std::net::{Ipv4Addr, SocketAddrV4};

use rand::Rng;

use crate::clock::{MILLI, SECOND};
use crate::disk::Health;
use crate::redis::{Lies, Refuses};
use crate::world::{Event, World};

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $weight:expr),* $(,)?) => {
        /// One kind of trouble.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[$doc])* $name),*
        }

        impl Fault {
            pub const ALL: [Fault; [$(Fault::$name),*].len()] = [$(Fault::$name),*];

            /// How likely it is beside the others, if the seed does not switch it off.
            pub fn weight(self) -> u32 {
                match self {
                    $(Fault::$name => $weight),*
                }
            }

            pub fn name(self) -> &'static str {
                match self {
                    $(Fault::$name => stringify!($name)),*
                }
            }
        }
    };
}

faults! {
    /// A server is killed, and restarted later with its data, or without.
    KillServer = 10,
    /// The master that most of us know is killed.
    KillMaster = 20,
    /// A server's machine loses power: its connections stay half open.
    PowerCut = 6,
    /// SIGSTOP for a server.
    StopServer = 8,
    /// A command of a server takes long.
    SlowCommand = 4,
    /// A script of a server takes too long: it answers -BUSY.
    BusyScript = 3,
    /// A server reports an offset too great, an old INFO, or answers late.
    LyingServer = 5,
    /// A replica stays behind.
    LaggingReplica = 3,
    /// A server turns down MULTI, SLAVEOF or CONFIG.
    RefusingServer = 4,
    /// A replica's priority is changed.
    Priority = 3,
    /// A server's password is changed; the operator follows later.
    Password = 2,
    /// The connections between a Sentinel and a server, or another Sentinel, break.
    BrokenLinks = 8,
    /// Nothing gets from one machine to another.
    OneWayCut = 8,
    /// Nothing gets from one machine to another, nor back.
    Cut = 8,
    /// A Sentinel is cut off from all.
    Isolation = 8,
    /// A server is cut off from all Sentinels, or from all other servers.
    LonelyServer = 8,
    /// Packets are lost everywhere.
    Loss = 4,
    /// A Sentinel is killed.
    KillSentinel = 10,
    /// A Sentinel's machine loses power.
    SentinelPowerCut = 4,
    /// SIGSTOP for a Sentinel.
    StopSentinel = 8,
    /// A Sentinel's disk is full.
    FullDisk = 5,
    /// A Sentinel's disk is slow.
    SlowDisk = 6,
    /// A Sentinel's disk does not say whether it saved.
    UnsureDisk = 3,
    /// A Sentinel's wall clock is set.
    ClockStep = 5,
    /// A Sentinel's machine is replaced by an empty one.
    Replacement = 2,
    /// An operator forces a failover.
    ForcedFailover = 3,
    /// An operator says SENTINEL RESET.
    Reset = 3,
    /// An operator changes settings of a Sentinel.
    Settings = 4,
    /// An operator removes a master from a Sentinel, and adds it again.
    Remonitor = 2,
    /// An operator asks, flushes, and plays with the debug settings.
    Curiosity = 3,
    /// Somebody tells a Sentinel of an epoch that no fleet can have reached.
    RogueEpoch = 2,
    /// An operator has a Sentinel crash in its next failover.
    SimulateFailure = 4,
    /// An operator re-points a server by hand.
    HandMadeRole = 3,
    /// A machine of ours gets lost, and its address is given to one of the neighbours.
    AddressReuse = 3,
}

/// How trouble ends.
#[derive(Clone, Debug)]
pub enum Mend {
    Server(SocketAddrV4),
    Unbusy(SocketAddrV4),
    Honest(SocketAddrV4),
    Password(SocketAddrV4, usize),
    Node(usize),
    Disk(usize),
    Heal(Ipv4Addr, Ipv4Addr),
    Loss,
    Replace(usize),
    Order(usize, Vec<String>),
}

impl World {
    /// Something goes wrong.
    pub fn strike(&mut self) {
        let total: u32 = self.plan.weights.iter().sum();
        if total == 0 {
            return;
        }
        let mut left = self.rng.random_range(0..total);
        let found = Fault::ALL.into_iter().find(|fault| {
            let weight = self.plan.weights[*fault as usize];
            let hit = left < weight;
            left = left.saturating_sub(weight);
            hit
        });
        if let Some(fault) = found {
            self.inflict(fault);
        }
    }

    /// One kind of trouble, somewhere.
    pub fn inflict(&mut self, fault: Fault) {
        *self.stats.strikes.entry(fault.name()).or_default() += 1;
        let server = self.any_server();
        let node = self.rng.random_range(0..self.home);
        match fault {
            Fault::KillServer | Fault::KillMaster | Fault::PowerCut => {
                let victim = if fault == Fault::KillMaster { self.some_master() } else { server };
                self.kill_server(victim, fault == Fault::PowerCut);
                self.mend_after(200, 25_000, Mend::Server(victim));
            }
            Fault::StopServer => {
                self.stop_server(server);
                self.mend_after(100, 20_000, Mend::Server(server));
            }
            Fault::SlowCommand => {
                let until = self.now + self.rng.random_range(50..6_000) * MILLI;
                self.servers.get_mut(&server).expect("a server").busy_until = until;
                self.queue.push(until, Event::Unbusy(server));
            }
            Fault::BusyScript => {
                self.servers.get_mut(&server).expect("a server").busy_script = true;
                self.mend_after(500, 15_000, Mend::Unbusy(server));
            }
            Fault::LyingServer | Fault::LaggingReplica | Fault::RefusingServer | Fault::Priority => {
                self.corrupt(fault, server);
            }
            Fault::Password => self.change_password(server),
            Fault::BrokenLinks => {
                let to = if self.rng.random() { server } else { self.any_peer_address() };
                self.note(&format!("the connections of {node} to {to} break"));
                self.break_links(node, to);
            }
            Fault::OneWayCut | Fault::Cut | Fault::Isolation | Fault::LonelyServer | Fault::Loss => {
                self.partition(fault, node, server);
            }
            Fault::KillSentinel | Fault::SentinelPowerCut => {
                self.kill_node(node, fault == Fault::SentinelPowerCut);
                self.mend_after(50, 15_000, Mend::Node(node));
            }
            Fault::StopSentinel => {
                self.stop_node(node);
                self.mend_after(50, 15_000, Mend::Node(node));
            }
            Fault::FullDisk | Fault::SlowDisk | Fault::UnsureDisk => {
                let health = match fault {
                    Fault::FullDisk => Health::Full,
                    Fault::SlowDisk => Health::Slow,
                    _ => Health::Unsure,
                };
                self.nodes[node].disk.health = health;
                self.note(&format!("the disk of {node} is {health:?}"));
                self.mend_after(500, 15_000, Mend::Disk(node));
            }
            Fault::ClockStep => {
                let by =
                    [1, 10, 100, 3_600][self.rng.random_range(0..4)] * self.rng.random_range(-1_000..1_000);
                self.step_clock(node, by);
            }
            Fault::Replacement => {
                self.kill_node(node, true);
                // An operator is in no hurry: elections of the time before are over (a lost disk has forgotten its votes).
                self.mend_after(12_000, 16_000, Mend::Replace(node));
            }
            Fault::ForcedFailover
            | Fault::Reset
            | Fault::Settings
            | Fault::Remonitor
            | Fault::Curiosity
            | Fault::SimulateFailure
            | Fault::RogueEpoch
            | Fault::HandMadeRole => self.operate(fault, node, server),
            Fault::AddressReuse => self.reuse_address(),
        }
    }

    fn corrupt(&mut self, fault: Fault, address: SocketAddrV4) {
        let replicas = self.connected_replicas(address);
        let kind = self.rng.random_range(0..3);
        let delay = self.rng.random_range(1..3_000) * MILLI;
        let lag = self.rng.random_range(1..100_000);
        let server = self.servers.get_mut(&address).expect("a server");
        match (fault, kind) {
            (Fault::LyingServer, 0) => server.lies.offset = 1_000_000_000,
            (Fault::LyingServer, 1) => server.lies.frozen = Some(server.info(self.now, &replicas)),
            (Fault::LyingServer, _) => server.lies.delay = delay,
            (Fault::LaggingReplica, _) => server.lag = lag,
            (Fault::Priority, kind) => server.priority = [0, 10, 100][kind],
            (_, 0) => server.refuses = Refuses { transactions: true, ..Refuses::default() },
            (_, 1) => server.refuses = Refuses { slaveof: true, ..Refuses::default() },
            (_, _) => server.refuses = Refuses { config: true, ..Refuses::default() },
        }
        self.note(&format!("{address}: {} {kind}", fault.name()));
        self.mend_after(1_000, 20_000, Mend::Honest(address));
    }

    /// Replicas in step with a server, and their offsets.
    pub fn connected_replicas(&self, address: SocketAddrV4) -> Vec<(SocketAddrV4, u64)> {
        let all = self.servers.values();
        all.filter(|server| server.alive && server.follows(address) && server.is_in_step())
            .map(|server| (server.address, server.offset))
            .collect()
    }

    fn partition(&mut self, fault: Fault, node: usize, server: SocketAddrV4) {
        let machine = self.machine(node);
        let sentinels: Vec<Ipv4Addr> = (0..self.home).map(|node| self.machine(node)).collect();
        let servers: Vec<Ipv4Addr> = self.servers.keys().map(|address| *address.ip()).collect();
        let cuts: Vec<(Ipv4Addr, Ipv4Addr)> = match fault {
            Fault::Loss => {
                self.net.loss = self.rng.random_range(0.01..0.2);
                return self.mend_after(1_000, 15_000, Mend::Loss);
            }
            Fault::Isolation => sentinels.iter().chain(&servers).map(|other| (machine, *other)).collect(),
            Fault::LonelyServer if self.rng.random() => {
                sentinels.iter().map(|other| (*server.ip(), *other)).collect()
            }
            Fault::LonelyServer => servers.iter().map(|other| (*server.ip(), *other)).collect(),
            _ if self.rng.random() => vec![(machine, *server.ip())],
            _ => vec![(machine, *self.any_peer_address().ip())],
        };
        let kind = if fault == Fault::OneWayCut { self.rng.random_range(0..2) } else { 2 };
        let lasts = self.rng.random_range(200..20_000) * MILLI;
        self.note(&format!("{} {cuts:?} {kind} for {} ms", fault.name(), lasts / MILLI));
        for (a, b) in cuts.into_iter().filter(|(a, b)| a != b) {
            for (from, to, wanted) in [(a, b, kind != 1), (b, a, kind != 0)] {
                if wanted {
                    self.net.cut(from, to);
                    self.queue.push(self.now + lasts, Event::Mend(Mend::Heal(from, to)));
                }
            }
        }
    }

    pub fn mend_after(&mut self, least: u64, most: u64, mend: Mend) {
        let at = self.now + self.rng.random_range(least..most) * MILLI;
        self.queue.push(at, Event::Mend(mend));
    }

    /// Trouble ends.
    pub fn mend(&mut self, mend: Mend) {
        match mend {
            Mend::Server(address) => {
                self.resume_server(address);
                let loading = if self.rng.random() { 0 } else { self.rng.random_range(0..5 * SECOND) };
                let (remembers, empty) = (self.rng.random_bool(0.7), self.rng.random_bool(0.25));
                self.restart_server(address, loading, remembers, empty);
            }
            Mend::Unbusy(address) => self.servers.get_mut(&address).expect("a server").busy_script = false,
            Mend::Honest(address) => {
                let server = self.servers.get_mut(&address).expect("a server");
                (server.lies, server.refuses, server.lag) = (Lies::default(), Refuses::default(), 0);
                server.priority = 100;
            }
            Mend::Password(address, cluster) => self.restore_password(address, cluster),
            Mend::Node(node) => {
                self.resume_node(node);
                self.start_node(node);
            }
            Mend::Disk(node) => self.nodes[node].disk.health = Health::Well,
            Mend::Heal(from, to) => self.heal(from, to),
            Mend::Loss => self.net.loss = 0.0,
            Mend::Replace(node) if self.nodes[node].brain.is_none() => self.replace_node(node),
            Mend::Replace(_) => {}
            Mend::Order(node, words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                self.order(node, &words);
            }
        }
    }

    /// A server of ours.
    fn any_server(&mut self) -> SocketAddrV4 {
        let clusters = self.plan.clusters.len();
        let all: Vec<SocketAddrV4> = self
            .servers
            .values()
            .filter(|server| server.cluster < clusters)
            .map(|server| server.address)
            .collect();
        all[self.rng.random_range(0..all.len())]
    }

    /// The master of a cluster, as some Sentinel's file names it.
    fn some_master(&mut self) -> SocketAddrV4 {
        let cluster = self.rng.random_range(0..self.plan.clusters.len());
        self.master_of(cluster).unwrap_or(crate::plan::server_address(cluster, 0))
    }

    fn any_peer_address(&mut self) -> SocketAddrV4 {
        let node = self.rng.random_range(0..self.home);
        self.nodes[node].address
    }
}
