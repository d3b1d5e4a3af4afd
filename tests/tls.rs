//! TLS for clients, side by side with the reference: who is let in, by which protocol, and what a connection bears.

mod support;
mod tls_support;

use std::net::TcpStream;
use std::time::Duration;
use std::{fs, io::Read};

use nix::sys::signal::Signal;
use support::{Client, Kind, World, wait_for};
use tls_support::{BETWEEN, BOTH, Pair, SERVER_ONLY, Tube, cli, exchangeable, handshake, sentinel, text};

use Kind::{Reference, Subject};

#[test]
fn clients_are_let_in_by_their_certificates() {
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    let own = authority.issue(&world, "own", Some(BOTH));
    let stranger = Pair::authority(&world, "stranger");
    let between = authority.issue(&world, "between", Some(BETWEEN));
    let linked = between.issue(&world, "linked", Some(BOTH));
    let unlinked = between.issue(&world, "unlinked", Some(BOTH));
    let chain = [&linked.cert, &between.cert].map(|file| fs::read_to_string(file).expect("PEM")).concat();
    fs::write(&linked.cert, chain).expect("a file");
    let shown = [
        ("own", Some(own.clone())),
        ("as guides make them", Some(authority.issue(&world, "plain", None))),
        ("linked", Some(linked)),
        ("the CA itself", Some(authority.clone())),
        ("nothing", None),
        ("unlinked", Some(unlinked)),
        ("for servers", Some(authority.issue(&world, "server", Some(SERVER_ONLY)))),
        ("expired", Some(authority.issue_for_days(&world, "expired", Some(BOTH), "-1"))),
        ("expired, as guides make them", Some(authority.issue_for_days(&world, "expired-plain", None, "-1"))),
        ("a stranger's", Some(stranger.issue(&world, "foreign", Some(BOTH)))),
        ("a stranger's, as guides make them", Some(stranger.issue(&world, "foreign-plain", None))),
        ("a stranger", Some(stranger.clone())),
        ("issued by no CA", Some(own.issue(&world, "bastard", Some(BOTH)))),
    ];
    for mode in ["yes", "no", "optional"] {
        let mut seen = Vec::new();
        for kind in [Reference, Subject] {
            let mut lines = own.lines(&authority);
            // A certificate in the CA file that is none of a CA makes nobody else trusted.
            let bundle =
                [&authority.cert, &own.cert].map(|file| fs::read_to_string(file).expect("PEM")).concat();
            let bundle = world.write("bundle.crt", &bundle);
            lines.push(format!("tls-ca-cert-file {}", bundle.display()));
            lines.push(format!("tls-auth-clients {mode}"));
            let (mut node, tls_port) = sentinel(&world, &format!("{mode}{kind:?}"), kind, &lines);
            node.start();
            let outcome = |pair: &Option<Pair>| {
                let args = pair.as_ref().map(Pair::shown).unwrap_or_default();
                cli(tls_port, &authority, &args, &["ping"]) == "PONG"
            };
            seen.push(shown.each_ref().map(|(what, pair)| (*what, outcome(pair))));
            if mode == "yes" {
                node.wait_log("peer did not return a certificate");
                node.wait_log("certificate verify failed");
            }
        }
        assert_eq!(seen[1], seen[0], "tls-auth-clients {mode}");
        let let_in = seen[0].iter().filter(|(_, let_in)| *let_in).count();
        assert_eq!(
            let_in,
            match mode {
                "yes" => 4,
                "no" => shown.len(),
                _ => 5,
            },
            "{mode}: {:?}",
            seen[0]
        );
    }
}

#[test]
fn protocols_are_those_that_are_asked_for() {
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    let own = authority.issue(&world, "own", None);
    for (index, protocols) in ["TLSv1.2", "TLSv1.3", "\"TLSv1.3 tlsv1.2\""].into_iter().enumerate() {
        let mut lines = own.lines(&authority);
        lines.push(format!("tls-protocols {protocols}"));
        let mut seen = Vec::new();
        for kind in [Reference, Subject] {
            let (mut node, tls_port) = sentinel(&world, &format!("{kind:?}{index}"), kind, &lines);
            node.start();
            seen.push(["-tls1_2", "-tls1_3"].map(|version| {
                let said = handshake(tls_port, &own, &[version, "-CAfile", text(&authority.cert)]);
                said.contains("subject=CN = own") && said.contains("Verify return code: 0 (ok)")
            }));
        }
        assert_eq!(seen[1], seen[0], "{protocols}");
        assert_eq!(seen[0], [index != 1, index != 0]);
    }
}

#[test]
fn sessions_are_resumed_unless_that_is_switched_off() {
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    let own = authority.issue(&world, "own", Some(BOTH));
    for (version, caching) in [("-tls1_2", "yes"), ("-tls1_3", "yes"), ("-tls1_2", "no"), ("-tls1_3", "no")] {
        let mut lines = own.lines(&authority);
        lines.push(format!("tls-session-caching {caching}"));
        for kind in [Reference, Subject] {
            if kind.is_reference() && caching == "no" {
                // It still gives out tickets.
                continue;
            }
            let name = format!("{kind:?}{version}{caching}");
            let (mut node, tls_port) = sentinel(&world, &name, kind, &lines);
            node.start();
            let saved = world.path(&format!("{name}.session"));
            let mut tube = Tube::open(tls_port, &own, &[version, "-sess_out", text(&saved)]);
            tube.expect("PING", "+PONG\r\n");
            if caching == "no" {
                assert!(!saved.exists(), "no session is given out");
                continue;
            }
            wait_for(&format!("a session of {name}"), 10, || {
                fs::metadata(&saved).is_ok_and(|data| data.len() > 0)
            });
            let said = handshake(tls_port, &own, &[version, "-sess_in", text(&saved)]);
            assert!(said.contains("Reused, "), "{name}: {said}");
            if !kind.is_reference() {
                node.signal(Signal::SIGHUP);
                node.wait_log("were read again");
                let said = handshake(tls_port, &own, &[version, "-sess_in", text(&saved)]);
                assert!(said.contains("New, "), "who is trusted may have changed: {said}");
            }
        }
    }
}

#[test]
fn tls_may_be_the_only_port() {
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    let own = authority.issue(&world, "own", Some(BOTH));
    for kind in [Reference, Subject] {
        let mut lines = own.lines(&authority);
        lines.push("port 0".into());
        let (mut node, tls_port) = sentinel(&world, &format!("{kind:?}"), kind, &lines);
        node.spawn();
        wait_for("an answer", 20, || cli(tls_port, &authority, &own.shown(), &["ping"]) == "PONG");
        node.wait_log(&format!("Running mode=sentinel, port={tls_port}."));
        let info = cli(tls_port, &authority, &own.shown(), &["info", "server"]);
        assert!(info.contains(&format!("tcp_port:{tls_port}\r\n")), "{info}");
        assert!(Client::connect(node.port).is_err(), "nothing listens there");
    }
    // The same port twice, in plain text and by TLS.
    for kind in [Reference, Subject] {
        let (mut node, tls_port) = sentinel(&world, &format!("twice{kind:?}"), kind, &own.lines(&authority));
        node.args = vec!["--port".into(), tls_port.to_string()];
        node.spawn();
        assert_eq!(node.wait_end(10).code(), Some(1));
        node.wait_log(&format!("# Failed listening on port {tls_port} (TLS), aborting."));
    }
}

#[test]
fn much_is_sent_and_received_as_in_plain_text() {
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    let (_node, tls_port, shown) = exchangeable(&world, &authority);
    let mut tube = Tube::open(tls_port, &shown, &[]);
    // More than any buffer on the way holds: most of it waits until it is read.
    let questions = 3000;
    tube.send(b"COMMAND\r\nPING\r\n");
    let mut one = tube.take(1);
    while !one.ends_with(b"+PONG\r\n") {
        one.extend(tube.take(1));
    }
    one.truncate(one.len() - b"+PONG\r\n".len());
    tube.send(&b"COMMAND\r\n".repeat(questions));
    let all = tube.take(one.len() * questions);
    assert!(all.chunks(one.len()).all(|chunk| chunk == one), "every reply is whole");
    tube.expect("PING", "+PONG\r\n");
    // A long request in many records.
    let name = "x".repeat(1_000_000);
    tube.send(format!("*3\r\n$8\r\nSENTINEL\r\n$6\r\nMASTER\r\n${}\r\n{name}\r\n", name.len()).as_bytes());
    let refused = "-ERR No such master with that name\r\n";
    assert_eq!(String::from_utf8_lossy(&tube.take(refused.len())), refused);
}

#[test]
fn a_handshake_that_does_not_go_on_keeps_nobody_waiting_and_ends() {
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    let (node, tls_port, shown) = exchangeable(&world, &authority);
    let mut silent: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect(("127.0.0.1", tls_port)).expect("accepted")).collect();
    assert_eq!(cli(tls_port, &authority, &shown.shown(), &["ping"]), "PONG");
    wait_for("all to be counted", 10, || node.info("clients", "connected_clients") == "51");
    // They are clients: they can be killed, and one that speaks plainly is told nothing.
    let list = node.call(&["CLIENT", "LIST"]).text();
    let first = silent[0].local_addr().expect("an address").to_string();
    assert!(list.contains(&format!("addr={first} ")), "{list}");
    assert_eq!(node.call(&["CLIENT", "KILL", &first]).text(), "OK");
    assert_eq!(silent.remove(0).read(&mut [0; 9]).expect("closed"), 0);
    if !Subject.is_reference() {
        for mut socket in silent {
            socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
            assert_eq!(socket.read(&mut [0; 9]).expect("closed"), 0);
        }
        node.wait_log("# Error accepting a client connection: the TLS handshake took too long");
        assert_eq!(node.info("clients", "connected_clients"), "1");
    }
}

#[test]
fn others_are_turned_away_after_the_handshake_or_without_a_word() {
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    let own = authority.issue(&world, "own", Some(BOTH));
    for kind in [Reference, Subject] {
        let mut lines = own.lines(&authority);
        lines.extend(["protected-mode yes".to_owned(), "maxclients 4".to_owned()]);
        let (mut node, tls_port) = sentinel(&world, &format!("{kind:?}"), kind, &lines);
        node.start();
        let denied = Tube::open(tls_port, &own, &["-bind", "127.0.0.2"]).rest();
        assert!(denied.starts_with("-DENIED Redis is running in protected mode"), "{denied}");
        wait_for("it to be gone", 10, || node.info("clients", "connected_clients") == "1");
        let mut plain = TcpStream::connect(("127.0.0.1", tls_port)).expect("accepted");
        std::io::Write::write_all(&mut plain, b"PING\r\n").expect("sent");
        let mut answer = Vec::new();
        // Closed, or reset because it did not read all.
        let _ = plain.read_to_end(&mut answer);
        assert_eq!(answer, b"", "nothing would be understood");
        node.wait_log(
            "Error accepting a client connection: error:0A00010B:SSL routines::wrong version number",
        );

        // One of the four places may still be taken by a client of before that has just left.
        let mut crowd: Vec<_> = (0..3).map(|_| Tube::open(tls_port, &own, &[])).collect();
        crowd.iter_mut().for_each(|tube| tube.expect("PING", "+PONG\r\n"));
        let mut last = None;
        wait_for("the last place", 10, || {
            let mut client = node.client();
            let found = client.call(&["PING"]).is_ok_and(|answer| answer.text() == "PONG");
            last = Some(client);
            found
        });
        assert_ne!(cli(tls_port, &authority, &own.shown(), &["ping"]), "PONG");
        drop((crowd, last));
    }
}
