//! Going into the background (spec 1 §6.2): the one place with `unsafe` code.
//!
//! Invariant: called while the process has a single thread.
#![allow(unsafe_code)]

use std::fs::OpenOptions;

use nix::unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid};

/// Continues in a child process that leads a session of its own and has its standard streams on `/dev/null`.
///
/// The parent leaves with status 0 at once: what goes wrong later can be read in the log only. If the fork itself fails the
/// process stays where it is, and an error is returned.
pub fn daemonize() -> nix::Result<()> {
    // SAFETY: no other thread exists yet (the caller's promise, kept by `boot`), so the child inherits no lock that nobody
    // will release, and may run any code.
    match unsafe { fork() }? {
        ForkResult::Parent { .. } => std::process::exit(0),
        ForkResult::Child => {}
    }
    // Fails only for a process group leader, which a fresh child never is.
    let _ = setsid();
    if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
        let _ = dup2_stdin(&null);
        let _ = dup2_stdout(&null);
        let _ = dup2_stderr(&null);
    }
    Ok(())
}
