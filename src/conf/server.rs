//! The generic directives that matter, from canonical text to typed fields.
//!
//! Parsing and checking happened before: every text here is what `directive` made, so reading it cannot fail.

use std::collections::BTreeMap;
use std::time::Duration;

use super::directive::{self, Lines};
use super::number;
use super::origins::Origins;
use super::settings::{BufferLimit, LogLevel, ServerSettings, Supervised};
use super::tls::{AuthClients, KeyPair, TlsSettings};
use crate::text::number::parse_integer;
use crate::text::words;

/// Canonical values by primary name, all names present.
pub(super) struct Values<'a>(pub &'a BTreeMap<String, Lines>);

impl Values<'_> {
    fn word(&self, name: &str) -> &str {
        self.0.get(name).and_then(|lines| lines.first()).map_or("", String::as_str)
    }

    fn yes(&self, name: &str) -> bool {
        self.word(name) == "yes"
    }

    fn int<T: TryFrom<i64>>(&self, name: &str) -> T {
        let value = parse_integer(self.word(name).as_bytes()).and_then(|value| T::try_from(value).ok());
        value.expect("the table's bounds fit the type")
    }

    fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs(self.int(name))
    }

    pub fn memory(&self, name: &str) -> u64 {
        number::memory(self.word(name).as_bytes()).expect("canonical sizes are sizes")
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        words::split(self.word(name).as_bytes()).expect("canonical text is balanced").pop()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|bytes| String::from_utf8(bytes).expect("checked to be UTF-8 when read"))
    }

    /// A text that is only shown: bytes that are no UTF-8 need not be.
    fn shown(&self, name: &str) -> String {
        self.bytes(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn buffer_limit(&self, class: usize) -> BufferLimit {
        let line = &self.0["client-output-buffer-limit"][class];
        let mut words =
            line.split(' ').skip(1).map(|word| number::memory(word.as_bytes()).expect("canonical sizes"));
        let mut next = || words.next().expect("four words");
        BufferLimit { hard: next(), soft: next(), soft_for: Duration::from_secs(next()) }
    }

    fn oom_score_adj(&self) -> Option<(bool, i32)> {
        let relative = match self.word("oom-score-adj") {
            "no" => return None,
            mode => mode != "absolute",
        };
        let first = self.word("oom-score-adj-values").split(' ').next().expect("three numbers");
        Some((relative, first.parse().expect("a small number")))
    }

    fn tls(&self) -> TlsSettings {
        TlsSettings {
            port: self.int("tls-port"),
            replication: self.yes("tls-replication"),
            cluster: self.yes("tls-cluster"),
            own: KeyPair {
                cert_file: self.text("tls-cert-file"),
                key_file: self.text("tls-key-file"),
                key_pass: self.bytes("tls-key-file-pass"),
            },
            client: KeyPair {
                cert_file: self.text("tls-client-cert-file"),
                key_file: self.text("tls-client-key-file"),
                key_pass: self.bytes("tls-client-key-file-pass"),
            },
            ca_file: self.text("tls-ca-cert-file"),
            ca_dir: self.text("tls-ca-cert-dir"),
            auth_clients: match self.word("tls-auth-clients") {
                "no" => AuthClients::No,
                "optional" => AuthClients::Optional,
                _ => AuthClients::Yes,
            },
            protocols: self.text("tls-protocols"),
            ciphers: self.text("tls-ciphers"),
            ciphersuites: self.text("tls-ciphersuites"),
            prefer_server_ciphers: self.yes("tls-prefer-server-ciphers"),
            session_caching: self.yes("tls-session-caching"),
            session_cache_size: self.int("tls-session-cache-size"),
            session_cache_timeout: self.seconds("tls-session-cache-timeout"),
            dh_params_file: self.text("tls-dh-params-file"),
        }
    }

    /// The typed settings; what is not in the values (users, renamed commands, origins) is empty.
    pub fn server(&self) -> ServerSettings {
        let bind = words::split(self.word("bind").as_bytes()).expect("canonical text is balanced");
        ServerSettings {
            port: self.int("port"),
            bind: bind.into_iter().filter(|word| !word.is_empty()).map(utf8).collect(),
            protected_mode: self.yes("protected-mode"),
            tcp_backlog: self.int("tcp-backlog"),
            tcp_keepalive: self.seconds("tcp-keepalive"),
            timeout: self.seconds("timeout"),
            unix_socket: self.text("unixsocket"),
            unix_socket_perm: u32::from_str_radix(self.word("unixsocketperm"), 8)
                .ok()
                .filter(|mode| *mode != 0),
            bind_source_addr: self.text("bind-source-addr"),
            socket_mark: self.int("socket-mark-id"),
            max_clients: self.int("maxclients"),
            output_limit_normal: self.buffer_limit(0),
            output_limit_pubsub: self.buffer_limit(2),
            query_buffer_limit: self.memory("client-query-buffer-limit"),
            max_bulk_len: self.memory("proto-max-bulk-len"),
            dir: self.text("dir").unwrap_or_default(),
            daemonize: self.yes("daemonize"),
            supervised: match self.word("supervised") {
                "upstart" => Supervised::Upstart,
                "systemd" => Supervised::Systemd,
                "auto" => Supervised::Auto,
                _ => Supervised::No,
            },
            pidfile: self.text("pidfile"),
            log_level: LogLevel::from_name(self.word("loglevel").as_bytes())
                .expect("the table's words are the levels"),
            log_file: self.text("logfile").unwrap_or_default(),
            syslog_enabled: self.yes("syslog-enabled"),
            syslog_ident: self.shown("syslog-ident"),
            syslog_facility: self.word("syslog-facility").to_owned(),
            always_show_logo: self.yes("always-show-logo"),
            set_proc_title: self.yes("set-proc-title"),
            proc_title_template: self.shown("proc-title-template"),
            requirepass: self.bytes("requirepass"),
            users: Vec::new(),
            acl_file: self.text("aclfile").filter(|path| !path.is_empty()),
            acl_log_max_len: self.int("acllog-max-len"),
            acl_pubsub_default_allow: self.word("acl-pubsub-default") == "allchannels",
            renamed_commands: Vec::new(),
            tls: self.tls(),
            oom_score_adj: self.oom_score_adj(),
            server_cpulist: self.text("server_cpulist"),
            hz: self.int("hz"),
            generic: self.0.clone(),
            origins: Origins::default(),
        }
    }
}

fn utf8(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("checked to be UTF-8 when read")
}

impl Default for ServerSettings {
    /// What an empty file means in Sentinel mode; `dir` is empty.
    fn default() -> Self {
        Values(&directive::all().map(|row| (row.name.to_owned(), row.default_lines())).collect()).server()
    }
}
