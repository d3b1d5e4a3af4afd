//! The temporary folder in which a test lives: configuration files, data and logs.
//!
//! Declare it before the nodes it holds, or keep it in their struct after them, so that it is dropped last.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::node::{Daemon, Kind, Node, in_path, text_of};
use super::port;

const TAIL_LINES: usize = 40;

/// A folder that vanishes after the test, unless the test failed: then the end of each log is printed.
pub struct World {
    dir: tempfile::TempDir,
}

impl World {
    /// An empty folder which everybody may enter.
    pub fn new() -> World {
        let dir = tempfile::Builder::new().prefix("sentineld-test.").tempdir().expect("a temporary folder");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("our own folder");
        World { dir }
    }

    /// The path of something in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Creates a folder inside.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).expect("a sub-folder");
        path
    }

    /// Writes a file inside.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file");
        path
    }

    /// A data server that is not yet running; it keeps its role over a restart by its configuration file.
    pub fn data(&self, name: &str, extra: &[String]) -> Node {
        let port = port::reserve();
        let dir = self.folder(name);
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsave \"\"\nappendonly no\nrepl-diskless-sync-delay 0\n\
             repl-timeout 60\n{}\n",
            dir.display(),
            extra.join("\n")
        );
        let conf = self.write(&format!("{name}/redis.conf"), &text);
        Node::new(name, in_path("redis-server"), port, conf, self.path(&format!("{name}.log")))
    }

    /// A Sentinel that is not yet running; `lines` follow its port, address and folder.
    pub fn sentinel(&self, name: &str, kind: Kind, lines: &[String]) -> Node {
        let port = port::reserve();
        let dir = self.folder(name);
        let text = format!("port {port}\nbind 127.0.0.1\ndir \"{}\"\n{}\n", dir.display(), lines.join("\n"));
        let conf = self.write(&format!("{name}/sentinel.conf"), &text);
        Node::new(name, kind.program(), port, conf, self.path(&format!("{name}.log")))
    }

    /// Kills what daemonized itself out of our hands: every process that was called with, or works in, this
    /// folder.
    fn reap_daemons(&self) {
        let ours = self.dir.path().to_string_lossy().into_owned();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        for entry in processes {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            let works_in = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            if works_in.starts_with(self.dir.path()) || text_of(&entry.path().join("cmdline")).contains(&ours)
            {
                drop(Daemon(pid));
            }
        }
    }

    fn print_tails(&self) {
        let mut logs: Vec<PathBuf> = fs::read_dir(self.dir.path())
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        logs.retain(|path| path.extension().is_some_and(|e| e == "log"));
        logs.sort();
        for log in logs {
            let text = text_of(&log);
            let lines: Vec<&str> = text.lines().collect();
            eprintln!("---- end of {}", log.display());
            eprintln!("{}", lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.reap_daemons();
        if std::thread::panicking() {
            self.print_tails();
        }
    }
}
