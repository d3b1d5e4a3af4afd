//! The history of a run: the last lines of what Sentinels said and what befell them, for the report of a failure.
//!
//! It lives outside of the world, so that it survives a panic in it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::OnceLock;

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
