//! The pid file (spec 1 §6.3): written without a check of an older one, removed at a clean end.

use std::fs;
use std::path::PathBuf;

use tracing::info;

/// Where a daemonized process without a `pidfile` of its own leaves its pid, as the reference does.
pub const DEFAULT_PATH: &str = "/var/run/redis.pid";

/// A pid file that was asked for, written or not.
#[derive(Clone, Debug)]
pub struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes our pid. Failure is silent (spec 1 §6.3): a missing pid file must not keep a Sentinel from watching.
    pub fn write(path: &str) -> Self {
        let path = PathBuf::from(path);
        let path = std::path::absolute(&path).unwrap_or(path);
        let _ = fs::write(&path, format!("{}\n", std::process::id()));
        PidFile { path }
    }

    /// Removes it, saying so.
    pub fn remove(&self) {
        info!("Removing the pid file.");
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_file_is_replaced_and_the_end_removes_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("x.pid");
        fs::write(&path, "99999999999\nold").expect("an old file");
        let pid_file = PidFile::write(path.to_str().expect("a printable path"));
        assert_eq!(fs::read_to_string(&path).expect("a pid"), format!("{}\n", std::process::id()));
        pid_file.remove();
        assert!(!path.exists());
    }

    #[test]
    fn failure_is_silent() {
        PidFile::write("/nonexistent/folder/x.pid").remove();
    }
}
