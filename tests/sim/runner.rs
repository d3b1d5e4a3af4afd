//! Runs seeds, on as many threads as there are processors, and tells what came of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rand::Rng;

use crate::clock::SECOND;
use crate::plan::Plan;
use crate::properties;
use crate::regressions::{OPEN, REGRESSIONS};
use crate::seen::Property;
use crate::stats::Stats;
use crate::trace;
use crate::world::World;

/// A run that went wrong.
pub struct Failure {
    pub seed: u64,
    /// Some Sentinels were of the reference.
    pub mixed: bool,
    pub text: String,
    /// What happened last.
    pub history: String,
}

impl Failure {
    fn report(&self) -> String {
        let Failure { seed, mixed, text, history } = self;
        let test = if *mixed { "mixed_fleets" } else { "seeds" };
        format!(
            "{history}\nseed {seed}: {text}\nreplay with SIM_SEED={seed} SIM_TRACE=1 \
             cargo test --profile sim --features holes --test sim {test} -- --nocapture\n"
        )
    }
}

/// What came of a run.
pub struct Outcome {
    pub stats: Stats,
    pub failure: Option<Failure>,
}

/// One run from its plan: calm, trouble, recovery.
pub fn run(plan: Plan, properties: Vec<Box<dyn Property>>) -> Outcome {
    let seed = plan.seed;
    let mixed = plan.is_mixed();
    trace::begin();
    let result = quietly(|| {
        let mut world = World::new(plan, properties);
        world.run_until(world.plan.calm);
        trouble(&mut world);
        world.recover();
        world.finish();
        let mut stats = std::mem::take(&mut world.stats);
        (stats.runs, stats.seconds, stats.turns) = (1, world.seconds(), world.turns);
        (stats, world.failure)
    });
    let (stats, failure) = match result {
        Ok((stats, failure)) => (stats, failure),
        Err(panic) => (Stats { runs: 1, ..Stats::default() }, Some(panic)),
    };
    let failure = failure.map(|text| Failure { seed, mixed, text, history: trace::history() });
    Outcome { stats, failure }
}

/// The safety phase.
fn trouble(world: &mut World) {
    let ends_at = world.now + world.plan.trouble;
    let pause = world.plan.trouble / world.plan.strikes.max(1) as u64;
    while world.now < ends_at && world.failure.is_none() {
        world.strike();
        let pause = world.rng.random_range(pause / 10..=pause * 19 / 10);
        world.run_until((world.now + pause).min(ends_at));
    }
}

/// Runs something; a panic becomes its text, and is not printed.
pub fn quietly<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(what)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        format!("panic: {}", text.unwrap_or_default())
    })
}

/// Every property; with `SIM_PROPERTIES=word,word` only those whose names contain one of the words.
pub fn wanted() -> Vec<Box<dyn Property>> {
    let Ok(words) = std::env::var("SIM_PROPERTIES") else { return properties::all() };
    let is_wanted = |name: &str| words.split(',').any(|word| !word.is_empty() && name.contains(word));
    properties::all().into_iter().filter(|property| is_wanted(property.name())).collect()
}

/// A number from the environment.
pub fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// What came of many runs.
#[derive(Default)]
pub struct Tally {
    pub stats: Stats,
    pub failures: Vec<(u64, String)>,
}

/// Runs what `next` gives until it gives nothing more, and prints failures as they come. Stops at the first if `SIM_STOP` is set.
fn run_all(plan: fn(u64) -> Plan, next: impl Fn() -> Option<u64> + Sync, each_minute: bool) -> Tally {
    let tally = Mutex::new(Tally::default());
    let (stop, began) = (AtomicBool::new(false), Instant::now());
    let stop_at_first = std::env::var_os("SIM_STOP").is_some();
    let minutes = AtomicU64::new(0);
    let work = || {
        while let Some(seed) = (!stop.load(Ordering::Relaxed)).then(&next).flatten() {
            let outcome = run(plan(seed), wanted());
            let mut tally = tally.lock().expect("no panic here");
            tally.stats.add(&outcome.stats);
            if let Some(failure) = outcome.failure {
                eprintln!("{}", failure.report());
                tally.failures.push((seed, failure.text));
                stop.store(stop_at_first, Ordering::Relaxed);
            }
            let minute = began.elapsed().as_secs() / 60;
            if each_minute && minutes.fetch_max(minute, Ordering::Relaxed) < minute {
                eprintln!("after {minute} min: {}; {} failed", tally.stats, tally.failures.len());
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let tally = tally.into_inner().expect("no panic above");
    let took = began.elapsed();
    let each = took.as_secs_f64() * threads as f64 / tally.stats.runs.max(1) as f64;
    eprintln!(
        "{}; in {:.1} s, {:.1} ms of each thread for a seed",
        tally.stats,
        took.as_secs_f64(),
        each * 1e3
    );
    tally
}

fn judge(tally: &Tally) {
    let list: Vec<String> = tally.failures.iter().map(|(seed, text)| format!("{seed}: {text}")).collect();
    assert!(list.is_empty(), "{} seeds failed:\n{}", list.len(), list.join("\n"));
}

/// Seeds that nobody saw before start here.
fn fresh_base() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    1_000_000_000 + u64::try_from(now.as_micros()).unwrap_or_default() % 1_000_000_000_000 * 1_000
}

/// So many runs that are the same as ever, and so many new ones; or the one run of `SIM_SEED`.
fn run_seeds(plan: fn(u64) -> Plan, fixed: u64, fresh: u64) {
    let next = AtomicU64::new(0);
    if let Some(seed) = number("SIM_SEED") {
        let once = || (next.fetch_add(1, Ordering::Relaxed) == 0).then_some(seed);
        return judge(&run_all(plan, once, false));
    }
    let base = number("SIM_BASE").unwrap_or_else(fresh_base);
    let open: Vec<u64> = OPEN.iter().map(|(seed, _)| *seed).filter(|seed| *seed < fixed).collect();
    eprintln!(
        "{fixed} fixed seeds from 0 but {open:?} (open findings), {fresh} fresh ones from {base} (SIM_BASE)"
    );
    let seed = || {
        std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed))
            .take_while(|index| *index < fixed + fresh)
            .map(|index| if index < fixed { index } else { base + index - fixed })
            .find(|seed| !open.contains(seed))
    };
    judge(&run_all(plan, seed, false));
}

/// Fleets of ours: `SIM_SEEDS`, and `SIM_FRESH` that nobody saw before.
#[test]
fn seeds() {
    run_seeds(Plan::new, number("SIM_SEEDS").unwrap_or(60), number("SIM_FRESH").unwrap_or(0));
}

/// Fleets with Sentinels of the reference in them, `SIM_MIXED` of them. Ours are held to what they can promise there: each property says what that is.
#[test]
fn mixed_fleets() {
    run_seeds(Plan::mixed, number("SIM_MIXED").unwrap_or(12), 0);
}

/// Every seed that once found something.
#[test]
fn regressions() {
    let next = AtomicU64::new(0);
    let seed =
        || REGRESSIONS.get(next.fetch_add(1, Ordering::Relaxed) as usize).map(|regression| regression.1);
    let tally = run_all(Plan::new, seed, false);
    assert_eq!(tally.stats.runs, REGRESSIONS.len() as u64);
    for (seed, text) in &tally.failures {
        let found = REGRESSIONS.iter().find(|regression| regression.1 == *seed);
        let (name, _, what) = found.expect("it was run");
        eprintln!("{name} again ({what}): {text}");
    }
    judge(&tally);
}

/// Findings that nobody has done anything about are still there: one that is gone belongs to the regressions.
#[test]
fn open_findings() {
    let gone: Vec<u64> = OPEN
        .iter()
        .map(|(seed, _)| *seed)
        .filter(|seed| run(Plan::new(*seed), wanted()).failure.is_none())
        .collect();
    assert!(gone.is_empty(), "these pass now: {gone:?}");
}

/// Fresh seeds for `SIM_MINUTES`; none without it.
#[test]
fn soak() {
    let ends_at = Instant::now() + Duration::from_secs(60 * number("SIM_MINUTES").unwrap_or(0));
    let base = number("SIM_BASE").unwrap_or_else(fresh_base);
    eprintln!("seeds from {base} (SIM_BASE)");
    let next = AtomicU64::new(0);
    let tally = run_all(
        Plan::new,
        || {
            let index = next.fetch_add(1, Ordering::Relaxed);
            (Instant::now() < ends_at).then_some(base + index)
        },
        true,
    );
    judge(&tally);
}

/// The same seed gives the same run, to the last event.
#[test]
fn a_seed_fixes_everything() {
    let story = |seed| {
        let mut world = World::new(Plan::new(seed), properties::all());
        world.run_until(world.plan.calm);
        trouble(&mut world);
        world.run_until(world.now + 5 * SECOND);
        (world.events, world.turns, world.now)
    };
    for seed in [1, 2, 3] {
        assert_eq!(story(seed), story(seed));
    }
}
