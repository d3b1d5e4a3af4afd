//! Where a line stands: texts are joined from several files and inputs, but errors name the real one.

use std::fmt;

/// What a text was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file, by the path that was opened.
    File(String),
    /// Standard input, read because of a `-` argument.
    StandardInput,
    /// The text made of command-line options.
    CommandLine,
}

/// A line of an [`Origin`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it is.
    pub origin: Origin,
    /// Which line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File(path) => write!(f, "In {path}, line {}", self.line),
            Origin::StandardInput => write!(f, "In standard input, line {}", self.line),
            Origin::CommandLine => write!(f, "In the command line, option line {}", self.line),
        }
    }
}

/// Several texts joined into one, as the reference joins file, standard input and options (spec 1 §1.2).
#[derive(Default)]
pub(super) struct Joined {
    /// The whole text.
    pub text: Vec<u8>,
    parts: Vec<Part>,
}

struct Part {
    origin: Origin,
    start: usize,
    first_line: usize,
}

impl Joined {
    /// Appends a text. Nothing is put in between, so a last line without a newline goes on in the next text.
    pub fn push(&mut self, origin: Origin, text: &[u8]) {
        let newlines = |text: &[u8]| text.iter().filter(|&&byte| byte == b'\n').count();
        let first_line = match self.parts.last() {
            Some(last) => last.first_line + newlines(&self.text[last.start..]),
            None => 1,
        };
        self.parts.push(Part { origin, start: self.text.len(), first_line });
        self.text.extend_from_slice(text);
    }

    /// The lines as trimmed text, each with its number in the whole and its real place.
    pub fn lines(&self) -> impl Iterator<Item = (usize, Place, &[u8])> {
        let mut start = 0;
        let mut part = 0;
        self.text.split(|&byte| byte == b'\n').enumerate().map_while(move |(index, line)| {
            while self.parts.get(part + 1).is_some_and(|next| next.start <= start) {
                part += 1;
            }
            start += line.len() + 1;
            let number = index + 1;
            let Part { origin, first_line, .. } = self.parts.get(part)?;
            let place = Place { origin: origin.clone(), line: number + 1 - first_line };
            Some((number, place, crate::text::words::trim(line)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_know_where_they_come_from() {
        let mut joined = Joined::default();
        joined.push(Origin::File("a".into()), b"one\ntwo\n");
        joined.push(Origin::File("b".into()), b"three\nfo");
        joined.push(Origin::StandardInput, b"ur\nfive\n");
        joined.push(Origin::CommandLine, b"\n six ");
        let found: Vec<String> = joined
            .lines()
            .map(|(number, place, line)| format!("{number} {place}: {}", String::from_utf8_lossy(line)))
            .collect();
        assert_eq!(
            found,
            [
                "1 In a, line 1: one",
                "2 In a, line 2: two",
                "3 In b, line 1: three",
                "4 In b, line 2: four",
                "5 In standard input, line 2: five",
                "6 In the command line, option line 1: ",
                "7 In the command line, option line 2: six",
            ]
        );
    }
}
