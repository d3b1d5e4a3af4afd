//! A machine made of a map, and the law of the configuration file: what is written is read as what it was written from.

use std::collections::{BTreeMap, BTreeSet};

use sentineld::acl::User;
use sentineld::acl::user::merge_selectors;
use sentineld::conf::{ConfError, Host, Inputs, Loaded, Settings, load, parse_ip, rewrite};
use sentineld::wire::glob::glob_matches;

/// The file that others may include.
const PART: &str =
    "timeout 7\nsentinel monitor inc 127.0.0.1 7 1\nsentinel known-replica inc 127.0.0.1 8\nuser inc on";

/// Files by path, and a working directory.
pub struct Machine {
    files: BTreeMap<String, Vec<u8>>,
    dir: String,
}

impl Machine {
    /// A machine with a configuration file `/c`.
    pub fn new(text: &[u8]) -> Machine {
        let files = [("/c".to_owned(), text.to_vec()), ("/part".to_owned(), PART.into())];
        Machine { files: files.into(), dir: "/start".to_owned() }
    }

    fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", self.dir) }
    }
}

impl Host for Machine {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
        let path = self.absolute(path);
        self.files.get(&path).cloned().ok_or_else(|| "No such file or directory".to_owned())
    }

    fn glob(&mut self, pattern: &str) -> Vec<String> {
        let pattern = self.absolute(pattern);
        let matches = |path: &&String| glob_matches(pattern.as_bytes(), path.as_bytes(), false);
        self.files.keys().filter(matches).cloned().collect()
    }

    fn change_dir(&mut self, path: &str) -> Result<(), String> {
        if path.is_empty() || path.contains("missing") {
            return Err("No such file or directory".to_owned());
        }
        self.dir = self.absolute(path);
        Ok(())
    }

    fn current_dir(&mut self) -> String {
        self.dir.clone()
    }

    fn test_log_file(&mut self, path: &str) -> Result<(), String> {
        if path.contains("forbidden") { Err("Permission denied".to_owned()) } else { Ok(()) }
    }

    fn is_executable(&mut self, path: &str) -> bool {
        path.ends_with(".sh")
    }

    fn check_user(&mut self, _: &str, rules: &[String]) -> Result<(), (usize, String)> {
        let rules: Vec<&[u8]> = rules.iter().map(String::as_bytes).collect();
        let merged = merge_selectors(&rules).map_err(|_| (0, "unmatched".to_owned()))?;
        let mut user = User::new(false);
        for (index, rule) in merged.iter().enumerate() {
            user.apply(rule).map_err(|reason| (index, reason.to_string()))?;
        }
        Ok(())
    }
}

/// Reads a configuration as the daemon does.
pub fn read(text: &[u8]) -> Result<Loaded, ConfError> {
    load(&mut Machine::new(text), Inputs { path: Some("/c"), ..Inputs::default() })
}

/// Panics unless the settings, written to a new file, are read as they were.
pub fn assert_survives_a_restart(settings: &Settings) {
    let text = rewrite(b"", settings);
    let shown = String::from_utf8_lossy(&text);
    let loaded = read(&text).unwrap_or_else(|error| panic!("{error}\n{shown}"));
    assert_eq!(loaded.settings.sentinel, settings.sentinel, "{shown}");
    let mut expected = settings.masters.clone();
    for master in &mut expected {
        // What a C library takes for an address comes back as one.
        let hosts = master.replicas.iter_mut().map(|(host, _)| host);
        let hosts = hosts.chain(master.peers.iter_mut().map(|peer| &mut peer.host)).chain([&mut master.host]);
        for host in hosts {
            *host = parse_ip(host).map_or(host.clone(), |ip| ip.to_string());
        }
        // What was two names for one address is one then.
        let mut seen = BTreeSet::new();
        master.replicas.retain(|replica| seen.insert(replica.clone()));
    }
    assert_eq!(loaded.settings.masters, expected, "{shown}");
}
