//! How many peers and replicas a master can have: who invents them can't fill our memory and our file.
//!
//! Differs: the reference takes any number.

use super::cx::Cx;
use super::fleet::Fleet;
use super::notice::Level;
use crate::model::MasterId;

/// More than this of either kind are learnt of no master. What the file names is always taken.
const MOST: usize = 1_000;

/// What there may be too many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Other Sentinels.
    Peer,
    /// Replicas.
    Replica,
}

/// Of which kinds the log says that there are too many.
#[derive(Clone, Copy, Debug, Default)]
pub struct Crowded {
    peers: bool,
    replicas: bool,
}

impl Fleet {
    /// True if one more may be learnt; the first time that it may not, the log says so.
    pub fn has_room(&mut self, cx: &mut Cx, id: MasterId, kind: Kind) -> bool {
        let master = &mut self.masters[id];
        let (count, logged, what) = match kind {
            Kind::Peer => (master.peers.len(), &mut master.crowded.peers, "other Sentinels"),
            Kind::Replica => (master.replicas.len(), &mut master.crowded.replicas, "replicas"),
        };
        if count < MOST {
            return true;
        }
        if !std::mem::replace(logged, true) {
            let text = format!("More than {MOST} {what} are named for '{}': no more are taken", master.name);
            cx.log(Level::Warning, text);
        }
        false
    }
}
