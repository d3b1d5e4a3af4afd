//! One call of a program in a folder of its own, written down in a form that two programs can be compared by.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use regex::Regex;

use super::support::node::text_of;
use super::support::{Client, Kind, World, port, wait_for};

const NOBODY: u32 = 65_534;
/// How long a call may take to end by itself or to answer.
const LIMIT_S: u64 = 40;

/// A call: in all texts `{port}` is a free port, `{dir}` the folder it is made in, and `{base}` that folder's name.
#[derive(Clone, Debug, Default)]
pub struct Call {
    args: Vec<String>,
    conf: Option<String>,
    files: Vec<(String, String)>,
    folders: Vec<String>,
    input: String,
    env: Vec<(String, String)>,
    prefix: Vec<String>,
    setup: String,
    nobody: bool,
    taken: bool,
    password: Option<String>,
    asks: Option<String>,
    keeps: Option<String>,
    watched: Vec<String>,
    but: Vec<String>,
    cut: Option<String>,
}

impl Call {
    /// A call with these words; a configuration is `s.conf`.
    pub fn new(args: &[&str]) -> Call {
        Call { args: args.iter().map(|&word| word.to_owned()).collect(), ..Call::default() }
    }

    /// More words.
    pub fn args(mut self, args: &[&str]) -> Call {
        self.args.extend(args.iter().map(|&word| word.to_owned()));
        self
    }

    /// The text of `s.conf`.
    pub fn conf(mut self, text: &str) -> Call {
        self.conf = Some(text.to_owned());
        self
    }

    /// Another file.
    pub fn file(mut self, name: &str, text: &str) -> Call {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// A folder.
    pub fn folder(mut self, name: &str) -> Call {
        self.folders.push(name.to_owned());
        self
    }

    /// What standard input gives.
    pub fn input(mut self, text: &str) -> Call {
        self.input = text.to_owned();
        self
    }

    /// Variables of the environment. Somebody listens at a `NOTIFY_SOCKET` called `notify`.
    pub fn env(mut self, env: &[(&str, &str)]) -> Call {
        self.env.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// A command line in front of the program.
    pub fn prefix(mut self, words: &[&str]) -> Call {
        self.prefix = words.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// A line of shell that runs before the program, in the same process.
    pub fn setup(mut self, line: &str) -> Call {
        self.setup = line.to_owned();
        self
    }

    /// By a user without rights, whose folder it is.
    pub fn by_nobody(mut self) -> Call {
        self.nobody = true;
        self
    }

    /// Somebody else listens on `{port}` already.
    pub fn taken(mut self) -> Call {
        self.taken = true;
        self
    }

    /// What it takes to be let in.
    pub fn password(mut self, password: &str) -> Call {
        self.password = Some(password.to_owned());
        self
    }

    /// Compares this field of INFO as well.
    pub fn asks(mut self, field: &str) -> Call {
        self.asks = Some(field.to_owned());
        self
    }

    /// Compares the lines of `s.conf` with this word as well.
    pub fn keeps(mut self, word: &str) -> Call {
        self.keeps = Some(word.to_owned());
        self
    }

    /// Compares the modes that these files have while it runs.
    pub fn watches(mut self, names: &[&str]) -> Call {
        self.watched = names.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// Leaves out the lines with a text.
    pub fn but(mut self, text: &str) -> Call {
        self.but.push(text.to_owned());
        self
    }

    /// Leaves out what comes after a text in a line.
    pub fn cut(mut self, text: &str) -> Call {
        self.cut = Some(text.to_owned());
        self
    }
}

/// Makes a call to both programs and compares.
#[track_caller]
pub fn compare(call: &Call) {
    compare_all(std::slice::from_ref(call));
}

/// Makes every call to both programs, and shows all that differ.
#[track_caller]
pub fn compare_all(calls: &[Call]) {
    let mut wrong = String::new();
    for call in calls {
        let (theirs, ours) = (perform(call, Kind::Reference), perform(call, Kind::Subject));
        if theirs != ours {
            wrong += &format!(
                "{:?} with {:?}\n  theirs:\n    {}\n  ours:\n    {}\n",
                call.args,
                call.conf,
                theirs.join("\n    "),
                ours.join("\n    ")
            );
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// A call under way.
struct Performance<'a> {
    call: &'a Call,
    world: World,
    port: u16,
    child: Child,
    /// What is written down while it runs.
    seen: Vec<String>,
}

/// The transcript of a call.
fn perform(call: &Call, kind: Kind) -> Vec<String> {
    let world = World::new();
    let port = port::reserve();
    let _taken = call.taken.then(|| TcpListener::bind(("0.0.0.0", port)).expect("a reserved port"));
    world.folder("at");
    let fill = |text: &str| fill(text, &world, port);
    call.folders.iter().for_each(|name| drop(world.folder(&format!("at/{name}"))));
    for (name, text) in call
        .files
        .iter()
        .map(|(name, text)| (name.as_str(), text))
        .chain(call.conf.iter().map(|text| ("s.conf", text)))
    {
        world.write(&format!("at/{name}"), &fill(text));
    }
    let notified = notify_socket(call, &fill);
    let child = spawn(call, kind, &world, &fill);
    let mut performance = Performance { call, world, port, child, seen: Vec::new() };
    let status = performance.run();
    performance.transcript(&status, notified)
}

fn fill(text: &str, world: &World, port: u16) -> String {
    let dir = world.path("at").display().to_string();
    text.replace("{port}", &port.to_string()).replace("{dir}", &dir).replace("{base}", "at")
}

/// The socket that `NOTIFY_SOCKET` of the call names.
fn notify_socket(call: &Call, fill: &dyn Fn(&str) -> String) -> Option<UnixDatagram> {
    let (_, name) =
        call.env.iter().find(|(name, path)| name == "NOTIFY_SOCKET" && path.ends_with("/notify"))?;
    let name = fill(name);
    let socket = match name.strip_prefix('@') {
        Some(name) => UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).expect("a short name")),
        None => UnixDatagram::bind(name),
    };
    let socket = socket.expect("a socket");
    socket.set_nonblocking(true).expect("a socket option");
    Some(socket)
}

fn spawn(call: &Call, kind: Kind, world: &World, fill: &dyn Fn(&str) -> String) -> Child {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    let mut program = kind.program();
    if call.nobody {
        program = copied_for_nobody(&program, world);
        let id = NOBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    let line = format!("{}; exec \"$@\"", if call.setup.is_empty() { ":" } else { &call.setup });
    command
        .args(["sh", "-c", &line, "sh"])
        .args(&call.prefix)
        .arg(program)
        .args(call.args.iter().map(|word| fill(word)));
    for name in ["NOTIFY_SOCKET", "UPSTART_JOB"] {
        command.env_remove(name);
    }
    command.envs(call.env.iter().map(|(name, value)| (name, fill(value))));
    let file = |name: &str| File::create(world.path(name)).expect("a file for output");
    command.current_dir(world.path("at")).stdin(Stdio::piped()).stdout(file("stdout")).stderr(file("stderr"));
    let mut child = command.spawn().expect("setpriv (util-linux) starts programs");
    // Nobody may read it, and then it is gone.
    let _ = child.stdin.take().expect("a pipe").write_all(fill(&call.input).as_bytes());
    child
}

/// A copy of a program that everybody may read; everything in the folder of the call is given to the user without rights.
fn copied_for_nobody(program: &std::path::Path, world: &World) -> PathBuf {
    let copy = world.folder("bin").join(program.file_name().expect("a program"));
    // By another process: a test that forks beside us would inherit our open file, and what is open for writing can't be run.
    let copied = Command::new("cp").arg(program).arg(&copy).status();
    assert!(copied.is_ok_and(|status| status.success()), "a copy of the program");
    let at = world.path("at");
    for path in fs::read_dir(&at)
        .expect("our folder")
        .map(|entry| entry.expect("an entry").path())
        .chain([at.clone()])
    {
        chown(&path, Some(NOBODY), Some(NOBODY)).expect("root may give files away");
    }
    copy
}

impl Performance<'_> {
    /// Waits for its end, or until it serves and then ends it.
    fn run(&mut self) -> String {
        let mut answers = false;
        wait_for(&format!("an end or an answer after {:?}", self.call.args), LIMIT_S, || {
            self.wake();
            answers = !self.call.taken && self.client().is_some();
            answers || self.ended().is_some()
        });
        if answers {
            self.look();
            kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM)
                .expect("our own child takes signals");
            wait_for("its end", LIMIT_S, || self.ended().is_some());
        }
        let status = self.child.wait().expect("our own child can be waited for");
        format!("{status}")
    }

    fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().expect("our own child can be waited for")
    }

    /// Lets it go on if it has stopped itself.
    fn wake(&mut self) {
        let stat = text_of(&PathBuf::from(format!("/proc/{}/stat", self.child.id())));
        if stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")) {
            self.seen.push("it stopped itself".into());
            kill(Pid::from_raw(self.child.id() as i32), Signal::SIGCONT)
                .expect("our own child takes signals");
        }
    }

    fn client(&self) -> Option<Client> {
        let mut client = Client::connect_with(self.port, Duration::from_secs(5)).ok()?;
        if let Some(password) = &self.call.password {
            client.call(&["AUTH", password]).ok()?;
        }
        client.call(&["PING"]).ok()?;
        Some(client)
    }

    /// Looks at what runs.
    fn look(&mut self) {
        let mut client = self.client().expect("it answered a moment ago");
        let masters = client.call(&["SENTINEL", "MASTERS"]).expect("an answer").items().len();
        self.seen.push(format!("{masters} masters"));
        if let Some(field) = &self.call.asks {
            let info = client.call(&["INFO", "server"]).expect("an answer").text();
            let line = info.lines().find(|line| line.starts_with(&format!("{field}:"))).unwrap_or_default();
            self.seen.push(line.to_owned());
        }
        // The last lines of the start may follow the first answer.
        let log = self.output();
        if log.contains("oO0OoO0OoO0Oo") {
            wait_for("the end of the start", LIMIT_S, || {
                let log = self.output();
                log.contains("Sentinel ID is ") && log.matches("+monitor").count() >= masters
            });
        }
        self.seen.extend(listeners(self.port));
        for name in &self.call.watched {
            let mode =
                fs::metadata(self.world.path("at").join(name)).map(|file| format!("{:o}", file.mode()));
            self.seen.push(format!("{name} {}", mode.unwrap_or_else(|error| error.to_string())));
        }
    }

    /// Everything it has written: both streams, and log files.
    fn output(&self) -> String {
        let logs =
            ["stdout", "at/s.log", "at/here.log", "at/stdout"].map(|name| text_of(&self.world.path(name)));
        logs.concat()
    }

    fn transcript(mut self, status: &str, notified: Option<UnixDatagram>) -> Vec<String> {
        let mut lines = vec![status.to_owned()];
        lines.append(&mut self.seen);
        if let Some(socket) = notified {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                lines.push(format!("told: {:?}", String::from_utf8_lossy(&buffer[..length])));
            }
        }
        for name in ["stdout", "stderr", "at/s.log", "at/here.log", "at/stdout"] {
            lines.extend(
                text_of(&self.world.path(name))
                    .lines()
                    .map(|line| format!("{name}: {}", without_stamp(line))),
            );
        }
        if let Some(word) = &self.call.keeps {
            let text = text_of(&self.world.path("at/s.conf"));
            lines.extend(
                text.lines()
                    .filter(|line| line.contains(word.as_str()))
                    .map(|line| format!("s.conf: {line}")),
            );
        }
        let left = fs::read_dir(self.world.path("at")).expect("our folder");
        let mut left: Vec<String> =
            left.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        left.sort();
        lines.push(format!("left: {}", left.join(" ")));
        self.masked(lines)
    }

    fn masked(&self, lines: Vec<String>) -> Vec<String> {
        let dir = self.world.path("").display().to_string();
        let shown = |line: &String| !self.call.but.iter().any(|text| line.contains(text.as_str()));
        let mut lines: Vec<String> = lines
            .into_iter()
            // What only we say: which program this really is, and where exactly a fault in the configuration is.
            .filter(|line| !line.contains("* This is sentineld ") && !line.contains(": expected "))
            .map(|line| {
                line.replace(dir.trim_end_matches('/'), "DIR").replace(&self.port.to_string(), "PORT")
            })
            .collect();
        lines.retain(shown);
        if let Some(text) = &self.call.cut {
            for line in &mut lines {
                if let Some(at) = line.find(text.as_str()) {
                    line.truncate(at + text.len());
                }
            }
        }
        lines
    }
}

/// On which addresses somebody listens on a port, from /proc.
fn listeners(port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = text_of(&PathBuf::from(format!("/proc/net/{table}")));
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = format!(":{port:04X}");
            if words[3] == LISTEN
                && let Some(address) = words[1].strip_suffix(&at)
            {
                found.push(format!("listens on {address} of {table}"));
            }
        }
    }
    found.sort();
    // A table that changes while it is read may show a line twice.
    found.dedup();
    found
}

static STAMP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\d+:X \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} ").expect("a pattern")
});
static HANDLER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\d+:signal-handler \(\d{10}\) ").expect("a pattern"));
static PID: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bpid=\d+").expect("a pattern"));
static ID: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[0-9a-f]{40}\b").expect("a pattern"));

/// A line of a log without what is of the moment.
fn without_stamp(line: &str) -> String {
    let line = STAMP.replace(line, "<now> ");
    let line = HANDLER.replace(&line, "<handler> ");
    let line = PID.replace(&line, "pid=N");
    ID.replace_all(&line, "ID").into_owned()
}
