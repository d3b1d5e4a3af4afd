//! The same bytes to redis-sentinel and to our serving side: the same bytes must come back. The engine behind ours is a fake, so only
//! what is about the connection, the users and the commands as such is compared.

mod serving_support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sentineld::conf::ServerSettings;
use serving_support::{Fixture, Reference};

/// Ends a script: its answer is recognised, whatever protocol is spoken.
const END: &str = "END-OF-SCRIPT";

struct Pair {
    ours: Fixture,
    reference: Reference,
}

impl Pair {
    fn new(config: &str, change: impl FnOnce(&mut ServerSettings)) -> Pair {
        let reference = Reference::start();
        // The users come after the start, as nobody could say PING otherwise.
        for line in config.lines() {
            assert_eq!(
                talk(reference.port, &format!("{line}\r\n{END}\r\n")).split("\r\n").next(),
                Some("+OK"),
                "{line}"
            );
        }
        Pair { ours: Fixture::with(change), reference }
    }

    fn open() -> Pair {
        Pair::new("", |_| {})
    }

    /// Sends lines to both and compares all that comes back.
    fn check(&self, lines: &[&str]) {
        self.check_bytes(&(lines.join("\r\n") + "\r\n" + END + "\r\n"));
    }

    fn check_bytes(&self, bytes: &str) {
        let expected = without_ids(&talk(self.reference.port, bytes));
        let got = without_ids(&talk(self.ours.port, bytes));
        assert_eq!(got, expected, "\nfor {bytes:?}");
    }
}

/// All that a server sends until it closes or answers the end of the script.
fn talk(port: u16, bytes: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    // A connection that is closed early refuses the rest.
    let _ = stream.write_all(bytes.as_bytes());
    let mut all = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        if text.contains(&format!("'{END}', with args")) {
            return text;
        }
        match stream.read(&mut chunk) {
            Ok(0) => return text + "<end>",
            Ok(read) => all.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return text + "<end>",
            Err(error) => panic!("{error} after {text:?} for {bytes:?}"),
        }
    }
}

/// Client numbers differ, and nobody cares.
fn without_ids(text: &str) -> String {
    let mut lines: Vec<&str> = text.split("\r\n").collect();
    for i in 2..lines.len() {
        if lines[i - 2] == "$2" && lines[i - 1] == "id" {
            lines[i] = ":N";
        }
    }
    lines.join("\r\n")
}

#[test]
fn connection_commands() {
    let pair = Pair::open();
    pair.check(&["PING", "PING x", "PING x y", "ping", "ECHO x", "QUIT", "RESET", "SELECT 1", "*0", ""]);
    pair.check(&["SENTINEL", "SENTINEL foo", "CLIENT", "CLIENT foo", "CLIENT ID x", "ACL", "COMMAND foo"]);
    pair.check(&[
        "CLIENT GETNAME",
        "CLIENT SETNAME a",
        "CLIENT GETNAME",
        "CLIENT SETNAME \"\"",
        "CLIENT GETNAME",
    ]);
    pair.check(&["CLIENT SETNAME \"a b\"", "CLIENT SETNAME \"a\\n\"", "CLIENT SETINFO lib-name x"]);
    pair.check(&["CLIENT REPLY off", "PING", "CLIENT REPLY skip", "CLIENT REPLY on", "PING"]);
    pair.check(&["CLIENT REPLY skip", "PING", "PING", "CLIENT REPLY foo"]);
    pair.check(&["CLIENT REPLY off", "SUBSCRIBE x", "PING", "UNSUBSCRIBE", "CLIENT REPLY on"]);
    pair.check(&[
        "CLIENT LIST TYPE foo",
        "CLIENT LIST TYPE replica",
        "CLIENT LIST ID x",
        "CLIENT LIST ID 99999",
        "CLIENT LIST x",
        "CLIENT LIST ID",
    ]);
    pair.check(&[
        "CLIENT KILL x",
        "CLIENT KILL ID x",
        "CLIENT KILL ID 0",
        "CLIENT KILL ID 99999",
        "CLIENT KILL TYPE x",
    ]);
    pair.check(&[
        "CLIENT KILL USER x",
        "CLIENT KILL FOO x",
        "CLIENT KILL ID 1 ADDR",
        "CLIENT KILL SKIPME x",
        "CLIENT KILL LADDR x",
    ]);
    pair.check(&[
        "CLIENT KILL MAXAGE 1",
        "CLIENT KILL TYPE pubsub SKIPME no",
        "CLIENT NO-EVICT on",
        "CLIENT NO-EVICT x",
    ]);
    pair.check(&[
        "CLIENT PAUSE x",
        "CLIENT PAUSE -1",
        "CLIENT PAUSE 1 x",
        "CLIENT PAUSE 1 all x",
        "CLIENT UNPAUSE",
    ]);
    pair.check(&[
        "CLIENT UNBLOCK 1",
        "CLIENT UNBLOCK x",
        "CLIENT UNBLOCK 1 x",
        "CLIENT UNBLOCK 1 ERROR",
        "CLIENT UNBLOCK 1 ERROR x",
    ]);
    pair.check(&[
        "SHUTDOWN x",
        "SHUTDOWN SAVE NOSAVE",
        "SHUTDOWN ABORT",
        "SHUTDOWN ABORT NOW",
        "ROLE x",
        "PUBLISH a b",
        "PUBLISH a",
    ]);
}

#[test]
fn tracking() {
    let pair = Pair::open();
    pair.check(&[
        "CLIENT GETREDIR",
        "CLIENT TRACKINGINFO",
        "CLIENT CACHING yes",
        "CLIENT CACHING x",
        "CLIENT TRACKING x",
    ]);
    pair.check(&[
        "HELLO 3",
        "CLIENT TRACKING on optin",
        "CLIENT TRACKINGINFO",
        "CLIENT GETREDIR",
        "CLIENT CACHING yes",
        "CLIENT CACHING no",
    ]);
    pair.check(&[
        "CLIENT TRACKING on bcast prefix a prefix b",
        "CLIENT TRACKINGINFO",
        "CLIENT TRACKING on",
        "CLIENT TRACKING off",
    ]);
    pair.check(&[
        "CLIENT TRACKING on prefix a",
        "CLIENT TRACKING on prefix",
        "CLIENT TRACKING on redirect x",
        "CLIENT TRACKING on redirect 99999",
    ]);
    pair.check(&[
        "CLIENT TRACKING on optin optout",
        "CLIENT TRACKING on bcast optin",
        "CLIENT TRACKING on foo",
    ]);
    pair.check(&[
        "CLIENT TRACKING on optout noloop",
        "CLIENT TRACKING on optin",
        "CLIENT CACHING no",
        "CLIENT CACHING x",
    ]);
}

#[test]
fn hello_and_auth() {
    let pair = Pair::open();
    pair.check(&[
        "HELLO",
        "HELLO 3",
        "HELLO",
        "HELLO 2",
        "HELLO x",
        "HELLO 1",
        "HELLO 4 x",
        "HELLO 3 AUTH a",
        "HELLO 3 SETNAME",
    ]);
    pair.check(&[
        "HELLO 3 SETNAME \"a b\"",
        "HELLO 3 SETNAME x AUTH y z",
        "CLIENT GETNAME",
        "HELLO 3 AUTH default x",
        "PING",
    ]);
    pair.check(&["AUTH x", "AUTH default x", "AUTH a b", "AUTH a b c", "AUTH"]);
    pair.check(&["HELLO 3", "SUBSCRIBE a", "HELLO 2", "INFO", "PING", "HELLO 3"]);
}

#[test]
fn subscriptions() {
    let pair = Pair::open();
    pair.check(&[
        "SUBSCRIBE a b a",
        "PSUBSCRIBE x*",
        "PING",
        "PING hi",
        "PING a b",
        "SENTINEL myid",
        "AUTH x",
        "UNSUBSCRIBE b zz",
        "PUNSUBSCRIBE",
        "UNSUBSCRIBE",
        "UNSUBSCRIBE",
    ]);
    pair.check(&[
        "HELLO 3",
        "SUBSCRIBE a",
        "PSUBSCRIBE a",
        "PING",
        "PING hi",
        "CLIENT GETNAME",
        "UNSUBSCRIBE",
        "PUNSUBSCRIBE",
        "PUNSUBSCRIBE",
    ]);
    pair.check(&["SUBSCRIBE", "PSUBSCRIBE", "UNSUBSCRIBE a b", "SSUBSCRIBE x"]);
}

#[test]
fn protocol_errors() {
    let pair = Pair::open();
    for bytes in [
        "PING\r\n*1\r\nPING\r\n",
        "PING\r\n*x\r\n",
        "*1\r\n$-1\r\n",
        "*2147483648\r\n",
        "PING \"a\r\n",
        "PING 'a'b\r\n",
        "PING\r\nPOST / HTTP/1.1\r\n",
        "*1\r\n$536870913\r\n",
    ] {
        pair.check_bytes(bytes);
    }
    pair.check_bytes(&format!(
        "*2\r\n$4\r\nPING\r\n$2\r\nhixx*-1\r\n*1\r\n$0\r\n\r\n\n\r\n \"PI\\x4eG\"\r\n{END}\r\n"
    ));
}

#[test]
fn users() {
    let pair = Pair::open();
    pair.check(&[
        "ACL WHOAMI",
        "ACL WHOAMI x",
        "ACL USERS",
        "ACL LIST",
        "ACL CAT",
        "ACL CAT x",
        "ACL CAT write",
        "ACL CAT a b",
        "ACL HELPX",
    ]);
    pair.check(&[
        "ACL SETUSER bob",
        "ACL GETUSER bob",
        "ACL LIST",
        "ACL GETUSER nobody",
        "ACL GETUSER default",
    ]);
    pair.check(&[
        "ACL SETUSER bob on >x +ping +@fast -hello ~a* %R~b* &c* (+info ~z &y)",
        "ACL GETUSER bob",
        "HELLO 3",
        "ACL GETUSER bob",
    ]);
    pair.check(&[
        "ACL SETUSER bob <x <x",
        "ACL SETUSER bob #x",
        "ACL SETUSER bob +get",
        "ACL SETUSER bob +@foo",
        "ACL SETUSER bob foo",
    ]);
    pair.check(&[
        "ACL SETUSER bob +ping|",
        "ACL SETUSER bob +sentinel|x",
        "ACL SETUSER bob +acl|cat|x",
        "ACL SETUSER bob (+ping",
        "ACL SETUSER \"a b\"",
    ]);
    pair.check(&[
        "ACL SETUSER bob ~* ~x",
        "ACL SETUSER bob &* &x",
        "ACL SETUSER bob (foo)",
        "ACL SETUSER bob %~x",
        "ACL SETUSER bob %X~x",
        "ACL SETUSER bob !x",
    ]);
    pair.check(&[
        "ACL SETUSER bob reset on nopass +@all -@dangerous +sentinel|masters allchannels",
        "ACL GETUSER bob",
    ]);
}

#[test]
fn users_at_work() {
    let pair = Pair::open();
    pair.check(&[
        "ACL SETUSER eve on nopass -@all +sentinel|master +ping",
        "AUTH eve x",
        "PING",
        "SENTINEL masters",
        "INFO",
        "SUBSCRIBE a",
        "HELLO",
        "AUTH bob x",
        "ACL WHOAMI",
    ]);
    pair.check(&[
        "ACL DRYRUN eve ping",
        "ACL DRYRUN eve info",
        "ACL DRYRUN eve foo",
        "ACL DRYRUN x ping",
        "ACL DRYRUN eve ping a b",
        "ACL DRYRUN eve sentinel masters",
    ]);
    pair.check(&[
        "ACL SETUSER zoe on nopass +@all",
        "AUTH zoe x",
        "SUBSCRIBE a",
        "PUBLISH a b",
        "PSUBSCRIBE *",
        "ACL DRYRUN zoe subscribe a",
        "ACL DRYRUN zoe publish a b",
        "ACL DRYRUN default subscribe a",
    ]);
    pair.check(&[
        "ACL DELUSER default",
        "ACL DELUSER nobody bob eve",
        "ACL USERS",
        "ACL GENPASS x",
        "ACL GENPASS 0",
        "ACL GENPASS 4097",
        "ACL GENPASS 1 2",
    ]);
    pair.check(&["AUTH zoe x", "ACL DELUSER zoe", "PING"]);
    pair.check(&["ACL LOG RESET", "ACL LOG", "ACL LOG x", "ACL LOG 1 2", "ACL SAVE", "ACL LOAD"]);
}

#[test]
fn before_login() {
    let pair =
        Pair::new("ACL SETUSER bob on >b +ping\r\nACL SETUSER default resetpass >secret", |settings| {
            settings.requirepass = Some(b"secret".to_vec());
            settings.users = vec![("bob".into(), vec!["on".into(), ">b".into(), "+ping".into()])];
        });
    pair.check(&["PING", "FOO", "SENTINEL masters x", "AUTH x", "AUTH secret", "PING"]);
    pair.check(&["HELLO", "HELLO 3", "HELLO 9", "HELLO 3 AUTH bob x", "HELLO 3 AUTH bob b", "PING", "INFO"]);
    pair.check(&[
        "AUTH bob b",
        "AUTH bob x",
        "PING",
        "HELLO 3 AUTH nobody x",
        "AUTH default secret",
        "ACL WHOAMI",
    ]);
    pair.check_bytes("*11\r\n");
    pair.check_bytes("*2\r\n$4\r\nPING\r\n$16385\r\n");
}

#[test]
fn info_has_the_same_fields() {
    let pair = Pair::open();
    let names = |port, words: &str| -> Vec<String> {
        let text = talk(port, &format!("INFO {words}\r\n{END}\r\n"));
        // The one field that later releases have and the reference has not.
        let added = |line: &str| line.starts_with("sentinel_total_tilt:");
        let lines = text.split("\r\n").filter(|line| !line.starts_with(['$', '-']) && !added(line));
        lines.map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
    };
    for words in ["", "server", "clients stats", "all", "memory", "Sentinel cpu foo", "everything", "default"]
    {
        assert_eq!(names(pair.ours.port, words), names(pair.reference.port, words), "INFO {words}");
    }
}

#[test]
fn refusals_are_logged_alike() {
    let pair = Pair::open();
    let script = "ACL SETUSER al on nopass +auth +@connection &a*\r\nAUTH al x\r\nINFO\r\ninfo\r\nauth al2 x\r\nHELLO 3 AUTH al3 y\r\nAUTH default x\r\n\
                  ACL SETUSER al +subscribe\r\nAUTH al x\r\nSUBSCRIBE a b c\r\nAUTH default x\r\nACL LOG\r\n";
    let log = |port| -> Vec<String> {
        let text = talk(port, &format!("{script}{END}\r\n"));
        let lines = text.split("\r\n").collect::<Vec<_>>();
        // Ages and the lines about the client differ.
        let varies = |i: usize| {
            i >= 2
                && ["age-seconds", "client-info"]
                    .iter()
                    .any(|name| lines[i - 1] == *name || lines[i - 2] == *name)
        };
        (0..lines.len()).filter(|i| !varies(*i)).map(|i| lines[i].to_owned()).collect()
    };
    assert_eq!(log(pair.ours.port), log(pair.reference.port));
}
