//! The table of generic directives (spec 1 §4): one row each, from which parsing, rewriting, usage texts and defaults follow.
//!
//! `sentinel …` lines and structural directives (`include`, `user`, …) are not here. The rows are in `served` (a Sentinel
//! acts on them), `kept` (only checked and kept) and `newer` (unknown to Redis 7.0).
//!
//! Invariant: every default is a valid value of its own row, and no name or alias occurs twice.

mod kept;
mod kind;
mod newer;
mod served;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use kind::{Check, Kind, Lines};

/// One generic directive.
#[derive(Debug)]
pub struct Directive {
    /// The name the rewrite uses.
    pub name: &'static str,
    /// Other names it is known by.
    pub aliases: &'static [&'static str],
    /// What its values look like.
    pub kind: Kind,
    /// The value in force when the file does not say, as text for a file; `None`: unset.
    pub default: Option<&'static str>,
    /// The value that needs no line, where it is not the default (spec 1 §4.1).
    pub rewrite_default: Option<&'static str>,
    /// A Sentinel acts on it; otherwise it is only checked and kept.
    pub served: bool,
    /// Redis 7.0 does not know it.
    pub newer: bool,
}

impl Directive {
    const fn new(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Directive {
            name,
            aliases: &[],
            kind,
            default: Some(default),
            rewrite_default: None,
            served: false,
            newer: false,
        }
    }

    const fn yes_no(name: &'static str, default: &'static str) -> Self {
        Self::new(name, Kind::YesNo, default)
    }

    const fn int(name: &'static str, default: &'static str, min: i64, max: i64) -> Self {
        Self::new(name, Kind::Int { min, max }, default)
    }

    const fn memory(name: &'static str, default: &'static str, min: u64) -> Self {
        Self::new(name, Kind::Memory { min }, default)
    }

    const fn words(name: &'static str, default: &'static str, words: &'static [&'static str]) -> Self {
        Self::new(name, Kind::Word { listed: words, newer: &[] }, default)
    }

    /// A string for which empty means unset.
    const fn unset(name: &'static str) -> Self {
        let kind = Kind::Text { empty_unsets: true, check: Check::None };
        Directive { default: None, ..Self::new(name, kind, "") }
    }

    /// A string that may be empty.
    const fn text(name: &'static str, default: &'static str, check: Check) -> Self {
        Self::new(name, Kind::Text { empty_unsets: false, check }, default)
    }

    const fn checked(self, check: Check) -> Self {
        Directive { kind: Kind::Text { empty_unsets: true, check }, ..self }
    }

    const fn aka(self, aliases: &'static [&'static str]) -> Self {
        Directive { aliases, ..self }
    }

    /// The value in force without a line, in canonical form.
    pub fn default_lines(&self) -> Lines {
        self.lines_of(self.default)
    }

    /// The value for which the rewrite adds no line, in canonical form.
    pub fn rewrite_default_lines(&self) -> Lines {
        self.lines_of(self.rewrite_default.or(self.default))
    }

    fn lines_of(&self, text: Option<&str>) -> Lines {
        text.map_or_else(Vec::new, |text| {
            let words = match self.kind {
                Kind::Text { .. } => vec![text.as_bytes().to_vec()],
                _ => crate::text::words::split(text.as_bytes()).expect("defaults have no quotes"),
            };
            self.kind.canonical(&words, &[]).expect("a default is a valid value")
        })
    }

    /// Checks the words after the name and gives their canonical form; `before` is the value in force so far.
    ///
    /// # Errors
    /// The reference's text (spec 1 §2.3).
    pub fn parse(&self, words: &[Vec<u8>], before: &[String]) -> Result<Lines, String> {
        let lines = match words {
            [] | [_, _, ..] if !self.kind.takes_many() => return Err("wrong number of arguments".to_owned()),
            // One word of a list may hold the whole list.
            [word] if self.kind.takes_many() && !word.is_empty() => {
                self.kind.canonical(&crate::text::words::split(word).unwrap_or_default(), before)?
            }
            _ => self.kind.canonical(words, before)?,
        };
        // Differs: what a Sentinel acts on is handled as text, except passwords and what is only shown. The reference takes any bytes.
        if self.served
            && !ANY_BYTES.contains(&self.name)
            && words.iter().any(|word| std::str::from_utf8(word).is_err())
        {
            return Err("argument must be UTF-8 text".to_owned());
        }
        Ok(lines)
    }

    /// What a line should look like, for error texts.
    pub fn usage(&self) -> String {
        self.kind.usage(self.name)
    }
}

/// Every directive, by groups.
pub fn all() -> impl Iterator<Item = &'static Directive> {
    served::TABLE.iter().chain(kept::TABLE).chain(newer::TABLE)
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static Directive>> = LazyLock::new(|| {
    all().flat_map(|row| row.aliases.iter().chain([&row.name]).map(move |name| (*name, row))).collect()
});

/// The directive of this name or alias, in lower case.
pub fn find(name: &[u8]) -> Option<&'static Directive> {
    BY_NAME.get(std::str::from_utf8(name).ok()?).copied()
}

/// The values of served directives that may be any bytes: passwords, and what is only shown.
const ANY_BYTES: [&str; 5] =
    ["requirepass", "tls-key-file-pass", "tls-client-key-file-pass", "syslog-ident", "proc-title-template"];

/// Directives of older versions that are accepted with one value and ignored (spec 1 §2.4).
pub const OBSOLETE: [&[u8]; 3] =
    [b"list-max-ziplist-entries", b"list-max-ziplist-value", b"lua-replicate-commands"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_defaults_valid() {
        let mut names = BTreeSet::new();
        for row in all() {
            for name in row.aliases.iter().chain([&row.name]) {
                assert!(names.insert(*name), "{name} occurs twice");
                assert_eq!(*name, name.to_lowercase());
            }
            for line in row.default_lines().iter().chain(&row.rewrite_default_lines()) {
                let words = crate::text::words::split(line.as_bytes()).expect("canonical text is readable");
                assert!(row.parse(&words, &row.default_lines()).is_ok(), "{}: {line}", row.name);
            }
            assert!(row.usage().contains(row.name), "{}", row.name);
        }
        assert!(names.len() > 200, "{} names", names.len());
    }

    #[test]
    fn aliases_lead_to_the_primary_name() {
        assert_eq!(find(b"slave-priority").map(|row| row.name), Some("replica-priority"));
        assert!(find(b"Port").is_none(), "callers lower the case");
        assert!(find(b"sentinel").is_none());
    }
}
