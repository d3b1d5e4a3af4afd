//! Links against a scripted server.

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::daemon::inbox::{self, Outlet};
use crate::engine::{Ask, ConnKind, Entity};
use crate::model::{LinkId, MasterId};
use crate::wire::Reply;

const OWN: &str = "0000000000000000000000000000000000000001";

struct Bench {
    links: Links,
    outlet: Outlet,
    server: TcpStream,
    conn: ConnId,
}

fn conn(kind: ConnKind) -> ConnId {
    ConnId { link: LinkId { index: 1, generation: 0 }, kind, attempt: 1 }
}

fn tag(ask: Ask) -> Tag {
    Tag { entity: Entity::Master(MasterId { index: 0, generation: 0 }), ask }
}

impl Bench {
    /// A link that is connected.
    async fn new(kind: ConnKind) -> Bench {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("an address").port();
        let (inbox, outlet) = inbox::channel();
        let mut links =
            Links::new(Handle::current(), inbox, OWN.into(), Some("127.0.0.1"), Names::default(), None);
        let conn = conn(kind);
        links.connect(conn, Target { host: "127.0.0.1".into(), ip: None, port });
        let (server, _) = listener.accept().await.expect("a connection");
        let mut bench = Bench { links, outlet, server, conn };
        match bench.next().await {
            Input::Connected(id, ends) => {
                assert_eq!(id, conn);
                assert_eq!(
                    (ends.local, ends.remote),
                    (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 1]))
                );
            }
            other => panic!("not connected: {other:?}"),
        }
        bench
    }

    async fn next(&mut self) -> Input {
        let next = tokio::time::timeout(Duration::from_secs(10), async {
            tokio::select! {
                input = self.outlet.facts.recv() => input,
                input = self.outlet.completions.recv() => input,
            }
        });
        next.await.expect("an input in time").expect("an open inbox")
    }

    fn ask(&mut self, ask: Ask, request: Request) {
        self.links.send(self.conn, tag(ask), request, None);
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.server.write_all(bytes).await.expect("written");
    }

    async fn expect_end(&mut self, cause: &str) {
        match self.next().await {
            Input::Disconnected(conn, text) => assert_eq!((conn, text.as_str()), (self.conn, cause)),
            other => panic!("still alive: {other:?}"),
        }
    }

    async fn expect_reply(&mut self, ask: Ask, reply: Reply) {
        assert_eq!(self.next().await, Input::Reply(self.conn, tag(ask), reply));
    }
}

#[tokio::test]
async fn replies_carry_the_tags_of_their_requests_in_order() {
    let mut bench = Bench::new(ConnKind::Command).await;
    bench.ask(Ask::Setup, Request::SetName("x".into()));
    bench.ask(Ask::Publish, Request::ScriptKill);
    bench.links.send(bench.conn, tag(Ask::ScriptKill), Request::ConfigRewrite, Some("CONFX".into()));
    let expected = b"*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$1\r\nx\r\n*2\r\n$6\r\nSCRIPT\r\n$4\r\nKILL\r\n\
                     *2\r\n$5\r\nCONFX\r\n$7\r\nREWRITE\r\n";
    let mut got = vec![0; expected.len()];
    bench.server.read_exact(&mut got).await.expect("requests");
    assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(expected));

    bench.say(b"+OK\r\n:1\r\n-ERR n").await;
    bench.expect_reply(Ask::Setup, Reply::Status("OK".into())).await;
    bench.expect_reply(Ask::Publish, Reply::Integer(1)).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    bench.say(b"ope\r\n").await;
    bench.expect_reply(Ask::ScriptKill, Reply::Error("ERR nope".into())).await;
}

#[tokio::test]
async fn every_way_to_break_a_link_is_reported_once() {
    let mut bench = Bench::new(ConnKind::Command).await;
    bench.ask(Ask::Ping, Request::Ping);
    bench.say(b"\x00\xffjunk\r\n").await;
    match bench.next().await {
        Input::Disconnected(_, cause) => assert!(cause.starts_with("Protocol error, "), "{cause}"),
        other => panic!("still alive: {other:?}"),
    }

    let mut bench = Bench::new(ConnKind::Command).await;
    bench.say(b"-ERR max number of clients reached\r\n").await;
    bench.expect_end("ERR max number of clients reached").await;

    let mut bench = Bench::new(ConnKind::Command).await;
    bench.ask(Ask::Info, Request::Info);
    bench.say(b"$99999999999\r\n").await;
    assert!(matches!(bench.next().await, Input::Disconnected(..)));

    let mut bench = Bench::new(ConnKind::Command).await;
    bench.ask(Ask::Info, Request::Info);
    bench.say(b"$10\r\nhalf").await;
    bench.server.shutdown().await.expect("shut down");
    bench.expect_end("Server closed the connection").await;
    let more = tokio::time::timeout(Duration::from_millis(50), bench.outlet.facts.recv()).await;
    assert!(more.is_err(), "nothing follows the end");
}

#[tokio::test]
async fn refused_and_unknown_targets_are_reported() {
    let (inbox, mut outlet) = inbox::channel();
    let mut links = Links::new(Handle::current(), inbox, OWN.into(), None, Names::default(), None);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let conn = conn(ConnKind::Command);
    links.connect(conn, Target { host: "127.0.0.1".into(), ip: None, port });
    assert_eq!(outlet.facts.recv().await, Some(Input::Disconnected(conn, "Connection refused".into())));
    // A name that can't be looked up falls back on its last good address.
    links
        .connect(conn, Target { host: "no such host.invalid".into(), ip: Some([127, 0, 0, 1].into()), port });
    assert_eq!(outlet.facts.recv().await, Some(Input::Disconnected(conn, "Connection refused".into())));
}

#[tokio::test]
async fn connections_come_from_the_address_that_was_asked_for() {
    let (inbox, mut outlet) = inbox::channel();
    let source = Some("127.0.0.9");
    let mut links = Links::new(Handle::current(), inbox, OWN.into(), source, Names::default(), None);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("an address").port();
    let mut servers = Vec::new();
    for kind in [ConnKind::Command, ConnKind::PubSub] {
        links.connect(conn(kind), Target { host: "127.0.0.1".into(), ip: None, port });
        let (server, from) = listener.accept().await.expect("a connection");
        servers.push(server);
        assert_eq!(from.ip(), IpAddr::from([127, 0, 0, 9]));
        match outlet.facts.recv().await {
            Some(Input::Connected(_, ends)) => assert_eq!(ends.local, from.ip(), "what we gossip"),
            other => panic!("not connected: {other:?}"),
        }
    }
}

#[tokio::test]
async fn gossip_is_heard_and_our_own_is_only_a_sign_of_life() {
    let mut bench = Bench::new(ConnKind::PubSub).await;
    bench.ask(Ask::Setup, Request::SetName("x".into()));
    bench.ask(Ask::Setup, Request::Subscribe);
    bench.say(b"+OK\r\n*3\r\n$9\r\nsubscribe\r\n$18\r\n__sentinel__:hello\r\n:1\r\n").await;
    let nothing = Input::Heard(bench.conn, None);
    assert_eq!(bench.next().await, nothing);
    assert_eq!(bench.next().await, nothing);

    let theirs = "10.0.0.2,26379,0000000000000000000000000000000000000002,1,mymaster,10.0.0.1,6379,1";
    let ours = theirs.replace("0002,1", "0001,1");
    for payload in [theirs, &ours, "junk"] {
        let length = payload.len();
        bench
            .say(
                format!("*3\r\n$7\r\nmessage\r\n$18\r\n__sentinel__:hello\r\n${length}\r\n{payload}\r\n")
                    .as_bytes(),
            )
            .await;
    }
    match bench.next().await {
        Input::Heard(_, Some(hello)) => assert_eq!(hello.payload(), theirs),
        other => panic!("no gossip: {other:?}"),
    }
    assert_eq!(bench.next().await, nothing);
    assert_eq!(bench.next().await, nothing);
}

#[tokio::test]
async fn a_refused_subscription_ends_the_link() {
    let mut bench = Bench::new(ConnKind::PubSub).await;
    bench.ask(Ask::Setup, Request::SetName("x".into()));
    bench.ask(Ask::Setup, Request::Subscribe);
    bench.say(b"-NOAUTH first\r\n-NOAUTH Authentication required.\r\n").await;
    bench.expect_reply(Ask::Setup, Reply::Error("NOAUTH first".into())).await;
    assert_eq!(bench.next().await, Input::Heard(bench.conn, None));
    bench.expect_end("NOAUTH Authentication required.").await;
}

#[tokio::test]
async fn a_link_that_does_not_keep_up_is_dropped() {
    let mut bench = Bench::new(ConnKind::Command).await;
    for _ in 0..QUEUE + 1 {
        bench.ask(Ask::Ping, Request::Ping);
    }
    bench.expect_end("too many requests are waiting").await;
    assert!(bench.links.open.is_empty());
}

#[tokio::test]
async fn a_disconnect_is_final_and_silent() {
    let mut bench = Bench::new(ConnKind::Command).await;
    bench.links.disconnect(bench.conn);
    let mut rest = Vec::new();
    bench.server.read_to_end(&mut rest).await.expect("closed");
    assert!(rest.is_empty());
    let more = tokio::time::timeout(Duration::from_millis(50), bench.outlet.facts.recv()).await;
    assert!(more.is_err());
}
