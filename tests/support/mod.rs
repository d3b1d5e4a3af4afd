//! What the integration tests share: real processes on loopback, a small client, and waiting for conditions.
//!
//! A test builds a [`World`] (a temporary folder that remembers every log), starts nodes in it, and waits for
//! facts with [`wait_for`]; it never sleeps for a fixed time and hopes. When a test fails, its world prints the
//! end of every log. Nothing here knows what a correct failover is: that is the business of the tests.
//!
//! Invariants: every process started is killed when its handle is dropped, and also when the test process is;
//! every port is reserved for as long as the test process lives.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part of this module")]

pub mod driver;
pub mod fake;
pub mod fleet;
pub mod machine;
pub mod node;
pub mod pair;
pub mod port;
pub mod resp;
pub mod watch;
pub mod world;

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, Instant};

pub use driver::{Driver, Library};
pub use fleet::Fleet;
pub use node::{Kind, Node};
pub use resp::{Client, Value};
pub use watch::Watcher;
pub use world::World;

/// Polls `cond` every 20 ms until it holds; panics with `what` after `limit_s` seconds.
#[track_caller]
pub fn wait_for(what: &str, limit_s: u64, mut cond: impl FnMut() -> bool) {
    let started = Instant::now();
    while !cond() {
        let waited = started.elapsed();
        assert!(waited < Duration::from_secs(limit_s), "waited {waited:.1?} in vain for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Checks for `secs` seconds that `cond` goes on holding: for things that must *not* happen.
#[track_caller]
pub fn holds_for(what: &str, secs: f64, mut cond: impl FnMut() -> bool) {
    let started = Instant::now();
    while started.elapsed().as_secs_f64() < secs {
        assert!(cond(), "stopped being true after {:.1?}: {what}", started.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether this test runs as root, who alone can mount file systems and become somebody else.
pub fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// Says what a test could not check on this machine, and why: on stderr, and to `scripts/test`, which lists it at its end.
pub fn skipped(what: &str, why: &str) {
    eprintln!("SKIPPED: {what}: {why}");
    let Some(list) = std::env::var_os("SENTINELD_TEST_SKIPPED") else { return };
    let mut file = OpenOptions::new().create(true).append(true).open(list).expect("a file of scripts/test");
    file.write_all(format!("{what}: {why}\n").as_bytes()).expect("room for a line");
}
