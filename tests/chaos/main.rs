//! Real processes under real faults: what an operator fears most, on purpose.
//!
//! Fleets of real Redis servers and Sentinels, each process on a machine of its own as far as its network and its disk can tell, are harmed
//! round after round: cut apart, stopped, killed at the worst moments, slowed, filled up, reset. Clients write all the time. After each round
//! everything is healed, must come to an agreement in time, and is judged: rules.rs for the Sentinels, history.rs for the writes.
//!
//! `cargo test --test chaos` plays a selection of three minutes, with every kind of fault; `scripts/chaos` goes on for longer. The same
//! seed makes the same plan, but not the same timing. docs/CHAOS.md tells more.

mod acts;
mod checks;
mod client;
mod fleet;
mod history;
mod net;
mod options;
mod place;
mod plan;
mod proxy;
mod round;
mod rules;
mod selection;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod watch;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fleet::Fleet;
use net::{Disk, Net};
use options::Options;
use plan::Plan;
use round::{Outcome, Scene};
use selection::Lane;
use table::Table;

const TAIL_LINES: usize = 40;
/// A run that finds so much has found enough.
const ENOUGH: usize = 12;

fn main() -> ExitCode {
    let mut options = match Options::read() {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::FAILURE;
        }
    };
    checks::run();
    if let Some(reason) = options.is_loopback.then_some("as asked").or_else(Net::lacks) {
        let what = "chaos in namespaces: all is on loopback, cuts and loss are made by proxies, disks are not touched";
        support::skipped(what, reason);
        options.is_loopback = true;
    }
    println!("chaos with seed {}", options.seed);
    let (table, full) = (Mutex::new(Table::default()), AtomicBool::new(false));
    let is_whole = std::thread::scope(|scope| {
        let lanes = selection::lanes().into_iter().filter(|lane| options.wants(lane.shape.name));
        let threads: Vec<_> = lanes
            .map(|lane| scope.spawn(|| Run { options: &options, table: &table, full: &full }.lane(lane)))
            .collect();
        let ends: Vec<bool> = threads.into_iter().map(|thread| thread.join().is_ok()).collect();
        ends.into_iter().all(|is_well| is_well)
    });
    let table = table.into_inner().expect("no lane panics while it counts");
    println!("\n{table}");
    if is_whole && table.rounds > 0 && table.violations.is_empty() {
        println!("1 passed, 0 failed");
        return ExitCode::SUCCESS;
    }
    println!("0 passed, 1 failed; the plan again: scripts/chaos --seed {}", options.seed);
    ExitCode::FAILURE
}

/// What all lanes share.
struct Run<'a> {
    options: &'a Options,
    table: &'a Mutex<Table>,
    full: &'a AtomicBool,
}

impl Run<'_> {
    /// Plays round after round with one kind of fleet, until the time is over.
    fn lane(&self, lane: Lane) {
        let started = Instant::now();
        let mut rounds = self.options.rounds(&lane);
        let mut scene: Option<Scene> = None;
        let mut story = String::new();
        loop {
            let (number, is_fixed) = match rounds.next() {
                Some(next) => next,
                None => return,
            };
            let left = self.options.time.saturating_sub(started.elapsed());
            if (!is_fixed && left < ROOM) || self.full.load(Ordering::Relaxed) {
                return;
            }
            let plan = lane.plan(self.options.seed, number);
            let place = format!("{}, round {number}", lane.shape.name);
            let stage = match scene.take() {
                Some(scene) => Ok(scene),
                None => {
                    story.clear();
                    let fleet = Fleet::start(lane.shape.clone(), self.options.is_loopback);
                    say_what_is_missing(&fleet);
                    Scene::open(fleet)
                }
            };
            let mut stage = stage.unwrap_or_else(|why| panic!("{place}: a new fleet is not well: {why}"));
            let outcome = stage.play(&plan);
            story.push_str(&format!("{place}: {plan}\n"));
            let count = self.note(lane.shape.name, &place, &plan, &outcome);
            if outcome.violations().next().is_some() {
                tell(&stage, &story, &outcome, self.options.seed);
                self.full.fetch_or(count >= ENOUGH, Ordering::Relaxed);
            } else {
                scene = Some(stage);
            }
        }
    }

    /// Counts a round and says a line about it; how many violations there are by now.
    fn note(&self, fleet: &'static str, place: &str, plan: &Plan, outcome: &Outcome) -> usize {
        let mut table = self.table.lock().expect("no lane panics while it counts");
        table.add(fleet, place, plan, outcome);
        let ms = |time: Option<Duration>| time.map_or("-".into(), |time| time.as_millis().to_string());
        let lost: usize = outcome.verdict.lost.values().map(|(count, _)| count).sum();
        println!(
            "{place}: {plan}: {} promotions, new master after {} ms, writes again after {} ms, in order {} ms after the heal, {} writes, {lost} lost{}",
            outcome.failovers,
            ms(outcome.renamed),
            ms(outcome.recovered),
            ms(outcome.agreed),
            outcome.verdict.acked,
            if outcome.violations().next().is_some() { ": WRONG" } else { "" }
        );
        table.violations.len()
    }
}

/// A round needs so much time at least.
const ROOM: Duration = Duration::from_secs(25);

fn say_what_is_missing(fleet: &Fleet) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if fleet.disk == Disk::Memory && !SAID.swap(true, Ordering::Relaxed) {
        support::skipped(
            "chaos with slow disks",
            "there are no loop devices here; disks are filled, but not slowed",
        );
    }
}

/// Everything that helps to understand a violation: plans, what the Sentinels said, the ends of all logs; whole logs are kept.
fn tell(scene: &Scene, story: &str, outcome: &Outcome, seed: u64) {
    let mut text = format!("\nseed {seed}; the plan so far:\n{story}");
    outcome.violations().for_each(|violation| text.push_str(&format!("VIOLATION: {violation}\n")));
    let started = outcome.started.unwrap_or_else(Instant::now);
    for event in &outcome.events {
        let ms = event.at.saturating_duration_since(started).as_millis();
        text.push_str(&format!(
            "{ms:>7} ms sentinel{} {} {}\n",
            event.sentinel, event.channel, event.payload
        ));
    }
    static KEPT: Mutex<usize> = Mutex::new(0);
    let mut kept = KEPT.lock().expect("no lane panics while it tells");
    let name = scene.fleet.shape.name.replace(' ', "-");
    let folder =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{seed}/{name}-{kept}"));
    *kept += 1;
    std::fs::create_dir_all(&folder).expect("a folder below target");
    for node in scene.fleet.sentinels.iter().chain(&scene.fleet.data) {
        let log = node.log_text();
        let lines: Vec<&str> = log.lines().collect();
        text.push_str(&format!("---- end of the log of {}\n", node.name));
        text.push_str(&lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"));
        text.push('\n');
        std::fs::write(folder.join(format!("{}.log", node.name)), log).expect("room below target");
    }
    std::fs::write(folder.join("story.txt"), &text).expect("room below target");
    println!("{text}\nwhole logs: {}", folder.display());
}
