//! Generic directives that Redis 7.0 does not know but later versions and Valkey do (spec 1 §4.5).
//!
//! They are accepted so that a template of any version loads. None has an effect here, so their values are hardly checked.

use super::{Check, Directive};

const LONG: i64 = i64::MAX;

pub(super) static TABLE: &[Directive] = &[
    // Redis 7.2.
    newer(Directive::text("locale-collate", "", Check::None)),
    newer(Directive::int("set-max-listpack-entries", "128", 0, LONG)),
    newer(Directive::memory("set-max-listpack-value", "64", 0)),
    newer(Directive::unset("cluster-announce-human-nodename")),
    newer(Directive::int("cluster-ping-interval", "1000", 0, LONG)),
    newer(Directive::int("client-default-resp", "2", 2, 3)),
    newer(Directive::unset("req-res-logfile")),
    // Redis 7.4.
    newer(Directive::yes_no("hide-user-data-from-log", "no")),
    newer(Directive::int("max-new-connections-per-cycle", "10", 1, 1000)),
    newer(Directive::int("max-new-tls-connections-per-cycle", "1", 1, 1000)),
    // Valkey.
    newer(Directive::unset("availability-zone")),
    newer(Directive::unset("cluster-announce-client-ipv4")),
    newer(Directive::unset("cluster-announce-client-ipv6")),
    newer(Directive::int("cluster-blacklist-ttl", "60", 0, LONG)),
    newer(Directive::yes_no("cluster-slot-stats-enabled", "no")),
    newer(Directive::unset("debug-context")),
    newer(Directive::yes_no("dual-channel-replication-enabled", "no")),
    newer(Directive::yes_no("enable-debug-assert", "no")),
    newer(Directive::int("events-per-io-thread", "2", 0, LONG)),
    newer(Directive::yes_no("extended-redis-compatibility", "no")),
    newer(Directive::words("log-format", "legacy", &["legacy", "logfmt"])),
    newer(Directive::words("log-timestamp-format", "legacy", &["legacy", "iso8601", "milliseconds"])),
    newer(Directive::int("prefetch-batch-max-size", "16", 0, 128)),
    newer(Directive::unset("unixsocketgroup")),
];

const fn newer(row: Directive) -> Directive {
    Directive { newer: true, ..row }
}
