//! The inline form of a request: words on a line, with quotes (spec 3 §3.3.1).
//!
//! Knows nothing of where a line ends, only how it is split.

/// Splits a line into words. `None`: quotes that are not closed, or not followed by a blank.
pub(super) fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        while let [byte, tail @ ..] = rest
            && is_blank(*byte)
        {
            rest = tail;
        }
        if rest.is_empty() {
            return Some(words);
        }
        let mut word = Vec::new();
        rest = take_word(rest, &mut word)?;
        words.push(word);
    }
}

/// Moves one word out of the line and gives what follows it. Quotes may open anywhere in a word, and end it.
fn take_word<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            // Compat: a vertical tab or form feed separates words only where one is expected to start, or after a quote.
            [] | [b' ' | b'\t' | b'\r' | b'\n', ..] => return Some(rest),
            [b'"', tail @ ..] => return take_double_quoted(tail, word).filter(|rest| ends_word(rest)),
            [b'\'', tail @ ..] => return take_single_quoted(tail, word).filter(|rest| ends_word(rest)),
            [byte, tail @ ..] => {
                word.push(*byte);
                rest = tail;
            }
        }
    }
}

fn take_double_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, tail) = match rest {
            [] => return None,
            [b'"', tail @ ..] => return Some(tail),
            [b'\\', b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex(*high) << 4 | hex(*low), tail)
            }
            [b'\\', escaped, tail @ ..] => (unescape(*escaped), tail),
            [byte, tail @ ..] => (*byte, tail),
        };
        word.push(byte);
        rest = tail;
    }
}

fn take_single_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, tail) = match rest {
            [] => return None,
            [b'\'', tail @ ..] => return Some(tail),
            [b'\\', b'\'', tail @ ..] => (b'\'', tail),
            [byte, tail @ ..] => (*byte, tail),
        };
        word.push(byte);
        rest = tail;
    }
}

fn ends_word(rest: &[u8]) -> bool {
    rest.first().is_none_or(|byte| is_blank(*byte))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &[u8], expected: &[&[u8]]) {
        let words = split_words(line).expect("balanced");
        assert_eq!(words, expected, "{}", String::from_utf8_lossy(line));
    }

    #[test]
    fn words_are_split_like_the_reference_does() {
        check(b"", &[]);
        check(b"  \t ", &[]);
        check(b"  PING   hi  ", &[b"PING", b"hi"]);
        check(b"PING\rfoo", &[b"PING", b"foo"]);
        check(b"PING \ta\x0bb\x0c", &[b"PING", b"a\x0bb\x0c"]);
        check(b"PING \"a\\n\\x41\\q\"", &[b"PING", b"a\nAq"]);
        check(b"PING \"\\xZZ\\x4\"", &[b"PING", b"xZZx4"]);
        check(b"PING 'a\\'b\\n'", &[b"PING", b"a'b\\n"]);
        check(b"PING a\"b c\"", &[b"PING", b"ab c"]);
        check(b"\"\" x", &[b"", b"x"]);
        check(b"PING \x80\xff", &[b"PING", b"\x80\xff"]);
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [
            "PING \"a\"b",
            "PING \"a",
            "PING 'a'b",
            "PING a\"b",
            "PING a'b'\"c\"",
            "PING \"a\\\"",
            "PING \"a\\",
            "'",
        ] {
            assert_eq!(split_words(line.as_bytes()), None, "{line}");
        }
    }
}
