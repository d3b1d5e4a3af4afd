//! The operator's scripts: called with the right words, watched, and never in the way of a failover.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use support::fleet::{NAME, PATIENT_MS, Plan, timing};
use support::node::text_of;
use support::{Fleet, Kind, Value, Watcher, World, wait_for};

/// An executable shell script that appends its arguments to `NAME.out`, in one line, and then does `more`.
fn script(world: &World, name: &str, more: &str) -> (PathBuf, PathBuf) {
    let out = world.path(&format!("{name}.out"));
    let text = format!("#!/bin/sh\necho \"$@\" >> '{}'\n{more}\n", out.display());
    let path = world.write(name, &text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
    (path, out)
}

fn set_script(fleet: &Fleet, sentinel: usize, option: &str, path: &Path) {
    let path = path.display().to_string();
    let set = fleet.sentinels[sentinel].call(&["SENTINEL", "SET", NAME, option, &path]);
    assert_eq!(set, Value::Simple("OK".into()));
}

fn has_line(file: &Path, line: &str) -> bool {
    text_of(file).lines().any(|l| l == line)
}

#[test]
fn scripts_hear_of_a_failover_on_leader_and_observers() {
    let mut fleet = Fleet::start(&Plan {
        sentinels: vec![Kind::Subject; 2],
        sentinel_lines: |i| {
            let mut lines = timing(if i == 0 { PATIENT_MS } else { 60_000 }, 10_000);
            lines.push("sentinel deny-scripts-reconfig no".into());
            lines
        },
        quorum: |_| 1,
        ..Plan::default()
    });
    let (told, told_out) = script(&fleet.world, "told", "");
    let (leads, leads_out) = script(&fleet.world, "leads", "");
    let (sees, sees_out) = script(&fleet.world, "sees", "exit 3");
    set_script(&fleet, 0, "notification-script", &told);
    set_script(&fleet, 0, "client-reconfig-script", &leads);
    set_script(&fleet, 1, "client-reconfig-script", &sees);
    let watcher = Watcher::subscribe(fleet.sentinels[1].port);
    fleet.data[0].kill9();
    let new = fleet.wait_failover(0);
    let (old_port, new_port) = (fleet.data[0].port, fleet.data[new].port);
    let moved = |role: &str| format!("{NAME} {role} start 127.0.0.1 {old_port} 127.0.0.1 {new_port}");
    wait_for("the leader's script", 10, || has_line(&leads_out, &moved("leader")));
    wait_for("the observer's script", 10, || has_line(&sees_out, &moved("observer")));
    for line in [
        format!("+sdown master {NAME} 127.0.0.1 {old_port}"),
        format!("+odown master {NAME} 127.0.0.1 {old_port} #quorum 1/1"),
        format!("+switch-master {}", fleet.switch_text(0, new)),
    ] {
        wait_for(&line, 10, || has_line(&told_out, &line));
    }
    // A notice is no reason to wake anybody.
    assert!(!text_of(&told_out).contains("+slave "), "{}", text_of(&told_out));
    let failed = format!("{} 0 3", sees.display());
    wait_for("the complaint about exit code 3", 10, || watcher.saw("-script-error", &failed));
}

#[test]
fn a_script_that_hangs_delays_nothing() {
    let mut fleet = Fleet::start(&Plan {
        sentinels: vec![Kind::Subject],
        replicas: 1,
        sentinel_lines: |_| {
            let mut lines = timing(PATIENT_MS, 10_000);
            lines.push("sentinel deny-scripts-reconfig no".into());
            lines
        },
        quorum: |_| 1,
        ..Plan::default()
    });
    // With `exec` the sleeper is the script itself, and dies with it.
    let (hangs, out) = script(&fleet.world, "hangs", "exec sleep 50");
    set_script(&fleet, 0, "notification-script", &hangs);
    fleet.data[0].kill9();
    fleet.wait_failover(0);
    wait_for("the script to have been started", 10, || !text_of(&out).is_empty());
    let running = || {
        let pending = fleet.sentinels[0].call(&["SENTINEL", "PENDING-SCRIPTS"]);
        let mut jobs = pending.items().to_vec();
        jobs.retain(|job| job.field("flags").as_deref() == Some("running"));
        jobs
    };
    // What is only being started counts as scheduled, as it has no pid yet.
    let pid_of = |job: &Value| job.field("pid").and_then(|pid| pid.parse().ok()).filter(|pid| *pid > 1);
    wait_for("a script that runs", 10, || !running().is_empty());
    for job in running() {
        let pid = pid_of(&job).expect("what runs has a pid");
        let argv = job.items().chunks(2).find(|pair| pair[0].text() == "argv").expect("argv")[1].texts();
        assert_eq!(argv[0], hangs.display().to_string());
        // Its end is ours to bring about: the script outlives even its Sentinel.
        drop(support::node::Daemon(pid));
    }
}

#[test]
fn scripts_cannot_be_set_by_clients_unless_the_file_says_so() {
    let fleet =
        Fleet::start(&Plan { sentinels: vec![Kind::Subject], replicas: 0, quorum: |_| 1, ..Plan::default() });
    let denied = fleet.sentinels[0].call(&["SENTINEL", "SET", NAME, "notification-script", "/bin/true"]);
    assert!(denied.text().starts_with("ERR Reconfiguration of scripts path is denied"), "{denied:?}");
}
