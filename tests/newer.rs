//! What releases after 7.0.15 added for the users of a Sentinel: other names, a log level that can be changed, one more number.

mod support;

use support::fleet::NAME;
use support::{Kind, Node, Value, World};

fn ok() -> Value {
    Value::Simple("OK".into())
}

/// A Sentinel whose master does not exist.
fn lone(world: &World, lines: &[&str]) -> Node {
    let mut all = vec![format!("sentinel monitor {NAME} 127.0.0.1 1 1")];
    all.extend(lines.iter().map(|line| (*line).to_owned()));
    let mut sentinel = world.sentinel("sentinel", Kind::Subject, &all);
    sentinel.start();
    sentinel
}

/// The fields that do not change from one question to the next.
fn steady(view: &Value) -> Vec<Option<String>> {
    ["name", "ip", "port", "quorum", "config-epoch", "num-slaves"].map(|field| view.field(field)).to_vec()
}

#[test]
fn masters_answer_to_the_names_that_valkey_gave_their_commands() {
    if Kind::Subject.is_reference() {
        return;
    }
    let world = World::new();
    let sentinel = lone(&world, &[]);
    let ask = |words: &[&str]| sentinel.call(&[&["SENTINEL"], words].concat());
    assert_eq!(steady(&ask(&["PRIMARY", NAME])), steady(&ask(&["MASTER", NAME])));
    let (new, old) = (ask(&["primaries"]), ask(&["masters"]));
    assert_eq!((new.items().len(), old.items().len()), (1, 1));
    assert_eq!(steady(&new.items()[0]), steady(&old.items()[0]));
    assert_eq!(ask(&["get-primary-addr-by-name", NAME]).texts(), ["127.0.0.1", "1"]);
    assert_eq!(ask(&["get-primary-addr-by-name", "nobody"]), Value::Nil);
    assert_eq!(ask(&["is-primary-down-by-addr", "127.0.0.1", "1", "0", "*"]).texts(), ["0", "*", "0"]);
    assert_eq!(ask(&["PRIMARY", "nobody"]).text(), "ERR No such master with that name");
    assert_eq!(ask(&["PRIMARY"]).text(), "ERR wrong number of arguments for 'sentinel|master' command");
    assert_eq!(ask(&["PRIMARYS"]).text(), "ERR unknown subcommand 'PRIMARYS'. Try SENTINEL HELP.");
    // A rule for one is a rule for both, and programs that list commands see those of 7.0.
    assert_eq!(sentinel.call(&["ACL", "SETUSER", "al", "on", "nopass", "+sentinel|primary"]), ok());
    assert_eq!(sentinel.call(&["ACL", "DRYRUN", "al", "SENTINEL", "MASTER", NAME]), ok());
    assert_eq!(sentinel.call(&["COMMAND", "LIST"]).items().len(), 72);
    assert_eq!(ask(&["HELP"]).items().len(), 49);
    let set = ["SENTINEL", "SET", NAME, "primary-reboot-down-after-period", "5000"];
    assert_eq!(sentinel.call(&set), ok());
    let line = format!("sentinel master-reboot-down-after-period {NAME} 5000\n");
    assert!(sentinel.conf_text().contains(&line), "in the spelling that every release reads");
}

#[test]
fn the_log_level_can_be_changed_and_is_kept() {
    if Kind::Subject.is_reference() {
        return;
    }
    let world = World::new();
    let mut sentinel = lone(&world, &["loglevel warning"]);
    let config = |sentinel: &Node, words: &[&str]| sentinel.call(&[&["SENTINEL", "CONFIG"], words].concat());
    assert_eq!(config(&sentinel, &["GET", "loglevel"]).texts(), ["loglevel", "warning"]);
    assert!(!sentinel.log_text().contains("Accepted "));
    let refused = config(&sentinel, &["SET", "announce-port", "1", "loglevel", "loud"]);
    assert_eq!(refused.text(), "ERR Invalid value 'loud' to SENTINEL CONFIG SET 'loglevel'");
    assert_eq!(config(&sentinel, &["SET", "announce-ip", "10.9.8.7", "LogLevel", "VERBOSE"]), ok());
    // Verbose is the level of this line.
    sentinel.call(&["PING"]);
    sentinel.wait_log("Accepted 127.0.0.1:");
    let kept = sentinel.conf_text();
    assert!(kept.contains("\nloglevel verbose\n") && !kept.contains("warning"), "{kept}");
    assert!(kept.contains("sentinel announce-ip \"10.9.8.7\"\n"), "{kept}");
    sentinel.kill9();
    sentinel.start();
    let all = config(&sentinel, &["GET", "log*", "announce-p*", "LOGLEVEL"]);
    assert_eq!(all.texts(), ["loglevel", "verbose", "announce-port", "0"]);
    let lines = sentinel.log_text().lines().count();
    assert_eq!(config(&sentinel, &["SET", "loglevel", "nothing"]), ok());
    assert_eq!(config(&sentinel, &["SET", "loglevel", "notice"]), ok());
    sentinel.wait_log("Sentinel new configuration saved on disk");
    assert!(sentinel.log_text().lines().count() > lines);
}

#[test]
fn entries_into_tilt_are_counted() {
    if Kind::Subject.is_reference() {
        return;
    }
    let world = World::new();
    let sentinel = lone(&world, &[]);
    assert_eq!(sentinel.info("sentinel", "sentinel_total_tilt"), "0");
    assert_eq!(sentinel.call(&["SENTINEL", "DEBUG", "tilt-trigger", "500", "tilt-period", "1"]), ok());
    sentinel.freeze();
    std::thread::sleep(std::time::Duration::from_millis(700));
    sentinel.thaw();
    support::wait_for("the end of TILT", 10, || sentinel.log_text().contains("-tilt #tilt mode exited"));
    let entered = sentinel.log_text().matches("+tilt #tilt mode entered").count();
    assert_eq!(sentinel.info("sentinel", "sentinel_total_tilt"), entered.to_string());
    assert!(entered > 0);
}

#[test]
fn names_and_values_with_control_characters_are_refused() {
    if Kind::Subject.is_reference() {
        return;
    }
    let world = World::new();
    let sentinel = lone(&world, &[]);
    // What the start itself writes may not be there yet.
    assert_eq!(sentinel.call(&["SENTINEL", "FLUSHCONFIG"]), ok());
    let before = sentinel.conf_text();
    let ask = |words: &[&str]| sentinel.call(&[&["SENTINEL"], words].concat()).text();
    let named = ask(&["MONITOR", "a\nsentinel deny-scripts-reconfig no\n", "127.0.0.1", "1", "1"]);
    assert_eq!(named, "ERR Invalid master name: control characters are not allowed.");
    // Line ends are blanks in an error, as always.
    let set = ask(&["SET", NAME, "auth-pass", "x\r\nsentinel myid y"]);
    assert_eq!(set, "ERR Invalid argument 'x  sentinel myid y' for SENTINEL SET 'auth-pass'");
    let config = ask(&["CONFIG", "SET", "sentinel-user", "u\tv"]);
    assert_eq!(config, "ERR Invalid value 'u\tv' to SENTINEL CONFIG SET 'sentinel-user'");
    assert_eq!(ask(&["FLUSHCONFIG"]), "OK");
    assert_eq!(sentinel.conf_text().trim_end(), before.trim_end());
}
