//! The rows of the command table, and nothing else.

use super::docs::{self, Docs};
use super::{Class, CommandSpec, Verb};

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

const fn row(
    verb: Verb,
    name: &'static str,
    arity: i32,
    class: &'static Class,
    docs: &'static Docs,
) -> CommandSpec {
    CommandSpec { verb, name, arity, class, docs, subcommands: &[] }
}

const fn container(row: CommandSpec, subcommands: &'static [CommandSpec]) -> CommandSpec {
    CommandSpec { subcommands, ..row }
}

/// Every command, the containers with their subcommands.
#[rustfmt::skip]
pub static COMMANDS: &[CommandSpec] = &[
    container(row(Verb::Acl, "acl", -2, &CONTAINER, &docs::plain::ACL), ACL),
    row(Verb::Auth, "auth", -2, &LOGIN, &docs::plain::AUTH),
    container(row(Verb::Client, "client", -2, &CONTAINER, &docs::plain::CLIENT), CLIENT),
    container(row(Verb::Command, "command", -1, &COMMANDS_CLASS, &docs::plain::COMMAND), COMMAND),
    row(Verb::Hello, "hello", -1, &LOGIN, &docs::plain::HELLO),
    row(Verb::Info, "info", -1, &INFO, &docs::plain::INFO),
    row(Verb::Ping, "ping", -1, &PING, &docs::plain::PING),
    row(Verb::Psubscribe, "psubscribe", -2, &SUBSCRIBER, &docs::plain::PSUBSCRIBE),
    row(Verb::Publish, "publish", 3, &PUBLISH, &docs::plain::PUBLISH),
    row(Verb::Punsubscribe, "punsubscribe", -1, &SUBSCRIBER, &docs::plain::PUNSUBSCRIBE),
    row(Verb::Role, "role", 1, &ROLE, &docs::plain::ROLE),
    container(row(Verb::Sentinel, "sentinel", -2, &MONITORING, &docs::plain::SENTINEL), SENTINEL),
    row(Verb::Shutdown, "shutdown", -1, &SHUTDOWN, &docs::plain::SHUTDOWN),
    row(Verb::Subscribe, "subscribe", -2, &SUBSCRIBER, &docs::plain::SUBSCRIBE),
    row(Verb::Unsubscribe, "unsubscribe", -1, &SUBSCRIBER, &docs::plain::UNSUBSCRIBE),
];

#[rustfmt::skip]
static ACL: &[CommandSpec] = &[
    row(Verb::AclCat, "acl|cat", -2, &SCRIPTLESS, &docs::acl::CAT),
    row(Verb::AclDeluser, "acl|deluser", -3, &ADMIN, &docs::acl::DELUSER),
    row(Verb::AclDryrun, "acl|dryrun", -4, &ADMIN, &docs::acl::DRYRUN),
    row(Verb::AclGenpass, "acl|genpass", -2, &SCRIPTLESS, &docs::acl::GENPASS),
    row(Verb::AclGetuser, "acl|getuser", 3, &ADMIN, &docs::acl::GETUSER),
    row(Verb::AclHelp, "acl|help", 2, &HELP, &docs::acl::HELP),
    row(Verb::AclList, "acl|list", 2, &ADMIN, &docs::acl::LIST),
    row(Verb::AclLoad, "acl|load", 2, &ADMIN, &docs::acl::LOAD),
    row(Verb::AclLog, "acl|log", -2, &ADMIN, &docs::acl::LOG),
    row(Verb::AclSave, "acl|save", 2, &ADMIN, &docs::acl::SAVE),
    row(Verb::AclSetuser, "acl|setuser", -3, &ADMIN, &docs::acl::SETUSER),
    row(Verb::AclUsers, "acl|users", 2, &ADMIN, &docs::acl::USERS),
    row(Verb::AclWhoami, "acl|whoami", 2, &SCRIPTLESS, &docs::acl::WHOAMI),
];

#[rustfmt::skip]
static CLIENT: &[CommandSpec] = &[
    row(Verb::ClientCaching, "client|caching", 3, &CLIENT_CLASS, &docs::client::CACHING),
    row(Verb::ClientGetname, "client|getname", 2, &CLIENT_CLASS, &docs::client::GETNAME),
    row(Verb::ClientGetredir, "client|getredir", 2, &CLIENT_CLASS, &docs::client::GETREDIR),
    row(Verb::ClientHelp, "client|help", 2, &CONNECTION, &docs::client::HELP),
    row(Verb::ClientId, "client|id", 2, &CLIENT_CLASS, &docs::client::ID),
    row(Verb::ClientInfo, "client|info", 2, &CLIENT_VARYING, &docs::client::INFO),
    row(Verb::ClientKill, "client|kill", -3, &CLIENT_ADMIN, &docs::client::KILL),
    row(Verb::ClientList, "client|list", -2, &CLIENT_LIST, &docs::client::LIST),
    row(Verb::ClientNoEvict, "client|no-evict", 3, &CLIENT_ADMIN, &docs::client::NO_EVICT),
    row(Verb::ClientPause, "client|pause", -3, &CLIENT_ADMIN, &docs::client::PAUSE),
    row(Verb::ClientReply, "client|reply", 3, &CLIENT_CLASS, &docs::client::REPLY),
    row(Verb::ClientSetname, "client|setname", 3, &CLIENT_CLASS, &docs::client::SETNAME),
    row(Verb::ClientTracking, "client|tracking", -3, &CLIENT_CLASS, &docs::client::TRACKING),
    row(Verb::ClientTrackinginfo, "client|trackinginfo", 2, &CLIENT_CLASS, &docs::client::TRACKINGINFO),
    row(Verb::ClientUnblock, "client|unblock", -3, &CLIENT_ADMIN, &docs::client::UNBLOCK),
    row(Verb::ClientUnpause, "client|unpause", 2, &CLIENT_ADMIN, &docs::client::UNPAUSE),
];

#[rustfmt::skip]
static COMMAND: &[CommandSpec] = &[
    row(Verb::CommandCount, "command|count", 2, &CONNECTION, &docs::command::COUNT),
    row(Verb::CommandDocs, "command|docs", -2, &COMMANDS_CLASS, &docs::command::DOCS),
    row(Verb::CommandGetkeys, "command|getkeys", -4, &CONNECTION, &docs::command::GETKEYS),
    row(Verb::CommandGetkeysandflags, "command|getkeysandflags", -4, &CONNECTION, &docs::command::GETKEYSANDFLAGS),
    row(Verb::CommandHelp, "command|help", 2, &CONNECTION, &docs::command::HELP),
    row(Verb::CommandInfo, "command|info", -2, &COMMANDS_CLASS, &docs::command::INFO),
    row(Verb::CommandList, "command|list", -2, &COMMANDS_CLASS, &docs::command::LIST),
];

#[rustfmt::skip]
static SENTINEL: &[CommandSpec] = &[
    row(Verb::SentinelCkquorum, "sentinel|ckquorum", 3, &MONITORING, &docs::sentinel::CKQUORUM),
    row(Verb::SentinelConfig, "sentinel|config", -3, &MONITORING, &docs::sentinel::CONFIG),
    row(Verb::SentinelDebug, "sentinel|debug", -2, &MONITORING, &docs::sentinel::DEBUG),
    row(Verb::SentinelFailover, "sentinel|failover", 3, &MONITORING, &docs::sentinel::FAILOVER),
    row(Verb::SentinelFlushconfig, "sentinel|flushconfig", 2, &MONITORING, &docs::sentinel::FLUSHCONFIG),
    row(Verb::SentinelGetMasterAddrByName, "sentinel|get-master-addr-by-name", 3, &MONITORING, &docs::sentinel::GET_MASTER_ADDR_BY_NAME),
    row(Verb::SentinelHelp, "sentinel|help", 2, &HELP, &docs::sentinel::HELP),
    row(Verb::SentinelInfoCache, "sentinel|info-cache", -3, &MONITORING, &docs::sentinel::INFO_CACHE),
    row(Verb::SentinelIsMasterDownByAddr, "sentinel|is-master-down-by-addr", 6, &MONITORING, &docs::sentinel::IS_MASTER_DOWN_BY_ADDR),
    row(Verb::SentinelMaster, "sentinel|master", 3, &MONITORING, &docs::sentinel::MASTER),
    row(Verb::SentinelMasters, "sentinel|masters", 2, &MONITORING, &docs::sentinel::MASTERS),
    row(Verb::SentinelMonitor, "sentinel|monitor", 6, &MONITORING, &docs::sentinel::MONITOR),
    row(Verb::SentinelMyid, "sentinel|myid", 2, &MONITORING, &docs::sentinel::MYID),
    row(Verb::SentinelPendingScripts, "sentinel|pending-scripts", 2, &MONITORING, &docs::sentinel::PENDING_SCRIPTS),
    row(Verb::SentinelRemove, "sentinel|remove", 3, &MONITORING, &docs::sentinel::REMOVE),
    row(Verb::SentinelReplicas, "sentinel|replicas", 3, &MONITORING, &docs::sentinel::REPLICAS),
    row(Verb::SentinelReset, "sentinel|reset", 3, &MONITORING, &docs::sentinel::RESET),
    row(Verb::SentinelSentinels, "sentinel|sentinels", 3, &MONITORING, &docs::sentinel::SENTINELS),
    row(Verb::SentinelSet, "sentinel|set", -5, &MONITORING, &docs::sentinel::SET),
    row(Verb::SentinelSimulateFailure, "sentinel|simulate-failure", -3, &MONITORING, &docs::sentinel::SIMULATE_FAILURE),
    row(Verb::SentinelSlaves, "sentinel|slaves", 3, &MONITORING, &docs::sentinel::SLAVES),
];
