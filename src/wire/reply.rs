//! What instances answer to our requests, decoded by the shape each request expects.

use super::frame::Frame;
use super::info::InfoReport;
use super::request::Expect;
use crate::model::{Epoch, RunId};

/// An answer from a Redis server or a peer.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// To PING.
    Ping(PingReply),
    /// To INFO.
    Info(Box<InfoReport>),
    /// To is-master-down-by-addr.
    MasterDown(MasterDownReply),
    /// To EXEC: one result per queued command, an error as its text. `None`: the transaction was aborted (a null reply).
    Exec(Option<Vec<Result<(), String>>>),
    /// A status (`+OK`) where nothing more is expected.
    Status(String),
    /// An integer where nothing more is expected.
    Integer(i64),
    /// An error, without the leading `-`.
    Error(String),
    /// A well-formed reply of a shape that the request can't have; the text says which, for the log.
    Unexpected(&'static str),
}

/// The classes of PING answers that differ in effect (spec 2 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PingReply {
    /// `+PONG…`
    Pong,
    /// `-LOADING…`
    Loading,
    /// `-MASTERDOWN…`
    MasterDown,
    /// `-BUSY…`
    Busy,
    /// Any other status, error or type; the text of an error is kept for the log.
    Other(String),
}

/// A peer's opinion of a master, and its vote (spec 2 §7.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterDownReply {
    /// The peer holds the master for subjectively down.
    pub down: bool,
    /// Whom it voted for; `None` for `*`.
    pub leader: Option<RunId>,
    /// The epoch of that vote.
    pub leader_epoch: Epoch,
}

impl Reply {
    /// Reads a reply by the shape its request expects. Never fails: what has no business here becomes [`Reply::Unexpected`].
    pub fn decode(expect: Expect, frame: Frame) -> Reply {
        match (expect, frame) {
            (Expect::Ping, frame) => Reply::Ping(PingReply::from_frame(&frame)),
            (_, Frame::Error(text)) => Reply::Error(lossy(&text)),
            (Expect::Info, Frame::Bulk(text)) => Reply::Info(Box::new(InfoReport::parse(&text))),
            (Expect::Info, _) => Reply::Unexpected("INFO answered without a text"),
            (Expect::MasterDown, frame) => MasterDownReply::from_frame(&frame)
                .map_or(Reply::Unexpected("no opinion and vote in the answer of a peer"), Reply::MasterDown),
            (Expect::Exec, Frame::Array(results)) => {
                Reply::Exec(Some(results.into_iter().map(exec_result).collect()))
            }
            (Expect::Exec, Frame::Null) => Reply::Exec(None),
            (Expect::Exec, _) => Reply::Unexpected("EXEC answered without results"),
            (Expect::Any, Frame::Status(text)) => Reply::Status(lossy(&text)),
            (Expect::Any, Frame::Integer(number)) => Reply::Integer(number),
            (Expect::Any, _) => Reply::Unexpected("neither a status nor a number"),
        }
    }
}

impl PingReply {
    /// Compat: prefixes decide, case-sensitive, as in the reference.
    fn from_frame(frame: &Frame) -> PingReply {
        match frame {
            Frame::Status(text) if text.starts_with(b"PONG") => PingReply::Pong,
            Frame::Error(text) if text.starts_with(b"LOADING") => PingReply::Loading,
            Frame::Error(text) if text.starts_with(b"MASTERDOWN") => PingReply::MasterDown,
            Frame::Error(text) if text.starts_with(b"BUSY") => PingReply::Busy,
            Frame::Status(text) | Frame::Error(text) => PingReply::Other(lossy(text)),
            _ => PingReply::Other("neither a status nor an error".to_owned()),
        }
    }
}

impl MasterDownReply {
    /// Differs: a negative epoch makes the answer invalid; the reference would take it for an enormous one.
    fn from_frame(frame: &Frame) -> Option<MasterDownReply> {
        let Frame::Array(parts) = frame else { return None };
        let [Frame::Integer(down), Frame::Bulk(leader), Frame::Integer(epoch)] = parts.as_slice() else {
            return None;
        };
        let leader = std::str::from_utf8(leader).ok()?;
        Some(MasterDownReply {
            down: *down == 1,
            leader: (leader != "*").then(|| leader.into()),
            leader_epoch: Epoch(u64::try_from(*epoch).ok()?),
        })
    }
}

fn exec_result(frame: Frame) -> Result<(), String> {
    match frame {
        Frame::Error(text) => Err(lossy(&text)),
        _ => Ok(()),
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &'static str) -> Frame {
        Frame::Bulk(text.into())
    }

    fn error(text: &'static str) -> Frame {
        Frame::Error(text.into())
    }

    #[test]
    fn pings_are_told_apart_by_prefix() {
        let ping = |frame| match Reply::decode(Expect::Ping, frame) {
            Reply::Ping(reply) => reply,
            other => panic!("{other:?}"),
        };
        assert_eq!(ping(Frame::Status("PONGX".into())), PingReply::Pong);
        assert_eq!(ping(Frame::Status("pong".into())), PingReply::Other("pong".into()));
        assert_eq!(ping(error("LOADING Redis is loading")), PingReply::Loading);
        assert_eq!(ping(error("MASTERDOWN x")), PingReply::MasterDown);
        assert_eq!(ping(error("BUSY x")), PingReply::Busy);
        assert_eq!(ping(error("NOAUTH x")), PingReply::Other("NOAUTH x".into()));
        assert!(matches!(ping(bulk("PONG")), PingReply::Other(_)));
    }

    #[test]
    fn opinions_have_exactly_one_shape() {
        let decode = |parts: &[Frame]| Reply::decode(Expect::MasterDown, Frame::Array(parts.to_vec()));
        let int = Frame::Integer;
        let reply = |down, leader: Option<&str>, epoch| {
            Reply::MasterDown(MasterDownReply {
                down,
                leader: leader.map(RunId::from),
                leader_epoch: Epoch(epoch),
            })
        };
        assert_eq!(decode(&[int(1), bulk("*"), int(0)]), reply(true, None, 0));
        assert_eq!(decode(&[int(0), bulk("abc"), int(7)]), reply(false, Some("abc"), 7));
        for parts in [
            vec![],
            vec![int(1), bulk("*")],
            vec![int(1), bulk("*"), int(0), int(0)],
            vec![bulk("1"), bulk("*"), int(0)],
            vec![int(1), int(2), int(0)],
            vec![int(1), bulk("*"), bulk("0")],
            vec![int(1), bulk("*"), int(-1)],
        ] {
            assert!(matches!(decode(&parts), Reply::Unexpected(_)), "{parts:?}");
        }
        assert_eq!(Reply::decode(Expect::MasterDown, error("ERR x")), Reply::Error("ERR x".into()));
    }

    #[test]
    fn transactions_tell_of_each_command() {
        let results = Frame::Array(vec![Frame::Status("OK".into()), error("NOPERM x"), Frame::Integer(2)]);
        let expected = Reply::Exec(Some(vec![Ok(()), Err("NOPERM x".into()), Ok(())]));
        assert_eq!(Reply::decode(Expect::Exec, results), expected);
        assert_eq!(Reply::decode(Expect::Exec, Frame::Null), Reply::Exec(None));
        assert_eq!(Reply::decode(Expect::Exec, error("EXECABORT x")), Reply::Error("EXECABORT x".into()));
        assert!(matches!(Reply::decode(Expect::Exec, Frame::Integer(1)), Reply::Unexpected(_)));
    }

    #[test]
    fn the_rest_is_reported_as_it_is() {
        assert!(matches!(Reply::decode(Expect::Info, bulk("role:master")), Reply::Info(_)));
        assert!(matches!(Reply::decode(Expect::Info, Frame::Null), Reply::Unexpected(_)));
        assert_eq!(Reply::decode(Expect::Any, Frame::Status("OK".into())), Reply::Status("OK".into()));
        assert_eq!(Reply::decode(Expect::Any, Frame::Integer(2)), Reply::Integer(2));
        assert_eq!(Reply::decode(Expect::Any, error("ERR x")), Reply::Error("ERR x".into()));
        assert!(matches!(Reply::decode(Expect::Any, bulk("x")), Reply::Unexpected(_)));
    }
}
