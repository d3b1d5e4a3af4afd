//! How fred finds a master, writes to it and reads from a replica.

use std::collections::HashMap;

use fred::clients::SentinelClient;
use fred::interfaces::{ClientLike, KeysInterface, SentinelInterface};
use fred::types::InfoKind;
use fred::types::config::{Config, ConnectionConfig, ReconnectPolicy};
use fred::types::config::{SentinelConfig, Server, ServerConfig};
use serde_json::{Value, json};

use crate::{Client, Outcome, Target, port_in};

const UNFIT: [&str; 3] = ["s_down", "o_down", "disconnected"];

struct Fred {
    target: Target,
    client: fred::clients::Client,
}

fn patience() -> ReconnectPolicy {
    ReconnectPolicy::new_constant(0, 100)
}

pub async fn open(target: Target) -> Outcome<impl Client> {
    let config = Config {
        server: ServerConfig::Sentinel {
            hosts: target.ports.iter().map(|port| Server::new("127.0.0.1", *port)).collect(),
            service_name: target.name.clone(),
            username: target.user.clone(),
            password: target.password.clone(),
        },
        ..Config::default()
    };
    // By default it leaves a master that answers READONLY, but only with its feature `custom-reconnect-errors`.
    let connection = ConnectionConfig::default();
    let client = fred::clients::Client::new(config, None, Some(connection), Some(patience()));
    client.init().await?;
    Ok(Fred { target, client })
}

impl Fred {
    async fn sentinel(&self) -> Outcome<SentinelClient> {
        let mut reason: Outcome<SentinelClient> = Err("no Sentinel was named".into());
        for port in &self.target.ports {
            let config = SentinelConfig {
                port: *port,
                username: self.target.user.clone(),
                password: self.target.password.clone(),
                ..SentinelConfig::default()
            };
            let sentinel = SentinelClient::new(config, None, None, None);
            match sentinel.init().await {
                Ok(_) => return Ok(sentinel),
                Err(error) => reason = Err(error.into()),
            }
        }
        reason
    }
}

impl Client for Fred {
    async fn write(&self, key: &str, value: u64) -> Outcome<()> {
        Ok(self.client.set::<(), _, _>(key, value, None, None, false).await?)
    }

    async fn find(&self) -> Outcome<Value> {
        let sentinel = self.sentinel().await?;
        let (_, master): (String, u16) = sentinel.get_master_addr_by_name(&*self.target.name).await?;
        let all: Vec<HashMap<String, String>> = sentinel.replicas(&*self.target.name).await?;
        sentinel.quit().await?;
        let fit =
            |replica: &&HashMap<String, String>| !UNFIT.iter().any(|word| replica["flags"].contains(word));
        let mut ports = Vec::new();
        for replica in all.iter().filter(fit) {
            ports.push(replica["port"].parse::<u16>()?);
        }
        ports.sort_unstable();
        // The library routes reads to replicas of clusters only: elsewhere they are servers of their own.
        let server = ServerConfig::new_centralized("127.0.0.1", *ports.first().ok_or("no replica")?);
        let reader = fred::clients::Client::new(Config { server, ..Config::default() }, None, None, None);
        reader.init().await?;
        let info: String = reader.info(Some(InfoKind::Server)).await?;
        let read: Option<String> = reader.get("seeded").await?;
        reader.quit().await?;
        Ok(json!({
            "master": master, "replicas": ports, "read_from": port_in(&info)?, "read": read,
        }))
    }
}
