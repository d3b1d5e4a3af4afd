//! `sentinel.conf`: reading it, checking it, and writing it back (spec 1 §2–§5). Pure: files are reached through a trait.

pub mod patch;
pub mod settings;

pub use patch::{Change, Patch};
pub use settings::{KnownPeer, MasterSettings, SentinelSettings, ServerSettings, Settings};
