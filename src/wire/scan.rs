//! Finds where a reply ends, without building anything.
//!
//! The scanner reads each byte of a reply once, however small the pieces it arrives in: strings are stepped over by their length, and
//! a half-received line is not searched again. It refuses what is malformed or beyond [`Limits`] as soon as that can be known, so that
//! the decoder behind it only ever sees a complete reply of bounded size, width and depth.
//!
//! Invariant: memory is constant; a length that a server claims is compared, never allocated.

use thiserror::Error;

/// What a reply may cost us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of one reply, all its parts included.
    pub bytes: usize,
    /// Arrays within arrays.
    pub depth: usize,
    /// Parts of one reply, counted over all its arrays.
    pub elements: usize,
}

impl Default for Limits {
    /// Room for an INFO text of any size seen, and for nothing that a Sentinel has no use for.
    fn default() -> Self {
        Limits { bytes: 64 * 1024 * 1024, depth: 8, elements: 65_536 }
    }
}

/// Why a reply cannot be read. The link is of no use any more: where the next reply starts is unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum FrameError {
    /// A byte that starts no kind of reply that we could have asked for.
    #[error("unexpected reply type byte 0x{0:02x}")]
    UnknownKind(u8),
    /// A length or number that is none.
    #[error("malformed number in a reply")]
    BadNumber,
    /// A string without its end, or otherwise broken.
    #[error("malformed reply")]
    Malformed,
    /// More bytes than allowed.
    #[error("reply larger than allowed")]
    TooLarge,
    /// More arrays within arrays than allowed.
    #[error("reply nested deeper than allowed")]
    TooDeep,
    /// More parts than allowed.
    #[error("reply with more elements than allowed")]
    TooManyElements,
}

/// Where a scan has got to within the reply at the start of the buffer.
#[derive(Default, Debug)]
pub(super) struct Scanner {
    /// The first byte that is not yet understood.
    at: usize,
    /// Up to where the current line was searched for its end.
    searched: usize,
    /// The end of the string being received, its line break included.
    string_end: Option<usize>,
    /// How many parts the open arrays still lack, outermost first; never longer than the depth limit.
    open: Vec<usize>,
    /// Parts promised so far.
    elements: usize,
    /// A part of RESP3 was seen.
    resp3: bool,
}

/// A status or an error is never longer than this: a line has no announced end, so it is given up early.
const TEXT_LINE: usize = 64 * 1024;
/// Lines with a number on them are never longer than this.
const NUMBER_LINE: usize = 32;

/// A complete reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Extent {
    /// Its length in bytes.
    pub length: usize,
    /// It can only be read as RESP3.
    pub resp3: bool,
}

impl Scanner {
    /// Continues over `buffer`, which must begin with the bytes it began with at the last call. `None`: more bytes are needed.
    pub fn advance(&mut self, buffer: &[u8], limits: &Limits) -> Result<Option<Extent>, FrameError> {
        loop {
            let complete = match self.string_end {
                Some(end) => {
                    if buffer.len() < end {
                        return Ok(None);
                    }
                    if &buffer[end - 2..end] != b"\r\n" {
                        return Err(FrameError::Malformed);
                    }
                    self.string_end = None;
                    self.move_to(end);
                    true
                }
                None => match self.line(buffer, limits)? {
                    Some(end) => self.part(&buffer[self.at..end], end + 2, limits)?,
                    None => return Ok(None),
                },
            };
            if complete && self.close() {
                let extent = Extent { length: self.at, resp3: self.resp3 };
                *self = Scanner { open: std::mem::take(&mut self.open), ..Scanner::default() };
                return Ok(Some(extent));
            }
        }
    }

    fn move_to(&mut self, at: usize) {
        self.at = at;
        self.searched = at;
    }

    /// Where the current line ends, without its line break.
    fn line(&mut self, buffer: &[u8], limits: &Limits) -> Result<Option<usize>, FrameError> {
        let Some(&kind) = buffer.get(self.at) else { return Ok(None) };
        if !matches!(kind, b'+' | b'-' | b':' | b'$' | b'*' | b'>' | b'=' | b'_') {
            return Err(FrameError::UnknownKind(kind));
        }
        let end =
            buffer[self.searched..].windows(2).position(|pair| pair == b"\r\n").map(|i| self.searched + i);
        // The last byte may be the first half of a line break.
        self.searched = buffer.len().saturating_sub(1).max(self.at);
        // The limit that comes first in the bytes decides, so that the error is the same however they arrive.
        let (longest, error) = match kind {
            b'+' | b'-' => (TEXT_LINE, FrameError::TooLarge),
            _ => (NUMBER_LINE, FrameError::BadNumber),
        };
        let half_break = usize::from(buffer.last() == Some(&b'\r'));
        let reached = end.unwrap_or(buffer.len() - half_break);
        if reached > limits.bytes.min(self.at + longest) {
            return Err(if limits.bytes <= self.at + longest { FrameError::TooLarge } else { error });
        }
        Ok(end)
    }

    /// Takes in one line; true if that completes a part.
    fn part(&mut self, line: &[u8], next: usize, limits: &Limits) -> Result<bool, FrameError> {
        self.move_to(next);
        let (kind, text) = (line[0], &line[1..]);
        self.resp3 |= matches!(kind, b'>' | b'=' | b'_');
        match kind {
            b'$' | b'=' => {
                let Some(length) = claimed(text, kind == b'$')? else { return Ok(true) };
                let end = length.checked_add(next + 2).ok_or(FrameError::TooLarge)?;
                if end > limits.bytes {
                    return Err(FrameError::TooLarge);
                }
                self.string_end = Some(end);
                Ok(false)
            }
            b'*' | b'>' => {
                let count = claimed(text, kind == b'*')?.unwrap_or(0);
                self.elements = self.elements.saturating_add(count);
                if self.elements > limits.elements {
                    return Err(FrameError::TooManyElements);
                }
                if count == 0 {
                    return Ok(true);
                }
                if self.open.len() >= limits.depth {
                    return Err(FrameError::TooDeep);
                }
                self.open.push(count);
                Ok(false)
            }
            b':' if !is_number(text) => Err(FrameError::BadNumber),
            b'_' if !text.is_empty() => Err(FrameError::Malformed),
            _ => Ok(true),
        }
    }

    /// Counts a complete part; true if the whole reply is complete with it.
    fn close(&mut self) -> bool {
        while let Some(lacking) = self.open.last_mut() {
            *lacking -= 1;
            if *lacking > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }
}

/// The length on a line; `None` for −1, where that is allowed and means "nothing".
fn claimed(text: &[u8], nullable: bool) -> Result<Option<usize>, FrameError> {
    if nullable && text == b"-1" {
        return Ok(None);
    }
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(FrameError::BadNumber);
    }
    let digits = std::str::from_utf8(text).map_err(|_| FrameError::BadNumber)?;
    digits.parse().map(Some).map_err(|_| FrameError::TooLarge)
}

fn is_number(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|digits| digits.parse::<i64>().is_ok())
}
