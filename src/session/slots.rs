//! The order of owed answers: one client's commands run side by side, its answers leave in the order of its commands.
//!
//! Answers known at once wait behind those the engine still owes. Messages to subscribers do not pass through here: they answer nothing.
//!
//! Invariant: if the first slot is ready, it is not in the queue: it was written out.

use std::collections::VecDeque;

use bytes::BytesMut;

use crate::wire::{Protocol, Value};

/// How an answer is written, fixed when its command is taken: what comes later must not change it.
#[derive(Clone, Debug, PartialEq)]
pub struct Owed<T> {
    /// Version of the protocol.
    pub protocol: Protocol,
    /// False under CLIENT REPLY OFF and SKIP: the answer is dropped.
    pub wanted: bool,
    /// What else is needed to write it.
    pub how: T,
}

#[derive(Debug)]
enum Slot<T> {
    Waiting(u64, Owed<T>),
    Ready(BytesMut),
}

/// The answers a client is owed.
#[derive(Debug)]
pub struct Slots<T> {
    queue: VecDeque<Slot<T>>,
    waiting: usize,
    /// Bytes of answers that wait behind others.
    held: usize,
    next: u64,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots { queue: VecDeque::new(), waiting: 0, held: 0, next: 0 }
    }
}

impl<T> Slots<T> {
    /// How many answers the engine owes.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// True if nothing is owed, and nothing waits behind what is.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The engine owes an answer; gives the number by which it will come back.
    pub fn owe(&mut self, owed: Owed<T>) -> u64 {
        let seq = self.next;
        self.next += 1;
        self.waiting += 1;
        self.queue.push_back(Slot::Waiting(seq, owed));
        seq
    }

    /// Bytes of answers that wait behind others.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Writes an answer that is known now: straight to `out`, unless others come first.
    pub fn put(&mut self, value: &Value, protocol: Protocol, out: &mut BytesMut) {
        if self.queue.is_empty() {
            return value.encode(protocol, out);
        }
        if !matches!(self.queue.back(), Some(Slot::Ready(_))) {
            self.queue.push_back(Slot::Ready(BytesMut::new()));
        }
        if let Some(Slot::Ready(bytes)) = self.queue.back_mut() {
            let before = bytes.len();
            value.encode(protocol, bytes);
            self.held += bytes.len() - before;
        }
    }

    /// An owed answer came: `render` makes its value. Whatever need not wait any longer goes to `out`.
    pub fn settle(&mut self, seq: u64, out: &mut BytesMut, render: impl FnOnce(T) -> Value) {
        let is_it = |slot: &Slot<T>| matches!(slot, Slot::Waiting(other, _) if *other == seq);
        let Some(at) = self.queue.iter().position(is_it) else { return };
        let slot = std::mem::replace(&mut self.queue[at], Slot::Ready(BytesMut::new()));
        self.waiting -= 1;
        if let (Slot::Waiting(_, owed), Slot::Ready(bytes)) = (slot, &mut self.queue[at])
            && owed.wanted
        {
            render(owed.how).encode(owed.protocol, if at == 0 { &mut *out } else { bytes });
        }
        if let (true, Slot::Ready(bytes)) = (at > 0, &self.queue[at]) {
            self.held += bytes.len();
        }
        while let Some(Slot::Ready(bytes)) = self.queue.front() {
            out.extend_from_slice(bytes);
            self.held -= bytes.len();
            self.queue.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owed(how: &'static str) -> Owed<&'static str> {
        Owed { protocol: Protocol::Resp2, wanted: true, how }
    }

    #[test]
    fn answers_leave_in_the_order_of_their_commands() {
        let (mut slots, mut out) = (Slots::default(), BytesMut::new());
        let put = |slots: &mut Slots<_>, text: &'static str, out: &mut BytesMut| {
            slots.put(&Value::status(text), Protocol::Resp2, out);
        };
        put(&mut slots, "0", &mut out);
        let first = slots.owe(owed("1"));
        put(&mut slots, "a", &mut out);
        put(&mut slots, "b", &mut out);
        let second = slots.owe(owed("2"));
        put(&mut slots, "c", &mut out);
        assert_eq!((&out[..], slots.held()), (&b"+0\r\n"[..], 12));
        slots.settle(second, &mut out, Value::status);
        assert_eq!((&out[..], slots.waiting(), slots.held()), (&b"+0\r\n"[..], 1, 16));
        slots.settle(first, &mut out, Value::status);
        assert_eq!(&out[..], b"+0\r\n+1\r\n+a\r\n+b\r\n+2\r\n+c\r\n");
        assert!(slots.is_empty() && slots.held() == 0);
        slots.settle(first, &mut out, Value::status);
        assert_eq!(slots.waiting(), 0, "an answer that nobody is owed changes nothing");
    }

    #[test]
    fn unwanted_answers_are_dropped_but_hold_their_place() {
        let (mut slots, mut out) = (Slots::default(), BytesMut::new());
        let seq = slots.owe(Owed { wanted: false, ..owed("x") });
        slots.put(&Value::status("y"), Protocol::Resp2, &mut out);
        assert!(out.is_empty());
        slots.settle(seq, &mut out, Value::status);
        assert_eq!(&out[..], b"+y\r\n");
    }
}
