//! What a mass failure amounts to, and how it is shown.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddrV4;

use crate::farm::{Event, Killing};
use crate::fleet::{Cpu, MassFleet, name};
use crate::journal::{Journal, Story};
use crate::options::{Mix, Options};

/// Lists longer than this are cut.
const LISTED: usize = 12;

/// The figures of one mass failure. Times are milliseconds, sorted.
pub struct Outcome {
    masters: usize,
    /// Nobody had asked for votes in an earlier epoch.
    elected_in_first: usize,
    /// The winner had not stood before, nor repeated its election; others may have.
    elected_at_first_try: usize,
    worst_epochs: usize,
    tries: usize,
    repeats: usize,
    aborted: usize,
    epochs_begun: usize,
    mute_ms: u128,
    kill_ms: u128,
    /// From the first `+odown` of each master to its promotion.
    down_to_promoted: Vec<f64>,
    /// From the kill to the promotion, less down-after.
    promoted: Vec<f64>,
    /// From the kill to the last Sentinel's switch, less down-after.
    named_by_all: Vec<f64>,
    /// From the old masters' return to their first `SLAVEOF`.
    pub demoted: Vec<f64>,
    promoted_twice: Vec<String>,
    /// Masters that not all Sentinels agree about at the end.
    lost: Vec<String>,
    steady: Cpu,
    used: Cpu,
    troubles: Vec<String>,
}

impl Outcome {
    /// Puts together what the farm saw and what the logs say.
    pub fn new(fleet: &mut MassFleet, options: &Options, killed: Killing, steady: Cpu, used: Cpu) -> Outcome {
        // A log may lag behind the wall clock by its own rounding.
        let journal = Journal::read(&fleet.sentinels, &fleet.ids, killed.from / 1000 * 1000);
        let events = fleet.farm.events();
        let mut outcome = Outcome {
            masters: options.masters,
            elected_in_first: 0,
            elected_at_first_try: 0,
            worst_epochs: 0,
            tries: journal.masters.values().map(|story| story.tries.len()).sum(),
            repeats: journal.repeats,
            aborted: journal.masters.values().map(|story| story.aborted.len()).sum(),
            epochs_begun: journal.epochs.len(),
            mute_ms: (killed.mute - killed.from).div_ceil(1000),
            kill_ms: (killed.to - killed.from) / 1000,
            down_to_promoted: Vec::new(),
            promoted: Vec::new(),
            named_by_all: Vec::new(),
            demoted: Vec::new(),
            promoted_twice: Vec::new(),
            lost: Vec::new(),
            steady,
            used,
            troubles: journal.troubles.clone(),
        };
        let problems = events.iter().filter_map(|e| match e {
            Event::Problem(text) => Some(format!("farm: {text}")),
            _ => None,
        });
        outcome.troubles.extend(problems);
        let beyond = |at: u128| (at as f64 - killed.from as f64) / 1000.0 - options.down_after_ms as f64;
        let nothing = Story::default();
        for group in 0..options.masters {
            let story = journal.masters.get(&name(group)).unwrap_or(&nothing);
            outcome.add(group, story, &events, (killed.from, beyond), fleet.sentinels.len());
        }
        for times in [&mut outcome.down_to_promoted, &mut outcome.promoted, &mut outcome.named_by_all] {
            times.sort_by(f64::total_cmp);
        }
        outcome
    }

    fn add(
        &mut self,
        group: usize,
        story: &Story,
        events: &[Event],
        (killed, beyond): (u128, impl Fn(u128) -> f64),
        sentinels: usize,
    ) {
        let (before, promotions): (Vec<_>, Vec<_>) =
            promotions(group, events).into_iter().partition(|(_, _, at)| *at < killed);
        if !before.is_empty() {
            self.troubles.push(format!("{}: promoted before the masters died: {before:?}", name(group)));
        }
        let asked: BTreeSet<u64> = story.tries.iter().filter_map(|(_, epoch)| *epoch).collect();
        let won = story.config_epochs.iter().max().copied().filter(|epoch| *epoch > 0);
        let epochs = asked.iter().copied().chain(won).collect::<BTreeSet<u64>>();
        self.elected_in_first += usize::from(won.is_some() && won == asked.first().copied());
        let winner = story.elected.iter().map(|(index, _)| *index).next_back();
        let mut tries = story.tries.iter().filter(|((index, _), _)| Some(*index) == winner);
        let at_first_try = matches!((tries.next(), tries.next()), (Some((_, epoch)), None) if *epoch == won);
        self.elected_at_first_try += usize::from(won.is_some() && at_first_try);
        self.worst_epochs = self.worst_epochs.max(epochs.len());
        if let Some((_, _, at)) = promotions.first() {
            let down = story.objectively_down.iter().map(|(_, at)| *at).min().unwrap_or(*at);
            self.down_to_promoted.push((*at as f64 - down as f64) / 1000.0);
            self.promoted.push(beyond(*at));
        }
        let servers: BTreeSet<SocketAddrV4> = promotions.iter().map(|(server, _, _)| *server).collect();
        let leaders: BTreeSet<&String> = promotions.iter().map(|(_, by, _)| by).collect();
        if servers.len() > 1 || leaders.len() > 1 {
            self.promoted_twice.push(format!("{}: {promotions:?}", name(group)));
        }
        let addresses: BTreeSet<&String> = story.switched.iter().map(|(_, address)| address).collect();
        let known: BTreeSet<usize> = story.switched.iter().map(|((index, _), _)| *index).collect();
        if addresses.len() == 1 && known.len() == sentinels && story.config_epochs.len() == 1 {
            let last = story.switched.iter().map(|((_, at), _)| *at).max().unwrap_or_default();
            self.named_by_all.push(beyond(last));
        } else {
            let (known, tries) = (known.len(), story.tries.len());
            self.lost.push(format!(
                "{}: {known} know {addresses:?}, config epochs {:?}, {tries} candidacies, {} promotions",
                name(group),
                story.config_epochs,
                promotions.len()
            ));
        }
    }

    /// What should be looked into; for the terminal.
    pub fn details(&self) -> String {
        let mut text = String::new();
        for (what, list) in [
            ("promoted twice", &self.promoted_twice),
            ("without one address everywhere", &self.lost),
            ("troubles", &self.troubles),
        ] {
            writeln!(text, "{what}: {}", list.len()).expect("a String takes all text");
            for line in list.iter().take(LISTED) {
                writeln!(text, "  {line}").expect("a String takes all text");
            }
        }
        text
    }

    /// The cells of its column, in the order of [`ROWS`].
    fn cells(&self) -> Vec<String> {
        let share = |count: usize| format!("{count} ({:.1} %)", 100.0 * count as f64 / self.masters as f64);
        vec![
            format!("{}, {} ms", self.mute_ms, self.kill_ms),
            share(self.elected_in_first),
            share(self.elected_at_first_try),
            self.worst_epochs.to_string(),
            format!("{} + {}", self.tries, self.repeats),
            self.aborted.to_string(),
            self.epochs_begun.to_string(),
            self.promoted_twice.len().to_string(),
            quantiles(&self.down_to_promoted),
            quantiles(&self.promoted),
            quantiles(&self.named_by_all),
            self.lost.len().to_string(),
            format!("{}; {}", self.demoted.len(), quantiles(&self.demoted)),
            format!("{:.2}, {:.2}", self.steady.sentinels, self.steady.farm),
            format!("{:.1}, {:.1}", self.used.sentinels, self.used.farm),
            self.troubles.len().to_string(),
        ]
    }
}

const ROWS: [&str; 16] = [
    "all masters silent, and their connections broken, within",
    "elected in the first epoch that anybody asked for",
    "elected at the winner's first try",
    "epochs of the worst master",
    "candidacies + repeats in a fresh epoch",
    "elections given up",
    "epochs begun",
    "masters promoted by two, or two replicas of them",
    "first +odown to promotion: p50, p90, p99, max",
    "promoted, beyond down-after",
    "named by all Sentinels, beyond down-after",
    "without one address everywhere at the end",
    "old masters made replicas after their return: how many; times",
    "processors in the steady state: Sentinels, farm",
    "CPU seconds until recovered: Sentinels, farm",
    "troubles (TILT, Sentinels down, cut connections)",
];

/// `SLAVEOF NO ONE` for a group: which server, by whom, when.
fn promotions(group: usize, events: &[Event]) -> Vec<(SocketAddrV4, String, u128)> {
    let of_group = |event: &Event| match event {
        Event::Promoted { group: g, server, by, at, .. } if *g == group => Some((*server, by.clone(), *at)),
        _ => None,
    };
    events.iter().filter_map(of_group).collect()
}

/// The results as a Markdown table, times in milliseconds.
pub fn table(outcomes: &[(Mix, Outcome)], options: &Options) -> String {
    let mut text = format!(
        "\n### {} Sentinels, {} masters, {} replicas\n\n",
        options.sentinels,
        options.masters,
        options.masters * options.replicas
    );
    let titles: Vec<String> = outcomes.iter().map(|(mix, _)| mix.title(options.sentinels)).collect();
    let columns: Vec<Vec<String>> = outcomes.iter().map(|(_, outcome)| outcome.cells()).collect();
    writeln!(text, "| | {} |\n|---|{}", titles.join(" | "), "---:|".repeat(titles.len()))
        .expect("a String takes all text");
    for (row, what) in ROWS.iter().enumerate() {
        let cells: Vec<&str> = columns.iter().map(|column| column[row].as_str()).collect();
        writeln!(text, "| {what} | {} |", cells.join(" | ")).expect("a String takes all text");
    }
    text
}

/// Median, ninetieth and ninety-ninth percentile, and greatest, by the nearest rank.
fn quantiles(sorted: &[f64]) -> String {
    if sorted.is_empty() {
        return "–".to_owned();
    }
    let at = |part: f64| sorted[((part * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len()) - 1];
    format!("{:.0}, {:.0}, {:.0}, {:.0}", at(0.5), at(0.9), at(0.99), at(1.0))
}
