//! One folder and one set of ports in which the two programs live one after the other.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::normal::normal;
use crate::support::node::Daemon;
use crate::support::{Kind, Node, Value, World, port, wait_for};

/// How many files were compared so far by this test program.
static COMPARED: AtomicUsize = AtomicUsize::new(0);

/// See the module.
pub struct Bench {
    /// The port of the Sentinel.
    pub port: u16,
    /// Ports for whatever else a case needs; nothing listens on them.
    pub others: [u16; 3],
    /// The password of the default user, for our own connections.
    pub password: Option<String>,
    pub world: World,
}

/// One program's life in the folder.
pub struct Life<'b> {
    pub bench: &'b Bench,
    pub kind: Kind,
    pub node: Node,
    /// The process, if it went into the background.
    daemon: Option<Daemon>,
    /// The files to be compared: what was done before, and the text.
    pub pictures: Vec<(String, Vec<u8>)>,
}

impl Bench {
    pub fn new() -> Bench {
        let others = [port::reserve(), port::reserve(), port::reserve()];
        Bench { port: port::reserve(), others, password: None, world: World::new() }
    }

    /// The folder, empty.
    fn emptied(&self) -> PathBuf {
        let folder = self.world.path("box");
        // A reference that was killed leaves nothing running in it.
        fs::remove_dir_all(&folder).ok();
        self.world.folder("box")
    }

    /// A text with the names of things in place of `{port}`, `{dir}`, `{one}`, `{two}` and `{three}`.
    pub fn filled(&self, text: &str) -> String {
        let dir = self.world.path("box");
        let mut text =
            text.replace("{port}", &self.port.to_string()).replace("{dir}", &dir.to_string_lossy());
        for (name, port) in ["{one}", "{two}", "{three}"].iter().zip(self.others) {
            text = text.replace(name, &port.to_string());
        }
        text
    }

    /// A program with its file, not yet running.
    pub fn life(&self, kind: Kind, text: &[u8]) -> Life<'_> {
        let folder = self.emptied();
        let conf = folder.join("s.conf");
        fs::write(&conf, text).expect("a file in our folder");
        let log = self.world.path(if kind == Kind::Subject { "subject.log" } else { "reference.log" });
        let mut node = Node::new("sentinel", kind.program(), self.port, conf, log);
        node.password = self.password.clone();
        Life { bench: self, kind, node, daemon: None, pictures: Vec::new() }
    }

    /// Runs a story with both programs, and compares their pictures; gives what the reference and what we wrote in the end.
    #[track_caller]
    pub fn both(&self, case: &str, text: &[u8], story: impl Fn(&mut Life)) -> [Vec<u8>; 2] {
        let [theirs, ours] = [Kind::Reference, Kind::Subject].map(|kind| {
            let mut life = self.life(kind, text);
            story(&mut life);
            std::mem::take(&mut life.pictures)
        });
        compare(case, &theirs, &ours);
        [theirs, ours].map(|mut pictures| pictures.pop().expect("a story has pictures").1)
    }

    /// The same file given to both: what they make of it at the first start and at a flush, and what each makes of the text that
    /// the other wrote.
    #[track_caller]
    pub fn round_trip(&self, case: &str, text: &[u8]) {
        let [theirs, ours] = self.both(case, text, |life| {
            life.start();
            life.picture("the first start");
            life.flush("a flush");
        });
        let again = |kind, text: &[u8]| {
            let mut life = self.life(kind, text);
            life.start();
            life.flush("reading what the other wrote");
            std::mem::take(&mut life.pictures)
        };
        compare(case, &again(Kind::Reference, &ours), &again(Kind::Subject, &theirs));
    }
}

impl Life<'_> {
    /// Starts the program in the folder and waits until it answers and has saved its id. It may go into the background.
    #[track_caller]
    pub fn start(&mut self) {
        self.node.folder = Some(self.bench.world.path("box"));
        self.node.spawn();
        wait_for("a Sentinel that answers and has saved its id", 30, || {
            let ended = self.node.ended().is_some_and(|status| !status.success());
            assert!(
                !ended,
                "{:?} ended at its start:\n{}\n{}",
                self.kind,
                self.node.log_text(),
                self.node.conf_text()
            );
            // However the line is spelled, it holds all but the first character as it is.
            let id = self.node.try_call(&["SENTINEL", "MYID"]).map(|id| id.text());
            id.is_some_and(|id| id.len() == 40 && self.node.conf_text().contains(&id[1..]))
        });
        let pid = self.node.info("server", "process_id").parse().unwrap_or_else(|_| self.node.pid());
        self.daemon = (pid != self.node.pid()).then(|| Daemon(pid));
    }

    /// Kills the program as a crash would.
    pub fn stop(&mut self) {
        self.node.kill9();
        let Some(daemon) = self.daemon.take() else { return };
        let pid = daemon.0;
        drop(daemon);
        wait_for("the daemon to be gone", 10, || !Path::new(&format!("/proc/{pid}/fd/0")).exists());
    }

    /// Remembers the file as it is.
    pub fn picture(&mut self, after: &str) {
        let text = fs::read(&self.node.conf).expect("the file is there");
        self.pictures.push((after.to_owned(), text));
    }

    /// Has the file written, and remembers it.
    #[track_caller]
    pub fn flush(&mut self, after: &str) {
        self.ok(&["SENTINEL", "FLUSHCONFIG"]);
        self.picture(after);
    }

    /// Waits until the file holds all of these lines.
    #[track_caller]
    pub fn await_lines(&self, lines: &[&str]) {
        let lines: Vec<String> = lines.iter().map(|line| self.bench.filled(line)).collect();
        wait_for(&format!("{:?} to write {lines:?}", self.kind), 30, || {
            let text = self.node.conf_text();
            lines.iter().all(|line| text.lines().any(|other| other == line))
        });
    }

    /// Waits until no peer is in the file any more. After a reset ours keeps them there until they are heard of again, or for three
    /// periods of hellos (docs/COMPATIBILITY.md).
    #[track_caller]
    pub fn await_no_peers(&self) {
        wait_for(&format!("{:?} to forget all peers", self.kind), 30, || {
            self.ok(&["SENTINEL", "FLUSHCONFIG"]);
            !self.node.conf_text().contains("sentinel known-sentinel ")
        });
    }

    /// Sends commands, one a line, each of which must succeed; then remembers the file.
    #[track_caller]
    pub fn tell(&mut self, commands: &str) {
        let filled = self.bench.filled(commands);
        for command in filled.lines().map(str::trim).filter(|line| !line.is_empty()) {
            // An empty word is written as ''.
            let words: Vec<&str> =
                command.split(' ').map(|word| if word == "''" { "" } else { word }).collect();
            self.ok(&words);
        }
        self.picture(&filled);
    }

    /// A command that must succeed.
    #[track_caller]
    pub fn ok(&self, words: &[&str]) -> Value {
        let answer = self.node.call(words);
        assert!(!answer.is_error(), "{:?}: {words:?}: {answer:?}", self.kind);
        answer
    }
}

impl Drop for Life<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Compares pictures of the same story.
#[track_caller]
fn compare(case: &str, theirs: &[(String, Vec<u8>)], ours: &[(String, Vec<u8>)]) {
    assert_eq!(theirs.len(), ours.len(), "{case}");
    for ((after, theirs), (_, ours)) in theirs.iter().zip(ours) {
        COMPARED.fetch_add(1, Ordering::Relaxed);
        let (theirs, ours) = (normal(theirs), normal(ours));
        assert!(theirs == ours, "{case}: after {after}\n{}", difference(&theirs, &ours));
    }
}

/// Both texts, line by line, each differing line marked.
fn difference(theirs: &str, ours: &str) -> String {
    let (mut left, mut right) = (theirs.split('\n'), ours.split('\n'));
    let mut text = String::new();
    loop {
        text += &match (left.next(), right.next()) {
            (None, None) => return text,
            (one, other) if one == other => format!("  {}\n", one.unwrap_or_default()),
            (one, other) => format!("! reference {one:?}\n! sentineld {other:?}\n"),
        };
    }
}

/// Tells how many files were compared so far, past the test runner, which hides what tests print. The last one tells the total.
pub fn report(part: &str) {
    let count = COMPARED.load(Ordering::Relaxed);
    writeln!(std::io::stdout(), "rewrite parity: {part} done, {count} pairs of files compared so far").ok();
}
