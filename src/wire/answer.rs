//! What we say back to clients and peers. Rendering for RESP2 and RESP3 lives beside the types, never in a rule.

use thiserror::Error;

use super::reply::MasterDownReply;
use super::view::{InfoCacheView, MasterView, PeerView, ReplicaView, ScriptView, SentinelInfoView};
use crate::model::{MasterName, RunId};

/// The answer to a [`super::Command`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// `+OK`
    Ok,
    /// `+PONG`
    Pong,
    /// An integer.
    Integer(i64),
    /// An error.
    Error(ErrorReply),
    /// MYID.
    MyId(RunId),
    /// ROLE.
    Role(Vec<MasterName>),
    /// INFO: the facts of the Sentinel section.
    Info(Box<SentinelInfoView>),
    /// MASTER.
    Master(Box<MasterView>),
    /// MASTERS.
    Masters(Vec<MasterView>),
    /// REPLICAS.
    Replicas(Vec<ReplicaView>),
    /// SENTINELS.
    Sentinels(Vec<PeerView>),
    /// GET-MASTER-ADDR-BY-NAME; `None`: unknown name, a null array.
    MasterAddress(Option<(String, u16)>),
    /// IS-MASTER-DOWN-BY-ADDR.
    MasterDown(MasterDownReply),
    /// CKQUORUM, reachable: how many Sentinels are usable.
    QuorumReachable {
        /// Usable Sentinels, ourselves included.
        usable: usize,
    },
    /// CONFIG GET: names and values.
    ConfigValues(Vec<(&'static str, Vec<u8>)>),
    /// DEBUG without arguments: upper-case names and milliseconds.
    DebugValues(Vec<(&'static str, u64)>),
    /// INFO-CACHE: per name, the master's entry and then its replicas'.
    InfoCache(Vec<(MasterName, Vec<InfoCacheView>)>),
    /// PENDING-SCRIPTS.
    PendingScripts(Vec<ScriptView>),
    /// SIMULATE-FAILURE HELP.
    SimulateFailureHelp,
}

/// Every error that the engine can give to a client; `Display` is the reply without its leading `-` (spec 3 §3.4).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ErrorReply {
    /// The name is not monitored.
    #[error("ERR No such master with that name")]
    NoSuchMaster,
    /// FAILOVER while one is running.
    #[error("INPROG Failover already in progress")]
    FailoverInProgress,
    /// FAILOVER without an eligible replica.
    #[error("NOGOODSLAVE No suitable replica to promote")]
    NoGoodReplica,
    /// The change is active but could not be made durable.
    #[error("ERR Failed to save config file. Check server logs.")]
    SaveFailed,
    /// MONITOR with a quorum below one.
    #[error("ERR Quorum must be 1 or greater.")]
    QuorumTooSmall,
    /// MONITOR with control characters in the name.
    #[error("ERR Invalid master name: control characters are not allowed.")]
    InvalidName,
    /// MONITOR with a host that is no usable address.
    #[error("ERR Invalid IP address or hostname specified")]
    InvalidHost,
    /// MONITOR with a port out of range.
    #[error("ERR Invalid port number.")]
    InvalidPortNumber,
    /// MONITOR of a known name.
    #[error("ERR Duplicate master name.")]
    DuplicateMaster,
    /// CKQUORUM, unreachable.
    #[error("{}", no_quorum(*.usable, *.quorum_missing, *.majority_missing))]
    NoQuorum {
        /// Usable Sentinels, ourselves included.
        usable: usize,
        /// Fewer usable Sentinels than the quorum.
        quorum_missing: bool,
        /// Fewer usable Sentinels than a majority.
        majority_missing: bool,
    },
    /// SET with a bad value.
    #[error("ERR Invalid argument '{value}' for SENTINEL SET '{option}'")]
    SetInvalid {
        /// The value as typed.
        value: String,
        /// The option as typed.
        option: String,
    },
    /// SET with an unknown option or too few words.
    #[error("ERR Unknown option or number of arguments for SENTINEL SET '{option}'")]
    SetUnknown {
        /// The option as typed.
        option: String,
    },
    /// SET of a script while that is denied.
    #[error(
        "ERR Reconfiguration of scripts path is denied for security reasons. Check the deny-scripts-reconfig configuration directive in your Sentinel configuration"
    )]
    ScriptsDenied,
    /// SET notification-script to something that can't run.
    #[error("ERR Notification script seems non existing or non executable")]
    BadNotificationScript,
    /// SET client-reconfig-script to something that can't run.
    #[error("ERR Client reconfiguration script seems non existing or non executable")]
    BadReconfigScript,
    /// CONFIG SET of an unknown parameter.
    #[error("ERR Invalid argument '{option}' to SENTINEL CONFIG SET")]
    ConfigUnknown {
        /// The parameter as typed.
        option: String,
    },
    /// CONFIG SET with a bad value.
    #[error("ERR Invalid value '{value}' to SENTINEL CONFIG SET '{option}'")]
    ConfigInvalid {
        /// The value as typed.
        value: String,
        /// The parameter as typed.
        option: String,
    },
    /// CONFIG SET naming a parameter twice.
    #[error("ERR Duplicate argument '{option}' to SENTINEL CONFIG SET")]
    ConfigDuplicate {
        /// The parameter as typed.
        option: String,
    },
    /// DEBUG with a bad value.
    #[error("ERR Invalid argument '{value}' for SENTINEL DEBUG '{option}'")]
    DebugInvalid {
        /// The value as typed.
        value: String,
        /// The parameter as typed.
        option: String,
    },
    /// DEBUG with an unknown parameter or too few words.
    #[error("ERR Unknown option or number of arguments for SENTINEL DEBUG '{option}'")]
    DebugUnknown {
        /// The parameter as typed.
        option: String,
    },
    /// SIMULATE-FAILURE with an unknown word.
    #[error("ERR Unknown failure simulation specified")]
    UnknownSimulation,
}

fn no_quorum(usable: usize, quorum_missing: bool, majority_missing: bool) -> String {
    let mut text = format!("NOQUORUM {usable} usable Sentinels");
    if quorum_missing {
        text.push_str(". Not enough available Sentinels to reach the specified quorum for this master");
    }
    if majority_missing {
        text.push_str(". Not enough available Sentinels to reach the majority and authorize a failover");
    }
    text
}
