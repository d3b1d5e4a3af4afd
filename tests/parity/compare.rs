//! Performs a play on both stages, step by step, and compares.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use crate::play::{Case, Play};
use crate::side::Side;
use crate::stage;
use crate::support::Kind;

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
    let build = |kind| catch_unwind(AssertUnwindSafe(|| Side::new(&play.stage, &ports, kind)));
    let (mut reference, mut ours) = match (build(Kind::Reference), build(Kind::Subject)) {
        (Ok(reference), Ok(ours)) => (reference, ours),
        (Err(panic), _) | (_, Err(panic)) => {
            outcome.wrong.push(format!("  {}.play: no stage: {}", play.name, said(&*panic)));
            return outcome;
        }
    };
    for case in &play.cases {
        let compared = catch_unwind(AssertUnwindSafe(|| run(case, &mut reference, &mut ours)));
        match compared
            .unwrap_or_else(|panic| Verdict::Wrong(format!("    broke off: {}", said(&*panic)), true))
        {
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
    outcome
}

enum Verdict {
    Equal,
    Documented,
    /// What differs, and whether the rest of the play makes no sense any more.
    Wrong(String, bool),
}

fn run(case: &Case, reference: &mut Side, ours: &mut Side) -> Verdict {
    let (mut differences, mut mine) = (String::new(), Vec::new());
    for step in &case.steps {
        let expected = reference.step(step, &case.masks);
        let got = ours.step(step, &case.masks);
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
