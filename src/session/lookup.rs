//! What clients are told about the addresses of masters without asking the engine, and the sign that the engine is alive.
//!
//! The engine's driver writes, every client's task reads. Readers never wait, and see one whole state or the next.
//!
//! Invariant: what a reader sees is what the driver last published, never a mixture.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;

use crate::model::{Instant, MasterName};
use crate::text::lossless;
use crate::wire::render::master_address;
use crate::wire::{Protocol, Value};

/// Name to answer. The answer is kept as its bytes, which are the same in both versions of the protocol.
type Answers = HashMap<MasterName, Bytes>;

/// The readers' end; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    published: Arc<ArcSwap<Answers>>,
}

/// The writer's end.
#[derive(Debug)]
pub struct DirectoryWriter {
    published: Arc<ArcSwap<Answers>>,
    next: Answers,
    changed: bool,
}

/// An empty directory.
pub fn directory() -> (Directory, DirectoryWriter) {
    let directory = Directory::default();
    let published = directory.published.clone();
    (directory, DirectoryWriter { published, next: Answers::new(), changed: false })
}

impl Directory {
    /// The whole answer to GET-MASTER-ADDR-BY-NAME for a master, as bytes; `None`: not monitored.
    pub fn answer(&self, name: &[u8]) -> Option<Bytes> {
        self.published.load().get(&*lossless::text_of(name)).cloned()
    }
}

impl DirectoryWriter {
    /// Notes a change, seen by nobody before [`DirectoryWriter::publish`]. `None`: no longer monitored.
    pub fn set(&mut self, name: &MasterName, address: Option<(String, u16)>) {
        match address {
            Some(address) => {
                let answer: Value = master_address(Some(address));
                self.next.insert(name.clone(), answer.to_bytes(Protocol::Resp2));
            }
            None => {
                self.next.remove(name);
            }
        }
        self.changed = true;
    }

    /// Makes the changes visible, all at once.
    pub fn publish(&mut self) {
        if std::mem::take(&mut self.changed) {
            self.published.store(Arc::new(self.next.clone()));
        }
    }
}

/// A heartbeat: the engine's driver moves it on every turn. A pulse that stands still means that answers may be out of date.
#[derive(Debug, Default)]
pub struct Pulse(AtomicU64);

impl Pulse {
    /// A turn begins.
    pub fn beat(&self, now: Instant) {
        self.0.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// A number that differs from an earlier one if there was a turn in between.
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_seen_when_published_and_not_before() {
        let (directory, mut writer) = directory();
        let name = MasterName::from("m");
        writer.set(&name, Some(("127.0.0.1".into(), 6379)));
        assert_eq!(directory.answer(b"m"), None);
        writer.publish();
        assert_eq!(directory.answer(b"m").as_deref(), Some(&b"*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n"[..]));
        assert_eq!(directory.answer(b"M"), None, "names are case-sensitive");
        assert_eq!(directory.answer(b"\xff"), None);
        writer.set(&name, None);
        writer.publish();
        assert_eq!(directory.answer(b"m"), None);
    }
}
