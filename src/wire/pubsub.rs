//! The frames of subscriptions: messages, confirmations, and PING among them (spec 3 §3.6.1, §3.5.1).
//!
//! Knows nothing of who is subscribed to what. A message for many clients is best encoded once per protocol with [`Value::to_bytes`].

use bytes::Bytes;

use super::value::Value;

/// What a client did to its subscriptions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subscription {
    /// SUBSCRIBE
    Subscribe,
    /// UNSUBSCRIBE
    Unsubscribe,
    /// PSUBSCRIBE
    PSubscribe,
    /// PUNSUBSCRIBE
    PUnsubscribe,
}

/// Confirms one change. `name` is the channel or pattern, `None` where nothing was subscribed; `count` is what the client is
/// subscribed to after it, channels and patterns together.
pub fn confirmation(kind: Subscription, name: Option<Bytes>, count: usize) -> Value {
    let word = match kind {
        Subscription::Subscribe => "subscribe",
        Subscription::Unsubscribe => "unsubscribe",
        Subscription::PSubscribe => "psubscribe",
        Subscription::PUnsubscribe => "punsubscribe",
    };
    let name = name.map_or(Value::Null, Value::Bulk);
    Value::Push(vec![Value::bulk(word), name, Value::Integer(super::value::length(count))])
}

/// A message to the subscribers of its channel.
pub fn message(channel: impl Into<Bytes>, payload: impl Into<Bytes>) -> Value {
    Value::Push(vec![Value::bulk("message"), Value::bulk(channel), Value::bulk(payload)])
}

/// A message to the subscribers of a pattern that its channel matches.
pub fn pattern_message(
    pattern: impl Into<Bytes>,
    channel: impl Into<Bytes>,
    payload: impl Into<Bytes>,
) -> Value {
    Value::Push(vec![
        Value::bulk("pmessage"),
        Value::bulk(pattern),
        Value::bulk(channel),
        Value::bulk(payload),
    ])
}

/// The answer to PING, with the text it came with. `subscribed`: in a RESP2 connection that has subscriptions.
pub fn pong(text: Option<Bytes>, subscribed: bool) -> Value {
    match text {
        text if subscribed => Value::Array(vec![Value::bulk("pong"), Value::Bulk(text.unwrap_or_default())]),
        Some(text) => Value::Bulk(text),
        None => Value::status("PONG"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::value::Protocol;

    fn check(value: Value, resp2: &str) {
        assert_eq!(value.to_bytes(Protocol::Resp2), resp2.as_bytes());
        if matches!(value, Value::Push(_)) {
            let resp3 = resp2.replacen('*', ">", 1).replace("$-1", "_");
            assert_eq!(value.to_bytes(Protocol::Resp3), resp3.as_bytes());
        }
    }

    /// Recorded from redis-sentinel 7.0.15.
    #[test]
    fn frames_are_those_of_the_reference() {
        use Subscription::{PUnsubscribe, Subscribe, Unsubscribe};
        check(confirmation(Subscribe, Some("a".into()), 1), "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
        check(
            confirmation(Unsubscribe, Some("b".into()), 0),
            "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n",
        );
        check(confirmation(Unsubscribe, None, 0), "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
        check(confirmation(PUnsubscribe, None, 0), "*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:0\r\n");
        check(
            confirmation(Subscription::PSubscribe, Some("*".into()), 2),
            "*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:2\r\n",
        );
        let text = "master mymaster 127.0.0.1 6379 quorum 2";
        check(message("+set", text), &format!("*3\r\n$7\r\nmessage\r\n$4\r\n+set\r\n$39\r\n{text}\r\n"));
        check(
            pattern_message("*", "+set", text),
            &format!("*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$4\r\n+set\r\n$39\r\n{text}\r\n"),
        );
        check(pong(None, false), "+PONG\r\n");
        check(pong(Some("hi".into()), false), "$2\r\nhi\r\n");
        check(pong(None, true), "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
        check(pong(Some("hi".into()), true), "*2\r\n$4\r\npong\r\n$2\r\nhi\r\n");
    }
}
