//! What each kind of line does while a text is read (spec 1 §2.4, §2.5, §4).

use sha2::{Digest, Sha256};

use super::{ConfError, Joined, Line, Loader, Position, Remark, Source, Statement, USER_USAGE, UserLine};
use crate::conf::directive::{self, Directive};
use crate::conf::error::Invalid;
use crate::text::words;

const UNKNOWN: &str = "Bad directive or wrong number of arguments";
/// How deep files may include each other. Differs: the reference goes on until it runs out of memory.
const DEPTH_LIMIT: usize = 16;

impl Loader<'_> {
    pub(super) fn read_line(&mut self, line: &Line) -> Result<(), ConfError> {
        let name = line.words[0].as_slice();
        let arguments = &line.words[1..];
        if let Some(row) = directive::find(name) {
            return self.set(row, line);
        }
        match (name, arguments) {
            (_, [_]) if directive::OBSOLETE.contains(&name) => Ok(()),
            (b"include", [_]) => self.include(line),
            (b"include", _) => Err(line.fault(UNKNOWN, "`include <path>` with one path")),
            (b"rename-command", [old, new]) => self.renames.rename(old, new).map_err(|message| {
                line.fault(
                    message,
                    "`rename-command <command> <new name>` with a command of Sentinel mode and a free name",
                )
            }),
            (b"rename-command", _) => Err(line.fault(UNKNOWN, "`rename-command <command> <new name>`")),
            (b"user", [_, ..]) => self.user(line),
            (b"user", []) => Err(line.fault(UNKNOWN, USER_USAGE)),
            (b"loadmodule", [_, ..]) => {
                self.remark(line, "modules are not loaded by a Sentinel, the line is ignored");
                Ok(())
            }
            (b"loadmodule", []) => Err(line.fault(UNKNOWN, "`loadmodule <path> [argument...]`")),
            (b"sentinel", []) => Ok(()),
            (b"sentinel", _) => {
                let Position { line: text, place } = line.at.clone();
                let words = arguments.to_vec();
                self.statements.push(Statement { words, line: text, place, source: line.source });
                Ok(())
            }
            (_, []) if name.contains(&b'.') => {
                Err(line.fault("Module config specified without value", "`<module>.<option> <value>`"))
            }
            (_, [_, ..]) if name.contains(&b'.') => Ok(()),
            (_, _) if directive::OBSOLETE.contains(&name) => {
                Err(line.fault(UNKNOWN, "one value, which is ignored"))
            }
            _ => Err(line.fault(UNKNOWN, "the name of a directive: this one is unknown")),
        }
    }

    /// A generic directive.
    fn set(&mut self, row: &'static Directive, line: &Line) -> Result<(), ConfError> {
        let before = self.values.get(row.name).map_or(&[][..], Vec::as_slice);
        let expected = row.usage();
        let lines = row.parse(&line.words[1..], before).map_err(|message| line.fault(message, &expected))?;
        match row.name {
            "dir" => self.change_dir(line)?,
            "logfile" => {
                let path = line.text_word(1)?;
                self.host.log_to(&path);
            }
            // Differs: the reference does what these ask for.
            "replicaof" if !lines.is_empty() => {
                self.remark(line, "a Sentinel replicates nothing, the line is ignored")
            }
            "cluster-enabled" if lines == ["yes"] => {
                self.remark(line, "a Sentinel is not part of a cluster, the line is ignored");
            }
            "activedefrag" if lines == ["yes"] => {
                self.remark(line, "there is nothing to defragment, the line is ignored")
            }
            _ => {}
        }
        self.values.insert(row.name.to_owned(), lines);
        self.set_at.insert(row.name, line.at.clone());
        self.note_origin(row.name, line.source);
        Ok(())
    }

    /// Remembers what the rewrite will need to know about a value.
    fn note_origin(&mut self, name: &'static str, source: Source) {
        match source {
            Source::File => _ = self.included.remove(name),
            Source::Include => _ = self.included.insert(name),
            Source::Outside => {
                // Where the file says nothing, the rewrite has nothing to say either.
                if let Some(values) = self.file_values.as_mut().filter(|_| !self.set_in_file.contains(name)) {
                    values.remove(name);
                }
                return;
            }
        }
        self.set_in_file.insert(name);
    }

    /// `dir` acts at once: later relative paths depend on it.
    fn change_dir(&mut self, line: &Line) -> Result<(), ConfError> {
        let path = line.text_word(1)?;
        let expected = "`dir <path>` with a directory that can be entered";
        self.host.change_dir(&path).map_err(|reason| line.fault(reason, expected))
    }

    fn include(&mut self, line: &Line) -> Result<(), ConfError> {
        if line.depth == DEPTH_LIMIT {
            return Err(
                line.fault("Too many nested includes", "files that do not include each other in a circle")
            );
        }
        let path = line.text_word(1)?;
        let mut text = Joined::default();
        self.read_into(&mut text, &path, Some(&line.at.place))?;
        let source = if line.source == Source::Outside { Source::Outside } else { Source::Include };
        self.read_text(&text, source, line.depth + 1)
    }

    /// `user <name> [rule…]` (spec 1 §4.4).
    fn user(&mut self, line: &Line) -> Result<(), ConfError> {
        let name = line.text_word(1)?;
        let rules = (2..line.words.len()).map(|index| hashed(line, index)).collect::<Result<Vec<_>, _>>()?;
        let refused = |word: &[u8], reason: &str| {
            let word = String::from_utf8_lossy(word);
            line.fault(format!("Error in user declaration '{word}': {reason}"), USER_USAGE)
        };
        if !self.user_names.insert(name.clone()) {
            let reason = "Duplicate user found. A user can only be defined once in config files";
            return Err(refused(&line.words[1], reason));
        }
        // Compat: the word named is the one at the index of the bad rule, two before the rule itself.
        self.host
            .check_user(&name, &rules)
            .map_err(|(index, reason)| refused(&line.words[index], &reason))?;
        if line.source != Source::File {
            self.foreign_users.insert(name.clone());
        }
        self.users.push(UserLine { name, rules, at: line.at.clone() });
        Ok(())
    }

    /// What can be checked only at the end of each text (spec 1 §2.5). The reports name no line, only our last line does.
    pub(super) fn check_text(&mut self) -> Result<(), ConfError> {
        let word = |name: &str| words::split(self.values[name].first()?.as_bytes())?.pop();
        let log_file = word("logfile").and_then(|path| String::from_utf8(path).ok()).unwrap_or_default();
        if !log_file.is_empty() {
            const LOG_FILE: &str = "`logfile <path>` with a file that can be written";
            self.host.test_log_file(&log_file).map_err(|reason| {
                self.fault_of("logfile", format!("Can't open the log file: {reason}"), LOG_FILE)
            })?;
        }
        if word("cluster-enabled").is_some_and(|value| value == b"yes") && word("replicaof").is_some() {
            const ONE_OF: &str = "`replicaof` or `cluster-enabled yes`, not both; a Sentinel needs neither";
            let message = "replicaof directive not allowed in cluster mode".to_owned();
            return Err(self.fault_of("replicaof", message, ONE_OF));
        }
        Ok(())
    }

    /// A fault that appears after the line which set the directive.
    fn fault_of(&self, name: &str, message: String, expected: &str) -> ConfError {
        let place = self.set_at[name].place.clone();
        let expected = expected.to_owned();
        ConfError::Invalid(Box::new(Invalid { line: None, message, place, expected, logged: None }))
    }

    fn remark(&mut self, line: &Line, text: &str) {
        let name = String::from_utf8_lossy(&line.words[0]);
        let text = format!("{}: `{name}`: {text}", line.at.place);
        self.remarks.push(Remark { text, belated: false });
    }
}

/// A rule of a user as text. A password that is none is given by its hash, which means the same (spec 1 §4.4).
fn hashed(line: &Line, index: usize) -> Result<String, ConfError> {
    let hash = |mark: char, password: &[u8]| {
        let digits: String = Sha256::digest(password).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("{mark}{digits}"))
    };
    match line.words[index].as_slice() {
        word if std::str::from_utf8(word).is_ok() => line.text_word(index),
        [b'>', password @ ..] => hash('#', password),
        [b'<', password @ ..] => hash('!', password),
        _ => line.text_word(index),
    }
}
