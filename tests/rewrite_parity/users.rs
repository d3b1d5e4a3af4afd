//! ACL users: their lines in the configuration, a file of their own, and what `requirepass` has to do with them.

use std::fs;

use crate::bench::{Bench, Life, report};
use crate::support::{Client, Value};

const ID: &str = "sentinel myid 0000000000000000000000000000000000000001\n";

#[test]
fn passwords_of_everybody() {
    let mut bench = Bench::new();
    for (line, password) in [
        ("requirepass secret", "secret"),
        ("requirepass 'with blank \"and quote\"'", "with blank \"and quote\""),
        ("requirepass \"\\x01\\t\u{e9}\\\\\"", "\x01\t\u{e9}\\"),
        ("requirepass one\nrequirepass two", "two"),
        ("requirepass a#b\nuser default on >c ~* &* +@all", "c"),
        ("user default on >c ~* &* +@all\nrequirepass a#b", "c"),
    ] {
        bench.password = Some(password.to_owned());
        bench.round_trip(line, bench.filled(&format!("port {{port}}\n# why\n{line}\n")).as_bytes());
    }
    bench.password = None;
    for line in [
        "requirepass ''",
        "requirepass x\nrequirepass \"\"",
        "requirepass \"a\\xff\"\nuser default on nopass ~* &* +@all",
        "user default on nopass +@all -role",
    ] {
        bench.round_trip(line, bench.filled(&format!("port {{port}}\n{line}\n")).as_bytes());
    }
    report("requirepass");
}

/// Once the file has a line for the default user, the password of that line counts, whatever `requirepass` says.
#[test]
fn a_password_that_was_edited() {
    let mut bench = Bench::new();
    bench.password = Some("old".into());
    let text = bench.filled("port {port}\nrequirepass old\n");
    bench.both("an edited password", text.as_bytes(), |life| {
        life.start();
        life.flush("the start");
        life.stop();
        let text = life.node.conf_text().replace("requirepass \"old\"", "requirepass new");
        fs::write(&life.node.conf, text).expect("our own file");
        life.start();
        let answer = |password| {
            let mut client = Client::connect(life.node.port).expect("it listens");
            matches!(client.call(&["AUTH", password]), Ok(Value::Simple(_)))
        };
        assert_eq!((answer("old"), answer("new")), (true, false), "{:?}", life.kind);
        life.flush("the edit");
    });
}

/// Names are sorted byte by byte, as in a tree of them; with their lines the users keep the places of others.
#[test]
fn lines_of_users() {
    let bench = Bench::new();
    let text = "port {port}\nuser z on\n# z\nuser \u{e9} on\nuser B\nuser aa off\nuser a on nopass\n\nuser 1 on >x (+ping) (~a &b)\n\
                user default on nopass ~* &* +@all\nuser b reset\nuser aaa on\nuser - +@all\n";
    bench.round_trip("many users", bench.filled(text).as_bytes());
    let hash = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    let text =
        format!("port {{port}}\nuser a on #{hash} >x >x >y\nuser b #{hash} !{hash}\nuser c >x <x nopass\n");
    bench.round_trip("passwords of users", bench.filled(&text).as_bytes());
    report("lines of users");
}

/// What each set of rules becomes.
const RULES: &[&str] = &[
    "on",
    "on nopass",
    "on >a >b <a",
    "off on off",
    "nopass resetpass",
    "on >a nopass >b",
    "skip-sanitize-payload",
    "skip-sanitize-payload sanitize-payload",
    "reset on",
    "reset skip-sanitize-payload",
    "+@all",
    "allcommands -@all",
    "+@all -@dangerous",
    "+@all -@admin +acl|whoami",
    "-@all +ping +info",
    "+@connection -client|list",
    "+@connection -client +client|list +client|id",
    "+client|setname +client|list -client|list",
    "+client -client|kill",
    "allcommands -acl|list -sentinel",
    "+sentinel|masters +sentinel|get-master-addr-by-name",
    "+@all -sentinel +sentinel|master",
    "nocommands +@admin -@dangerous",
    "+@read +@write",
    "-@read +@slow -shutdown",
    "+@pubsub -subscribe",
    "+publish|a +publish|b",
    "+publish|a +publish",
    "+publish|a -publish",
    "+@all -publish +publish|x",
    "+@fast +@slow",
    "+@all -@fast +ping",
    "+hello +auth +acl|whoami +command|docs",
    "+PING +Client|SetName",
    "~a ~b ~a",
    "~* resetkeys ~x",
    "allkeys",
    "%R~a %W~b %RW~c",
    "%R~a %W~a",
    "~a %R~a",
    "&a &b &a",
    "&* resetchannels &x",
    "allchannels",
    "resetchannels",
    "(+ping ~a) (+info &b)",
    "(+@all) clearselectors (-@all)",
    "(%R~x allchannels +@all -ping)",
    "on >x ~* &* +@all (~k) (&c +publish)",
];

#[test]
fn rules_of_users() {
    let bench = Bench::new();
    bench.both("rules", bench.filled(&format!("port {{port}}\n{ID}")).as_bytes(), |life| {
        life.start();
        for rules in RULES {
            life.ok(&["ACL", "DELUSER", "u"]);
            life.tell(&format!("ACL SETUSER u {rules}\nSENTINEL FLUSHCONFIG"));
        }
        // And one upon the other.
        for rules in RULES {
            let rules = rules.replace("<a", "");
            life.tell(&format!("ACL SETUSER v resetkeys resetchannels {rules}\nSENTINEL FLUSHCONFIG"));
        }
        life.stop();
        life.start();
        life.flush("a restart");
    });
    report("rules of users");
}

/// Remembers the file of users.
fn users_picture(life: &mut Life, after: &str) {
    let text = fs::read(life.node.conf.with_file_name("users.acl")).expect("the file of users");
    life.pictures.push((format!("{after}: users"), text));
}

#[test]
fn users_in_a_file_of_their_own() {
    let bench = Bench::new();
    let first = "user z on >x +@all\n\nuser default on nopass ~* &* +@all\nuser a on (+ping ~x) (+info)\n";
    for name in ["{dir}/users.acl", "'{dir}/users.acl'"] {
        let text = bench
            .filled(&format!("port {{port}}\n{ID}aclfile {name}\nsentinel monitor m 127.0.0.1 {{one}} 2\n"));
        bench.both("a file of users", text.as_bytes(), |life| {
            fs::write(life.node.conf.with_file_name("users.acl"), first).expect("our own folder");
            life.start();
            life.flush("the start");
            users_picture(life, "the start");
            life.tell("ACL SETUSER bob on >x ~k &c +ping\nACL DELUSER z\nACL SETUSER Zed -@all +@admin");
            users_picture(life, "changes");
            life.tell("ACL SAVE");
            users_picture(life, "ACL SAVE");
            life.flush("ACL SAVE");
            fs::write(life.node.conf.with_file_name("users.acl"), first.replace("user z", "user y"))
                .expect("ours");
            life.tell("ACL LOAD\nSENTINEL FLUSHCONFIG");
            users_picture(life, "ACL LOAD");
            life.tell("ACL SAVE");
            users_picture(life, "ACL LOAD and ACL SAVE");
            life.stop();
            life.start();
            life.tell("ACL SAVE\nSENTINEL FLUSHCONFIG");
            users_picture(life, "a restart");
        });
    }
    report("a file of users");
}
