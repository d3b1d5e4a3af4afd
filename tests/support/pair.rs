//! One master with a replica, watched by the Sentinel under test and by the reference, who know each other: what a
//! tool prints of the one can be compared with what it prints of the other.

use super::fleet::{NAME, timing};
use super::node::{Kind, Node};
use super::wait_for;
use super::world::World;

/// The scene; both Sentinels agree on everything but themselves.
pub struct Pair {
    pub subject: Node,
    pub reference: Node,
    master: Node,
    replica: Node,
    /// Last, so that the logs outlive the processes.
    pub world: World,
}

impl Pair {
    /// Starts the scene and waits until both Sentinels know everybody.
    pub fn start() -> Pair {
        let world = World::new();
        let mut master = world.data("master", &[]);
        master.start();
        let mut replica = world.data("replica", &[format!("replicaof 127.0.0.1 {}", master.port)]);
        replica.start();
        let mut lines = vec![format!("sentinel monitor {NAME} 127.0.0.1 {} 2", master.port)];
        lines.extend(timing(5000, 10_000));
        let [subject, reference] =
            [("subject", Kind::Subject), ("reference", Kind::Reference)].map(|(name, kind)| {
                let mut node = world.sentinel(name, kind, &lines);
                node.start();
                node
            });
        let pair = Pair { subject, reference, master, replica, world };
        for node in pair.both() {
            let settled = |text: &str| text.contains(",status=ok,") && text.contains(",slaves=1,sentinels=2");
            wait_for(&format!("{} to know everybody", node.name), 30, || {
                let first =
                    |list: &str, key: &str| node.call(&["SENTINEL", list, NAME]).items().first()?.field(key);
                settled(&node.call(&["INFO", "sentinel"]).text())
                    && first("REPLICAS", "master-link-status").as_deref() == Some("ok")
                    && first("SENTINELS", "flags").as_deref() == Some("sentinel")
            });
        }
        pair
    }

    /// The Sentinel under test, then the reference.
    pub fn both(&self) -> [&Node; 2] {
        [&self.subject, &self.reference]
    }

    /// A tool's output with everything replaced that must differ between two Sentinels, or between two moments:
    /// ids, ports, numbers, and the blanks that align them.
    pub fn mask(&self, node: &Node, text: &str) -> String {
        let mut text = text.replace(&node.port.to_string(), "OWN-PORT");
        for one in self.both() {
            let id = one.call(&["SENTINEL", "MYID"]).text();
            let whose = if one.port == node.port { "OWN" } else { "PEER" };
            text = text.replace(&id, &format!("{whose}-ID")).replace(&id[..8], &format!("{whose}-NAME"));
            text = text.replace(&one.port.to_string(), "PEER-PORT");
            text = text.replace(&one.info("server", "run_id"), "RUN-ID");
        }
        text.lines().map(|line| squeeze(last_shown(line)) + "\n").collect()
    }
}

/// What a terminal would show of a line at its end: progress is overwritten from the left.
fn last_shown(line: &str) -> &str {
    line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default()
}

/// Numbers, with their fractions, become N; runs of blanks become one.
fn squeeze(line: &str) -> String {
    let mut out = String::new();
    for c in line.chars() {
        match c {
            '0'..='9' if out.ends_with('N') => {}
            '0'..='9' if out.ends_with("N.") => out.truncate(out.len() - 1),
            '0'..='9' => out.push('N'),
            ' ' if out.ends_with(' ') => {}
            _ => out.push(c),
        }
    }
    out.trim_end().to_owned()
}
