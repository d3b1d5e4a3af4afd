//! What the serving side does to clients that come in too great numbers, send nonsense, do not read, or do nothing.

mod serving_support;

use std::time::Duration;

use sentineld::conf::settings::BufferLimit;
use serving_support::{Client, Fixture, wait_for};

#[test]
fn a_client_that_does_not_read_is_not_read_either() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.stream.set_write_timeout(Some(Duration::from_millis(300))).expect("a socket");
    let batch = "COMMAND DOCS\r\n".repeat(1000);
    let blocked = (0..2000).any(|_| std::io::Write::write_all(&mut client.stream, batch.as_bytes()).is_err());
    assert!(blocked, "the server goes on reading");
    fixture.client().ask("PING", "+PONG\r\n");
}

#[test]
fn too_many_clients_are_turned_away() {
    let fixture = Fixture::with(|settings| settings.max_clients = 2);
    let mut clients = [fixture.client(), fixture.client()];
    clients.iter_mut().for_each(|client| client.ask("PING", "+PONG\r\n"));
    let mut third = fixture.client();
    third.expect("-ERR max number of clients reached\r\n");
    third.expect_end();
    drop(clients);
    wait_for("room for a client", || {
        let mut client = fixture.client();
        client.send("PING\r\n");
        client.expect_line("") == "+PONG\r\n"
    });
}

#[test]
fn protocol_errors_come_after_earlier_replies_and_end_the_connection() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.send("SENTINEL FLUSHCONFIG\r\nPING\r\n*1\r\nPING\r\n");
    fixture.wait_held(1);
    client.expect_silence();
    fixture.release(false);
    client.expect("+OK\r\n+PONG\r\n-ERR Protocol error: expected '$', got 'P'\r\n");
    client.expect_end();
    let mut client = fixture.client();
    client.send("POST / HTTP/1.1\r\n");
    client.expect_end();
}

#[test]
fn half_written_frames_wait_and_cost_nobody_else() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    for part in ["*2\r", "\n$4\r\nPI", "NG\r\n$2", "\r\nh", "i\r"] {
        client.send(part);
        std::thread::sleep(Duration::from_millis(10));
    }
    client.expect_silence();
    fixture.client().ask("PING", "+PONG\r\n");
    client.send("\n");
    client.expect("$2\r\nhi\r\n");
    client.send("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPI");
    client.stream.shutdown(std::net::Shutdown::Write).expect("a socket");
    client.expect("+PONG\r\n");
    client.expect_end();
}

#[test]
fn slow_subscribers_are_dropped() {
    let limit = BufferLimit { hard: 256 * 1024, soft: 0, soft_for: Duration::ZERO };
    let fixture = Fixture::with(|settings| settings.output_limit_pubsub = limit);
    let mut slow = fixture.client();
    slow.ask("SUBSCRIBE +x", "*3\r\n$9\r\nsubscribe\r\n$2\r\n+x\r\n:1\r\n");
    let mut watcher = fixture.client();
    let payload = "y".repeat(1000);
    wait_for("the slow subscriber to be dropped", || {
        (0..5000).for_each(|_| fixture.publish("+x", &payload));
        watcher.send("CLIENT LIST TYPE pubsub\r\n");
        watcher.expect_text().is_empty()
    });
}

#[test]
fn subscribers_may_be_slow_for_a_while() {
    let soft_for = Duration::from_secs(2);
    let limit = BufferLimit { hard: 0, soft: 256 * 1024, soft_for };
    let fixture = Fixture::with(|settings| settings.output_limit_pubsub = limit);
    let mut slow = fixture.client();
    slow.ask("SUBSCRIBE +x", "*3\r\n$9\r\nsubscribe\r\n$2\r\n+x\r\n:1\r\n");
    let mut watcher = fixture.client();
    let payload = "y".repeat(1000);
    let mut listed = || {
        watcher.send("CLIENT LIST TYPE pubsub\r\n");
        !watcher.expect_text().is_empty()
    };
    let (mut messages, begun) = (40_000, std::time::Instant::now());
    wait_for("the slow subscriber to be dropped", || {
        // Far beyond what the kernel takes, so that the limit is passed by the first of these.
        (0..std::mem::replace(&mut messages, 1)).for_each(|_| fixture.publish("+x", &payload));
        !listed()
    });
    assert!(begun.elapsed() > soft_for, "too early");
}

#[test]
fn too_much_input_for_one_command_ends_the_connection() {
    let fixture = Fixture::with(|settings| settings.query_buffer_limit = 100_000);
    let mut client = fixture.client();
    client.send("*2\r\n$4\r\nPING\r\n$1000000\r\n");
    let bytes = vec![b'x'; 500_000];
    // The server may close before everything is written.
    let _ = std::io::Write::write_all(&mut client.stream, &bytes);
    client.expect_end();
}

#[test]
fn idle_clients_are_closed_but_not_subscribers() {
    let fixture = Fixture::with(|settings| settings.timeout = Duration::from_secs(1));
    let (mut idle, mut subscriber) = (fixture.client(), fixture.client());
    subscriber.ask("SUBSCRIBE c", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    idle.ask("PING", "+PONG\r\n");
    idle.expect_end();
    // When a second one has been sent away, the subscriber has been silent for twice the timeout.
    fixture.client().expect_end();
    subscriber.ask("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
}

#[test]
fn protected_mode_lets_only_this_host_in() {
    let fixture = Fixture::with(|settings| settings.protected_mode = true);
    fixture.client().ask("PING", "+PONG\r\n");
    // Not one of the two addresses that count as local.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let address = |text: &str| text.parse::<std::net::SocketAddr>().expect("an address").into();
    socket.bind(&address("127.0.0.2:0")).expect("a loopback address");
    socket.connect(&address(&format!("127.0.0.1:{}", fixture.port))).expect("the server listens");
    let mut client = Client { stream: socket.into() };
    client.expect_line("-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user.");
    client.expect_end();
}

#[test]
fn the_unix_socket_serves_as_well_and_is_removed() {
    use std::io::{Read as _, Write as _};
    let path = std::env::temp_dir().join(format!("sentineld-serving-{}.sock", std::process::id()));
    let fixture = Fixture::with(|settings| settings.unix_socket = Some(path.to_string_lossy().into_owned()));
    let mut stream = std::os::unix::net::UnixStream::connect(&path).expect("it listens");
    stream.write_all(b"PING\r\n").expect("it reads");
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).expect("it answers");
    assert_eq!(&reply, b"+PONG\r\n");
    fixture.client().send("CLIENT LIST\r\n");
    fixture.server.close();
    assert!(!path.exists());
}

#[test]
fn answers_that_wait_behind_others_are_bounded_too() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.stream.set_write_timeout(Some(Duration::from_millis(300))).expect("a socket");
    client.send("SENTINEL FLUSHCONFIG\r\n");
    let batch = "COMMAND DOCS\r\n".repeat(1000);
    let blocked = (0..2000).any(|_| std::io::Write::write_all(&mut client.stream, batch.as_bytes()).is_err());
    assert!(blocked, "the server goes on reading");
    fixture.wait_held(1);
    fixture.release(false);
    client.expect("+OK\r\n*30\r\n");
}

#[test]
fn many_long_answers_still_come_in_order() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.send(&"SENTINEL FLUSHCONFIG\r\n".repeat(10));
    client.send(&"ROLE\r\nPING\r\n".repeat(100));
    fixture.wait_held(10);
    fixture.release(false);
    client.expect(&"+OK\r\n".repeat(10));
    client.expect(&"*2\r\n$8\r\nsentinel\r\n*1\r\n$1\r\nm\r\n+PONG\r\n".repeat(100));
}
