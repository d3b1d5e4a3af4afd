//! Certificates made on the spot, and clients that speak TLS: redis-cli, and openssl's as a tube for bytes.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part of this module")]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::support::node::in_path;
use crate::support::{Kind, Node, World, port};

/// Extensions of a certificate for a server and a client.
pub const BOTH: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
                        extendedKeyUsage=serverAuth,clientAuth\n";
/// Extensions of a certificate that a client must not show.
pub const SERVER_ONLY: &str = "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n";
/// Extensions of a CA below another.
pub const BETWEEN: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n";

const EC: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const RSA: [&str; 2] = ["-newkey", "rsa:2048"];

/// A certificate and its key, as files.
#[derive(Clone)]
pub struct Pair {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Runs openssl; panics with what it says if it fails.
#[track_caller]
pub fn openssl(args: &[&str]) -> String {
    let output = Command::new(in_path("openssl")).args(args).stdin(Stdio::null()).output().expect("it runs");
    assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Pair {
    fn at(world: &World, name: &str) -> Pair {
        Pair { cert: world.path(&format!("{name}.crt")), key: world.path(&format!("{name}.key")) }
    }

    /// A certificate that issued itself.
    pub fn authority(world: &World, name: &str) -> Pair {
        let pair = Pair::at(world, name);
        let mut args = vec!["req", "-x509", "-nodes", "-days", "30"];
        args.extend(EC);
        let subject = format!("/CN={name}");
        args.extend(["-subj", &subject, "-keyout", text(&pair.key), "-out", text(&pair.cert)]);
        openssl(&args);
        pair
    }

    /// A certificate with extensions, issued by this one. With none, it is as most guides make it: with Debian's OpenSSL of
    /// version 1, and with an RSA key.
    pub fn issue(&self, world: &World, name: &str, extensions: Option<&str>) -> Pair {
        self.issue_for_days(world, name, extensions, "30")
    }

    /// The same, valid for other days than the next 30.
    pub fn issue_for_days(&self, world: &World, name: &str, extensions: Option<&str>, days: &str) -> Pair {
        let pair = Pair::at(world, name);
        let request = world.path(&format!("{name}.csr"));
        let mut args = vec!["req", "-nodes"];
        args.extend(if extensions.is_some() { &EC[..] } else { &RSA[..] });
        let subject = format!("/CN={name}");
        args.extend(["-subj", &subject, "-keyout", text(&pair.key), "-out", text(&request)]);
        openssl(&args);
        let mut args = vec!["x509", "-req", "-days", days, "-set_serial", "7", "-in", text(&request)];
        args.extend(["-CA", text(&self.cert), "-CAkey", text(&self.key), "-out", text(&pair.cert)]);
        let file = world.write(&format!("{name}.ext"), extensions.unwrap_or_default());
        if extensions.is_some() {
            args.extend(["-extfile", text(&file)]);
        }
        openssl(&args);
        pair
    }

    /// The directives that have a daemon show this certificate and trust that authority.
    pub fn lines(&self, authority: &Pair) -> Vec<String> {
        vec![
            format!("tls-cert-file {}", self.cert.display()),
            format!("tls-key-file {}", self.key.display()),
            format!("tls-ca-cert-file {}", authority.cert.display()),
        ]
    }

    /// The options by which redis-cli shows it.
    pub fn shown(&self) -> Vec<&str> {
        vec!["--cert", text(&self.cert), "--key", text(&self.key)]
    }
}

/// A path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("our own names")
}

/// What `redis-cli --tls` answers, errors included.
pub fn cli(port: u16, authority: &Pair, shown: &[&str], words: &[&str]) -> String {
    let output = Command::new("timeout")
        .args(["10", "redis-cli", "-p", &port.to_string(), "--tls", "--cacert", text(&authority.cert)])
        .args(shown)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("redis-cli runs");
    let all = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&all).trim_end().to_owned()
}

/// A Sentinel with a port for TLS besides the usual one; `lines` follow `tls-port`.
pub fn sentinel(world: &World, name: &str, kind: Kind, lines: &[String]) -> (Node, u16) {
    let tls_port = port::reserve();
    let mut all = vec![format!("tls-port {tls_port}")];
    all.extend_from_slice(lines);
    (world.sentinel(name, kind, &all), tls_port)
}

/// A Sentinel under test that shows a certificate which can be exchanged.
pub fn exchangeable(world: &World, authority: &Pair) -> (Node, u16, Pair) {
    let shown = authority.issue(world, "shown", Some(BOTH));
    let (mut node, tls_port) = sentinel(world, "sentinel", Kind::Subject, &shown.lines(authority));
    node.start();
    (node, tls_port, shown)
}

/// A TLS connection for bytes.
pub struct Tube {
    child: Child,
    input: ChildStdin,
    output: Receiver<Vec<u8>>,
    received: Vec<u8>,
}

impl Tube {
    /// Connects; `args` are those of `openssl s_client`.
    pub fn open(port: u16, shown: &Pair, args: &[&str]) -> Tube {
        let mut child = Command::new(in_path("openssl"))
            .args(["s_client", "-quiet", "-connect", &format!("127.0.0.1:{port}")])
            .args(["-cert", text(&shown.cert), "-key", text(&shown.key)])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        let (input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let (sender, receiver) = channel();
        thread::spawn(move || pass_on(output, |piece| sender.send(piece).is_ok()));
        Tube { child, input, output: receiver, received: Vec::new() }
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.input.write_all(bytes).and_then(|()| self.input.flush()).expect("an open connection");
    }

    /// Waits for as many bytes, and takes them.
    #[track_caller]
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        while self.received.len() < length {
            match self.output.recv_timeout(Duration::from_secs(20)) {
                Ok(piece) => self.received.extend(piece),
                Err(error) => panic!("{error}, after {:?}", String::from_utf8_lossy(&self.received)),
            }
        }
        let rest = self.received.split_off(length);
        std::mem::replace(&mut self.received, rest)
    }

    /// Sends an inline command and waits for this reply.
    #[track_caller]
    pub fn expect(&mut self, command: &str, reply: &str) {
        self.send(format!("{command}\r\n").as_bytes());
        assert_eq!(String::from_utf8_lossy(&self.take(reply.len())), reply);
    }

    /// All that still comes until the other side closes.
    pub fn rest(mut self) -> String {
        while let Ok(piece) = self.output.recv_timeout(Duration::from_secs(20)) {
            self.received.extend(piece);
        }
        String::from_utf8_lossy(&self.received).into_owned()
    }
}

impl Drop for Tube {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn pass_on(mut output: ChildStdout, mut take: impl FnMut(Vec<u8>) -> bool) {
    let mut piece = [0; 65_536];
    while let Ok(length @ 1..) = output.read(&mut piece) {
        if !take(piece[..length].to_vec()) {
            return;
        }
    }
}

/// What `openssl s_client` says of a handshake; empty subject lines if there was none.
pub fn handshake(port: u16, shown: &Pair, args: &[&str]) -> String {
    let output = Command::new("timeout")
        .args(["10", "openssl", "s_client", "-connect", &format!("127.0.0.1:{port}")])
        .args(["-cert", text(&shown.cert), "-key", text(&shown.key)])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("openssl runs");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// The log lines of a start from the level mark on, without those that only sentineld has.
pub fn start_lines(node: &Node) -> Vec<String> {
    let text = node.log_text();
    let lines = text.lines().filter_map(|line| line.splitn(6, ' ').nth(5));
    let own = |line: &&str| line.contains("This is sentineld") || line.contains("xpected ");
    lines.filter(|line| !own(line)).map(str::to_owned).collect()
}

/// Replaces a file as certificate managers do: at once.
pub fn replace(from: &Path, to: &Path) {
    let beside = to.with_extension("new");
    fs::copy(from, &beside).and_then(|_| fs::rename(&beside, to)).expect("a folder of ours");
}
