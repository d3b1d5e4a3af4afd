//! `sentinel.conf`: reading it, checking it, and writing it back (spec 1 §2–§5). Pure: files are reached through [`Host`].
//!
//! One way: texts → [`load()`] → [`Settings`] → ([`Patch`]es) → [`rewrite()`] → text. What a directive looks like is said once,
//! in the tables of `directive` and `sentinel::words`; reading, writing, defaults and error texts follow from there.
//!
//! Invariant: what `rewrite` writes, `load` reads as the same settings, and the reference reads it too.

pub mod directive;
mod error;
mod host;
mod load;
mod number;
mod numeric_ip;
mod options;
mod origins;
pub mod patch;
mod place;
mod renames;
mod rewrite;
mod sentinel;
mod server;
pub mod settings;
pub mod tls;

#[cfg(test)]
mod tests;

pub use error::{ConfError, Invalid};
pub use host::Host;
pub use load::{Inputs, Loaded, Remark, UserLine, load};
pub use numeric_ip::parse as parse_ip;
pub use options::options_to_text;
pub use origins::Origins;
pub use patch::{Change, Patch};
pub use place::{Origin, Place};
pub use renames::COMMANDS;
pub use rewrite::{Draft, rewrite};
pub use settings::{KnownPeer, MasterSettings, SentinelSettings, ServerSettings, Settings};
pub use tls::TlsSettings;

/// The version of the reference whose messages and file format these are.
pub const REDIS_VERSION: &str = "7.0.15";
