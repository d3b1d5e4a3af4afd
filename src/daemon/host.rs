//! The machine as `conf` sees it while it reads a configuration. Used at the start only, on the only thread.

use std::fs::{self, OpenOptions};

use nix::unistd::{AccessFlags, access};

use super::strerror::strerror;
use super::{logging, users};
use crate::conf::Host;
use crate::text::lossless::bytes_of;

/// Real files, the real working directory.
pub struct Machine;

impl Host for Machine {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
        // Differs: the reference reads a folder as an empty file, and then no save succeeds.
        fs::read(path).map_err(|error| strerror(&error))
    }

    fn glob(&mut self, pattern: &str) -> Vec<String> {
        matching_paths(pattern)
    }

    fn change_dir(&mut self, path: &str) -> Result<(), String> {
        std::env::set_current_dir(path).map_err(|error| strerror(&error))
    }

    fn current_dir(&mut self) -> String {
        std::env::current_dir().map_or_else(|_| ".".into(), |path| path.to_string_lossy().into_owned())
    }

    fn test_log_file(&mut self, path: &str) -> Result<(), String> {
        OpenOptions::new().append(true).create(true).open(path).map(drop).map_err(|error| strerror(&error))
    }

    fn log_to(&mut self, path: &str) {
        logging::log_to(path);
    }

    fn is_executable(&mut self, path: &str) -> bool {
        access(&*bytes_of(path), AccessFlags::X_OK).is_ok()
    }

    fn check_user(&mut self, _: &str, rules: &[String]) -> Result<(), (usize, String)> {
        users::check(rules)
    }
}

/// The paths that match a pattern, sorted. A leading dot must be matched by a dot, as the shell has it; an unreadable folder and a
/// pattern that is none match nothing.
fn matching_paths(pattern: &str) -> Vec<String> {
    let hidden = |path: &str| path.split('/').map(|part| part.starts_with('.')).collect::<Vec<bool>>();
    let found = glob::glob(pattern).into_iter().flatten().flatten();
    let paths = found.filter_map(|path| path.into_os_string().into_string().ok());
    paths.filter(|path| hidden(path) == hidden(pattern)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_component_by_component() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for name in ["a/one.conf", "a/two.conf", "b/one.conf", "b/.hidden.conf", "b/x.txt"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, "").expect("a file");
        }
        let root = dir.path().to_str().expect("a printable path");
        let check = |pattern: &str, expected: &[&str]| {
            let expected: Vec<String> = expected.iter().map(|path| format!("{root}/{path}")).collect();
            assert_eq!(matching_paths(&format!("{root}/{pattern}")), expected, "{pattern}");
        };
        check("*/one.conf", &["a/one.conf", "b/one.conf"]);
        check("b/*.conf", &["b/one.conf"]);
        check("b/.*.conf", &["b/.hidden.conf"]);
        check("[a]/t??.conf", &["a/two.conf"]);
        check("c/*", &[]);
    }

    #[test]
    fn a_folder_is_no_file() {
        assert_eq!(Machine.read("/tmp"), Err("Is a directory".into()));
    }
}
