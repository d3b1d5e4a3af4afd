//! Where a master's data comes from, when the server at its address says that it is none: somebody made it follow another one.
//!
//! If it is the process that it was as a master, no other server can have taken its address: it was told to follow whom it follows, and that
//! is where the master is. If it was restarted meanwhile, that can't be told; but who follows one of our replicas, and has the same data, leaves
//! two addresses of ours that belong together, and that replica may be promoted, whatever history it has.
//!
//! Not decided here: whether anybody is ours (`lineage`), and what strangers say of all this (`hearsay`).

use super::{Lineage, ids_of, is_ours};
use crate::engine::fleet::Fleet;
use crate::engine::replica::Replica;
use crate::model::{Address, MasterId};
use crate::wire::{InfoReport, Role};

/// Whom the server at a master's address follows, and is in step with.
#[derive(Clone, Debug)]
pub struct Upstream {
    address: Address,
    /// The ids of what it has from there.
    ids: Vec<String>,
    /// It is the very process that was the master.
    ordered: bool,
}

impl Lineage {
    /// Whom the master follows, that was one in the same process, and is in step with: somebody ordered that.
    pub fn gone_to(&self) -> Option<&Address> {
        self.upstream.as_ref().filter(|upstream| upstream.ordered).map(|upstream| &upstream.address)
    }

    /// True if the server at the master's address copies that replica: both have the same data.
    pub fn is_copied_from(&self, replica: &Replica) -> bool {
        self.upstream.as_ref().is_some_and(|upstream| {
            upstream.address.same_as(&replica.instance.address)
                && upstream.ids.iter().any(|id| replica.origin.ids.contains(id))
        })
    }
}

/// The server at the master's address says that it is a replica, or nothing of use.
pub fn on_demoted(fleet: &mut Fleet, id: MasterId, report: &InfoReport) {
    let ordered = report.run_id.is_some() && report.run_id == fleet.masters[id].lineage.process;
    let in_step = report.role == Some(Role::Replica) && report.master_link_up == Some(true);
    let place = report.master_host.as_deref().zip(report.master_port).filter(|_| in_step);
    let place = place.map(|(host, port)| fleet.address(host, port));
    let ids = ids_of(report);
    if ordered && place.as_ref().is_some_and(|place| is_ours(fleet, id, place)) {
        // It has the data of that one now, and whoever is promoted must not be held to what it had before.
        fleet.masters[id].lineage.learn(&ids);
    }
    fleet.masters[id].lineage.upstream = place.map(|address| Upstream { address, ids, ordered });
}
