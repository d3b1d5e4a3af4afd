//! The command line: `sentineld FILE [--directive value …]`, with the reference's few special options (spec 1 §1.2).
//!
//! The grammar is the reference's and no usual one: only the first word can be a special option, and everything after the file is
//! configuration text, which `conf` understands. So clap describes the program here, and the words are told apart by hand.
//!
//! Differs: the version line ends with the name of this program, and the help is ours.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// What the operator wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Call {
    /// Run as a Sentinel.
    Run(Invocation),
    /// Print the version, on standard output, and exit with status 0.
    Version,
    /// Print the help. Compat: on standard error, with exit status 1.
    Help,
    /// An option of the reference that this program does not have; exit with status 1. Differs: they try the machine, and any
    /// redis-server does that.
    Unavailable(&'static str),
}

/// A call to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// `argv[0]`, as typed.
    pub program: String,
    /// The configuration file, if there is one.
    pub file: Option<OsString>,
    /// The words after it, as bytes.
    pub options: Vec<Vec<u8>>,
    /// A `-` stands in place of the file: read standard input.
    pub reads_input: bool,
}

/// Tells the words of the command line apart.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Call {
    let mut words = words.into_iter();
    let program = words.next().unwrap_or_default().to_string_lossy().into_owned();
    let words: Vec<OsString> = words.collect();
    let (file, rest) = match words.split_first() {
        None => (None, words.as_slice()),
        Some((first, rest)) => match first.as_bytes() {
            b"-v" | b"--version" => return Call::Version,
            b"-h" | b"--help" => return Call::Help,
            b"--test-memory" => return Call::Unavailable("--test-memory"),
            b"--check-system" => return Call::Unavailable("--check-system"),
            b"-" => {
                let options = bytes(rest);
                return Call::Run(Invocation { program, file: None, options, reads_input: true });
            }
            [b'-', ..] => (None, words.as_slice()),
            _ => (Some(first.clone()), rest),
        },
    };
    Call::Run(Invocation { program, file, options: bytes(rest), reads_input: false })
}

fn bytes(words: &[OsString]) -> Vec<Vec<u8>> {
    words.iter().map(|word| OsStr::as_bytes(word).to_vec()).collect()
}

/// The version line: that of the reference, which programs read, and at its end who we really are.
pub fn version() -> String {
    format!(
        "Redis server v=7.0.15 sha=00000000:0 malloc=libc bits={} build=0 (sentineld {})",
        usize::BITS,
        env!("CARGO_PKG_VERSION")
    )
}

/// The help text.
pub fn help() -> String {
    command().render_help().to_string()
}

fn command() -> clap::Command {
    clap::Command::new("sentineld")
        .about("Watches Redis masters, fails over to a replica when one dies, and tells clients where the master is.")
        .override_usage("sentineld FILE [--DIRECTIVE VALUE...]... [-]\n       sentineld --version | --help")
        .help_template("{usage-heading} {usage}\n\n{about}\n\n{all-args}{after-help}")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(
            clap::Arg::new("FILE")
                .help("The sentinel.conf to run with. It must be writable: the state is kept in it."),
        )
        .arg(
            clap::Arg::new("OPTIONS")
                .num_args(0..)
                .value_name("--DIRECTIVE VALUE")
                .help("Directives that win over those in the file; they are not written to it."),
        )
        .after_help(
            "A `-` as the last word reads more directives from standard input.\n\n\
             Special options, as the first word only:\n  -v, --version  Print the version\n  -h, --help     Print this text\n\n\
             Sentinel mode is always on: --sentinel is accepted and changes nothing.\n\n\
             Examples:\n  sentineld /etc/redis/sentinel.conf\n  \
             sentineld /etc/redis/sentinel.conf --port 26380 --loglevel verbose",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(words: &[&str]) -> Call {
        parse(std::iter::once("redis-sentinel").chain(words.iter().copied()).map(OsString::from))
    }

    fn run(file: Option<&str>, options: &[&str], reads_input: bool) -> Call {
        Call::Run(Invocation {
            program: "redis-sentinel".into(),
            file: file.map(OsString::from),
            options: options.iter().map(|word| word.as_bytes().to_vec()).collect(),
            reads_input,
        })
    }

    #[test]
    fn special_options_count_as_first_word_only() {
        assert_eq!(call(&["-v"]), Call::Version);
        assert_eq!(call(&["--version", "x"]), Call::Version);
        assert_eq!(call(&["--help"]), Call::Help);
        assert_eq!(call(&["--test-memory", "1"]), Call::Unavailable("--test-memory"));
        assert_eq!(call(&["x.conf", "--version"]), run(Some("x.conf"), &["--version"], false));
    }

    #[test]
    fn the_first_word_is_the_file_unless_it_is_an_option() {
        assert_eq!(call(&[]), run(None, &[], false));
        assert_eq!(call(&["x.conf", "--port", "1"]), run(Some("x.conf"), &["--port", "1"], false));
        assert_eq!(call(&["--port", "1"]), run(None, &["--port", "1"], false));
        assert_eq!(call(&["--sentinel"]), run(None, &["--sentinel"], false));
        assert_eq!(call(&["-", "--port", "1"]), run(None, &["--port", "1"], true));
        assert_eq!(call(&["x.conf", "-"]), run(Some("x.conf"), &["-"], false));
    }

    #[test]
    fn texts() {
        assert!(version().ends_with(concat!("(sentineld ", env!("CARGO_PKG_VERSION"), ")")));
        let help = help();
        assert!(help.contains("Usage: sentineld FILE") && help.contains("sentinel.conf"), "{help}");
        command().debug_assert();
    }
}
