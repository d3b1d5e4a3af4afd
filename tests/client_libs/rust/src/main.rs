//! Follows a master with redis-rs or fred; README.md, two folders up, says what a driver does.

mod fred;
mod redis_rs;

use std::cell::Cell;
use std::error::Error;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

const GAP: Duration = Duration::from_millis(400);
const PAUSE: Duration = Duration::from_millis(20);

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Where the Sentinels are, and how they let us in.
struct Target {
    name: String,
    user: Option<String>,
    password: Option<String>,
    ports: Vec<u16>,
}

/// What a library must be able to do.
trait Client {
    /// Writes to the master, wherever that is now.
    async fn write(&self, key: &str, value: u64) -> Outcome<()>;
    /// The facts of a `found` line.
    async fn find(&self) -> Outcome<Value>;
}

fn say(step: &str, mut facts: Value) {
    facts["step"] = step.into();
    println!("{facts}");
}

/// The port a data server has by its own account.
fn port_in(info: &str) -> Outcome<u16> {
    let port = info.lines().find_map(|line| line.strip_prefix("tcp_port:"));
    Ok(port.ok_or("no tcp_port in INFO")?.trim().parse()?)
}

/// Counts upwards until told to stop; returns how often a write was accepted and refused.
async fn write_on(client: &impl Client, key: &str, stopped: &Cell<bool>) -> Value {
    let (mut written, mut refused, mut refused_since) = (0, 0, 0);
    let mut last: Option<Instant> = None;
    while !stopped.get() {
        if client.write(key, written + 1).await.is_err() {
            refused += 1;
            refused_since += 1;
        } else {
            written += 1;
            match last.map(|last| last.elapsed()) {
                None => say("writing", json!({})),
                Some(gap) if refused_since > 0 || gap > GAP => {
                    let ms = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
                    say("gap", json!({ "ms": ms, "refused": refused_since }));
                }
                Some(_) => {}
            }
            (last, refused_since) = (Some(Instant::now()), 0);
        }
        tokio::time::sleep(PAUSE).await;
    }
    json!({ "written": written, "refused": refused })
}

async fn obey(client: &impl Client, stopped: &Cell<bool>) -> Outcome<()> {
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.as_str() {
            "find" => match client.find().await {
                Ok(facts) => say("found", facts),
                Err(error) => say("not-found", json!({ "reason": error.to_string() })),
            },
            "stop" => break,
            _ => return Err(format!("what is {line:?}?").into()),
        }
    }
    stopped.set(true);
    Ok(())
}

async fn run(client: impl Client, key: &str) -> Outcome<()> {
    let stopped = Cell::new(false);
    let (totals, obeyed) = tokio::join!(write_on(&client, key, &stopped), obey(&client, &stopped));
    obeyed?;
    say("end", totals);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [library, name, key, user, password, ports @ ..] = &words[..] else {
        return Err("usage: LIBRARY NAME KEY USER PASSWORD PORT…".into());
    };
    let given = |word: &String| Some(word.clone()).filter(|word| word != "-");
    let target = Target {
        name: name.clone(),
        user: given(user),
        password: given(password),
        ports: ports.iter().map(|port| port.parse()).collect::<Result<_, _>>()?,
    };
    match library.as_str() {
        "redis-rs" => run(redis_rs::open(target)?, key).await,
        "fred" => run(fred::open(target).await?, key).await,
        _ => Err(format!("no driver for {library}").into()),
    }
}
