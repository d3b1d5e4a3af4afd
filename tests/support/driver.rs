//! A process that follows the master with a real client library (tests/client_libs/README.md).
//!
//! It knows how to start each driver and how to talk with it, not what a driver should find.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use serde_json::Value as Json;

use super::fleet::NAME;
use super::node::in_path;
use super::world::World;
use super::{skipped, wait_for};

/// One library in one version.
#[derive(Clone, Copy, Debug)]
pub enum Library {
    /// redis-py, from the folder that a list of requirements filled.
    Python(&'static str),
    /// A package of Node.js; the number is the oldest Node.js that it supports.
    Node(&'static str, u32),
    /// A crate.
    Rust(&'static str),
}

impl Library {
    /// All that can run here; a library that needs a newer Node.js than this machine has is reported as skipped.
    pub fn all() -> Vec<Library> {
        let node = node_version();
        let fits = |library: &Library| match library {
            Library::Node(name, oldest) if *oldest > node => {
                skipped(name, &format!("it needs Node.js {oldest}, this is {node}"));
                false
            }
            _ => true,
        };
        let all = [
            Library::Python("requirements"),
            Library::Python("requirements-resp2"),
            Library::Node("ioredis-5", 12),
            Library::Node("ioredis-6", 20),
            Library::Node("node-redis-5", 18),
            Library::Node("node-redis-6", 20),
            Library::Rust("redis-rs"),
            Library::Rust("fred"),
        ];
        all.into_iter().filter(fits).collect()
    }

    /// A name for messages, files and keys.
    pub fn name(self) -> String {
        match self {
            Library::Python("requirements") => "redis-py".into(),
            Library::Python(_) => "redis-py-resp2".into(),
            Library::Node(name, _) | Library::Rust(name) => name.into(),
        }
    }

    fn command(self) -> Command {
        let (built, sources) = (libraries(), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client_libs"));
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        match self {
            Library::Python(list) => {
                command.arg(built.join("python/venv/bin/python")).arg(sources.join("python/driver.py"));
                command.env("PYTHONPATH", built.join("python").join(list));
            }
            Library::Node(name, _) => {
                command.arg(in_path("node")).arg(sources.join("node/driver.js")).arg(name);
                command.env("NODE_PATH", built.join("node/node_modules"));
            }
            Library::Rust(name) => {
                command.arg(built.join("rust/debug/client-drivers")).arg(name);
            }
        }
        command
    }
}

/// The major version.
fn node_version() -> u32 {
    let output = Command::new(in_path("node")).arg("--version").output().expect("node runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let major = text.trim().trim_start_matches('v').split('.').next().and_then(|n| n.parse().ok());
    major.unwrap_or_else(|| panic!("not a version of Node.js: {text:?}"))
}

/// The folder with all libraries, in the pinned versions; fetched and built when they are not there yet.
fn libraries() -> &'static Path {
    static READY: OnceLock<PathBuf> = OnceLock::new();
    READY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("client_libs");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/lib/client-libraries");
        let output = Command::new(script).arg(&folder).output().expect("bash runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    })
}

/// A running driver; killed when dropped.
pub struct Driver {
    pub library: Library,
    child: Child,
    orders: ChildStdin,
    steps: Arc<Mutex<Vec<Json>>>,
}

impl Driver {
    /// Starts a driver that writes to a key called like its library. `access` is user and password for the
    /// Sentinels, each `-` for none.
    pub fn start(world: &World, library: Library, access: (&str, &str), sentinels: &[u16]) -> Driver {
        let log = world.write(&format!("driver-{}.log", library.name()), "");
        let log = std::fs::OpenOptions::new().append(true).open(log).expect("our own log");
        let mut child = library
            .command()
            .args([NAME, &library.name(), access.0, access.1])
            .args(sentinels.iter().map(u16::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("setpriv (util-linux) starts programs");
        let orders = child.stdin.take().expect("a pipe");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let steps = Arc::new(Mutex::new(Vec::new()));
        let sink = steps.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let step = serde_json::from_str(&line).unwrap_or(Json::String(line));
                sink.lock().expect("no reader panics").push(step);
            }
        });
        Driver { library, child, orders, steps }
    }

    /// All steps of one kind so far.
    pub fn steps(&self, kind: &str) -> Vec<Json> {
        let steps = self.steps.lock().expect("no reader panics");
        steps.iter().filter(|step| step["step"] == kind).cloned().collect()
    }

    /// Waits for one more step of some kind than there were before `order` was given.
    #[track_caller]
    pub fn ask(&mut self, order: &str, answers: &[&str]) -> Json {
        let said = |driver: &Driver| answers.iter().flat_map(|kind| driver.steps(kind)).collect::<Vec<_>>();
        let before = said(self).len();
        writeln!(self.orders, "{order}").unwrap_or_else(|e| panic!("{self:?} takes no orders: {e}"));
        wait_for(&format!("{:?} to answer {order:?}", self.library), 60, || {
            self.assert_alive();
            said(self).len() > before
        });
        // Searches that fail and searches that find come one after the other: the last step is the answer.
        let steps = self.steps.lock().expect("no reader panics");
        let answer = steps.iter().rfind(|step| answers.iter().any(|kind| step["step"] == *kind));
        answer.expect("it was counted").clone()
    }

    /// Waits for a first step of a kind.
    #[track_caller]
    pub fn wait_step(&mut self, kind: &str) {
        wait_for(&format!("{kind:?} from {:?}", self.library), 60, || {
            self.assert_alive();
            !self.steps(kind).is_empty()
        });
    }

    /// Panics if the process has ended with an error.
    #[track_caller]
    pub fn assert_alive(&mut self) {
        let ended = self.child.try_wait().expect("our own child can be waited for");
        if let Some(status) = ended.filter(|status| !status.success()) {
            panic!("{self:?} ended: {status}");
        }
    }

    /// Tells it to stop, waits for its end and returns its last words.
    #[track_caller]
    pub fn stop(&mut self) -> Json {
        let end = self.ask("stop", &["end"]);
        let mut status = None;
        wait_for(&format!("the end of {:?}", self.library), 10, || {
            status = self.child.try_wait().expect("our own child can be waited for");
            status.is_some()
        });
        assert!(status.is_some_and(|s| s.success()), "{self:?} ended with {status:?}");
        end
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (its steps: ", self.library.name())?;
        let steps = self.steps.lock().expect("no reader panics");
        steps.iter().try_for_each(|step| write!(f, "{step} "))?;
        write!(f, ")")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
