//! The gossip message: `ip,port,runid,current_epoch,master_name,master_ip,master_port,master_config_epoch` (spec 2 §6.1).

use crate::model::{Epoch, MasterName, RunId};
use crate::text::lossless;
use crate::text::number::parse_unsigned;

/// One gossip message, from us or from a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The sender's address, as it announces it: an IP or a name.
    pub host: String,
    /// The sender's port.
    pub port: u16,
    /// The sender's id.
    pub run_id: RunId,
    /// The sender's current epoch.
    pub current_epoch: Epoch,
    /// Which master this is about.
    pub master_name: MasterName,
    /// The master's host as the sender knows it.
    pub master_host: String,
    /// The master's port as the sender knows it.
    pub master_port: u16,
    /// The epoch of the sender's configuration of that master.
    pub config_epoch: Epoch,
}

/// A message longer than this is none: hosts are at most 255 bytes long, and names of masters are names.
const MAX_PAYLOAD: usize = 8192;

impl Hello {
    /// Reads a message: exactly eight fields, ports up to 65535, epochs as unsigned decimals.
    ///
    /// Differs: control characters anywhere, and blanks or quotes in hosts and the id, make a message invalid, as does an empty sender; the
    /// reference would write them to its config file, which then can't be read or says something else.
    pub fn parse(payload: &[u8]) -> Option<Hello> {
        if payload.len() > MAX_PAYLOAD {
            return None;
        }
        let text = lossless::text_of(payload);
        if text.chars().any(char::is_control) {
            return None;
        }
        let mut fields = text.split(',');
        let mut field = || fields.next();
        let hello = Hello {
            host: one_word(field()?).filter(|host| !host.is_empty())?.to_owned(),
            port: port(field()?)?,
            run_id: one_word(field()?).filter(|id| !id.is_empty())?.into(),
            current_epoch: Epoch(parse_unsigned(field()?)?),
            master_name: field()?.into(),
            master_host: one_word(field()?)?.to_owned(),
            master_port: port(field()?)?,
            config_epoch: Epoch(parse_unsigned(field()?)?),
        };
        fields.next().is_none().then_some(hello)
    }

    /// The message as it is published. Differs: whole; the reference cuts it after 1069 bytes, and nobody can read what is left.
    pub fn payload(&self) -> String {
        format!(
            "{},{},{},{},{},{},{},{}",
            self.host,
            self.port,
            self.run_id,
            self.current_epoch,
            self.master_name,
            self.master_host,
            self.master_port,
            self.config_epoch
        )
    }
}

fn port(text: &str) -> Option<u16> {
    parse_unsigned(text)?.try_into().ok()
}

fn one_word(text: &str) -> Option<&str> {
    let is_word = !text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    (is_word && lossless::is_utf8(text)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "127.0.0.1,26379,526c000000000000000000000000000000000000,1,mymaster,127.0.0.1,6380,18446744073709551615";

    #[test]
    fn a_message_survives_the_round_trip() {
        let hello = Hello::parse(VALID.as_bytes()).expect("valid");
        assert_eq!(hello.port, 26379);
        assert_eq!(hello.master_name.as_str(), "mymaster");
        assert_eq!(hello.master_port, 6380);
        assert_eq!(hello.config_epoch, Epoch(u64::MAX));
        assert_eq!(hello.payload(), VALID);
    }

    #[test]
    fn names_of_masters_may_hold_blanks() {
        assert!(Hello::parse(b"::1,0,id,0,my master,,0,0").is_some());
    }

    #[test]
    fn names_of_masters_may_be_any_bytes() {
        let hello = Hello::parse(b"::1,0,id,0,m\xff,,0,0").expect("a message");
        assert_eq!(*lossless::bytes_of(&hello.payload()), *b"::1,0,id,0,m\xff,,0,0");
    }

    #[test]
    fn whatever_is_not_a_message_is_ignored() {
        for text in [
            "",
            ",,,,,,,",
            "a,1,b,2,c,d,3",
            "a,1,b,2,c,d,3,4,5",
            "a,65536,b,2,c,d,3,4",
            "a,-1,b,2,c,d,3,4",
            "a,1,b,x,c,d,3,4",
            "a,1,b,2,c,d,3,18446744073709551616",
            "a,1,b,+2,c,d,3,4",
            "a,1,b,2,c,d,3,4 ",
            "a b,1,b,2,c,d,3,4",
            ",1,b,2,c,d,3,4",
            "a,1,,2,c,d,3,4",
            "a,1,b\"c,2,c,d,3,4",
            "a,1,b\nsentinel,2,c,d,3,4",
            "a,1,b,2,c\nx,d,3,4",
        ] {
            assert_eq!(Hello::parse(text.as_bytes()), None, "{text:?}");
        }
        for text in [b"\xff,1,b,2,c,d,3,4", b"a,1,\xff,2,c,d,3,4", b"a,1,b,2,c,\xff,3,4"] {
            assert_eq!(Hello::parse(text), None, "only names are any bytes");
        }
        let long = format!("a,1,b,2,{},d,3,4", "n".repeat(MAX_PAYLOAD));
        assert_eq!(Hello::parse(long.as_bytes()), None);
        for end in 0..VALID.len() - 20 {
            assert_eq!(Hello::parse(&VALID.as_bytes()[..end]), None, "cut at {end}");
        }
    }
}
