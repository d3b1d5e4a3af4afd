//! The rows of the command table, and nothing else.

use super::{Class, CommandSpec, Docs, Verb};

const VARYING: &[&str] = &["nondeterministic_output"];
const ADMIN_CATEGORIES: &[&str] = &["admin", "slow", "dangerous"];
const SESSION_FLAGS: &[&str] = &["noscript", "loading", "stale"];
const ADMIN_FLAGS: &[&str] = &["admin", "noscript", "loading", "stale"];

static CONTAINER: Class = Class { flags: &[], categories: &["slow"], tips: &[] };
static SCRIPTLESS: Class = Class { flags: SESSION_FLAGS, categories: &["slow"], tips: &[] };
static ADMIN: Class = Class { flags: ADMIN_FLAGS, categories: ADMIN_CATEGORIES, tips: &[] };
static HELP: Class = Class { flags: &["loading", "stale"], categories: &["slow"], tips: &[] };
static LOGIN: Class = Class {
    flags: &["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"],
    categories: &["fast", "connection"],
    tips: &[],
};
static SHUTDOWN: Class = Class {
    flags: &["admin", "noscript", "loading", "stale", "no_multi", "allow_busy"],
    categories: ADMIN_CATEGORIES,
    tips: &[],
};
static SUBSCRIBER: Class =
    Class { flags: &["pubsub", "noscript", "loading", "stale"], categories: &["pubsub", "slow"], tips: &[] };
static PUBLISH: Class =
    Class { flags: &["pubsub", "loading", "stale", "fast"], categories: &["pubsub", "fast"], tips: &[] };
static ROLE: Class = Class {
    flags: &["noscript", "loading", "stale", "fast"],
    categories: &["admin", "fast", "dangerous"],
    tips: &[],
};
static INFO: Class = Class {
    flags: &["loading", "stale"],
    categories: &["slow", "dangerous"],
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
};
static PING: Class = Class {
    flags: &["fast"],
    categories: &["fast", "connection"],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
};
const CONNECTION_CATEGORIES: &[&str] = &["slow", "connection"];
static CLIENT_CLASS: Class = Class { flags: SESSION_FLAGS, categories: CONNECTION_CATEGORIES, tips: &[] };
static CLIENT_VARYING: Class =
    Class { flags: SESSION_FLAGS, categories: CONNECTION_CATEGORIES, tips: VARYING };
static CLIENT_ADMIN: Class =
    Class { flags: ADMIN_FLAGS, categories: &["admin", "slow", "dangerous", "connection"], tips: &[] };
static CLIENT_LIST: Class =
    Class { flags: ADMIN_FLAGS, categories: &["admin", "slow", "dangerous", "connection"], tips: VARYING };
static CONNECTION: Class =
    Class { flags: &["loading", "stale"], categories: CONNECTION_CATEGORIES, tips: &[] };
static COMMANDS_CLASS: Class = Class {
    flags: &["loading", "stale"],
    categories: CONNECTION_CATEGORIES,
    tips: &["nondeterministic_output_order"],
};
static MONITORING: Class = Class { flags: &["admin"], categories: ADMIN_CATEGORIES, tips: &[] };

const fn docs(
    group: &'static str,
    since: &'static str,
    complexity: &'static str,
    summary: &'static str,
) -> Docs {
    Docs { group, since, complexity, summary }
}

const fn row(verb: Verb, name: &'static str, arity: i32, class: &'static Class, docs: Docs) -> CommandSpec {
    CommandSpec { verb, name, arity, class, docs, subcommands: &[] }
}

const fn container(row: CommandSpec, subcommands: &'static [CommandSpec]) -> CommandSpec {
    CommandSpec { subcommands, ..row }
}

/// Every command, the containers with their subcommands.
#[rustfmt::skip]
pub static COMMANDS: &[CommandSpec] = &[
    container(row(Verb::Acl, "acl", -2, &CONTAINER, docs("server", "6.0.0", "O(N)", "Users and what each of them may do")), ACL),
    row(Verb::Auth, "auth", -2, &LOGIN, docs("connection", "1.0.0", "O(N)", "Logs this connection in")),
    container(row(Verb::Client, "client", -2, &CONTAINER, docs("connection", "2.4.0", "O(N)", "Client connections and their properties")), CLIENT),
    container(row(Verb::Command, "command", -1, &COMMANDS_CLASS, docs("server", "2.8.13", "O(N)", "Describes every command of this Sentinel")), COMMAND),
    row(Verb::Hello, "hello", -1, &LOGIN, docs("connection", "6.0.0", "O(1)", "Agrees on the protocol version, with login and client name if wanted")),
    row(Verb::Info, "info", -1, &INFO, docs("server", "1.0.0", "O(1)", "Reports on this process and on the monitored masters")),
    row(Verb::Ping, "ping", -1, &PING, docs("connection", "1.0.0", "O(1)", "Checks that the connection and the Sentinel are alive")),
    row(Verb::Psubscribe, "psubscribe", -2, &SUBSCRIBER, docs("pubsub", "2.0.0", "O(N)", "Subscribes to events by patterns of their names")),
    row(Verb::Publish, "publish", 3, &PUBLISH, docs("pubsub", "2.0.0", "O(1)", "Delivers the hello message of another Sentinel")),
    row(Verb::Punsubscribe, "punsubscribe", -1, &SUBSCRIBER, docs("pubsub", "2.0.0", "O(N)", "Ends subscriptions to patterns")),
    row(Verb::Role, "role", 1, &ROLE, docs("server", "2.8.12", "O(N)", "Names the monitored masters")),
    container(row(Verb::Sentinel, "sentinel", -2, &MONITORING, docs("sentinel", "2.8.4", "O(N)", "Monitoring: state, settings and failovers of masters")), SENTINEL),
    row(Verb::Shutdown, "shutdown", -1, &SHUTDOWN, docs("server", "1.0.0", "O(1)", "Ends this Sentinel")),
    row(Verb::Subscribe, "subscribe", -2, &SUBSCRIBER, docs("pubsub", "2.0.0", "O(N)", "Subscribes to events by their names")),
    row(Verb::Unsubscribe, "unsubscribe", -1, &SUBSCRIBER, docs("pubsub", "2.0.0", "O(N)", "Ends subscriptions")),
];

#[rustfmt::skip]
static ACL: &[CommandSpec] = &[
    row(Verb::AclCat, "acl|cat", -2, &SCRIPTLESS, docs("server", "6.0.0", "O(1)", "Names the command categories, or the commands of one of them")),
    row(Verb::AclDeluser, "acl|deluser", -3, &ADMIN, docs("server", "6.0.0", "O(1)", "Deletes users and ends their connections")),
    row(Verb::AclDryrun, "acl|dryrun", -4, &ADMIN, docs("server", "7.0.0", "O(1)", "Tells whether a user could run a command, without running it")),
    row(Verb::AclGenpass, "acl|genpass", -2, &SCRIPTLESS, docs("server", "6.0.0", "O(1)", "Makes up a password that is hard to guess")),
    row(Verb::AclGetuser, "acl|getuser", 3, &ADMIN, docs("server", "6.0.0", "O(N)", "Shows the rules of one user")),
    row(Verb::AclHelp, "acl|help", 2, &HELP, docs("server", "6.0.0", "O(1)", "Describes the ACL subcommands")),
    row(Verb::AclList, "acl|list", 2, &ADMIN, docs("server", "6.0.0", "O(N)", "Shows all users with their rules, as in an ACL file")),
    row(Verb::AclLoad, "acl|load", 2, &ADMIN, docs("server", "6.0.0", "O(N)", "Takes the users from the ACL file again")),
    row(Verb::AclLog, "acl|log", -2, &ADMIN, docs("server", "6.0.0", "O(N)", "Shows or clears the record of refused commands and logins")),
    row(Verb::AclSave, "acl|save", 2, &ADMIN, docs("server", "6.0.0", "O(N)", "Writes the users to the ACL file")),
    row(Verb::AclSetuser, "acl|setuser", -3, &ADMIN, docs("server", "6.0.0", "O(N)", "Creates a user or changes its rules")),
    row(Verb::AclUsers, "acl|users", 2, &ADMIN, docs("server", "6.0.0", "O(N)", "Names all users")),
    row(Verb::AclWhoami, "acl|whoami", 2, &SCRIPTLESS, docs("server", "6.0.0", "O(1)", "Names the user of this connection")),
];

#[rustfmt::skip]
static CLIENT: &[CommandSpec] = &[
    row(Verb::ClientCaching, "client|caching", 3, &CLIENT_CLASS, docs("connection", "6.0.0", "O(1)", "Decides whether the next command counts for client-side caching")),
    row(Verb::ClientGetname, "client|getname", 2, &CLIENT_CLASS, docs("connection", "2.6.9", "O(1)", "Shows the name this connection was given")),
    row(Verb::ClientGetredir, "client|getredir", 2, &CLIENT_CLASS, docs("connection", "6.0.0", "O(1)", "Shows which client receives the invalidations of this one")),
    row(Verb::ClientHelp, "client|help", 2, &CONNECTION, docs("connection", "5.0.0", "O(1)", "Describes the CLIENT subcommands")),
    row(Verb::ClientId, "client|id", 2, &CLIENT_CLASS, docs("connection", "5.0.0", "O(1)", "Shows the number of this connection")),
    row(Verb::ClientInfo, "client|info", 2, &CLIENT_VARYING, docs("connection", "6.2.0", "O(1)", "Describes this connection")),
    row(Verb::ClientKill, "client|kill", -3, &CLIENT_ADMIN, docs("connection", "2.4.0", "O(N)", "Closes connections, chosen by address or by properties")),
    row(Verb::ClientList, "client|list", -2, &CLIENT_LIST, docs("connection", "2.4.0", "O(N)", "Describes the open connections")),
    row(Verb::ClientNoEvict, "client|no-evict", 3, &CLIENT_ADMIN, docs("connection", "7.0.0", "O(1)", "Protects this connection from being dropped when memory is short")),
    row(Verb::ClientPause, "client|pause", -3, &CLIENT_ADMIN, docs("connection", "2.9.50", "O(1)", "Holds back the commands of all clients for a while")),
    row(Verb::ClientReply, "client|reply", 3, &CLIENT_CLASS, docs("connection", "3.2.0", "O(1)", "Decides whether this connection gets replies")),
    row(Verb::ClientSetname, "client|setname", 3, &CLIENT_CLASS, docs("connection", "2.6.9", "O(1)", "Gives this connection a name")),
    row(Verb::ClientTracking, "client|tracking", -3, &CLIENT_CLASS, docs("connection", "6.0.0", "O(1)", "Turns client-side caching support on or off")),
    row(Verb::ClientTrackinginfo, "client|trackinginfo", 2, &CLIENT_CLASS, docs("connection", "6.2.0", "O(1)", "Shows the state of client-side caching support")),
    row(Verb::ClientUnblock, "client|unblock", -3, &CLIENT_ADMIN, docs("connection", "5.0.0", "O(1)", "Wakes a client that waits in a blocking command")),
    row(Verb::ClientUnpause, "client|unpause", 2, &CLIENT_ADMIN, docs("connection", "6.2.0", "O(N)", "Lets held-back commands run again")),
];

#[rustfmt::skip]
static COMMAND: &[CommandSpec] = &[
    row(Verb::CommandCount, "command|count", 2, &CONNECTION, docs("server", "2.8.13", "O(1)", "Counts the commands")),
    row(Verb::CommandDocs, "command|docs", -2, &COMMANDS_CLASS, docs("server", "7.0.0", "O(N)", "Documents all or the given commands")),
    row(Verb::CommandGetkeys, "command|getkeys", -4, &CONNECTION, docs("server", "2.8.13", "O(N)", "Picks the keys out of a command line")),
    row(Verb::CommandGetkeysandflags, "command|getkeysandflags", -4, &CONNECTION, docs("server", "7.0.0", "O(N)", "Picks the keys out of a command line and tells how each is used")),
    row(Verb::CommandHelp, "command|help", 2, &CONNECTION, docs("server", "5.0.0", "O(1)", "Describes the COMMAND subcommands")),
    row(Verb::CommandInfo, "command|info", -2, &COMMANDS_CLASS, docs("server", "2.8.13", "O(N)", "Describes the given commands, or all")),
    row(Verb::CommandList, "command|list", -2, &COMMANDS_CLASS, docs("server", "7.0.0", "O(N)", "Names the commands, all or those that pass a filter")),
];

#[rustfmt::skip]
static SENTINEL: &[CommandSpec] = &[
    row(Verb::SentinelCkquorum, "sentinel|ckquorum", 3, &MONITORING, docs("sentinel", "2.8.4", "O(N)", "Checks whether enough Sentinels are in reach to fail a master over")),
    row(Verb::SentinelConfig, "sentinel|config", -3, &MONITORING, docs("sentinel", "6.2.0", "O(1)", "Shows or changes settings of this Sentinel")),
    row(Verb::SentinelDebug, "sentinel|debug", -2, &MONITORING, docs("sentinel", "7.0.0", "O(1)", "Shows or changes timing parameters")),
    row(Verb::SentinelFailover, "sentinel|failover", 3, &MONITORING, docs("sentinel", "2.8.4", "O(1)", "Starts a failover without asking other Sentinels")),
    row(Verb::SentinelFlushconfig, "sentinel|flushconfig", 2, &MONITORING, docs("sentinel", "2.8.4", "O(N)", "Writes the configuration file anew")),
    row(Verb::SentinelGetMasterAddrByName, "sentinel|get-master-addr-by-name", 3, &MONITORING, docs("sentinel", "2.8.4", "O(1)", "Tells where a master is now")),
    row(Verb::SentinelHelp, "sentinel|help", 2, &HELP, docs("sentinel", "6.2.0", "O(1)", "Describes the SENTINEL subcommands")),
    row(Verb::SentinelInfoCache, "sentinel|info-cache", -3, &MONITORING, docs("sentinel", "3.2.0", "O(N)", "Shows the INFO texts last received from masters and their replicas")),
    row(Verb::SentinelIsMasterDownByAddr, "sentinel|is-master-down-by-addr", 6, &MONITORING, docs("sentinel", "2.8.4", "O(1)", "Tells another Sentinel whether a master seems down, and votes")),
    row(Verb::SentinelMaster, "sentinel|master", 3, &MONITORING, docs("sentinel", "2.8.4", "O(1)", "Shows all about one master")),
    row(Verb::SentinelMasters, "sentinel|masters", 2, &MONITORING, docs("sentinel", "2.8.4", "O(N)", "Shows all about every master")),
    row(Verb::SentinelMonitor, "sentinel|monitor", 6, &MONITORING, docs("sentinel", "2.8.4", "O(1)", "Starts to monitor a master")),
    row(Verb::SentinelMyid, "sentinel|myid", 2, &MONITORING, docs("sentinel", "6.2.0", "O(1)", "Shows the id of this Sentinel")),
    row(Verb::SentinelPendingScripts, "sentinel|pending-scripts", 2, &MONITORING, docs("sentinel", "2.8.4", "O(N)", "Shows the scripts that run or wait to run")),
    row(Verb::SentinelRemove, "sentinel|remove", 3, &MONITORING, docs("sentinel", "2.8.4", "O(1)", "Stops to monitor a master")),
    row(Verb::SentinelReplicas, "sentinel|replicas", 3, &MONITORING, docs("sentinel", "5.0.0", "O(N)", "Shows the replicas of a master")),
    row(Verb::SentinelReset, "sentinel|reset", 3, &MONITORING, docs("sentinel", "2.8.4", "O(N)", "Forgets what was learned of the masters that match a pattern")),
    row(Verb::SentinelSentinels, "sentinel|sentinels", 3, &MONITORING, docs("sentinel", "2.8.4", "O(N)", "Shows the other Sentinels of a master")),
    row(Verb::SentinelSet, "sentinel|set", -5, &MONITORING, docs("sentinel", "2.8.4", "O(1)", "Changes settings of a master")),
    row(Verb::SentinelSimulateFailure, "sentinel|simulate-failure", -3, &MONITORING, docs("sentinel", "3.2.0", "O(1)", "Makes this Sentinel crash at a chosen point of a failover, for tests")),
    row(Verb::SentinelSlaves, "sentinel|slaves", 3, &MONITORING, docs("sentinel", "2.8.0", "O(N)", "Older name of SENTINEL REPLICAS")),
];
