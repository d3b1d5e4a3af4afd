//! Nobody can tell it from redis-sentinel: the same scene, the same bytes, the same answers.
//!
//! Each file in `cases/` is a play: it says which real servers stand on the stage, then, case by case, what is sent and done. It is
//! performed for redis-sentinel and for the subject at the same time, on stages that differ in nothing but an address and a folder, and
//! all that comes back is compared: replies of either protocol, events, log lines, configuration files, exit codes. What must differ is
//! masked by rules that the file names (`mask.rs`); what differs on purpose names the row of docs/COMPATIBILITY.md that says so. How a
//! play is written is told in `cases/README.md`.
//!
//! `cargo test --test parity [WORD …]` performs the plays whose name contains a word.

mod compare;
mod mask;
mod play;
mod reply;
mod side;
mod stage;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use compare::Outcome;
use play::Play;

const AT_ONCE: usize = 6;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if std::env::args().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    // What a failing step says is shown with its case.
    std::panic::set_hook(Box::new(|_| ()));
    let plays = read_plays(&words);
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(play) = plays.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let started = Instant::now();
                    let outcome = compare::perform(play);
                    report(play, &outcome, started);
                    results.lock().expect("no performer panics").push(outcome);
                }
            });
        }
    });
    close(&results.into_inner().expect("no performer panics"), words.is_empty())
}

fn read_plays(words: &[String]) -> Vec<Play> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/cases");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of the plays")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "play"))
        .collect();
    files.sort();
    let plays = files.iter().map(|path| {
        play::read(path).unwrap_or_else(|error| {
            eprintln!("{error}");
            std::process::exit(1)
        })
    });
    plays
        .filter(|play| words.is_empty() || words.iter().any(|word| play.name.contains(word.as_str())))
        .collect()
}

fn report(play: &Play, outcome: &Outcome, started: Instant) {
    let mut text = format!(
        "{:<28} {:>4} cases, {:>4} equal, {:>3} differ as documented, {:>3} wrong ({:.1} s)\n",
        play.name,
        outcome.cases(),
        outcome.equal,
        outcome.documented,
        outcome.wrong.len(),
        started.elapsed().as_secs_f64()
    );
    for wrong in &outcome.wrong {
        text.push_str(wrong);
        text.push('\n');
    }
    print!("{text}");
}

/// The sums. After a whole run, docs/COMPATIBILITY.md has to say the same.
fn close(outcomes: &[Outcome], whole: bool) -> ExitCode {
    let sum = |part: fn(&Outcome) -> usize| outcomes.iter().map(part).sum::<usize>();
    let wrong = sum(|outcome| outcome.wrong.len());
    let line = format!(
        "parity with redis-sentinel: {} cases compared, {} equal, {} differ as documented, {wrong} wrong",
        sum(Outcome::cases),
        sum(|outcome| outcome.equal),
        sum(|outcome| outcome.documented)
    );
    println!("\n{line}");
    println!("{} passed, {wrong} failed", sum(Outcome::cases) - wrong);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/COMPATIBILITY.md");
    let is_told =
        !whole || std::fs::read_to_string(path).is_ok_and(|text| text.lines().any(|told| told == line));
    if wrong == 0 && !is_told {
        println!("docs/COMPATIBILITY.md says something else: put this line there");
    }
    // A word for another test names no play.
    let is_played = !whole || !outcomes.is_empty();
    if wrong == 0 && is_told && is_played { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
