//! Identities. Slab ids carry a generation, so that a late fact about a removed entity finds nothing instead of its successor.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

macro_rules! slab_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name {
            /// The slot in the slab.
            pub index: u32,
            /// How often the slot was reused before.
            pub generation: u32,
        }

        impl From<(u32, u32)> for $name {
            fn from((index, generation): (u32, u32)) -> Self {
                $name { index, generation }
            }
        }

        impl From<$name> for (u32, u32) {
            fn from(id: $name) -> Self {
                (id.index, id.generation)
            }
        }
    };
}

slab_id!(
    /// A monitored master.
    MasterId
);
slab_id!(
    /// A replica of a monitored master.
    ReplicaId
);
slab_id!(
    /// Another Sentinel, as known for one master.
    PeerId
);
slab_id!(
    /// A connection pair to one instance; peers of many masters share one.
    LinkId
);

/// A client connection, as numbered by CLIENT ID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub u64);

/// One command of one client. The sequence number lets a session keep answers in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CommandId {
    /// Who asked.
    pub client: ClientId,
    /// Which of its commands, counted from zero.
    pub seq: u64,
}

/// One queued run of a notification or reconfiguration script.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ScriptId(pub u64);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                $name(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                $name(text.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// The id of a Redis process or of a Sentinel: 40 hexadecimal digits, though any text is accepted from outside (spec 1 §3.2).
    RunId
);
text_id!(
    /// The name an operator gave to a master: case-sensitive, compared byte by byte.
    MasterName
);
