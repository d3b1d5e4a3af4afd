//! How redis-rs finds a master, writes to it and reads from a replica.

use redis::aio::MultiplexedConnection;
use redis::sentinel::{Sentinel, SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{AsyncCommands, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{Client, Outcome, Target, port_in};

struct RedisRs {
    target: Target,
    master: Mutex<SentinelClient>,
    /// The library leaves it to its user to get a new connection when one no longer serves.
    connection: Mutex<Option<MultiplexedConnection>>,
}

pub fn open(target: Target) -> Outcome<impl Client> {
    let master = Mutex::new(client_of(&target, SentinelServerType::Master)?);
    Ok(RedisRs { target, master, connection: Mutex::new(None) })
}

fn client_of(target: &Target, kind: SentinelServerType) -> Outcome<SentinelClient> {
    let sentinels = target.ports.iter().map(|port| ConnectionAddr::Tcp("127.0.0.1".into(), *port));
    let mut builder = SentinelClientBuilder::new(sentinels, &target.name, kind)?;
    if let Some(user) = &target.user {
        builder = builder.set_client_to_sentinel_username(user);
    }
    if let Some(password) = &target.password {
        builder = builder.set_client_to_sentinel_password(password);
    }
    Ok(builder.build()?)
}

fn port_of(client: &redis::Client) -> Outcome<u16> {
    match client.get_connection_info().addr() {
        ConnectionAddr::Tcp(_, port) => Ok(*port),
        other => Err(format!("an unexpected address: {other}").into()),
    }
}

impl RedisRs {
    fn sentinel(&self) -> Outcome<Sentinel> {
        let mut access = RedisConnectionInfo::default();
        if let Some(user) = &self.target.user {
            access = access.set_username(user);
        }
        if let Some(password) = &self.target.password {
            access = access.set_password(password);
        }
        let info = |port: &u16| -> Outcome<ConnectionInfo> {
            Ok(("127.0.0.1", *port).into_connection_info()?.set_redis_settings(access.clone()))
        };
        Ok(Sentinel::build(self.target.ports.iter().map(info).collect::<Outcome<Vec<_>>>()?)?)
    }
}

impl Client for RedisRs {
    async fn write(&self, key: &str, value: u64) -> Outcome<()> {
        let mut slot = self.connection.lock().await;
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.master.lock().await.get_async_connection().await?,
        };
        let () = connection.set(key, value).await?;
        *slot = Some(connection);
        Ok(())
    }

    async fn find(&self) -> Outcome<Value> {
        let mut sentinel = self.sentinel()?;
        let master = sentinel.async_master_for(&self.target.name, None).await?;
        let replicas = sentinel.async_get_replica_clients(&self.target.name, None).await?;
        let mut ports = replicas.iter().map(port_of).collect::<Outcome<Vec<_>>>()?;
        ports.sort_unstable();
        let mut reader = client_of(&self.target, SentinelServerType::Replica)?.get_async_connection().await?;
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut reader).await?;
        let read: Option<String> = reader.get("seeded").await?;
        Ok(json!({
            "master": port_of(&master)?, "replicas": ports, "read_from": port_in(&info)?, "read": read,
        }))
    }
}
