//! The generic directives that a Sentinel acts on (spec 1 §4.1, §4.2).

use super::{Check, Directive, Kind};

const INT: i64 = i32::MAX as i64;
const UINT: i64 = u32::MAX as i64;
const LONG: i64 = i64::MAX;

pub(super) static TABLE: &[Directive] = &[
    // Listening.
    Directive { rewrite_default: Some("6379"), ..served(Directive::int("port", "26379", 0, 65535)) },
    served(Directive::new("bind", Kind::Bind, "* -::*")),
    Directive { rewrite_default: Some("yes"), ..served(Directive::yes_no("protected-mode", "no")) },
    served(Directive::int("tcp-backlog", "511", 0, INT)),
    served(Directive::int("tcp-keepalive", "300", 0, INT)),
    served(Directive::int("timeout", "0", 0, INT)),
    served(Directive::unset("unixsocket")),
    served(Directive::new("unixsocketperm", Kind::Octal { max: 0o777 }, "0")),
    served(Directive::unset("bind-source-addr")),
    served(Directive::int("socket-mark-id", "0", 0, UINT)),
    // TLS.
    served(Directive::int("tls-port", "0", 0, 65535)),
    served(Directive::yes_no("tls-replication", "no")),
    served(Directive::yes_no("tls-cluster", "no")),
    served(Directive::yes_no("tls-prefer-server-ciphers", "no")),
    served(Directive::yes_no("tls-session-caching", "yes")),
    served(Directive::unset("tls-ca-cert-dir")),
    served(Directive::unset("tls-ca-cert-file")),
    served(Directive::unset("tls-cert-file")),
    served(Directive::unset("tls-ciphers")),
    served(Directive::unset("tls-ciphersuites")),
    served(Directive::unset("tls-client-cert-file")),
    served(Directive::unset("tls-client-key-file")),
    served(Directive::unset("tls-client-key-file-pass")),
    served(Directive::unset("tls-dh-params-file")),
    served(Directive::unset("tls-key-file")),
    served(Directive::unset("tls-key-file-pass")),
    served(Directive::unset("tls-protocols")),
    served(Directive::words("tls-auth-clients", "yes", &["no", "yes", "optional"])),
    served(Directive::int("tls-session-cache-size", "20480", 0, INT)),
    served(Directive::int("tls-session-cache-timeout", "300", 0, INT)),
    // Limits of clients.
    served(Directive::int("maxclients", "10000", 1, UINT)),
    served(Directive::new(
        "client-output-buffer-limit",
        Kind::BufferLimits,
        "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
    )),
    served(Directive::memory("client-query-buffer-limit", "1gb", 1 << 20)),
    served(Directive::memory("proto-max-bulk-len", "512mb", 1 << 20)),
    // The process.
    Directive { default: None, ..served(Directive::new("dir", Kind::Dir, "")) },
    served(Directive::yes_no("daemonize", "no")),
    served(Directive::words("supervised", "no", &["upstart", "systemd", "auto", "no"])),
    served(Directive::unset("pidfile")),
    served(Directive::words("oom-score-adj", "no", &["no", "yes", "relative", "absolute"])),
    served(Directive::new("oom-score-adj-values", Kind::OomValues, "0 200 800")),
    served(Directive::unset("server_cpulist").aka(&["server-cpulist"])),
    served(Directive::yes_no("set-proc-title", "yes")),
    served(Directive::text(
        "proc-title-template",
        "{title} {listen-addr} {server-mode}",
        Check::TitleTemplate,
    )),
    served(Directive::new("hz", Kind::Hz, "10")),
    // The log. `nothing` is a level of Redis 7.2.
    served(Directive::new(
        "loglevel",
        Kind::Word { listed: &["debug", "verbose", "notice", "warning"], newer: &["nothing"] },
        "notice",
    )),
    served(Directive::text("logfile", "", Check::None)),
    served(Directive::yes_no("syslog-enabled", "no")),
    served(Directive::text("syslog-ident", "redis", Check::None)),
    served(Directive::words("syslog-facility", "local0", FACILITIES)),
    served(Directive::yes_no("always-show-logo", "no")),
    // Access.
    served(Directive::unset("requirepass")),
    served(Directive::text("aclfile", "", Check::None)),
    served(Directive::int("acllog-max-len", "128", 0, LONG)),
    served(Directive::words("acl-pubsub-default", "resetchannels", &["allchannels", "resetchannels"])),
];

const FACILITIES: &[&str] =
    &["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"];

const fn served(row: Directive) -> Directive {
    Directive { served: true, ..row }
}
