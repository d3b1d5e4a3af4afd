//! The tools of Redis, pointed at a Sentinel: what redis-cli and redis-benchmark print, and how they end, is the same
//! for sentineld and for the reference.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use support::Node;
use support::pair::Pair;

/// How closely two outputs are compared, once numbers and ids are masked.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    Closely,
    /// Without the lines of which a tool prints as many as time allows, progress, and bytes drawn by lot.
    AtTheForm,
}

/// Parts of lines that come more or less often, or never, as it happens.
const BY_CHANCE: [&str; 4] = ["rps=", "cumulative count", "ECHO", "<= N milliseconds"];

fn form(text: &str) -> String {
    let mut lines: Vec<&str> =
        text.lines().filter(|l| !BY_CHANCE.iter().any(|part| l.contains(part))).collect();
    lines.retain(|line| !line.is_empty());
    lines.dedup();
    lines.join("\n") + "\n"
}

/// Runs a shell line with `PORT` replaced by a Sentinel's port; returns what it printed and its exit code.
fn shell(node: &Node, line: &str, typed: &str) -> (String, Option<i32>) {
    let mut child = Command::new("timeout")
        .args(["20", "sh", "-c", &format!("exec 2>&1; {}", line.replace("PORT", &node.port.to_string()))])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .env("TERM", "dumb")
        .spawn()
        .expect("timeout (coreutils) starts a shell");
    let mut input = child.stdin.take().expect("a pipe");
    // A tool that does not read its input may end before it was written.
    input.write_all(typed.as_bytes()).ok();
    drop(input);
    let output = child.wait_with_output().expect("a shell that ends");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

/// Does the same for both, side by side.
fn at_once<T: Send>(both: [&Node; 2], work: impl Fn(&Node) -> T + Sync) -> [T; 2] {
    std::thread::scope(|scope| {
        let running = both.map(|node| scope.spawn(|| work(node)));
        running.map(|one| one.join().expect("a tool that can be run"))
    })
}

/// Runs every line against both, and expects the same and some output from each.
fn compare(look: Look, lines: &[&str], typed: &str) {
    let pair = Pair::start();
    let mut different = String::new();
    for line in lines {
        let [ours, theirs] = at_once(pair.both(), |node| {
            let (text, code) = shell(node, line, typed);
            // The one line of INFO that later releases have and the reference has not.
            let added = |line: &&str| !line.starts_with("sentinel_total_tilt:");
            let text: String = text.split_inclusive('\n').filter(added).collect();
            let masked = pair.mask(node, &text);
            (if look == Look::AtTheForm { form(&masked) } else { masked }, code)
        });
        assert!(!theirs.0.is_empty(), "{line} prints nothing");
        if ours != theirs {
            different += &format!(
                "\n==== {line}\n{}{:?}\n---- the reference:\n{}{:?}\n",
                ours.0, ours.1, theirs.0, theirs.1
            );
        }
    }
    assert!(different.is_empty(), "{different}");
}

#[test]
fn redis_cli_prints_the_same_in_every_form() {
    let questions = ["sentinel masters", "sentinel master mymaster", "sentinel replicas mymaster"];
    let forms = ["", "-3", "--no-raw", "--raw", "--json", "-3 --json", "--quoted-json", "--csv", "-d ,"];
    let mut lines = Vec::new();
    for form in forms {
        let others =
            ["sentinel get-master-addr-by-name mymaster", "sentinel get-master-addr-by-name nobody", "role"];
        for question in questions.iter().chain(&others) {
            lines.push(format!("redis-cli {form} -p PORT {question}"));
        }
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    compare(Look::Closely, &lines, "");
}

#[test]
fn redis_cli_ends_the_same_whatever_it_is_asked_for() {
    compare(
        Look::Closely,
        &[
            "redis-cli -p PORT ping",
            "redis-cli -u redis://127.0.0.1:PORT ping",
            "redis-cli -u redis://someone:secret@127.0.0.1:PORT/1 ping",
            "redis-cli -p PORT -n 1 ping",
            "redis-cli -p PORT -r 3 -i 0.01 ping",
            "redis-cli -p PORT -e get x",
            "redis-cli -p PORT --user nobody --pass x ping",
            "redis-cli -p PORT -a wrong ping",
            "redis-cli -p PORT --no-auth-warning -a wrong ping",
            "redis-cli -p PORT -3 hello 3",
            "redis-cli -p PORT hello 2 auth default x",
            "redis-cli -p PORT --json command info ping",
            "redis-cli -p PORT monitor",
            "redis-cli -p PORT config get port",
            "redis-cli -p PORT info sentinel",
            "echo some text | redis-cli -p PORT -x ping",
            "redis-cli -p PORT --bigkeys",
            "redis-cli -p PORT --memkeys",
            "redis-cli -p PORT --hotkeys",
            "redis-cli -p PORT --scan",
            "redis-cli -p PORT --rdb /dev/null",
            "redis-cli -p PORT --replica",
            "redis-cli -p PORT --eval /dev/null",
            "redis-cli --cluster info 127.0.0.1:PORT",
            "redis-cli --cluster check 127.0.0.1:PORT",
        ],
        "",
    );
}

#[test]
fn redis_cli_watches_in_the_same_way() {
    compare(
        Look::AtTheForm,
        &[
            "redis-cli -p PORT --latency",
            "redis-cli -p PORT --raw --latency",
            "timeout 2 stdbuf -oL redis-cli -p PORT --latency-history -i 1",
            // The third line of --stat needs the answer to a second INFO.
            "stdbuf -oL redis-cli -p PORT --stat -i 0.1 | head -n 3 | tr -s '[:digit:].KMG(+) ' n",
            "timeout 2 stdbuf -oL redis-cli -p PORT subscribe +switch-master",
            "timeout 2 stdbuf -oL redis-cli -p PORT -3 psubscribe '+switch-*'",
            "timeout 2 stdbuf -oL redis-cli -p PORT --csv psubscribe '+switch-*' other",
        ],
        "",
    );
}

#[test]
fn redis_cli_takes_the_same_from_a_pipe_and_from_a_keyboard() {
    let typed = "ping\nsentinel get-master-addr-by-name mymaster\n\nbogus x\nsentinel\n\"unbalanced\nping \"a b\"\n\
                 hello 3\nsentinel ckquorum mymaster\nsentinel masters\ninfo sentinel\nselect 1\nrole\nclient getname\n";
    compare(
        Look::Closely,
        &[
            "redis-cli -p PORT",
            "redis-cli -p PORT -3",
            "redis-cli -p PORT --no-raw",
            "redis-cli -p PORT --json",
            "redis-cli -p PORT -e",
            // On a terminal it asks for COMMAND DOCS first. Its echo would come whenever the line is free.
            "script -E never -qec 'redis-cli -p PORT' /dev/null",
        ],
        typed,
    );
}

#[test]
fn mass_insertion_is_refused_alike() {
    // redis-cli ends with an ECHO of random bytes, which no Sentinel knows; it gives up after a second.
    let line = "redis-cli -p PORT --pipe --pipe-timeout 1";
    compare(Look::AtTheForm, &[line], "PING\r\nSET a b\r\nSENTINEL MYID\r\n");
}

#[test]
fn redis_benchmark_measures_both() {
    compare(
        Look::AtTheForm,
        &[
            "redis-benchmark -p PORT -t ping -n 2000 -q",
            "redis-benchmark -p PORT -t ping -n 2000 --csv",
            "redis-benchmark -p PORT -t ping -n 2000 -c 5 -P 4",
            "redis-benchmark -p PORT -n 1000 sentinel get-master-addr-by-name mymaster",
            "redis-benchmark -p PORT -n 1000 -q sentinel get-master-addr-by-name mymaster",
            "redis-benchmark -p PORT -n 500 -q -3 sentinel master mymaster",
            "redis-benchmark -p PORT -n 500 -q --threads 2 ping",
            "redis-benchmark -p PORT -n 100 -q -t set",
            "redis-benchmark -p PORT -n 100 -q -a wrong ping",
            "redis-benchmark -p PORT -n 100 -q --dbnum 3 ping",
            "redis-benchmark -p PORT -n 100 -q --cluster ping",
        ],
        "",
    );
}
