//! Gossip: what is read is written as a message that is read as the same, travels unchanged in a request, and can be heard by an engine
//! that then saves what it can load.

use sentineld::text::lossless;
use sentineld::wire::{Frame, Hello, ReplyDecoder, Request, RequestDecoder, hello_message};

use super::stand::{MASTER, Stand};

/// Reads an input as a gossip message.
pub fn check(input: &[u8]) {
    let Some(hello) = Hello::parse(input) else { return };
    let payload = on_the_wire(&hello);
    assert!(payload.len() <= input.len(), "the plainest form is the shortest");
    assert!(!payload.iter().any(u8::is_ascii_control));
    assert_eq!(Hello::parse(&payload).as_ref(), Some(&hello));
    as_request(&hello);
    as_message(&hello);
    for resolve_hostnames in [false, true] {
        for name in [hello.master_name.as_str(), MASTER] {
            let mut stand = Stand::new(resolve_hostnames, None);
            let mut heard = hello.clone();
            heard.master_name = name.into();
            stand.hear(heard.clone());
            stand.run(50);
            stand.check();
            // From the same Sentinel at another address, then from there under another id.
            heard.port ^= 1;
            stand.hear(heard.clone());
            heard.run_id = "another".into();
            stand.hear(heard);
            stand.run(50);
            stand.check();
        }
    }
}

/// A message as bytes: the name of a master may be no text.
fn on_the_wire(hello: &Hello) -> Vec<u8> {
    lossless::into_bytes(hello.payload())
}

fn as_request(hello: &Hello) {
    let mut out = Vec::new();
    Request::Publish(hello.clone()).encode(None, &mut out);
    let mut decoder = RequestDecoder::default();
    decoder.feed(&out);
    let words = decoder.next_request(true).expect("well-formed").expect("complete");
    assert_eq!(words[2], on_the_wire(hello));
    assert_eq!(decoder.buffered(), 0);
}

fn as_message(hello: &Hello) {
    let payload = on_the_wire(hello);
    let head = "*3\r\n$7\r\nmessage\r\n$18\r\n__sentinel__:hello\r\n";
    let mut decoder = ReplyDecoder::default();
    decoder.feed(format!("{head}${}\r\n", payload.len()).as_bytes());
    decoder.feed(&payload);
    decoder.feed(b"\r\n");
    let frame: Frame = decoder.next_frame().expect("well-formed").expect("complete");
    assert_eq!(hello_message(&frame), Some(&payload[..]));
}
