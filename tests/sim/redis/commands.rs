//! What a server does with the bytes that it receives: requests in, replies and deeds out.

use std::net::{Ipv4Addr, SocketAddrV4};

use bytes::Bytes;
use sentineld::wire::{Protocol, Value};

use super::{Client, Server};
use crate::network::Wire;

/// What the world has to do for a server.
#[derive(Default)]
pub struct Effect {
    /// To the client that asked.
    pub replies: Vec<u8>,
    /// Clients whose connections are closed.
    pub killed: Vec<Wire>,
    /// Messages to the subscribers of the gossip channel.
    pub published: Vec<Bytes>,
    /// It follows somebody else now, or nobody.
    pub moved: bool,
}

/// What a request is carried out with.
pub struct Means<'a> {
    pub now: u64,
    /// The lineage that a promotion begins.
    pub fresh_replid: &'a str,
    /// Connected replicas and their offsets.
    pub replicas: &'a [(SocketAddrV4, u64)],
}

const OK: &[u8] = b"+OK\r\n";

impl Server {
    /// Takes in what a client sent.
    pub fn serve(&mut self, means: &Means, wire: Wire, bytes: &[u8]) -> Effect {
        let mut effect = Effect::default();
        let Some(mut client) = self.clients.remove(&wire) else { return effect };
        client.decoder.feed(bytes);
        loop {
            match client.decoder.next_request(true) {
                Ok(Some(words)) => self.answer(means, (wire, &mut client), words, &mut effect),
                Ok(None) => break,
                Err(error) => panic!("a request that no server understands: {error}"),
            }
        }
        self.clients.insert(wire, client);
        effect
    }

    fn answer(&mut self, means: &Means, client: (Wire, &mut Client), words: Vec<Bytes>, effect: &mut Effect) {
        let (wire, state) = client;
        let word = words[0].to_ascii_uppercase();
        if let Some(refusal) = self.refusal(means.now, state, &word) {
            if let Some((_, spoilt)) = &mut state.transaction {
                *spoilt = true;
            }
            return error(effect, refusal);
        }
        if let (Some((queue, _)), false) = (&mut state.transaction, word == b"EXEC") {
            queue.push(words);
            return effect.replies.extend_from_slice(b"+QUEUED\r\n");
        }
        match word.as_slice() {
            b"MULTI" => {
                state.transaction = Some((Vec::new(), false));
                effect.replies.extend_from_slice(OK);
            }
            b"EXEC" => match state.transaction.take() {
                None => error(effect, "ERR EXEC without MULTI"),
                Some((_, true)) => {
                    error(effect, "EXECABORT Transaction discarded because of previous errors.")
                }
                Some((queue, false)) => {
                    effect.replies.extend_from_slice(format!("*{}\r\n", queue.len()).as_bytes());
                    for words in queue {
                        self.run(means, (wire, state), &words, effect);
                    }
                }
            },
            _ => self.run(means, (wire, state), &words, effect),
        }
    }

    /// Why a command may not even be queued.
    fn refusal(&self, now: u64, client: &Client, word: &[u8]) -> Option<&'static str> {
        if word == b"AUTH" {
            return None;
        }
        if self.password.is_some() && !client.authenticated {
            return Some("NOAUTH Authentication required.");
        }
        let transactions = matches!(word, b"MULTI" | b"EXEC");
        if self.refuses.transactions && transactions {
            return Some("NOPERM this user has no permissions to run this command");
        }
        if self.loading_until > now && matches!(word, b"PING" | b"SLAVEOF" | b"SCRIPT") {
            return Some("LOADING Redis is loading the dataset in memory");
        }
        if self.busy_script && !transactions && word != b"SCRIPT" {
            return Some(
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            );
        }
        None
    }

    fn run(&mut self, means: &Means, client: (Wire, &mut Client), words: &[Bytes], effect: &mut Effect) {
        let (wire, state) = client;
        match words[0].to_ascii_uppercase().as_slice() {
            b"AUTH" => self.authenticate(state, words, effect),
            b"PING" => effect.replies.extend_from_slice(b"+PONG\r\n"),
            b"INFO" => put(effect, &Value::bulk(self.info(means.now, means.replicas))),
            b"PUBLISH" => {
                effect.published.push(words[2].clone());
                effect.replies.extend_from_slice(b":1\r\n");
            }
            b"SUBSCRIBE" => {
                state.subscribed = true;
                let kind = sentineld::wire::pubsub::Subscription::Subscribe;
                put(effect, &sentineld::wire::pubsub::confirmation(kind, Some(words[1].clone()), 1));
            }
            b"SLAVEOF" => self.slaveof(means, words, effect),
            b"CONFIG" if self.refuses.config => {
                error(effect, "ERR The server is running without a config file")
            }
            b"CLIENT" if words[1].eq_ignore_ascii_case(b"KILL") => {
                let pubsub = words[3].eq_ignore_ascii_case(b"pubsub");
                let doomed = self.clients.iter().filter(|(_, other)| other.subscribed == pubsub);
                let doomed: Vec<Wire> = doomed.map(|(wire, _)| *wire).collect();
                debug_assert!(!doomed.contains(&wire), "who asks is spared");
                effect.replies.extend_from_slice(format!(":{}\r\n", doomed.len()).as_bytes());
                doomed.iter().for_each(|wire| self.forget(*wire));
                effect.killed.extend(doomed);
            }
            b"SCRIPT" => {
                self.busy_script = false;
                effect.replies.extend_from_slice(OK);
            }
            b"CONFIG" | b"CLIENT" => effect.replies.extend_from_slice(OK),
            other => panic!("a command that the model does not know: {}", String::from_utf8_lossy(other)),
        }
    }

    fn authenticate(&self, client: &mut Client, words: &[Bytes], effect: &mut Effect) {
        let given = words.last().map(|word| word.as_ref());
        match self.password.as_deref() {
            None => error(
                effect,
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
            ),
            password if password == given => {
                client.authenticated = true;
                effect.replies.extend_from_slice(OK);
            }
            Some(_) => error(effect, "WRONGPASS invalid username-password pair or user is disabled."),
        }
    }

    fn slaveof(&mut self, means: &Means, words: &[Bytes], effect: &mut Effect) {
        if self.refuses.slaveof {
            return error(effect, "NOPERM this user has no permissions to run the 'slaveof' command");
        }
        if words[1].eq_ignore_ascii_case(b"no") && words[2].eq_ignore_ascii_case(b"one") {
            self.become_master(means.fresh_replid);
            effect.moved = true;
            return effect.replies.extend_from_slice(OK);
        }
        let word = |index: usize| String::from_utf8_lossy(&words[index]).into_owned();
        let (Ok(ip), Ok(port)) = (word(1).parse::<Ipv4Addr>(), word(2).parse()) else {
            return error(effect, "ERR Invalid master port");
        };
        effect.moved = self.follow(means.now, SocketAddrV4::new(ip, port));
        effect.replies.extend_from_slice(if effect.moved {
            OK
        } else {
            b"+OK Already connected to specified master\r\n"
        });
    }
}

fn put(effect: &mut Effect, value: &Value) {
    value.encode(Protocol::Resp2, &mut effect.replies);
}

fn error(effect: &mut Effect, text: &'static str) {
    effect.replies.extend_from_slice(format!("-{text}\r\n").as_bytes());
}
