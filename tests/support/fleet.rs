//! One master, its replicas and the Sentinels that watch them, with the questions that tests ask of them.
//!
//! Data nodes and Sentinels are known by their index; an index never changes its meaning when roles do.

use super::node::{Kind, Node};
use super::resp::Value;
use super::wait_for;
use super::watch::Watcher;
use super::world::World;

/// The name under which every fleet watches its master.
pub const NAME: &str = "mymaster";

/// How long a master may be silent. With one second, a reference leader at times calls the master it has just
/// promoted down, because it is that slow to open its new links.
pub const PATIENT_MS: u32 = 2000;

/// What kind of fleet to start.
pub struct Plan {
    /// The Sentinels, in order.
    pub sentinels: Vec<Kind>,
    pub replicas: usize,
    /// Lines added to the configuration of every data node.
    pub data_lines: Vec<String>,
    /// Lines added to the configuration of the Sentinel with this index, after its `sentinel monitor` line.
    pub sentinel_lines: fn(usize) -> Vec<String>,
    /// The quorum in the `monitor` line of the Sentinel with this index.
    pub quorum: fn(usize) -> u32,
    /// Password of the data nodes for the test's own connections.
    pub data_password: Option<String>,
    /// Password of the Sentinels for the test's own connections.
    pub sentinel_password: Option<String>,
}

impl Default for Plan {
    /// Three Sentinels under test, two replicas, quorum 2, down after two seconds.
    fn default() -> Plan {
        Plan {
            sentinels: vec![Kind::Subject; 3],
            replicas: 2,
            data_lines: Vec::new(),
            sentinel_lines: |_| timing(PATIENT_MS, 10_000),
            quorum: |_| 2,
            data_password: None,
            sentinel_password: None,
        }
    }
}

/// The two directives that say when a master is down and how long a failover may take, in milliseconds.
pub fn timing(down_after_ms: u32, failover_timeout_ms: u32) -> Vec<String> {
    vec![
        format!("sentinel down-after-milliseconds {NAME} {down_after_ms}"),
        format!("sentinel failover-timeout {NAME} {failover_timeout_ms}"),
    ]
}

/// A running fleet.
pub struct Fleet {
    pub data: Vec<Node>,
    pub sentinels: Vec<Node>,
    /// Last, so that the logs outlive the processes.
    pub world: World,
}

/// What a Sentinel must not forget when it crashes.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Memory {
    pub id: String,
    pub master: Vec<String>,
    pub config_epoch: String,
    /// The lines of its file that hold epochs and votes.
    pub epochs: Vec<String>,
    pub replicas: Vec<String>,
    pub peers: Vec<String>,
}

impl Fleet {
    /// Starts the data nodes, waits for the replicas to be in step, then starts the Sentinels and waits until
    /// all of them know everybody.
    pub fn start(plan: &Plan) -> Fleet {
        let world = World::new();
        let mut data: Vec<Node> =
            (0..=plan.replicas).map(|i| world.data(&format!("data{i}"), &plan.data_lines)).collect();
        let master_port = data[0].port;
        for (i, node) in data.iter_mut().enumerate() {
            node.password = plan.data_password.clone();
            if i > 0 {
                node.args = vec!["--replicaof".into(), "127.0.0.1".into(), master_port.to_string()];
            }
            node.start();
            // From here on its configuration file alone says whom it follows.
            node.call(&["CONFIG", "REWRITE"]);
            node.args.clear();
        }
        let sentinels = Vec::new();
        let mut fleet = Fleet { data, sentinels, world };
        (1..=plan.replicas).for_each(|i| fleet.wait_follows(i, 0));
        for (i, kind) in plan.sentinels.iter().enumerate() {
            let quorum = (plan.quorum)(i);
            let mut lines = vec![format!("sentinel monitor {NAME} 127.0.0.1 {master_port} {quorum}")];
            lines.extend((plan.sentinel_lines)(i));
            let mut node = fleet.world.sentinel(&format!("sentinel{i}"), *kind, &lines);
            node.password = plan.sentinel_password.clone();
            node.start();
            fleet.sentinels.push(node);
        }
        fleet.wait_healthy();
        fleet
    }

    /// The port of the master according to one Sentinel; `None` while it does not answer.
    pub fn named_by(&self, sentinel: usize) -> Option<u16> {
        let answer = self.sentinels[sentinel].try_call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])?;
        answer.texts().get(1)?.parse().ok()
    }

    /// The index of the data node with a port.
    pub fn with_port(&self, port: u16) -> usize {
        self.data.iter().position(|n| n.port == port).expect("a port of this fleet")
    }

    /// `SENTINEL MASTER` as one Sentinel sees it.
    pub fn view(&self, sentinel: usize) -> Option<Value> {
        self.sentinels[sentinel].try_call(&["SENTINEL", "MASTER", NAME])
    }

    /// Waits until every running Sentinel sees a healthy master, all replicas with their links, and all peers.
    #[track_caller]
    pub fn wait_healthy(&self) {
        for i in self.running() {
            wait_for(&format!("sentinel{i} to see a healthy fleet"), 40, || self.is_healthy(i));
        }
    }

    fn is_healthy(&self, sentinel: usize) -> bool {
        let Some(master) = self.view(sentinel) else { return false };
        let is = |key: &str, value: &str| master.field(key).as_deref() == Some(value);
        let replicas = self.sentinels[sentinel].call(&["SENTINEL", "REPLICAS", NAME]);
        let attached = |r: &Value| {
            r.field("flags").as_deref() == Some("slave")
                && r.field("master-link-status").as_deref() == Some("ok")
        };
        is("flags", "master")
            && is("num-slaves", &(self.data.len() - 1).to_string())
            && is("num-other-sentinels", &(self.sentinels.len() - 1).to_string())
            && replicas.items().iter().all(attached)
    }

    /// Indexes of the Sentinels that run.
    pub fn running(&self) -> Vec<usize> {
        (0..self.sentinels.len()).filter(|i| self.sentinels[*i].is_up()).collect()
    }

    /// Waits until data node `follower` replicates from `leader` with a working link.
    #[track_caller]
    pub fn wait_follows(&self, follower: usize, leader: usize) {
        let port = self.data[leader].port.to_string();
        let node = &self.data[follower];
        wait_for(&format!("data{follower} to follow data{leader}"), 60, || {
            node.info("replication", "master_port") == port
                && node.info("replication", "master_link_status") == "up"
        });
    }

    /// Waits until all running Sentinels name one new master, it takes writes, and all other data nodes but the
    /// old master follow it; returns the index of the new one.
    #[track_caller]
    pub fn wait_failover(&self, old: usize) -> usize {
        let old_port = self.data[old].port;
        let running = self.running();
        wait_for("all Sentinels to name one new master", 40, || {
            let named = self.named_by(running[0]);
            named.is_some_and(|p| p != old_port) && running.iter().all(|i| self.named_by(*i) == named)
        });
        let new = self.with_port(self.named_by(running[0]).expect("a Sentinel that still answers"));
        assert_eq!(self.data[new].call(&["SET", "written", "after"]), Value::Simple("OK".into()));
        for other in (0..self.data.len()).filter(|i| *i != old && *i != new) {
            self.wait_follows(other, new);
        }
        new
    }

    /// A watcher on each Sentinel.
    pub fn watch(&self) -> Vec<Watcher> {
        self.sentinels.iter().map(|s| Watcher::subscribe_as(s.port, s.password.as_deref())).collect()
    }

    /// The payload of the `+switch-master` that announces a move.
    pub fn switch_text(&self, old: usize, new: usize) -> String {
        format!("{NAME} 127.0.0.1 {} 127.0.0.1 {}", self.data[old].port, self.data[new].port)
    }

    /// What one Sentinel remembers now.
    pub fn memory(&self, sentinel: usize) -> Memory {
        let node = &self.sentinels[sentinel];
        let master = node.call(&["SENTINEL", "MASTER", NAME]);
        let all = |what: &str, key: &str| {
            let list = node.call(&["SENTINEL", what, NAME]);
            let mut found: Vec<String> = list.items().iter().filter_map(|v| v.field(key)).collect();
            found.sort();
            found
        };
        Memory {
            id: node.call(&["SENTINEL", "MYID"]).text(),
            master: node.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).texts(),
            config_epoch: master.field("config-epoch").unwrap_or_default(),
            epochs: epochs_of(&node.conf_text()),
            replicas: all("REPLICAS", "name"),
            peers: all("SENTINELS", "runid"),
        }
    }

    /// Kills every Sentinel and starts it again from its file, alone; it must remember all it knew.
    #[track_caller]
    pub fn crash_and_restart_sentinels(&mut self) {
        let before: Vec<Memory> = self.running().into_iter().map(|i| self.memory(i)).collect();
        let running = self.running();
        running.iter().for_each(|i| self.sentinels[*i].kill9());
        for (i, memory) in running.iter().zip(&before) {
            let text = self.sentinels[*i].conf_text();
            for replica in &memory.replicas {
                let line = format!("sentinel known-replica {NAME} {}", replica.replace(':', " "));
                assert!(text.contains(&line), "no {line:?} in:\n{text}");
            }
            let epoch = format!("sentinel config-epoch {NAME} {}", memory.config_epoch);
            assert!(memory.epochs.contains(&epoch), "no {epoch:?} in:\n{text}");
            self.sentinels[*i].start();
            assert_eq!(&self.memory(*i), memory, "sentinel{i} forgot something in a crash");
            self.sentinels[*i].kill9();
        }
        running.iter().for_each(|i| self.sentinels[*i].start());
        self.wait_healthy();
    }
}

/// The lines of a configuration file that say in which epoch the fleet is, and whom this Sentinel voted for last.
fn epochs_of(conf: &str) -> Vec<String> {
    let kinds = ["sentinel current-epoch ", "sentinel config-epoch ", "sentinel leader-epoch "];
    let holds = |line: &&str| kinds.iter().any(|kind| line.starts_with(kind));
    let mut lines: Vec<String> = conf.lines().filter(holds).map(str::to_owned).collect();
    lines.sort();
    lines
}
