//! What the kernel grants the process: open files, CPUs, its place in line for the out-of-memory killer (spec 1 §6.6, §4.1).
//!
//! Invariant: no call that changes a limit is made unless a directive needs it. Under a strict system-call filter such a call
//! kills the process (spec 1 §8.2).

use std::fs;
use std::io;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;
use tracing::{info, warn};

use super::strerror::{errno_text, strerror};

/// Descriptors the process needs besides those of its clients.
const RESERVED: u64 = 32;
/// Descriptors of those that no client gets, however many links there are.
const KEPT_BACK: u64 = 16;
/// By how much the attempts to raise the limit shrink.
const STEP: u64 = 16;

/// What became of the wish for descriptors.
#[derive(Debug, PartialEq, Eq)]
pub enum Granted {
    /// Enough for every client that `maxclients` allows.
    All,
    /// Enough for this many clients only.
    Fewer(u32),
    /// Not even enough to start.
    TooFew,
}

/// Raises the limit of open files to what `max_clients` needs, as far as the kernel lets us; logs what it did (spec 1 §6.6).
pub fn open_files(max_clients: u32) -> Granted {
    let need = u64::from(max_clients) + RESERVED;
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(errno) => {
            warn!(
                "Unable to obtain the current NOFILE limit ({}), assuming 1024 and setting the max clients configuration \
                 accordingly.",
                errno_text(errno)
            );
            return Granted::Fewer(1024 - u32::try_from(RESERVED).expect("invariant: 32 fits"));
        }
    };
    if soft >= need {
        return Granted::All;
    }
    let (reached, refusal) = raise(soft, hard, need);
    report(max_clients, need, soft, reached, refusal)
}

/// The descriptor at which a client is one too many: the last ones are kept for the configuration file, the log and links, without
/// which a Sentinel can neither promise a vote nor tell a living master from a dead one. The kernel gives the lowest number that is
/// free, so a number tells how many there are.
///
/// Differs: the reference counts clients only, and its links to instances use up what it reserved.
pub fn first_refused_descriptor() -> i32 {
    let soft = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
    i32::try_from(soft - KEPT_BACK.min(soft / 8)).unwrap_or(i32::MAX)
}

/// Tries ever smaller limits above `soft`. Returns the limit in force, and why the last refused one was refused.
fn raise(soft: u64, hard: u64, need: u64) -> (u64, Option<nix::errno::Errno>) {
    let mut refusal = None;
    let mut wanted = need;
    while wanted > soft {
        match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)) {
            Ok(()) => return (wanted, refusal),
            Err(errno) => refusal = Some(errno),
        }
        wanted = wanted.saturating_sub(STEP);
    }
    (soft, refusal)
}

fn report(
    max_clients: u32,
    need: u64,
    before: u64,
    reached: u64,
    refusal: Option<nix::errno::Errno>,
) -> Granted {
    if reached >= need {
        info!("Increased maximum number of open files to {need} (it was originally set to {before}).");
        return Granted::All;
    }
    if reached <= RESERVED {
        warn!(
            "Your current 'ulimit -n' of {before} is not enough for the server to start. Please increase your open file limit \
             to at least {need}. Exiting."
        );
        return Granted::TooFew;
    }
    let reduced = u32::try_from(reached - RESERVED).unwrap_or(max_clients);
    let reason = refusal.map(errno_text).unwrap_or_default();
    warn!("You requested maxclients of {max_clients} requiring at least {need} max file descriptors.");
    warn!("Server can't set maximum open files to {need} because of OS error: {reason}.");
    warn!(
        "Current maximum open files is {reached}. maxclients has been reduced to {reduced} to compensate for low ulimit. \
         If you need higher maxclients increase 'ulimit -n'."
    );
    Granted::Fewer(reduced)
}

/// Warns if the kernel cuts the backlog of listening sockets below the configured one.
pub fn check_backlog(backlog: u32) {
    const PATH: &str = "/proc/sys/net/core/somaxconn";
    let somaxconn = fs::read_to_string(PATH).ok().and_then(|text| text.trim().parse::<u32>().ok());
    if let Some(max) = somaxconn.filter(|max| *max > 0 && *max < backlog) {
        warn!(
            "WARNING: The TCP backlog setting of {backlog} cannot be enforced because {PATH} is set to the lower value of {max}."
        );
    }
}

/// Binds the process, and every thread it will have, to a CPU list such as `0-3,8` or `0-10:2`. Trouble is ignored, as by the
/// reference.
pub fn bind_cpus(list: &str) {
    if let Some(set) = parse_cpus(list) {
        let _ = sched_setaffinity(Pid::from_raw(0), &set);
    }
}

fn parse_cpus(list: &str) -> Option<CpuSet> {
    let mut set = CpuSet::new();
    for part in list.split(',').filter(|part| !part.is_empty()) {
        let (range, step) = part.split_once(':').unwrap_or((part, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let step: usize = step.trim().parse().ok().filter(|step| *step > 0)?;
        if last >= CpuSet::count() {
            return None;
        }
        for cpu in (first..=last).step_by(step) {
            set.set(cpu).ok()?;
        }
    }
    Some(set)
}

/// Sets the process's out-of-memory score; relative values are added to the score it was started with.
pub fn set_oom_score(relative: bool, value: i32) {
    const PATH: &str = "/proc/self/oom_score_adj";
    let result = fs::read_to_string(PATH).and_then(|text| {
        let base: i32 = text.trim().parse().map_err(io::Error::other)?;
        let wanted = if relative { base.saturating_add(value) } else { value };
        fs::write(PATH, wanted.clamp(-1000, 1000).to_string())
    });
    if let Err(error) = result {
        warn!("Unable to write oom_score_adj: {}", strerror(&error));
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn enough_descriptors_change_nothing() {
        let before = getrlimit(Resource::RLIMIT_NOFILE).expect("limits");
        assert_eq!(open_files(1), Granted::All);
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).expect("limits"), before);
    }

    #[test]
    fn outcomes_of_a_raise() {
        assert_eq!(report(10_000, 10_032, 1024, 10_032, None), Granted::All);
        assert_eq!(report(10_000, 10_032, 1024, 4096, Some(Errno::EPERM)), Granted::Fewer(4064));
        assert_eq!(report(10_000, 10_032, 32, 32, Some(Errno::EPERM)), Granted::TooFew);
    }

    #[test]
    fn cpu_lists() {
        let set = parse_cpus("0-4:2,7").expect("a valid list");
        let members: Vec<usize> = (0..9).filter(|cpu| set.is_set(*cpu).expect("in range")).collect();
        assert_eq!(members, [0, 2, 4, 7]);
        assert!(parse_cpus("x").is_none());
        assert!(parse_cpus("0-99999999").is_none());
        assert!(parse_cpus("1:0").is_none());
    }
}
