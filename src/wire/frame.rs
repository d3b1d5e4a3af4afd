//! The one door to the RESP library: replies of Redis servers and peers, from bytes to [`Frame`]s.
//!
//! Only replies come this way. What clients send has quirks that no library keeps ([`super::inbound`]), and what we send is written
//! by [`super::value`]. The decoder is guarded by a scanner, so that the library, which recurses and starts over at each
//! attempt, is called exactly once per reply, on complete and bounded input.
//!
//! Invariant: nothing a server sends makes this panic, recurse beyond the depth limit, or hold more memory than was received.

use bytes::{Bytes, BytesMut};
use redis_protocol::{resp2, resp3};

use super::scan::{FrameError, Limits, Scanner};

/// One reply, or a part of one. Byte strings are views into what was received: keep a copy, not the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `+text`
    Status(Bytes),
    /// `-text`, without the `-`.
    Error(Bytes),
    /// `:1`
    Integer(i64),
    /// A string, plain or verbatim (then without its format).
    Bulk(Bytes),
    /// No value, in any of its forms.
    Null,
    /// An array.
    Array(Vec<Frame>),
    /// A message that answers no request (RESP3 only).
    Push(Vec<Frame>),
}

/// Splits a stream of bytes into replies.
#[derive(Default, Debug)]
pub struct ReplyDecoder {
    buffer: BytesMut,
    scanner: Scanner,
    limits: Limits,
}

impl ReplyDecoder {
    /// A decoder with limits of its own; [`ReplyDecoder::default`] has the usual ones.
    pub fn new(limits: Limits) -> Self {
        ReplyDecoder { limits, ..ReplyDecoder::default() }
    }

    /// Takes in received bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Where to read received bytes into directly. Only ever append to it.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Bytes received and not yet given out.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Gives back the buffer's memory if nothing is buffered, so that an idle link owns none.
    pub fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// The next complete reply; `None` until more bytes are fed. After an error the stream can't be read any further.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(extent) = self.scanner.advance(&self.buffer, &self.limits)? else { return Ok(None) };
        let bytes = self.buffer.split_to(extent.length).freeze();
        if extent.resp3 { decode_resp3(&bytes) } else { decode_resp2(&bytes) }.map(Some)
    }
}

/// The payload, if `frame` is a message of the gossip channel (spec 2 §6.3).
pub fn hello_message(frame: &Frame) -> Option<&[u8]> {
    let (Frame::Array(parts) | Frame::Push(parts)) = frame else { return None };
    match parts.as_slice() {
        [Frame::Bulk(kind), Frame::Bulk(channel), Frame::Bulk(payload)]
            if kind == "message" && channel == super::request::HELLO_CHANNEL =>
        {
            Some(payload)
        }
        _ => None,
    }
}

fn decode_resp2(bytes: &Bytes) -> Result<Frame, FrameError> {
    match resp2::decode::decode_range(bytes) {
        Ok(Some((frame, length))) if length == bytes.len() => Ok(from_resp2(frame, bytes)),
        _ => Err(FrameError::Malformed),
    }
}

fn from_resp2(frame: resp2::types::RangeFrame, bytes: &Bytes) -> Frame {
    use resp2::types::RangeFrame;
    let view = |(start, end)| bytes.slice(start..end);
    match frame {
        RangeFrame::SimpleString(range) => Frame::Status(view(range)),
        RangeFrame::Error(range) => Frame::Error(view(range)),
        RangeFrame::Integer(number) => Frame::Integer(number),
        RangeFrame::BulkString(range) => Frame::Bulk(view(range)),
        RangeFrame::Null => Frame::Null,
        RangeFrame::Array(parts) => {
            Frame::Array(parts.into_iter().map(|part| from_resp2(part, bytes)).collect())
        }
    }
}

fn decode_resp3(bytes: &Bytes) -> Result<Frame, FrameError> {
    match resp3::decode::complete::decode_range(bytes) {
        Ok(Some((frame, length))) if length == bytes.len() => from_resp3(frame, bytes),
        _ => Err(FrameError::Malformed),
    }
}

fn from_resp3(frame: resp3::types::RangeFrame, bytes: &Bytes) -> Result<Frame, FrameError> {
    use resp3::types::RangeFrame;
    let view = |(start, end)| bytes.slice(start..end);
    let parts = |data: Vec<RangeFrame>| -> Result<Vec<Frame>, FrameError> {
        data.into_iter().map(|part| from_resp3(part, bytes)).collect()
    };
    Ok(match frame {
        RangeFrame::SimpleString { data, .. } => Frame::Status(view(data)),
        RangeFrame::SimpleError { data, .. } => Frame::Error(view(data)),
        RangeFrame::Number { data, .. } => Frame::Integer(data),
        RangeFrame::BlobString { data, .. } | RangeFrame::VerbatimString { data, .. } => {
            Frame::Bulk(view(data))
        }
        RangeFrame::Null => Frame::Null,
        RangeFrame::Array { data, .. } => Frame::Array(parts(data)?),
        RangeFrame::Push { data, .. } => Frame::Push(parts(data)?),
        // The scanner lets no other kind through.
        _ => return Err(FrameError::Malformed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &'static str) -> Frame {
        Frame::Bulk(text.into())
    }

    fn decode_all(decoder: &mut ReplyDecoder) -> Result<Vec<Frame>, FrameError> {
        std::iter::from_fn(|| decoder.next_frame().transpose()).collect()
    }

    /// Whole, split in two at every position, and byte by byte: always the same frames.
    fn check(input: &[u8], expected: &[Frame]) {
        for split in 0..=input.len() {
            let mut decoder = ReplyDecoder::default();
            decoder.feed(&input[..split]);
            let mut frames = decode_all(&mut decoder).expect("valid so far");
            decoder.feed(&input[split..]);
            frames.extend(decode_all(&mut decoder).expect("valid"));
            assert_eq!(frames, expected, "split at {split}");
            assert_eq!(decoder.buffered(), 0);
        }
        let mut decoder = ReplyDecoder::default();
        let mut frames = Vec::new();
        for byte in input {
            decoder.feed(&[*byte]);
            frames.extend(decode_all(&mut decoder).expect("valid"));
        }
        assert_eq!(frames, expected, "byte by byte");
    }

    fn refused(input: &[u8], expected: FrameError) {
        let mut decoder = ReplyDecoder::new(Limits { bytes: 1000, depth: 3, elements: 20 });
        let mut outcome = Ok(None);
        for byte in input {
            decoder.feed(&[*byte]);
            outcome = decoder.next_frame();
            if outcome.is_err() {
                break;
            }
        }
        assert_eq!(outcome, Err(expected), "{}", String::from_utf8_lossy(input));
    }

    #[test]
    fn replies_of_resp2() {
        check(
            b"+PONG\r\n-LOADING x\r\n:-5\r\n",
            &[Frame::Status("PONG".into()), Frame::Error("LOADING x".into()), Frame::Integer(-5)],
        );
        check(
            b"$0\r\n\r\n$4\r\na\r\nb\r\n$-1\r\n*-1\r\n*0\r\n",
            &[bulk(""), bulk("a\r\nb"), Frame::Null, Frame::Null, Frame::Array(vec![])],
        );
        check(
            b"*3\r\n:0\r\n$1\r\n*\r\n:0\r\n",
            &[Frame::Array(vec![Frame::Integer(0), bulk("*"), Frame::Integer(0)])],
        );
        check(
            b"*2\r\n*1\r\n*0\r\n*1\r\n+OK\r\n+x\r\r\n",
            &[
                Frame::Array(vec![
                    Frame::Array(vec![Frame::Array(vec![])]),
                    Frame::Array(vec![Frame::Status("OK".into())]),
                ]),
                Frame::Status("x\r".into()),
            ],
        );
        check(b"-ERR '\xff'\r\n", &[Frame::Error(Bytes::from_static(b"ERR '\xff'"))]);
    }

    #[test]
    fn replies_of_resp3() {
        check(b"=8\r\ntxt:role\r\n_\r\n", &[bulk("role"), Frame::Null]);
        check(
            b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n:1\r\n",
            &[Frame::Push(vec![bulk("message"), bulk("c"), bulk("")]), Frame::Integer(1)],
        );
        check(b"*2\r\n_\r\n=4\r\ntxt:\r\n", &[Frame::Array(vec![Frame::Null, bulk("")])]);
    }

    #[test]
    fn what_is_broken_or_too_much_is_refused() {
        refused(b"x", FrameError::UnknownKind(b'x'));
        refused(b"\r\n", FrameError::UnknownKind(b'\r'));
        refused(b"%1\r\n", FrameError::UnknownKind(b'%'));
        refused(b"$x\r\n", FrameError::BadNumber);
        refused(b"$-2\r\n", FrameError::BadNumber);
        refused(b">-1\r\n", FrameError::BadNumber);
        refused(b"*\r\n", FrameError::BadNumber);
        refused(b":\r\n", FrameError::BadNumber);
        refused(b":1x\r\n", FrameError::BadNumber);
        refused(b":00000000000000000000000000000000000000000", FrameError::BadNumber);
        refused(b"$3\r\nabcxy", FrameError::Malformed);
        refused(b"_x\r\n", FrameError::Malformed);
        refused(b"=3\r\nabc\r\n", FrameError::Malformed);
        refused(b"=7\r\nabc:def\r\n", FrameError::Malformed);
        refused(b"*2\r\n_\r\n$-1\r\n", FrameError::Malformed);
        refused(b"$999\r\n", FrameError::TooLarge);
        refused(b"$99999999999999999999999\r\n", FrameError::TooLarge);
        refused(b"$18446744073709551615\r\n", FrameError::TooLarge);
        refused(&[b"+".as_slice(), &[b'x'; 1000]].concat(), FrameError::TooLarge);
        refused(b"*1\r\n*1\r\n*1\r\n*1\r\n", FrameError::TooDeep);
        refused(b"*21\r\n", FrameError::TooManyElements);
        refused(b"*2147483647\r\n", FrameError::TooManyElements);
        refused(b"*10\r\n*11\r\n", FrameError::TooManyElements);
    }

    /// The frames of an input, and the error that ended it, if any.
    fn outcome(pieces: &[&[u8]]) -> (Vec<Frame>, Option<FrameError>) {
        let mut decoder = ReplyDecoder::new(Limits { bytes: 64, depth: 3, elements: 9 });
        let mut frames = Vec::new();
        for piece in pieces {
            decoder.feed(piece);
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(error) => return (frames, Some(error)),
                }
            }
        }
        (frames, None)
    }

    #[test]
    fn junk_gives_the_same_however_it_is_cut() {
        const PARTS: &[&[u8]] = &[
            b"*", b">", b"$", b"=", b":", b"+", b"-", b"_", b"0", b"1", b"2", b"-1", b"\r\n", b"\r\n", b"\r",
            b"txt:", b"x\xff",
        ];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).expect("31 bits")
        };
        for _ in 0..20_000 {
            let input: Vec<u8> =
                (0..random() % 24).flat_map(|_| PARTS[random() % PARTS.len()]).copied().collect();
            let whole = outcome(&[&input]);
            let (head, tail) = input.split_at(random() % (input.len() + 1));
            assert_eq!(outcome(&[head, tail]), whole, "{}", String::from_utf8_lossy(&input));
            assert_eq!(
                outcome(&input.chunks(1).collect::<Vec<_>>()),
                whole,
                "{}",
                String::from_utf8_lossy(&input)
            );
        }
    }

    #[test]
    fn the_limit_that_comes_first_decides() {
        let digits = |count: usize| [b":", "0".repeat(count).as_bytes(), b"\r\n"].concat();
        for (input, end) in [
            // As long as a line with a number may be: the first half of its line break does not count.
            (digits(31), None),
            (digits(32), Some(FrameError::BadNumber)),
            // Beyond the limit of numbers, then beyond that of replies.
            (digits(99), Some(FrameError::BadNumber)),
            // The other way round.
            ([b"*2\r\n+", &[b'x'; 37][..], b"\r\n", &digits(99)].concat(), Some(FrameError::TooLarge)),
            ([b"+", &[b'x'; 63][..], b"\r\n"].concat(), None),
            ([b"+", &[b'x'; 64][..], b"\r\n"].concat(), Some(FrameError::TooLarge)),
        ] {
            for size in [1, 2, 50, input.len()] {
                let pieces: Vec<&[u8]> = input.chunks(size).collect();
                assert_eq!(
                    outcome(&pieces).1,
                    end,
                    "{} in pieces of {size}",
                    String::from_utf8_lossy(&input)
                );
            }
        }
    }

    #[test]
    fn a_line_without_end_is_given_up_early() {
        for kind in [b"+", b"-"] {
            let mut decoder = ReplyDecoder::default();
            decoder.feed(kind);
            decoder.feed(&[b'x'; 64 * 1024 - 1]);
            assert_eq!(decoder.next_frame(), Ok(None));
            decoder.feed(b"xx");
            assert_eq!(decoder.next_frame(), Err(FrameError::TooLarge));
        }
    }

    #[test]
    fn a_large_string_in_small_pieces_is_cheap() {
        let mut decoder = ReplyDecoder::default();
        let piece = [b'\r'; 4096];
        decoder.feed(b"$41943040\r\n");
        for _ in 0..10_240 {
            assert_eq!(decoder.next_frame(), Ok(None));
            decoder.feed(&piece);
        }
        decoder.feed(b"\r\n");
        assert!(matches!(decoder.next_frame(), Ok(Some(Frame::Bulk(text))) if text.len() == 41_943_040));
    }

    #[test]
    fn only_the_gossip_channel_is_heard() {
        let message = |parts: [&'static str; 3]| Frame::Array(parts.map(bulk).to_vec());
        let hello = message(["message", "__sentinel__:hello", "x"]);
        assert_eq!(hello_message(&hello), Some(b"x".as_slice()));
        assert_eq!(hello_message(&message(["message", "other", "x"])), None);
        assert_eq!(hello_message(&message(["subscribe", "__sentinel__:hello", "x"])), None);
        assert_eq!(hello_message(&Frame::Integer(1)), None);
        let Frame::Array(parts) = hello else { unreachable!("made above") };
        assert_eq!(hello_message(&Frame::Push(parts)), Some(b"x".as_slice()));
    }
}
