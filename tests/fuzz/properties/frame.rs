//! RESP in both directions: what comes out does not depend on the pieces it came in, is bounded by it, and survives being written again.

use sentineld::wire::frame::Frame;
use sentineld::wire::{Expect, FrameError, Limits, ProtocolError, Reply, ReplyDecoder, RequestDecoder};

use super::pieces::{LONGEST, cuts, measured, multibulk};

/// Limits that short inputs reach.
const TIGHT: Limits = Limits { bytes: 64, depth: 3, elements: 9 };

/// Reads an input as replies and as requests.
pub fn check(input: &[u8]) {
    let input = &input[..input.len().min(LONGEST)];
    for limits in [Limits::default(), TIGHT] {
        replies(input, limits);
    }
    for (max_bulk, authenticated) in [(32, true), (512 * 1024 * 1024, true), (32 * 1024, false)] {
        requests(input, max_bulk, authenticated);
    }
}

fn replies(input: &[u8], limits: Limits) {
    let [whole, others @ ..] = cuts(input);
    let read = |pieces: &[&[u8]]| measured(input.len(), || read_replies(pieces, limits));
    let (frames, error) = read(&whole);
    for pieces in others {
        assert_eq!(read(&pieces), (frames.clone(), error), "in {} pieces", pieces.len());
    }
    let mut again = Vec::new();
    for frame in &frames {
        let resp3 = has_push(frame);
        write(frame, resp3, &mut again);
    }
    // Written again it may be longer (`_` becomes `$-1`), so the tight limits do not apply.
    assert_eq!(read_replies(&[&again], Limits::default()), (frames.clone(), None));
    for frame in frames {
        for expect in [Expect::Ping, Expect::Info, Expect::MasterDown, Expect::Exec, Expect::Any] {
            let reply = Reply::decode(expect, frame.clone());
            assert_eq!(
                matches!(reply, Reply::Error(_)),
                matches!(frame, Frame::Error(_)) && expect != Expect::Ping,
                "an error is an error whatever was asked, but for PING"
            );
            if let (Reply::Info(report), Frame::Bulk(text)) = (reply, &frame) {
                assert_eq!(&report.text[..], &text[..]);
            }
        }
    }
}

fn read_replies(pieces: &[&[u8]], limits: Limits) -> (Vec<Frame>, Option<FrameError>) {
    let mut decoder = ReplyDecoder::new(limits);
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

fn has_push(frame: &Frame) -> bool {
    match frame {
        Frame::Push(_) => true,
        Frame::Array(parts) => parts.iter().any(has_push),
        _ => false,
    }
}

fn write(frame: &Frame, resp3: bool, out: &mut Vec<u8>) {
    let mut head =
        |kind: char, number: String| out.extend_from_slice(format!("{kind}{number}\r\n").as_bytes());
    match frame {
        Frame::Integer(number) => head(':', number.to_string()),
        Frame::Null if resp3 => head('_', String::new()),
        Frame::Null => head('$', "-1".to_owned()),
        Frame::Status(text) | Frame::Error(text) => {
            out.push(if matches!(frame, Frame::Status(_)) { b'+' } else { b'-' });
            out.extend_from_slice(text);
            out.extend_from_slice(b"\r\n");
        }
        Frame::Bulk(text) => {
            head('$', text.len().to_string());
            out.extend_from_slice(text);
            out.extend_from_slice(b"\r\n");
        }
        Frame::Array(parts) | Frame::Push(parts) => {
            head(if matches!(frame, Frame::Array(_)) { '*' } else { '>' }, parts.len().to_string());
            for part in parts {
                write(part, resp3, out);
            }
        }
    }
}

/// The words of each request, and the error that ended them.
type Requests = (Vec<Vec<bytes::Bytes>>, Option<ProtocolError>);

fn requests(input: &[u8], max_bulk: u64, authenticated: bool) {
    let [whole, others @ ..] = cuts(input);
    let read = |pieces: &[&[u8]]| measured(input.len(), || read_requests(pieces, max_bulk, authenticated));
    let (requests, error) = read(&whole);
    for pieces in others {
        assert_eq!(read(&pieces), (requests.clone(), error), "in {} pieces", pieces.len());
    }
    let received: usize = requests.iter().flatten().map(bytes::Bytes::len).sum();
    assert!(received <= input.len(), "words are made of what was received");
    let again: Vec<u8> = requests.iter().flat_map(|words| multibulk(words)).collect();
    assert_eq!(read_requests(&[&again], u64::MAX, true), (requests, None));
}

fn read_requests(pieces: &[&[u8]], max_bulk: u64, authenticated: bool) -> Requests {
    let mut decoder = RequestDecoder::new(max_bulk);
    let mut requests = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.next_request(authenticated) {
                Ok(Some(words)) => {
                    assert!(!words.is_empty(), "a request has a word");
                    requests.push(words);
                }
                Ok(None) => break,
                Err(error) => {
                    decoder.feed(b"\r\nPING\r\n");
                    assert_eq!(decoder.next_request(authenticated), Err(error), "no way back from an error");
                    assert!(decoder.error_preview().is_ascii());
                    return (requests, Some(error));
                }
            }
        }
    }
    (requests, None)
}
