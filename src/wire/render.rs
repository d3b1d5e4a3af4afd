//! The engine's answers as values: field names, their order, and the kinds of values (spec 3 §3.4).
//!
//! Compat: every number inside a description is a string of digits, in both protocols.

use std::time::Duration;

use bytes::Bytes;

use super::answer::{Answer, ErrorReply};
use super::info::Role;
use super::info_text::{CLAIMED_VERSION, Sections, ServerFacts, info_text};
use super::reply::MasterDownReply;
use super::value::{Protocol, Value};
use super::view::{InfoCacheView, InstanceView, MasterView, PeerView, ReplicaView, ScriptView};
use crate::text::lossless::{bytes_of, into_bytes};

/// An answer as a value. Of INFO only the Sentinel section, since an answer holds no more: with the rest it is made by [`info_text`].
pub fn render(answer: Answer) -> Value {
    match answer {
        Answer::Ok => Value::OK,
        Answer::Pong => Value::status("PONG"),
        Answer::Integer(number) => Value::Integer(number),
        Answer::Error(error) => render_error(&error),
        Answer::MyId(id) => bulk(id.as_str()),
        Answer::Role(names) => {
            let names = names.iter().map(|name| bulk(name.as_str())).collect();
            Value::Array(vec![Value::bulk("sentinel"), Value::Array(names)])
        }
        Answer::Info(view) => {
            let sections = Sections::from_words(&[Bytes::from_static(b"sentinel")]);
            Value::bulk(into_bytes(info_text(&ServerFacts::default(), &view, sections)))
        }
        Answer::Master(view) => master(*view),
        Answer::Masters(views) => Value::Array(views.into_iter().map(master).collect()),
        Answer::Replicas(views) => Value::Array(views.into_iter().map(replica).collect()),
        Answer::Sentinels(views) => Value::Array(views.into_iter().map(peer).collect()),
        Answer::MasterAddress(address) => master_address(address),
        Answer::MasterDown(reply) => master_down(&reply),
        Answer::QuorumReachable { usable } => Value::status(format!(
            "OK {usable} usable Sentinels. Quorum and failover authorization can be reached"
        )),
        Answer::ConfigValues(values) => Value::Map(
            values.into_iter().map(|(name, value)| (Value::bulk(name), Value::bulk(value))).collect(),
        ),
        Answer::DebugValues(values) => Value::Map(
            values.into_iter().map(|(name, millis)| (Value::bulk(name), Value::number(millis))).collect(),
        ),
        Answer::InfoCache(masters) => {
            let parts = masters.into_iter().flat_map(|(name, entries)| {
                [bulk(name.as_str()), Value::Array(entries.iter().map(cached_info).collect())]
            });
            Value::Array(parts.collect())
        }
        Answer::PendingScripts(scripts) => Value::Array(scripts.into_iter().map(script).collect()),
        Answer::SimulateFailureHelp => {
            Value::Array(vec![Value::bulk("crash-after-election"), Value::bulk("crash-after-promotion")])
        }
    }
}

/// An error of the engine as a value.
pub fn render_error(error: &ErrorReply) -> Value {
    Value::Error(into_bytes(error.to_string()).into())
}

/// The answer to GET-MASTER-ADDR-BY-NAME; `None` for an unknown name (spec 3 §3.4.6).
pub fn master_address(address: Option<(String, u16)>) -> Value {
    match address {
        Some((host, port)) => Value::Array(vec![Value::bulk(into_bytes(host)), Value::number(port)]),
        None => Value::NullArray,
    }
}

/// The answer to HELLO, in the protocol agreed on (spec 3 §3.5.2).
pub fn greeting(protocol: Protocol, client_id: u64) -> Value {
    let version = match protocol {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    };
    Value::Map(vec![
        (Value::bulk("server"), Value::bulk("redis")),
        (Value::bulk("version"), Value::bulk(CLAIMED_VERSION)),
        (Value::bulk("proto"), Value::Integer(version)),
        (Value::bulk("id"), Value::Integer(client_id.cast_signed())),
        (Value::bulk("mode"), Value::bulk("sentinel")),
        (Value::bulk("modules"), Value::Array(Vec::new())),
    ])
}

/// Compat: an epoch beyond 63 bits shows as a negative number.
fn master_down(reply: &MasterDownReply) -> Value {
    Value::Array(vec![
        Value::Integer(i64::from(reply.down)),
        bulk(reply.leader.as_ref().map_or("*", |leader| leader.as_str())),
        Value::Integer(reply.leader_epoch.0.cast_signed()),
    ])
}

fn master(view: MasterView) -> Value {
    let mut fields = Fields::common(view.instance, view.failover_state);
    fields.role(view.info_refresh, view.role_reported, view.role_reported_time);
    fields.number("config-epoch", view.config_epoch);
    fields.number("num-slaves", view.num_replicas);
    fields.number("num-other-sentinels", view.num_other_sentinels);
    fields.number("quorum", view.quorum);
    fields.number("failover-timeout", view.failover_timeout.as_millis());
    fields.number("parallel-syncs", view.parallel_syncs);
    if let Some(path) = view.notification_script {
        fields.text("notification-script", path);
    }
    if let Some(path) = view.client_reconfig_script {
        fields.text("client-reconfig-script", path);
    }
    Value::Map(fields.0)
}

fn replica(view: ReplicaView) -> Value {
    let mut fields = Fields::common(view.instance, None);
    fields.role(view.info_refresh, view.role_reported, view.role_reported_time);
    fields.number("master-link-down-time", view.master_link_down_time_ms);
    fields.text("master-link-status", if view.master_link_ok { "ok" } else { "err" });
    fields.text("master-host", view.master_host.unwrap_or_else(|| "?".to_owned()));
    fields.number("master-port", view.master_port);
    fields.number("slave-priority", view.priority);
    fields.number("slave-repl-offset", view.repl_offset);
    fields.number("replica-announced", u8::from(view.announced));
    Value::Map(fields.0)
}

fn peer(view: PeerView) -> Value {
    let mut fields = Fields::common(view.instance, None);
    fields.millis("last-hello-message", view.last_hello);
    match view.voted_leader {
        Some(leader) => fields.0.push((Value::bulk("voted-leader"), bulk(leader.as_str()))),
        None => fields.text("voted-leader", "?"),
    }
    fields.number("voted-leader-epoch", view.voted_leader_epoch);
    Value::Map(fields.0)
}

fn cached_info(entry: &InfoCacheView) -> Value {
    let text = entry.text.as_ref().map_or(Value::Null, |text| Value::Bulk(Bytes::copy_from_slice(text)));
    Value::Array(vec![Value::Integer(entry.age_ms), text])
}

fn script(view: ScriptView) -> Value {
    let mut fields = Fields(Vec::with_capacity(5));
    let argv = view.argv.into_iter().map(into_bytes).map(Value::bulk).collect();
    fields.0.push((Value::bulk("argv"), Value::Array(argv)));
    fields.text("flags", if view.running.is_some() { "running" } else { "scheduled" });
    match view.running {
        Some((pid, time)) => {
            fields.number("pid", pid);
            fields.millis("run-time", time);
        }
        None => {
            fields.number("pid", 0);
            fields.millis("run-delay", view.delay);
        }
    }
    fields.number("retry-num", view.attempts);
    Value::Map(fields.0)
}

fn bulk(text: &str) -> Value {
    Value::Bulk(Bytes::copy_from_slice(&bytes_of(text)))
}

/// The fields of a description, in order (spec 3 §3.4.3).
struct Fields(Vec<(Value, Value)>);

impl Fields {
    fn common(view: InstanceView, failover_state: Option<&'static str>) -> Fields {
        let mut fields = Fields(Vec::with_capacity(26));
        fields.text("name", view.name);
        fields.text("ip", view.host);
        fields.number("port", view.port);
        fields.text("runid", view.run_id);
        fields.text("flags", view.flags.join(","));
        fields.number("link-pending-commands", view.pending_commands);
        fields.number("link-refcount", view.link_refcount);
        if let Some(state) = failover_state {
            fields.text("failover-state", state);
        }
        fields.millis("last-ping-sent", view.last_ping_sent);
        fields.millis("last-ok-ping-reply", view.last_ok_ping_reply);
        fields.millis("last-ping-reply", view.last_ping_reply);
        if let Some(time) = view.s_down_time {
            fields.millis("s-down-time", time);
        }
        if let Some(time) = view.o_down_time {
            fields.millis("o-down-time", time);
        }
        fields.millis("down-after-milliseconds", view.down_after);
        fields
    }

    fn role(&mut self, info_refresh: Option<Duration>, role: Role, since: Duration) {
        self.millis("info-refresh", info_refresh.unwrap_or_default());
        self.text(
            "role-reported",
            match role {
                Role::Master => "master",
                Role::Replica => "slave",
            },
        );
        self.millis("role-reported-time", since);
    }

    fn text(&mut self, name: &'static str, text: impl Into<String>) {
        self.0.push((Value::bulk(name), Value::bulk(into_bytes(text.into()))));
    }

    fn number(&mut self, name: &'static str, number: impl std::fmt::Display) {
        self.0.push((Value::bulk(name), Value::number(number)));
    }

    fn millis(&mut self, name: &'static str, time: Duration) {
        self.number(name, time.as_millis());
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
