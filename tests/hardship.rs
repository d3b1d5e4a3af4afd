//! What the process endures from its surroundings: a log that nobody reads, signals at any time, scripts on dead disks, too few
//! descriptors, and connections that come and go.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::fleet::NAME;
use support::node::text_of;
use support::{Client, Kind, Node, Value, Watcher, World, wait_for};

/// A Sentinel that is not yet running, and whose master does not exist.
fn lone(world: &World, lines: &[String]) -> Node {
    let mut all = vec![format!("sentinel monitor {NAME} 127.0.0.1 1 1")];
    all.extend_from_slice(lines);
    world.sentinel("sentinel", Kind::Subject, &all)
}

/// A child that is killed whatever happens.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn pong() -> Value {
    Value::Simple("PONG".into())
}

fn connected(port: u16) -> Client {
    let mut client = None;
    wait_for("a client to be served", 10, || {
        client = Client::connect(port).ok();
        client.is_some()
    });
    client.expect("just connected")
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let world = World::new();
    let node = lone(&world, &["loglevel verbose".into()]);
    let mut command = Command::new(&node.program);
    command.arg(&node.conf).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = Killed(command.spawn().expect("the program starts"));
    let mut client = connected(node.port);
    assert_eq!(client.call(&["PING"]).expect("an answer"), pong());
    // Each leaves a line or two: many times what a pipe holds.
    for quorum in 0..4000 {
        let quorum = (quorum % 7 + 1).to_string();
        let answer = client.call(&["SENTINEL", "SET", NAME, "quorum", &quorum]).expect("an answer in time");
        assert_eq!(answer, Value::Simple("OK".into()));
    }
    let pid = Pid::from_raw(process.0.id().cast_signed());
    kill(pid, Signal::SIGTERM).expect("it runs");
    wait_for("its end", 5, || process.0.try_wait().expect("our child").is_some());
}

#[test]
fn a_log_that_is_read_again_is_whole_but_for_a_told_gap() {
    let world = World::new();
    let node = lone(&world, &["loglevel verbose".into()]);
    let mut command = Command::new(&node.program);
    command.arg(&node.conf).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = Killed(command.spawn().expect("the program starts"));
    let log = process.0.stdout.take().expect("a pipe");
    for _ in 0..6000 {
        drop(connected(node.port));
    }
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        BufReader::new(log).lines().map_while(Result::ok).for_each(|line| text.push(line));
        text
    });
    // What waits is written once somebody reads, and then the end is heard of too.
    std::thread::sleep(Duration::from_millis(200));
    kill(Pid::from_raw(process.0.id().cast_signed()), Signal::SIGTERM).expect("it runs");
    let lines = reader.join().expect("a reader");
    let accepted = lines.iter().filter(|line| line.contains(" - Accepted 127.0.0.1:")).count();
    let told = lines.iter().any(|line| line.contains("lines are missing here"));
    assert!(accepted >= 6000 || told, "{accepted} of 6000");
    assert!(lines.last().expect("lines").ends_with("bye bye..."), "{:?}", lines.last());
}

#[test]
fn a_signal_in_the_first_moments_ends_it_cleanly() {
    let world = World::new();
    let pidfile = world.path("sentinel.pid");
    let socket = world.path("sentinel.sock");
    let lines = [format!("pidfile {}", pidfile.display()), format!("unixsocket {}", socket.display())];
    let mut sentinel = lone(&world, &lines);
    for round in 0..20 {
        sentinel.spawn();
        while !pidfile.exists() {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(round * 100));
        sentinel.signal(Signal::SIGTERM);
        assert_eq!(sentinel.wait_end(5).code(), Some(0), "round {round}\n{}", sentinel.log_text());
        assert!(!pidfile.exists() && !socket.exists(), "round {round}");
    }
}

#[test]
fn scripts_get_no_descriptor_and_no_held_back_signal() {
    let world = World::new();
    let out = world.path("out");
    // The shell reads its own status itself: it blocks all signals while it starts another program, and clears them in that.
    let text = format!(
        "#!/bin/sh\n{{ ls -l /proc/$$/fd\nwhile read -r line; do case $line in SigBlk*) echo \"$line\" ;; esac; done \
         </proc/$$/status; }} > '{0}.part'\nmv '{0}.part' '{0}'\n",
        out.display()
    );
    let script = world.write("notify", &text);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("our own file");
    let mut sentinel = lone(
        &world,
        &[
            format!("sentinel notification-script {NAME} {}", script.display()),
            format!("sentinel down-after-milliseconds {NAME} 100"),
        ],
    );
    sentinel.start();
    wait_for("the script to run", 10, || out.exists());
    let text = text_of(&out);
    let (fds, mask) = text.split_once("SigBlk:").expect("two parts");
    for ours in ["socket:", "anon_inode:", ".conf"] {
        assert!(!fds.contains(ours), "{text}");
    }
    assert_eq!(mask.trim(), "0000000000000000");
}

/// Accepts whatever comes and says nothing.
fn silent_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        let streams: Vec<_> = listener.incoming().collect();
        drop(streams);
    });
    port
}

#[test]
fn clients_leave_descriptors_for_what_matters_more() {
    let world = World::new();
    let port = silent_server();
    let masters: Vec<String> = (0..50).map(|n| format!("sentinel monitor m{n} 127.0.0.1 {port} 1")).collect();
    let mut sentinel = lone(&world, &masters);
    sentinel.prefix = ["prlimit", "--nofile=256:256"].map(str::to_owned).to_vec();
    sentinel.start();
    let mut admin = sentinel.client();
    let fds = || fs::read_dir(format!("/proc/{}/fd", sentinel.pid())).expect("our child").count();
    wait_for("all links", 10, || fds() > 110);
    let crowd: Vec<TcpStream> =
        (0..240).filter_map(|_| TcpStream::connect(("127.0.0.1", sentinel.port)).ok()).collect();
    wait_for("the crowd to be let in, or not", 10, || fds() > 230);
    let answer = admin.call(&["SENTINEL", "SET", "m1", "quorum", "2"]).expect("an answer");
    assert_eq!(answer, Value::Simple("OK".into()), "{}", sentinel.log_text());
    assert!(sentinel.conf_text().contains(&format!("monitor m1 127.0.0.1 {port} 2\n")));
    // Those for whom there was no room were told so.
    let refused = crowd.iter().filter(|stream| told_of_the_limit(stream)).count();
    assert!((80..240).contains(&refused), "{refused} refused");
}

fn told_of_the_limit(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a socket option");
    let mut text = String::new();
    // The time-out is how the others answer.
    let _ = stream.read_to_string(&mut text);
    text.starts_with("-ERR max number of clients reached")
}

#[test]
fn connections_that_come_and_go_leave_nothing_behind() {
    let world = World::new();
    let mut sentinel = lone(&world, &[]);
    sentinel.start();
    let process = format!("/proc/{}", sentinel.pid());
    let count = |what: &str| fs::read_dir(format!("{process}/{what}")).expect("our child").count();
    drop(connected(sentinel.port));
    let (fds, threads) = (count("fd"), count("task"));
    for _ in 0..2000 {
        let mut client = Client::connect(sentinel.port).expect("a listener");
        client.send(&["SUBSCRIBE", "+sdown"]).expect("a connection");
    }
    wait_for("all to be forgotten", 10, || {
        sentinel.info("clients", "connected_clients") == "1" && count("fd") <= fds + 2
    });
    assert!(count("task") <= threads + 2, "threads");
    assert_eq!(sentinel.info("stats", "pubsub_channels"), "0");
}

#[test]
fn a_crowd_of_clients_keeps_no_reply_of_a_master_waiting() {
    let world = World::new();
    let mut master = world.data("master", &[]);
    master.start();
    let port = master.port;
    let lines = ["sentinel monitor m 127.0.0.1 PORT 1", "sentinel down-after-milliseconds m 3000"];
    let mut sentinel =
        world.sentinel("sentinel", Kind::Subject, &lines.map(|line| line.replace("PORT", &port.to_string())));
    sentinel.start();
    let flags = || sentinel.call(&["SENTINEL", "MASTER", "m"]).field("flags");
    wait_for("the master to be known as healthy", 10, || flags().as_deref() == Some("master"));
    let watcher = Watcher::subscribe(sentinel.port);
    let until = Instant::now() + Duration::from_secs(6);
    // Neither question needs the engine, so nothing else slows their flow.
    for words in ["GET x\r\n", "SENTINEL GET-MASTER-ADDR-BY-NAME m\r\n"].repeat(10) {
        let mut stream = TcpStream::connect(("127.0.0.1", sentinel.port)).expect("a listener");
        let mut answers = stream.try_clone().expect("a second handle");
        std::thread::spawn(move || std::io::copy(&mut answers, &mut std::io::sink()));
        std::thread::spawn(move || {
            while Instant::now() < until && stream.write_all(words.repeat(200).as_bytes()).is_ok() {}
            stream.shutdown(std::net::Shutdown::Both)
        });
    }
    while Instant::now() < until {
        let asked = Instant::now();
        assert_eq!(sentinel.call(&["PING"]), pong());
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(watcher.on("+sdown"), Vec::<String>::new());
}

#[test]
fn a_disk_that_hangs_stops_neither_other_clients_nor_the_end() {
    let world = World::new();
    let mut sentinel = lone(&world, &[]);
    sentinel.start();
    let conf = sentinel.conf.clone();
    // The save of the start would put a file in the pipe's place.
    wait_for("the first save", 10, || sentinel.log_text().contains("new configuration saved on disk"));
    fs::rename(&conf, world.path("aside")).expect("our own file");
    // Whoever opens this for reading waits for a writer: as on a disk that does not answer.
    nix::unistd::mkfifo(&conf, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let mut admin = sentinel.client();
    admin.send(&["SENTINEL", "SET", NAME, "quorum", "2"]).expect("a connection");
    admin.send(&["PING"]).expect("a connection");
    let mut other = sentinel.client();
    let quorum = || sentinel.call(&["SENTINEL", "MASTER", NAME]).field("quorum");
    wait_for("the change to be known", 5, || quorum().as_deref() == Some("2"));
    assert_eq!(other.call(&["PING"]).expect("an answer"), pong());
    assert_eq!(admin.read_all().0, "", "nothing is confirmed that is not on disk, and nothing overtakes it");
    sentinel.signal(Signal::SIGTERM);
    assert_eq!(sentinel.wait_end(5).code(), Some(0));
}
