//! Notification and reconfiguration scripts: a queue with limits, time-outs and retries (spec 2 §10).

use std::collections::VecDeque;
use std::time::Duration;

use super::action::Action;
use super::cx::Cx;
use super::input::ScriptExit;
use super::notice::Level;
use crate::model::{Instant, ScriptId};
use crate::wire::view::ScriptView;

/// Jobs that may wait; the oldest that does not run makes room for the next.
const MAX_QUEUED: usize = 256;
/// Jobs that may run at a time.
const MAX_RUNNING: usize = 16;
/// Runs of one job.
const MAX_ATTEMPTS: u32 = 10;

/// The queue.
#[derive(Clone, Debug, Default)]
pub struct Scripts {
    jobs: VecDeque<Job>,
    next_id: u64,
}

#[derive(Clone, Debug)]
struct Job {
    id: ScriptId,
    argv: Vec<String>,
    attempts: u32,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Waiting { until: Instant },
    Running { since: Instant, pid: Option<u32>, killed_at: Option<Instant> },
}

impl Job {
    /// It runs, or is being started.
    fn is_under_way(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// The process, and since when.
    fn process(&self) -> Option<(u32, Instant)> {
        match self.state {
            // What can't be executed never had a process.
            State::Running { since, pid: Some(pid), .. } if pid > 0 => Some((pid, since)),
            _ => None,
        }
    }
}

impl Scripts {
    /// Queues a run.
    pub fn push(&mut self, argv: Vec<String>, now: Instant) {
        self.next_id += 1;
        let job = Job { id: ScriptId(self.next_id), argv, attempts: 0, state: State::Waiting { until: now } };
        self.jobs.push_back(job);
        if self.jobs.len() > MAX_QUEUED
            && let Some(oldest) = self.jobs.iter().position(|job| !job.is_under_way())
        {
            self.jobs.remove(oldest);
        }
    }

    /// Jobs running: as long as there is no process, a job counts as waiting.
    pub fn running(&self) -> usize {
        self.jobs.iter().filter(|job| job.process().is_some()).count()
    }

    /// Jobs queued, running ones included.
    pub fn queued(&self) -> usize {
        self.jobs.len()
    }

    /// For SENTINEL PENDING-SCRIPTS.
    pub fn views(&self, now: Instant) -> Vec<ScriptView> {
        let view = |job: &Job| {
            let (argv, attempts) = (job.argv.clone(), job.attempts);
            let (delay, attempts) = match job.state {
                State::Waiting { until } => (until.since(now), attempts),
                State::Running { pid: None, .. } => (Duration::ZERO, attempts.saturating_sub(1)),
                State::Running { .. } => (Duration::ZERO, attempts),
            };
            let running = job.process().map(|(pid, since)| (pid, now.since(since)));
            ScriptView { argv, running, delay, attempts }
        };
        self.jobs.iter().map(view).collect()
    }

    fn position(&self, id: ScriptId) -> Option<usize> {
        self.jobs.iter().position(|job| job.id == id)
    }
}

/// Starts what may start, kills what runs too long; when to look again.
pub fn step(cx: &mut Cx) -> Option<Instant> {
    let now = cx.mono();
    let max_runtime = cx.globals.tunables.script_max_runtime;
    let mut running = cx.scripts.jobs.iter().filter(|job| job.is_under_way()).count();
    let mut wake: Option<Instant> = None;
    let mut overdue = Vec::new();
    for job in &mut cx.scripts.jobs {
        match job.state {
            State::Waiting { until } if until <= now => {
                if running < MAX_RUNNING {
                    running += 1;
                    job.attempts += 1;
                    job.state = State::Running { since: now, pid: None, killed_at: None };
                    cx.outbox.push(Action::RunScript(job.id, job.argv.clone()));
                }
            }
            State::Waiting { until } => wake = Some(wake.map_or(until, |at| at.min(until))),
            State::Running { .. } => {}
        }
        if let State::Running { since, pid: Some(pid), killed_at } = &mut job.state {
            // A killed process is given time to be reaped before it is killed again.
            let due = killed_at.map_or(*since + max_runtime, |at| at + Duration::from_millis(100));
            if now > due {
                *killed_at = Some(now);
                overdue.push((job.id, job.argv.first().cloned().unwrap_or_default(), *pid));
            }
            let due = killed_at.map_or(*since + max_runtime, |at| at + Duration::from_millis(100));
            let due = due + Duration::from_millis(1);
            wake = Some(wake.map_or(due, |at| at.min(due)));
        }
    }
    for (id, path, pid) in overdue {
        cx.publish(Level::Warning, "-script-timeout", format!("{path} {pid}"));
        cx.outbox.push(Action::KillScript(id));
    }
    wake
}

/// A script was started, or could not be.
pub fn on_started(cx: &mut Cx, id: ScriptId, pid: Option<u32>) {
    let Some(at) = cx.scripts.position(id) else { return };
    match pid {
        Some(pid) => {
            if let State::Running { pid: slot, .. } = &mut cx.scripts.jobs[at].state {
                *slot = Some(pid);
            }
            cx.publish(Level::Debug, "+script-child", pid.to_string());
        }
        None => {
            // Compat: an attempt that could not even fork is not counted, and comes again soon.
            let now = cx.mono();
            let job = &mut cx.scripts.jobs[at];
            job.attempts = job.attempts.saturating_sub(1);
            job.state = State::Waiting { until: now + Duration::from_millis(100) };
            let path = job.argv.first().cloned().unwrap_or_default();
            cx.publish(Level::Warning, "-script-error", format!("{path} 99 0"));
        }
    }
}

/// A script ended: done, to be retried, or given up (spec 2 §10.2).
pub fn on_exited(cx: &mut Cx, id: ScriptId, exit: ScriptExit) {
    let Some(at) = cx.scripts.position(id) else { return };
    let retry_delay = cx.globals.tunables.script_retry_delay;
    let now = cx.mono();
    let job = &mut cx.scripts.jobs[at];
    let pid = match job.state {
        State::Running { pid, .. } => pid.unwrap_or(0),
        State::Waiting { .. } => 0,
    };
    let retry = exit.signal != 0 || exit.code == 1;
    let give_up = if retry { job.attempts >= MAX_ATTEMPTS } else { exit.code != 0 };
    let path = job.argv.first().cloned().unwrap_or_default();
    if retry && !give_up {
        let delay = retry_delay.saturating_mul(1 << job.attempts.saturating_sub(1));
        job.state = State::Waiting { until: now + delay };
    } else {
        cx.scripts.jobs.remove(at);
    }
    cx.publish(Level::Debug, "-script-child", format!("{pid} {} {}", exit.code, exit.signal));
    if give_up {
        cx.publish(Level::Warning, "-script-error", format!("{path} {} {}", exit.signal, exit.code));
    }
}
