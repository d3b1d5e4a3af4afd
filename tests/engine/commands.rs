//! What commands of operators answer and do (spec 3 §3.4).

use std::time::Duration;

use sentineld::conf::settings::LogLevel;
use sentineld::engine::Input;
use sentineld::wire::{Answer, Command, SentinelCommand as C};

use crate::lab::{Disk, Lab, MASTER, MY_ID, lab, lab_with};
use crate::stub::{Stub, master_info};

fn words(text: &[&str]) -> Vec<Vec<u8>> {
    text.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn set(lab: &mut Lab, text: &[&str]) -> String {
    lab.refusal(C::Set { name: MASTER.into(), words: words(text) })
}

fn monitor(lab: &mut Lab, name: &str, host: &str, port: i64, quorum: i64) -> String {
    lab.refusal(C::Monitor { name: name.into(), host: host.into(), port, quorum })
}

fn config_set(lab: &mut Lab, pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    lab.refusal(C::ConfigSet(pairs.collect()))
}

#[test]
fn unknown_masters_are_refused_everywhere() {
    let mut lab = lab(1, 0);
    let name = || "nobody".to_owned();
    for command in [
        C::Master(name()),
        C::Replicas(name()),
        C::Sentinels(name()),
        C::CheckQuorum(name()),
        C::Failover(name()),
        C::Remove(name()),
        C::Set { name: name(), words: words(&["quorum", "1"]) },
    ] {
        assert_eq!(lab.refusal(command), "ERR No such master with that name");
    }
    assert_eq!(lab.ask(C::GetMasterAddr(name())), Answer::MasterAddress(None));
    assert_eq!(lab.ask(C::InfoCache(vec![name()])), Answer::InfoCache(Vec::new()));
}

#[test]
fn set_applies_option_by_option_and_tells_of_each() {
    let mut lab = lab(1, 1);
    lab.mark();
    let options = [
        "down-after-milliseconds",
        "5000",
        "Failover-Timeout",
        "7000",
        "parallel-syncs",
        "3",
        "quorum",
        "4",
        "auth-pass",
        "secret",
        "auth-user",
        "bob",
        "rename-command",
        "PING",
        "PONK",
        "master-reboot-down-after-period",
        "9",
    ];
    assert_eq!(set(&mut lab, &options), "OK");
    let head = "+set master mymaster 127.0.0.1 6000";
    for (seen, expected) in lab.seen().into_iter().filter(|text| text.starts_with('+')).zip([
        "down-after-milliseconds 5000",
        "Failover-Timeout 7000",
        "parallel-syncs 3",
        "quorum 4",
        "auth-pass ******",
        "auth-user bob",
        "rename-command PING PONK",
        "master-reboot-down-after-period 9",
    ]) {
        assert_eq!(seen, format!("{head} {expected}"));
    }
    let saved = &lab.saved.masters[0];
    assert_eq!((saved.down_after, saved.failover_timeout), (Duration::from_secs(5), Duration::from_secs(7)));
    assert_eq!((saved.parallel_syncs, saved.quorum), (3, 4));
    assert_eq!(saved.renamed_commands, [("PING".to_owned(), "PONK".to_owned())]);
    assert_eq!(saved.reboot_down_after, Some(Duration::from_millis(9)));
    assert_eq!(set(&mut lab, &["rename-command", "ping", "PING", "auth-pass", "", "auth-user", ""]), "OK");
    let saved = &lab.saved.masters[0];
    assert!(saved.renamed_commands.is_empty() && saved.auth_pass.is_none() && saved.auth_user.is_none());
}

#[test]
fn set_refuses_in_the_words_of_the_reference_and_keeps_what_was_good() {
    let mut lab = lab(1, 1);
    let invalid =
        |value: &str, option: &str| format!("ERR Invalid argument '{value}' for SENTINEL SET '{option}'");
    let unknown =
        |option: &str| format!("ERR Unknown option or number of arguments for SENTINEL SET '{option}'");
    for option in ["down-after-milliseconds", "failover-timeout", "parallel-syncs", "quorum"] {
        for value in ["0", "-1", "x", "", "1.5", "01"] {
            assert_eq!(set(&mut lab, &[option, value]), invalid(value, option));
        }
    }
    assert_eq!(
        set(&mut lab, &["master-reboot-down-after-period", "-1"]),
        invalid("-1", "master-reboot-down-after-period")
    );
    assert_eq!(set(&mut lab, &["rename-command", "PING", ""]), invalid("", "rename-command"));
    assert_eq!(set(&mut lab, &["foo", "1"]), unknown("foo"));
    assert_eq!(set(&mut lab, &["quorum"]), unknown("quorum"));
    assert_eq!(set(&mut lab, &["rename-command", "PING"]), unknown("rename-command"));
    lab.mark();
    assert_eq!(set(&mut lab, &["quorum", "5", "Foo", "1", "parallel-syncs", "9"]), unknown("Foo"));
    assert_eq!(lab.count("+set"), 1);
    assert_eq!((lab.saved.masters[0].quorum, lab.saved.masters[0].parallel_syncs), (5, 1));
}

#[test]
fn script_paths_are_set_only_where_the_file_allows_it() {
    let denied = "ERR Reconfiguration of scripts path is denied for security reasons. Check the deny-scripts-reconfig \
                  configuration directive in your Sentinel configuration";
    let mut strict = lab(1, 0);
    assert_eq!(set(&mut strict, &["notification-script", ""]), denied);
    let mut lab = lab_with(1, 0, |settings| settings.sentinel.deny_scripts_reconfig = false);
    let bad = "ERR Notification script seems non existing or non executable";
    assert_eq!(set(&mut lab, &["notification-script", "/no"]), bad);
    let bad = "ERR Client reconfiguration script seems non existing or non executable";
    assert_eq!(set(&mut lab, &["client-reconfig-script", "/no"]), bad);
    let command = C::Set { name: MASTER.into(), words: words(&["notification-script", "/yes"]) };
    assert_eq!(lab.command(Command::Sentinel(command), &["/yes"]), Some(Answer::Ok));
    assert_eq!(lab.saved.masters[0].notification_script.as_deref(), Some("/yes"));
    assert_eq!(set(&mut lab, &["notification-script", ""]), "OK");
    assert_eq!(lab.saved.masters[0].notification_script, None);
}

#[test]
fn monitor_checks_in_the_order_of_the_reference() {
    let mut lab = lab(1, 0);
    assert_eq!(monitor(&mut lab, "m", "x", 70_000, 0), "ERR Quorum must be 1 or greater.");
    assert_eq!(monitor(&mut lab, "m", "x", 70_000, 1), "ERR Invalid IP address or hostname specified");
    assert_eq!(monitor(&mut lab, MASTER, "127.0.0.1", 70_000, 1), "ERR Invalid port number.");
    assert_eq!(monitor(&mut lab, MASTER, "127.0.0.1", 1, 1), "ERR Duplicate master name.");
    lab.mark();
    assert_eq!(monitor(&mut lab, "m", "127.0.0.1", 6500, 3), "OK");
    assert_eq!(lab.seen(), ["+monitor master m 127.0.0.1 6500 quorum 3"]);
    let saved = &lab.saved.masters[1];
    assert_eq!(
        (saved.down_after, saved.failover_timeout),
        (Duration::from_secs(30), Duration::from_secs(180))
    );
    assert_eq!(lab.addresses["m"], Some(("127.0.0.1".into(), 6500)));
    assert_eq!(lab.refusal(C::Remove("m".into())), "OK");
    assert_eq!(lab.seen()[1], "-monitor master m 127.0.0.1 6500");
    assert_eq!((lab.saved.masters.len(), lab.addresses["m"].clone()), (1, None));
}

#[test]
fn monitor_by_name_waits_for_its_address() {
    let mut lab = lab_with(1, 0, |settings| settings.sentinel.resolve_hostnames = true);
    let command = |name: &str| {
        let (name, host) = (name.to_owned(), "db.example".to_owned());
        Command::Sentinel(C::Monitor { name, host, port: 6500, quorum: 1 })
    };
    assert_eq!(lab.command(command("m"), &[]), None);
    lab.mark();
    lab.feed(Input::Resolved("db.example".into(), None));
    let refused = lab.answers.values().next_back().cloned();
    let Some(Answer::Error(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.to_string(), "ERR Invalid IP address or hostname specified");
    assert_eq!(lab.seen(), [""; 0], "said to who asked, and not logged");
    assert_eq!(lab.command(command("m"), &[]), None);
    let ip = "127.0.0.9".parse().ok();
    lab.mark();
    lab.feed(Input::Resolved("db.example".into(), ip));
    assert_eq!(lab.answers.values().next_back(), Some(&Answer::Ok));
    assert_eq!(lab.seen(), ["+monitor master m 127.0.0.9 6500 quorum 1"]);
    assert_eq!(lab.addresses["m"], Some(("127.0.0.9".into(), 6500)));
}

#[test]
fn nobody_connects_to_a_master_before_it_is_announced() {
    let mut lab = lab(1, 0);
    lab.disk = Disk::Hangs;
    assert_eq!(lab.command(Command::Sentinel(C::FlushConfig), &[]), None);
    let monitor = C::Monitor { name: "m".into(), host: "127.0.0.1".into(), port: 6500, quorum: 1 };
    lab.stubs.insert(6500, Stub::new(Some(master_info(6500, &[]))));
    assert_eq!(lab.command(Command::Sentinel(monitor), &[]), None);
    let saves: Vec<_> = lab.saves.iter().rev().take(2).map(|(revision, _)| *revision).collect();
    lab.mark();
    lab.feed(Input::Persisted(saves[1], Ok(())));
    lab.run(5_000);
    assert!(lab.seen().is_empty() && lab.open(6500).is_empty(), "an earlier save is not its own");
    lab.feed(Input::Persisted(saves[0], Ok(())));
    assert_eq!(lab.seen(), ["+monitor master m 127.0.0.1 6500 quorum 1"]);
    lab.run(1_000);
    assert!(!lab.open(6500).is_empty());
}

#[test]
fn what_can_not_be_saved_is_said_and_stays_active() {
    let failed = "ERR Failed to save config file. Check server logs.";
    let mut lab = lab(1, 0);
    lab.disk = Disk::Fails;
    assert_eq!(set(&mut lab, &["quorum", "3"]), failed);
    assert_eq!(monitor(&mut lab, "m", "127.0.0.1", 6500, 3), failed);
    assert_eq!(lab.refusal(C::FlushConfig), failed);
    assert_eq!(config_set(&mut lab, &[("announce-port", "5")]), failed);
    let Answer::Master(view) = lab.ask(C::Master(MASTER.into())) else { panic!() };
    assert_eq!(view.quorum, 3);
    assert_eq!(lab.refusal(C::Remove("m".into())), failed);
    assert_eq!(lab.ask(C::GetMasterAddr("m".into())), Answer::MasterAddress(None));
    lab.disk = Disk::Works;
    assert_eq!(lab.refusal(C::FlushConfig), "OK");
}

#[test]
fn config_is_read_by_pattern_and_written_all_or_nothing() {
    let mut lab = lab(1, 0);
    assert_eq!(config_set(&mut lab, &[("foo", "1")]), "ERR Invalid argument 'foo' to SENTINEL CONFIG SET");
    let bad = "ERR Invalid value '70000' to SENTINEL CONFIG SET 'announce-port'";
    assert_eq!(config_set(&mut lab, &[("announce-ip", "1.2.3.4"), ("announce-port", "70000")]), bad);
    let twice = "ERR Duplicate argument 'Announce-Port' to SENTINEL CONFIG SET";
    assert_eq!(config_set(&mut lab, &[("announce-port", "1"), ("Announce-Port", "2")]), twice);
    let bad = "ERR Invalid value 'maybe' to SENTINEL CONFIG SET 'resolve-hostnames'";
    assert_eq!(config_set(&mut lab, &[("resolve-hostnames", "maybe")]), bad);
    assert_eq!(lab.rereads, 0, "what is refused has no effect");
    assert_eq!(config_set(&mut lab, &[("announce-ip", "1.2.3.4"), ("resolve-hostnames", "YES")]), "OK");
    assert_eq!(lab.rereads, 1, "certificates are read again");
    let get = |lab: &mut Lab, pattern: &str| lab.ask(C::ConfigGet(vec![pattern.into()]));
    let values = |pairs: &[(&'static str, &str)]| {
        Answer::ConfigValues(pairs.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())).collect())
    };
    assert_eq!(get(&mut lab, "*IP"), values(&[("announce-ip", "1.2.3.4")]));
    assert_eq!(
        get(&mut lab, "*hostnames"),
        values(&[("resolve-hostnames", "yes"), ("announce-hostnames", "no")])
    );
    assert_eq!(get(&mut lab, "x*"), values(&[]));
    let bad = "ERR Invalid value 'loud' to SENTINEL CONFIG SET 'loglevel'";
    assert_eq!(config_set(&mut lab, &[("announce-ip", ""), ("loglevel", "loud")]), bad);
    assert_eq!(config_set(&mut lab, &[("LogLevel", "Warning"), ("announce-port", "7")]), "OK");
    assert_eq!(get(&mut lab, "log*"), values(&[("loglevel", "warning")]));
    assert_eq!(lab.saved.server.log_level, LogLevel::Warning);
    assert_eq!(lab.saved.server.generic["loglevel"], ["warning"]);
    let several = C::ConfigGet(vec!["announce-ip".into(), "log*".into(), "ANNOUNCE-*p*".into()]);
    let expected = values(&[("announce-ip", "1.2.3.4"), ("loglevel", "warning"), ("announce-port", "7")]);
    assert_eq!(lab.ask(several), expected, "each once, pattern by pattern");
}

#[test]
fn control_characters_are_refused_in_what_is_saved() {
    let mut lab = lab(1, 0);
    for bad in ["a\nb", "\r", "x\0", "\u{1b}[2J", "\t", "\u{7f}"] {
        assert_eq!(
            monitor(&mut lab, bad, "127.0.0.1", 6500, 1),
            "ERR Invalid master name: control characters are not allowed."
        );
        assert_eq!(monitor(&mut lab, "m", bad, 6500, 1), "ERR Invalid IP address or hostname specified");
        for option in ["auth-pass", "auth-user"] {
            let refused = format!("ERR Invalid argument '{bad}' for SENTINEL SET '{option}'");
            assert_eq!(set(&mut lab, &[option, bad]), refused);
        }
        let refused = format!("ERR Invalid argument '{bad}' for SENTINEL SET 'rename-command'");
        assert_eq!(set(&mut lab, &["rename-command", "PING", bad]), refused);
        assert_eq!(set(&mut lab, &["rename-command", bad, "PONG"]), refused);
        for option in ["announce-ip", "sentinel-user", "sentinel-pass"] {
            let refused = format!("ERR Invalid value '{bad}' to SENTINEL CONFIG SET '{option}'");
            assert_eq!(config_set(&mut lab, &[(option, bad)]), refused);
        }
    }
    assert_eq!(
        lab.ask(C::ConfigGet(vec!["announce-ip".into()])),
        Answer::ConfigValues(vec![("announce-ip", vec![])])
    );
    assert_eq!((lab.saved.masters.len(), lab.saved.masters[0].auth_pass.clone()), (1, None));
    assert_eq!(set(&mut lab, &["auth-pass", "with blank, \"quotes\" and é"]), "OK");
}

#[test]
fn debug_lists_and_changes_periods() {
    let mut lab = lab(1, 0);
    let debug = |lab: &mut Lab, text: &[&str]| lab.refusal(C::Debug(words(text)));
    let bad = "ERR Invalid argument '0' for SENTINEL DEBUG 'info-period'";
    assert_eq!(debug(&mut lab, &["ask-period", "7", "info-period", "0"]), bad);
    let unknown =
        |name: &str| format!("ERR Unknown option or number of arguments for SENTINEL DEBUG '{name}'");
    assert_eq!(debug(&mut lab, &["foo", "1"]), unknown("foo"));
    assert_eq!(debug(&mut lab, &["ping-period"]), unknown("ping-period"));
    let Answer::DebugValues(values) = lab.ask(C::Debug(Vec::new())) else { panic!() };
    assert_eq!((values.len(), values[0], values[2]), (13, ("INFO-PERIOD", 10_000), ("ASK-PERIOD", 7)));
    assert_eq!(debug(&mut lab, &["default-down-after", "123"]), "OK");
    assert_eq!(monitor(&mut lab, "m", "127.0.0.1", 6500, 1), "OK");
    assert_eq!(lab.saved.masters[1].down_after, Duration::from_millis(123));
}

#[test]
fn reset_forgets_all_but_settings_and_epochs() {
    let mut lab = lab(2, 2);
    lab.run(3_000);
    lab.kill(6000);
    lab.until("+sdown master", 1_100);
    lab.vote(4, "somebody");
    lab.stub(6001).mute = true;
    lab.stub(6002).mute = true;
    let before = lab.saved.clone();
    lab.mark();
    assert_eq!(lab.ask(C::Reset("nothing*".into())), Answer::Integer(0));
    assert_eq!(lab.ask(C::Reset("my[m]aster".into())), Answer::Integer(1));
    assert_eq!(lab.seen(), ["+reset-master master mymaster 127.0.0.1 6000"]);
    assert_eq!(lab.saved, before, "the file follows with the next change");
    let Answer::Master(view) = lab.ask(C::Master(MASTER.into())) else { panic!() };
    assert_eq!((view.num_replicas, view.num_other_sentinels), (0, 0));
    assert_eq!(view.instance.flags, ["master", "disconnected"]);
    assert!(view.info_refresh.is_some() && view.instance.run_id.is_empty());
    lab.until("+sdown master", 1_100);
    lab.until("+sdown master", 1);
    lab.run(6_000);
    assert!(lab.open(6001).is_empty() && lab.open(5001).is_empty());
}

#[test]
fn quorum_checks_count_the_living() {
    let mut lab = lab_with(0, 2, |settings| settings.masters[0].quorum = 3);
    lab.run(3_000);
    assert_eq!(lab.ask(C::CheckQuorum(MASTER.into())), Answer::QuorumReachable { usable: 3 });
    lab.kill(5001);
    lab.until("+sdown sentinel", 1_100);
    let quorum = "Not enough available Sentinels to reach the specified quorum for this master";
    let majority = "Not enough available Sentinels to reach the majority and authorize a failover";
    let answer = lab.refusal(C::CheckQuorum(MASTER.into()));
    assert_eq!(answer, format!("NOQUORUM 2 usable Sentinels. {quorum}"));
    lab.kill(5002);
    lab.run(1_100);
    let answer = lab.refusal(C::CheckQuorum(MASTER.into()));
    assert_eq!(answer, format!("NOQUORUM 1 usable Sentinels. {quorum}. {majority}"));
    set(&mut lab, &["quorum", "1"]);
    let answer = lab.refusal(C::CheckQuorum(MASTER.into()));
    assert_eq!(answer, format!("NOQUORUM 1 usable Sentinels. {majority}"));
}

#[test]
fn failures_are_simulated_on_request() {
    let mut lab = lab(1, 0);
    let simulate = |lab: &mut Lab, text: &[&str]| {
        lab.ask(C::SimulateFailure(text.iter().map(|word| (*word).to_owned()).collect()))
    };
    let bits = |lab: &mut Lab| match lab.command(Command::Info, &[]) {
        Some(Answer::Info(view)) => view.simulate_failure_flags,
        other => panic!("{other:?}"),
    };
    assert_eq!(simulate(&mut lab, &["crash-after-election", "Crash-After-Promotion"]), Answer::Ok);
    assert_eq!(bits(&mut lab), 3);
    assert_eq!(simulate(&mut lab, &["help", "crash-after-election"]), Answer::SimulateFailureHelp);
    assert_eq!(bits(&mut lab), 0);
    let refused = lab.refusal(C::SimulateFailure(vec!["crash-after-promotion".into(), "x".into()]));
    assert_eq!((refused.as_str(), bits(&mut lab)), ("ERR Unknown failure simulation specified", 2));
}

#[test]
fn simple_questions_have_simple_answers() {
    let mut lab = lab(1, 1);
    assert_eq!(lab.command(Command::Ping, &[]), Some(Answer::Pong));
    assert_eq!(lab.command(Command::Role, &[]), Some(Answer::Role(vec![MASTER.into()])));
    assert_eq!(lab.ask(C::MyId), Answer::MyId(MY_ID.into()));
    lab.run(3_000);
    let Answer::InfoCache(entries) = lab.ask(C::InfoCache(vec![MASTER.into(), MASTER.into()])) else {
        panic!()
    };
    assert_eq!((entries.len(), entries[0].1.len()), (1, 2));
    assert_eq!(entries[0].1[0].age_ms, 3_000);
    let Answer::Sentinels(peers) = lab.ask(C::Sentinels(MASTER.into())) else { panic!() };
    assert_eq!((peers[0].instance.flags.clone(), peers[0].voted_leader.clone()), (vec!["sentinel"], None));
}

#[test]
fn a_master_can_be_removed_in_the_middle_of_its_failover() {
    for until in ["+try-failover", "+failover-state-wait-promotion", "+slave-reconf-sent"] {
        let mut lab = lab(2, 0);
        lab.stub(6002).obeys = false;
        lab.stub(6001).obeys = until == "+slave-reconf-sent";
        lab.run(3_000);
        lab.mark();
        if until == "+try-failover" {
            lab.disk = Disk::Hangs;
        }
        lab.kill(6000);
        lab.until(until, 2_000);
        lab.disk = Disk::Works;
        lab.mark();
        assert_eq!(lab.refusal(C::Remove(MASTER.into())), "OK");
        lab.save_all();
        lab.run(30_000);
        assert_eq!(lab.ask(C::Masters), Answer::Masters(Vec::new()));
        assert_eq!(lab.count("+switch-master"), 0);
    }
}
