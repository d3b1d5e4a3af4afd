//! What a seed fixes: who is there, how they are configured, how the network is, and which kinds of trouble may happen how often.
//!
//! Every seed switches some kinds of trouble off, so that the others meet each other more often. A flavour is a plan whose numbers were
//! changed by hand before its run: see [`Plan::with`].

use std::net::{Ipv4Addr, SocketAddrV4};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sentineld::engine::Engine;

use crate::clock::{MICRO, MILLI, SECOND};
use crate::faults::Fault;
use crate::seen::Kind;

/// Which closed weakness is open in this run, if any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opening {
    #[cfg(feature = "holes")]
    pub hole: Option<sentineld::engine::Hole>,
}

impl Opening {
    #[cfg(feature = "holes")]
    pub fn apply(self, engine: &mut Engine) {
        if let Some(hole) = self.hole {
            engine.open_hole(hole);
        }
    }

    #[cfg(not(feature = "holes"))]
    pub fn apply(self, _: &mut Engine) {}
}

/// A master with its replicas.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub name: String,
    pub replicas: usize,
    pub password: Option<String>,
    /// How long a full synchronisation takes, in nanoseconds.
    pub sync_time: u64,
    /// Bytes of replication stream for each second.
    pub write_rate: u64,
}

/// How one Sentinel watches one master. Times are in milliseconds.
#[derive(Clone, Debug)]
pub struct Watch {
    pub quorum: u32,
    pub down_after: u64,
    pub failover_timeout: u64,
    pub parallel_syncs: u32,
}

/// A Sentinel of the fleet.
#[derive(Clone, Debug)]
pub struct Sentinel {
    pub kind: Kind,
    /// For each of the fleet's clusters.
    pub watches: Vec<Watch>,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub opening: Opening,
    pub sentinels: Vec<Sentinel>,
    pub clusters: Vec<Cluster>,
    /// Another fleet, of one Sentinel with a master and a replica, that calls its master by the name of our first.
    pub neighbours: bool,
    /// Everybody knows everybody from the first file on.
    pub acquainted: bool,
    /// Shortest latency, and what chance adds at most, in nanoseconds.
    pub latency: (u64, u64),
    /// How long everything is left alone at first, in nanoseconds.
    pub calm: u64,
    /// How long trouble lasts, in nanoseconds, and how many times it strikes.
    pub trouble: u64,
    pub strikes: usize,
    /// How likely each kind of trouble is, by [`Fault`].
    pub weights: [u32; Fault::ALL.len()],
    /// Whether the liveness phase ends with one more clean failover.
    pub last_failover: bool,
}

/// Where the servers of our fleet, the Sentinels, and the neighbours are.
pub fn server_address(cluster: usize, index: usize) -> SocketAddrV4 {
    let [.., high, low] = u32::try_from(cluster).expect("few").to_be_bytes();
    // 10.1 is where the Sentinels are.
    let network = if high == 0 { 0 } else { high + 1 };
    SocketAddrV4::new(Ipv4Addr::new(10, network, low, u8::try_from(index + 1).expect("few")), 6379)
}

pub fn sentinel_address(node: usize) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 1, 0, u8::try_from(node + 1).expect("few")), 26379)
}

/// The id of a Sentinel that was given one in its first file.
pub fn run_id(node: usize) -> String {
    format!("{:08x}{:032x}", 0xa000_0000_u32 + u32::try_from(node).expect("few"), 0)
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed ^ 0x5eed_5eed);
        let sentinels = [1, 2, 3, 3, 3, 3, 4, 5, 5, 7][rng.random_range(0..10)];
        let clusters: usize = if sentinels > 4 { 1 } else { [1, 1, 1, 2, 3][rng.random_range(0..5)] };
        let acquainted = rng.random_bool(0.3);
        let clusters: Vec<Cluster> =
            (0..clusters).map(|index| cluster(&mut rng, index, acquainted)).collect();
        let watches: Vec<Watch> = clusters.iter().map(|_| watch(&mut rng, sentinels)).collect();
        let mixed = rng.random_bool(0.25);
        let sentinels = (0..sentinels).map(|_| sentinel(&mut rng, &watches, mixed)).collect();
        let base = rng.random_range(50 * MICRO..=2 * MILLI);
        let trouble = rng.random_range(15..50) * SECOND;
        let mut weights = Fault::ALL.map(Fault::weight);
        for weight in &mut weights {
            if rng.random_bool(0.4) {
                *weight = 0;
            }
        }
        Plan {
            seed,
            opening: Opening::default(),
            sentinels,
            clusters,
            neighbours: rng.random_bool(0.1),
            acquainted,
            latency: (base, base * [0, 1, 4, 10][rng.random_range(0..4)]),
            calm: rng.random_range(4_000..8_000) * MILLI,
            trouble,
            strikes: rng.random_range(6..40),
            weights,
            last_failover: rng.random_bool(0.5),
        }
    }

    /// The plan of a seed with some Sentinels of the reference, and at least one of ours, in the fleet.
    ///
    /// Without what the reference is known not to survive: an epoch that no fleet can have reached, and neighbours that call their master
    /// by the same name.
    pub fn mixed(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed ^ 0x0a1d);
        Plan::new(seed).with(|plan| {
            while plan.sentinels.len() < 2 {
                plan.sentinels.push(plan.sentinels[0].clone());
            }
            plan.neighbours = false;
            for fault in [Fault::RogueEpoch, Fault::AddressReuse] {
                plan.weights[fault as usize] = 0;
            }
            let count = rng.random_range(1..plan.sentinels.len());
            for _ in 0..count {
                let at = rng.random_range(0..plan.sentinels.len());
                plan.sentinels[at].kind = Kind::Reference;
            }
        })
    }

    /// Three Sentinels, a master and so many replicas, a good network, no trouble: for scenarios.
    pub fn plain(seed: u64, sentinels: usize, replicas: usize) -> Self {
        let mut plan = Plan::new(seed);
        let quorum = u32::try_from(sentinels / 2 + 1).expect("few");
        let watch = Watch { quorum, down_after: 1_000, failover_timeout: 20_000, parallel_syncs: 1 };
        plan.sentinels = vec![Sentinel { kind: Kind::Ours, watches: vec![watch] }; sentinels];
        plan.clusters = vec![Cluster {
            name: "mymaster".to_owned(),
            replicas,
            password: None,
            sync_time: 3 * MILLI,
            write_rate: 1_000,
        }];
        plan.neighbours = false;
        plan.acquainted = false;
        plan.latency = (50 * MICRO, 100 * MICRO);
        plan.weights = [0; Fault::ALL.len()];
        plan
    }

    /// Some Sentinels are of the reference.
    pub fn is_mixed(&self) -> bool {
        self.sentinels.iter().any(|sentinel| sentinel.kind == Kind::Reference)
    }

    /// The same with something changed.
    pub fn with(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        change(&mut self);
        self
    }

    #[allow(dead_code)]
    /// Only these kinds of trouble, each as likely as its number says.
    pub fn only(mut self, weights: &[(Fault, u32)]) -> Self {
        self.weights = [0; Fault::ALL.len()];
        for (fault, weight) in weights {
            self.weights[*fault as usize] = *weight;
        }
        self
    }

    /// The longest `down-after-milliseconds` and `failover-timeout` of anybody, in nanoseconds.
    pub fn slowest(&self) -> (u64, u64) {
        let all = || self.sentinels.iter().flat_map(|sentinel| &sentinel.watches);
        let longest = |of: fn(&Watch) -> u64| all().map(of).max().unwrap_or_default() * MILLI;
        (longest(|watch| watch.down_after), longest(|watch| watch.failover_timeout))
    }

    /// The first configuration file of a Sentinel; without an id it makes one up.
    pub fn file(&self, node: usize, with_id: bool) -> String {
        let mut text = String::from("port 26379\n");
        if with_id {
            text += &format!("sentinel myid {}\n", run_id(node));
        }
        for (index, watch) in self.sentinels[node].watches.iter().enumerate() {
            let cluster = &self.clusters[index];
            let (name, master) = (&cluster.name, server_address(index, 0));
            text += &format!("sentinel monitor {name} {} {} {}\n", master.ip(), master.port(), watch.quorum);
            text += &format!("sentinel down-after-milliseconds {name} {}\n", watch.down_after);
            text += &format!("sentinel failover-timeout {name} {}\n", watch.failover_timeout);
            text += &format!("sentinel parallel-syncs {name} {}\n", watch.parallel_syncs);
            if let Some(password) = &cluster.password {
                text += &format!("sentinel auth-pass {name} {password}\n");
            }
            if self.acquainted && with_id {
                text += &self.acquaintances(node, index);
            }
        }
        text
    }

    fn acquaintances(&self, node: usize, cluster: usize) -> String {
        let name = &self.clusters[cluster].name;
        let replicas = (1..=self.clusters[cluster].replicas).map(|index| {
            let address = server_address(cluster, index);
            format!("sentinel known-replica {name} {} {}\n", address.ip(), address.port())
        });
        let peers = (0..self.sentinels.len()).filter(|other| *other != node).map(|other| {
            let address = sentinel_address(other);
            format!("sentinel known-sentinel {name} {} {} {}\n", address.ip(), address.port(), run_id(other))
        });
        replicas.chain(peers).collect()
    }
}

fn cluster(rng: &mut StdRng, index: usize, acquainted: bool) -> Cluster {
    let least = usize::from(acquainted);
    Cluster {
        name: ["mymaster", "second", "third"][index].to_owned(),
        replicas: [0, 1, 1, 2, 2, 2, 3, 4][rng.random_range(0..8)].max(least),
        password: rng.random_bool(0.15).then(|| "secret".to_owned()),
        sync_time: rng.random_range(2..3_000) * MILLI,
        write_rate: rng.random_range(0..100_000),
    }
}

fn watch(rng: &mut StdRng, sentinels: usize) -> Watch {
    let majority = u32::try_from(sentinels / 2 + 1).expect("few");
    let most = u32::try_from(sentinels).expect("few");
    let quorum = if rng.random_bool(0.7) { majority } else { rng.random_range(1..=most) };
    let down_after = match rng.random_range(0..10) {
        0 => rng.random_range(100..300),
        1 => rng.random_range(5_000..30_000),
        _ => rng.random_range(300..5_000),
    };
    Watch {
        quorum,
        down_after,
        failover_timeout: rng.random_range(1_000..20_000),
        parallel_syncs: rng.random_range(1..4),
    }
}

/// Mostly as the others are; in a mixed fleet each has numbers of its own.
fn sentinel(rng: &mut StdRng, watches: &[Watch], mixed: bool) -> Sentinel {
    let mut watches = watches.to_vec();
    if mixed {
        for watch in &mut watches {
            watch.down_after = (watch.down_after * rng.random_range(70..160) / 100).max(100);
            watch.failover_timeout = watch.failover_timeout * rng.random_range(50..150) / 100;
            watch.parallel_syncs = rng.random_range(1..4);
        }
    }
    Sentinel { kind: Kind::Ours, watches }
}
