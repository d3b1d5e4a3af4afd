//! Counting votes, and ranking those who may ask for them.

use crate::engine::cx::Cx;
use crate::engine::fleet::Fleet;
use crate::engine::hole::Hole;
use crate::engine::peer::Peer;
use crate::engine::quarantine;
use crate::model::{Epoch, MasterId, RunId};

/// What the votes at the failover epoch amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Votes for us, our own included.
    pub ours: usize,
    /// The most votes of any other candidate, in this epoch or in one that overtook it.
    pub best_other: usize,
    /// Live peers whose vote at this epoch we don't know yet.
    pub unknown: usize,
    /// Live voters, ourselves included.
    pub reachable: usize,
    /// The latest epoch beyond this one in which a peer voted.
    pub overtaken_by: Option<Epoch>,
}

/// Counts the votes of a master's peers, and our own if it is on disk, at `epoch` (spec 2 §8.2).
///
/// Differs: at the epoch of this master's failover, not at whatever epoch the process has reached since (spec 2 §8.6), and only votes that
/// were given to our request in this epoch.
pub fn tally(fleet: &Fleet, cx: &Cx, id: MasterId, epoch: Epoch) -> Tally {
    let master = &fleet.masters[id];
    let own = master.ballot.epoch == epoch
        && master.ballot.leader.as_ref() == Some(&cx.globals.my_id)
        && cx.outbox.is_durable(master.ballot.revision);
    let counted = term(cx, epoch);
    let mut others: Vec<(&(RunId, Epoch), usize)> = Vec::new();
    let mut tally =
        Tally { ours: usize::from(own), best_other: 0, unknown: 0, reachable: 1, overtaken_by: None };
    for peer in master.peers.iter().map(|id| &fleet.peers[*id]) {
        let live = peer_is_live(fleet, peer);
        let answered = peer.ask.answered == Some(counted);
        tally.reachable += usize::from(live);
        match &peer.ask.vote {
            Some((leader, at)) if *at == counted && *leader == cx.globals.my_id && answered => {
                tally.ours += 1;
            }
            Some(vote)
                if vote.1 >= counted && vote.0 != cx.globals.my_id && quarantine::plausible(cx, vote.1) =>
            {
                tally.overtaken_by = tally.overtaken_by.max(Some(vote.1).filter(|at| *at > counted));
                match others.iter_mut().find(|(other, _)| *other == vote) {
                    Some((_, votes)) => *votes += 1,
                    None => others.push((vote, 1)),
                }
            }
            // It refused its vote in this epoch.
            _ if answered => {}
            _ => tally.unknown += usize::from(live),
        }
    }
    tally.best_other = others.into_iter().map(|(_, votes)| votes).max().unwrap_or(0);
    tally
}

/// The epoch at which votes for a failover in `epoch` are asked for and counted: that one.
pub fn term(cx: &Cx, epoch: Epoch) -> Epoch {
    if cx.holes.has(Hole::CountsAtCurrentEpoch) { cx.globals.current_epoch } else { epoch }
}

/// Voters within reach, ourselves included.
pub fn reachable(fleet: &Fleet, id: MasterId) -> usize {
    1 + live_peers(fleet, id).count()
}

/// The other Sentinels of a master that are within reach.
pub fn live_peers(fleet: &Fleet, id: MasterId) -> impl Iterator<Item = &Peer> {
    fleet.masters[id].peers.iter().map(|id| &fleet.peers[*id]).filter(|peer| peer_is_live(fleet, peer))
}

/// Neither down nor without a connection.
fn peer_is_live(fleet: &Fleet, peer: &Peer) -> bool {
    !peer.instance.s_down && fleet.links[peer.instance.link].command.is_up()
}

/// Our place among the live candidates for leading a failover of this master: the first acts at once, the others hold back a little.
/// The order is a hash of master and run id, so that different Sentinels lead different masters.
pub fn rank(fleet: &Fleet, cx: &Cx, id: MasterId) -> usize {
    let master = &fleet.masters[id];
    let weight = |run_id: &RunId| (hash(&[master.name.as_str(), run_id.as_str()]), run_id.clone());
    let mine = weight(&cx.globals.my_id);
    live_peers(fleet, id).filter(|peer| weight(peer.run_id()) < mine).count()
}

/// A stable hash (FNV-1a, then stirred): two builds of this program must agree about ranks.
fn hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // Ids that differ at their ends only would else have the same order for almost every master.
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn ids_that_differ_little_take_turns() {
        let ids: Vec<String> = (0..8).map(|number| format!("{number:040x}")).collect();
        let mut first = [0; 8];
        for master in 0..800 {
            let name = format!("m{master}");
            let best = (0..8).min_by_key(|index: &usize| hash(&[&name, &ids[*index]]));
            first[best.expect("eight")] += 1;
        }
        assert!(first.iter().all(|count| (60..=140).contains(count)), "{first:?}");
    }
}
