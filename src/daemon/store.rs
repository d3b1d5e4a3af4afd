//! The configuration's writer: a thread that makes changes durable without holding up the engine (spec 1 §5.6).
//!
//! It folds in every change that waits and writes once (group commit). A failed write is reported at once, so that nobody waits
//! for what may never come.
//!
//! Differs: it is tried again until it succeeds, as changes in memory are not to be lost by the next crash; the reference waits for the
//! next change.
//!
//! Invariant: `Persisted(r, Ok)` is sent only after everything recorded up to `r` is on disk, folder entry included.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, trace, warn};

use super::config_file::ConfigFile;
use super::inbox::Inbox;
use super::strerror::strerror;
use crate::conf::{Change, Draft, Patch, Settings};
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
/// Up to this product of changes and masters, each patch has a rewrite of its own.
const STEPWISE_BELOW: usize = 1024;

/// Gives the ACL users as `user` lines, for the file.
pub type UserLines = Box<dyn Fn() -> Vec<String> + Send>;

/// What is written, and where.
pub struct Book {
    file: ConfigFile,
    settings: Settings,
    draft: Draft,
}

impl Book {
    /// The state of `settings`, kept in `file`.
    pub fn new(file: ConfigFile, settings: Settings) -> Self {
        Book { file, settings, draft: Draft::default() }
    }

    /// Folds patches in and writes once. Whatever fails, they are in.
    fn write(&mut self, patches: &[Patch]) -> Result<(), Failure> {
        // Compat: that it can't be read is told by the reason alone.
        let old = self.file.read().map_err(|error| Failure { step: None, reason: strerror(&error) });
        self.draft.take_up(old.as_deref().unwrap_or_default());
        self.fold(patches);
        old?;
        self.file
            .replace(self.draft.text())
            .map_err(|error| Failure { step: Some(error.to_string()), reason: error.reason() })
    }

    /// Makes the text that would be there had each patch been written by itself, unless that is too much work.
    fn fold(&mut self, patches: &[Patch]) {
        let changes: usize = patches.iter().map(|patch| patch.changes.len()).sum();
        if patches.is_empty() || changes * self.settings.masters.len() > STEPWISE_BELOW {
            patches.iter().for_each(|patch| self.settings.apply(patch));
            self.draft.rewrite(&self.settings, &patches.iter().flat_map(Patch::masters).collect());
            return;
        }
        for patch in patches {
            for step in self.settings.steps_of(patch) {
                self.settings.apply(&step);
                self.draft.rewrite(&self.settings, &step.masters().collect());
            }
        }
    }
}

/// A failed write: what failed, and the system's reason.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    step: Option<String>,
    reason: String,
}

fn log_success(file: &ConfigFile) {
    trace!("Rewritten config file ({}) successfully", file.path().display());
    info!("Sentinel new configuration saved on disk");
}

fn log_failure(failure: &Failure) {
    if let Some(step) = &failure.step {
        warn!("{step}");
    }
    warn!("WARNING: Sentinel was not able to save the new configuration on disk!!!: {}", failure.reason);
}

/// The engine's side: hands changes over and never waits.
pub struct Store {
    desk: Arc<Desk>,
    thread: std::thread::JoinHandle<()>,
}

/// What lies between the engine and the thread.
#[derive(Default)]
struct Desk {
    tray: Mutex<Tray>,
    bell: Condvar,
}

#[derive(Default)]
struct Tray {
    patches: Vec<Patch>,
    /// How many changes are in them.
    changes: usize,
    /// How many there were after the last compaction.
    compacted: usize,
    /// The highest revision handed over and not yet taken.
    revision: Option<Revision>,
    stop: bool,
}

impl Store {
    /// Starts the thread.
    pub fn start(book: Book, users: UserLines, inbox: Inbox) -> std::io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let writer = Writer {
            book,
            users,
            inbox,
            desk: desk.clone(),
            fresh: Vec::new(),
            unsaved: None,
            trouble: None,
        };
        let thread = std::thread::Builder::new().name("store".into()).spawn(move || writer.run())?;
        Ok(Store { desk, thread })
    }

    /// Hands a change over; `Input::Persisted` follows.
    pub fn persist(&self, revision: Revision, patch: Patch) {
        let mut tray = self.desk.lock();
        tray.changes += patch.changes.len();
        tray.patches.push(patch);
        // Not before they have doubled since, or many masters would make each change as dear as all of them.
        if tray.changes.max(tray.patches.len()) > COMPACT_ABOVE.max(2 * tray.compacted) {
            let mut changes = tray.patches.drain(..).flat_map(|patch| patch.changes).collect();
            compact(&mut changes);
            (tray.changes, tray.compacted) = (changes.len(), changes.len());
            tray.patches.push(Patch { changes });
        }
        tray.revision = Some(revision);
        drop(tray);
        self.desk.bell.notify_one();
    }

    /// Lets the thread write what waits, or failed before, and end; gives up on it after `patience`.
    pub async fn stop(&self, patience: Duration) {
        self.desk.lock().stop = true;
        self.desk.bell.notify_one();
        let until = Instant::now() + patience;
        while !self.thread.is_finished() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(2)).await;
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
            Change::LogLevel(_) => (2, None),
            Change::Master(master) => (3, Some(master.name.clone())),
            Change::RemoveMaster(name) => (3, Some(name.clone())),
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
    /// Patches that were taken and not yet folded in.
    fresh: Vec<Patch>,
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
                // What could not be written so far gets a last chance.
                Call::Stop => return self.attempt(false),
            }
        }
    }

    /// Sleeps until there is something to write, and takes it.
    fn wait(&mut self) -> Call {
        let desk = self.desk.clone();
        let mut tray = desk.lock();
        loop {
            if let Some(revision) = tray.revision.take() {
                self.fresh = std::mem::take(&mut tray.patches);
                (tray.changes, tray.compacted) = (0, 0);
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
        // Users have no rewrite of their own: the next one takes them along.
        self.book.settings.apply(&Patch { changes: vec![Change::Users((self.users)())] });
        let patches = std::mem::take(&mut self.fresh);
        match self.book.write(&patches) {
            Ok(()) => {
                log_success(&self.book.file);
                self.unsaved = None;
                self.trouble = None;
                self.inbox.complete(Input::Persisted(revision, Ok(())));
            }
            Err(failure) => {
                let reason = failure.reason.clone();
                self.note(failure, fresh);
                if fresh {
                    self.inbox.complete(Input::Persisted(revision, Err(reason)));
                }
            }
        }
    }

    /// Remembers a failure, plans the next attempt, and complains; of a retry only if it did not do so a moment ago.
    fn note(&mut self, failure: Failure, fresh: bool) {
        let now = Instant::now();
        let (pause, logged_at) = match &self.trouble {
            Some(before) => {
                let recent = now.duration_since(before.logged_at) < COMPLAINT_PERIOD;
                let known = !fresh && recent && before.last == failure;
                let pause = if fresh { before.pause } else { (before.pause * 2).min(LONGEST_PAUSE) };
                (pause, known.then_some(before.logged_at))
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::conf;
    use crate::daemon::host::Machine;
    use crate::daemon::inbox::{self, Outlet};
    use crate::model::Epoch;

    struct Bench {
        dir: tempfile::TempDir,
        settings: Settings,
        store: Store,
        outlet: Outlet,
    }

    impl Bench {
        fn new() -> Bench {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let path = dir.path().join("s.conf");
            fs::write(&path, "# kept\nport 26379\nsentinel myid 1111111111111111111111111111111111111111\n")
                .expect("written");
            let inputs = conf::Inputs { path: path.to_str(), ..Default::default() };
            let settings = conf::load(&mut Machine, inputs).expect("a valid file").settings;
            let book = Book::new(ConfigFile::new(&path), settings.clone());
            let (inbox, outlet) = inbox::channel();
            let users = Box::new(|| vec!["default on nopass ~* &* +@all".to_string()]);
            let store = Store::start(book, users, inbox).expect("a thread");
            Bench { dir, settings, store, outlet }
        }

        fn path(&self) -> PathBuf {
            self.dir.path().join("s.conf")
        }

        /// Hands over an epoch under a revision of the same number.
        fn persist(&self, number: u64) {
            let mut sentinel = self.settings.sentinel.clone();
            sentinel.current_epoch = Epoch(number);
            let patch = Patch { changes: vec![Change::Sentinel(Box::new(sentinel))] };
            self.store.persist(Revision(number), patch);
        }

        fn outcome(&mut self) -> (u64, Result<(), String>) {
            match self.outlet.completions.blocking_recv() {
                Some(Input::Persisted(revision, result)) => (revision.0, result),
                other => panic!("no outcome: {other:?}"),
            }
        }

        fn text(&self) -> String {
            fs::read_to_string(self.path()).expect("the file")
        }
    }

    #[test]
    fn what_is_reported_is_on_disk() {
        let mut bench = Bench::new();
        bench.persist(7);
        assert_eq!(bench.outcome(), (7, Ok(())));
        let text = bench.text();
        assert!(text.starts_with("# kept\nport 26379\n"), "{text}");
        assert!(text.contains("\nsentinel current-epoch 7\n"), "{text}");
        assert!(text.contains("\nuser default on nopass ~* &* +@all\n"), "{text}");
    }

    #[test]
    fn waiting_changes_share_a_write() {
        let mut bench = Bench::new();
        for number in 1..=10_000 {
            bench.persist(number);
        }
        let mut writes = 1;
        let mut last = bench.outcome();
        while last.0 < 10_000 {
            let next = bench.outcome();
            assert!(next.0 > last.0 && next.1.is_ok());
            last = next;
            writes += 1;
        }
        assert!(writes < 10_000, "{writes} writes");
        assert!(bench.text().contains("\nsentinel current-epoch 10000\n"));
    }

    #[test]
    fn a_failure_is_told_at_once_and_mended_later() {
        let mut bench = Bench::new();
        // A folder in the way: neither readable as a file nor replaceable by one.
        fs::remove_file(bench.path()).expect("removed");
        fs::create_dir(bench.path()).expect("a folder");
        bench.persist(3);
        assert_eq!(bench.outcome(), (3, Err("Is a directory".into())));
        fs::remove_dir(bench.path()).expect("out of the way");
        assert_eq!(bench.outcome(), (3, Ok(())), "the store tries again by itself");
        assert!(bench.text().contains("\nsentinel current-epoch 3\n"));
    }

    #[tokio::test]
    async fn the_last_change_is_written_before_the_end() {
        let bench = Bench::new();
        bench.persist(9);
        bench.store.stop(Duration::from_secs(5)).await;
        assert!(bench.text().contains("\nsentinel current-epoch 9\n"));
    }

    #[tokio::test]
    async fn what_failed_is_tried_once_more_at_the_end() {
        let mut bench = Bench::new();
        let text = bench.text();
        fs::remove_file(bench.path()).expect("removed");
        fs::create_dir(bench.path()).expect("a folder");
        bench.persist(5);
        while !matches!(bench.outlet.completions.recv().await, Some(Input::Persisted(_, Err(_)))) {}
        fs::remove_dir(bench.path()).expect("out of the way");
        fs::write(bench.path(), text).expect("as it was");
        bench.store.stop(Duration::from_millis(900)).await;
        assert!(bench.text().contains("\nsentinel current-epoch 5\n"));
    }

    #[test]
    fn compaction_keeps_the_last_word_on_each_subject() {
        let remove = |name: &str| Change::RemoveMaster(name.into());
        let users = |line: &str| Change::Users(vec![line.into()]);
        let mut changes = vec![users("a"), remove("m"), remove("n"), users("b"), remove("m")];
        compact(&mut changes);
        assert_eq!(changes, [remove("n"), users("b"), remove("m")]);
    }
}
