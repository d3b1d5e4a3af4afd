//! Debian's service integration, unchanged, with sentineld in the binary's place: unit, init script, configuration and
//! log rotation do the same for it as for the reference.

mod support;

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use support::machine::Machine;
use support::node::text_of;
use support::{Kind, World, skipped, wait_for};

const DEBIANS_UNIT: &str = "/lib/systemd/system/redis-sentinel.service";

/// The settings of a unit file, in order.
struct Unit(Vec<(String, String)>);

impl Unit {
    fn read(path: &Path) -> Unit {
        let text = text_of(path);
        let settings =
            text.lines().filter(|l| !l.starts_with(['#', ';', '['])).filter_map(|l| l.split_once('='));
        Unit(settings.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    /// The only value of a key.
    fn get(&self, key: &str) -> &str {
        let mut found = self.all(key);
        match (found.pop(), found.pop()) {
            (Some(value), None) => value,
            _ => panic!("{key} was expected once"),
        }
    }

    fn all(&self, key: &str) -> Vec<&str> {
        self.0.iter().filter(|(k, _)| k == key).map(|(_, v)| v.as_str()).collect()
    }

    /// Every word of all values of a key.
    fn words(&self, key: &str) -> Vec<&str> {
        self.all(key).into_iter().flat_map(str::split_whitespace).collect()
    }
}

fn our_unit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/sentineld.service")
}

/// Starts a unit's command line as systemd would: with its user, limits, rights, and view of the file system.
///
/// Everything is read-only and nothing may be executed but what the unit lists; /tmp, /home and /root are empty.
fn start_unit(machine: &Machine, unit: &Unit) -> Child {
    let program = unit.get("ExecStart").split(' ').next().expect("a program");
    let (user, group) = (unit.get("User"), unit.get("Group"));
    let folder = format!("/run/{}", unit.get("RuntimeDirectory"));
    assert_eq!(unit.words("NoExecPaths"), ["/"]);
    assert!(unit.words("ExecPaths").contains(&program));
    let libraries = unit.words("ExecPaths").into_iter().filter(|path| path.contains("/lib"));
    let libraries = libraries.map(|path| path.trim_start_matches('-')).collect::<Vec<_>>().join(" ");
    let writable = [unit.words("ReadWritePaths"), unit.words("ReadWriteDirectories")].concat().join(" ");
    for path in ["/etc/redis", "/var/lib/redis", "/var/log/redis"] {
        assert!(writable.contains(path), "{path} in {writable}");
    }
    // The last two steps need mount and setpriv, from a place where they may be executed.
    let setup = format!(
        "set -e; mkdir -p {folder}; chown {user}:{group} {folder}; chmod {mode} {folder}; cd {root}
         cp -L /usr/bin/setpriv /usr/bin/mount bin/; cp redis-sentinel bin/$(basename {program})
         for path in {libraries}; do path=$(readlink -f $path) && mount --bind $path $path; done
         mount -t proc -o hidepid=invisible proc /proc
         mount --bind bin /usr/bin; cd /
         for path in /tmp /home /root; do mount -t tmpfs -o mode=1777 none $path; done
         hash -r; umask {umask}; ulimit -n {files} 2>/dev/null || ulimit -n $(ulimit -H -n)
         mount -o remount,bind,ro,noexec /
         exec setpriv --reuid {user} --regid {group} --init-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
             --ambient-caps=-all -- {command}",
        mode = unit.get("RuntimeDirectoryMode"),
        root = machine.root.display(),
        umask = unit.get("UMask"),
        files = unit.get("LimitNOFILE"),
        command = unit.get("ExecStart"),
    );
    let mut command = machine.command("exec unshare --mount sh -c \"$SETUP\"");
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin").env("LANG", "C.UTF-8");
    command.env("NOTIFY_SOCKET", "/run/notify").env("SETUP", setup);
    command.spawn().expect("nsenter (util-linux) runs")
}

/// The next message to the service manager; the end of the service is none.
#[track_caller]
fn next_notice(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 4096];
    let len = socket.recv(&mut buffer).expect("a message to the service manager");
    String::from_utf8_lossy(&buffer[..len]).into_owned()
}

/// What can be seen of a running service from outside.
fn observe(machine: &Machine, pid: &str) -> String {
    let lines = [
        "stat -c '%a %U:%G %n' /run/sentinel /run/sentinel/redis-sentinel.pid /etc/redis/sentinel.conf"
            .to_owned(),
        "stat -c '%a %U:%G %n' /var/log/redis/redis-sentinel.log; ls -A /var/lib/redis /etc/redis".to_owned(),
        format!("grep -E '^(Uid|Gid|Groups|NoNewPrivs|Umask|Cap(Inh|Prm|Eff|Bnd|Amb)):' /proc/{pid}/status"),
        format!("grep 'open files' /proc/{pid}/limits; readlink /proc/{pid}/cwd; ps -o args= -p {pid}"),
        "redis-cli -p 26379 ping; redis-cli -p 26379 sentinel get-master-addr-by-name mymaster".to_owned(),
        "redis-cli -p 26379 sentinel set mymaster quorum 3; grep ^protected-mode /etc/redis/sentinel.conf"
            .to_owned(),
        "redis-cli -p 26379 sentinel flushconfig; grep -c quorum /var/log/redis/redis-sentinel.log"
            .to_owned(),
    ];
    lines.iter().map(|line| machine.tells(line).0).collect()
}

/// Starts, uses, reloads, stops and restarts a service; returns everything that could be seen of it.
fn life_of(world: &World, name: &str, kind: Kind, unit: &Unit) -> Vec<String> {
    let machine = Machine::boot(world, name, kind);
    let socket = UnixDatagram::bind(machine.root.join("run/notify")).expect("a socket");
    machine.run("chmod 777 /run/notify");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket option");
    let mut seen = Vec::new();
    for _ in 0..2 {
        let mut service = start_unit(&machine, unit);
        while seen.last().is_none_or(|last: &String| !last.lines().any(|l| l == "READY=1")) {
            seen.push(next_notice(&socket));
        }
        let pidfile = unit.get("PIDFile");
        wait_for("the pid file", 10, || machine.run(&format!("grep . {pidfile}")).status.success());
        let pid = machine.tells(&format!("cat {pidfile}")).0.trim().to_owned();
        seen.push(observe(&machine, &pid));
        // Debian's unit has no ExecReload. A SIGHUP by hand must change nothing that can be seen, and tell systemd nothing.
        let reload = unit.all("ExecReload").pop().unwrap_or("kill -HUP $MAINPID");
        assert_eq!(machine.tells(&format!("MAINPID={pid}; {reload}")), (String::new(), Some(0)), "{reload}");
        assert_eq!(machine.tells("redis-cli -p 26379 ping").0, "PONG\n", "{name} after a reload");
        machine.run(&format!("kill -TERM {pid}"));
        seen.push(next_notice(&socket));
        let mut status = None;
        wait_for("the end of the service", 10, || {
            status = service.try_wait().expect("our own child can be waited for");
            status.is_some()
        });
        seen.push(format!("{:?}; pid file: {:?}", status, machine.tells(&format!("cat {pidfile}"))));
    }
    socket.set_nonblocking(true).expect("a socket option");
    assert!(socket.recv(&mut [0; 1]).is_err(), "{name}: a message after the last one");
    seen
}

#[test]
fn debians_unit_and_ours_start_notify_and_stop_it() {
    if let Some(reason) = Machine::lacks() {
        skipped("the systemd units", reason);
        return;
    }
    let world = World::new();
    let debians = Unit::read(Path::new(DEBIANS_UNIT));
    assert_eq!(debians.get("Type"), "notify");
    let theirs = life_of(&world, "reference", Kind::Reference, &debians);
    assert!(theirs.iter().any(|step| step == "STOPPING=1\n"), "{theirs:#?}");
    assert!(theirs.iter().any(|step| step.contains("PONG\n127.0.0.1\n6379\nOK\n")), "{theirs:#?}");
    let in_place = life_of(&world, "subject", Kind::Subject, &debians);
    assert_eq!(in_place, theirs, "Debian's unit");
    if Kind::Subject.is_reference() {
        // Under our unit's name for it, it would be no Sentinel.
        return;
    }
    let own = life_of(&world, "own-unit", Kind::Subject, &Unit::read(&our_unit()));
    let renamed = |step: &String| step.replace("/usr/bin/sentineld", "/usr/bin/redis-sentinel");
    assert_eq!(own.iter().map(renamed).collect::<Vec<_>>(), theirs, "our unit");
}

#[test]
fn both_units_are_verified_by_systemd() {
    let world = World::new();
    let root = world.folder("root");
    let sh = |line: &str| Command::new("sh").args(["-ec", line, "sh"]).arg(&root).output().expect("a shell");
    // The units name programs where they will be installed: a root folder of its own has them there.
    let tree = format!(
        "mkdir -p $1/etc/systemd/system $1/usr/bin && cp {} {DEBIANS_UNIT} $1/etc/systemd/system/ \
         && cp -L {} $1/usr/bin/sentineld && cp -L {1} $1/usr/bin/redis-sentinel \
         && cp -L /usr/bin/kill $1/usr/bin/ && cp -r /lib/systemd/system/*.target /lib/systemd/system/*.slice $1/etc/systemd/system/",
        our_unit().display(),
        Kind::Subject.program().display()
    );
    let made = sh(&tree);
    assert!(made.status.success(), "{made:?}");
    for unit in ["redis-sentinel.service", "sentineld.service"] {
        let verified = sh(&format!("systemd-analyze verify --man=no --root=$1 {unit} 2>&1"));
        assert!(verified.status.success() && verified.stdout.is_empty(), "{unit}: {verified:?}");
    }
    // And it does find faults there.
    for unit in ["redis-sentinel.service", "sentineld.service"] {
        let broken = format!("sed -i s/^Type=notify/Type=nothing/ $1/etc/systemd/system/{unit}");
        assert!(sh(&broken).status.success());
        let verified = sh(&format!("systemd-analyze verify --man=no --root=$1 {unit} 2>&1"));
        assert!(!verified.stdout.is_empty(), "{unit} is broken, and nobody notices");
    }
}

/// The names that systemd's filter sets stand for.
fn calls_in(sets: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for set in sets {
        let output = Command::new("systemd-analyze").args(["syscall-filter", set]).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let members: Vec<&str> =
            text.lines().skip(1).map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
        assert!(!members.is_empty(), "{set} is empty: {text}");
        for member in members {
            if member.starts_with('@') {
                names.extend(calls_in(&[member]));
            } else {
                names.insert(member.to_owned());
            }
        }
    }
    names
}

#[test]
fn it_uses_no_system_call_that_the_units_forbid() {
    let traces = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    let reason = Machine::lacks().or((!traces.is_ok_and(|s| s.success())).then_some("strace can't be used"));
    if let Some(reason) = reason {
        skipped("the system calls that the units allow", reason);
        return;
    }
    for unit in [Path::new(DEBIANS_UNIT), &our_unit()].map(Unit::read) {
        let (minus, plus): (Vec<&str>, Vec<&str>) =
            unit.all("SystemCallFilter").into_iter().partition(|value| value.starts_with('~'));
        let names = |values: Vec<&str>| {
            let words: Vec<&str> =
                values.iter().flat_map(|v| v.trim_start_matches('~').split_whitespace()).collect();
            calls_in(&words)
        };
        let (allowed, forbidden) = (names(plus), names(minus));
        let world = World::new();
        let machine = Machine::boot(&world, "traced", Kind::Subject);
        machine.run("mkdir -p /run/sentinel; chown redis:redis /run/sentinel");
        // Its life: start, a save, a client, a log line, a reload, a clean end.
        let traced = machine.tells(
            "strace -f -qq -o /run/trace setpriv --reuid redis --regid redis --init-groups \
                 /usr/bin/redis-sentinel /etc/redis/sentinel.conf --daemonize no & pid=$!
             until redis-cli -p 26379 sentinel set mymaster quorum 3 2>&1 | grep OK; do sleep 0.1; done
             kill -HUP $(cat /run/sentinel/redis-sentinel.pid); redis-cli -p 26379 info | grep redis_mode
             redis-cli -p 26379 shutdown; wait $pid",
        );
        assert_eq!(traced.1, Some(0), "{traced:?}");
        let trace = text_of(&machine.root.join("run/trace"));
        let own = trace.split_once("execve(\"/usr/bin/redis-sentinel\"").expect("the start of the daemon").1;
        let calls: Vec<&str> =
            own.lines().skip(1).filter_map(|l| l.split_once(' ')).map(|(_, c)| c.trim()).collect();
        let mut used = BTreeSet::new();
        for call in calls {
            let name = call.split('(').next().unwrap_or_default().trim_start_matches("<... ");
            let name = name.split(' ').next().unwrap_or_default();
            if name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
                used.insert(name.to_owned());
            }
            assert!(!call.contains("PROT_WRITE|PROT_EXEC"), "MemoryDenyWriteExecute: {call}");
            let family = call.strip_prefix("socket(").and_then(|rest| rest.split(',').next());
            let families = unit.words("RestrictAddressFamilies");
            assert!(family.is_none_or(|f| families.contains(&f)), "RestrictAddressFamilies: {call}");
        }
        assert!(used.contains("fsync") && used.contains("socket"), "{used:?}");
        let bad: Vec<&String> =
            used.iter().filter(|c| forbidden.contains(*c) || !allowed.contains(*c)).collect();
        assert!(bad.is_empty(), "{bad:?}");
    }
}

#[test]
fn debians_init_script_serves_it_unchanged() {
    if let Some(reason) = Machine::lacks() {
        skipped("Debian's init script, unchanged", reason);
        return;
    }
    let world = World::new();
    let [theirs, ours] = [("reference", Kind::Reference), ("subject", Kind::Subject)].map(|(name, kind)| {
        let machine = Machine::boot(&world, name, kind);
        let mut seen = Vec::new();
        for action in [
            "status",
            "start",
            "start",
            "status",
            "restart",
            "status",
            "force-reload",
            "stop",
            "status",
            "stop",
        ] {
            seen.push(format!(
                "{action}: {:?}",
                machine.tells(&format!("/etc/init.d/redis-sentinel {action}"))
            ));
            if action.ends_with("start") || action == "force-reload" {
                let answers = || machine.tells("redis-cli -p 26379 ping").0 == "PONG\n";
                wait_for(&format!("an answer after {action}"), 20, answers);
                let pid = "/run/sentinel/redis-sentinel.pid";
                wait_for("the pid file", 10, || machine.run(&format!("grep . {pid}")).status.success());
                let pid = machine.tells(&format!("cat {pid}")).0.trim().to_owned();
                seen.push(observe(&machine, &pid));
            }
        }
        seen
    });
    assert!(
        theirs[1].contains("Starting redis-sentinel: ") && theirs[1].ends_with("Some(0))"),
        "{theirs:#?}"
    );
    assert_eq!(ours, theirs);
}

/// Rotates the log of a daemon with Debian's own file and a line before it; it must go on in a new file, or in the
/// emptied one, without being told.
fn rotate(world: &World, name: &str, line: &str) {
    let folder = world.folder(name);
    let log = folder.join("redis-sentinel.log");
    let mut sentinel = world.sentinel(
        &format!("{name}-sentinel"),
        Kind::Subject,
        &["sentinel monitor mymaster 127.0.0.1 1 1".into(), format!("logfile {}", log.display())],
    );
    sentinel.start();
    let debians = text_of(Path::new("/etc/logrotate.d/redis-sentinel"));
    assert!(
        debians.contains("/var/log/redis/redis-sentinel*.log") && debians.contains("compress"),
        "{debians}"
    );
    let rules = format!("{line}\n{}", debians.replace("/var/log/redis", &folder.display().to_string()));
    let conf = world.write(&format!("{name}.logrotate"), &rules);
    let state = world.path(&format!("{name}.state"));
    let mut quorum = 10;
    let mut set = |sentinel: &support::Node| {
        quorum += 1;
        sentinel.call(&["SENTINEL", "SET", "mymaster", "quorum", &quorum.to_string()]);
        let news = format!("quorum {quorum}");
        wait_for("the line in the log", 10, || text_of(&log).contains(&news));
        news
    };
    let first = set(&sentinel);
    for round in 1..=2 {
        let output =
            Command::new("logrotate").arg("-f").arg("-s").args([&state, &conf]).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        assert!(!text_of(&log).contains("quorum"), "round {round}: it was not rotated");
        let news = set(&sentinel);
        assert!(!text_of(&folder.join("redis-sentinel.log.1")).contains(&news), "round {round}");
    }
    // delaycompress: the first round's file is compressed in the second.
    let old = Command::new("zcat").arg(folder.join("redis-sentinel.log.2.gz")).output().expect("zcat runs");
    assert!(String::from_utf8_lossy(&old.stdout).contains(&first), "{old:?}");
}

#[test]
fn debians_log_rotation_loses_no_line() {
    let world = World::new();
    // As in the package; with what Debian's /etc/logrotate.conf says for all; and as many have it for other daemons.
    for (name, line) in [("plain", ""), ("create", "create"), ("truncate", "copytruncate")] {
        rotate(&world, name, line);
    }
}
