//! The configuration's writer: a thread that makes changes durable without holding up the engine (spec 1 §5.6).
//!
//! It folds in every change that waits and writes once (group commit). A failed write is reported at once, so that nobody waits
//! for what may never come, and tried again until it succeeds: changes in memory are not to be lost by the next crash.
//!
//! Invariant: `Persisted(r, Ok)` is sent only after everything recorded up to `r` is on disk, folder entry included.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, trace, warn};

use super::config_file::ConfigFile;
use super::inbox::Inbox;
use super::strerror::strerror;
use crate::conf::{self, Change, Patch, Settings};
use crate::engine::Input;
use crate::model::Revision;

/// First pause before a failed write is tried again; doubled up to `LONGEST_PAUSE`.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// See `FIRST_PAUSE`.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// How often failures of the same kind are logged while a file can't be written.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(5);
/// Beyond this many waiting changes, those that a later one replaces are dropped.
const COMPACT_ABOVE: usize = 4096;

/// Gives the ACL users as `user` lines, for the file.
pub type UserLines = Box<dyn Fn() -> Vec<String> + Send>;

/// What is written, and where: used by the thread, and before it exists by the start-up.
pub struct Book {
    file: ConfigFile,
    settings: Settings,
}

impl Book {
    /// The state of `settings`, kept in `file`.
    pub fn new(file: ConfigFile, settings: Settings) -> Self {
        Book { file, settings }
    }

    /// Folds a change in, without writing.
    pub fn apply(&mut self, patch: &Patch) {
        self.settings.apply(patch);
    }

    /// Writes, and logs the outcome. Returns the system's reason if it failed.
    pub fn save(&self) -> Result<(), String> {
        let result = self.write();
        match &result {
            Ok(()) => log_success(&self.file),
            Err(failure) => log_failure(failure),
        }
        result.map_err(|failure| failure.reason)
    }

    fn write(&self) -> Result<(), Failure> {
        let old = self.file.read().map_err(|error| Failure {
            step: format!("Could not read the config file ({})", strerror(&error)),
            reason: strerror(&error),
        })?;
        let text = conf::rewrite(&old, &self.settings);
        self.file.replace(&text).map_err(|error| Failure { step: error.to_string(), reason: error.reason() })
    }
}

/// A failed write: what failed, and the system's reason.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    step: String,
    reason: String,
}

fn log_success(file: &ConfigFile) {
    trace!("Rewritten config file ({}) successfully", file.path().display());
    info!("Sentinel new configuration saved on disk");
}

fn log_failure(failure: &Failure) {
    warn!("{}", failure.step);
    warn!("WARNING: Sentinel was not able to save the new configuration on disk!!!: {}", failure.reason);
}

/// The engine's side: hands changes over and never waits.
pub struct Store {
    desk: Arc<Desk>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What lies between the engine and the thread.
#[derive(Default)]
struct Desk {
    tray: Mutex<Tray>,
    bell: Condvar,
}

#[derive(Default)]
struct Tray {
    changes: Vec<Change>,
    /// The highest revision handed over and not yet taken.
    revision: Option<Revision>,
    stop: bool,
}

impl Store {
    /// Starts the thread.
    pub fn start(book: Book, users: UserLines, inbox: Inbox) -> std::io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let writer = Writer { book, users, inbox, desk: desk.clone(), unsaved: None, trouble: None };
        let thread = std::thread::Builder::new().name("store".into()).spawn(move || writer.run())?;
        Ok(Store { desk, thread: Some(thread) })
    }

    /// Hands a change over; `Input::Persisted` follows.
    pub fn persist(&self, revision: Revision, patch: Patch) {
        let mut tray = self.desk.lock();
        tray.changes.extend(patch.changes);
        if tray.changes.len() > COMPACT_ABOVE {
            compact(&mut tray.changes);
        }
        tray.revision = Some(revision);
        drop(tray);
        self.desk.bell.notify_one();
    }

    /// Lets the thread write what waits and end; gives up on it after `patience`.
    pub fn stop(mut self, patience: Duration) {
        self.desk.lock().stop = true;
        self.desk.bell.notify_one();
        let until = Instant::now() + patience;
        let Some(thread) = self.thread.take() else { return };
        while !thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Tray> {
        // A panic ends the process, so a poisoned lock can't be observed for long; its content is whole anyway.
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops every change that a later one about the same thing replaces.
fn compact(changes: &mut Vec<Change>) {
    let mut seen = std::collections::HashSet::new();
    let mut kept: Vec<Change> = Vec::new();
    for change in changes.drain(..).rev() {
        let key = match &change {
            Change::Sentinel(_) => (0, None),
            Change::Users(_) => (1, None),
            Change::Master(master) => (2, Some(master.name.clone())),
            Change::RemoveMaster(name) => (2, Some(name.clone())),
        };
        if seen.insert(key) {
            kept.push(change);
        }
    }
    kept.reverse();
    *changes = kept;
}

/// The thread's side.
struct Writer {
    book: Book,
    users: UserLines,
    inbox: Inbox,
    desk: Arc<Desk>,
    /// The highest revision that was taken and is not on disk.
    unsaved: Option<Revision>,
    trouble: Option<Trouble>,
}

/// A series of failures.
struct Trouble {
    pause: Duration,
    retry_at: Instant,
    last: Failure,
    logged_at: Instant,
}

/// Why the thread woke up.
enum Call {
    Fresh,
    Retry,
    Stop,
}

impl Writer {
    fn run(mut self) {
        loop {
            match self.wait() {
                Call::Fresh => self.attempt(true),
                Call::Retry => self.attempt(false),
                Call::Stop => return,
            }
        }
    }

    /// Sleeps until there is something to write, and takes it.
    fn wait(&mut self) -> Call {
        let desk = self.desk.clone();
        let mut tray = desk.lock();
        loop {
            if let Some(revision) = tray.revision.take() {
                let patch = Patch { changes: std::mem::take(&mut tray.changes) };
                drop(tray);
                self.book.apply(&patch);
                self.unsaved = Some(revision);
                return Call::Fresh;
            }
            if tray.stop {
                return Call::Stop;
            }
            let Some(trouble) = &self.trouble else {
                tray = desk.bell.wait(tray).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = trouble.retry_at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Call::Retry;
            }
            tray = desk.bell.wait_timeout(tray, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes once. A fresh change is answered in any case; a retry is answered when it succeeds.
    fn attempt(&mut self, fresh: bool) {
        let Some(revision) = self.unsaved else { return };
        self.book.apply(&Patch { changes: vec![Change::Users((self.users)())] });
        match self.book.write() {
            Ok(()) => {
                log_success(&self.book.file);
                self.unsaved = None;
                self.trouble = None;
                self.inbox.complete(Input::Persisted(revision, Ok(())));
            }
            Err(failure) => {
                let reason = failure.reason.clone();
                self.note(failure);
                if fresh {
                    self.inbox.complete(Input::Persisted(revision, Err(reason)));
                }
            }
        }
    }

    /// Remembers a failure, plans the next attempt, and complains unless it did so a moment ago.
    fn note(&mut self, failure: Failure) {
        let now = Instant::now();
        let (pause, logged_at) = match &self.trouble {
            Some(before) => {
                let fresh = before.last == failure && now.duration_since(before.logged_at) < COMPLAINT_PERIOD;
                ((before.pause * 2).min(LONGEST_PAUSE), fresh.then_some(before.logged_at))
            }
            None => (FIRST_PAUSE, None),
        };
        let logged_at = logged_at.unwrap_or_else(|| {
            log_failure(&failure);
            now
        });
        self.trouble = Some(Trouble { pause, retry_at: now + pause, last: failure, logged_at });
    }
}
