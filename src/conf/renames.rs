//! `rename-command` lines: the Sentinel's own commands under other names (spec 1 §2.4).
//!
//! Does not concern the commands sent to data nodes (`sentinel rename-command`).

use std::collections::BTreeMap;

/// The commands a Sentinel has (spec 1 §6.7).
pub const COMMANDS: [&str; 15] = [
    "acl",
    "auth",
    "client",
    "command",
    "hello",
    "info",
    "ping",
    "psubscribe",
    "publish",
    "punsubscribe",
    "role",
    "sentinel",
    "shutdown",
    "subscribe",
    "unsubscribe",
];

/// The command table by present name, all in lower case, each with its original name and its new one as written.
pub(super) struct Renames {
    by_name: BTreeMap<String, (&'static str, Option<String>)>,
    removed: Vec<&'static str>,
}

impl Default for Renames {
    fn default() -> Self {
        let by_name = COMMANDS.iter().map(|name| ((*name).to_owned(), (*name, None))).collect();
        Renames { by_name, removed: Vec::new() }
    }
}

impl Renames {
    /// Renames a command, also one renamed before; an empty new name removes it.
    ///
    /// # Errors
    /// The reference's text.
    pub fn rename(&mut self, old: &[u8], new: &[u8]) -> Result<(), &'static str> {
        let old = String::from_utf8_lossy(old).to_ascii_lowercase();
        let new = std::str::from_utf8(new).map_err(|_| "argument must be UTF-8 text")?;
        let (original, _) = self.by_name.remove(&old).ok_or("No such command in rename-command")?;
        if new.is_empty() {
            self.removed.push(original);
            return Ok(());
        }
        if self.by_name.contains_key(&new.to_ascii_lowercase()) {
            return Err("Target command name already exists");
        }
        self.by_name.insert(new.to_ascii_lowercase(), (original, Some(new.to_owned())));
        Ok(())
    }

    /// Original name and new name of every command that was renamed; an empty new name means removed.
    pub fn list(&self) -> Vec<(String, String)> {
        let renamed =
            self.by_name.values().filter_map(|(original, new)| Some(((*original).to_owned(), new.clone()?)));
        let mut list: Vec<_> = renamed
            .chain(self.removed.iter().map(|original| ((*original).to_owned(), String::new())))
            .collect();
        list.sort();
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renaming() {
        let mut renames = Renames::default();
        assert_eq!(renames.rename(b"CONFIG", b""), Err("No such command in rename-command"));
        assert_eq!(renames.rename(b"PING", b"SUBSCRIBE"), Err("Target command name already exists"));
        let mut renames = Renames::default();
        assert_eq!(renames.rename(b"PING", b"Foo"), Ok(()));
        assert_eq!(renames.rename(b"foo", b"Bar"), Ok(()));
        assert_eq!(renames.rename(b"SHUTDOWN", b""), Ok(()));
        assert_eq!(renames.rename(b"shutdown", b"x"), Err("No such command in rename-command"));
        let pair = |old: &str, new: &str| (old.to_owned(), new.to_owned());
        assert_eq!(renames.list(), [pair("ping", "Bar"), pair("shutdown", "")]);
    }
}
