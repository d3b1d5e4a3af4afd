//! Requests and protocol errors as the reference reads them, each whole and cut at every position.

use super::*;

type Outcome = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

fn drain(decoder: &mut RequestDecoder, authenticated: bool, outcome: &mut Outcome) {
    while outcome.1.is_none() {
        match decoder.next_request(authenticated) {
            Ok(Some(words)) => outcome.0.push(words.iter().map(|word| word.to_vec()).collect()),
            Ok(None) => return,
            Err(error) => outcome.1 = Some(error),
        }
    }
}

fn decode(pieces: &[&[u8]], authenticated: bool) -> Outcome {
    let mut decoder = RequestDecoder::default();
    let mut outcome = Outcome::default();
    for piece in pieces {
        decoder.feed(piece);
        drain(&mut decoder, authenticated, &mut outcome);
    }
    outcome
}

fn words(request: &[&[u8]]) -> Vec<Vec<u8>> {
    request.iter().map(|word| word.to_vec()).collect()
}

fn check(input: &[u8], requests: &[&[&[u8]]], error: Option<ProtocolError>) {
    let expected = (requests.iter().map(|request| words(request)).collect(), error);
    for split in 0..=input.len() {
        let (head, tail) = input.split_at(split);
        assert_eq!(decode(&[head, tail], true), expected, "{} at {split}", String::from_utf8_lossy(input));
    }
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(decode(&bytes, true), expected, "{} byte by byte", String::from_utf8_lossy(input));
}

#[test]
fn both_forms_of_requests() {
    check(b"PING\r\n", &[&[b"PING"]], None);
    check(b"*1\r\n$4\r\nPING\r\n", &[&[b"PING"]], None);
    check(b"*2\r\n$4\r\nPING\r\n$0\r\n\r\nPING a\n", &[&[b"PING", b""], &[b"PING", b"a"]], None);
    check(b"*1\r\n$4\r\nPINGxxPING\r\n", &[&[b"PING"], &[b"PING"]], None);
    check(b"*1\rx$4\rxPINGxx", &[&[b"PING"]], None);
    check(b"*0\r\nPING\r\n*-5\r\nPING\r\n", &[&[b"PING"], &[b"PING"]], None);
    check(b"*-9223372036854775808\r\nPING\r\n", &[&[b"PING"]], None);
    check(b"\r\n\n  \r\nPING\r\n", &[&[b"PING"]], None);
    check(b"*1\r\n$4\r\nPING\r\n\r\nPING\r\n", &[&[b"PING"], &[b"PING"]], None);
    check(b"PING\r\r\n+PING\r\n%1\r\n", &[&[b"PING"], &[b"+PING"], &[b"%1"]], None);
    check(b"*1\r\n$3\r\na\0b\r\n", &[&[b"a\0b"]], None);
}

#[test]
fn what_is_incomplete_waits() {
    for input in [
        "*1\r",
        "*2147483647\r\n",
        "*1\r\n$4\r\nPING",
        "*1\r\n$4\r\nPING\r",
        "*1\r\n$536870912\r\nabc",
        "*1\r\nPING\r",
        "PI\0NG\r\nPING\r\n",
        "PING\0\r\n",
        "*1\r\n\x004\r\nPING\r\n",
        "*\x001\r\n",
    ] {
        check(input.as_bytes(), &[], None);
    }
}

#[test]
fn broken_requests_end_the_connection() {
    use ProtocolError::{ExpectedDollar, InvalidCount, InvalidLength, UnbalancedQuotes};
    for input in [
        "*x\r\n",
        "*\r\n",
        "*2147483648\r\n",
        "*99999999999999999999\r\n",
        "* 1\r\n",
        "*01\r\n",
        "*+1\r\n",
        "*-0\r\n",
    ] {
        check(input.as_bytes(), &[], Some(InvalidCount));
    }
    check(b"*1\n$4\r\nPING\r\n", &[], Some(InvalidCount));
    for input in ["$x", "$-1", "$536870913", "$", "$04", "$-0", "$4\nPING"] {
        check(format!("*1\r\n{input}\r\n").as_bytes(), &[], Some(InvalidLength));
    }
    check(b"*1\r\nPING\r\n", &[], Some(ExpectedDollar(b'P')));
    check(b"*1\r\n\r\n", &[], Some(ExpectedDollar(b'\r')));
    check(b"*2\r\n$4\r\nPING\r\n+hi\r\n", &[], Some(ExpectedDollar(b'+')));
    check(b"PING\r\nPING \"a\r\n", &[&[b"PING"]], Some(UnbalancedQuotes));
}

#[test]
fn lines_end_within_64_kib() {
    let long = |head: &str, length: usize| [head.as_bytes(), &vec![b'1'; length - head.len()]].concat();
    for (head, error) in [("x", ProtocolError::InlineTooBig), ("*", ProtocolError::CountTooBig)] {
        assert_eq!(decode(&[&long(head, MAX_LINE)], true).1, None);
        assert_eq!(decode(&[&long(head, MAX_LINE + 1)], true).1, Some(error));
    }
    let length = |length| decode(&[b"*1\r\n", &long("$", length)], true).1;
    assert_eq!(length(MAX_LINE), None);
    assert_eq!(length(MAX_LINE + 1), Some(ProtocolError::LengthTooBig));
    let hidden = [b"\0\r\n".as_slice(), &vec![b'x'; MAX_LINE]].concat();
    assert_eq!(decode(&[&hidden], true).1, Some(ProtocolError::InlineTooBig));
}

#[test]
fn strangers_may_send_less() {
    let count = |count: u32| decode(&[format!("*{count}\r\n").as_bytes()], false).1;
    assert_eq!(count(10), None);
    assert_eq!(count(11), Some(ProtocolError::UnauthenticatedCount));
    let length = |length: u32| decode(&[format!("*1\r\n${length}\r\n").as_bytes()], false).1;
    assert_eq!(length(16_384), None);
    assert_eq!(length(16_385), Some(ProtocolError::UnauthenticatedLength));
    let inline = "x ".repeat(20) + "\r\n";
    assert_eq!(decode(&[inline.as_bytes()], false).0.len(), 1);
}

#[test]
fn errors_say_what_the_reference_says() {
    let reply = |error: ProtocolError| error.value().to_bytes(crate::wire::value::Protocol::Resp2);
    assert_eq!(reply(ProtocolError::InvalidCount), "-ERR Protocol error: invalid multibulk length\r\n");
    assert_eq!(reply(ProtocolError::ExpectedDollar(b'P')), "-ERR Protocol error: expected '$', got 'P'\r\n");
    assert_eq!(reply(ProtocolError::ExpectedDollar(b'\r')), "-ERR Protocol error: expected '$', got ' '\r\n");
    assert_eq!(
        &reply(ProtocolError::ExpectedDollar(0xff))[..],
        b"-ERR Protocol error: expected '$', got '\xff'\r\n"
    );
}

#[test]
fn the_preview_starts_where_the_error_is() {
    let preview = |input: &[u8]| {
        let mut decoder = RequestDecoder::default();
        decoder.feed(input);
        while let Ok(Some(_)) = decoder.next_request(true) {}
        decoder.error_preview()
    };
    assert_eq!(preview(b"PING \"a\r\n"), "'PING \"a..'");
    assert_eq!(preview(b"*1\r\n$4\r\nPING\r\n*1\r\nPING\r\n"), "'PING..'");
    assert_eq!(preview(b"*1\r\n\x01\x02'\\abc\xff\r\n"), "'..'\\abc...'");
    let long = [b"*x".as_slice(), &[b'y'; 126], b"\r\n"].concat();
    let expected = format!("'*x{}' (... more 2 bytes ...) '{}..'", "y".repeat(62), "y".repeat(62));
    assert_eq!(preview(&long), expected);
}

#[test]
fn junk_gives_the_same_however_it_is_cut() {
    const ALPHABET: &[u8] = b"**$$0123-\r\n\r\n\r\n\0\"'\\x PING";
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits")
    };
    for _ in 0..2_000 {
        let input: Vec<u8> = (0..random() % 60).map(|_| ALPHABET[random() % ALPHABET.len()]).collect();
        let whole = decode(&[&input], true);
        let (head, tail) = input.split_at(random() % (input.len() + 1));
        assert_eq!(decode(&[head, tail], true), whole);
        assert_eq!(decode(&input.chunks(1).collect::<Vec<_>>(), true), whole);
    }
}

#[test]
fn a_large_word_in_small_pieces_is_cheap() {
    let mut decoder = RequestDecoder::default();
    decoder.feed(b"*1\r\n$41943040\r\n");
    for _ in 0..10_240 {
        assert_eq!(decoder.next_request(true), Ok(None));
        decoder.feed(&[b'\r'; 4096]);
    }
    decoder.feed(b"\r\n");
    assert_eq!(decoder.next_request(true).expect("valid").map(|words| words[0].len()), Some(41_943_040));
    decoder.release();
    assert_eq!((decoder.buffered(), decoder.buffer().capacity()), (0, 0));
}
