//! Redis's own protocol: one server, over TLS too, a cluster, or the server that sentinels name.

use super::direct::Direct;
use super::fault::is_connection_lost;
use super::transport::{Told, Transport};
use crate::store::{RedisKind, RedisUrl};
use crate::{Error, Result};
use async_trait::async_trait;
use futures_util::StreamExt;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionInfo, IntoConnectionInfo, RedisResult, Value};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long a connection may take to come about, and an answer to a command. A script never runs for so long.
const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(10);
/// The master that sentinels are asked for where the address names none.
const MASTER: &str = "mymaster";

enum Server {
    /// With a connection for callers whose thread waits, unless it is over TLS.
    One(Client, Option<Direct>),
    /// With a client for each server that the address names: any of them passes a message on.
    Cluster(Box<ClusterClient>, Vec<Client>),
    Sentinel(Box<Mutex<SentinelClient>>),
}

#[derive(Clone)]
enum Live {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// A way by Redis's own protocol.
pub(super) struct Resp {
    server: Server,
    /// The connection with its number.
    live: crate::lock::Lock<Option<(u64, Live)>>,
    /// Held by the one who connects.
    connecting: Mutex<u64>,
}

/// Lets go of a connection that did not answer, unless another has taken its place.
struct Unanswered<'a> {
    resp: &'a Resp,
    number: u64,
    answered: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let mut live = self.resp.live.lock();
            // A cluster's connection mends itself.
            if matches!(&*live, Some((number, Live::One(_))) if *number == self.number) {
                *live = None;
            }
        }
    }
}

impl Resp {
    pub(super) fn new(address: &RedisUrl) -> Result<Self> {
        let server = server(address).map_err(|_| {
            let scheme = address.kind().scheme();
            Error::Config(format!(
                "the {scheme}:// address cannot be read: give {scheme}://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]]{}",
                if address.kind() == RedisKind::Sentinel { "/MASTER[/DATABASE]" } else { "[/DATABASE]" }
            ))
        })?;
        Ok(Self { server, live: crate::lock::Lock::new(None), connecting: Mutex::new(0) })
    }

    async fn client(&self) -> RedisResult<Client> {
        match &self.server {
            Server::One(client, _) => Ok(client.clone()),
            Server::Cluster(_, seeds) => seeds
                .get(rand::random_range(0..seeds.len().max(1)))
                .cloned()
                .ok_or_else(|| (redis::ErrorKind::ClusterConnectionNotFound, "no server is named").into()),
            Server::Sentinel(sentinel) => sentinel.lock().await.async_get_client().await,
        }
    }

    async fn connect(&self) -> RedisResult<Live> {
        if let Server::Cluster(client, _) = &self.server {
            return Ok(Live::Cluster(client.get_async_connection().await?));
        }
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(ANSWER));
        let client = self.client().await?;
        Ok(Live::One(client.get_multiplexed_async_connection_with_config(&config).await?))
    }

    async fn live(&self) -> RedisResult<(u64, Live)> {
        if let Some(live) = &*self.live.lock() {
            return Ok(live.clone());
        }
        let mut number = self.connecting.lock().await;
        if let Some(live) = &*self.live.lock() {
            return Ok(live.clone());
        }
        let live = self.connect().await?;
        *number += 1;
        *self.live.lock() = Some((*number, live.clone()));
        Ok((*number, live))
    }
}

/// An address for each of `HOST:PORT,HOST:PORT`, with the login that stands before them.
fn each_host(address: &RedisUrl) -> Vec<String> {
    let rest = address.expose().split_once("://").map_or("", |(_, rest)| rest);
    let hosts = rest.split_once('/').map_or(rest, |(hosts, _)| hosts);
    let (login, hosts) =
        hosts.rsplit_once('@').map_or((String::new(), hosts), |(login, hosts)| (format!("{login}@"), hosts));
    hosts.split(',').map(|host| format!("redis://{login}{host}")).collect()
}

fn server(address: &RedisUrl) -> RedisResult<Server> {
    match address.kind() {
        RedisKind::Plain => Ok(Server::One(Client::open(address.expose())?, Some(Direct::new()))),
        RedisKind::Tls | RedisKind::Upstash => Ok(Server::One(Client::open(address.expose())?, None)),
        RedisKind::Cluster => {
            let hosts = each_host(address);
            let seeds = hosts.iter().map(|url| Client::open(url.as_str())).collect::<RedisResult<_>>()?;
            let client = ClusterClient::builder(hosts).connection_timeout(CONNECT).response_timeout(ANSWER).build()?;
            Ok(Server::Cluster(Box::new(client), seeds))
        }
        RedisKind::Sentinel => {
            let rest = address.expose().split_once("://").map_or("", |(_, rest)| rest);
            let mut path = rest.split('/').skip(1);
            let master = path.next().filter(|name| !name.is_empty()).unwrap_or(MASTER);
            let database: i64 = path.next().and_then(|text| text.parse().ok()).unwrap_or_default();
            let hosts = each_host(address);
            let sentinels: Vec<ConnectionInfo> = hosts
                .iter()
                .map(|url| {
                    let info = url.as_str().into_connection_info()?;
                    // The login is the master's; a sentinel has none.
                    info.addr().clone().into_connection_info()
                })
                .collect::<RedisResult<_>>()?;
            let login = match hosts.first() {
                Some(url) => url.as_str().into_connection_info()?.redis_settings().clone().set_db(database),
                None => return Err((redis::ErrorKind::EmptySentinelList, "no sentinel").into()),
            };
            let node = SentinelNodeConnectionInfo::default().set_redis_connection_info(login);
            Ok(Server::Sentinel(Box::new(Mutex::new(SentinelClient::build(
                sentinels,
                master,
                Some(node),
                SentinelServerType::Master,
            )?))))
        }
    }
}

#[async_trait]
impl Transport for Resp {
    async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        if let Server::One(client, Some(direct)) = &self.server
            && self.live.lock().is_some()
            && let Some(reply) = direct.send(command, client.get_connection_info()).await
        {
            return reply;
        }
        let (number, live) = self.live().await?;
        let mut unanswered = Unanswered { resp: self, number, answered: false };
        let reply = match live {
            Live::One(mut connection) => connection.send_packed_command(command).await,
            Live::Cluster(mut connection) => connection.req_packed_command(command).await,
        };
        unanswered.answered = reply.as_ref().err().is_none_or(|error| !is_connection_lost(error));
        reply
    }

    async fn send_to_replicas(&self, command: &Cmd, replicas: u32, within: Duration) -> RedisResult<(Value, u32)> {
        let (number, live) = self.live().await?;
        let Live::One(mut connection) = live else {
            return Err((redis::ErrorKind::Client, "a cluster is not asked for its replicas").into());
        };
        let mut unanswered = Unanswered { resp: self, number, answered: false };
        let mut both = redis::pipe();
        both.add_command(command.clone()).cmd("WAIT").arg(replicas).arg(within.as_millis().max(1) as u64);
        let replies = connection.send_packed_commands(&both, 0, 2).await;
        unanswered.answered = replies.as_ref().err().is_none_or(|error| !is_connection_lost(error));
        match <[Value; 2]>::try_from(replies?) {
            Ok([Value::ServerError(error), _]) => Err(error.into()),
            Ok([reply, Value::Int(have)]) => Ok((reply, u32::try_from(have).unwrap_or_default())),
            _ => Err((redis::ErrorKind::Parse, "WAIT was not answered with a number").into()),
        }
    }

    async fn hear(&self, channel: &str, tell: Told<'_>) -> RedisResult<()> {
        let mut heard = self.client().await?.get_async_pubsub().await?;
        heard.subscribe(channel).await?;
        tell(None);
        let mut messages = heard.into_on_message();
        while let Some(message) = messages.next().await {
            tell(Some(message.get_payload_bytes()));
        }
        Ok(())
    }
}
