//! The serving side with a fake engine: every byte a client sees of the connection itself. Texts were recorded from redis-sentinel 7.0.15.

mod serving_support;

use std::time::Duration;

use sentineld::daemon::serving::ExitRequest;
use sentineld::model::{Instant, MasterName};
use sentineld::wire::{Command, SentinelCommand};
use serving_support::{Client, Fixture, wait_for};

const CANT_EXECUTE: &str =
    "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n";

#[test]
fn answers_leave_in_the_order_of_the_commands() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.send("PING a\r\nSENTINEL FLUSHCONFIG\r\nPING b\r\nCOMMAND COUNT\r\nSENTINEL FLUSHCONFIG\r\nCLIENT GETNAME\r\nFOO\r\n");
    client.expect("$1\r\na\r\n");
    fixture.wait_held(2);
    client.expect_silence();
    fixture.release(true);
    client.expect(
        "+OK\r\n$1\r\nb\r\n:15\r\n+OK\r\n$-1\r\n-ERR unknown command 'FOO', with args beginning with: \r\n",
    );
}

#[test]
fn thousands_of_pipelined_commands_are_answered() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    let writer = {
        let mut stream = client.stream.try_clone().expect("a socket");
        std::thread::spawn(move || {
            use std::io::Write as _;
            stream.write_all("*1\r\n$4\r\nPING\r\n".repeat(20_000).as_bytes()).expect("the server reads");
        })
    };
    client.expect(&"+PONG\r\n".repeat(20_000));
    writer.join().expect("written");
}

#[test]
fn addresses_come_from_the_directory_while_the_engine_lives() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    let from_engine = "*2\r\n$6\r\nengine\r\n$1\r\n1\r\n";
    client.ask("SENTINEL GET-MASTER-ADDR-BY-NAME m", from_engine);
    {
        let mut directory = fixture.directory.lock().expect("unpoisoned");
        directory.set(&MasterName::from("m"), Some(("10.0.0.1".into(), 6379)));
        directory.publish();
    }
    let question = "sentinel get-master-addr-by-name m";
    let mut beats = 0;
    wait_for("the pulse to be felt", || {
        beats += 1;
        fixture.pulse.beat(Instant::from_millis(beats));
        client.send(&format!("{question}\r\n"));
        let line = client.expect_line("*2") + &client.expect_line("$");
        let host = client.expect_line("");
        client.expect_line("$");
        client.expect_line("");
        line == "*2\r\n$8\r\n" && host == "10.0.0.1\r\n"
    });
    client.ask("HELLO 3\r\nsentinel get-master-addr-by-name x", "%6\r\n$6\r\nserver\r\n");
    while client.expect_line("") != "*0\r\n" {}
    client.expect("_\r\n");
    client.ask(&format!("SENTINEL FLUSHCONFIG\r\n{question}"), "");
    fixture.wait_held(1);
    fixture.release(false);
    client.expect(&format!("+OK\r\n{from_engine}"));
}

#[test]
fn resp2_subscribers_may_do_little_else() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.ask(
        "SUBSCRIBE a b a",
        "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:2\r\n",
    );
    client.ask("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    client.ask("PING hi", "*2\r\n$4\r\npong\r\n$2\r\nhi\r\n");
    client.ask("INFO", &format!("-ERR Can't execute 'info': {CANT_EXECUTE}"));
    client.ask("SENTINEL masters", &format!("-ERR Can't execute 'sentinel|masters': {CANT_EXECUTE}"));
    client.ask("HELLO 3", &format!("-ERR Can't execute 'hello': {CANT_EXECUTE}"));
    client.ask("FOO", "-ERR unknown command 'FOO', with args beginning with: \r\n");
    client.ask("PSUBSCRIBE +s*", "*3\r\n$10\r\npsubscribe\r\n$3\r\n+s*\r\n:3\r\n");
    fixture.publish("+sdown", "x");
    client.expect("*4\r\n$8\r\npmessage\r\n$3\r\n+s*\r\n$6\r\n+sdown\r\n$1\r\nx\r\n");
    client.ask("UNSUBSCRIBE zz", "*3\r\n$11\r\nunsubscribe\r\n$2\r\nzz\r\n:3\r\n");
    client.ask(
        "UNSUBSCRIBE",
        "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:2\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:1\r\n",
    );
    client.ask("UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:1\r\n");
    client.ask("PUNSUBSCRIBE", "*3\r\n$12\r\npunsubscribe\r\n$3\r\n+s*\r\n:0\r\n");
    client.ask("PING", "+PONG\r\n");
}

#[test]
fn resp3_subscribers_get_pushes_between_replies_and_before_their_own() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.ask("HELLO 3\r\nSUBSCRIBE +reset-master\r\nPSUBSCRIBE *", "%6\r\n");
    while client.expect_line("") != "*0\r\n" {}
    client.expect(
        ">3\r\n$9\r\nsubscribe\r\n$13\r\n+reset-master\r\n:1\r\n>3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:2\r\n",
    );
    client.ask(
        "SENTINEL RESET m",
        ">3\r\n$7\r\nmessage\r\n$13\r\n+reset-master\r\n$8\r\nmaster m\r\n\
         >4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$13\r\n+reset-master\r\n$8\r\nmaster m\r\n:1\r\n",
    );
    client.ask("PING", "+PONG\r\n");
    client.ask("CLIENT REPLY OFF\r\nPING", "");
    fixture.publish("+x", "y");
    client.expect(">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$2\r\n+x\r\n$1\r\ny\r\n");
    client.ask("CLIENT REPLY ON", "+OK\r\n");
    client.ask("CLIENT REPLY SKIP\r\nPING\r\nPING", "+PONG\r\n");
}

#[test]
fn hello_checks_its_words_in_order() {
    let fixture = Fixture::with(|settings| settings.requirepass = Some(b"secret".to_vec()));
    let mut client = fixture.client();
    client.ask("HELLO x", "-ERR Protocol version is not an integer or out of range\r\n");
    client.ask("HELLO 4", "-NOPROTO unsupported protocol version\r\n");
    client.ask("HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n");
    client.ask("HELLO 3 auth u", "-ERR Syntax error in HELLO option 'auth'\r\n");
    client
        .ask("HELLO 3 AUTH default x", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    client.ask("HELLO", "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time\r\n");
    client.ask(
        "HELLO 2 AUTH default secret SETNAME me",
        "*12\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:3\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n$7\r\nmodules\r\n*0\r\n",
    );
    client.ask("CLIENT GETNAME", "$2\r\nme\r\n");
    client.ask("HELLO 3 SETNAME a\"b", "-ERR Protocol error: unbalanced quotes in request\r\n");
    client.expect_end();
}

#[test]
fn nothing_but_logging_in_is_allowed_before_it() {
    let fixture = Fixture::with(|settings| {
        settings.requirepass = Some(b"secret".to_vec());
        settings.users =
            vec![("bob".into(), vec!["on".into(), ">b".into(), "+ping".into(), "+acl|whoami".into()])];
    });
    let mut client = fixture.client();
    client.ask("PING", "-NOAUTH Authentication required.\r\n");
    client.ask("FOO", "-ERR unknown command 'FOO', with args beginning with: \r\n");
    client.ask("SENTINEL masters x", "-ERR wrong number of arguments for 'sentinel|masters' command\r\n");
    client.ask("AUTH x", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    client.ask("AUTH a b c", "-ERR syntax error\r\n");
    client.ask("AUTH bob b", "+OK\r\n");
    client.ask("PING", "+PONG\r\n");
    client.ask("INFO", "-NOPERM this user has no permissions to run the 'info' command\r\n");
    client.ask("AUTH bob c", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    client.ask("ACL WHOAMI", "$3\r\nbob\r\n");
    let mut other = fixture.client();
    other.ask("*11\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n");
    other.expect_end();
    let mut admin = fixture.client();
    admin.ask("AUTH secret", "+OK\r\n");
    admin.ask("ACL LOG 1", "*1\r\n*14\r\n$5\r\ncount\r\n:1\r\n$6\r\nreason\r\n$4\r\nauth\r\n$7\r\ncontext\r\n$8\r\ntoplevel\r\n$6\r\nobject\r\n$4\r\nAUTH\r\n$8\r\nusername\r\n$3\r\nbob\r\n");
    assert_eq!(
        fixture.server.user_lines()[0],
        "bob on #3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d resetchannels -@all +acl|whoami +ping"
    );
}

#[test]
fn users_can_be_changed_while_they_are_connected() {
    let fixture = Fixture::new();
    let mut admin = fixture.client();
    admin.ask("AUTH x", "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n");
    admin.ask("ACL SETUSER bob on nopass +@all &a*", "+OK\r\n");
    assert_eq!(fixture.server.user_lines()[0], "bob on nopass resetchannels &a* +@all", "what is saved next");
    let mut bob = fixture.client();
    bob.ask("AUTH bob x", "+OK\r\n");
    bob.ask(
        "SUBSCRIBE b",
        "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n",
    );
    bob.ask("SUBSCRIBE ab", "*3\r\n$9\r\nsubscribe\r\n$2\r\nab\r\n:1\r\n");
    admin.ask("ACL SETUSER bob resetchannels &c", "+OK\r\n");
    bob.expect_end();
    let mut bob = fixture.client();
    bob.ask("AUTH bob x\r\nPING", "+OK\r\n+PONG\r\n");
    admin.ask("ACL SETUSER bob -ping", "+OK\r\n");
    bob.ask("PING", "-NOPERM this user has no permissions to run the 'ping' command\r\n");
    admin.ask("ACL DELUSER default", "-ERR The 'default' user cannot be removed\r\n");
    admin.ask("ACL DELUSER bob nobody", ":1\r\n");
    bob.expect_end();
    admin.ask("ACL GETUSER bob", "$-1\r\n");
}

#[test]
fn clients_are_listed_and_killed() {
    let fixture = Fixture::new();
    let (mut one, mut two) = (fixture.client(), fixture.client());
    one.ask("CLIENT SETNAME one", "+OK\r\n");
    one.ask(
        "CLIENT SETNAME \"a b\"",
        "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
    );
    two.ask("SUBSCRIBE c", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    one.send("CLIENT LIST\r\n");
    let list = one.expect_text();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 2, "{list}");
    let local = one.stream.local_addr().expect("a socket");
    assert!(
        lines[0].starts_with(&format!("id=3 addr={local} laddr=127.0.0.1:{} fd=", fixture.port)),
        "{list}"
    );
    assert!(
        lines[0].contains(" name=one age=0 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf="),
        "{list}"
    );
    assert!(lines[0].ends_with(" events=r cmd=client|list user=default redir=-1 resp=2"), "{list}");
    assert!(lines[1].contains(" flags=P ") && lines[1].contains(" sub=1 "), "{list}");
    one.ask("CLIENT LIST TYPE master", "$0\r\n\r\n");
    one.ask("CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'\r\n");
    one.ask("CLIENT LIST ID x", "-ERR Invalid client ID\r\n");
    one.ask("CLIENT LIST foo", "-ERR syntax error\r\n");
    one.ask("CLIENT KILL ID 0", "-ERR client-id should be greater than 0\r\n");
    one.ask("CLIENT KILL USER nobody", "-ERR No such user 'nobody'\r\n");
    one.ask("CLIENT KILL 1.2.3.4:5", "-ERR No such client\r\n");
    one.ask("CLIENT KILL TYPE pubsub", ":1\r\n");
    two.expect_end();
    one.ask("CLIENT KILL TYPE normal", ":0\r\n");
    one.ask(&format!("CLIENT KILL {local}"), "+OK\r\n");
    one.expect_end();
}

#[test]
fn a_pause_parks_commands_and_keeps_their_order() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.ask("CLIENT PAUSE x", "-ERR timeout is not an integer or out of range\r\n");
    client.ask("CLIENT PAUSE -1", "-ERR timeout is negative\r\n");
    client.ask("CLIENT PAUSE 1 foo", "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n");
    client.ask("CLIENT PAUSE 60000 WRITE", "+OK\r\n");
    let mut other = fixture.client();
    other.ask("PING", "+PONG\r\n");
    other.ask("PUBLISH __sentinel__:hello x\r\nPING", "");
    other.expect_silence();
    client.ask("CLIENT UNPAUSE", "+OK\r\n");
    other.expect(":1\r\n+PONG\r\n");
    client.ask("CLIENT PAUSE 400", "+OK\r\n");
    let before = std::time::Instant::now();
    other.ask("FOO", "-ERR unknown command 'FOO', with args beginning with: \r\n");
    other.ask("PING", "+PONG\r\n");
    assert!(before.elapsed() >= Duration::from_millis(300), "the ping did not wait");
}

#[test]
fn the_engine_is_told_who_asks_and_which_scripts_can_run() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.ask("CLIENT SETNAME sentinel-01234567-cmd", "+OK\r\n");
    client.ask("SENTINEL IS-MASTER-DOWN-BY-ADDR 10.0.0.1 6379 1 *", "+OK\r\n");
    let seen = fixture.seen.lock().expect("unpoisoned");
    let [Command::Sentinel(SentinelCommand::IsMasterDown { asker, .. })] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert_eq!(asker.as_deref(), Some("sentinel-01234567-cmd"));
}

#[test]
fn info_has_the_sections_asked_for() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    let mut info = |words: &str| {
        client.send(&format!("INFO {words}\r\n"));
        client.expect_text()
    };
    let heads =
        |text: &str| text.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(heads(&info("")), ["# Server", "# Clients", "# Stats", "# CPU", "# Sentinel"]);
    assert_eq!(heads(&info("cpu clients")), ["# Clients", "# CPU"]);
    assert_eq!(info("replication"), "");
    assert!(info("clients").contains("connected_clients:1\r\n"));
    assert!(info("server").contains(&format!("tcp_port:{}\r\n", fixture.port)));
}

#[test]
fn shutdown_asks_for_the_end_and_answers_nothing() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.ask("SHUTDOWN foo", "-ERR syntax error\r\n");
    client.ask("SHUTDOWN SAVE NOSAVE", "-ERR syntax error\r\n");
    client.ask("SHUTDOWN ABORT", "-ERR No shutdown in progress.\r\n");
    client.send("SHUTDOWN NOSAVE\r\nPING\r\n");
    let request = fixture.exits.lock().expect("unpoisoned").blocking_recv();
    assert_eq!(request, Some(ExitRequest::Shutdown));
    client.expect_silence();
    fixture.server.close();
    client.expect_end();
    wait_for("the port to be closed", || std::net::TcpStream::connect(("127.0.0.1", fixture.port)).is_err());
}

#[test]
fn renamed_commands_are_known_by_their_new_name_only() {
    let fixture = Fixture::with(|settings| {
        settings.renamed_commands = vec![("role".into(), "elor".into()), ("shutdown".into(), String::new())];
    });
    let mut client: Client = fixture.client();
    client.ask("ELOR", "*2\r\n$8\r\nsentinel\r\n*1\r\n$1\r\nm\r\n");
    client.ask("ROLE", "-ERR unknown command 'ROLE', with args beginning with: \r\n");
    client.ask("SHUTDOWN", "-ERR unknown command 'SHUTDOWN', with args beginning with: \r\n");
    client.ask("*1\r\n$0\r\n", "-ERR unknown command '', with args beginning with: \r\n");
}

#[test]
fn users_live_in_a_file_of_their_own_if_told_so() {
    let path = std::env::temp_dir().join(format!("sentineld-serving-{}.acl", std::process::id()));
    let fixture = Fixture::with(|settings| settings.acl_file = Some(path.to_string_lossy().into_owned()));
    let mut admin = fixture.client();
    let opening =
        format!("-ERR Error loading ACLs, opening file '{}': No such file or directory\r\n", path.display());
    admin.ask("ACL LOAD", &opening);
    admin.ask("ACL SETUSER bob on nopass +@all", "+OK\r\n");
    admin.ask("ACL SAVE", "+OK\r\n");
    let saved = std::fs::read_to_string(&path).expect("it was saved");
    assert_eq!(saved, "user bob on nopass resetchannels +@all\nuser default on nopass ~* &* +@all\n");
    let mut bob = fixture.client();
    bob.ask("AUTH bob x", "+OK\r\n");
    std::fs::write(&path, "user eve on\n").expect("a file");
    admin.ask("ACL LOAD", "+OK\r\n");
    bob.expect_end();
    admin.ask("ACL USERS", "*2\r\n$7\r\ndefault\r\n$3\r\neve\r\n");
    std::fs::remove_file(&path).expect("ours");
}
