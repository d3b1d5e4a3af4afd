//! Typed changes to what must survive a crash: what the engine hands to the store.

use std::collections::HashMap;

use super::settings::{KnownPeer, LogLevel, MasterSettings, SentinelSettings, Settings};
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

impl Patch {
    /// The masters that it changes, adds or removes.
    pub fn masters(&self) -> impl Iterator<Item = MasterName> {
        self.changes.iter().filter_map(|change| match change {
            Change::Master(master) => Some(master.name.clone()),
            Change::RemoveMaster(name) => Some(name.clone()),
            Change::Sentinel(_) | Change::LogLevel(_) | Change::Users(_) => None,
        })
    }
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

    /// A patch as the reference would have saved it: with a file for each replica, peer and master that is new, since what
    /// different rewrites add is set apart by an empty line (spec 1 §5.1, §5.3). Everything else is the first step.
    pub fn steps_of(&self, patch: &Patch) -> Vec<Patch> {
        let mut first = Vec::new();
        let mut later = Vec::new();
        let mut is_news = patch.changes.is_empty();
        for change in &patch.changes {
            let Change::Master(new) = change else {
                is_news |= *change != Change::Sentinel(Box::new(self.sentinel.clone()));
                first.push(change.clone());
                continue;
            };
            match self.masters.iter().find(|old| old.name == new.name) {
                Some(old) if has_only_grown(old, new) => {
                    let mut steps = growth(old, new);
                    let start = steps.remove(0);
                    is_news |= start != *old;
                    first.push(Change::Master(Box::new(start)));
                    later.extend(steps);
                }
                None if is_news => later.push((**new).clone()),
                _ => {
                    is_news = true;
                    first.push(change.clone());
                }
            }
        }
        let first = (is_news || later.is_empty()).then_some(Patch { changes: first });
        let later = later.into_iter().map(|master| Patch { changes: vec![Change::Master(Box::new(master))] });
        first.into_iter().chain(later).collect()
    }
}

/// True if the master is where it was and nobody is missing: after a switch, lines change their holders at once.
fn has_only_grown(old: &MasterSettings, new: &MasterSettings) -> bool {
    (&old.host, old.port) == (&new.host, new.port)
        && old.replicas.iter().all(|replica| new.replicas.contains(replica))
        && old.peers.iter().all(|peer| new.peers.iter().any(|other| other.run_id == peer.run_id))
}

/// The states on the way to `new`: the first without the replicas and peers that `old` lacks, each other with one more.
fn growth(old: &MasterSettings, new: &MasterSettings) -> Vec<MasterSettings> {
    let is_old = |peer: &KnownPeer| old.peers.iter().any(|other| other.run_id == peer.run_id);
    let mut replicas: Vec<bool> = new.replicas.iter().map(|replica| old.replicas.contains(replica)).collect();
    let mut peers: Vec<bool> = new.peers.iter().map(is_old).collect();
    let state = |replicas: &[bool], peers: &[bool]| {
        let mut state = new.clone();
        let (mut is_replica, mut is_peer) = (replicas.iter(), peers.iter());
        state.replicas.retain(|_| is_replica.next() == Some(&true));
        state.peers.retain(|_| is_peer.next() == Some(&true));
        state
    };
    let mut states = vec![state(&replicas, &peers)];
    while let Some(at) = replicas.iter().position(|known| !known) {
        replicas[at] = true;
        states.push(state(&replicas, &peers));
    }
    while let Some(at) = peers.iter().position(|known| !known) {
        peers[at] = true;
        states.push(state(&replicas, &peers));
    }
    states
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
    fn what_is_discovered_at_once_is_saved_one_by_one() {
        let mut settings = Settings::default();
        let mut master = MasterSettings::new("m".into(), "1.1.1.1".into(), 1, 1);
        settings.apply(&Patch { changes: vec![Change::Master(Box::new(master.clone()))] });
        let known = |changes: &[&MasterSettings]| {
            let changes = changes.iter().map(|&master| Change::Master(Box::new(master.clone()))).collect();
            let count = |change: &Change| match change {
                Change::Master(master) => (master.replicas.len(), master.peers.len()),
                other => panic!("{other:?}"),
            };
            let steps = settings.steps_of(&Patch { changes });
            steps.iter().map(|step| step.changes.iter().map(count).collect()).collect::<Vec<Vec<_>>>()
        };
        assert_eq!(known(&[]).len(), 1, "a flush is a step");
        assert_eq!(known(&[&master]), [[(0, 0)]]);
        let mut other = master.clone();
        other.name = "n".into();
        assert_eq!(known(&[&other]), [[(0, 0)]]);
        let mut third = master.clone();
        third.name = "o".into();
        assert_eq!(known(&[&other, &third]), [[(0, 0)], [(0, 0)]]);
        master.replicas = vec![("1.1.1.1".into(), 2), ("1.1.1.1".into(), 3)];
        master.peers = vec![KnownPeer { run_id: "p".into(), host: "1.1.1.1".into(), port: 4 }];
        assert_eq!(known(&[&master]), [[(1, 0)], [(2, 0)], [(2, 1)]]);
        master.quorum = 2;
        assert_eq!(known(&[&master]), [[(0, 0)], [(1, 0)], [(2, 0)], [(2, 1)]]);
        master.port = 2;
        assert_eq!(known(&[&master]), [[(2, 1)]], "a switch is one step");
    }

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
