//! A user: whether it may log in, with which passwords, and what it may do then.
//!
//! Passwords are kept as SHA-256 only.
//!
//! Invariant: there is always a root selector; a user without a password needed (`nopass`) has none listed.

use std::fmt::Write as _;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::error::RuleError;
use super::selector::{Denied, Selector};
use crate::text::words::{self, until_nul};
use crate::wire::table::CommandSpec;

/// How a payload from this user would be checked; of no effect in a Sentinel, kept for the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sanitize {
    Unset,
    Skip,
    Always,
}

/// One user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    enabled: bool,
    no_pass: bool,
    sanitize: Sanitize,
    /// Lower-case hexadecimal SHA-256, in the order they were added.
    passwords: Vec<String>,
    root: Selector,
    others: Vec<Selector>,
    /// What `reset` goes back to: every channel or none.
    default_channels: bool,
}

impl User {
    /// A user that may do nothing and can't log in.
    pub fn new(default_channels: bool) -> User {
        User {
            enabled: false,
            no_pass: false,
            sanitize: Sanitize::Unset,
            passwords: Vec::new(),
            root: Selector::new(default_channels),
            others: Vec::new(),
            default_channels,
        }
    }

    /// The user `default` as it is unless told otherwise: everything, without a password.
    pub fn all_powerful(default_channels: bool) -> User {
        User { enabled: true, no_pass: true, root: Selector::everything(), ..User::new(default_channels) }
    }

    /// True if the user may log in at all.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// True if any password will do.
    pub fn needs_no_password(&self) -> bool {
        self.no_pass
    }

    /// True if the password (or its absence) opens the door.
    pub fn accepts(&self, password: &[u8]) -> bool {
        if !self.enabled {
            return false;
        }
        let hash = hash(password);
        // Hashes are compared to the last byte, each of them, so that the time taken tells nothing.
        let known = self.passwords.iter().fold(false, |known, other| known | same_bytes(&hash, other));
        self.no_pass || known
    }

    /// Replaces all passwords by this one; `None`: none is needed (directive `requirepass`).
    pub fn set_only_password(&mut self, password: Option<&[u8]>) {
        self.passwords = password.map(hash).into_iter().collect();
        self.no_pass = password.is_none();
    }

    /// Applies one rule; selectors in parentheses must be merged into one word before. An empty rule does nothing.
    pub fn apply(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        if rule.is_empty() {
            return Ok(());
        }
        match until_nul(rule).to_ascii_lowercase().as_slice() {
            b"on" => self.enabled = true,
            b"off" => self.enabled = false,
            b"nopass" => (self.no_pass, self.passwords) = (true, Vec::new()),
            b"resetpass" => (self.no_pass, self.passwords) = (false, Vec::new()),
            b"skip-sanitize-payload" => self.sanitize = Sanitize::Skip,
            b"sanitize-payload" => self.sanitize = Sanitize::Always,
            b"clearselectors" => self.others.clear(),
            b"reset" => *self = User { sanitize: Sanitize::Always, ..User::new(self.default_channels) },
            _ => return self.apply_prefixed(rule),
        }
        Ok(())
    }

    fn apply_prefixed(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        match rule {
            [b'>', password @ ..] => self.add_password(hash(password)),
            [b'#', text @ ..] => self.add_password(read_hash(text)?),
            [b'<', password @ ..] => return self.remove_password(&hash(password)),
            [b'!', text @ ..] => return self.remove_password(&read_hash(text)?),
            [b'(', inner @ .., b')'] => {
                let mut selector = Selector::new(self.default_channels);
                // Compat: words may be quoted as in a file, and quotes that are not closed take all of them away.
                for word in words::split(until_nul(inner)).unwrap_or_default() {
                    selector.apply(&word)?;
                    // Differs: the reference takes `(+ping &x))`, and saves what ends too early when it is loaded.
                    if word.ends_with(b")") {
                        return Err(RuleError::Syntax);
                    }
                }
                self.others.push(selector);
            }
            _ => return self.root.apply(rule),
        }
        Ok(())
    }

    fn add_password(&mut self, hash: String) {
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.no_pass = false;
    }

    fn remove_password(&mut self, hash: &str) -> Result<(), RuleError> {
        let at = self.passwords.iter().position(|known| known == hash).ok_or(RuleError::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }

    /// Checks a command with all its words. It is enough that one selector allows it; a refused channel is the better explanation.
    pub fn check(&self, spec: &CommandSpec, words: &[Bytes]) -> Result<(), Denied> {
        let mut denied = match self.root.check(spec, words) {
            Ok(()) => return Ok(()),
            Err(denied) => denied,
        };
        for selector in &self.others {
            match selector.check(spec, words) {
                Ok(()) => return Ok(()),
                Err(Denied::Channel(name)) => denied = Denied::Channel(name),
                Err(Denied::Command) => {}
            }
        }
        Err(denied)
    }

    /// True if the user may be subscribed to this channel or pattern.
    pub fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        self.selectors().any(|selector| selector.allows_channel(name, is_pattern))
    }

    /// The root selector, then those in parentheses.
    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.others)
    }

    /// The flags, in the order they are shown.
    pub fn flags(&self) -> Vec<&'static str> {
        let mut flags = vec![if self.enabled { "on" } else { "off" }];
        if self.no_pass {
            flags.push("nopass");
        }
        match self.sanitize {
            Sanitize::Unset => {}
            Sanitize::Skip => flags.push("skip-sanitize-payload"),
            Sanitize::Always => flags.push("sanitize-payload"),
        }
        flags
    }

    /// The hashes of the passwords.
    pub fn passwords(&self) -> &[String] {
        &self.passwords
    }

    /// The rules that make this user, as a line (spec 1 §4.4).
    pub fn describe(&self) -> Vec<u8> {
        let mut text = self.flags().join(" ").into_bytes();
        for password in &self.passwords {
            text.extend_from_slice(b" #");
            text.extend_from_slice(password.as_bytes());
        }
        text.push(b' ');
        text.extend_from_slice(&self.root.describe());
        for selector in &self.others {
            text.extend_from_slice(b" (");
            text.extend_from_slice(&selector.describe());
            text.push(b')');
        }
        text
    }
}

/// Joins the words of each selector: `(+ping`, `~x)` become one rule. On failure, the index of the word that opened what is never
/// closed.
pub fn merge_selectors(rules: &[&[u8]]) -> Result<Vec<Vec<u8>>, usize> {
    let mut merged: Vec<Vec<u8>> = Vec::with_capacity(rules.len());
    let mut opened: Option<usize> = None;
    for (index, rule) in rules.iter().enumerate() {
        match (opened, merged.last_mut()) {
            (Some(_), Some(selector)) => {
                selector.push(b' ');
                selector.extend_from_slice(rule);
            }
            _ => {
                merged.push(rule.to_vec());
                opened = rule.starts_with(b"(").then_some(index);
            }
        }
        if rule.ends_with(b")") {
            opened = None;
        }
    }
    opened.map_or(Ok(merged), Err)
}

fn hash(password: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(password) {
        write!(text, "{byte:02x}").expect("writing to a string can't fail");
    }
    text
}

fn read_hash(text: &[u8]) -> Result<String, RuleError> {
    let valid = text.len() == 64 && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match std::str::from_utf8(text) {
        Ok(text) if valid => Ok(text.to_owned()),
        _ => Err(RuleError::BadHash),
    }
}

fn same_bytes(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differences == 0
}
