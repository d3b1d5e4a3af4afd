//! Typed changes to what must survive a crash: what the engine hands to the store.

use std::collections::HashMap;

use super::settings::{LogLevel, MasterSettings, SentinelSettings, Settings};
use crate::model::MasterName;
use crate::text::words;

/// One change of the persisted state. Each replaces the whole of what it names, so applying a change twice is harmless.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The process-wide `sentinel` directives: id, current epoch, announcements.
    Sentinel(Box<SentinelSettings>),
    /// Everything about one master, known replicas and peers included; adds the master if it is new.
    Master(Box<MasterSettings>),
    /// The master is no longer monitored.
    RemoveMaster(MasterName),
    /// The least important level that is logged.
    LogLevel(LogLevel),
    /// The ACL users as `user` lines without the word `user` (`default on nopass ~* &* +@all`), sorted by name.
    Users(Vec<String>),
}

/// The changes of one engine turn, in order. An empty patch asks for a rewrite all the same (SENTINEL FLUSHCONFIG).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch {
    /// What changed.
    pub changes: Vec<Change>,
}

impl Settings {
    /// Takes the changes of a patch, in order. New masters come last.
    pub fn apply(&mut self, patch: &Patch) {
        let mut masters: Vec<Option<MasterSettings>> =
            std::mem::take(&mut self.masters).into_iter().map(Some).collect();
        let mut index: HashMap<MasterName, usize> =
            masters.iter().flatten().enumerate().map(|(at, master)| (master.name.clone(), at)).collect();
        for change in &patch.changes {
            match change {
                Change::Sentinel(sentinel) => self.sentinel = (**sentinel).clone(),
                Change::Master(master) => {
                    let at = *index.entry(master.name.clone()).or_insert(masters.len());
                    if at == masters.len() {
                        masters.push(None);
                    }
                    masters[at] = Some((**master).clone());
                }
                Change::RemoveMaster(name) => {
                    if let Some(at) = index.remove(name) {
                        masters[at] = None;
                    }
                }
                Change::LogLevel(level) => {
                    self.server.log_level = *level;
                    let saved = self.server.persist("loglevel", level.name().as_bytes());
                    saved.expect("invariant: the directive takes every level");
                }
                Change::Users(lines) => {
                    self.server.users = lines.iter().filter_map(|line| user(line)).collect()
                }
            }
        }
        self.masters = masters.into_iter().flatten().collect();
    }
}

/// Name and rules of a `user` line.
fn user(line: &str) -> Option<(String, Vec<String>)> {
    let words = words::split(line.as_bytes())?;
    let mut words = words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned());
    Some((words.next()?, words.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_apply_in_order_and_twice_over() {
        let master = |name: &str, port| Box::new(MasterSettings::new(name.into(), "1.1.1.1".into(), port, 1));
        let patch = Patch {
            changes: vec![
                Change::Master(master("b", 2)),
                Change::RemoveMaster("a".into()),
                Change::RemoveMaster("unknown".into()),
                Change::Master(master("c", 3)),
                Change::RemoveMaster("c".into()),
                Change::Master(master("c", 4)),
                Change::Users(vec!["default on nopass ~* &* +@all".into()]),
            ],
        };
        let mut settings = Settings { masters: vec![*master("a", 1), *master("b", 1)], ..Default::default() };
        settings.apply(&patch);
        let once = settings.clone();
        let found: Vec<_> = once.masters.iter().map(|master| (master.name.as_str(), master.port)).collect();
        assert_eq!(found, [("b", 2), ("c", 4)]);
        assert_eq!(once.server.users[0].0, "default");
        assert_eq!(once.server.users[0].1.len(), 5);
        settings.apply(&patch);
        assert_eq!(settings, once);
    }
}
