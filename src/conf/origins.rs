//! Which settings are not the configuration file's own: the rewrite must not move them into it (spec 1 §5.7, §8.2).
//!
//! Differs: the reference writes all of it into the file. What an included file says of a master or a user is then said twice,
//! and the next start fails; a password moves to a file that others may read; what is edited in the included file later is
//! overruled. Included files are never modified, and what they say need not be said again. What the command line or standard input
//! says holds for this run only.

use std::collections::{BTreeMap, BTreeSet};

use super::rewrite;
use super::sentinel::Evaluated;
use super::settings::{MasterSettings, SentinelSettings};
use crate::model::MasterName;

/// The kind of text a line was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The configuration file.
    File,
    /// A file that it includes.
    Include,
    /// Command line or standard input.
    Outside,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origins {
    /// Lines, as the rewrite would write them, that included files stand for.
    pub(super) included: BTreeSet<Vec<u8>>,
    /// ACL users defined elsewhere.
    pub(super) foreign_users: BTreeSet<String>,
    outside: Option<Box<Outside>>,
}

/// What the file said about settings that the command line changed, and what they were changed to.
#[derive(Clone, Debug, PartialEq)]
struct Outside {
    sentinel: Changed<SentinelSettings>,
    masters: BTreeMap<MasterName, Changed<MasterSettings>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Changed<T> {
    before: T,
    after: T,
}

/// For each field: the value to persist is the one before the change, unless it changed once more since.
macro_rules! restore {
    ($now:expr, $changed:expr, $($field:ident)*) => {
        $(if $now.$field == $changed.after.$field { $now.$field = $changed.before.$field.clone(); })*
    };
}

impl Origins {
    pub(super) fn include_directive(&mut self, name: &str, lines: &[String]) {
        self.included.extend(lines.iter().map(|line| format!("{name} {line}").into_bytes()));
    }

    pub(super) fn include_sentinel(&mut self, sentinel: &SentinelSettings, masters: &[MasterSettings]) {
        let mut lines = Vec::new();
        rewrite::sentinel_lines(sentinel, masters, |line| lines.push(line.text));
        self.included.extend(lines);
    }

    /// Records what lines from outside changed: `before` is without them, `all` with them.
    pub(super) fn note_outside(&mut self, before: Evaluated, all: &Evaluated) {
        let after: BTreeMap<_, _> = all.masters.iter().map(|master| (&master.name, master)).collect();
        let changed_masters = before.masters.into_iter().filter_map(|before| {
            // A master that only the command line defines has state to keep: it goes to the file as a whole.
            let after = (*after.get(&before.name)?).clone();
            (before != after).then(|| (before.name.clone(), Changed { before, after }))
        });
        let masters = changed_masters.collect();
        let sentinel = Changed { before: before.sentinel, after: all.sentinel.clone() };
        self.outside = Some(Box::new(Outside { sentinel, masters }));
    }

    /// The process-wide settings as they are to be persisted.
    pub(super) fn sentinel_to_keep(&self, now: &SentinelSettings) -> SentinelSettings {
        let mut now = now.clone();
        if let Some(outside) = &self.outside {
            restore!(now, outside.sentinel, announce_ip announce_port deny_scripts_reconfig resolve_hostnames
                announce_hostnames sentinel_user sentinel_pass);
        }
        now
    }

    /// The same for a master; `None`: as it is.
    pub(super) fn master_to_keep(&self, now: &MasterSettings) -> Option<MasterSettings> {
        let changed = self.outside.as_ref()?.masters.get(&now.name)?;
        let mut now = now.clone();
        restore!(now, changed, down_after failover_timeout parallel_syncs notification_script client_reconfig_script
            auth_pass auth_user reboot_down_after renamed_commands);
        Some(now)
    }
}
