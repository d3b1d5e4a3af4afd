//! A Debian machine with redis-sentinel installed, as far as one can be had without booting: namespaces in which the
//! package's own files lie where they belong, with another binary in the daemon's place.
//!
//! Mounts, network and processes are the machine's own: all paths and ports of the package are free, nothing outside
//! is touched, and everything ends with the process that holds the namespaces. It needs root.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::node::{Kind, in_path, text_of};
use super::world::World;
use super::{is_root, wait_for};

/// The package's files, all used as they are.
const CONF: &str = "/etc/redis/sentinel.conf";
const NEEDED: [&str; 4] = [
    CONF,
    "/etc/init.d/redis-sentinel",
    "/lib/systemd/system/redis-sentinel.service",
    "/lib/lsb/init-functions",
];

/// Run as the first process of the machine: takes its folders into place, then reaps what others leave behind.
const BOOT: &str = "set -e
mount --make-rprivate /
mount --bind $1/etc /etc/redis
mount --bind $1/lib /var/lib/redis
mount --bind $1/log /var/log/redis
mount --bind $1/run /run
mount --bind $1/redis-sentinel /usr/bin/redis-sentinel
ip link set lo up
touch $1/booted
while true; do sleep 0.1; done";

/// The machine; all its processes are killed when it is dropped.
pub struct Machine {
    holder: Child,
    /// The id, outside, of its first process.
    first: u32,
    /// The folder outside that holds `etc`, `lib`, `log` and `run`.
    pub root: PathBuf,
}

impl Machine {
    /// Why no machine can be had here, if so.
    pub fn lacks() -> Option<&'static str> {
        let possible = || Command::new("unshare").args(["-m", "-n", "-p", "-f", "true"]).status();
        if !is_root() {
            Some("it needs root")
        } else if NEEDED.iter().any(|file| !Path::new(file).exists()) {
            Some("it needs Debian's package redis-sentinel")
        } else if !possible().is_ok_and(|status| status.success()) {
            Some("namespaces can't be made here")
        } else {
            None
        }
    }

    /// Boots a machine on which `kind` is installed as /usr/bin/redis-sentinel.
    pub fn boot(world: &World, name: &str, kind: Kind) -> Machine {
        let root = world.folder(name);
        let install = "cp -L $2 $1/redis-sentinel && cd $1 && mkdir etc lib log run bin && cp /etc/redis/sentinel.conf etc/ \
            && chown -R redis:redis etc lib && chown redis:adm log && chmod 2770 etc && chmod 750 lib && chmod 2750 log \
            && chmod 640 etc/sentinel.conf && chmod 755 run redis-sentinel";
        let shell = ["-ec", install, "sh"];
        let output = Command::new("sh").args(shell).arg(&root).arg(kind.program()).output().expect("a shell");
        assert!(output.status.success(), "{output:?}");
        let mut holder = Command::new("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                "unshare",
                "--mount",
                "--net",
                "--pid",
                "--fork",
                "--kill-child=KILL",
            ])
            .args(["--mount-proc", "bash", "-c", BOOT, "bash"])
            .arg(&root)
            .stdin(Stdio::null())
            .spawn()
            .expect("unshare (util-linux) runs");
        wait_for(&format!("{name} to boot"), 20, || {
            assert!(holder.try_wait().expect("our own child").is_none(), "{name} did not boot");
            root.join("booted").exists()
        });
        let children = text_of(Path::new(&format!("/proc/{0}/task/{0}/children", holder.id())));
        let first = children.trim().parse().expect("one child");
        Machine { holder, first, root }
    }

    /// A command line to be run by a shell on the machine, as root, in its root folder.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(in_path("nsenter"));
        let target = self.first.to_string();
        command.args(["--target", &target, "--mount", "--net", "--pid", "--wdns=/", "sh", "-c", line]);
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command line to its end.
    pub fn run(&self, line: &str) -> Output {
        self.command(line).output().expect("nsenter (util-linux) runs")
    }

    /// What a command line prints, both streams, and the code it ends with.
    pub fn tells(&self, line: &str) -> (String, Option<i32>) {
        let output = self.run(&format!("exec 2>&1; {line}"));
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.holder.kill().ok();
        self.holder.wait().ok();
    }
}
