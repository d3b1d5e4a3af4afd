//! What COMMAND DOCS tells of a command, and the words in which the rows say it (spec 3 §3.5.10).
//!
//! The data in the files below was recorded from the reference 7.0.15, as clients show it to people; it documents, and decides nothing.

pub mod acl;
pub mod client;
pub mod command;
pub mod plain;
pub mod sentinel;

/// What COMMAND DOCS tells of one command.
#[derive(Debug)]
pub struct Docs {
    /// One of the reference's groups.
    pub group: &'static str,
    /// The release that brought the command.
    pub since: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// In the number of things it goes over, where the reference says so.
    pub complexity: Option<&'static str>,
    /// Since which release the command should not be used any more, and what replaces it.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Releases, and what each changed.
    pub history: &'static [(&'static str, &'static str)],
    /// The words that follow the name.
    pub arguments: &'static [Argument],
}

/// A word, or a group of words, that follows the name of a command.
#[derive(Debug)]
pub struct Argument {
    /// What it is called in a synopsis.
    pub name: &'static str,
    /// `string`, `integer`, `pattern`, `pure-token`, `oneof` or `block`.
    pub kind: &'static str,
    /// The fixed word that goes before it, or that it is.
    pub token: Option<&'static str>,
    /// The release that brought it, if that of the command had not.
    pub since: Option<&'static str>,
    /// Since which release it should not be used any more.
    pub deprecated_since: Option<&'static str>,
    /// It may be left out.
    pub is_optional: bool,
    /// It may be given several times.
    pub is_multiple: bool,
    /// Its token is repeated with it.
    pub repeats_token: bool,
    /// The members of a `oneof` or `block`.
    pub arguments: &'static [Argument],
}

impl Docs {
    const fn new(group: &'static str, since: &'static str, summary: &'static str) -> Docs {
        Docs { group, since, summary, complexity: None, deprecated: None, history: &[], arguments: &[] }
    }

    const fn complexity(self, text: &'static str) -> Docs {
        Docs { complexity: Some(text), ..self }
    }

    const fn deprecated(self, since: &'static str, replaced_by: &'static str) -> Docs {
        Docs { deprecated: Some((since, replaced_by)), ..self }
    }

    const fn history(self, history: &'static [(&'static str, &'static str)]) -> Docs {
        Docs { history, ..self }
    }

    const fn arguments(self, arguments: &'static [Argument]) -> Docs {
        Docs { arguments, ..self }
    }
}

impl Argument {
    const fn new(kind: &'static str, name: &'static str, arguments: &'static [Argument]) -> Argument {
        let (token, since, deprecated_since) = (None, None, None);
        let (is_optional, is_multiple, repeats_token) = (false, false, false);
        Argument {
            name,
            kind,
            token,
            since,
            deprecated_since,
            is_optional,
            is_multiple,
            repeats_token,
            arguments,
        }
    }

    const fn token(self, token: &'static str) -> Argument {
        Argument { token: Some(token), ..self }
    }

    const fn since(self, release: &'static str) -> Argument {
        Argument { since: Some(release), ..self }
    }

    const fn deprecated(self, since: &'static str) -> Argument {
        Argument { deprecated_since: Some(since), ..self }
    }

    const fn optional(self) -> Argument {
        Argument { is_optional: true, ..self }
    }

    const fn multiple(self) -> Argument {
        Argument { is_multiple: true, ..self }
    }

    const fn repeated_token(self) -> Argument {
        Argument { repeats_token: true, ..self }
    }
}

const fn string(name: &'static str) -> Argument {
    Argument::new("string", name, &[])
}

const fn integer(name: &'static str) -> Argument {
    Argument::new("integer", name, &[])
}

const fn pattern(name: &'static str) -> Argument {
    Argument::new("pattern", name, &[])
}

/// A fixed word and nothing else.
const fn word(name: &'static str) -> Argument {
    Argument::new("pure-token", name, &[])
}

const fn one_of(name: &'static str, choices: &'static [Argument]) -> Argument {
    Argument::new("oneof", name, choices)
}

/// Words that go together.
const fn block(name: &'static str, parts: &'static [Argument]) -> Argument {
    Argument::new("block", name, parts)
}
