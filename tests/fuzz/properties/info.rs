//! INFO: any text is read, within bounds, into words that a configuration file can hold; lines of no interest change nothing; and an
//! engine that gets it as the report of its master and replica stays sound.

use sentineld::wire::{InfoReport, Role};

use super::pieces::measured;
use super::stand::Stand;

/// Reads an input as the answer to INFO.
pub fn check(input: &[u8]) {
    let report = measured(input.len(), || InfoReport::parse(input));
    assert_eq!(&report.text[..], input);
    check_words(&report);
    assert_eq!(without_text(InfoReport::parse(&written(&report))), without_text(report.clone()));
    let before = [b"# Section\r\nrun_idx:1\r\n\r\nrole_of:slave\r\n".as_slice(), input].concat();
    let after = [input, b"\r\nslaves:2\r\nslavex:ip=1.1.1.1,port=1,x\r\nmaster:1\r\n:\r\n"].concat();
    for padded in [before, after] {
        assert_eq!(without_text(InfoReport::parse(&padded)), without_text(report.clone()));
    }
    // With names and without, as the input has it.
    let mut stand = Stand::new(input.len() % 2 == 1, Some(report));
    stand.run(1_100);
    stand.check();
}

fn check_words(report: &InfoReport) {
    let ids = [&report.run_id, &report.master_host, &report.repl_id, &report.repl_id2];
    let hosts = report.replicas.iter().map(|(host, _)| host);
    for word in ids.into_iter().flatten().chain(hosts) {
        assert!(!word.is_empty());
        assert!(
            !word.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"' || c == '\''),
            "{word:?}"
        );
    }
    assert!(report.run_id.as_ref().is_none_or(|id| id.len() == 40));
    assert!(report.master_port.is_none_or(|port| port != 0));
    assert!(report.replicas.iter().all(|(_, port)| *port != 0));
    if report.role.is_none() {
        assert_eq!((&report.master_host, report.master_port, report.priority), (&None, None, None));
    }
}

fn without_text(report: InfoReport) -> InfoReport {
    InfoReport { text: [].into(), ..report }
}

/// The report as the plainest text that says the same.
fn written(report: &InfoReport) -> Vec<u8> {
    let mut text = String::new();
    let mut line = |name: &str, value: Option<String>| {
        text.extend(value.map(|value| format!("{name}:{value}\r\n")));
    };
    let flag = |flag: bool| u8::from(flag).to_string();
    line("run_id", report.run_id.clone());
    for (index, (host, port)) in report.replicas.iter().enumerate() {
        line(&format!("slave{index}"), Some(format!("ip={host},port={port},state=online")));
    }
    line("role", report.role.map(|_| "slave".to_owned()));
    line("master_host", report.master_host.clone());
    line("master_port", report.master_port.map(|port| port.to_string()));
    line("master_link_status", report.master_link_up.map(|up| if up { "up" } else { "down" }.to_owned()));
    line("master_link_down_since_seconds", report.master_link_down_since.map(|since| since.to_string()));
    line("slave_priority", report.priority.map(|priority| priority.to_string()));
    line("slave_repl_offset", report.repl_offset.map(|offset| offset.to_string()));
    line("replica_announced", report.announced.map(flag));
    line("master_replid", report.repl_id.clone());
    line("master_replid2", report.repl_id2.clone());
    line("master_repl_offset", report.master_repl_offset.map(|offset| offset.to_string()));
    line("loading", Some(flag(report.loading)));
    line("master_sync_in_progress", Some(flag(report.sync_in_progress)));
    line("role", report.role.filter(|role| *role == Role::Master).map(|_| "master".to_owned()));
    text.into_bytes()
}
