//! What the reference writes and can't read again, or reads again as something else. Ours does neither, and reads what the
//! reference has broken.

use std::fs;

use crate::bench::{Bench, Life};
use crate::support::{Kind, wait_for};

const ID: &str = "0000000000000000000000000000000000000001";
const MASTER: &str = "port {port}\nsentinel monitor m 127.0.0.1 {one} 2\n";

/// Ends the program and starts it again with what it wrote; the error report of one that did not start.
fn restart(life: &mut Life) -> Result<(), String> {
    life.stop();
    let before = life.node.log_text().len();
    life.node.spawn();
    let mut failed = false;
    wait_for("an answer or an end", 30, || {
        failed = life.node.ended().is_some_and(|status| !status.success());
        failed || life.node.try_call(&["PING"]).is_some()
    });
    life.node.log_text().split_off(before).lines().last().map_or(Ok(()), |last| match failed {
        true => Err(last.to_owned()),
        false => Ok(()),
    })
}

/// The file without what the first start with a `user` line adds to it, in the reference too.
fn settled(life: &Life) -> String {
    life.node.conf_text().replace(" sanitize-payload ", " ").trim_end().to_owned()
}

/// The reference breaks this file, by its rewrite, in a way that its next start reports. We write what both can read, and it
/// stays as it is.
fn breaks(case: &str, text: &str, commands: &str, report: &str) {
    let bench = Bench::new();
    let told = |kind| {
        let mut life = bench.life(kind, bench.filled(text).as_bytes());
        life.start();
        life.tell(commands);
        life.flush("all of them");
        life
    };
    let mut theirs = told(Kind::Reference);
    assert_eq!(restart(&mut theirs), Err(report.to_owned()), "{case}\n{}", theirs.node.conf_text());
    drop(theirs);
    if Kind::Subject.is_reference() {
        return;
    }

    let mut ours = told(Kind::Subject);
    let masters = |life: &Life| {
        let list = life.node.call(&["SENTINEL", "MASTERS"]);
        let mut masters: Vec<_> =
            list.items().iter().map(|master| (master.field("name"), master.field("port"))).collect();
        masters.sort();
        masters
    };
    let (text, before) = (settled(&ours), masters(&ours));
    assert_eq!(restart(&mut ours), Ok(()), "{case}\n{text}");
    assert_eq!(masters(&ours), before, "{case}");
    ours.flush("the restart");
    assert_eq!(settled(&ours), text, "{case}");
    drop(ours);

    let mut reader = bench.life(Kind::Reference, text.as_bytes());
    reader.start();
    assert_eq!(masters(&reader), before, "{case}: the reference reads ours");
}

#[test]
fn values_with_blanks_and_quotes() {
    const UNRECOGNIZED: &str = "Unrecognized sentinel configuration statement.";
    const QUOTES: &str = "Unbalanced quotes in configuration line";
    for (lines, report) in [
        ("sentinel auth-pass m \"foo bar\"\n", UNRECOGNIZED),
        ("sentinel auth-pass m 'foo\"bar'\n", QUOTES),
        ("sentinel auth-pass m \"it's\"\n", QUOTES),
        ("sentinel auth-pass m ''\n", UNRECOGNIZED),
        ("sentinel auth-user m \"foo\\tbar\"\n", UNRECOGNIZED),
        ("sentinel rename-command m CONFIG ''\n", UNRECOGNIZED),
        ("sentinel rename-command m CONFIG 'a b'\n", UNRECOGNIZED),
        ("sentinel sentinel-pass 'a b'\n", UNRECOGNIZED),
        ("sentinel sentinel-user 'a b'\n", UNRECOGNIZED),
        ("sentinel monitor 'my master' 127.0.0.1 {two} 1\n", UNRECOGNIZED),
        ("sentinel monitor '' 127.0.0.1 {two} 1\n", UNRECOGNIZED),
        ("sentinel known-sentinel m 127.0.0.1 {two} 'a b'\n", UNRECOGNIZED),
    ] {
        breaks(lines, &format!("{MASTER}{lines}"), "", report);
    }
}

#[test]
fn what_a_command_brings_into_the_file() {
    const UNRECOGNIZED: &str = "Unrecognized sentinel configuration statement.";
    const UNKNOWN: &str = "Bad directive or wrong number of arguments";
    let bench = Bench::new();
    // Not only values are at stake: a line break in one is a line of whoever may send commands.
    for (words, report) in [
        (&["SENTINEL", "SET", "m", "auth-pass", "a b"][..], UNRECOGNIZED),
        (&["SENTINEL", "SET", "m", "auth-pass", "a\nloadmodule"], UNKNOWN),
        (&["SENTINEL", "SET", "m", "auth-user", "a\tb"], UNRECOGNIZED),
        (&["SENTINEL", "SET", "m", "rename-command", "CONFIG", "a b"], UNRECOGNIZED),
        (&["SENTINEL", "CONFIG", "SET", "sentinel-pass", "a b"], UNRECOGNIZED),
    ] {
        for kind in [Kind::Reference, Kind::Subject] {
            let mut life = bench.life(kind, bench.filled(MASTER).as_bytes());
            life.start();
            if words.iter().any(|word| word.contains(char::is_control)) && !kind.is_reference() {
                // They can't be brought in.
                let refused = life.node.call(words).text();
                assert!(refused.starts_with("ERR Invalid argument"), "{words:?}: {refused}");
                continue;
            }
            life.ok(words);
            let text = settled(&life);
            let again = restart(&mut life);
            if kind.is_reference() {
                assert_eq!(again, Err(report.to_owned()), "{words:?}\n{text}");
            } else {
                assert_eq!(again, Ok(()), "{words:?}\n{text}");
                life.flush("a restart");
                assert_eq!(settled(&life), text, "{words:?}");
            }
        }
    }
}

#[test]
fn lines_of_included_files() {
    let bench = Bench::new();
    for (included, report) in [
        ("sentinel monitor m 127.0.0.1 {one} 2\n", "Duplicate master name."),
        (
            "user bob on >x\nloglevel verbose\n",
            "Error in user declaration 'bob': Duplicate user found. A user can only be defined once in config files",
        ),
    ] {
        for kind in [Kind::Reference, Kind::Subject] {
            let mut life = bench.life(kind, bench.filled("port {port}\ninclude {dir}/more\n").as_bytes());
            let more = life.node.conf.with_file_name("more");
            fs::write(&more, bench.filled(included)).expect("our folder");
            life.start();
            let text = life.node.conf_text();
            let again = restart(&mut life);
            assert_eq!(
                fs::read_to_string(more).expect("still there"),
                bench.filled(included),
                "never written"
            );
            let repeated =
                included.lines().any(|line| text.contains(line.split(' ').nth(1).expect("two words")));
            if kind.is_reference() {
                assert_eq!(again, Err(report.to_owned()), "{text}");
            } else {
                assert_eq!(again, Ok(()), "{text}");
                assert!(!repeated, "{text}");
            }
        }
    }
}

/// Two lines for one replica: the reference makes them of the old name of the directive, and of names of one host.
#[test]
fn replicas_named_twice() {
    const DUPLICATE: &str = "Duplicate hostname and port for replica.";
    let bench = Bench::new();
    let text = bench.filled(&format!("{MASTER}sentinel known-slave m 127.0.0.1 {{two}}\n"));
    let mut theirs = bench.life(Kind::Reference, text.as_bytes());
    theirs.start();
    assert_eq!(restart(&mut theirs), Err(DUPLICATE.to_owned()));
    let broken = theirs.node.conf_text();
    drop(theirs);
    if Kind::Subject.is_reference() {
        return;
    }

    let mut ours = bench.life(Kind::Subject, broken.as_bytes());
    ours.start();
    ours.node.wait_log("this replica is named twice");
    ours.flush("the warning");
    let mended = ours.node.conf_text();
    let line = bench.filled("sentinel known-replica m 127.0.0.1 {two}");
    assert_eq!(mended.lines().filter(|other| *other == line).count(), 1, "{mended}");
    assert!(!mended.contains("known-slave"), "{mended}");
    drop(ours);
    let mut reader = bench.life(Kind::Reference, mended.as_bytes());
    reader.start();
    assert_eq!(restart(&mut reader), Ok(()));
    drop(reader);

    let names = format!(
        "port {{port}}\nsentinel resolve-hostnames yes\nsentinel myid {ID}\nsentinel monitor m 127.0.0.1 {{one}} 2\n\
         sentinel known-replica m localhost {{two}}\nsentinel known-replica m 127.0.0.1 {{two}}\n"
    );
    let mut theirs = bench.life(Kind::Reference, bench.filled(&names).as_bytes());
    assert_eq!(restart(&mut theirs), Err(DUPLICATE.to_owned()));
    drop(theirs);
    let mut ours = bench.life(Kind::Subject, bench.filled(&names).as_bytes());
    ours.start();
    assert_eq!(restart(&mut ours), Ok(()));
}

/// The address of a host that has none yet is empty in the reference's file.
#[test]
fn hosts_without_an_address() {
    let text =
        "port {port}\nsentinel resolve-hostnames yes\nsentinel monitor m no-such-host.invalid {one} 2\n";
    breaks("a host without an address", text, "", "Unrecognized sentinel configuration statement.");
}

/// A default that was changed for a trial is no default after the next start.
#[test]
fn values_equal_to_a_changed_default() {
    let bench = Bench::new();
    for kind in [Kind::Reference, Kind::Subject] {
        let mut life = bench.life(kind, bench.filled("port {port}\n").as_bytes());
        life.start();
        life.tell("SENTINEL DEBUG default-down-after 5000\nSENTINEL MONITOR m 127.0.0.1 {one} 2");
        assert_eq!(restart(&mut life), Ok(()));
        let period = life.node.call(&["SENTINEL", "MASTER", "m"]).field("down-after-milliseconds");
        assert_eq!(period.as_deref(), Some(if kind.is_reference() { "30000" } else { "5000" }));
    }
}
