//! Watches every action that leaves a node, and objects to what must never happen.

use std::collections::BTreeMap;

use sentineld::model::{Epoch, RunId};

/// What has been seen so far.
#[derive(Default)]
pub struct Oracle {
    /// Node, master, epoch → whom it voted for.
    votes: BTreeMap<(usize, String, Epoch), RunId>,
    /// Master, configuration epoch → port.
    configurations: BTreeMap<(String, Epoch), u16>,
    /// Master, epoch → the node that promoted in it.
    leaders: BTreeMap<(String, Epoch), usize>,
    /// Node → the highest epoch it gossiped.
    epochs: BTreeMap<usize, Epoch>,
}

impl Oracle {
    /// A vote leaves `node`; `durable` is the epoch of the last vote for that master on its disk.
    pub fn vote(&mut self, node: usize, master: &str, epoch: Epoch, leader: &RunId, durable: Epoch) {
        assert!(
            durable >= epoch,
            "node {node} told of a vote in epoch {epoch} while its disk knows {durable}"
        );
        let first = self.votes.entry((node, master.to_owned(), epoch)).or_insert_with(|| leader.clone());
        assert_eq!(first, leader, "node {node} voted twice in epoch {epoch}");
    }

    /// A hello leaves `node`, whose disk knows `durable`. A configuration, and its epoch with it, is also spread while the disk fails.
    pub fn hello(&mut self, node: usize, hello: &sentineld::wire::Hello, durable: Epoch) {
        let key = (hello.master_name.to_string(), hello.config_epoch);
        let known = *self.configurations.entry(key).or_insert(hello.master_port);
        assert_eq!(known, hello.master_port, "epoch {} names two addresses", hello.config_epoch);
        let highest = self.epochs.entry(node).or_default();
        assert!(hello.current_epoch >= *highest, "the epoch of node {node} went back");
        assert!(
            hello.current_epoch <= durable.max(hello.config_epoch),
            "node {node} told of an epoch that it may lose"
        );
        *highest = hello.current_epoch.min(durable);
    }

    /// `node` promotes a replica as the leader of `epoch`.
    pub fn promotion(&mut self, node: usize, master: &str, epoch: Epoch) {
        let leader = *self.leaders.entry((master.to_owned(), epoch)).or_insert(node);
        assert_eq!(leader, node, "two leaders in epoch {epoch} of {master}");
    }
}
