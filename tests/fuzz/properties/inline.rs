//! Inline requests: cut at line ends and split into words, as a plain model says; the same words in any other form are the same request;
//! and whatever is answered to them is one well-formed reply, also by an engine that then saves what it can load.

use bytes::Bytes;
use sentineld::text::words::{repr, split};
use sentineld::wire::{
    CommandError, Limits, Naming, Parsed, Protocol, ProtocolError, ReplyDecoder, RequestDecoder, Value,
    parse, render,
};

use super::pieces::{LONGEST, cuts, measured, multibulk};
use super::stand::Stand;

/// Requests that one input may put to an engine.
const MOST: usize = 8;

/// Reads an input as what a person types, up to the first line that is the start of a multibulk request.
pub fn check(input: &[u8]) {
    let input = &input[..input.len().min(LONGEST)];
    let stars = (0..input.len()).find(|&at| input[at] == b'*' && (at == 0 || input[at - 1] == b'\n'));
    let input = &input[..stars.unwrap_or(input.len())];
    let (expected, error) = model(input);
    for pieces in cuts(input) {
        let read = measured(input.len(), || read(&pieces));
        assert_eq!(read, (expected.clone(), error), "in {} pieces", pieces.len());
    }
    let mut stand = Stand::new(true, None);
    for (index, words) in expected.iter().enumerate() {
        let quoted: Vec<String> = words.iter().map(|word| repr(word)).collect();
        let forms = [multibulk(words), format!("{}\r\n", quoted.join(" ")).into_bytes()];
        for form in forms {
            assert_eq!(read(&[&form]), (vec![words.clone()], None));
        }
        if index < MOST {
            answer(words, &mut stand);
        }
    }
    stand.run(100);
    stand.check();
}

/// What the lines of an input mean. A NUL hides the end of its line, and with it all that follows.
fn model(input: &[u8]) -> (Vec<Vec<Bytes>>, Option<ProtocolError>) {
    let mut requests = Vec::new();
    for line in input.split_inclusive(|&byte| byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        if line.contains(&0) {
            break;
        }
        match split(line.strip_suffix(b"\r").unwrap_or(line)) {
            None => return (requests, Some(ProtocolError::UnbalancedQuotes)),
            Some(words) if words.is_empty() => {}
            Some(words) => requests.push(words.into_iter().map(Bytes::from).collect()),
        }
    }
    (requests, None)
}

fn read(pieces: &[&[u8]]) -> (Vec<Vec<Bytes>>, Option<ProtocolError>) {
    let mut decoder = RequestDecoder::default();
    let mut requests = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.next_request(true) {
                Ok(Some(words)) => requests.push(words),
                Ok(None) => break,
                Err(error) => return (requests, Some(error)),
            }
        }
    }
    (requests, None)
}

/// Does with a request what a session does, but for commands about the connection itself.
fn answer(words: &[Bytes], stand: &mut Stand) {
    let naming = Naming::new(&[]);
    match naming.lookup(words).and_then(|spec| parse(spec, words, &naming, Some("peer"))) {
        // The connection is dropped without an answer.
        Err(CommandError::Http) => {}
        Err(error) => assert_one_reply(&error.value()),
        Ok(Parsed::Reply(value)) => assert_one_reply(&value),
        Ok(Parsed::Session) => {}
        Ok(Parsed::Engine(command)) => {
            let runnable =
                words.iter().filter(|word| word.ends_with(b".sh")).map(|word| word.to_vec()).collect();
            for answer in stand.ask(command, runnable) {
                assert_one_reply(&render(answer));
            }
        }
    }
}

/// In RESP2. The documentation of all commands is deeper than anything that Sentinels ask each other for.
fn assert_one_reply(value: &Value) {
    let mut decoder = ReplyDecoder::new(Limits { depth: 32, elements: 1 << 20, ..Limits::default() });
    decoder.feed(&value.to_bytes(Protocol::Resp2));
    let frame = decoder.next_frame().unwrap_or_else(|error| panic!("{error}: {value:?}"));
    assert!(frame.is_some(), "incomplete: {value:?}");
    assert_eq!(decoder.buffered(), 0, "more than one reply: {value:?}");
}
