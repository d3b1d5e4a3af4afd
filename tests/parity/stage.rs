//! One of the two stages: its servers, and the texts by which a play names their ports and addresses.
//!
//! Both stages use the same ports, each on an address of its own in the loopback network, so that what a Sentinel writes about them
//! differs in nothing but that address.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::mask::Masker;
use crate::play::Plan;
use crate::reply;
use crate::support::node::in_path;
use crate::support::{Kind, Node, World, port, wait_for};

/// Where the Sentinel of a kind lives. The texts are of equal length.
fn host(kind: Kind) -> Ipv4Addr {
    match kind {
        Kind::Reference => Ipv4Addr::new(127, 0, 1, 1),
        Kind::Subject => Ipv4Addr::new(127, 0, 2, 1),
    }
}

/// The ports of a play, the same on both stages: data servers, vacant ports, peers, and `s`, the Sentinel that is compared.
pub fn ports(plan: &Plan) -> Vec<(String, u16)> {
    let data = plan.data.iter().map(|(name, _)| name);
    let names = data.chain(&plan.vacant).chain(&plan.peers).cloned().chain(["s".to_owned()]);
    names.map(|name| (name, port::reserve())).collect()
}

/// A stage with its servers running.
pub struct Stage {
    pub host: Ipv4Addr,
    ports: Vec<(String, u16)>,
    nodes: Vec<Node>,
    pub world: World,
}

impl Stage {
    /// Starts everybody in order: data servers (replicas once their master has taken them), peers, then the Sentinel.
    pub fn build(plan: &Plan, ports: &[(String, u16)], kind: Kind) -> Stage {
        let mut stage =
            Stage { host: host(kind), ports: ports.to_vec(), nodes: Vec::new(), world: World::new() };
        for (name, text) in &plan.files {
            let path = stage.world.write(name, &stage.fill(&(text.join("\n") + "\n")));
            if text[0].starts_with("#!") {
                fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("our own file");
            }
        }
        for (name, master) in &plan.data {
            stage.add_data(plan, name, master.as_deref());
        }
        for (name, kind) in
            plan.peers.iter().map(|name| (name.as_str(), Kind::Reference)).chain([("s", kind)])
        {
            stage.add_sentinel(plan, name, kind);
        }
        stage
    }

    fn add_data(&mut self, plan: &Plan, name: &str, master: Option<&str>) {
        let mut lines = vec![
            format!("port {}", self.port(name)),
            format!("bind {}", self.host),
            format!("replica-announce-ip {}", self.host),
            format!("dir {}", self.world.folder(name).display()),
            "save \"\"\nrepl-diskless-sync-delay 0\nenable-debug-command yes".to_owned(),
        ];
        if let Some(master) = master {
            lines.push(format!("replicaof {} {}", self.host, self.port(master)));
        }
        self.add(plan, name, in_path("redis-server"), lines);
        self.node_mut(name).start();
        if master.is_some() {
            let node = self.node(name);
            wait_for(&format!("{name} to follow"), 60, || {
                node.info("replication", "master_link_status") == "up"
            });
        }
    }

    fn add_sentinel(&mut self, plan: &Plan, name: &str, kind: Kind) {
        let dir = self.world.folder(name);
        let mut lines = vec![
            format!("port {}", self.port(name)),
            format!("bind {}", self.host),
            format!("dir {}", dir.display()),
        ];
        if name != "s" {
            // Connections within the loopback network come from 127.0.0.1, where nobody listens.
            lines.push(format!("sentinel announce-ip {}", self.host));
        }
        self.add(plan, name, kind.program(), lines);
        if name == "s" {
            self.node_mut(name).args = plan.args.clone();
            if plan.unstarted {
                return;
            }
        }
        self.node_mut(name).start();
    }

    fn add(&mut self, plan: &Plan, name: &str, program: std::path::PathBuf, mut lines: Vec<String>) {
        lines.extend(plan.lines.get(name).into_iter().flatten().map(|line| self.fill(line)));
        let conf = self.world.write(&format!("{name}.conf"), &(lines.join("\n") + "\n"));
        let log = self.world.path(&format!("{name}.log"));
        let mut node = Node::new(name, program, self.port(name), conf, log);
        node.host = self.host;
        self.nodes.push(node);
    }

    /// Puts this stage's values in the place of `{host}`, `{dir}` and `{NAME}`, the port of a server.
    pub fn fill(&self, text: &str) -> String {
        let dir = self.world.path("").display().to_string();
        let text = text.replace("{host}", &self.host.to_string()).replace("{dir}", dir.trim_end_matches('/'));
        self.ports
            .iter()
            .fold(text, |text, (name, port)| text.replace(&format!("{{{name}}}"), &port.to_string()))
    }

    /// What a command says and how it ends; `{program}` is the Sentinel that is compared, `{pid}` its process. A command has ten seconds.
    pub fn shell(&self, command: &str) -> Vec<String> {
        let sentinel = self.sentinel();
        let pid = if sentinel.is_up() { sentinel.pid().to_string() } else { String::new() };
        let command = self.fill(command).replace("{pid}", &pid);
        let command = command.replace("{program}", &sentinel.program.display().to_string());
        let output = Command::new("timeout")
            .args(["10", "setpriv", "--pdeathsig", "KILL", "sh", "-c"])
            .arg(format!("exec 2>&1; {command}"))
            .current_dir(self.world.path(""))
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        let mut lines: Vec<String> = output.stdout.split(|byte| *byte == b'\n').map(reply::escape).collect();
        lines.push(format!("<{}>", output.status));
        lines
    }

    /// What to hide of this stage, wherever it is shown.
    pub fn masker(&self) -> Masker {
        let dir = self.world.path("").display().to_string();
        let own = vec![
            (dir.trim_end_matches('/').to_owned(), "DIR".into()),
            (self.host.to_string(), "HOST".into()),
        ];
        Masker { own, ..Masker::default() }
    }

    fn port(&self, name: &str) -> u16 {
        self.ports.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("nobody is called {name:?}")).1
    }

    pub fn node(&self, name: &str) -> &Node {
        self.nodes
            .iter()
            .find(|node| node.name == name)
            .unwrap_or_else(|| panic!("no server is called {name:?}"))
    }

    pub fn node_mut(&mut self, name: &str) -> &mut Node {
        self.nodes
            .iter_mut()
            .find(|node| node.name == name)
            .unwrap_or_else(|| panic!("no server is called {name:?}"))
    }

    /// The Sentinel that is compared.
    pub fn sentinel(&self) -> &Node {
        self.node("s")
    }
}
