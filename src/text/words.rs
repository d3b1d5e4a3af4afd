//! Words of a line, in the configuration file and in inline requests alike: splitting a line into them, and writing one so that it
//! is read back unchanged.
//!
//! Works on bytes: passwords and comments may be in any encoding. Knows nothing about directives, commands or the ends of lines.
//!
//! Invariants: `split(repr(x)) == [x]` and `split(quoted(x)) == [x]` for every `x`.

/// What a C string keeps of a text. Compat: the reference reads and repeats many a word as one, which a NUL byte ends.
pub fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// The words of a line by the rules of spec 1 §2.2 and spec 3 §3.3.1; `None` if quotes are unbalanced or followed by text.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|&byte| is_space(byte)) {
            at += 1;
        }
        if at == line.len() {
            return Some(words);
        }
        let (word, next) = read_word(line, at)?;
        words.push(word);
        at = next;
    }
}

/// One word starting at `at`, and where it ends.
fn read_word(line: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut word = Vec::new();
    while let Some(&byte) = line.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => break,
            b'"' => return read_quoted(line, at + 1, word, unescape_double),
            b'\'' => return read_quoted(line, at + 1, word, unescape_single),
            _ => word.push(byte),
        }
        at += 1;
    }
    Some((word, at))
}

/// The rest of a word after its opening quote. `unescape` turns the text at a backslash into a byte and the length it took.
fn read_quoted(
    line: &[u8],
    mut at: usize,
    mut word: Vec<u8>,
    unescape: fn(&[u8]) -> Option<(u8, usize)>,
) -> Option<(Vec<u8>, usize)> {
    // Both functions end at their own quote, which they report by a length of zero.
    loop {
        let (byte, length) = unescape(line.get(at..)?)?;
        if length == 0 {
            at += 1;
            break;
        }
        word.push(byte);
        at += length;
    }
    match line.get(at) {
        Some(&after) if !is_space(after) => None,
        _ => Some((word, at)),
    }
}

fn unescape_double(rest: &[u8]) -> Option<(u8, usize)> {
    match rest {
        [] => None,
        [b'"', ..] => Some((0, 0)),
        [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            Some((hex_value(*high) * 16 + hex_value(*low), 4))
        }
        [b'\\', escaped, ..] => {
            let byte = match escaped {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 8,
                b'a' => 7,
                other => *other,
            };
            Some((byte, 2))
        }
        [byte, ..] => Some((*byte, 1)),
    }
}

fn unescape_single(rest: &[u8]) -> Option<(u8, usize)> {
    match rest {
        [] => None,
        [b'\'', ..] => Some((0, 0)),
        [b'\\', b'\'', ..] => Some((b'\'', 2)),
        [byte, ..] => Some((*byte, 1)),
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

/// C's `isspace`: what separates words.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13)
}

/// True if there is a control character: a line with one may be shown as two, or as another.
pub fn has_control(word: &[u8]) -> bool {
    word.iter().any(u8::is_ascii_control)
}

/// A line without the blanks around it: space, tab, carriage return and line feed, but no other control character (spec 1 §2.1).
pub fn trim(mut line: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = line {
        line = rest;
    }
    while let [rest @ .., b' ' | b'\t' | b'\r' | b'\n'] = line {
        line = rest;
    }
    line
}

/// The always quoted form of a word, printable ASCII whatever it holds (spec 1 §2.2).
pub fn repr(word: &[u8]) -> String {
    let mut text = String::with_capacity(word.len() + 2);
    text.push('"');
    for &byte in word {
        match byte {
            b'\\' | b'"' => text.extend(['\\', char::from(byte)]),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            7 => text.push_str("\\a"),
            8 => text.push_str("\\b"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}

/// Appends a word in its shortest readable form: as it is, or quoted where that would not be read back (spec 1 §5.5).
pub fn push_quoted(line: &mut Vec<u8>, word: &[u8]) {
    if word.is_empty()
        || word.iter().any(|&byte| byte <= b' ' || byte == 127 || byte == b'"' || byte == b'\'')
    {
        line.extend_from_slice(repr(word).as_bytes());
    } else {
        line.extend_from_slice(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: &[&str]) {
        let expect: Vec<Vec<u8>> = expect.iter().map(|word| word.as_bytes().to_vec()).collect();
        assert_eq!(split(line.as_bytes()), Some(expect), "{line}");
    }

    #[test]
    fn words_and_quotes() {
        check("", &[]);
        check(" \t a  b\x0b", &["a", "b\x0b"]);
        check("a\x0bb", &["a\x0bb"]);
        check("port \x0b7000", &["port", "7000"]);
        check(r#"bind "" ''"#, &["bind", "", ""]);
        check(r#"a "b \"c\" \x41\n\q" "#, &["a", "b \"c\" A\nq"]);
        check(r"'it\'s \n'", &["it's \\n"]);
        check(r#"ab"c d""#, &["abc d"]);
        check(r"a\b #c", &["a\\b", "#c"]);
        check(r#""\xg1""#, &["xg1"]);
        check("PING\rfoo", &["PING", "foo"]);
        check("PING \ta\x0bb\x0c", &["PING", "a\x0bb\x0c"]);
        check(r#"PING "\xZZ\x4""#, &["PING", "xZZx4"]);
        assert_eq!(
            split(b"PING \x80\xff"),
            Some(vec![b"PING".to_vec(), b"\x80\xff".to_vec()]),
            "bytes, not text"
        );
    }

    #[test]
    fn unbalanced_quotes() {
        for line in
            [r#"port "7000"#, r#"port "7000"x"#, "port '7", r#""a\"#, r#""a\""#, "a\"b", "a'b'\"c\"", "'"]
        {
            assert_eq!(split(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        for word in [&all[..], b"", b"plain", b"a b", b"back\\slash", b"\xc3\xa9", b"it's", b"\"", b"\x7f"] {
            assert_eq!(split(repr(word).as_bytes()), Some(vec![word.to_vec()]));
            let mut line = Vec::new();
            push_quoted(&mut line, word);
            assert_eq!(split(&line), Some(vec![word.to_vec()]));
        }
    }

    #[test]
    fn only_what_needs_quotes_gets_them() {
        let quote = |word: &str| {
            let mut line = Vec::new();
            push_quoted(&mut line, word.as_bytes());
            String::from_utf8(line).expect("was text")
        };
        assert_eq!(quote("back\\slash#é"), "back\\slash#é");
        assert_eq!(quote("foo bar"), "\"foo bar\"");
        assert_eq!(quote(""), "\"\"");
        assert_eq!(repr(b"a\xff\"\n\x07\x08"), r#""a\xff\"\n\a\b""#);
    }
}
