//! What we answer, as a tree, and its bytes in both versions of the protocol (spec 3 §3.0).
//!
//! A [`Value`] says what is meant (a map, a set, "no value"); which bytes that takes is decided by [`Protocol`] alone, here.
//! The bytes are written straight into the output buffer: a tree of the RESP library would have to be built as a copy first.
//!
//! Invariant: an error or a status never breaks its line, whatever text it was made of.

use bytes::{BufMut, Bytes};

use crate::text::number::format_double;

/// The version of the protocol a client speaks (spec 3 §3.3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Protocol {
    /// RESP2, spoken until HELLO says otherwise.
    #[default]
    Resp2,
    /// RESP3.
    Resp3,
}

/// One answer, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A status line, without its `+`.
    Status(Bytes),
    /// An error line, without its `-`; line breaks inside become blanks.
    Error(Bytes),
    /// An integer.
    Integer(i64),
    /// A double; text in RESP2.
    Double(f64),
    /// A string of bytes.
    Bulk(Bytes),
    /// No string.
    Null,
    /// No array.
    NullArray,
    /// Values in order.
    Array(Vec<Value>),
    /// Keys and values in order; flat in RESP2.
    Map(Vec<(Value, Value)>),
    /// Distinct values; an array in RESP2.
    Set(Vec<Value>),
    /// A message that answers no request; an array in RESP2.
    Push(Vec<Value>),
    /// Text for people; a plain string in RESP2.
    Verbatim(Bytes),
}

impl Value {
    /// `+OK`.
    pub const OK: Value = Value::Status(Bytes::from_static(b"OK"));

    /// A string of bytes.
    pub fn bulk(text: impl Into<Bytes>) -> Value {
        Value::Bulk(text.into())
    }

    /// A status line.
    pub fn status(text: impl Into<Bytes>) -> Value {
        Value::Status(text.into())
    }

    /// A number as a string of bytes, the form most numbers of Sentinel's answers have.
    pub fn number(number: impl std::fmt::Display) -> Value {
        Value::Bulk(number.to_string().into())
    }

    /// An error by the prefix rule (spec 3 §3.0): a text with its own `-CODE` is taken as it is, any other gets `ERR`.
    pub fn error(text: impl Into<Bytes>) -> Value {
        let text = text.into();
        if text.first() == Some(&b'-') {
            return Value::Error(text.slice(1..));
        }
        let mut line = Vec::with_capacity(text.len() + 4);
        line.extend_from_slice(b"ERR ");
        line.extend_from_slice(&text);
        Value::Error(line.into())
    }

    /// Writes the bytes of this value.
    pub fn encode(&self, protocol: Protocol, out: &mut impl BufMut) {
        let resp3 = protocol == Protocol::Resp3;
        match self {
            Value::Status(text) => put_line(b'+', text, out),
            Value::Error(text) => put_line(b'-', text, out),
            Value::Integer(number) => put_head(b':', *number, out),
            Value::Double(number) if resp3 => put_line(b',', format_double(*number).as_bytes(), out),
            Value::Double(number) => put_bulk(format_double(*number).as_bytes(), out),
            Value::Bulk(bytes) => put_bulk(bytes, out),
            Value::Null | Value::NullArray if resp3 => out.put_slice(b"_\r\n"),
            Value::Null => out.put_slice(b"$-1\r\n"),
            Value::NullArray => out.put_slice(b"*-1\r\n"),
            Value::Array(items) => put_items(b'*', items, protocol, out),
            Value::Set(items) => put_items(if resp3 { b'~' } else { b'*' }, items, protocol, out),
            Value::Push(items) => put_items(if resp3 { b'>' } else { b'*' }, items, protocol, out),
            Value::Map(pairs) => {
                if resp3 {
                    put_head(b'%', length(pairs.len()), out);
                } else {
                    put_head(b'*', length(pairs.len() * 2), out);
                }
                for (key, value) in pairs {
                    key.encode(protocol, out);
                    value.encode(protocol, out);
                }
            }
            Value::Verbatim(text) if resp3 => {
                put_head(b'=', length(text.len() + 4), out);
                out.put_slice(b"txt:");
                out.put_slice(text);
                out.put_slice(b"\r\n");
            }
            Value::Verbatim(text) => put_bulk(text, out),
        }
    }

    /// The bytes of this value, alone.
    pub fn to_bytes(&self, protocol: Protocol) -> Bytes {
        let mut out = Vec::new();
        self.encode(protocol, &mut out);
        out.into()
    }
}

/// Writes one string of bytes.
pub(super) fn put_bulk(bytes: &[u8], out: &mut impl BufMut) {
    put_head(b'$', length(bytes.len()), out);
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

/// Writes a type byte and a number: the head of an array or a string, or an integer.
pub(super) fn put_head(kind: u8, number: i64, out: &mut impl BufMut) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).expect("a digit is below ten");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.put_u8(kind);
    if number < 0 {
        out.put_u8(b'-');
    }
    out.put_slice(&digits[at..]);
    out.put_slice(b"\r\n");
}

pub(super) fn length(length: usize) -> i64 {
    i64::try_from(length).expect("no buffer is longer than 2^63 bytes")
}

fn put_items(kind: u8, items: &[Value], protocol: Protocol, out: &mut impl BufMut) {
    put_head(kind, length(items.len()), out);
    for item in items {
        item.encode(protocol, out);
    }
}

fn put_line(kind: u8, text: &[u8], out: &mut impl BufMut) {
    out.put_u8(kind);
    let mut parts = text.split(|byte| matches!(byte, b'\r' | b'\n'));
    out.put_slice(parts.next().unwrap_or_default());
    for part in parts {
        out.put_u8(b' ');
        out.put_slice(part);
    }
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: Value, resp2: &str, resp3: &str) {
        assert_eq!(value.to_bytes(Protocol::Resp2), resp2.as_bytes(), "{value:?} in RESP2");
        assert_eq!(value.to_bytes(Protocol::Resp3), resp3.as_bytes(), "{value:?} in RESP3");
    }

    fn same(value: Value, bytes: &str) {
        check(value, bytes, bytes);
    }

    #[test]
    fn every_kind_has_its_bytes() {
        same(Value::OK, "+OK\r\n");
        same(Value::error("Invalid quorum"), "-ERR Invalid quorum\r\n");
        same(Value::error("-INPROG busy"), "-INPROG busy\r\n");
        same(Value::Error("NOAUTH a\r\nb".into()), "-NOAUTH a  b\r\n");
        same(Value::Error("".into()), "-\r\n");
        same(Value::Integer(0), ":0\r\n");
        same(Value::Integer(i64::MIN), ":-9223372036854775808\r\n");
        same(Value::Integer(i64::MAX), ":9223372036854775807\r\n");
        same(Value::bulk("foo"), "$3\r\nfoo\r\n");
        same(Value::bulk(""), "$0\r\n\r\n");
        same(Value::number(12u64), "$2\r\n12\r\n");
        check(Value::Null, "$-1\r\n", "_\r\n");
        check(Value::NullArray, "*-1\r\n", "_\r\n");
        same(Value::Array(vec![]), "*0\r\n");
        same(Value::Array(vec![Value::Integer(1), Value::bulk("a")]), "*2\r\n:1\r\n$1\r\na\r\n");
        check(
            Value::Map(vec![(Value::bulk("k"), Value::Integer(2))]),
            "*2\r\n$1\r\nk\r\n:2\r\n",
            "%1\r\n$1\r\nk\r\n:2\r\n",
        );
        check(Value::Set(vec![Value::status("fast")]), "*1\r\n+fast\r\n", "~1\r\n+fast\r\n");
        check(Value::Push(vec![Value::Integer(1)]), "*1\r\n:1\r\n", ">1\r\n:1\r\n");
        check(Value::Verbatim("id=1\n".into()), "$5\r\nid=1\n\r\n", "=9\r\ntxt:id=1\n\r\n");
        check(Value::Double(387.672), "$18\r\n387.67200000000003\r\n", ",387.67200000000003\r\n");
    }
}
