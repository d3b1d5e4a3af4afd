//! The history of a run: the last lines of what Sentinels said and what befell them, for the report of a failure.
//!
//! It lives outside of the world, so that it survives a panic in it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::OnceLock;

use sentineld::wire::InfoReport;

/// Lines kept.
const LINES: usize = 150;

thread_local! {
    static HISTORY: RefCell<VecDeque<String>> = const { RefCell::new(VecDeque::new()) };
}

/// True if everything is told while it happens (`SIM_TRACE=1`), every message included.
pub fn is_on() -> bool {
    static ON: OnceLock<bool> = OnceLock::new();
    *ON.get_or_init(|| std::env::var_os("SIM_TRACE").is_some())
}

/// A new run begins on this thread.
pub fn begin() {
    HISTORY.with_borrow_mut(VecDeque::clear);
}

/// Remembers a line.
pub fn note(at: u64, who: &str, text: &str) {
    let line = format!("{:12.3} {who:>4} {text}", at as f64 / 1e6);
    if is_on() {
        eprintln!("{line}");
    }
    HISTORY.with_borrow_mut(|history| {
        if history.len() == LINES {
            history.pop_front();
        }
        history.push_back(line);
    });
}

/// Tells a detail, if details are wanted.
pub fn detail(at: u64, who: &str, text: impl FnOnce() -> String) {
    if is_on() {
        eprintln!("{:12.3} {who:>4}   {}", at as f64 / 1e6, text());
    }
}

/// The last lines.
pub fn history() -> String {
    HISTORY.with_borrow(|history| history.iter().map(|line| format!("{line}\n")).collect())
}

/// What matters most of a report.
pub fn summary(report: &InfoReport) -> String {
    let followed = report.master_host.as_deref().zip(report.master_port);
    let link = if report.master_link_up == Some(true) { "up" } else { "down" };
    let role = followed.map_or_else(
        || format!("{:?}", report.role),
        |(host, port)| format!("a replica of {host}:{port} ({link})"),
    );
    let ids = [&report.repl_id, &report.repl_id2].map(|id| id.as_deref().unwrap_or("none"));
    format!("{role}, run id {:?}, history {}, before {}, {} keys", report.run_id, ids[0], ids[1], report.keys)
}
