//! The Sentinels of a mass failure: their files, their start, when they are steady, when they have recovered, what they cost.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::farm::{self, Event, Farm};
use crate::options::{Mix, Options};
use crate::support::node::text_of;
use crate::support::{Client, Node, World, port};

/// How often Sentinels are asked how things are.
const POLL: Duration = Duration::from_millis(500);
/// A second that holds no tick of the kernel's clock is unusual.
const TICKS_PER_SECOND: f64 = 100.0;

/// A farm and the Sentinels that watch it.
pub struct MassFleet {
    pub sentinels: Vec<Node>,
    pub farm: Farm,
    pub ids: Vec<String>,
    masters: usize,
    /// Last, so that the logs outlive the processes.
    _world: World,
}

/// Seconds of processor time, or with [`Cpu::per`] a number of processors.
#[derive(Clone, Copy)]
pub struct Cpu {
    pub sentinels: f64,
    pub farm: f64,
}

impl Cpu {
    /// What was used between two looks.
    pub fn since(self, before: Cpu) -> Cpu {
        Cpu { sentinels: self.sentinels - before.sentinels, farm: self.farm - before.farm }
    }

    /// The mean over a time.
    pub fn per(self, time: Duration) -> Cpu {
        Cpu { sentinels: self.sentinels / time.as_secs_f64(), farm: self.farm / time.as_secs_f64() }
    }
}

/// The name of a master.
pub fn name(group: usize) -> String {
    format!("m{group:04}")
}

impl MassFleet {
    /// Starts everything. Hellos come less often than every two seconds: among so many they would cost more than all else together,
    /// and nothing in a failover waits for a periodic one.
    pub fn start(mix: Mix, options: &Options) -> Result<MassFleet, String> {
        let farm = Farm::start(options.masters, options.replicas, options.sentinels, port::reserve());
        let world = World::new();
        let ids: Vec<String> =
            (0..options.sentinels).map(|i| format!("{:040x}", (i + 1) * 0x1357_9bdf)).collect();
        let new = |i: usize| world.sentinel(&format!("sentinel{i}"), mix.kind(i), &[]);
        let mut sentinels: Vec<Node> = (0..options.sentinels).map(new).collect();
        let ports: Vec<u16> = sentinels.iter().map(|node| node.port).collect();
        for (i, node) in sentinels.iter_mut().enumerate() {
            let text = node.conf_text() + &configuration(i, &ids, &ports, &farm, options);
            fs::write(&node.conf, text).expect("our own file");
            node.env.push(("TZ".into(), "UTC".into()));
            node.spawn();
        }
        let fleet = MassFleet { sentinels, farm, ids, masters: options.masters, _world: world };
        for node in &fleet.sentinels {
            fleet.slow_down(node, options)?;
        }
        Ok(fleet)
    }

    fn slow_down(&self, node: &Node, options: &Options) -> Result<(), String> {
        let started = Instant::now();
        let period = options.publish_period_ms.to_string();
        let words = ["SENTINEL", "DEBUG", "PUBLISH-PERIOD", &period];
        while node.try_call(&words).is_none_or(|answer| answer.text() != "OK") {
            if started.elapsed() > Duration::from_secs(options.settle_s) {
                return Err(format!("{} does not answer after its start", node.name));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Waits until every Sentinel subscribed to every server, and sees every master with its replicas and all Sentinels, none of them
    /// down, twice in a row.
    pub fn wait_steady(&mut self, limit: Duration) -> Result<(), String> {
        let started = Instant::now();
        let mut good = 0;
        while good < 2 {
            if started.elapsed() > limit {
                return Err(format!("not steady after {limit:?}: {}", self.why_not_steady()));
            }
            thread::sleep(POLL * 4);
            good = if self.why_not_steady().is_empty() { good + 1 } else { 0 };
        }
        Ok(())
    }

    /// What is missing for a steady state; empty if nothing is.
    fn why_not_steady(&mut self) -> String {
        let subscribers = self.farm.subscribers();
        if subscribers < self.sentinels.len() {
            return format!("a server has {subscribers} subscribers");
        }
        let whole = format!(",slaves={},sentinels={}", self.farm.replicas, self.sentinels.len());
        for node in &self.sentinels {
            let Some(info) = masters_of(node) else { return format!("{} does not answer", node.name) };
            let is_whole = |line: &&String| line.contains(",status=ok,") && line.ends_with(&whole);
            let good = info.iter().filter(is_whole).count();
            if good < self.masters {
                let other = info.iter().find(|line| !is_whole(line)).map_or("", String::as_str);
                return format!("{} sees {good} healthy masters, and: {other}", node.name);
            }
            let quorum =
                node.try_call(&["SENTINEL", "CKQUORUM", &name(0)]).map(|v| v.text()).unwrap_or_default();
            if !quorum.starts_with(&format!("OK {} usable", self.sentinels.len())) {
                return format!("{}: {quorum}", node.name);
            }
        }
        String::new()
    }

    /// Waits until all Sentinels name one new address for all masters; returns how many masters that is true of at the end.
    pub fn wait_recovered(&self, limit: Duration) -> usize {
        let started = Instant::now();
        loop {
            let recovered = self.recovered();
            if recovered == self.masters || started.elapsed() > limit {
                return recovered;
            }
            thread::sleep(POLL * 2);
        }
    }

    fn recovered(&self) -> usize {
        let mut named: HashMap<String, usize> = HashMap::new();
        for node in &self.sentinels {
            for line in masters_of(node).unwrap_or_default() {
                let parts: Vec<&str> = line.split(',').collect();
                if let [name, _, address, ..] = parts[..] {
                    *named.entry(format!("{name} {address}")).or_default() += 1;
                }
            }
        }
        let is_new = |group: usize| {
            let all = |server: usize| {
                let address = farm::address(group, server, self.farm.port);
                let key = format!("name={} address={address}", name(group));
                named.get(&key) == Some(&self.sentinels.len())
            };
            (1..=self.farm.replicas).any(all)
        };
        (0..self.masters).filter(|group| is_new(*group)).count()
    }

    /// Lets the dead masters return, and waits until each is told whom to follow; the times that took, in milliseconds, sorted.
    pub fn return_masters(&mut self, limit: Duration) -> Vec<f64> {
        let before = self.farm.events().len();
        let returned = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        self.farm.revive();
        let (started, port) = (Instant::now(), self.farm.port);
        loop {
            let mut times: HashMap<usize, f64> = HashMap::new();
            for event in self.farm.events().split_off(before) {
                match event {
                    Event::Follows { group, server, at, .. } if server == farm::address(group, 0, port) => {
                        times.entry(group).or_insert((at as f64 - returned as f64) / 1000.0);
                    }
                    _ => {}
                }
            }
            if times.len() == self.masters || started.elapsed() > limit {
                let mut times: Vec<f64> = times.into_values().collect();
                times.sort_by(f64::total_cmp);
                return times;
            }
            thread::sleep(POLL);
        }
    }

    /// Processor time used so far.
    pub fn cpu(&self) -> Cpu {
        let sum = |pids: Vec<u32>| pids.into_iter().map(seconds_of).sum();
        Cpu {
            sentinels: sum(self.sentinels.iter().map(Node::pid).collect()),
            farm: sum(self.farm.processes()),
        }
    }

    /// Copies the logs and the configuration files as they are now.
    pub fn keep_logs(&self, folder: &Path, title: &str) {
        let folder = folder.join(title.replace(' ', ""));
        fs::create_dir_all(&folder).expect("a folder for the logs");
        for node in &self.sentinels {
            fs::copy(&node.log, folder.join(format!("{}.log", node.name))).expect("a copy of a log");
            fs::copy(&node.conf, folder.join(format!("{}.conf", node.name))).expect("a copy of a file");
        }
    }
}

/// The lines of INFO about the masters, without their `masterN:`.
fn masters_of(node: &Node) -> Option<Vec<String>> {
    let mut client = Client::connect_with(node.port, Duration::from_secs(5)).ok()?;
    let text = client.call(&["INFO", "sentinel"]).ok()?.text();
    let of_master = |line: &str| {
        let (number, rest) = line.strip_prefix("master")?.split_once(':')?;
        number.parse::<usize>().is_ok().then(|| rest.to_owned())
    };
    Some(text.lines().filter_map(of_master).collect())
}

/// The file of one Sentinel, which knows everybody from the start.
fn configuration(own: usize, ids: &[String], ports: &[u16], farm: &Farm, options: &Options) -> String {
    let mut text = format!("loglevel notice\nsentinel announce-ip 127.0.0.1\nsentinel myid {}\n", ids[own]);
    let quorum = ids.len() / 2 + 1;
    for group in 0..options.masters {
        let (name, master) = (name(group), farm::address(group, 0, farm.port));
        let (ip, port) = (master.ip(), master.port());
        let Options { down_after_ms, failover_timeout_ms, .. } = options;
        write!(
            text,
            "sentinel monitor {name} {ip} {port} {quorum}\nsentinel down-after-milliseconds {name} {down_after_ms}\n\
             sentinel failover-timeout {name} {failover_timeout_ms}\n"
        )
        .expect("a String takes all text");
        for replica in 1..=farm.replicas {
            let address = farm::address(group, replica, farm.port);
            writeln!(text, "sentinel known-replica {name} {} {}", address.ip(), address.port())
                .expect("a String takes all text");
        }
        for (id, port) in ids.iter().zip(ports).filter(|(id, _)| **id != ids[own]) {
            writeln!(text, "sentinel known-sentinel {name} 127.0.0.1 {port} {id}")
                .expect("a String takes all text");
        }
    }
    text + "sentinel current-epoch 0\n"
}

/// User and system time of a process, in seconds.
fn seconds_of(pid: u32) -> f64 {
    let stat = text_of(Path::new(&format!("/proc/{pid}/stat")));
    // The name of the program, in parentheses, may hold anything.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}
