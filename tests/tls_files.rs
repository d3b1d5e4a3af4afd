//! The files of TLS, side by side with the reference: what is refused at the start, which forms they may have, and new ones while it runs.

mod support;
mod tls_support;

use std::fs;

use nix::sys::signal::Signal;
use support::{Kind, World, wait_for};
use tls_support::{
    BOTH, Pair, Tube, cli, exchangeable, handshake, openssl, replace, sentinel, start_lines, text,
};

use Kind::{Reference, Subject};

/// Starts a Sentinel that is expected to give up; its exit code and its log lines.
fn refused_start(world: &World, name: &str, kind: Kind, lines: &[String]) -> (Option<i32>, Vec<String>) {
    let (mut node, _) = sentinel(world, name, kind, lines);
    node.spawn();
    let status = node.wait_end(10);
    let lines = start_lines(&node).into_iter().filter(|line| line.starts_with("# ")).skip(3).collect();
    (status.code(), lines)
}

#[test]
fn what_is_wrong_with_the_files_is_said_at_the_start() {
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    let own = authority.issue(&world, "own", Some(BOTH));
    let other = authority.issue(&world, "other", Some(BOTH));
    let encrypted = world.path("encrypted.key");
    openssl(&["pkcs8", "-topk8", "-in", text(&own.key), "-out", text(&encrypted), "-passout", "pass:right"]);
    let file = |path: &std::path::Path| path.display().to_string();
    let (own_cert, own_key) = (file(&own.cert), file(&own.key));
    let cases: Vec<(&str, Vec<String>)> = vec![
        ("no certificate", vec![]),
        ("no key", vec![format!("tls-cert-file {own_cert}")]),
        ("no CA", own.lines(&authority)[..2].to_vec()),
        ("missing certificate", vec!["tls-cert-file /nowhere.crt".into()]),
        ("missing key", vec!["tls-key-file /nowhere.key".into()]),
        ("missing CA", vec!["tls-ca-cert-file /nowhere.crt".into()]),
        ("a key as certificate", vec![format!("tls-cert-file {own_key}")]),
        ("a certificate as key", vec![format!("tls-key-file {own_cert}")]),
        ("a key as CA", vec![format!("tls-ca-cert-file {own_key}")]),
        ("another's key", vec![format!("tls-key-file {}", file(&other.key))]),
        ("no passphrase", vec![format!("tls-key-file {}", file(&encrypted))]),
        (
            "wrong passphrase",
            vec![format!("tls-key-file {}", file(&encrypted)), "tls-key-file-pass no".into()],
        ),
        ("unknown protocol", vec!["tls-protocols SSLv3".into()]),
        ("unknown cipher", vec!["tls-ciphers foo".into()]),
        ("unknown suite", vec!["tls-ciphersuites foo".into()]),
        ("missing DH parameters", vec!["tls-dh-params-file /nowhere".into()]),
        ("no DH parameters", vec![format!("tls-dh-params-file {own_cert}")]),
        (
            "client's key",
            vec![format!("tls-client-cert-file {own_cert}"), "tls-client-key-file /nowhere".into()],
        ),
    ];
    for (index, (what, lines)) in cases.into_iter().enumerate() {
        let mut all = if index < 3 { vec![] } else { own.lines(&authority) };
        all.extend(lines);
        let mut theirs = refused_start(&world, &format!("theirs{index}"), Reference, &all);
        let mut ours = refused_start(&world, &format!("ours{index}"), Subject, &all);
        if what == "wrong passphrase" {
            // Once in a while what comes out looks like something, and OpenSSL complains about that.
            for said in [&mut theirs, &mut ours] {
                let end = said.1[0].find("error:").expect("a reason of OpenSSL");
                said.1[0].truncate(end);
            }
        }
        assert_eq!(ours, theirs, "{what}");
        assert_eq!(theirs.0, Some(1), "{what}");
        assert_eq!(
            theirs.1.last().map(String::as_str),
            Some("# Failed to configure TLS. Check logs for more info.")
        );
    }
}

#[test]
fn our_own_limits_name_the_line_at_fault_or_are_a_warning() {
    if Subject.is_reference() {
        return;
    }
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    let own = authority.issue(&world, "own", Some(BOTH));
    let old = world.path("old.key");
    let args = ["ec", "-aes128", "-passout", "pass:right", "-in", text(&own.key), "-out", text(&old)];
    openssl(&args);
    let refused = [
        vec!["tls-protocols \"TLSv1 TLSv1.1\"".to_owned()],
        vec!["tls-ciphersuites TLS_AES_128_CCM_SHA256".to_owned()],
        vec!["tls-key-file-pass right".to_owned(), format!("tls-key-file {}", old.display())],
    ];
    for (index, lines) in refused.into_iter().enumerate() {
        let all = [own.lines(&authority), lines.clone()].concat();
        let (mut node, _) = sentinel(&world, &format!("refused{index}"), Subject, &all);
        node.spawn();
        assert_eq!(node.wait_end(10).code(), Some(1));
        let line = node.conf_text().lines().count();
        let place = format!("In {}, line {line}: expected ", node.conf.display());
        assert!(node.log_text().contains(&place), "no {place:?} in {}", node.log_text());
    }
    let lines = [
        "tls-protocols \"TLSv1 TLSv1.2 TLSv1.3\"",
        "tls-ciphers AES128-SHA:HIGH",
        "tls-ca-cert-dir /nowhere",
        "tls-client-cert-file /nowhere",
    ];
    let all = [own.lines(&authority), lines.map(str::to_owned).to_vec()].concat();
    let (mut node, tls_port) = sentinel(&world, "warned", Subject, &all);
    node.start();
    for line in lines {
        let name = line.split(' ').next().expect("a word");
        let warned =
            node.log_text().lines().any(|l| l.contains(" # In ") && l.contains(&format!("`{name}`: ")));
        assert!(warned, "nothing about {name} in {}", node.log_text());
    }
    assert_eq!(cli(tls_port, &authority, &own.shown(), &["ping"]), "PONG");
}

#[test]
fn keys_may_have_a_passphrase_and_cas_a_folder() {
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    let own = authority.issue(&world, "own", Some(BOTH));
    let encrypted = world.path("encrypted.key");
    openssl(&["pkcs8", "-topk8", "-in", text(&own.key), "-out", text(&encrypted), "-passout", "pass:a b\"c"]);
    let folder = world.folder("authorities");
    fs::copy(&authority.cert, folder.join("ca.pem")).expect("a copy");
    fs::write(folder.join("notes.txt"), "no certificate").expect("a file");
    // The reference finds it by its hash only.
    let hash = openssl(&["x509", "-hash", "-noout", "-in", text(&authority.cert)]);
    std::os::unix::fs::symlink("ca.pem", folder.join(format!("{}.0", hash.trim()))).expect("a link");
    let lines = vec![
        format!("tls-cert-file {}", own.cert.display()),
        format!("tls-key-file {}", encrypted.display()),
        "tls-key-file-pass \"a b\\\"c\"".to_owned(),
        format!("tls-ca-cert-dir {}", folder.display()),
    ];
    for kind in [Reference, Subject] {
        let (mut node, tls_port) = sentinel(&world, &format!("{kind:?}"), kind, &lines);
        node.start();
        assert_eq!(cli(tls_port, &authority, &own.shown(), &["ping"]), "PONG");
        assert!(node.conf_text().contains("tls-key-file-pass \"a b\\\"c\"\n"), "kept by the rewrite");
    }
}

#[test]
fn keys_and_certificates_come_in_many_forms() {
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    let rsa = authority.issue(&world, "rsa", None);
    let ec = authority.issue(&world, "ec", Some(BOTH));
    let form = |name: &str, pair: &Pair, args: &[&str]| {
        let key = world.path(&format!("{name}.key"));
        let all = [args, &["-in", text(&pair.key), "-out", text(&key)]].concat();
        openssl(&all);
        Pair { key, cert: pair.cert.clone() }
    };
    let pass = ["-passout", "pass:secret"];
    let mut forms = vec![
        form("pkcs1", &rsa, &["rsa", "-traditional"]),
        form("sec1", &ec, &["ec"]),
        form("sha1", &rsa, &[&["pkcs8", "-topk8", "-v2prf", "hmacWithSHA1"], &pass[..]].concat()),
        form("des3", &ec, &[&["pkcs8", "-topk8", "-v2", "des3"], &pass[..]].concat()),
        form("scrypt", &ec, &[&["pkcs8", "-topk8", "-scrypt", "-scrypt_N", "16"], &pass[..]].concat()),
    ];
    let parts = [&rsa.cert, &rsa.key].map(|file| fs::read_to_string(file).expect("PEM"));
    let whole = world.write("whole.pem", &format!("About it\n{}", parts.concat().replace('\n', "\r\n")));
    forms.push(Pair { cert: whole.clone(), key: whole });
    for (index, pair) in forms.into_iter().enumerate() {
        for kind in [Reference, Subject] {
            let mut lines = pair.lines(&authority);
            lines.push("tls-key-file-pass secret".to_owned());
            let (mut node, tls_port) = sentinel(&world, &format!("{kind:?}{index}"), kind, &lines);
            node.start();
            let shown = cli(tls_port, &authority, &rsa.shown(), &["ping"]);
            assert_eq!(shown, "PONG", "{kind:?} with {}", pair.key.display());
        }
    }
}

#[test]
fn certificates_are_read_again_without_dropping_a_connection() {
    if Subject.is_reference() {
        return;
    }
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    let client = authority.issue(&world, "client", Some(BOTH));
    let (node, tls_port, shown) = exchangeable(&world, &authority);
    let mut held = Tube::open(tls_port, &client, &[]);
    held.expect("PING", "+PONG\r\n");
    let subject = || handshake(tls_port, &client, &["-CAfile", text(&authority.cert)]);
    assert!(subject().contains("subject=CN = shown"));

    let second = authority.issue(&world, "second", None);
    replace(&second.cert, &shown.cert);
    replace(&second.key, &shown.key);
    node.signal(Signal::SIGHUP);
    wait_for("the second certificate", 10, || subject().contains("subject=CN = second"));
    held.expect("PING", "+PONG\r\n");

    // What can't be used is not used.
    fs::write(&shown.cert, "damaged").expect("a file");
    node.signal(Signal::SIGHUP);
    node.wait_log("# TLS certificates and keys stay as they were");
    assert!(subject().contains("subject=CN = second"));

    let third = authority.issue(&world, "third", Some(BOTH));
    replace(&third.cert, &shown.cert);
    replace(&third.key, &shown.key);
    held.expect("SENTINEL CONFIG SET announce-hostnames no", "+OK\r\n");
    wait_for("the third certificate", 10, || subject().contains("subject=CN = third"));
    held.expect("PING", "+PONG\r\n");

    // Nobody that the CA file names no longer gets in, with a session of earlier or without.
    let trusted = Pair { cert: world.path("trusted.crt"), ..authority.clone() };
    fs::copy(&authority.cert, &trusted.cert).expect("a copy");
    replace(&Pair::authority(&world, "other").cert, &authority.cert);
    assert_eq!(cli(tls_port, &trusted, &client.shown(), &["ping"]), "PONG");
    node.signal(Signal::SIGHUP);
    wait_for("the client to be a stranger", 10, || {
        cli(tls_port, &trusted, &client.shown(), &["ping"]) != "PONG"
    });
    node.wait_log("certificate verify failed");
    held.expect("PING", "+PONG\r\n");
}
