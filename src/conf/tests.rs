//! Whole configurations: read, written, read again. Single rules are tested where they are.

use std::collections::BTreeMap;

use super::*;

mod example;
mod loading;
mod random;
mod rewriting;
mod values;

/// A machine made of a map.
pub(super) struct FakeHost {
    pub files: BTreeMap<String, Vec<u8>>,
    pub dir: String,
}

impl FakeHost {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        FakeHost { files, dir: "/start".to_owned() }
    }

    fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", self.dir) }
    }
}

impl Host for FakeHost {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
        let path = self.absolute(path);
        self.files.get(&path).cloned().ok_or_else(|| "No such file or directory".to_owned())
    }

    fn glob(&mut self, pattern: &str) -> Vec<String> {
        let pattern = self.absolute(pattern);
        let (before, after) = pattern.split_once('*').expect("tests use one star");
        self.files.keys().filter(|path| path.starts_with(before) && path.ends_with(after)).cloned().collect()
    }

    fn change_dir(&mut self, path: &str) -> Result<(), String> {
        if path.contains("missing") {
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
}

/// Reads a configuration made of one file.
pub(super) fn load_text(text: &str) -> Result<Loaded, ConfError> {
    load_with(&[("/c", text)], &[])
}

/// Reads `/c` with other files and arguments at hand.
pub(super) fn load_with(files: &[(&str, &str)], arguments: &[&str]) -> Result<Loaded, ConfError> {
    let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
    let (options, _) = options_to_text(&arguments);
    load(&mut FakeHost::new(files), Inputs { path: Some("/c"), stdin: None, options: &options })
}
