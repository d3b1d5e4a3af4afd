//! The disk is full, or not ours to write: what the Sentinel says, and that it never promises what it cannot keep.

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use support::fleet::NAME;
use support::node::text_of;
use support::{Kind, Node, Value, Watcher, World, is_root, skipped, wait_for};

const NOBODY: u32 = 65_534;
const SAVE_ERROR: &str = "ERR Failed to save config file. Check server logs.";

/// A running master, and a Sentinel for it that is not yet running.
fn guarded(world: &World) -> (Node, Node) {
    let mut master = world.data("master", &[]);
    master.start();
    let line = format!("sentinel monitor {NAME} 127.0.0.1 {} 2", master.port);
    let sentinel = world.sentinel("sentinel", Kind::Subject, &[line]);
    (master, sentinel)
}

/// Asks for a vote as a peer would; returns whom the answer names, and for which epoch.
fn ask_vote(sentinel: &Node, master: &Node, epoch: u64, candidate: char) -> (String, String) {
    let id = candidate.to_string().repeat(40);
    let port = master.port.to_string();
    let ask = ["SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", &port, &epoch.to_string(), &id];
    let answer = sentinel.call(&ask).texts();
    assert_eq!(answer.len(), 3, "{answer:?}");
    (answer[1].clone(), answer[2].clone())
}

fn id_of(candidate: char) -> String {
    candidate.to_string().repeat(40)
}

/// Puts the Sentinel's folder on a small disk that only it sees, so that nothing stays mounted afterwards.
/// Returns false, having said so, if this machine does not let us.
fn on_small_disk(sentinel: &mut Node) -> bool {
    let namespace = if is_root() { "--mount" } else { "-rm" };
    let probe = ["unshare", namespace, "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"];
    let possible = std::process::Command::new(probe[0]).args(&probe[1..]).status();
    if !possible.is_ok_and(|status| status.success()) {
        skipped("a full disk", "this user may not mount a file system, not even in a namespace of its own");
        return false;
    }
    let conf = sentinel.conf.display();
    let folder = sentinel.conf.parent().expect("a file has a folder").display().to_string();
    let outside = format!("{folder}.conf");
    fs::copy(&sentinel.conf, &outside).expect("a copy of the configuration");
    let setup = format!(
        "mount -t tmpfs -o size=64k none {folder} && cp {outside} {conf} && cd {folder} && exec \"$@\""
    );
    sentinel.prefix = ["unshare", namespace, "sh", "-c", &setup, "sh"].map(str::to_owned).to_vec();
    true
}

/// A path inside the Sentinel's own view of the file system.
fn inside(sentinel: &Node, name: &str) -> PathBuf {
    let folder = sentinel.conf.parent().expect("a file has a folder").display().to_string();
    PathBuf::from(format!("/proc/{}/root{folder}/{name}", sentinel.pid()))
}

/// Writes until nothing more fits.
fn fill(path: &PathBuf) {
    let mut file = fs::File::create(path).expect("a file on the small disk");
    while file.write_all(&[b'.'; 512]).is_ok() {}
}

#[test]
fn on_a_full_disk_saves_fail_aloud_and_no_vote_is_given() {
    let world = World::new();
    let (master, mut sentinel) = guarded(&world);
    if !on_small_disk(&mut sentinel) {
        return;
    }
    sentinel.start();
    let watcher = Watcher::subscribe(sentinel.port);
    assert_eq!(ask_vote(&sentinel, &master, 3, 'a'), (id_of('a'), "3".into()));

    let filler = inside(&sentinel, "filler");
    fill(&filler);
    let set = sentinel.call(&["SENTINEL", "SET", NAME, "quorum", "1"]);
    assert_eq!(set, Value::Error(SAVE_ERROR.into()));
    sentinel.wait_log("tmp config file");
    sentinel.wait_log(
        "WARNING: Sentinel was not able to save the new configuration on disk!!!: No space left on device",
    );
    // The change is in force all the same, and announced.
    assert_eq!(sentinel.call(&["SENTINEL", "MASTER", NAME]).field("quorum").as_deref(), Some("1"));
    wait_for("+set", 5, || watcher.saw("+set", "quorum 1"));
    // The file on disk is the last good one, whole, without remains of the attempts beside it.
    let saved = text_of(&inside(&sentinel, "sentinel.conf"));
    assert!(saved.contains(&format!("sentinel leader-epoch {NAME} 3")), "{saved}");
    assert!(saved.contains(&format!("127.0.0.1 {} 2", master.port)), "{saved}");
    let mut files: Vec<String> = fs::read_dir(inside(&sentinel, ""))
        .expect("the small disk")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, ["filler", "sentinel.conf"]);

    if sentinel.program.to_string_lossy().contains("redis-sentinel") {
        skipped("no vote on a full disk", "the reference gives it");
    } else {
        assert_eq!(ask_vote(&sentinel, &master, 4, 'b').0, "*", "a vote that a crash could erase");
        assert_eq!(ask_vote(&sentinel, &master, 4, 'c').0, "*", "a vote that a crash could erase");
    }
    fs::remove_file(&filler).expect("our own file");
    wait_for("votes to be given again", 10, || {
        let epoch = 5;
        let (leader, at) = ask_vote(&sentinel, &master, epoch, 'd');
        leader == id_of('d') && at == "5"
    });
    assert_eq!(sentinel.call(&["SENTINEL", "SET", NAME, "quorum", "2"]), Value::Simple("OK".into()));
    assert_eq!(sentinel.call(&["SENTINEL", "FLUSHCONFIG"]), Value::Simple("OK".into()));
    let saved = text_of(&inside(&sentinel, "sentinel.conf"));
    assert!(saved.contains(&format!("sentinel leader-epoch {NAME} 5")), "{saved}");
}

#[test]
fn no_epoch_is_voted_in_twice_whenever_the_crash_comes() {
    let world = World::new();
    let (master, mut sentinel) = guarded(&world);
    sentinel.start();
    for epoch in 1..=8 {
        let asked = ask_vote(&sentinel, &master, epoch, 'a');
        assert_eq!(asked, (id_of('a'), epoch.to_string()), "a fresh epoch is free");
        sentinel.kill9();
        sentinel.start();
        let (leader, _) = ask_vote(&sentinel, &master, epoch, 'b');
        assert_ne!(leader, id_of('b'), "epoch {epoch} was given to another before the crash");
        let saved = sentinel.conf_text();
        assert!(saved.contains(&format!("sentinel current-epoch {epoch}")), "{saved}");
        assert!(saved.contains(&format!("sentinel leader-epoch {NAME} {epoch}")), "{saved}");
    }
    let leftovers: Vec<_> = fs::read_dir(sentinel.conf.parent().expect("a folder"))
        .expect("the Sentinel's folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(leftovers.len() <= 2, "temporary files pile up: {leftovers:?}");
}

/// Puts `strace` in front of the Sentinel; returns where it writes, or `None` if it can't be used here.
fn traced(world: &World, sentinel: &mut Node) -> Option<PathBuf> {
    let trace = world.path("trace");
    let calls = "trace=fsync,rename,recvfrom,read,sendto,write,writev,sendmsg";
    let strace = ["strace", "-f", "-qq", "-s", "300", "-e", calls, "-o"].map(str::to_owned);
    let works = std::process::Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        skipped("what is on disk when a vote leaves", "strace is missing, or may not trace");
        return None;
    }
    sentinel.prefix = strace.to_vec();
    sentinel.prefix.push(trace.display().to_string());
    Some(trace)
}

#[test]
fn a_vote_leaves_only_when_file_and_folder_are_on_disk() {
    let world = World::new();
    let (master, mut sentinel) = guarded(&world);
    let Some(trace) = traced(&world, &mut sentinel) else { return };
    sentinel.start();
    assert_eq!(ask_vote(&sentinel, &master, 7, 'a').0, id_of('a'));
    let is_answer =
        |line: &str| line.contains(&format!("$40\\r\\n{}", id_of('a'))) && !line.contains("MASTER");
    wait_for("the answer in the trace", 10, || text_of(&trace).lines().any(is_answer));
    let text = text_of(&trace);
    let mut rest = text.lines().skip_while(|line| !line.contains("IS-MASTER-DOWN-BY-ADDR"));
    for step in ["fsync", "rename", "fsync"] {
        let done = rest.find(|line| is_answer(line) || line.contains(step) && line.ends_with("= 0"));
        assert!(done.is_some_and(|line| !is_answer(line)), "the vote left before {step}:\n{text}");
    }
}

/// Makes `sentinel` run as a user without rights, from a copy of the program which that user may read.
fn as_nobody(world: &World, sentinel: &mut Node) {
    if !is_root() {
        // Then the rights of files bind us as they are.
        return;
    }
    let name = sentinel.program.file_name().expect("a program").to_owned();
    let copy = world.folder("bin").join(name);
    // By another process: a test that forks beside us would inherit our open file, and a program that is open for
    // writing can't be run.
    let copied = std::process::Command::new("cp").arg(&sentinel.program).arg(&copy).status();
    assert!(copied.is_ok_and(|status| status.success()), "a copy of the program");
    sentinel.program = copy;
    chown(&sentinel.conf, Some(NOBODY), Some(NOBODY)).expect("root may give files away");
    let id = NOBODY.to_string();
    sentinel.prefix = ["--reuid", &id, "--regid", &id, "--clear-groups"].map(str::to_owned).to_vec();
}

fn mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own file");
}

#[test]
fn a_read_only_file_is_refused_at_start() {
    let world = World::new();
    let (_master, mut sentinel) = guarded(&world);
    as_nobody(&world, &mut sentinel);
    mode(&sentinel.conf, 0o444);
    sentinel.spawn();
    assert_eq!(sentinel.wait_end(10).code(), Some(1));
    let expected = format!(
        "Sentinel config file {} is not writable: Permission denied. Exiting...",
        sentinel.conf.display()
    );
    assert!(sentinel.log_text().contains(&expected), "{}", sentinel.log_text());
}

#[test]
fn a_missing_file_is_refused_at_start() {
    let world = World::new();
    let (_master, mut sentinel) = guarded(&world);
    fs::remove_file(&sentinel.conf).expect("our own file");
    sentinel.spawn();
    assert_eq!(sentinel.wait_end(10).code(), Some(1));
    let expected = format!("can't open config file '{}': No such file or directory", sentinel.conf.display());
    assert!(sentinel.log_text().contains(&expected), "{}", sentinel.log_text());
}

#[test]
fn an_unwritable_folder_does_not_stop_the_start_but_every_vote() {
    let world = World::new();
    let (master, mut sentinel) = guarded(&world);
    let folder = sentinel.conf.parent().expect("a folder").to_owned();
    as_nobody(&world, &mut sentinel);
    mode(&folder, 0o555);
    sentinel.start();
    sentinel.wait_log("Could not create tmp config file (Permission denied)");
    sentinel.wait_log(
        "WARNING: Sentinel was not able to save the new configuration on disk!!!: Permission denied",
    );
    let set = sentinel.call(&["SENTINEL", "SET", NAME, "quorum", "1"]);
    assert_eq!(set, Value::Error(SAVE_ERROR.into()));
    if !sentinel.program.to_string_lossy().contains("redis-sentinel") {
        assert_eq!(ask_vote(&sentinel, &master, 9, 'a').0, "*");
    }
    // The master is watched all the same.
    let flags = || sentinel.call(&["SENTINEL", "MASTER", NAME]).field("flags");
    wait_for("the master to be seen", 10, || flags().as_deref() == Some("master"));
    mode(&folder, 0o755);
}
