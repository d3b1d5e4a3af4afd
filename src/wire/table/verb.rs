//! The names of the commands as a type, so that a `match` over commands is checked for completeness.

/// A command or subcommand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Verb {
    /// `ACL`
    Acl,
    /// `ACL CAT`
    AclCat,
    /// `ACL DELUSER`
    AclDeluser,
    /// `ACL DRYRUN`
    AclDryrun,
    /// `ACL GENPASS`
    AclGenpass,
    /// `ACL GETUSER`
    AclGetuser,
    /// `ACL HELP`
    AclHelp,
    /// `ACL LIST`
    AclList,
    /// `ACL LOAD`
    AclLoad,
    /// `ACL LOG`
    AclLog,
    /// `ACL SAVE`
    AclSave,
    /// `ACL SETUSER`
    AclSetuser,
    /// `ACL USERS`
    AclUsers,
    /// `ACL WHOAMI`
    AclWhoami,
    /// `AUTH`
    Auth,
    /// `CLIENT`
    Client,
    /// `CLIENT CACHING`
    ClientCaching,
    /// `CLIENT GETNAME`
    ClientGetname,
    /// `CLIENT GETREDIR`
    ClientGetredir,
    /// `CLIENT HELP`
    ClientHelp,
    /// `CLIENT ID`
    ClientId,
    /// `CLIENT INFO`
    ClientInfo,
    /// `CLIENT KILL`
    ClientKill,
    /// `CLIENT LIST`
    ClientList,
    /// `CLIENT NO-EVICT`
    ClientNoEvict,
    /// `CLIENT PAUSE`
    ClientPause,
    /// `CLIENT REPLY`
    ClientReply,
    /// `CLIENT SETNAME`
    ClientSetname,
    /// `CLIENT TRACKING`
    ClientTracking,
    /// `CLIENT TRACKINGINFO`
    ClientTrackinginfo,
    /// `CLIENT UNBLOCK`
    ClientUnblock,
    /// `CLIENT UNPAUSE`
    ClientUnpause,
    /// `COMMAND`
    Command,
    /// `COMMAND COUNT`
    CommandCount,
    /// `COMMAND DOCS`
    CommandDocs,
    /// `COMMAND GETKEYS`
    CommandGetkeys,
    /// `COMMAND GETKEYSANDFLAGS`
    CommandGetkeysandflags,
    /// `COMMAND HELP`
    CommandHelp,
    /// `COMMAND INFO`
    CommandInfo,
    /// `COMMAND LIST`
    CommandList,
    /// `HELLO`
    Hello,
    /// `INFO`
    Info,
    /// `PING`
    Ping,
    /// `PSUBSCRIBE`
    Psubscribe,
    /// `PUBLISH`
    Publish,
    /// `PUNSUBSCRIBE`
    Punsubscribe,
    /// `ROLE`
    Role,
    /// `SENTINEL`
    Sentinel,
    /// `SENTINEL CKQUORUM`
    SentinelCkquorum,
    /// `SENTINEL CONFIG`
    SentinelConfig,
    /// `SENTINEL DEBUG`
    SentinelDebug,
    /// `SENTINEL FAILOVER`
    SentinelFailover,
    /// `SENTINEL FLUSHCONFIG`
    SentinelFlushconfig,
    /// `SENTINEL GET-MASTER-ADDR-BY-NAME`
    SentinelGetMasterAddrByName,
    /// `SENTINEL HELP`
    SentinelHelp,
    /// `SENTINEL INFO-CACHE`
    SentinelInfoCache,
    /// `SENTINEL IS-MASTER-DOWN-BY-ADDR`
    SentinelIsMasterDownByAddr,
    /// `SENTINEL MASTER`
    SentinelMaster,
    /// `SENTINEL MASTERS`
    SentinelMasters,
    /// `SENTINEL MONITOR`
    SentinelMonitor,
    /// `SENTINEL MYID`
    SentinelMyid,
    /// `SENTINEL PENDING-SCRIPTS`
    SentinelPendingScripts,
    /// `SENTINEL REMOVE`
    SentinelRemove,
    /// `SENTINEL REPLICAS`
    SentinelReplicas,
    /// `SENTINEL RESET`
    SentinelReset,
    /// `SENTINEL SENTINELS`
    SentinelSentinels,
    /// `SENTINEL SET`
    SentinelSet,
    /// `SENTINEL SIMULATE-FAILURE`
    SentinelSimulateFailure,
    /// `SENTINEL SLAVES`
    SentinelSlaves,
    /// `SHUTDOWN`
    Shutdown,
    /// `SUBSCRIBE`
    Subscribe,
    /// `UNSUBSCRIBE`
    Unsubscribe,
}
