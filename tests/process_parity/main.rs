//! redis-sentinel and sentineld seen from outside: signals, the background, sockets, system calls, syslog, scores and processors.
//!
//! Each test writes down the same facts of both programs and compares them.

mod ends;
#[path = "../support/mod.rs"]
mod support;
mod system;
mod words;

use std::path::Path;

use support::node::text_of;
use support::{Kind, Node, World};

/// Compares what a function finds out about each program.
#[track_caller]
fn compare<T: PartialEq + std::fmt::Debug>(observe: impl Fn(Kind) -> T) {
    let theirs = observe(Kind::Reference);
    assert_eq!(observe(Kind::Subject), theirs, "ours is left, theirs is right");
}

/// A Sentinel of a kind with one master that does not exist, not yet running.
fn lone(world: &World, kind: Kind, lines: &[&str]) -> Node {
    let mut all = vec!["sentinel monitor mymaster 127.0.0.1 1 1".to_owned()];
    all.extend(lines.iter().map(|line| line.replace("{dir}", &world.path("").display().to_string())));
    world.sentinel("sentinel", kind, &all)
}

/// One field of /proc/PID/status.
fn status_of(pid: u32, field: &str) -> String {
    let text = text_of(Path::new(&format!("/proc/{pid}/status")));
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_default().trim().to_owned()
}
