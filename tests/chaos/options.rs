//! What the caller asks for.

use std::time::Duration;

use super::selection::Lane;

/// How the selection of the test suite is bounded: no round begins that would go beyond it.
const SELECTION: Duration = Duration::from_secs(175);

const USAGE: &str = "usage: [--minutes N] [--seed N] [--fleet WORD] [--round N] [--loopback]
  --minutes N   go on with random rounds for so long (default: the selection, three minutes)
  --seed N      the plan of an earlier run (also: CHAOS_SEED)
  --fleet WORD  only fleets whose name contains the word
  --round N     only this round of each fleet's plan
  --loopback    as on a machine where no namespaces can be made";

/// A parsed command line.
pub struct Options {
    pub seed: u64,
    pub time: Duration,
    /// Do without namespaces.
    pub is_loopback: bool,
    fleet: String,
    round: Option<u64>,
}

impl Options {
    /// Reads command line and environment; `None` if nothing is to be played: cargo gives the name of another test, or asks for a list.
    pub fn read() -> Result<Option<Options>, String> {
        let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut options =
            Options { seed: fresh(), time: SELECTION, is_loopback: false, fleet: String::new(), round: None };
        if let Some(seed) = environment("CHAOS_SEED") {
            options.seed = number("CHAOS_SEED", Some(seed))?;
        }
        let mut words = std::env::args().skip(1);
        let mut is_wanted = environment("SENTINELD_CHAOS").as_deref() != Some("no");
        while let Some(word) = words.next() {
            match word.as_str() {
                "--minutes" => options.time = Duration::from_secs(60 * number("--minutes", words.next())?),
                "--seed" => options.seed = number("--seed", words.next())?,
                "--round" => options.round = Some(number("--round", words.next())?),
                "--fleet" => options.fleet = words.next().ok_or(USAGE)?,
                "--loopback" => options.is_loopback = true,
                "--list" => is_wanted = false,
                "--test-threads" | "--format" | "--skip" => drop(words.next()),
                "--nocapture" | "--quiet" | "-q" | "--exact" | "--show-output" => (),
                flag if flag.starts_with("--test-threads=") => (),
                flag if flag.starts_with('-') => return Err(format!("unknown option {flag}\n{USAGE}")),
                // A filter of cargo test.
                name => is_wanted = is_wanted && "chaos".contains(name),
            }
        }
        if !super::selection::lanes().iter().any(|lane| options.wants(lane.shape.name)) {
            return Err(format!("no fleet is called {:?}\n{USAGE}", options.fleet));
        }
        Ok(is_wanted.then_some(options))
    }

    /// Whether a fleet is to be played with.
    pub fn wants(&self, fleet: &str) -> bool {
        fleet.contains(&self.fleet)
    }

    /// The rounds to play, in order, and whether each is played even if time is short.
    pub fn rounds(&self, lane: &Lane) -> Box<dyn Iterator<Item = (u64, bool)>> {
        let fixed = lane.fixed.len() as u64;
        match self.round {
            Some(round) => Box::new(std::iter::once((round, true))),
            None => Box::new((0..).map(move |round| (round, round < fixed))),
        }
    }
}

fn number(what: &str, value: Option<String>) -> Result<u64, String> {
    let value = value.ok_or_else(|| format!("{what} needs a number\n{USAGE}"))?;
    value.parse().map_err(|_| format!("{what}: {value:?} is not a number\n{USAGE}"))
}

/// A seed that no run before had.
fn fresh() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64) % 1_000_000_000
}
