//! One real process: a data server or a Sentinel of either kind.
//!
//! The process is started through `setpriv --pdeathsig KILL`, so that it dies with the test thread that started
//! it, however that ends. It does not know what its configuration means.

use std::fs::OpenOptions;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::resp::{Client, Value};
use super::wait_for;

/// Which Sentinel a node runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The binary under test: sentineld, or whatever `SENTINELD_BIN` names.
    Subject,
    /// Debian's redis-sentinel, found in `PATH`.
    Reference,
}

impl Kind {
    /// The executable. `SENTINELD_BIN=/usr/bin/redis-sentinel` runs the whole suite against the reference.
    pub fn program(self) -> PathBuf {
        match self {
            Kind::Subject => std::env::var_os("SENTINELD_BIN")
                .map_or_else(|| env!("CARGO_BIN_EXE_sentineld").into(), PathBuf::from),
            Kind::Reference => in_path("redis-sentinel"),
        }
    }

    /// True when the binary under test is the reference itself: what we do better is then not asserted.
    pub fn is_reference(self) -> bool {
        self.program().to_string_lossy().contains("redis-sentinel")
    }
}

/// The file that the shell would run for `name`.
pub fn in_path(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").expect("PATH is set");
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed; scripts/test installs it"))
}

/// A process with a port, a configuration file and a log; killed when dropped.
pub struct Node {
    pub name: String,
    /// Where [`Node::client`] finds it: 127.0.0.1 unless changed.
    pub host: Ipv4Addr,
    pub port: u16,
    pub conf: PathBuf,
    pub log: PathBuf,
    pub program: PathBuf,
    /// Arguments after the configuration file.
    pub args: Vec<String>,
    /// More options for `setpriv`, such as `--reuid 65534`, or a command line to put in front of the program.
    pub prefix: Vec<String>,
    /// Environment variables to add.
    pub env: Vec<(String, String)>,
    /// Password sent by [`Node::client`].
    pub password: Option<String>,
    /// The working directory to start in, if it is not ours.
    pub folder: Option<PathBuf>,
    child: Option<Child>,
}

impl Node {
    /// A node that is not yet running.
    pub fn new(name: &str, program: PathBuf, port: u16, conf: PathBuf, log: PathBuf) -> Node {
        Node {
            name: name.to_owned(),
            host: Ipv4Addr::LOCALHOST,
            port,
            conf,
            log,
            program,
            args: Vec::new(),
            prefix: Vec::new(),
            env: Vec::new(),
            password: None,
            folder: None,
            child: None,
        }
    }

    /// Starts the process and waits until it answers; panics if it ends instead.
    #[track_caller]
    pub fn start(&mut self) {
        self.spawn();
        let (name, host, port) = (self.name.clone(), self.host, self.port);
        wait_for(&format!("{name} to answer on port {port}"), 20, || {
            if let Some(status) = self.ended() {
                panic!("{name} ended at its start: {status}\n{}", self.log_text());
            }
            let quickly = Duration::from_secs(1);
            Client::connect_at(host, port, quickly).is_ok_and(|mut c| c.call(&["PING"]).is_ok())
        });
    }

    /// Starts the process without waiting for anything.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "{} already runs", self.name);
        let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("a log file");
        let child = Command::new("setpriv")
            .current_dir(self.folder.as_deref().unwrap_or(Path::new(".")))
            .args(["--pdeathsig", "KILL"])
            .args(&self.prefix)
            .arg(&self.program)
            .arg(&self.conf)
            .args(&self.args)
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log)
            .spawn()
            .expect("setpriv (util-linux) starts programs");
        self.child = Some(child);
    }

    /// The exit status, once the process has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().expect("our own child can be waited for")
    }

    /// Waits for the process to end by itself.
    #[track_caller]
    pub fn wait_end(&mut self, limit_s: u64) -> ExitStatus {
        let name = self.name.clone();
        wait_for(&format!("{name} to end"), limit_s, || self.ended().is_some());
        let status = self.ended().expect("it has just ended");
        self.child = None;
        status
    }

    /// Kills the process as a crash would, and reaps it.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// The process id of the running process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the node runs").id()
    }

    /// Freezes the process: connections stay open, nothing is answered.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Ends a freeze.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid() as i32), signal).expect("our own child takes signals");
    }

    /// Whether a process was started and has not been killed since.
    pub fn is_up(&self) -> bool {
        self.child.is_some()
    }

    /// A connection, authenticated if the node has a password.
    pub fn client(&self) -> Client {
        self.try_client().unwrap_or_else(|e| panic!("{} on port {}: {e}", self.name, self.port))
    }

    fn try_client(&self) -> std::io::Result<Client> {
        let mut client = Client::connect_at(self.host, self.port, Duration::from_secs(5))?;
        if let Some(password) = &self.password {
            client.call(&["AUTH", password])?;
        }
        Ok(client)
    }

    /// One command over a connection of its own.
    #[track_caller]
    pub fn call(&self, words: &[&str]) -> Value {
        self.client().call(words).unwrap_or_else(|e| panic!("{}: no answer to {words:?}: {e}", self.name))
    }

    /// The same, for a node that may be away.
    pub fn try_call(&self, words: &[&str]) -> Option<Value> {
        self.try_client().and_then(|mut c| c.call(words)).ok()
    }

    /// One field of an INFO text; empty while the node is away.
    pub fn info(&self, section: &str, field: &str) -> String {
        let text = self.try_call(&["INFO", section]).map(|v| v.text()).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_default().to_owned()
    }

    /// The log so far.
    pub fn log_text(&self) -> String {
        text_of(&self.log)
    }

    /// Waits until the log has a text: a line may come after the answer to the command that caused it.
    #[track_caller]
    pub fn wait_log(&self, text: &str) {
        wait_for(&format!("{text:?} in the log of {}", self.name), 10, || self.log_text().contains(text));
    }

    /// The configuration file as it is now.
    pub fn conf_text(&self) -> String {
        text_of(&self.conf)
    }

    /// Resident memory in kilobytes.
    pub fn memory_kb(&self) -> u64 {
        let status = text_of(Path::new(&format!("/proc/{}/status", self.pid())));
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("a living process");
        line.trim().trim_end_matches(" kB").parse().expect("kilobytes")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// A process that left its parent (daemonized), known by its id alone; killed when dropped.
pub struct Daemon(pub u32);

impl Daemon {
    /// Whether the process exists and is not merely waiting to be reaped.
    pub fn is_alive(&self) -> bool {
        let stat = text_of(Path::new(&format!("/proc/{}/stat", self.0)));
        stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // To the kernel 0 is our whole process group, and 1 is init.
        if self.0 < 2 {
            return;
        }
        kill(Pid::from_raw(self.0 as i32), Signal::SIGKILL).ok();
    }
}

/// A whole file as text; empty if it is not there.
pub fn text_of(path: &Path) -> String {
    std::fs::read(path).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
}
