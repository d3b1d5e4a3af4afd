//! Leaf values shared by every other module: time, identity, epochs, addresses.
//!
//! Nothing here has behaviour beyond its own laws, and nothing here depends on anything but `std`.

pub mod addr;
pub mod epoch;
pub mod id;
pub mod time;

pub use addr::Address;
pub use epoch::{Epoch, Revision};
pub use id::{ClientId, CommandId, LinkId, MasterId, MasterName, PeerId, ReplicaId, RunId, ScriptId};
pub use time::{Instant, Now, WallTime};
