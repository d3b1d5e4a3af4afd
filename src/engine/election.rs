//! Votes: giving one, asking for them, counting them (spec 2 §7.3–7.5, §8).
//!
//! Invariant: for one master and one epoch this Sentinel votes once, and what it tells of that is on disk.

mod ask;
mod pace;
mod tally;
mod vote;

pub use ask::{Asked, ask_step, on_asked, on_master_down_reply};
pub use pace::{AskTurn, Pace, ask_turn, hold_back};
pub use tally::{Tally, rank, reachable, tally};
pub use vote::{cast, grant};
