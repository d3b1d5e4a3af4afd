//! Order of evaluation, sources, values that saturate, and the texts that no table of errors covers.

use std::time::Duration;

use super::*;
use crate::conf::settings::{LogLevel, Supervised};
use crate::conf::tls::{AuthClients, KeyPair};
use crate::model::Epoch;

/// The reference case of spec 1 §3.4.
const REFERENCE_CASE: &str = "\
daemonize yes
port 7000
dir \"/tmp\"
sentinel monitor mymaster 127.0.0.1 6300 1
sentinel down-after-milliseconds mymaster 3000
sentinel failover-timeout mymaster 9000000
sentinel config-epoch mymaster 0
sentinel leader-epoch mymaster 0
";

#[test]
fn reference_case() {
    let Loaded { settings, remarks, users, .. } = load_text(REFERENCE_CASE).expect("valid");
    assert!(settings.server.daemonize);
    assert_eq!((settings.server.port, settings.server.dir.as_str()), (7000, "/tmp"));
    assert_eq!((settings.server.pidfile, settings.server.log_file.as_str()), (None, ""));
    let master = &settings.masters[0];
    assert_eq!((master.host.as_str(), master.port, master.quorum), ("127.0.0.1", 6300, 1));
    assert_eq!(master.down_after, Duration::from_secs(3));
    assert_eq!(master.failover_timeout, Duration::from_secs(9000));
    assert_eq!((remarks.len(), users.len()), (0, 0));
}

#[test]
fn an_empty_file_means_the_defaults() {
    let settings = load_text("").expect("valid").settings;
    let mut expect = Settings::default();
    expect.server.dir = "/start".into();
    expect.server.generic.insert("dir".into(), vec!["\"/start\"".into()]);
    assert_eq!(settings, expect);
    let server = &settings.server;
    assert_eq!((server.port, server.protected_mode), (26379, false));
    assert_eq!(server.bind, ["*", "-::*"]);
    assert_eq!(server.output_limit_pubsub.soft_for, Duration::from_secs(60));
    assert!(settings.sentinel.deny_scripts_reconfig);
}

#[test]
fn order_does_not_matter() {
    let text = "sentinel down-after-milliseconds m 5\nsentinel known-replica m db 1\nsentinel monitor m db 1 2\n\
                sentinel resolve-hostnames yes\nSentinel CONFIG-EPOCH m 7\nsentinel current-epoch 3\n";
    let settings = load_text(text).expect("valid").settings;
    assert_eq!(settings.masters[0].host, "db");
    assert_eq!(settings.masters[0].down_after, Duration::from_millis(5));
    assert_eq!(settings.sentinel.current_epoch, Epoch(7));
}

#[test]
fn typed_values() {
    let text = "PORT \"7001\"\nbind \"127.0.0.1 -::1\"\nunixsocket /s\nunixsocketperm 0770\nloglevel NOTHING\n\
                supervised auto\nclient-output-buffer-limit pubsub 1mb 2k 3 normal 1 1 1\nmaxclients 4064\n\
                oom-score-adj absolute\noom-score-adj-values 5 6 7\nrequirepass \"\\xff\"\nacl-pubsub-default allchannels\n\
                rename-command SHUTDOWN \"\"\nhz 9999\nmaxmemory 5\ntls-port 7\naclfile \"\"\nserver-cpulist 0-1\n";
    let loaded = load_text(text).expect("valid");
    let server = &loaded.settings.server;
    assert_eq!(server.bind, ["127.0.0.1", "-::1"]);
    assert_eq!((server.unix_socket.as_deref(), server.unix_socket_perm), (Some("/s"), Some(0o770)));
    assert_eq!((server.log_level, server.supervised), (LogLevel::Nothing, Supervised::Auto));
    assert_eq!((server.output_limit_pubsub.hard, server.output_limit_pubsub.soft), (1 << 20, 2000));
    assert_eq!(server.output_limit_normal.hard, 1);
    assert_eq!((server.max_clients, server.hz, server.tls.port), (4064, 500, 7));
    assert_eq!(server.oom_score_adj, Some((false, 5)));
    assert_eq!(server.requirepass.as_deref(), Some(&b"\xff"[..]));
    assert!(server.acl_pubsub_default_allow);
    assert_eq!(server.renamed_commands, [("shutdown".to_owned(), String::new())]);
    assert_eq!((server.acl_file.as_deref(), server.server_cpulist.as_deref()), (None, Some("0-1")));
    assert!(
        loaded.remarks.iter().any(|remark| remark.text.contains("less than 1MB (current value is 5 bytes)"))
    );
}

#[test]
fn odd_numbers_saturate() {
    let text = "sentinel monitor m 127.1 abc 99999999999\nsentinel down-after-milliseconds m 3000x\n\
                sentinel failover-timeout m 99999999999\nsentinel config-epoch m -1\nsentinel announce-port 99999\n";
    let Loaded { settings, remarks, .. } = load_text(text).expect("valid");
    let master = &settings.masters[0];
    assert_eq!((master.host.as_str(), master.port, master.quorum), ("127.0.0.1", 0, i32::MAX as u32));
    assert_eq!(master.down_after, Duration::from_secs(3));
    assert_eq!(master.failover_timeout, Duration::from_millis(i32::MAX as u64));
    assert_eq!((master.config_epoch, settings.sentinel.announce_port), (Epoch::ZERO, None));
    assert_eq!(remarks.len(), 1);
}

#[test]
fn includes_are_read_in_place() {
    let files = [
        ("/c", "loglevel debug\ndir /etc\ninclude a.conf\ninclude /none-*\ninclude /etc/b*\nport 3\n"),
        ("/etc/a.conf", "loglevel warning\nport 1"),
        ("/etc/b1", "timeout"),
        ("/etc/b2", " 5\nhz 20"),
    ];
    let settings = load_with(&files, &[]).expect("valid").settings;
    assert_eq!((settings.server.log_level, settings.server.port), (LogLevel::Warning, 3));
    assert_eq!((settings.server.timeout, settings.server.hz), (Duration::from_secs(5), 20));
}

#[test]
fn errors_name_the_real_place() {
    let files = [("/c", "\ninclude /d*\n"), ("/d1", "# x\n"), ("/d2", "port x\n")];
    let error = load_with(&files, &[]).expect_err("wrong").to_string();
    assert_eq!(
        error,
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 2\n>>> 'port x'\n\
         argument couldn't be parsed into an integer\n\
         In /d2, line 1: expected `port <number>` with a number from 0 to 65535.\n"
    );
    let error =
        load_with(&[("/c", "port 1\n")], &["--hz", "1", "--port", "x"]).expect_err("wrong").to_string();
    assert!(error.contains("at line 4\n>>> 'port \"x\"'\n"), "{error}");
    assert!(error.contains("In the command line, option line 2: expected"), "{error}");
    let error = load_with(&[("/c", "include /missing\n")], &[]).expect_err("wrong").to_string();
    assert_eq!(
        error,
        "Fatal error, can't open config file '/missing': No such file or directory\n\
         In /c, line 1: expected a readable file after `include`."
    );
    let error = load_with(&[("/c", "include /c\n")], &[]).expect_err("wrong").to_string();
    assert!(error.contains("Too many nested includes"), "{error}");
}

#[test]
fn standard_input_and_options_come_after_the_file() {
    let mut host = FakeHost::new(&[("/c", "port 1\nhz 1\ntimeout 1\n")]);
    let inputs = Inputs { path: Some("/c"), stdin: Some(b"port 2\nhz 2\n"), options: "port 3" };
    let server = load(&mut host, inputs).expect("valid").settings.server;
    assert_eq!((server.port, server.hz, server.timeout), (3, 2, Duration::from_secs(1)));
    assert_eq!(server.generic["port"], ["1"]);
    let nothing = load(&mut host, Inputs::default()).expect("no text is an empty text");
    assert_eq!(nothing.settings.masters, []);
    let faulty = load(&mut host, Inputs { stdin: Some(b"\nx"), ..Inputs::default() }).expect_err("wrong");
    assert!(faulty.to_string().contains("In standard input, line 2: expected"));
}

#[test]
fn users_are_handed_over_with_their_places() {
    let hashed = load_text("user bob on \">\\xff\"\n").expect("valid").settings.server.users;
    assert_eq!(hashed[0].1[1], "#a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89");
    let loaded = load_text("user bob >x ON\nuser \"a b\"\n").expect("valid");
    assert_eq!(loaded.settings.server.users[0], ("bob".into(), vec![">x".into(), "ON".into()]));
    let error = loaded.users[1].error("Spaces not allowed in ACL usernames").to_string();
    assert!(error.contains(">>> 'user \"a b\"'\nSpaces not allowed"), "{error}");

    struct Picky(FakeHost);
    impl Host for Picky {
        fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
            self.0.read(path)
        }
        fn glob(&mut self, pattern: &str) -> Vec<String> {
            self.0.glob(pattern)
        }
        fn change_dir(&mut self, path: &str) -> Result<(), String> {
            self.0.change_dir(path)
        }
        fn current_dir(&mut self) -> String {
            self.0.current_dir()
        }
        fn test_log_file(&mut self, path: &str) -> Result<(), String> {
            self.0.test_log_file(path)
        }
        fn is_executable(&mut self, path: &str) -> bool {
            self.0.is_executable(path)
        }
        fn check_user(&mut self, _: &str, rules: &[String]) -> Result<(), (usize, String)> {
            match rules.iter().position(|rule| rule == "foo") {
                Some(index) => Err((index, "Syntax error".into())),
                None => Ok(()),
            }
        }
    }
    let mut host = Picky(FakeHost::new(&[("/c", "user bob on foo\n")]));
    let error =
        load(&mut host, Inputs { path: Some("/c"), ..Inputs::default() }).expect_err("wrong").to_string();
    assert!(error.contains("Error in user declaration 'bob': Syntax error"), "{error}");
}

#[test]
fn the_line_that_set_a_directive_last_can_be_named_later() {
    let loaded = load_text("tls-port 1\n# x\ntls-port 7\n").expect("valid");
    assert_eq!(loaded.place_of("tls-port").map(ToString::to_string).as_deref(), Some("In /c, line 3"));
    assert_eq!(loaded.place_of("port"), None);
}

#[test]
fn what_is_said_of_tls_is_kept_together() {
    let tls = load_text("").expect("valid").settings.server.tls;
    assert!(!tls.is_wanted() && tls.own == KeyPair::default() && tls.protocols.is_none());
    assert_eq!((tls.auth_clients, tls.session_caching), (AuthClients::Yes, true));
    assert_eq!((tls.session_cache_size, tls.session_cache_timeout), (20_480, Duration::from_secs(300)));
    let text = "port 0\ntls-port 7\ntls-auth-clients Optional\ntls-client-cert-file /c.crt\n\
                tls-key-file-pass \"\\xff \"\ntls-ca-cert-dir \"\"\ntls-protocols \"TLSv1.2 TLSv1.3\"\n";
    let server = load_text(text).expect("valid").settings.server;
    assert_eq!(server.main_port(), 7);
    let tls = server.tls;
    assert!(tls.is_wanted() && tls.auth_clients == AuthClients::Optional && tls.ca_dir.is_none());
    assert_eq!(tls.own.key_pass.as_deref(), Some(&b"\xff "[..]));
    assert_eq!(tls.client.cert_file.as_deref(), Some("/c.crt"));
    assert_eq!(tls.protocols.as_deref(), Some("TLSv1.2 TLSv1.3"));
}

#[test]
fn damaged_by_the_reference_but_loadable() {
    let text = "sentinel monitor m 127.0.0.1 1 1\nsentinel known-slave m 127.0.0.1 2\n\
                sentinel known-replica m 127.0.0.1 2\n";
    let loaded = load_text(text).expect("tolerated");
    assert_eq!(loaded.settings.masters[0].replicas.len(), 1);
    assert!(loaded.remarks[0].text.contains("In /c, line 3: `sentinel known-replica m 127.0.0.1 2`"));
}
