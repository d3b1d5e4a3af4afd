//! INFO tells the truth about the process and its clients: what can't be compared value by value is measured from outside, for the
//! reference and for the subject (spec 3 §3.5.5).

mod support;

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use support::{Kind, Node, World, wait_for};

type Fields = BTreeMap<String, String>;

/// A Sentinel without masters, so that nobody but the test keeps it busy.
fn idle(world: &World, kind: Kind) -> Node {
    let mut sentinel = world.sentinel("sentinel", kind, &["maxclients 321".to_owned()]);
    sentinel.start();
    sentinel
}

fn fields(text: &str) -> Fields {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// All of INFO, over one connection that is closed before the next is opened.
fn info(client: &mut support::Client) -> Fields {
    fields(&client.call(&["INFO"]).expect("an answer").text())
}

fn number(fields: &Fields, name: &str) -> f64 {
    fields[name].parse().unwrap_or_else(|_| panic!("{name} is a number, not {:?}", fields[name]))
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

#[test]
fn the_server_section_describes_this_process() {
    for kind in [Kind::Reference, Kind::Subject] {
        let world = World::new();
        let before = now();
        let sentinel = idle(&world, kind);
        let mut client = sentinel.client();
        let asked = now();
        let shown = info(&mut client);
        let text = |name: &str| shown[name].as_str();
        assert_eq!(text("process_id"), sentinel.pid().to_string());
        assert_eq!(text("tcp_port"), sentinel.port.to_string());
        assert_eq!(text("config_file"), sentinel.conf.display().to_string());
        let executable = std::path::Path::new(text("executable")).canonicalize().expect("a file");
        assert_eq!(executable, sentinel.program.canonicalize().expect("a file"));
        let system = nix::sys::utsname::uname().expect("a kernel");
        let part = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
        let os = [part(system.sysname()), part(system.release()), part(system.machine())].join(" ");
        assert_eq!((text("os"), text("arch_bits")), (os.as_str(), "64"));
        let clock = number(&shown, "server_time_usec") / 1e6;
        assert!((asked - 1.0..now() + 1.0).contains(&clock), "{kind:?}: {clock} at {asked}");
        assert_eq!(text("maxclients"), "321");
        assert!(number(&shown, "used_cpu_user") < 60.0 && text("used_cpu_user").contains('.'));
        // It grows by one each second.
        wait_for("an uptime of two seconds", 20, || number(&info(&mut client), "uptime_in_seconds") >= 2.0);
        let later = info(&mut client);
        assert!(number(&later, "uptime_in_seconds") <= now() - before + 1.0, "{kind:?}");
        assert_eq!(later["uptime_in_days"], "0");
        assert_eq!(later["run_id"], shown["run_id"]);
    }
}

#[test]
fn statistics_count_what_clients_did() {
    let mut seen = Vec::new();
    for kind in [Kind::Reference, Kind::Subject] {
        let world = World::new();
        let sentinel = idle(&world, kind);
        let mut client = sentinel.client();
        // Others may still be on their way out: those that waited for the start.
        wait_for("to be alone", 10, || number(&info(&mut client), "connected_clients") == 1.0);
        let before = info(&mut client);
        let mut others = [sentinel.client(), sentinel.client()];
        for other in &mut others {
            other.call(&["PING", &"x".repeat(1000)]).expect("an answer");
            other.call(&["NOSUCH"]).expect("an answer");
        }
        others[0].call(&["SUBSCRIBE", "a"]).expect("an answer");
        let during = info(&mut client);
        drop(others);
        wait_for("to be alone again", 10, || number(&info(&mut client), "connected_clients") == 1.0);
        let grown = |name: &str| number(&during, name) - number(&before, name);
        seen.push(
            [
                "connected_clients",
                "total_connections_received",
                "total_commands_processed",
                "total_error_replies",
            ]
            .map(grown),
        );
        assert!((2000.0..20_000.0).contains(&grown("total_net_input_bytes")), "{kind:?}");
        assert!((2000.0..20_000.0).contains(&grown("total_net_output_bytes")), "{kind:?}");
        assert!(grown("total_reads_processed") >= 5.0 && grown("total_writes_processed") >= 5.0, "{kind:?}");
        let gone = info(&mut client);
        assert_eq!(
            number(&gone, "total_connections_received"),
            number(&during, "total_connections_received")
        );
    }
    assert_eq!(seen[1], seen[0]);
    assert_eq!(seen[0][..2], [2.0, 2.0]);
}
