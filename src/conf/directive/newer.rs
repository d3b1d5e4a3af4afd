//! Generic directives that Redis 7.0 does not know but later versions and Valkey do (spec 1 §4.5).
//!
//! They are accepted so that a template of any version loads. None has an effect here, so their values are hardly checked.

use super::{Check, Directive};

const LONG: i64 = i64::MAX;

pub(super) static TABLE: &[Directive] = &[
    // Redis 7.2.
    Directive::text("locale-collate", "", Check::None),
    Directive::int("set-max-listpack-entries", "128", 0, LONG),
    Directive::memory("set-max-listpack-value", "64", 0),
    Directive::unset("cluster-announce-human-nodename"),
    Directive::int("cluster-ping-interval", "1000", 0, LONG),
    Directive::int("client-default-resp", "2", 2, 3),
    Directive::unset("req-res-logfile"),
    // Redis 7.4.
    Directive::yes_no("hide-user-data-from-log", "no"),
    Directive::int("max-new-connections-per-cycle", "10", 1, 1000),
    Directive::int("max-new-tls-connections-per-cycle", "1", 1, 1000),
    // Valkey.
    Directive::unset("availability-zone"),
    Directive::unset("cluster-announce-client-ipv4"),
    Directive::unset("cluster-announce-client-ipv6"),
    Directive::int("cluster-blacklist-ttl", "60", 0, LONG),
    Directive::yes_no("cluster-slot-stats-enabled", "no"),
    Directive::unset("debug-context"),
    Directive::yes_no("dual-channel-replication-enabled", "no"),
    Directive::yes_no("enable-debug-assert", "no"),
    Directive::int("events-per-io-thread", "2", 0, LONG),
    Directive::yes_no("extended-redis-compatibility", "no"),
    Directive::words("log-format", "legacy", &["legacy", "logfmt"]),
    Directive::words("log-timestamp-format", "legacy", &["legacy", "iso8601", "milliseconds"]),
    Directive::int("prefetch-batch-max-size", "16", 0, 128),
    Directive::unset("unixsocketgroup"),
];
