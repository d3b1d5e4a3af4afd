//! The INFO text of a Redis server (spec 2 §5.2).

use std::sync::Arc;

use crate::text::number::{lenient_integer, lenient_unsigned};

/// The role an instance reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// `role:master`
    Master,
    /// `role:slave`
    Replica,
}

/// What one INFO reply says. A field that was absent, or that may only follow `role:slave` and did not, is `None`.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct InfoReport {
    /// `run_id`, exactly 40 characters.
    pub run_id: Option<String>,
    /// `role`.
    pub role: Option<Role>,
    /// Hosts and ports of the `slaveN` lines, both forms; lines of type `rdb-channel` are left out (spec 2 §15).
    pub replicas: Vec<(String, u16)>,
    /// `master_link_down_since_seconds`, in seconds; −1 means "never connected".
    pub master_link_down_since: Option<i64>,
    /// `master_host`.
    pub master_host: Option<String>,
    /// `master_port`.
    pub master_port: Option<u16>,
    /// `master_link_status` is `up`.
    pub master_link_up: Option<bool>,
    /// `slave_priority`.
    pub priority: Option<i32>,
    /// `slave_repl_offset`.
    pub repl_offset: Option<u64>,
    /// `replica_announced`.
    pub announced: Option<bool>,
    /// `master_replid`.
    pub repl_id: Option<String>,
    /// `master_replid2`.
    pub repl_id2: Option<String>,
    /// `master_repl_offset`.
    pub master_repl_offset: Option<u64>,
    /// `loading` is not 0.
    pub loading: bool,
    /// `master_sync_in_progress` is not 0.
    pub sync_in_progress: bool,
    /// The keys of all `dbN` lines together; a server without any has no such line.
    pub keys: u64,
    /// The whole text, for SENTINEL INFO-CACHE.
    pub text: Arc<[u8]>,
}

impl InfoReport {
    /// Reads a report. Whatever is not understood is skipped: no text makes this fail (spec 2 §5.2).
    pub fn parse(text: &[u8]) -> InfoReport {
        let mut report = InfoReport { text: Arc::from(text), ..InfoReport::default() };
        let mut rest = text;
        while !rest.is_empty() {
            let line;
            (line, rest) = split_line(rest);
            if let Some(colon) = line.iter().position(|&byte| byte == b':') {
                report.absorb(&line[..colon], &line[colon + 1..]);
            }
        }
        report
    }

    fn absorb(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"run_id" => self.run_id = value.get(..40).and_then(text_of).or(self.run_id.take()),
            b"role" if value.starts_with(b"master") => self.role = Some(Role::Master),
            b"role" if value.starts_with(b"slave") => self.role = Some(Role::Replica),
            b"master_link_down_since_seconds" if !value.is_empty() => {
                self.master_link_down_since = Some(lenient_integer(value));
            }
            b"master_replid" => self.repl_id = text_of(value),
            b"master_replid2" => self.repl_id2 = text_of(value),
            b"master_repl_offset" => self.master_repl_offset = Some(lenient_unsigned(value)),
            b"loading" => self.loading = lenient_integer(value) != 0,
            b"master_sync_in_progress" => self.sync_in_progress = lenient_integer(value) != 0,
            [b'd', b'b', digit, ..] if digit.is_ascii_digit() => {
                self.keys =
                    self.keys.saturating_add(value.strip_prefix(b"keys=").map_or(0, lenient_unsigned));
            }
            [b's', b'l', b'a', b'v', b'e', digit, ..] if digit.is_ascii_digit() => {
                self.replicas.extend(replica(value));
            }
            // Compat: what a replica says of its master counts only after it has said that it is a replica.
            _ if self.role == Some(Role::Replica) => self.absorb_as_replica(name, value),
            _ => {}
        }
    }

    fn absorb_as_replica(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"master_host" => self.master_host = text_of(value).or(self.master_host.take()),
            b"master_port" => self.master_port = port(value).or(self.master_port),
            b"master_link_status" => self.master_link_up = Some(value.eq_ignore_ascii_case(b"up")),
            b"slave_priority" => {
                let priority = lenient_integer(value).clamp(i64::from(i32::MIN), i64::from(i32::MAX));
                self.priority = i32::try_from(priority).ok();
            }
            b"slave_repl_offset" => self.repl_offset = Some(lenient_unsigned(value)),
            b"replica_announced" => self.announced = Some(lenient_integer(value) != 0),
            _ => {}
        }
    }
}

/// The first line, without its line break, and what follows it. Only CRLF ends a line.
fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let mut from = 0;
    while let Some(found) = text[from..].iter().position(|&byte| byte == b'\n') {
        let feed = from + found;
        if feed > 0 && text[feed - 1] == b'\r' {
            return (&text[..feed - 1], &text[feed + 1..]);
        }
        from = feed + 1;
    }
    (text, &[])
}

/// The value of a `slaveN` line: `ip=…,port=…,…`, or `ip,port,state` as very old servers write it.
fn replica(value: &[u8]) -> Option<(String, u16)> {
    let mut fields = value.split(|&byte| byte == b',');
    if value.windows(3).any(|window| window == b"ip=") {
        let (mut host, mut number) = (None, None);
        for field in fields {
            if let Some(text) = field.strip_prefix(b"ip=") {
                host = host.or(Some(text));
            } else if let Some(text) = field.strip_prefix(b"port=") {
                number = number.or(Some(text));
            } else if field == b"type=rdb-channel" {
                // Differs: a second connection for a transfer is not a replica; the reference may take it for one.
                return None;
            }
        }
        return Some((text_of(host?)?, port(number?)?));
    }
    let (host, number, _state) = (fields.next()?, fields.next()?, fields.next()?);
    Some((text_of(host)?, port(number)?))
}

fn port(text: &[u8]) -> Option<u16> {
    u16::try_from(lenient_integer(text)).ok().filter(|port| *port != 0)
}

/// Differs: texts with blanks, quotes or control characters count as absent; the reference would write them to its config file.
fn text_of(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let one_word = !text.is_empty()
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\''));
    one_word.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> InfoReport {
        InfoReport::parse(lines.join("\r\n").as_bytes())
    }

    #[test]
    fn a_master_reports_itself_and_its_replicas() {
        let id = "75a0556a4cf6d8429c5c2d008ad7583d9f9fb84c";
        let report = parse(&[
            "# Server",
            &format!("run_id:{id}"),
            "loading:0",
            "# Replication",
            "role:master",
            "connected_slaves:2",
            "slave0:ip=127.0.0.1,port=27992,state=online,offset=14,lag=1",
            "slave1:ip=::1,port=27993,state=wait_bgsave,offset=0,lag=0,type=replica",
            "slave2:ip=127.0.0.1,port=27992,state=send_bulk,offset=0,lag=0,type=rdb-channel",
            "slave3:10.0.0.3,6379,online",
            "slave4:ip=10.0.0.4,port=0,state=online",
            "slave5:ip=10.0.0.5,port=70000,state=online",
            "slave6:ip=,port=1,state=online",
            "slave7:10.0.0.7,6379",
            "slave_read_only:1",
            "master_replid:ddd",
            "master_repl_offset:14",
            "# Keyspace",
            "db0:keys=5,expires=0,avg_ttl=0",
            "db12:keys=7,expires=1,avg_ttl=3",
            "dbx:keys=100",
            "",
        ]);
        assert_eq!(report.keys, 12);
        assert_eq!(report.run_id.as_deref(), Some(id));
        assert_eq!(report.role, Some(Role::Master));
        let expected = [("127.0.0.1", 27992), ("::1", 27993), ("10.0.0.3", 6379)];
        assert_eq!(report.replicas, expected.map(|(host, port)| (host.to_owned(), port)));
        assert_eq!((report.repl_id.as_deref(), report.master_repl_offset), (Some("ddd"), Some(14)));
        assert!(report.text.starts_with(b"# Server\r\n"));
    }

    #[test]
    fn a_replica_reports_its_master_after_its_role() {
        let lines = [
            "role:slave",
            "master_host:127.0.0.1",
            "master_port:6379",
            "master_link_status:UP",
            "master_link_down_since_seconds:-1",
            "master_sync_in_progress:1",
            "slave_repl_offset:4418",
            "slave_priority:90x",
            "replica_announced:0",
        ];
        let report = parse(&lines);
        assert_eq!(report.role, Some(Role::Replica));
        assert_eq!((report.master_host.as_deref(), report.master_port), (Some("127.0.0.1"), Some(6379)));
        assert_eq!((report.master_link_up, report.master_link_down_since), (Some(true), Some(-1)));
        assert_eq!((report.repl_offset, report.priority), (Some(4418), Some(90)));
        assert_eq!((report.announced, report.sync_in_progress), (Some(false), true));

        let late: Vec<&str> = lines.iter().copied().skip(1).chain(["role:slave"]).collect();
        let report = parse(&late);
        assert_eq!((report.master_host, report.master_port, report.priority), (None, None, None));
        assert_eq!(report.master_link_down_since, Some(-1));
    }

    #[test]
    fn odd_texts_are_read_as_far_as_they_go() {
        assert_eq!(parse(&["run_id:short"]).run_id, None);
        assert_eq!(parse(&["role:sentinel"]).role, None);
        assert_eq!(InfoReport::parse(b"role:master\nx\r\nloading:1").role, Some(Role::Master));
        assert!(InfoReport::parse(b"x\nloading:0\r\nloading:1").loading);
        assert_eq!(parse(&["role:slave", "master_port:99999"]).master_port, None);
        assert_eq!(parse(&["role:slave", "slave_priority:99999999999"]).priority, Some(i32::MAX));
        assert_eq!(parse(&["role:slave", "master_host:a b"]).master_host, None);
        let full = b"role:slave\r\nmaster_host:h\r\nslave0:ip=1.1.1.1,port=1,x\r\nslave1:\xff,1,x\r\nrun_id:\xff\r\n\n\r:";
        for start in 0..full.len() {
            for end in start..full.len() {
                InfoReport::parse(&full[start..end]);
            }
        }
    }
}
