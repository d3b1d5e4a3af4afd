//! The protocol as a server sees it: commands in, replies out.

/// A command and the number of bytes that it took.
pub type Command<'a> = (Vec<&'a [u8]>, usize);

/// The first command in a buffer: `None` while it is incomplete, an error if it can't be one. Clients that are programs send arrays of
/// bulk strings only.
pub fn command(input: &[u8]) -> Result<Option<Command<'_>>, String> {
    let Some((count, mut at)) = number(input, 0, b'*')? else { return Ok(None) };
    let mut words = Vec::with_capacity(count.min(16));
    for _ in 0..count {
        let Some((length, start)) = number(input, at, b'$')? else { return Ok(None) };
        let end = start + length;
        if input.len() < end + 2 {
            return Ok(None);
        }
        words.push(&input[start..end]);
        at = end + 2;
    }
    Ok(Some((words, at)))
}

/// A line of a mark and a number; with the place behind it.
fn number(input: &[u8], at: usize, mark: u8) -> Result<Option<(usize, usize)>, String> {
    let Some(length) = input[at..].windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let line = &input[at..at + length];
    let digits = line.strip_prefix(&[mark]).and_then(|rest| std::str::from_utf8(rest).ok());
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(number) if number <= 1 << 20 => Ok(Some((number, at + length + 2))),
        _ => Err(format!("not a command: {:?}", String::from_utf8_lossy(line))),
    }
}

/// Appends a bulk string.
pub fn bulk(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// Appends an array of bulk strings.
pub fn bulks(out: &mut Vec<u8>, texts: &[&[u8]]) {
    head(out, texts.len());
    texts.iter().for_each(|text| bulk(out, text));
}

/// Appends the start of an array.
pub fn head(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(format!("*{count}\r\n").as_bytes());
}

/// Appends an integer.
pub fn integer(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(format!(":{number}\r\n").as_bytes());
}
