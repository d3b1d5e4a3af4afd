//! Whose data may become the master's: what the selection makes of replication ids (spec 2 §9.3, §14.3). Which replica is chosen of those, it
//! decides.

use super::{follows_us, is_elsewhere, replica_follows};
use crate::engine::cx::Cx;
use crate::engine::fleet::Fleet;
use crate::engine::hole::Hole;
use crate::engine::replica::Replica;
use crate::wire::Role;

/// `master_link_down_since_seconds` of a replica that was not in step since it started, in milliseconds.
const NEVER_UP: i64 = -1_000;

/// Why the data of a replica may not become the master's, if so.
pub fn objection(fleet: &Fleet, cx: &Cx, replica: &Replica) -> Option<&'static str> {
    let lineage = &fleet.masters[replica.master].lineage;
    let origin = &replica.origin;
    let other = lineage.excludes(&origin.ids);
    let never_up = replica.info.role == Role::Replica
        && replica.link_down_ms == NEVER_UP
        && !(origin.was_in_step && origin.has_keys);
    if !cx.holes.has(Hole::PromotesUnsynced) {
        if origin.loading || fleet.links[replica.instance.link].loading {
            return Some("it is loading its data set");
        }
        if origin.synchronising {
            return Some("it is in the middle of a synchronisation");
        }
        if other && never_up {
            return Some("it was never in step with the master");
        }
    }
    if !cx.holes.has(Hole::PromotesForeign) {
        if origin.foreign {
            return Some("it belongs to another cluster");
        }
        // Whom the server at the master's address copies, this one is the master in fact, even if that server was restarted and can't be
        // known again: two addresses of ours that belong together.
        if other && !never_up && !follows_us(fleet, replica) && !lineage.is_copied_from(replica) {
            return Some("its data set has another replication history than the master's");
        }
        if other && has_data_of_foreigners(fleet, replica) {
            return Some("its data is another cluster's");
        }
        if is_elsewhere(fleet, replica) {
            return Some("it follows a server that is not known here");
        }
        if has_data_of_elsewhere(fleet, replica) {
            return Some("its data is that of a replica that follows a server which is not known here");
        }
    }
    None
}

/// How far a replica's data can be trusted to be the latest: less is better. And why it is not the best, if so.
///
/// Differs: the reference looks at the priority first, whatever the replica has (spec 2 §14.3).
pub fn standing(fleet: &Fleet, replica: &Replica) -> (u8, Option<&'static str>) {
    let lineage = &fleet.masters[replica.master].lineage;
    let ids = &replica.origin.ids;
    let outdated = lineage.latest.as_ref().is_some_and(|latest| !ids.is_empty() && !ids.contains(latest));
    let never_up = replica.info.role == Role::Replica && replica.link_down_ms == NEVER_UP;
    let doubts = u8::from(never_up) + u8::from(outdated);
    if lineage.excludes(ids) {
        (3, Some("where its data comes from is not known"))
    } else if never_up {
        (doubts, Some("it was not in step with the master since it started"))
    } else if outdated {
        (doubts, Some("its data is of an earlier history of the master"))
    } else {
        (0, None)
    }
}

/// It has what a server of another cluster has, by a replication id that both name: it copied that one before it came back to us, and is not
/// in step yet.
fn has_data_of_foreigners(fleet: &Fleet, replica: &Replica) -> bool {
    others_with_its_data(fleet, replica).any(|other| other.origin.foreign)
}

/// It follows a replica, and has the data of one that is in step with a server that is none of ours: while no lineage is known, those came over
/// from there. While that one is not down its last word counts, over a break of the connection too. Who follows our master is believed.
fn has_data_of_elsewhere(fleet: &Fleet, replica: &Replica) -> bool {
    let master = &fleet.masters[replica.master];
    !master.lineage.is_known()
        && !replica_follows(replica, &master.instance.address)
        && others_with_its_data(fleet, replica)
            .any(|other| !other.instance.s_down && is_elsewhere(fleet, other))
}

/// The other replicas of its master that share a replication id with it.
fn others_with_its_data<'a>(fleet: &'a Fleet, replica: &'a Replica) -> impl Iterator<Item = &'a Replica> {
    let others = fleet.masters[replica.master].replicas.iter().map(|other| &fleet.replicas[*other]);
    let has_same = |other: &&Replica| replica.origin.ids.iter().any(|id| other.origin.ids.contains(id));
    others.filter(|other| other.id != replica.id).filter(has_same)
}
