//! Performs a play on both stages, step by step, and compares.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;
use std::time::{Duration, Instant};

use crate::mask::Mask;
use crate::play::{Case, Plan, Play, Step};
use crate::side::Side;
use crate::stage;
use crate::support::Kind;

/// How long two states may differ.
const PATIENCE: Duration = Duration::from_secs(3);

/// What came of a play.
#[derive(Debug, Default)]
pub struct Outcome {
    pub equal: usize,
    pub documented: usize,
    /// What is shown of each case that failed.
    pub wrong: Vec<String>,
}

impl Outcome {
    pub fn cases(&self) -> usize {
        self.equal + self.documented + self.wrong.len()
    }
}

/// The first column of every table of departures.
static DEPARTURES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/COMPATIBILITY.md");
    let text = std::fs::read_to_string(path).expect("docs/COMPATIBILITY.md");
    let rows = text.lines().filter(|line| line.starts_with("| "));
    rows.filter_map(|row| Some(row.split('|').nth(1)?.trim().to_owned())).collect()
});

/// Plays it to the end; a case that breaks off ends the play, as nothing after it could be trusted.
pub fn perform(play: &Play) -> Outcome {
    let mut outcome = Outcome::default();
    let ports = stage::ports(&play.stage);
    std::thread::scope(|scope| {
        let reference = Performer::enter(scope, &play.stage, &ports, Kind::Reference);
        let ours = Performer::enter(scope, &play.stage, &ports, Kind::Subject);
        for said in [reference.lines(), ours.lines()].into_iter().filter_map(Result::err) {
            outcome.wrong.push(format!("  {}.play: no stage: {said}", play.name));
        }
        if !outcome.wrong.is_empty() {
            return;
        }
        for case in &play.cases {
            match run(case, &reference, &ours) {
                Verdict::Equal => outcome.equal += 1,
                Verdict::Documented => outcome.documented += 1,
                Verdict::Wrong(text, fatal) => {
                    outcome.wrong.push(format!("  {}.play:{} {}\n{text}", play.name, case.line, case.name));
                    if fatal {
                        break;
                    }
                }
            }
        }
    });
    outcome
}

/// What a stage gives back for a step, or what it said when it broke off.
type Lines = Result<Vec<String>, String>;

/// A step to be done, the masks for it, and whether it is the last one once more.
type Order<'a> = (&'a Step, &'a [Mask], bool);

/// A stage with a thread of its own: both stages do a step at the same time. One thread for a whole play, as servers die with the thread
/// that started them.
struct Performer<'a> {
    steps: Sender<Order<'a>>,
    given: Receiver<Lines>,
}

impl<'a> Performer<'a> {
    /// Builds a stage; the first lines it gives are none, once it stands.
    fn enter<'s>(
        scope: &'s Scope<'s, 'a>,
        plan: &'a Plan,
        ports: &'a [(String, u16)],
        kind: Kind,
    ) -> Performer<'a> {
        let (steps, todo) = channel::<Order<'_>>();
        let (done, given) = channel();
        scope.spawn(move || {
            let mut side = match catch_unwind(AssertUnwindSafe(|| Side::new(plan, ports, kind))) {
                Ok(side) => side,
                Err(panic) => return drop(done.send(Err(said(&*panic)))),
            };
            let mut lines = Ok(Vec::new());
            while done.send(lines).is_ok() {
                let Ok((step, masks, again)) = todo.recv() else { break };
                lines = catch_unwind(AssertUnwindSafe(|| side.step(step, masks, again)))
                    .map_err(|panic| format!("{kind:?}: {}", said(&*panic)));
            }
        });
        Performer { steps, given }
    }

    fn begin(&self, order: Order<'a>) {
        // A stage that is no more shows when its lines are asked for.
        let _ = self.steps.send(order);
    }

    fn lines(&self) -> Lines {
        self.given.recv().unwrap_or_else(|_| Err("the stage is no more".to_owned()))
    }
}

enum Verdict {
    Equal,
    Documented,
    /// What differs, and whether the rest of the play makes no sense any more.
    Wrong(String, bool),
}

fn run<'a>(case: &'a Case, reference: &Performer<'a>, ours: &Performer<'a>) -> Verdict {
    let (mut differences, mut mine) = (String::new(), Vec::new());
    for step in &case.steps {
        let (expected, got) = match both(step, &case.masks, reference, ours) {
            (Ok(expected), Ok(got)) => (expected, got),
            (expected, got) => {
                let broken = [expected.err(), got.err()].map(Option::unwrap_or_default).join("\n    ");
                return Verdict::Wrong(format!("{differences}    {step:?}\n    broke off: {broken}"), true);
            }
        };
        if expected != got {
            differences.push_str(&format!("    {step:?}\n{}", diff(&expected, &got)));
        }
        mine.extend(got);
    }
    let Some((row, texts)) = &case.differs else {
        return if differences.is_empty() { Verdict::Equal } else { Verdict::Wrong(differences, false) };
    };
    let missing: Vec<&String> =
        texts.iter().filter(|text| !mine.iter().any(|line| line.contains(*text))).collect();
    if !DEPARTURES.contains(row) {
        Verdict::Wrong(format!("    docs/COMPATIBILITY.md has no row {row:?}"), false)
    } else if differences.is_empty() {
        Verdict::Wrong("    does not differ (any more)".to_owned(), false)
    } else if texts.is_empty() || !missing.is_empty() {
        Verdict::Wrong(format!("    ours must contain (`ours TEXT`): {missing:?}\n{differences}"), false)
    } else {
        Verdict::Documented
    }
}

/// Has a step done on both stages. One that shows a state is repeated for a while as long as they differ: the two get everywhere at their own
/// pace, and only that they get there is compared.
fn both<'a>(
    step: &'a Step,
    masks: &'a [Mask],
    reference: &Performer<'a>,
    ours: &Performer<'a>,
) -> (Lines, Lines) {
    let deadline = Instant::now() + PATIENCE;
    let mut again = false;
    loop {
        reference.begin((step, masks, again));
        ours.begin((step, masks, again));
        let (expected, got) = (reference.lines(), ours.lines());
        if expected == got || !step.shows_state() || Instant::now() > deadline {
            return (expected, got);
        }
        again = true;
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What has to be removed and added to turn one list into the other, each behind the line that both have before it.
fn diff(expected: &[String], got: &[String]) -> String {
    // Of the rest from any two lines on: how many lines can be kept.
    let mut kept = vec![vec![0; got.len() + 1]; expected.len() + 1];
    for (i, old) in expected.iter().enumerate().rev() {
        for (j, new) in got.iter().enumerate().rev() {
            kept[i][j] = if old == new { kept[i + 1][j + 1] + 1 } else { kept[i + 1][j].max(kept[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut text, mut before) = (0, 0, String::new(), None);
    while i < expected.len() || j < got.len() {
        if i < expected.len() && j < got.len() && expected[i] == got[j] {
            before = Some(&expected[i]);
            (i, j) = (i + 1, j + 1);
            continue;
        }
        if let Some(line) = before.take() {
            text.push_str(&format!("      = {line}\n"));
        }
        if j == got.len() || (i < expected.len() && kept[i + 1][j] >= kept[i][j + 1]) {
            text.push_str(&format!("      - {}\n", expected[i]));
            i += 1;
        } else {
            text.push_str(&format!("      + {}\n", got[j]));
            j += 1;
        }
    }
    text
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
