//! What can be wrong with a user's rules: the reference's texts (spec 1 §4.4, spec 3 §3.5.9).

use thiserror::Error;

use crate::text::words::until_nul;

/// Why one rule was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RuleError {
    /// No such command in a Sentinel, or no such category.
    #[error("Unknown command or category name in ACL")]
    Unknown,
    /// No rule looks like this.
    #[error("Syntax error")]
    Syntax,
    /// A key pattern where every key is allowed already.
    #[error(
        "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns"
    )]
    KeyAfterAll,
    /// A channel pattern where every channel is allowed already.
    #[error(
        "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels"
    )]
    ChannelAfterAll,
    /// Removal of a password the user does not have.
    #[error("The password you are trying to remove from the user does not exist")]
    NoSuchPassword,
    /// A hash that is none.
    #[error(
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
    )]
    BadHash,
    /// `+command|sub|word`.
    #[error("Allowing first-arg of a subcommand is not supported")]
    FirstArgOfSubcommand,
}

/// Why ACL SETUSER was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetUserError {
    /// A blank or NUL in the name.
    BadName,
    /// A selector that is not closed, from its opening word on.
    Unmatched(Vec<u8>),
    /// A rule that was refused.
    Rule(Vec<u8>, RuleError),
}

impl SetUserError {
    /// The reply without its code: rules are shown as they came, byte for byte, up to a NUL.
    pub fn text(&self) -> Vec<u8> {
        match self {
            SetUserError::BadName => b"Usernames can't contain spaces or null characters".to_vec(),
            SetUserError::Unmatched(word) => {
                [b"Unmatched parenthesis in acl selector starting at '", until_nul(word), b"'."].concat()
            }
            SetUserError::Rule(rule, reason) => {
                let reason = format!("': {reason}");
                [b"Error in ACL SETUSER modifier '", until_nul(rule), reason.as_bytes()].concat()
            }
        }
    }
}

/// Why the users of a configuration file were refused; `Display` is the log line (spec 1 §4.4).
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LoadError {
    /// A blank or NUL in a name.
    #[error("Spaces not allowed in ACL usernames")]
    BadName,
    /// Two `user` lines for one user.
    #[error(
        "Error in user declaration '{0}': Duplicate user found. A user can only be defined once in config files"
    )]
    Duplicate(String),
    /// A selector that is not closed.
    #[error("Error in user declaration '{0}': Unmatched parenthesis in selector definition.")]
    Unmatched(String),
    /// A rule that was refused.
    #[error("Error loading ACL rule '{rule}' for the user named '{user}': {reason}")]
    Rule {
        /// As written.
        rule: String,
        /// Whose rule.
        user: String,
        /// Why.
        reason: RuleError,
    },
}

/// Shows bytes from outside in an error text.
pub(super) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
