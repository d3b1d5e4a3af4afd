//! What reading a configuration needs from the outside: the one door between `conf` and the machine.
//!
//! The daemon implements it with real files; tests with maps. Every error is the plain text of the system's error, without a
//! number, since it is shown to the operator (`No such file or directory`).

/// The outside as seen by [`super::load()`].
pub trait Host {
    /// The content of a file. A directory is an error.
    ///
    /// # Errors
    /// The system's error text.
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String>;

    /// The files that match a pattern, sorted; none is not an error.
    fn glob(&mut self, pattern: &str) -> Vec<String>;

    /// Enters a directory, so that later relative paths start there (spec 1 §4.1, `dir`).
    ///
    /// # Errors
    /// The system's error text.
    fn change_dir(&mut self, path: &str) -> Result<(), String>;

    /// The absolute path of the working directory.
    fn current_dir(&mut self) -> String;

    /// Opens a log file for appending, creating it, and closes it again (spec 1 §2.5).
    ///
    /// # Errors
    /// The system's error text.
    fn test_log_file(&mut self, path: &str) -> Result<(), String>;

    /// From now on the log goes to this file; empty: to standard output. It does at once, so that faults found later are logged there.
    fn log_to(&mut self, path: &str) {
        let _ = path;
    }

    /// `access(path, X_OK)`.
    fn is_executable(&mut self, path: &str) -> bool;

    /// Checks the rules of an ACL user (spec 1 §4.4). Not called for a name seen before.
    ///
    /// # Errors
    /// The index of the bad rule, and the reason.
    fn check_user(&mut self, name: &str, rules: &[String]) -> Result<(), (usize, String)> {
        let _ = (name, rules);
        Ok(())
    }
}
