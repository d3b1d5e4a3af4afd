//! How long a failover takes, from the death of the master, side by side with the reference.
//!
//! Each round starts a fresh fleet (three Sentinels of one kind, a master, two replicas), kills or freezes the
//! master at a random moment and watches from outside, over connections opened before: replicas are asked to
//! take a write, Sentinels to name the master, the other replica whom it follows. Rounds of both kinds take
//! turns, so that what else the machine does hurts both alike. The old master's return is watched while the next
//! round already starts; by then that fleet is idle.
//!
//! Run it with `scripts/bench-failover`, which explains the options.

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use support::fleet::{NAME, Plan, timing};
use support::{Client, Fleet, Kind};

const DOWN_AFTER_MS: u32 = 1000;
const FAILOVER_TIMEOUT_MS: u32 = 5000;
/// A round that takes longer counts as lost.
const PATIENCE: Duration = Duration::from_secs(60);
/// From this long before down-after is over, questions are asked as often as possible.
const ALERT_AFTER: Duration = Duration::from_millis(DOWN_AFTER_MS as u64 - 150);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Kill,
    Stop,
}

impl Mode {
    fn title(self) -> &'static str {
        match self {
            Mode::Kill => "kill -9",
            Mode::Stop => "SIGSTOP",
        }
    }
}

struct Options {
    kills: usize,
    modes: Vec<Mode>,
    kinds: Vec<Kind>,
}

/// Times since the master died, in milliseconds; `None` for what did not happen in time.
#[derive(Default)]
struct Round {
    written: Option<f64>,
    named_first: Option<f64>,
    named_by_all: Option<f64>,
    followed: Option<f64>,
    /// Since the old master's return.
    demoted: Option<f64>,
}

/// One measured quantity: its name, where it is in a round, and whether it includes down-after.
type Measure = (&'static str, fn(&Round) -> Option<f64>, bool);

const MEASURES: [Measure; 5] = [
    ("first write accepted", |r| r.written, true),
    ("named by the first Sentinel", |r| r.named_first, true),
    ("named by all Sentinels", |r| r.named_by_all, true),
    ("followed by all replicas", |r| r.followed, true),
    ("old master demoted after its return", |r| r.demoted, false),
];

fn main() {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!(
                "{problem}\nusage: bench-failover [--kills N] [--mode kill|stop|both] [--only sentineld|redis-sentinel]"
            );
            std::process::exit(2);
        }
    };
    for mode in &options.modes {
        let rounds = run(*mode, &options);
        println!("{}", table(*mode, &options.kinds, &rounds));
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        kills: 20,
        modes: vec![Mode::Kill, Mode::Stop],
        kinds: vec![Kind::Reference, Kind::Subject],
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--kills" => options.kills = value()?.parse().map_err(|_| "--kills needs a number")?,
            "--mode" => {
                options.modes = match value()?.as_str() {
                    "kill" => vec![Mode::Kill],
                    "stop" => vec![Mode::Stop],
                    "both" => vec![Mode::Kill, Mode::Stop],
                    other => return Err(format!("no such mode: {other}")),
                }
            }
            "--only" => {
                options.kinds = match value()?.as_str() {
                    "sentineld" => vec![Kind::Subject],
                    "redis-sentinel" => vec![Kind::Reference],
                    other => return Err(format!("no such binary: {other}")),
                }
            }
            // Cargo adds this one.
            "--bench" => {}
            other => return Err(format!("no such option: {other}")),
        }
    }
    Ok(options)
}

/// All rounds of one mode: one list for each kind.
fn run(mode: Mode, options: &Options) -> Vec<Vec<Round>> {
    let mut rounds: Vec<Vec<thread::JoinHandle<Round>>> = options.kinds.iter().map(|_| Vec::new()).collect();
    for number in 1..=options.kills {
        for (list, kind) in rounds.iter_mut().zip(&options.kinds) {
            let mut fleet = Fleet::start(&Plan {
                sentinels: vec![*kind; 3],
                sentinel_lines: |_| timing(DOWN_AFTER_MS, FAILOVER_TIMEOUT_MS),
                ..Plan::default()
            });
            // Not in step with anybody's timer.
            thread::sleep(Duration::from_millis(random_below(1000)));
            let mut round = take_over(&mut fleet, mode);
            let name = kind.program().file_name().map(|n| n.to_string_lossy().into_owned());
            eprintln!(
                "{} {number}/{}: {:15} write {} named {} followed {} ms",
                mode.title(),
                options.kills,
                name.unwrap_or_default(),
                shown(round.written),
                shown(round.named_by_all),
                shown(round.followed)
            );
            list.push(thread::spawn(move || {
                round.demoted = come_back(&mut fleet, mode);
                round
            }));
            // At most the fleet before this one may still be waiting for its old master.
            let waiting =
                |list: &Vec<thread::JoinHandle<Round>>| list.iter().filter(|h| !h.is_finished()).count();
            while waiting(list) > 1 {
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
    let done = |list: Vec<thread::JoinHandle<Round>>| {
        list.into_iter().map(|handle| handle.join().expect("a round does not panic")).collect()
    };
    rounds.into_iter().map(done).collect()
}

/// Kills the master of a fleet and times what follows.
fn take_over(fleet: &mut Fleet, mode: Mode) -> Round {
    let old_port = fleet.data[0].port;
    let replicas: Vec<u16> = fleet.data[1..].iter().map(|node| node.port).collect();
    let sentinels: Vec<u16> = fleet.sentinels.iter().map(|node| node.port).collect();
    let (ready, go) = (Barrier::new(2 + sentinels.len()), OnceLock::new());
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut probes: Vec<Probe> = replicas.iter().map(|port| Probe::new(*port)).collect();
            ready.wait();
            let started: Instant = *go.wait();
            let written = poll(started, || probes.iter_mut().position(Probe::takes_a_write));
            let Some((new, written)) = written else { return (None, None) };
            let followed = poll(started, || {
                let follows = |(i, probe): (usize, &mut Probe)| i == new || probe.follows(replicas[new]);
                probes.iter_mut().enumerate().all(follows).then_some(())
            });
            (Some(written), followed.map(|((), at)| at))
        });
        let named: Vec<_> = sentinels
            .iter()
            .map(|port| {
                let (ready, go) = (&ready, &go);
                scope.spawn(move || {
                    let mut probe = Probe::new(*port);
                    ready.wait();
                    let started: Instant = *go.wait();
                    poll(started, || probe.names_other_than(old_port)).map(|(_, at)| at)
                })
            })
            .collect();
        ready.wait();
        let died = Instant::now();
        match mode {
            Mode::Kill => fleet.data[0].kill9(),
            Mode::Stop => fleet.data[0].freeze(),
        }
        go.set(died).expect("set once");
        let (written, followed) = writer.join().expect("probes do not panic");
        let named: Vec<Option<f64>> =
            named.into_iter().map(|handle| handle.join().expect("probes do not panic")).collect();
        let all: Option<Vec<f64>> = named.into_iter().collect();
        let last = all.as_ref().and_then(|v| v.iter().copied().max_by(f64::total_cmp));
        let first = all.as_ref().and_then(|v| v.iter().copied().min_by(f64::total_cmp));
        Round { written, named_first: first, named_by_all: last, followed, demoted: None }
    })
}

/// Lets the old master return and times how long it goes on believing that it is one.
fn come_back(fleet: &mut Fleet, mode: Mode) -> Option<f64> {
    let started = Instant::now();
    match mode {
        Mode::Kill => fleet.data[0].spawn(),
        Mode::Stop => fleet.data[0].thaw(),
    }
    let mut probe = Probe::new(fleet.data[0].port);
    while started.elapsed() < PATIENCE {
        if probe.info_says(|info| info.contains("role:slave\r\n")) {
            return Some(started.elapsed().as_secs_f64() * 1000.0);
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

/// Asks again and again until there is an answer; returns it with the time since `started`, in milliseconds.
fn poll<T>(started: Instant, mut ask: impl FnMut() -> Option<T>) -> Option<(T, f64)> {
    while started.elapsed() < PATIENCE {
        if let Some(answer) = ask() {
            return Some((answer, started.elapsed().as_secs_f64() * 1000.0));
        }
        let calm = started.elapsed() < ALERT_AFTER;
        thread::sleep(Duration::from_micros(if calm { 20_000 } else { 1000 }));
    }
    None
}

/// A connection that is opened again when the server cuts it off, as it does on a change of role.
struct Probe {
    port: u16,
    client: Option<Client>,
}

impl Probe {
    fn new(port: u16) -> Probe {
        Probe { port, client: Client::connect(port).ok() }
    }

    fn ask(&mut self, words: &[&str]) -> Option<support::Value> {
        if self.client.is_none() {
            self.client = Client::connect(self.port).ok();
        }
        let answer = self.client.as_mut()?.call(words).ok();
        if answer.is_none() {
            self.client = None;
        }
        answer
    }

    fn takes_a_write(&mut self) -> bool {
        self.ask(&["SET", "probe", "1"]).is_some_and(|answer| answer.text() == "OK")
    }

    fn names_other_than(&mut self, old: u16) -> Option<()> {
        let named = self.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])?.texts();
        (named.get(1)? != &old.to_string()).then_some(())
    }

    fn follows(&mut self, port: u16) -> bool {
        let master = format!("master_port:{port}\r\n");
        self.info_says(|info| info.contains(&master) && info.contains("master_link_status:up"))
    }

    fn info_says(&mut self, check: impl Fn(&str) -> bool) -> bool {
        self.ask(&["INFO", "replication"]).is_some_and(|answer| check(&answer.text()))
    }
}

/// The results of one mode as a Markdown table, times in milliseconds.
fn table(mode: Mode, kinds: &[Kind], rounds: &[Vec<Round>]) -> String {
    let mut text = format!("\n### Master lost by {}\n\n", mode.title());
    text +=
        "| milliseconds | binary | min | median | p90 | max | lost |\n|---|---|---:|---:|---:|---:|---:|\n";
    for (what, pick, after_down) in MEASURES {
        for (kind, list) in kinds.iter().zip(rounds) {
            let base = if after_down { f64::from(DOWN_AFTER_MS) } else { 0.0 };
            let mut times: Vec<f64> = list.iter().filter_map(pick).map(|ms| ms - base).collect();
            times.sort_by(f64::total_cmp);
            let name = if *kind == Kind::Subject { "sentineld" } else { "redis-sentinel" };
            let suffix = if after_down { ", beyond down-after" } else { "" };
            let [min, median, p90, max] = [0.0, 0.5, 0.9, 1.0].map(|part| shown(quantile(&times, part)));
            let lost = list.len() - times.len();
            writeln!(text, "| {what}{suffix} | {name} | {min} | {median} | {p90} | {max} | {lost} |")
                .expect("a String takes all text");
        }
    }
    text
}

/// The value below which `part` of a sorted list lies, by the nearest rank.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

fn shown(ms: Option<f64>) -> String {
    ms.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.0}"))
}

fn random_below(limit: u64) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |d| u64::from(d.subsec_nanos()) / 1000) % limit
}
