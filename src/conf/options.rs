//! Command-line arguments turned into configuration text (spec 1 §1.2).
//!
//! Does not look at the first argument (the configuration file or a special option): the caller takes that away.

use crate::text::words::{repr, split};

/// The text for the arguments after the configuration file, and whether one of them asks to read standard input.
///
/// `-` counts as such only as the very last argument; the caller deals with one in place of the file.
pub fn options_to_text(arguments: &[&[u8]]) -> (String, bool) {
    let (arguments, reads_input) = match arguments {
        [rest @ .., b"-"] => (rest, true),
        _ => (arguments, false),
    };
    let mut text = String::new();
    // A name that still waits for its value takes even a word that looks like an option.
    let mut has_value = true;
    for (index, argument) in arguments.iter().enumerate() {
        let starts_option = argument.starts_with(b"--");
        if has_value && starts_option {
            if !text.is_empty() {
                text.push('\n');
            }
            let option = &argument[2..];
            text.push_str(&escape_line(option));
            text.push(' ');
            has_value = split(option).is_none_or(|words| words.len() > 1);
            // These two need no value when another option, or nothing, follows.
            let alone = arguments.get(index + 1).is_none_or(|next| next.starts_with(b"--"));
            if alone && option.eq_ignore_ascii_case(b"sentinel") {
                has_value = true;
            } else if alone && option.eq_ignore_ascii_case(b"save") {
                text.push_str("\"\"");
                has_value = true;
            }
        } else {
            text.push_str(&repr(argument));
            text.push(' ');
            has_value = true;
        }
    }
    (text, reads_input)
}

/// An option as raw text; bytes that are no text can only be inside a value, where the quoted form means the same.
fn escape_line(option: &[u8]) -> String {
    match std::str::from_utf8(option) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            split(option).unwrap_or_default().iter().map(|word| repr(word)).collect::<Vec<_>>().join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], expect: &str) {
        let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
        assert_eq!(options_to_text(&arguments).0, expect, "{arguments:?}");
    }

    #[test]
    fn options_become_lines() {
        check(&[], "");
        check(&["--port", "7001"], "port \"7001\" ");
        check(&["--port 7001"], "port 7001 ");
        check(&["port", "7001"], "\"port\" \"7001\" ");
        check(&["--port"], "port ");
        check(&["--port", "--loglevel", "debug"], "port \"--loglevel\" \"debug\" ");
        check(&["--sentinel"], "sentinel ");
        check(&["--sentinel", "--loglevel", "warning"], "sentinel \nloglevel \"warning\" ");
        check(&["--sentinel", "monitor", "mm", "::1"], "sentinel \"monitor\" \"mm\" \"::1\" ");
        check(
            &["--supervised", "systemd", "--daemonize", "no"],
            "supervised \"systemd\" \ndaemonize \"no\" ",
        );
        check(&["-v"], "\"-v\" ");
        check(&["--save", "--port", "1"], "save \"\"\nport \"1\" ");
        check(&["--requirepass", "a\"b"], "requirepass \"a\\\"b\" ");
    }

    #[test]
    fn a_dash_reads_input_only_at_the_end() {
        assert_eq!(options_to_text(&[b"--port", b"1", b"-"]), ("port \"1\" ".to_owned(), true));
        assert_eq!(
            options_to_text(&[b"--port", b"-", b"--hz", b"1"]),
            ("port \"-\" \nhz \"1\" ".to_owned(), false)
        );
    }
}
