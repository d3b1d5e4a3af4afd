//! Which replica to promote (spec 2 §9.3).

use std::cmp::Reverse;

use super::Reference;
use super::state::Replica;

impl Reference {
    /// The place of the best replica, if any will do.
    ///
    /// Compat: an INFO of up to five seconds ago is good enough, and one that comes too late for the step is not waited for.
    pub fn select(&self, slot: usize) -> Option<usize> {
        let replicas = self.at(slot).replicas.iter().enumerate();
        let good = replicas.filter(|(_, replica)| self.is_good(slot, replica));
        let best = good.min_by_key(|(_, replica)| {
            let run_id = replica.instance.run_id.as_ref().map(|id| id.as_str().to_ascii_lowercase());
            (replica.priority, Reverse(replica.offset), run_id.is_none(), run_id)
        });
        best.map(|(at, _)| at)
    }

    fn is_good(&self, slot: usize, replica: &Replica) -> bool {
        let now = self.wall();
        let master = self.at(slot);
        let link = self.link(replica.instance.link);
        let s_down = master.instance.s_down;
        let max_age = if s_down { self.periods.ping * 5 } else { self.periods.info * 3 };
        let down_for = if s_down { now - master.instance.s_down_since } else { 0 };
        !replica.instance.s_down
            && !link.disconnected
            && now - link.available_at <= self.periods.ping * 5
            && replica.priority != 0
            && now - replica.instance.info_at <= max_age
            && replica.link_down <= master.down_after() * 10 + down_for
    }
}
