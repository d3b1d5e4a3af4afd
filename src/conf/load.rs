//! Reading a configuration: texts are joined, lines understood one by one, `sentinel` lines queued and evaluated last.
//!
//! What single directives mean is in `directive` (generic) and `sentinel`; this file is about the order of things
//! (spec 1 §1.2, §2, §3.1). It reaches files only through [`Host`].

mod finish;
mod lines;

use std::collections::{BTreeMap, BTreeSet};

use super::directive::{self, Lines};
use super::error::{ConfError, Invalid};
use super::host::Host;
use super::origins::Source;
use super::place::{Joined, Origin, Place};
use super::renames::Renames;
use super::sentinel::Statement;
use super::settings::Settings;
use crate::text::words;

/// A warning that the operator should see in the log, though the configuration is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The text of the log line.
    pub text: String,
    /// It belongs after the lines of the start.
    pub belated: bool,
}

/// One ACL `user` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLine {
    /// The name of the user.
    pub name: String,
    /// The rules, as written.
    pub rules: Vec<String>,
    at: Position,
}

/// A line that may still turn out to be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    /// Its number in the joined text, and its trimmed bytes.
    line: (usize, Vec<u8>),
    place: Place,
}

impl Position {
    fn fault(&self, message: String, expected: &str) -> ConfError {
        let (line, place, expected) = (Some(self.line.clone()), self.place.clone(), expected.to_owned());
        ConfError::Invalid(Box::new(Invalid { line, message, place, expected, logged: None }))
    }
}

impl UserLine {
    /// The error for a fault in the rules that is found only after loading.
    pub fn error(&self, message: impl Into<String>) -> ConfError {
        self.at.fault(message.into(), USER_USAGE)
    }
}

/// A configuration that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// What to log.
    pub remarks: Vec<Remark>,
    /// The ACL users with their places, in the order of `settings.server.users`.
    pub users: Vec<UserLine>,
    set_at: BTreeMap<&'static str, Position>,
}

impl Loaded {
    /// The line that set a generic directive last, for what is found wrong with its value only after loading; `None` if no line
    /// did.
    pub fn place_of(&self, directive: &str) -> Option<&Place> {
        self.set_at.get(directive).map(|position| &position.place)
    }
}

/// What to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inputs<'a> {
    /// The configuration file, absolute; a pattern names all files that match.
    pub path: Option<&'a str>,
    /// The content of standard input, if it was asked for.
    pub stdin: Option<&'a [u8]>,
    /// The text made by [`super::options_to_text`]; empty: none.
    pub options: &'a str,
}

const USER_USAGE: &str = "`user <name> [rule...]` with valid ACL rules and each name once";
const QUOTES: &str = "every quote to be closed, and a blank or the end of the line after it";

/// Reads and checks everything (spec 1 §2, §3).
///
/// # Errors
/// The first fault, in the reference's order: generic directives line by line, then `sentinel` lines by pass.
pub fn load(host: &mut dyn Host, inputs: Inputs) -> Result<Loaded, ConfError> {
    let mut loader = Loader::new(host);
    let mut main = Joined::default();
    if let Some(path) = inputs.path {
        loader.read_into(&mut main, path, None)?;
    }
    if let Some(text) = inputs.stdin {
        main.push(Origin::StandardInput, text);
    }
    if !inputs.options.is_empty() {
        // The newline in between belongs to the text before, so the first option is on the first line of its own text.
        let origin = inputs
            .stdin
            .map_or_else(|| Origin::File(inputs.path.unwrap_or("").to_owned()), |_| Origin::StandardInput);
        main.push(origin, b"\n");
        main.push(Origin::CommandLine, inputs.options.as_bytes());
    }
    loader.read_text(&main, Source::File, 0)?;
    loader.finish()
}

struct Loader<'h> {
    host: &'h mut dyn Host,
    values: BTreeMap<String, Lines>,
    /// The values before the first line from outside the file, to be persisted instead of the final ones.
    file_values: Option<BTreeMap<String, Lines>>,
    /// The directives whose value in the file's own text comes from an included file.
    included: BTreeSet<&'static str>,
    /// The directives that the file or what it includes sets.
    set_in_file: BTreeSet<&'static str>,
    /// The line that set each directive last.
    set_at: BTreeMap<&'static str, Position>,
    statements: Vec<Statement>,
    users: Vec<UserLine>,
    user_names: BTreeSet<String>,
    foreign_users: BTreeSet<String>,
    renames: Renames,
    remarks: Vec<Remark>,
}

/// One understood line and all that is known about it.
struct Line<'a> {
    at: Position,
    source: Source,
    depth: usize,
    words: &'a [Vec<u8>],
}

impl Line<'_> {
    fn fault(&self, message: impl Into<String>, expected: &str) -> ConfError {
        self.at.fault(message.into(), expected)
    }

    fn text_word(&self, index: usize) -> Result<String, ConfError> {
        String::from_utf8(self.words[index].clone())
            .map_err(|_| self.fault("argument must be UTF-8 text", "names and paths in UTF-8"))
    }
}

impl<'h> Loader<'h> {
    fn new(host: &'h mut dyn Host) -> Self {
        Loader {
            host,
            values: directive::all().map(|row| (row.name.to_owned(), row.default_lines())).collect(),
            file_values: None,
            included: BTreeSet::new(),
            set_in_file: BTreeSet::new(),
            set_at: BTreeMap::new(),
            statements: Vec::new(),
            users: Vec::new(),
            user_names: BTreeSet::new(),
            foreign_users: BTreeSet::new(),
            renames: Renames::default(),
            remarks: Vec::new(),
        }
    }

    /// Appends a file, or all files that match a pattern, to a text.
    fn read_into(&mut self, text: &mut Joined, path: &str, at: Option<&Place>) -> Result<(), ConfError> {
        let paths = match path.contains(['*', '?', '[']) {
            true => self.host.glob(path),
            false => vec![path.to_owned()],
        };
        for path in paths {
            let content = self.host.read(&path).map_err(|reason| ConfError::Unreadable {
                path: path.clone(),
                reason,
                included_at: at.cloned(),
            })?;
            // Errors name the file so that it is found from anywhere.
            let absolute =
                if path.starts_with('/') { path } else { format!("{}/{path}", self.host.current_dir()) };
            text.push(Origin::File(absolute), &content);
        }
        Ok(())
    }

    fn read_text(&mut self, text: &Joined, source: Source, depth: usize) -> Result<(), ConfError> {
        for (number, place, bytes) in text.lines() {
            let source = match place.origin {
                Origin::File(_) => source,
                Origin::StandardInput | Origin::CommandLine => Source::Outside,
            };
            if source == Source::Outside && self.file_values.is_none() {
                self.file_values = Some(self.values_to_keep());
            }
            if bytes.is_empty() || bytes[0] == b'#' {
                continue;
            }
            let mut line =
                Line { at: Position { line: (number, bytes.to_vec()), place }, source, depth, words: &[] };
            // Differs: the reference reads a line with a NUL byte as if it, and its newline, ended there.
            if bytes.contains(&0) {
                return Err(
                    line.fault("NUL byte in configuration line", "text: the file seems to be damaged")
                );
            }
            let Some(mut words) = words::split(bytes) else {
                return Err(line.fault("Unbalanced quotes in configuration line", QUOTES));
            };
            if let Some(name) = words.first_mut() {
                name.make_ascii_lowercase();
                line.words = &words;
                self.read_line(&line)?;
            }
        }
        self.check_text()
    }
}
