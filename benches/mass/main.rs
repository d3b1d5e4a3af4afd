//! What many Sentinels do when many masters die at once, side by side with the reference.
//!
//! The masters and replicas are pretend servers (`benches/farm`), the Sentinels are real processes that know each other from their
//! configuration files. When all is steady, all masters die within a tenth of a second. What is measured comes from the farm (who
//! promoted whom, and when) and from the Sentinels' logs.
//!
//! Run it with `scripts/bench-mass`, which explains the options.

#[path = "../farm/mod.rs"]
mod farm;
mod fleet;
mod journal;
mod options;
mod outcome;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::thread;
use std::time::{Duration, Instant};

use fleet::MassFleet;
use options::{Mix, Options};
use outcome::Outcome;

/// For so long after the last master has its new address everywhere, second promotions are watched for.
const AFTERMATH: Duration = Duration::from_secs(10);
/// Old masters that are not replicas by then are counted as such.
const DEMOTION: Duration = Duration::from_secs(30);
/// For so long the cost of the steady state is measured.
const STEADY: Duration = Duration::from_secs(10);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if farm::is_worker(&args) {
        return;
    }
    let options = match Options::parse(args.into_iter()) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n{}", options::USAGE);
            std::process::exit(2);
        }
    };
    let mut outcomes = Vec::new();
    for mix in &options.mixes {
        match run(*mix, &options) {
            Ok(outcome) => {
                eprintln!("{}", outcome.details());
                outcomes.push((*mix, outcome));
            }
            Err(problem) => eprintln!("{}: {problem}", mix.title(options.sentinels)),
        }
    }
    println!("{}", outcome::table(&outcomes, &options));
}

/// One mass failure.
fn run(mix: Mix, options: &Options) -> Result<Outcome, String> {
    let title = mix.title(options.sentinels);
    let started = Instant::now();
    let mut fleet = MassFleet::start(mix, options)?;
    fleet.wait_steady(Duration::from_secs(options.settle_s))?;
    eprintln!("{title}: steady after {:.1?}", started.elapsed());
    let before = fleet.cpu();
    thread::sleep(STEADY);
    let steady = fleet.cpu().since(before).per(STEADY);
    eprintln!(
        "{title}: steady state takes {:.2} processors for the Sentinels, {:.2} for the farm",
        steady.sentinels, steady.farm
    );
    let before = fleet.cpu();
    let killed = fleet.farm.kill_masters();
    eprintln!("{title}: {} masters silent within {} µs", options.masters, killed.mute - killed.from);
    let patience = Duration::from_secs(options.patience_s);
    let recovered = fleet.wait_recovered(patience);
    let used = fleet.cpu().since(before);
    eprintln!("{title}: {} of {} masters have one new address everywhere", recovered, options.masters);
    thread::sleep(AFTERMATH);
    if let Some(folder) = &options.keep {
        fleet.keep_logs(folder, &title);
    }
    let mut outcome = Outcome::new(&mut fleet, options, killed, steady, used);
    outcome.demoted = fleet.return_masters(DEMOTION);
    Ok(outcome)
}
