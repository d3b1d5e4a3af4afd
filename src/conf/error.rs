//! Why a configuration was refused: the reference's report, byte for byte, and one more line that says where and what was expected.

use std::fmt;

use super::place::Place;

/// A configuration that can't be used. The process must not start (exit status 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfError {
    /// A file could not be read. Belongs in the log (spec 1 §1.4).
    Unreadable {
        /// Its path.
        path: String,
        /// The system's error.
        reason: String,
        /// The `include` line that asked for it.
        included_at: Option<Place>,
    },
    /// The text is wrong. Belongs on standard error (spec 1 §2.5).
    Invalid(Box<Invalid>),
}

/// A fault in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The line as the reference numbers it (in the joined text), and its trimmed bytes; `None` if no line is at fault.
    pub line: Option<(usize, Vec<u8>)>,
    /// The reference's message.
    pub message: String,
    /// The real place of the fault.
    pub place: Place,
    /// What was expected, as the end of a sentence.
    pub expected: String,
    /// What goes to the log before the report.
    pub logged: Option<String>,
}

impl fmt::Display for ConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfError::Unreadable { path, reason, included_at } => {
                write!(f, "Fatal error, can't open config file '{path}': {reason}")?;
                match included_at {
                    Some(place) => write!(f, "\n{place}: expected a readable file after `include`."),
                    None => Ok(()),
                }
            }
            ConfError::Invalid(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n*** FATAL CONFIG FILE ERROR (Redis {}) ***", super::REDIS_VERSION)?;
        if let Some((number, line)) = &self.line {
            writeln!(f, "Reading the configuration file, at line {number}")?;
            writeln!(f, ">>> '{}'", String::from_utf8_lossy(line))?;
        }
        writeln!(f, "{}", self.message)?;
        writeln!(f, "{}: expected {}.", self.place, self.expected)
    }
}

impl std::error::Error for ConfError {}
