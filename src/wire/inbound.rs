//! The client port: received bytes to lists of words, with every quirk of the reference (spec 3 §3.3).
//!
//! Knows no command: a list of words comes out for whatever is well-formed. Who may send how much is the caller's knowledge, handed in at
//! each call. Words of the multibulk form are views into what was received: whoever keeps one beyond its command keeps a copy.
//!
//! Invariants: each byte is looked at once, however it arrives; a count or length that a client claims is never allocated, so memory is
//! bounded by what was received; after an error every further call gives the same error.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use super::value::Value;
use crate::text::number::parse_integer;
use crate::text::words;

/// Bytes that a line may have before its end is seen.
const MAX_LINE: usize = 64 * 1024;
/// Words per request before authentication.
const MAX_WORDS_UNAUTHENTICATED: i64 = 10;
/// Bytes per word before authentication.
const MAX_WORD_UNAUTHENTICATED: i64 = 16 * 1024;
/// `proto-max-bulk-len` unless configured, in bytes.
pub const DEFAULT_MAX_BULK: u64 = 512 * 1024 * 1024;

/// Why the connection ends: the reply to send before closing it (spec 3 §3.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ProtocolError {
    /// An inline request without end.
    #[error("Protocol error: too big inline request")]
    InlineTooBig,
    /// Quotes not closed, or not followed by a blank.
    #[error("Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
    /// A `*` line without end.
    #[error("Protocol error: too big mbulk count string")]
    CountTooBig,
    /// A count that is none, or beyond 32 bits.
    #[error("Protocol error: invalid multibulk length")]
    InvalidCount,
    /// More words than a client may send before it is authenticated.
    #[error("Protocol error: unauthenticated multibulk length")]
    UnauthenticatedCount,
    /// A `$` line without end.
    #[error("Protocol error: too big bulk count string")]
    LengthTooBig,
    /// A word that does not start with `$`.
    #[error("Protocol error: expected '$', got '{}'", char::from(*.0))]
    ExpectedDollar(u8),
    /// A length that is none, negative, or beyond `proto-max-bulk-len`.
    #[error("Protocol error: invalid bulk length")]
    InvalidLength,
    /// A longer word than a client may send before it is authenticated.
    #[error("Protocol error: unauthenticated bulk length")]
    UnauthenticatedLength,
}

impl ProtocolError {
    /// The name of this error in the log line (spec 3 §3.3.2).
    pub fn log_name(self) -> &'static str {
        match self {
            ProtocolError::InlineTooBig => "too big inline request",
            ProtocolError::UnbalancedQuotes => "unbalanced quotes in inline request",
            ProtocolError::CountTooBig => "too big mbulk count string",
            ProtocolError::InvalidCount => "invalid mbulk count",
            ProtocolError::UnauthenticatedCount => "unauth mbulk count",
            ProtocolError::LengthTooBig => "too big bulk count string",
            ProtocolError::ExpectedDollar(_) => "expected $ but got something else",
            ProtocolError::InvalidLength => "invalid bulk length",
            ProtocolError::UnauthenticatedLength => "unauth bulk length",
        }
    }

    /// The reply.
    pub fn value(self) -> Value {
        match self {
            // The byte itself, which is not always text.
            ProtocolError::ExpectedDollar(byte) => {
                Value::error([b"Protocol error: expected '$', got '", &[byte][..], b"'"].concat())
            }
            other => Value::error(other.to_string()),
        }
    }
}

/// True for the first words of an HTTP request: the connection must be dropped at once, without a reply and without flushing
/// earlier ones (spec 3 §3.3.4).
pub fn is_http(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"post") || word.eq_ignore_ascii_case(b"host:")
}

/// Splits what a client sends into requests.
#[derive(Debug)]
pub struct RequestDecoder {
    buffer: BytesMut,
    max_bulk: i64,
    /// The first byte not yet understood: the start of a line, or of the word `word` bytes long.
    at: usize,
    /// Up to where the line at `at` was searched for its end.
    searched: usize,
    /// Words that the current request still lacks; zero between requests.
    lacking: i64,
    /// The length of the word that is being received.
    word: Option<usize>,
    /// Start and end of the words received.
    words: Vec<(usize, usize)>,
    /// A request without words was passed over.
    passed_empty: bool,
}

impl Default for RequestDecoder {
    fn default() -> Self {
        RequestDecoder::new(DEFAULT_MAX_BULK)
    }
}

impl RequestDecoder {
    /// A decoder that allows words of `max_bulk` bytes (`proto-max-bulk-len`).
    pub fn new(max_bulk: u64) -> Self {
        RequestDecoder {
            buffer: BytesMut::new(),
            max_bulk: i64::try_from(max_bulk).unwrap_or(i64::MAX),
            at: 0,
            searched: 0,
            lacking: 0,
            word: None,
            words: Vec::new(),
            passed_empty: false,
        }
    }

    /// Takes in received bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Where to read received bytes into directly. Only ever append to it.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Bytes received and not yet given out, for `client-query-buffer-limit`.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes of the words received of a request that is not complete yet.
    pub fn words_received(&self) -> usize {
        self.words.iter().map(|(start, end)| end - start).sum()
    }

    /// The first bytes of what is buffered, 64 at most, for the log line about that limit.
    pub fn initial_bytes(&self) -> &[u8] {
        &self.buffer[..self.buffer.len().min(64)]
    }

    /// Gives back memory that is not in use if nothing is buffered, so that an idle connection owns no buffer.
    pub fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
            self.words = Vec::new();
        }
    }

    /// The next complete request: at least one word. `None` until more bytes are fed.
    pub fn next_request(&mut self, authenticated: bool) -> Result<Option<Vec<Bytes>>, ProtocolError> {
        while !self.buffer.is_empty() {
            let in_multibulk = self.lacking > 0 || self.buffer[0] == b'*';
            let step = match (in_multibulk, self.lacking) {
                (false, _) => self.inline_request()?,
                (true, 0) => self.count_line(authenticated)?,
                (true, _) => self.next_word(authenticated)?,
            };
            match step {
                Step::Starved => return Ok(None),
                Step::Advanced => {}
                Step::Request(words) => return Ok(Some(words)),
            }
        }
        Ok(None)
    }

    /// True if a request without words (an empty line, `*0`) was passed over since this was asked. It has no reply, but it counts as one
    /// where the next is meant (CLIENT REPLY SKIP).
    pub fn take_empty(&mut self) -> bool {
        std::mem::take(&mut self.passed_empty)
    }

    /// What is buffered from the offending place on, as the log line about a protocol error shows it (spec 3 §3.7): in quotes, cut in the middle.
    pub fn error_preview(&self) -> String {
        const SHOWN: usize = 128;
        let printable = |bytes: &[u8]| -> String {
            bytes
                .iter()
                .map(|&byte| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '.' })
                .collect()
        };
        let rest = &self.buffer[self.at..];
        if rest.len() < SHOWN {
            return format!("'{}'", printable(rest));
        }
        let (head, tail) = (&rest[..SHOWN / 2], &rest[rest.len() - SHOWN / 2..]);
        format!("'{}' (... more {} bytes ...) '{}'", printable(head), rest.len() - SHOWN, printable(tail))
    }

    fn inline_request(&mut self) -> Result<Step, ProtocolError> {
        let Some(end) = self.find(b'\n') else {
            return self.starved(ProtocolError::InlineTooBig);
        };
        let line = &self.buffer[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let words = words::split(line).ok_or(ProtocolError::UnbalancedQuotes)?;
        self.buffer.advance(end + 1);
        self.move_to(0);
        if words.is_empty() {
            self.passed_empty = true;
            return Ok(Step::Advanced);
        }
        Ok(Step::Request(words.into_iter().map(Bytes::from).collect()))
    }

    fn count_line(&mut self, authenticated: bool) -> Result<Step, ProtocolError> {
        let Some(end) = self.find(b'\r') else {
            return self.starved(ProtocolError::CountTooBig);
        };
        if self.buffer.len() < end + 2 {
            return Ok(Step::Starved);
        }
        let count = parse_integer(&self.buffer[1..end])
            .filter(|count| *count <= i64::from(i32::MAX))
            .ok_or(ProtocolError::InvalidCount)?;
        if count > MAX_WORDS_UNAUTHENTICATED && !authenticated {
            return Err(ProtocolError::UnauthenticatedCount);
        }
        if count > 0 {
            self.lacking = count;
            self.move_to(end + 2);
        } else {
            self.buffer.advance(end + 2);
            self.move_to(0);
            self.passed_empty = true;
        }
        Ok(Step::Advanced)
    }

    fn next_word(&mut self, authenticated: bool) -> Result<Step, ProtocolError> {
        let length = match self.word {
            Some(length) => length,
            None => match self.length_line(authenticated)? {
                Some(length) => length,
                None => return Ok(Step::Starved),
            },
        };
        // Compat: the two bytes behind a word are stepped over, whatever they are.
        let end = self.at + length;
        if self.buffer.len() < end + 2 {
            return Ok(Step::Starved);
        }
        self.words.push((self.at, end));
        self.word = None;
        self.move_to(end + 2);
        self.lacking -= 1;
        if self.lacking > 0 {
            return Ok(Step::Advanced);
        }
        let request = self.buffer.split_to(self.at).freeze();
        self.move_to(0);
        Ok(Step::Request(self.words.drain(..).map(|(start, end)| request.slice(start..end)).collect()))
    }

    fn length_line(&mut self, authenticated: bool) -> Result<Option<usize>, ProtocolError> {
        let Some(end) = self.find(b'\r') else {
            return self.starved(ProtocolError::LengthTooBig).map(|_| None);
        };
        if self.buffer.len() < end + 2 {
            return Ok(None);
        }
        if self.buffer[self.at] != b'$' {
            return Err(ProtocolError::ExpectedDollar(self.buffer[self.at]));
        }
        let length = parse_integer(&self.buffer[self.at + 1..end])
            .filter(|length| (0..=self.max_bulk).contains(length))
            .ok_or(ProtocolError::InvalidLength)?;
        if length > MAX_WORD_UNAUTHENTICATED && !authenticated {
            return Err(ProtocolError::UnauthenticatedLength);
        }
        let length = usize::try_from(length).map_err(|_| ProtocolError::InvalidLength)?;
        self.move_to(end + 2);
        self.word = Some(length);
        Ok(self.word)
    }

    /// Where the line at `at` ends. Compat: a NUL byte hides whatever follows it, as in the C string that it is for the reference.
    fn find(&mut self, mark: u8) -> Option<usize> {
        let found = self.buffer[self.searched..].iter().position(|&byte| byte == mark || byte == 0);
        match found.map(|i| self.searched + i) {
            Some(end) if self.buffer[end] == mark => Some(end),
            Some(hidden) => {
                self.searched = hidden;
                None
            }
            None => {
                self.searched = self.buffer.len();
                None
            }
        }
    }

    fn starved(&self, too_big: ProtocolError) -> Result<Step, ProtocolError> {
        if self.buffer.len() - self.at > MAX_LINE { Err(too_big) } else { Ok(Step::Starved) }
    }

    fn move_to(&mut self, at: usize) {
        self.at = at;
        self.searched = at;
    }
}

/// What one look at the buffer gave.
enum Step {
    /// More bytes are needed.
    Starved,
    /// Something was consumed.
    Advanced,
    /// A request is complete.
    Request(Vec<Bytes>),
}

#[cfg(test)]
#[path = "inbound_tests.rs"]
mod tests;
