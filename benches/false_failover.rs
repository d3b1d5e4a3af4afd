//! Whether a healthy new master is ever failed over again, right after it was promoted, side by side with the reference.
//!
//! Fleets of three Sentinels of one kind, a master and two replicas, with a down-after so short that every delay of a Sentinel matters,
//! lose their master again and again. From the switch until the next loss nothing happens to the new master: any `+odown`,
//! `+try-failover` or `+switch-master` about it is wrong. The old master returns meanwhile and must be taken in as a replica.
//! Fleets of both kinds run side by side, so that what else the machine does hurts both alike.
//!
//! Run it with `scripts/bench-false-failover`, which explains the options.

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::fleet::{NAME, Plan, timing};
use support::watch::Event;
use support::{Fleet, Kind, Watcher};

const USAGE: &str =
    "usage: bench-false-failover [--kills N] [--reference-kills N] [--fleets N] [--down-after MS] [--failover-timeout MS]
                            [--watch S] [--load]";

/// A fleet that is not whole again by then can't be measured any further.
const PATIENCE: Duration = Duration::from_secs(60);
/// Each so many-th loss is a freeze.
const FREEZE_EVERY: usize = 5;

struct Options {
    kills: usize,
    reference_kills: usize,
    /// Fleets of each kind at the same time.
    fleets: usize,
    down_after_ms: u32,
    failover_timeout_ms: u32,
    /// How long each new master is watched at least.
    watch: Duration,
    /// Whether a busy thread for each processor runs beside.
    load: bool,
}

/// What came of all losses under one kind.
#[derive(Default)]
struct Count {
    losses: usize,
    frozen: usize,
    /// Losses after which a healthy new master was called objectively down.
    called_down: usize,
    /// Losses after which a failover of a healthy new master began.
    tried: usize,
    /// Losses after which a healthy new master was replaced.
    replaced: usize,
    /// Fleets that did not become whole in time; each ended there.
    stuck: usize,
    /// From the loss until the first Sentinel said `+switch-master`, in milliseconds.
    switched: Vec<f64>,
    /// What went wrong, in words.
    notes: Vec<String>,
}

fn main() {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            std::process::exit(2);
        }
    };
    let stop = AtomicBool::new(false);
    let counts = thread::scope(|scope| {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..if options.load { processors } else { 0 } {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let counts = measure(&options);
        stop.store(true, Ordering::Relaxed);
        counts
    });
    for (kind, count) in &counts {
        count.notes.iter().for_each(|note| eprintln!("{}: {note}", title(*kind)));
    }
    println!("{}", table(&counts, &options));
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        kills: 200,
        reference_kills: 20,
        fleets: 2,
        down_after_ms: 300,
        failover_timeout_ms: 3000,
        watch: Duration::from_secs(4),
        load: false,
    };
    while let Some(arg) = args.next() {
        let mut value = || {
            let text = args.next().ok_or(format!("{arg} needs a value"))?;
            text.parse::<u32>().map_err(|_| format!("{arg} needs a number"))
        };
        match arg.as_str() {
            "--kills" => options.kills = value()? as usize,
            "--reference-kills" => options.reference_kills = value()? as usize,
            "--fleets" => options.fleets = (value()? as usize).max(1),
            "--down-after" => options.down_after_ms = value()?,
            "--failover-timeout" => options.failover_timeout_ms = value()?,
            "--watch" => options.watch = Duration::from_secs(value()?.into()),
            "--load" => options.load = true,
            // Cargo adds this one.
            "--bench" => {}
            other => return Err(format!("no such option: {other}")),
        }
    }
    Ok(options)
}

/// All losses of both kinds; the fleets of a kind share its losses among them.
fn measure(options: &Options) -> Vec<(Kind, Count)> {
    let kinds = [(Kind::Reference, options.reference_kills), (Kind::Subject, options.kills)];
    let totals = kinds.map(|(kind, kills)| (kind, AtomicUsize::new(kills), Mutex::new(Count::default())));
    thread::scope(|scope| {
        for (kind, left, count) in totals.iter().filter(|(_, left, _)| left.load(Ordering::Relaxed) > 0) {
            for _ in 0..options.fleets {
                scope.spawn(|| while lose_masters(*kind, options, left, count) {});
            }
        }
    });
    let counted = |(kind, _, count): (Kind, AtomicUsize, Mutex<Count>)| {
        (kind, count.into_inner().expect("no fleet panics while it counts"))
    };
    totals.into_iter().map(counted).collect()
}

/// Takes losses from `left` until none is left (false) or this fleet is stuck (true: another one has to go on).
fn lose_masters(kind: Kind, options: &Options, left: &AtomicUsize, count: &Mutex<Count>) -> bool {
    let (down_after, timeout) = (options.down_after_ms, options.failover_timeout_ms);
    let mut fleet = Fleet::start(&Plan { sentinels: vec![kind; 3], ..Plan::default() });
    for sentinel in &fleet.sentinels {
        for line in timing(down_after, timeout) {
            let words: Vec<&str> = line.split(' ').collect();
            sentinel.call(&["SENTINEL", "SET", NAME, words[1], words[3]]);
        }
    }
    let watchers = fleet.watch();
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
        let loss = {
            let mut count = count.lock().expect("no fleet panics while it counts");
            count.losses += 1;
            count.losses
        };
        let frozen = loss.is_multiple_of(FREEZE_EVERY);
        let outcome = lose_master(&mut fleet, &watchers, options, frozen);
        let mut count = count.lock().expect("no fleet panics while it counts");
        count.frozen += usize::from(frozen);
        eprintln!("{} {loss}: {}", title(kind), outcome.as_ref().map_or_else(String::clone, Loss::shown));
        match outcome {
            Ok(loss) => count.add(loss),
            Err(problem) => {
                count.stuck += 1;
                count.notes.push(format!("loss {loss}: {problem}\n{}", last_events(&watchers)));
                return true;
            }
        }
    }
    false
}

/// What followed one loss.
struct Loss {
    switched_ms: f64,
    /// What was said about the healthy new master that should not have been.
    wrong: Vec<String>,
}

impl Loss {
    fn shown(&self) -> String {
        let wrong = if self.wrong.is_empty() { "nothing wrong".to_owned() } else { self.wrong.join("; ") };
        format!("switched after {:.0} ms, {wrong}", self.switched_ms)
    }
}

/// Loses the master, lets it return, and watches its successor.
fn lose_master(
    fleet: &mut Fleet,
    watchers: &[Watcher],
    options: &Options,
    frozen: bool,
) -> Result<Loss, String> {
    let named = fleet.named_by(0).ok_or("a Sentinel that does not answer")?;
    let old = fleet.with_port(named);
    let seen: Vec<usize> = watchers.iter().map(|watcher| watcher.events().len()).collect();
    let since = || {
        let news = |(watcher, seen): (&Watcher, &usize)| watcher.events().split_off(*seen);
        watchers.iter().zip(&seen).map(news).collect::<Vec<Vec<Event>>>()
    };
    let lost = Instant::now();
    if frozen {
        fleet.data[old].freeze();
    } else {
        fleet.data[old].kill9();
    }
    let away = format!("{NAME} 127.0.0.1 {named} ");
    let is_switch = |e: &Event| e.channel == "+switch-master" && e.payload.starts_with(&away);
    until("all Sentinels switch", || since().iter().all(|events| events.iter().any(is_switch)))?;
    let switches: Vec<Event> = since().into_iter().flatten().filter(is_switch).collect();
    let first = switches.iter().map(|e| e.at).min().ok_or("no switch at all")?;
    if frozen {
        fleet.data[old].thaw();
    } else {
        fleet.data[old].spawn();
    }
    // Everybody must be back in place before the next loss; this is also the time in which the new master is watched.
    until("the fleet is whole again", || first.elapsed() >= options.watch && is_whole(fleet))?;
    let wrong = since().iter().flat_map(|events| about_new_master(events, is_switch)).collect();
    Ok(Loss { switched_ms: (first - lost).as_secs_f64() * 1000.0, wrong })
}

/// What one Sentinel said after its switch that it should not have said about a healthy master.
fn about_new_master(events: &[Event], is_switch: impl Fn(&Event) -> bool) -> Vec<String> {
    let later = events.iter().skip_while(|event| !is_switch(event)).skip(1);
    let is_wrong = |event: &&Event| {
        matches!(event.channel.as_str(), "+odown" | "+try-failover" | "+switch-master")
            && event.payload.contains(NAME)
    };
    later.filter(is_wrong).map(|event| format!("{} {}", event.channel, event.payload)).collect()
}

/// Whether all Sentinels see one healthy master that both others follow.
fn is_whole(fleet: &Fleet) -> bool {
    let named: Vec<Option<u16>> = (0..fleet.sentinels.len()).map(|i| fleet.named_by(i)).collect();
    let Some(port) = named[0] else { return false };
    let follows = |node: &support::Node| {
        node.info("replication", "master_port") == port.to_string()
            && node.info("replication", "master_link_status") == "up"
    };
    named.iter().all(|other| *other == Some(port))
        && fleet.data.iter().all(|node| node.port == port || follows(node))
        && (0..fleet.sentinels.len()).all(|i| sees_all(fleet, i))
}

fn sees_all(fleet: &Fleet, sentinel: usize) -> bool {
    let Some(master) = fleet.view(sentinel) else { return false };
    let replicas = fleet.sentinels[sentinel].try_call(&["SENTINEL", "REPLICAS", NAME]);
    let attached = |replica: &support::Value| {
        replica.field("flags").as_deref() == Some("slave")
            && replica.field("master-link-status").as_deref() == Some("ok")
    };
    master.field("flags").as_deref() == Some("master")
        && replicas.is_some_and(|list| list.items().len() == 2 && list.items().iter().all(attached))
}

fn until(what: &str, mut cond: impl FnMut() -> bool) -> Result<(), String> {
    let started = Instant::now();
    while !cond() {
        if started.elapsed() > PATIENCE {
            return Err(format!("waited {PATIENCE:?} in vain until {what}"));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn last_events(watchers: &[Watcher]) -> String {
    let mut text = String::new();
    for (index, watcher) in watchers.iter().enumerate() {
        let events = watcher.events();
        for event in &events[events.len().saturating_sub(15)..] {
            writeln!(text, "  sentinel{index} {} {}", event.channel, event.payload)
                .expect("a String takes all text");
        }
    }
    text
}

impl Count {
    fn add(&mut self, loss: Loss) {
        let said = |what: &str| usize::from(loss.wrong.iter().any(|text| text.starts_with(what)));
        self.called_down += said("+odown");
        self.tried += said("+try-failover");
        self.replaced += said("+switch-master");
        self.switched.push(loss.switched_ms);
        if !loss.wrong.is_empty() {
            self.notes.push(loss.shown());
        }
    }
}

fn title(kind: Kind) -> &'static str {
    if kind == Kind::Subject { "sentineld" } else { "redis-sentinel" }
}

/// The results as a Markdown table.
fn table(counts: &[(Kind, Count)], options: &Options) -> String {
    let load = if options.load { ", a busy thread for each processor beside" } else { "" };
    let mut text = format!(
        "\n### Healthy new masters, down-after {} ms{load}\n\n\
         | binary | masters lost | of them frozen | new master +odown | +try-failover | replaced | fleets stuck | \
         first switch: median, max ms |\n|---|---:|---:|---:|---:|---:|---:|---:|\n",
        options.down_after_ms
    );
    for (kind, count) in counts {
        let mut times = count.switched.clone();
        times.sort_by(f64::total_cmp);
        let (median, max) = match times.last() {
            Some(max) => (format!("{:.0}", times[(times.len() - 1) / 2]), format!("{max:.0}")),
            None => ("–".to_owned(), "–".to_owned()),
        };
        let Count { losses, frozen, called_down, tried, replaced, stuck, .. } = count;
        writeln!(
            text,
            "| {} | {losses} | {frozen} | {called_down} | {tried} | {replaced} | {stuck} | {median}, {max} |",
            title(*kind)
        )
        .expect("a String takes all text");
    }
    text
}
