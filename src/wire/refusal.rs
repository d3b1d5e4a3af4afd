//! Errors that a client gets before the engine is asked: one table of texts (spec 3 §3.2.2, §3.4.10, §3.4.14, §3.5.2, §3.5.10).
//!
//! What needs the state of masters is in [`super::answer::ErrorReply`]. Texts hold the client's own bytes, which need not be UTF-8.

use std::fmt;

use bytes::Bytes;

use super::value::Value;
use crate::text::words::until_nul;

/// Bytes of a name or of a list of words that an error repeats.
const SHOWN: usize = 128;

/// Why a command is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// An HTTP request: drop the connection at once, flush nothing, send nothing (spec 3 §3.3.4).
    Http,
    /// No such command.
    UnknownCommand {
        /// The name, already cut.
        name: Bytes,
        /// The first words after it, already quoted and cut.
        words: Bytes,
    },
    /// No such subcommand.
    UnknownSubcommand {
        /// The container as typed, in upper case.
        container: Bytes,
        /// The subcommand as typed, already cut.
        name: Bytes,
    },
    /// Too many or too few words for the command of this full name.
    WrongArity(&'static str),
    /// Not authenticated.
    NoAuth,
    /// The ACL user may not run the command of this full name.
    NoPermission(&'static str),
    /// The ACL user may not use one of the channels.
    NoChannelPermission,
    /// The command of this full name can't run in a RESP2 connection with subscriptions.
    Subscribed(&'static str),
    /// Words that make no sense.
    Syntax,
    /// A number that is none, or out of range.
    NotInteger,
    /// MONITOR: the quorum is no integer.
    InvalidQuorum,
    /// MONITOR: the port is no integer.
    InvalidPort,
    /// CONFIG with anything but GET or SET and enough words.
    ConfigShape,
    /// CONFIG SET whose last parameter has no value.
    ConfigMissingValue(Bytes),
    /// PUBLISH to any channel but that of hello messages.
    NotHello,
    /// COMMAND GETKEYS of a command without keys: all of ours.
    NoKeys,
    /// COMMAND GETKEYS of no command.
    InvalidCommand,
    /// HELLO with a version that is no number.
    ProtocolNotInteger,
    /// HELLO with a version that does not exist.
    UnsupportedProtocol,
    /// HELLO with a bad or incomplete option, as typed.
    HelloOption(Bytes),
    /// HELLO by a client that is not, and does not get, authenticated.
    HelloNoAuth,
    /// Wrong user or password.
    WrongPass,
    /// A client name with blanks or worse.
    BadClientName,
}

impl CommandError {
    /// An unknown command, with the words it came with.
    pub fn unknown_command(args: &[Bytes]) -> CommandError {
        let (name, rest) = args.split_first().expect("a request has at least one word");
        let mut words = Vec::new();
        for word in rest {
            if words.len() >= SHOWN {
                break;
            }
            let shown = cut(word, SHOWN - words.len());
            words.push(b'\'');
            words.extend_from_slice(shown);
            words.extend_from_slice(b"' ");
        }
        CommandError::UnknownCommand { name: Bytes::copy_from_slice(cut(name, SHOWN)), words: words.into() }
    }

    /// An unknown subcommand.
    pub fn unknown_subcommand(container: &[u8], name: &[u8]) -> CommandError {
        let container = Bytes::from(container.to_ascii_uppercase());
        CommandError::UnknownSubcommand { container, name: Bytes::copy_from_slice(cut(name, SHOWN)) }
    }

    /// The reply.
    pub fn value(&self) -> Value {
        Value::Error(self.line().into())
    }

    /// The text of the reply without its leading `-`.
    fn line(&self) -> Vec<u8> {
        match self {
            CommandError::UnknownCommand { name, words } => {
                [b"ERR unknown command '", &name[..], b"', with args beginning with: ", words].concat()
            }
            CommandError::UnknownSubcommand { container, name } => {
                [b"ERR unknown subcommand '", &name[..], b"'. Try ", container, b" HELP."].concat()
            }
            CommandError::ConfigMissingValue(name) => [b"ERR Missing argument '", &name[..], b"' value"].concat(),
            CommandError::HelloOption(option) => [b"ERR Syntax error in HELLO option '", until_nul(option), b"'"].concat(),
            CommandError::WrongArity(name) => format!("ERR wrong number of arguments for '{name}' command").into(),
            CommandError::NoPermission(name) => {
                format!("NOPERM this user has no permissions to run the '{name}' command").into()
            }
            CommandError::Subscribed(name) => format!(
                "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
                 this context"
            )
            .into(),
            plain => plain.plain_text().as_bytes().to_vec(),
        }
    }

    /// The text of the errors that repeat nothing.
    fn plain_text(&self) -> &'static str {
        match self {
            CommandError::NoAuth => "NOAUTH Authentication required.",
            CommandError::NoChannelPermission => {
                "NOPERM this user has no permissions to access one of the channels used as arguments"
            }
            CommandError::Syntax => "ERR syntax error",
            CommandError::NotInteger => "ERR value is not an integer or out of range",
            CommandError::InvalidQuorum => "ERR Invalid quorum",
            CommandError::InvalidPort => "ERR Invalid port",
            CommandError::ConfigShape => {
                "ERR Only SENTINEL CONFIG GET <option> / SET <option> <value> are supported."
            }
            CommandError::NotHello => "ERR Only HELLO messages are accepted by Sentinel instances.",
            CommandError::NoKeys => "ERR The command has no key arguments",
            CommandError::InvalidCommand => "ERR Invalid command specified",
            CommandError::ProtocolNotInteger => "ERR Protocol version is not an integer or out of range",
            CommandError::UnsupportedProtocol => "NOPROTO unsupported protocol version",
            CommandError::HelloNoAuth => {
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> \
                 <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
            }
            CommandError::WrongPass => "WRONGPASS invalid username-password pair or user is disabled.",
            CommandError::BadClientName => {
                "ERR Client names cannot contain spaces, newlines or special characters."
            }
            // The others are composed in `line`; an HTTP request gets no reply at all.
            _ => "",
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.line()))
    }
}

impl std::error::Error for CommandError {}

/// At most `limit` bytes, and none from the first NUL on. Compat: the reference prints words as C strings.
fn cut(word: &[u8], limit: usize) -> &[u8] {
    let word = &word[..word.len().min(limit)];
    &word[..word.iter().position(|&byte| byte == 0).unwrap_or(word.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&'static str]) -> Vec<Bytes> {
        words.iter().map(|word| Bytes::from(*word)).collect()
    }

    fn check(error: CommandError, expected: &str) {
        let bytes = error.value().to_bytes(crate::wire::value::Protocol::Resp2);
        assert_eq!(String::from_utf8_lossy(&bytes), format!("-{expected}\r\n"));
    }

    /// The expected texts were recorded from redis-sentinel 7.0.15.
    #[test]
    fn unknown_commands_are_repeated_up_to_a_limit() {
        let check_words = |words: &[&'static str], expected: &str| {
            check(CommandError::unknown_command(&args(words)), expected)
        };
        check_words(&["FOO"], "ERR unknown command 'FOO', with args beginning with: ");
        check_words(
            &["Foo", "bar", "baz"],
            "ERR unknown command 'Foo', with args beginning with: 'bar' 'baz' ",
        );
        check_words(&["foo", "a\r\nb"], "ERR unknown command 'foo', with args beginning with: 'a  b' ");
        check_words(&["foo", "a\0b", "c"], "ERR unknown command 'foo', with args beginning with: 'a' 'c' ");
        check_words(&["a\0b", "c"], "ERR unknown command 'a', with args beginning with: 'c' ");
        let (x120, x128) = ("x".repeat(120), "x".repeat(128));
        let long = |first: &str| {
            let words = [first.to_owned(), "yyyyyyyyyyyyyyyyyy".to_owned(), "z".to_owned()];
            let words: Vec<Bytes> = ["foo".to_owned()].into_iter().chain(words).map(Bytes::from).collect();
            CommandError::unknown_command(&words)
        };
        check(
            long(&x120),
            &format!("ERR unknown command 'foo', with args beginning with: '{x120}' 'yyyyy' "),
        );
        check(
            long(&"x".repeat(200)),
            &format!("ERR unknown command 'foo', with args beginning with: '{x128}' "),
        );
        let name: Bytes = "f".repeat(200).into();
        let cut = "f".repeat(128);
        check(
            CommandError::unknown_command(&[name, "a".into()]),
            &format!("ERR unknown command '{cut}', with args beginning with: 'a' "),
        );
    }

    #[test]
    fn unknown_subcommands_point_to_help() {
        check(
            CommandError::unknown_subcommand(b"sentinel", b"FOO"),
            "ERR unknown subcommand 'FOO'. Try SENTINEL HELP.",
        );
        check(
            CommandError::unknown_subcommand(b"sentinel", "q".repeat(200).as_bytes()),
            &format!("ERR unknown subcommand '{}'. Try SENTINEL HELP.", "q".repeat(128)),
        );
    }

    #[test]
    fn other_texts() {
        check(
            CommandError::WrongArity("sentinel|masters"),
            "ERR wrong number of arguments for 'sentinel|masters' command",
        );
        check(
            CommandError::Subscribed("sentinel|masters"),
            "ERR Can't execute 'sentinel|masters': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        );
        check(CommandError::HelloOption("AUTH".into()), "ERR Syntax error in HELLO option 'AUTH'");
        check(CommandError::ConfigMissingValue("a".into()), "ERR Missing argument 'a' value");
        assert_eq!(CommandError::NoAuth.to_string(), "NOAUTH Authentication required.");
    }
}
