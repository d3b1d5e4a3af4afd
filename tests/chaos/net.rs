//! The network of one fleet: a namespace for each machine, and one with the bridge that joins them.
//!
//! Each machine has an address, a routing table, a packet filter and mounts of its own. Nothing has a name outside: the namespaces belong to
//! holders, idle processes that die with the thread that made them, and what is in them (links, rules, mounts) goes when they do. So
//! nothing is left behind, however the run ends. It does not decide what is cut, and does not know what a Sentinel is.
//!
//! Where no namespaces can be made, all machines are addresses of loopback, and a proxy stands in front of each (`Place::Loopback`). Then
//! disks are the machine's own, and what is lost or cut is late, or held, within a connection.
//!
//! Invariant: the bridge's namespace, from which the judge looks at everything, is never cut from anybody.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use nix::sched::{CloneFlags, setns};

use super::place::Places;
use super::proxy::{Proxy, Weather};
use crate::support::is_root;

/// The holder of a machine's namespaces; killed when dropped.
struct Holder {
    child: Child,
    pid: u32,
}

impl Holder {
    fn start() -> Holder {
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--net", "--mount", "--propagation", "private"])
            .args(["sh", "-c", "ip link set lo up && echo ready && exec sleep 1000000"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare (util-linux) runs");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a readable pipe");
        assert_eq!(line.trim(), "ready", "the namespaces of a machine");
        Holder { pid: child.id(), child }
    }

    /// Runs a line of shell in the namespaces; panics with what it said if it fails.
    fn run(&self, line: &str) {
        if let Err(text) = self.try_run(line) {
            panic!("{line}: {text}");
        }
    }

    fn try_run(&self, line: &str) -> Result<(), String> {
        let output = self.command(line).output().expect("nsenter (util-linux) runs");
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid.to_string(), "--net", "--mount", "sh", "-ec", line]);
        command.stdin(Stdio::null());
        command
    }

    /// Takes the calling thread, and those that it starts from then on, into the network namespace.
    fn enter(pid: u32) {
        let namespace = File::open(format!("/proc/{pid}/ns/net")).expect("a living holder");
        setns(namespace, CloneFlags::CLONE_NEWNET).expect("root may enter a namespace of its own making");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The size in bytes of a Sentinel's own disk.
pub const SMALL_DISK: usize = 1024 * 1024;
/// Where a proxy listens: below the ports from which the kernel lets connections begin, one of which may be in use.
const PROXY_PORT: u16 = 16_379;

/// What keeps a Sentinel's files; the less can be done to it, the greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Disk {
    /// A file system of its own that can be filled and frozen.
    Block,
    /// One that can only be filled: there are no loop devices here.
    Memory,
    /// The one that all share: nothing is done to it.
    Shared,
}

/// A thread's way into a machine: the process that holds it, if it is one of its own.
#[derive(Clone, Copy)]
pub struct Door(Option<u32>);

impl Door {
    /// Takes the calling thread there.
    pub fn enter(self) {
        if let Some(pid) = self.0 {
            Holder::enter(pid);
        }
    }
}

/// The machines of a fleet.
pub struct Net {
    pub places: Places,
    weather: Arc<Weather>,
    /// By machine.
    proxies: BTreeMap<usize, Proxy>,
    /// What still freezes a disk, and thaws it again by itself.
    freezers: Vec<Child>,
    kind: Kind,
}

enum Kind {
    /// Each on a machine of its own, and the bridge between them.
    Namespaces(Vec<Holder>, Holder),
    /// All beside each other; the number of machines.
    Loopback(usize),
}

impl Net {
    /// Why no such network can be had here, if so.
    pub fn lacks() -> Option<&'static str> {
        if !is_root() {
            return Some("it needs root");
        }
        let works = |line: &str| {
            let run = Command::new("unshare").args(["--net", "--mount", "sh", "-ec", line]).output();
            run.is_ok_and(|output| output.status.success())
        };
        if !works("true") {
            Some("namespaces can't be made here")
        } else if !works("ip link add br0 type bridge && ip link add veth0 type veth peer name veth1") {
            Some("there are no bridges or veth links here")
        } else if !works(
            "iptables -w -A INPUT -s 10.0.0.1 -m statistic --mode random --probability 0.5 -j DROP",
        ) {
            Some("there is no iptables with its statistic module here")
        } else {
            None
        }
    }

    /// Makes a network of so many machines. If they are namespaces, the calling thread is taken into that of the bridge.
    pub fn new(machines: usize, is_loopback: bool) -> Net {
        let (places, kind) = if is_loopback {
            (Places::on_loopback(), Kind::Loopback(machines))
        } else {
            Net::on_a_bridge(machines)
        };
        Net { places, weather: Arc::default(), proxies: BTreeMap::new(), freezers: Vec::new(), kind }
    }

    fn on_a_bridge(machines: usize) -> (Places, Kind) {
        let places = Places::apart();
        let bridge = Holder::start();
        bridge.run("ip link add br0 type bridge && ip addr add 10.77.0.254/24 dev br0 && ip link set br0 up");
        let mut holders = Vec::new();
        for i in 0..machines {
            let holder = Holder::start();
            bridge.run(&format!(
                "ip link add v{i} type veth peer name eth0 netns {} && ip link set v{i} master br0 up",
                holder.pid
            ));
            holder.run(&format!("ip addr add {}/24 dev eth0 && ip link set eth0 up", places.address(i)));
            holders.push(holder);
        }
        Holder::enter(bridge.pid);
        (places, Kind::Namespaces(holders, bridge))
    }

    /// Stands in front of a machine's port, where others can't be kept from it otherwise. To be called before anybody connects.
    pub fn guard(&mut self, machine: usize, (public, own): (u16, u16)) {
        if public != own {
            let (door, weather) = (self.door(machine), self.weather.clone());
            self.proxies.insert(machine, Proxy::start(door, self.places, machine, (public, own), weather));
        }
    }

    fn holder(&self, machine: usize) -> Option<&Holder> {
        match &self.kind {
            Kind::Namespaces(holders, _) => Some(&holders[machine]),
            Kind::Loopback(_) => None,
        }
    }

    fn machines(&self) -> usize {
        match &self.kind {
            Kind::Namespaces(holders, _) => holders.len(),
            Kind::Loopback(count) => *count,
        }
    }

    /// What to put in front of a program so that it runs on a machine.
    pub fn prefix(&self, machine: usize) -> Vec<String> {
        let Some(holder) = self.holder(machine) else { return Vec::new() };
        ["nsenter", "--target", &holder.pid.to_string(), "--net", "--mount"].map(str::to_owned).to_vec()
    }

    /// The way in for a thread.
    pub fn door(&self, machine: usize) -> Door {
        Door(self.holder(machine).map(|holder| holder.pid))
    }

    /// The way of the judge, who sees everybody.
    pub fn judge(&self) -> Door {
        match &self.kind {
            Kind::Namespaces(_, bridge) => Door(Some(bridge.pid)),
            Kind::Loopback(_) => Door(None),
        }
    }

    /// Where a file of a machine is, seen from outside.
    pub fn outside(&self, machine: usize, path: &Path) -> PathBuf {
        let Some(holder) = self.holder(machine) else { return path.to_owned() };
        let root = PathBuf::from(format!("/proc/{}/root", holder.pid));
        root.join(path.strip_prefix("/").expect("an absolute path"))
    }

    /// Loses everything that goes from one machine to another, in this direction only.
    pub fn cut(&self, pairs: &[(usize, usize)]) {
        let mut rules: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (from, to) in pairs {
            let rule = format!("iptables -w -A INPUT -s {} -j DROP", self.places.address(*from));
            rules.entry(*to).or_default().push(rule);
        }
        for (machine, lines) in rules {
            match self.holder(machine) {
                Some(holder) => holder.run(&lines.join("\n")),
                None => return self.weather.cut(pairs),
            }
        }
    }

    /// Loses some of all packets.
    pub fn lose(&self, percent: u32) {
        for machine in 0..self.machines() {
            let Some(holder) = self.holder(machine) else { return self.weather.lose(percent) };
            holder.run(&format!(
                "iptables -w -A INPUT -i eth0 ! -s 10.77.0.254 -m statistic --mode random --probability 0.{percent:02} -j DROP"
            ));
        }
    }

    /// Delays what goes in and out over a port of a machine, each way. On a bridge, connections that exist are reset, and made again
    /// through a proxy.
    pub fn delay(&mut self, machine: usize, port: u16, by_ms: u64) {
        if let Some(holder) = self.holder(machine).filter(|_| !self.proxies.contains_key(&machine)) {
            let weather = self.weather.clone();
            let proxy = Proxy::start(self.door(machine), self.places, machine, (PROXY_PORT, port), weather);
            holder.run(&format!(
                "iptables -w -t nat -A PREROUTING -i eth0 ! -s 10.77.0.254 -p tcp --dport {port} -j REDIRECT --to-ports {PROXY_PORT}
                 iptables -w -A INPUT -i eth0 ! -s 10.77.0.254 -p tcp --dport {port} -j REJECT --reject-with tcp-reset"
            ));
            self.proxies.insert(machine, proxy);
        }
        if let Some(proxy) = self.proxies.get(&machine) {
            proxy.delay(by_ms);
        }
    }

    /// Takes all of that back, and waits for disks to thaw.
    pub fn heal(&mut self) {
        self.weather.heal();
        if let Kind::Namespaces(holders, _) = &self.kind {
            for holder in holders {
                holder.run("iptables -w -F INPUT; iptables -w -t nat -F PREROUTING");
            }
            self.proxies.clear();
        }
        self.proxies.values().for_each(|proxy| proxy.delay(0));
        for mut freezer in self.freezers.drain(..) {
            freezer.wait().expect("our own child");
        }
    }

    /// Puts a folder of a machine on a small disk of its own.
    pub fn small_disk(&self, machine: usize, folder: &Path) -> Disk {
        let Some(holder) = self.holder(machine) else { return Disk::Shared };
        let folder = folder.display();
        let block = format!(
            "truncate -s {SMALL_DISK} {folder}.img; mkfs.ext2 -q -m 0 {folder}.img; mount -o loop {folder}.img {folder}"
        );
        match holder.try_run(&block) {
            Ok(()) => Disk::Block,
            Err(_) => {
                holder.run(&format!("mount -t tmpfs -o size=256k none {folder}"));
                Disk::Memory
            }
        }
    }

    /// Lets every write to a machine's disk wait: `times` times for so long, with as long a pause between them. What does
    /// that lives in the machine's own namespaces and goes on if we die, so that no disk stays frozen.
    pub fn freeze(&mut self, machine: usize, folder: &Path, times: u32, ms: u64) {
        let pause = format!("{}.{:03}", ms / 1000, ms % 1000);
        let folder = folder.display();
        let line = format!(
            "i=0; while [ $i -lt {times} ]; do fsfreeze -f {folder}; sleep {pause}; fsfreeze -u {folder}; sleep {pause}; i=$((i+1)); done"
        );
        let Some(holder) = self.holder(machine) else { return };
        let child = holder.command(&line).spawn().expect("nsenter (util-linux) runs");
        self.freezers.push(child);
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for mut freezer in self.freezers.drain(..) {
            freezer.wait().ok();
        }
    }
}
