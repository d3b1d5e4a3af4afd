//! A farm of pretend Redis servers on real sockets, to measure Sentinels with more masters than a machine can run Redis servers.
//!
//! Groups of a master and its replicas are spread over worker processes, since a process may open only so many files; a worker is the
//! measuring program itself, started again with [`WORKER`] as its first argument. Each server has an address of its own in 127.0.0.0/8.
//! Servers answer what Sentinels ask (`client.rs`), tell a consistent story about their replication (`group.rs`), and die on command.
//! They store nothing and know no other commands.

mod client;
mod frame;
mod group;
mod worker;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddrV4;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub use worker::address;

/// The first argument of a worker process.
pub const WORKER: &str = "farm-worker";
/// Sockets that one worker may have: 20,000 open files are what an unprivileged process usually gets at most.
const SOCKETS: usize = 15_000;
/// Time for a worker to carry out an order.
const PATIENCE: Duration = Duration::from_secs(60);

/// How masters died. Times are microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Killing {
    /// When it began.
    pub from: u128,
    /// When the last of them fell silent.
    pub mute: u128,
    /// When the last connection was broken.
    pub to: u128,
}

/// Something that happened to a server. Times are microseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A worker killed this many masters.
    Killed { count: usize, when: Killing },
    /// `SLAVEOF NO ONE` from a client of this name; `changed` if the server was not a master already.
    Promoted { group: usize, server: SocketAddrV4, by: String, at: u128, changed: bool },
    /// `SLAVEOF` to an address.
    Follows { group: usize, server: SocketAddrV4, by: String, at: u128, master: String },
    /// The fewest subscribers that a living server of the worker has.
    Subscribers(usize),
    /// Servers started again.
    Revived(usize),
    /// All servers of a worker listen.
    Ready,
    /// Something that spoils the measurement.
    Problem(String),
}

/// A running farm; its processes end with it.
pub struct Farm {
    pub replicas: usize,
    pub port: u16,
    workers: Vec<(Child, ChildStdin)>,
    events: Arc<Mutex<Vec<Event>>>,
}

/// Runs a worker, if the arguments are those of one.
pub fn is_worker(args: &[String]) -> bool {
    let [word, numbers @ ..] = args else { return false };
    if word != WORKER {
        return false;
    }
    let numbers: Vec<usize> = numbers.iter().filter_map(|n| n.parse().ok()).collect();
    let [first, count, replicas, port] = numbers[..] else { panic!("a worker needs four numbers") };
    worker::run(first, count, replicas, u16::try_from(port).expect("a port"));
    true
}

impl Farm {
    /// Starts `groups` masters with some replicas each, for `watchers` Sentinels with two connections to each server.
    pub fn start(groups: usize, replicas: usize, watchers: usize, port: u16) -> Farm {
        assert!(groups <= 250 * 256 && replicas < 250, "more servers than addresses");
        let each = (replicas + 1) * (2 * watchers + 1);
        // One for each processor, so that many servers die as near to at once as they can.
        let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let needed = (groups * each).div_ceil(SOCKETS).max(processors);
        let mut farm = Farm { replicas, port, workers: Vec::new(), events: Arc::default() };
        let share = groups.div_ceil(needed);
        for first in (0..groups).step_by(share) {
            farm.add_worker(first, share.min(groups - first));
        }
        let (workers, ready) = (farm.workers.len(), |e: &Event| matches!(e, Event::Ready));
        farm.wait(|events| events.iter().filter(|e| ready(e)).count() == workers);
        farm.outrank();
        farm
    }

    fn add_worker(&mut self, first: usize, count: usize) {
        let program = std::env::current_exe().expect("this program has a path");
        let numbers = [first, count, self.replicas, usize::from(self.port)].map(|n| n.to_string());
        let mut child = Command::new(program)
            .arg(WORKER)
            .args(numbers)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let stdin = child.stdin.take().expect("a pipe");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let sink = self.events.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event = parse(&line).unwrap_or(Event::Problem(line));
                sink.lock().expect("no reader panics").push(event);
            }
        });
        self.workers.push((child, stdin));
    }

    /// Kills every server that is a master now.
    pub fn kill_masters(&mut self) -> Killing {
        self.schedule(&["--fifo", "--pid", "1"]);
        let answers = self.order("kill-masters", |e| matches!(e, Event::Killed { .. }));
        self.schedule(&["--other", "--pid", "0"]);
        let times = answers.iter().filter_map(|e| match e {
            Event::Killed { when, .. } => Some(*when),
            _ => None,
        });
        let both = |a: Killing, b: Killing| Killing {
            from: a.from.min(b.from),
            mute: a.mute.max(b.mute),
            to: a.to.max(b.to),
        };
        times.reduce(both).expect("a farm has workers")
    }

    /// Each connection that breaks wakes a Sentinel, and a worker must not wait behind those while it kills.
    fn schedule(&self, policy: &[&str]) {
        self.prefer("chrt", policy);
    }

    /// The farm stands for hundreds of machines, none of which would wait for a processor that Sentinels keep busy: it comes before those.
    fn outrank(&self) {
        self.prefer("renice", &["--priority", "-15", "--pid"]);
    }

    /// Only root may ask for that; without it masters take longer to die, and their replicas to answer, which the result shows.
    fn prefer(&self, program: &str, arguments: &[&str]) {
        for (child, _) in &self.workers {
            let result = Command::new(program).args(arguments).arg(child.id().to_string()).output();
            let refused = result.as_ref().err().map(ToString::to_string).or_else(|| {
                let output = result.as_ref().ok().filter(|output| !output.status.success())?;
                Some(String::from_utf8_lossy(&output.stderr).trim().to_owned())
            });
            if let Some(reason) = refused {
                eprintln!("the farm keeps its priority: {reason}");
            }
        }
    }

    /// Starts all dead servers again, with the roles they had.
    pub fn revive(&mut self) {
        self.order("revive", |e| matches!(e, Event::Revived(_)));
    }

    /// The fewest subscribers of any living server.
    pub fn subscribers(&mut self) -> usize {
        let answers = self.order("subscribers", |e| matches!(e, Event::Subscribers(_)));
        let counts = answers.iter().filter_map(|e| match e {
            Event::Subscribers(count) => Some(*count),
            _ => None,
        });
        counts.min().unwrap_or(0)
    }

    /// All that happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().expect("no reader panics").clone()
    }

    /// The process ids of the workers.
    pub fn processes(&self) -> Vec<u32> {
        self.workers.iter().map(|(child, _)| child.id()).collect()
    }

    /// Gives an order to all workers and returns what each of them answered.
    fn order(&mut self, order: &str, is_answer: impl Fn(&Event) -> bool) -> Vec<Event> {
        let answers = |events: &[Event]| events.iter().filter(|e| is_answer(e)).cloned().collect::<Vec<_>>();
        let before = answers(&self.events()).len();
        for (_, stdin) in &mut self.workers {
            writeln!(stdin, "{order}").expect("a worker that still runs");
        }
        let all = before + self.workers.len();
        self.wait(|events| answers(events).len() == all);
        answers(&self.events()).split_off(before)
    }

    fn wait(&self, done: impl Fn(&[Event]) -> bool) {
        let started = Instant::now();
        while !done(&self.events.lock().expect("no reader panics")) {
            assert!(started.elapsed() < PATIENCE, "a worker of the farm does not answer");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        for (child, _) in &mut self.workers {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

fn parse(line: &str) -> Option<Event> {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let words: Vec<&str> = rest.split(' ').collect();
    Some(match (kind, &words[..]) {
        ("ready", _) => Event::Ready,
        ("problem", _) => Event::Problem(rest.to_owned()),
        ("subscribers", [count]) => Event::Subscribers(count.parse().ok()?),
        ("revived", [count]) => Event::Revived(count.parse().ok()?),
        ("killed", [count, from, mute, to]) => {
            let when = Killing { from: from.parse().ok()?, mute: mute.parse().ok()?, to: to.parse().ok()? };
            Event::Killed { count: count.parse().ok()?, when }
        }
        ("promoted", [group, server, by, at, changed]) => Event::Promoted {
            group: group.parse().ok()?,
            server: server.parse().ok()?,
            by: (*by).to_owned(),
            at: at.parse().ok()?,
            changed: changed.parse().ok()?,
        },
        ("follows", [group, server, by, at, master]) => Event::Follows {
            group: group.parse().ok()?,
            server: server.parse().ok()?,
            by: (*by).to_owned(),
            at: at.parse().ok()?,
            master: (*master).to_owned(),
        },
        _ => return None,
    })
}
