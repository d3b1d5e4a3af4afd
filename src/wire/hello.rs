//! The gossip message: `ip,port,runid,current_epoch,master_name,master_ip,master_port,master_config_epoch` (spec 2 §6.1).

use crate::model::{Epoch, MasterName, RunId};

/// One gossip message, from us or from a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The sender's address, as it announces it: an IP or a name.
    pub host: String,
    /// The sender's port.
    pub port: u16,
    /// The sender's id.
    pub run_id: RunId,
    /// The sender's current epoch.
    pub current_epoch: Epoch,
    /// Which master this is about.
    pub master_name: MasterName,
    /// The master's host as the sender knows it.
    pub master_host: String,
    /// The master's port as the sender knows it.
    pub master_port: u16,
    /// The epoch of the sender's configuration of that master.
    pub config_epoch: Epoch,
}
