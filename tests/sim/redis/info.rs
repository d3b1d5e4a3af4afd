//! What a server says of itself: the fields of INFO that a Sentinel reads, and some that it does not.

use std::fmt::Write;
use std::net::SocketAddrV4;

use super::{Link, Role, Server};
use crate::clock::SECOND;

impl Server {
    /// The INFO text. `replicas` are those connected, with their offsets.
    pub fn info(&self, now: u64, replicas: &[(SocketAddrV4, u64)]) -> String {
        if let Some(frozen) = &self.lies.frozen {
            return frozen.clone();
        }
        let mut text = String::with_capacity(640);
        // Writing to a string can't fail.
        let mut line = |arguments: std::fmt::Arguments| {
            text.write_fmt(arguments).expect("room");
            text.push_str("\r\n");
        };
        let offset = self.offset + self.lies.offset;
        line(format_args!("# Server\r\nredis_version:7.0.15\r\nrun_id:{}", self.run_id));
        line(format_args!("# Persistence\r\nloading:{}", u8::from(self.loading_until > now)));
        line(format_args!("# Replication"));
        match &self.role {
            Role::Master => line(format_args!("role:master")),
            Role::Replica(following) => {
                let up = following.link == Link::Up;
                let syncing = matches!(following.link, Link::Syncing { .. });
                line(format_args!("role:slave\r\nmaster_host:{}", following.master.ip()));
                line(format_args!("master_port:{}", following.master.port()));
                line(format_args!("master_link_status:{}", if up { "up" } else { "down" }));
                line(format_args!("master_sync_in_progress:{}", u8::from(syncing)));
                line(format_args!("slave_read_repl_offset:{offset}\r\nslave_repl_offset:{offset}"));
                if !up {
                    let since = following
                        .down_since()
                        .map_or(-1, |since| i64::try_from((now - since) / SECOND).expect("a short run"));
                    line(format_args!("master_link_down_since_seconds:{since}"));
                }
                line(format_args!("slave_priority:{}\r\nslave_read_only:1", self.priority));
                line(format_args!("replica_announced:1"));
            }
        }
        line(format_args!("connected_slaves:{}", replicas.len()));
        for (index, (address, offset)) in replicas.iter().enumerate() {
            let (ip, port) = (address.ip(), address.port());
            line(format_args!("slave{index}:ip={ip},port={port},state=online,offset={offset},lag=0"));
        }
        let (old, until) = match &self.replid2 {
            Some((old, until)) => (old.as_str(), i128::from(*until)),
            None => ("0000000000000000000000000000000000000000", -1),
        };
        line(format_args!("master_failover_state:no-failover\r\nmaster_replid:{}", self.replid));
        line(format_args!("master_replid2:{old}\r\nmaster_repl_offset:{offset}"));
        line(format_args!("second_repl_offset:{until}"));
        text
    }
}
