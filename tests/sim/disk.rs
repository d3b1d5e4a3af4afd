//! A Sentinel's disk and the store in front of it: one write at a time, everything that waits goes into the next (`daemon::store`).
//!
//! What survives a crash is text: `conf::rewrite` of the settings with every saved patch, read by `conf::load` at the next start. As that
//! is dear and mostly of no use, saved patches are kept and the text is made of them, one after the other as the store does, when it
//! is needed: at a start, and at the end of a run.
//!
//! Invariant: what the text says is what was saved; [`Disk::text`] checks it.

use rand::Rng;
use rand::rngs::StdRng;
use sentineld::conf::{self, ConfError, Host, Inputs, Patch, Settings};
use sentineld::model::Revision;

use crate::clock::{MILLI, SECOND};

/// How the disk fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Well,
    /// A sync takes up to two seconds.
    Slow,
    /// No space is left: nothing gets as far as the rename.
    Full,
    /// The folder can't be synced: the new file is in place, though the attempt counts as failed.
    Unsure,
}

/// One attempt to write.
struct Write {
    patches: Vec<Patch>,
    revision: Revision,
    fresh: bool,
    /// When the new file takes the old one's place, and when that is sure.
    renamed_at: u64,
    ends_at: u64,
}

/// What an attempt came to.
pub struct Outcome {
    pub revision: Revision,
    pub saved: bool,
    /// The engine hears of it; of a retry that failed it does not.
    pub told: bool,
    /// The folder's entry is as it was before, or already the new one: chance decides at the next crash.
    pub next: Option<u64>,
}

pub struct Disk {
    pub health: Health,
    /// How long a write takes, in nanoseconds: at least, and less than.
    pub takes: (u64, u64),
    /// The file as it was made of everything before `log`, and what it says.
    text: Vec<u8>,
    of_text: Settings,
    /// What was saved since.
    log: Vec<Patch>,
    /// What waits: changes that were handed over, and whether an attempt to write them failed already.
    tray: Vec<Patch>,
    failed: Vec<Patch>,
    revision: Option<Revision>,
    writing: Option<Write>,
    pause: u64,
}

impl Disk {
    /// A disk with a configuration file.
    pub fn new(text: Vec<u8>) -> Result<(Self, Settings), String> {
        let settings = read(&text)?;
        let disk = Disk {
            health: Health::Well,
            takes: (MILLI / 2, 3 * MILLI / 2),
            text,
            of_text: settings.clone(),
            log: Vec::new(),
            tray: Vec::new(),
            failed: Vec::new(),
            revision: None,
            writing: None,
            pause: SECOND,
        };
        Ok((disk, settings))
    }

    /// The engine hands a change over. When the attempt that is begun now ends, if one is begun.
    pub fn persist(&mut self, now: u64, rng: &mut StdRng, revision: Revision, patch: Patch) -> Option<u64> {
        self.tray.push(patch);
        self.revision = self.revision.max(Some(revision));
        self.begin(now, rng, true)
    }

    fn begin(&mut self, now: u64, rng: &mut StdRng, fresh: bool) -> Option<u64> {
        if self.writing.is_some() {
            return None;
        }
        let revision = self.revision?;
        let takes = match self.health {
            Health::Slow => rng.random_range(100..2_000) * MILLI,
            _ => rng.random_range(self.takes.0..self.takes.1),
        };
        let mut patches = std::mem::take(&mut self.failed);
        patches.append(&mut self.tray);
        let (renamed_at, ends_at) = (now + takes * 2 / 3, now + takes);
        self.writing = Some(Write { patches, revision, fresh, renamed_at, ends_at });
        Some(ends_at)
    }

    /// The attempt ends. What becomes durable goes into `durable` too.
    pub fn finish(&mut self, now: u64, rng: &mut StdRng, durable: &mut Settings) -> Option<Outcome> {
        let write = self.writing.take_if(|write| write.ends_at <= now)?;
        let saved = matches!(self.health, Health::Well | Health::Slow);
        if saved || self.health == Health::Unsure {
            self.keep(&write.patches, durable);
        }
        if saved {
            self.pause = SECOND;
            self.revision = self.revision.filter(|revision| *revision > write.revision);
        } else {
            self.failed = write.patches;
        }
        let told = saved || write.fresh;
        let next = match (saved, self.tray.is_empty()) {
            (_, false) => self.begin(now, rng, true),
            (true, true) => None,
            (false, true) => {
                let pause = self.pause;
                self.pause = (pause * 2).min(8 * SECOND);
                Some(now + pause)
            }
        };
        Some(Outcome { revision: write.revision, saved, told, next })
    }

    /// It is time to try again what failed; when that attempt ends.
    pub fn retry(&mut self, now: u64, rng: &mut StdRng) -> Option<u64> {
        if self.failed.is_empty() { None } else { self.begin(now, rng, false) }
    }

    fn keep(&mut self, patches: &[Patch], durable: &mut Settings) {
        for patch in patches {
            durable.apply(patch);
            self.log.push(patch.clone());
        }
    }

    /// The process, or the machine, ends in the middle of whatever is going on. True if a write was caught between rename and sync and
    /// turns out to have survived.
    pub fn crash(&mut self, now: u64, rng: &mut StdRng, durable: &mut Settings) -> bool {
        let caught = self.writing.take();
        self.tray.clear();
        self.failed.clear();
        self.revision = None;
        self.pause = SECOND;
        let survivor = caught.filter(|write| write.renamed_at <= now && self.health != Health::Full);
        let Some(write) = survivor.filter(|_| rng.random()) else { return false };
        self.keep(&write.patches, durable);
        true
    }

    /// The text that a start would read now, and what it says, checked against what was saved.
    pub fn text(&mut self, durable: &Settings) -> Result<(&[u8], Settings), String> {
        for patch in std::mem::take(&mut self.log) {
            for step in self.of_text.steps_of(&patch) {
                self.of_text.apply(&step);
                self.text = conf::rewrite(&self.text, &self.of_text);
            }
        }
        let loaded = read(&self.text)?;
        if (&loaded.sentinel, &loaded.masters) != (&durable.sentinel, &durable.masters) {
            let shown = String::from_utf8_lossy(&self.text);
            return Err(format!("what was written is read differently: {:?}\n{shown}", durable.masters));
        }
        Ok((&self.text, loaded))
    }
}

/// Reads a configuration as the daemon does.
fn read(text: &[u8]) -> Result<Settings, String> {
    let inputs = Inputs { path: Some("/s.conf"), ..Inputs::default() };
    conf::load(&mut Machine(text), inputs)
        .map(|loaded| loaded.settings)
        .map_err(|error: ConfError| error.to_string())
}

/// A machine that has nothing but the configuration file.
struct Machine<'a>(&'a [u8]);

impl Host for Machine<'_> {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
        if path == "/s.conf" { Ok(self.0.to_vec()) } else { Err("No such file or directory".to_owned()) }
    }

    fn glob(&mut self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn change_dir(&mut self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn current_dir(&mut self) -> String {
        "/".to_owned()
    }

    fn test_log_file(&mut self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn is_executable(&mut self, _: &str) -> bool {
        false
    }
}
