//! What we send to Redis servers and to other Sentinels (spec 2 §3, §4, §5, §6, §7.3, §9.4).

use std::sync::Arc;

use bytes::BufMut;

use super::hello::Hello;
use super::value::{length, put_bulk, put_head};
use crate::model::{Epoch, RunId};
use crate::text::lossless::bytes_of;

/// The channel of the gossip.
pub const HELLO_CHANNEL: &str = "__sentinel__:hello";

/// One command to an instance.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `AUTH [user] pass`.
    Auth {
        /// Sent only if set.
        user: Option<Arc<[u8]>>,
        /// The password, possibly empty.
        pass: Arc<[u8]>,
    },
    /// `CLIENT SETNAME name`.
    SetName(String),
    /// `PING`.
    Ping,
    /// `INFO`.
    Info,
    /// `SUBSCRIBE __sentinel__:hello`.
    Subscribe,
    /// `PUBLISH __sentinel__:hello payload`.
    Publish(Hello),
    /// `SENTINEL is-master-down-by-addr host port epoch runid|*`.
    IsMasterDown {
        /// The master's host, as we show it.
        host: String,
        /// The master's port.
        port: u16,
        /// The epoch asked about.
        epoch: Epoch,
        /// Ask for a vote for this Sentinel; `None` sends `*`.
        candidate: Option<RunId>,
    },
    /// `MULTI`.
    Multi,
    /// `SLAVEOF NO ONE` or `SLAVEOF host port`.
    ReplicaOf(Option<(String, u16)>),
    /// `CONFIG REWRITE`.
    ConfigRewrite,
    /// `CLIENT KILL TYPE normal` or `… pubsub`.
    KillClients(ClientKind),
    /// `EXEC`.
    Exec,
    /// `SCRIPT KILL`.
    ScriptKill,
}

/// Which clients `CLIENT KILL TYPE` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// Ordinary clients.
    Normal,
    /// Clients with a subscription.
    PubSub,
}

/// How to read the answer to a request: the shape decides what is an error and what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A PING answer: status or error by prefix (spec 2 §4.2).
    Ping,
    /// A bulk with INFO text.
    Info,
    /// The triple of is-master-down-by-addr.
    MasterDown,
    /// The array of an EXEC, element by element.
    Exec,
    /// Anything: reported as status, integer or error.
    Any,
}

impl Request {
    /// The first word, which `rename-command` may replace (spec 2 §3.7).
    pub fn word(&self) -> &'static str {
        match self {
            Request::Auth { .. } => "AUTH",
            Request::SetName(_) | Request::KillClients(_) => "CLIENT",
            Request::Ping => "PING",
            Request::Info => "INFO",
            Request::Subscribe => "SUBSCRIBE",
            Request::Publish(_) => "PUBLISH",
            Request::IsMasterDown { .. } => "SENTINEL",
            Request::Multi => "MULTI",
            Request::ReplicaOf(_) => "SLAVEOF",
            Request::ConfigRewrite => "CONFIG",
            Request::Exec => "EXEC",
            Request::ScriptKill => "SCRIPT",
        }
    }

    /// How to read the answer.
    pub fn expect(&self) -> Expect {
        match self {
            Request::Ping => Expect::Ping,
            Request::Info => Expect::Info,
            Request::IsMasterDown { .. } => Expect::MasterDown,
            Request::Exec => Expect::Exec,
            _ => Expect::Any,
        }
    }

    /// Writes the request, with `renamed` in place of its first word if that is given.
    pub fn encode(&self, renamed: Option<&str>, out: &mut impl BufMut) {
        let word = &*bytes_of(renamed.unwrap_or(self.word()));
        match self {
            Request::Auth { user: Some(user), pass } => put_words(&[word, user, pass], out),
            Request::Auth { user: None, pass } => put_words(&[word, pass], out),
            Request::SetName(name) => put_words(&[word, b"SETNAME", name.as_bytes()], out),
            Request::Ping | Request::Info | Request::Multi | Request::Exec => put_words(&[word], out),
            Request::Subscribe => put_words(&[word, HELLO_CHANNEL.as_bytes()], out),
            Request::Publish(hello) => {
                put_words(&[word, HELLO_CHANNEL.as_bytes(), &bytes_of(&hello.payload())], out);
            }
            Request::IsMasterDown { host, port, epoch, candidate } => {
                let (port, epoch) = (port.to_string(), epoch.to_string());
                let candidate = candidate.as_ref().map_or("*", RunId::as_str);
                let words = ["is-master-down-by-addr", host, &port, &epoch, candidate].map(bytes_of);
                put_words(&[word, &words[0], &words[1], &words[2], &words[3], &words[4]], out);
            }
            Request::ReplicaOf(None) => put_words(&[word, b"NO", b"ONE"], out),
            Request::ReplicaOf(Some((host, port))) => {
                put_words(&[word, &bytes_of(host), port.to_string().as_bytes()], out);
            }
            Request::ConfigRewrite => put_words(&[word, b"REWRITE"], out),
            Request::KillClients(kind) => put_words(&[word, b"KILL", b"TYPE", kind.word().as_bytes()], out),
            Request::ScriptKill => put_words(&[word, b"KILL"], out),
        }
    }
}

impl ClientKind {
    fn word(self) -> &'static str {
        match self {
            ClientKind::Normal => "normal",
            ClientKind::PubSub => "pubsub",
        }
    }
}

fn put_words(words: &[&[u8]], out: &mut impl BufMut) {
    put_head(b'*', length(words.len()), out);
    for word in words {
        put_bulk(word, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: Request, words: &str) {
        let mut out = Vec::new();
        request.encode(None, &mut out);
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        let mut expected = Vec::new();
        put_words(&words, &mut expected);
        assert_eq!(out, expected, "{request:?}");
        assert_eq!(request.word().as_bytes(), words[0]);
    }

    #[test]
    fn requests_have_the_words_of_the_reference() {
        let pass = || Arc::from(b"secret".as_slice());
        check(Request::Auth { user: None, pass: pass() }, "AUTH secret");
        check(Request::Auth { user: Some(Arc::from(b"bob".as_slice())), pass: pass() }, "AUTH bob secret");
        check(Request::SetName("sentinel-32ddf448-cmd".into()), "CLIENT SETNAME sentinel-32ddf448-cmd");
        check(Request::Ping, "PING");
        check(Request::Info, "INFO");
        check(Request::Subscribe, "SUBSCRIBE __sentinel__:hello");
        check(Request::Multi, "MULTI");
        check(Request::Exec, "EXEC");
        check(Request::ScriptKill, "SCRIPT KILL");
        check(Request::ConfigRewrite, "CONFIG REWRITE");
        check(Request::ReplicaOf(None), "SLAVEOF NO ONE");
        check(Request::ReplicaOf(Some(("::1".into(), 6379))), "SLAVEOF ::1 6379");
        check(Request::KillClients(ClientKind::Normal), "CLIENT KILL TYPE normal");
        check(Request::KillClients(ClientKind::PubSub), "CLIENT KILL TYPE pubsub");
        let ask = |candidate| Request::IsMasterDown {
            host: "10.0.0.1".into(),
            port: 6379,
            epoch: Epoch(7),
            candidate,
        };
        check(ask(None), "SENTINEL is-master-down-by-addr 10.0.0.1 6379 7 *");
        check(ask(Some("abc".into())), "SENTINEL is-master-down-by-addr 10.0.0.1 6379 7 abc");
        let hello = Hello::parse(b"10.0.0.2,26379,id,1,mymaster,10.0.0.1,6379,1").expect("valid");
        check(
            Request::Publish(hello),
            "PUBLISH __sentinel__:hello 10.0.0.2,26379,id,1,mymaster,10.0.0.1,6379,1",
        );
    }

    #[test]
    fn only_the_first_word_is_renamed() {
        let mut out = Vec::new();
        Request::ConfigRewrite.encode(Some("CONFX"), &mut out);
        assert_eq!(out, b"*2\r\n$5\r\nCONFX\r\n$7\r\nREWRITE\r\n");
    }
}
