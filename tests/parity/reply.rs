//! A reply as lines of text that show its every type: two replies are the same on the wire if and only if these lines are.
//!
//! It knows both protocols but nothing of commands. An aggregate is its type and length on one line and its elements below; a string of
//! several lines shows them one by one.

use std::io::{BufRead, Error, Result};

/// Reads one reply and renders it.
pub fn read(reader: &mut impl BufRead) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    read_into(reader, 0, &mut lines)?;
    Ok(lines)
}

fn read_into(reader: &mut impl BufRead, depth: usize, lines: &mut Vec<String>) -> Result<()> {
    let mut head = Vec::new();
    if reader.read_until(b'\n', &mut head)? == 0 {
        return Err(Error::new(std::io::ErrorKind::UnexpectedEof, "closed"));
    }
    let head = head.strip_suffix(b"\r\n").ok_or_else(|| Error::other(format!("no line: {head:?}")))?;
    let indent = "  ".repeat(depth);
    let text = escape(head);
    let count = || text[1..].parse::<i64>().map_err(|_| Error::other(format!("no length: {text:?}")));
    match head.first() {
        Some(b'$' | b'=' | b'!') if text.get(1..) != Some("-1") => {
            let mut body = vec![0; usize::try_from(count()?).map_err(Error::other)? + 2];
            reader.read_exact(&mut body)?;
            body.truncate(body.len() - 2);
            // The type of a verbatim text is no part of its first line.
            let (kind, body) = match body.split_at_checked(4) {
                Some((b"txt:", rest)) if head[0] == b'=' => ("=txt:", rest),
                _ => (&text[..1], &body[..]),
            };
            string(&indent, kind, body, lines);
        }
        Some(b'*' | b'~' | b'>' | b'%' | b'|') if text.get(1..) != Some("-1") => {
            let pairs = matches!(head[0], b'%' | b'|');
            lines.push(format!("{indent}{text}"));
            for _ in 0..count()? * if pairs { 2 } else { 1 } {
                read_into(reader, depth + 1, lines)?;
            }
        }
        Some(_) => lines.push(format!("{indent}{text}")),
        None => return Err(Error::other("an empty line where a reply begins")),
    }
    Ok(())
}

fn string(indent: &str, kind: &str, body: &[u8], lines: &mut Vec<String>) {
    if !body.contains(&b'\n') {
        lines.push(format!("{indent}{kind}\"{}\"", escape(body)));
        return;
    }
    lines.push(format!("{indent}{kind}"));
    lines.extend(body.split(|byte| *byte == b'\n').map(|line| format!("{indent}| {}", escape(line))));
}

/// Bytes as printable text.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\r' => text.push_str("\\r"),
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                char if char.is_control() => text.push_str(&format!("\\x{:02x}", u32::from(char))),
                char => text.push(char),
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// The bytes that a text stands for: `\r`, `\n`, `\t`, `\0`, `\\`, `\"`, `\xHH`.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let escaped = if char == '\\' { chars.next() } else { None };
        match escaped {
            None => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            Some('r') => bytes.push(b'\r'),
            Some('n') => bytes.push(b'\n'),
            Some('t') => bytes.push(b'\t'),
            Some('0') => bytes.push(0),
            Some('x') => {
                let digits: String = chars.by_ref().take(2).collect();
                bytes.push(
                    u8::from_str_radix(&digits, 16).unwrap_or_else(|_| panic!("\\x{digits} in a play")),
                );
            }
            Some(other) => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// The words of a command as a play writes it: blanks part words; `"…"` holds one with blanks and escapes; `WORD*N` in angle brackets
/// repeats: `<a*1000>` is a thousand times `a`.
pub fn words(text: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = closing(quoted);
            words.push(unescape(&quoted[..end]));
            rest = quoted.get(end + 1..).unwrap_or_default().trim_start();
            continue;
        }
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        let inner = word.strip_prefix('<').and_then(|word| word.strip_suffix('>'));
        match inner
            .and_then(|inner| inner.rsplit_once('*'))
            .and_then(|(part, n)| Some((part, n.parse().ok()?)))
        {
            Some((part, times)) => words.push(part.repeat(times).into_bytes()),
            None => words.push(word.as_bytes().to_vec()),
        }
        rest = after.trim_start();
    }
    words
}

fn closing(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() && bytes[i] != b'"' {
        i += if bytes[i] == b'\\' { 2 } else { 1 };
    }
    assert!(i < bytes.len(), "a quote is not closed: {text}");
    i
}

/// The frame of a command.
pub fn frame(words: &[Vec<u8>]) -> Vec<u8> {
    let mut frame = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        frame.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        frame.extend_from_slice(word);
        frame.extend_from_slice(b"\r\n");
    }
    frame
}
