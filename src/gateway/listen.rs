//! The socket before the routes: connections, headers and time within bounds, and a stop that finishes what runs.

use super::{Gateway, loopback};
use crate::{Error, Result};
use axum::Router;
use axum::middleware::from_fn;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Most headers of a request.
const MOST_HEADERS: usize = 128;
/// How long the listener rests where the machine has no room for a connection, as when files run out.
const REST: Duration = Duration::from_millis(50);

/// Where an endpoint listens, and within which bounds.
#[derive(Debug, Clone)]
pub struct ListenConfig {
    /// The name or address; one that others can reach needs keys.
    pub host: String,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The most connections at once; more wait.
    pub max_connections: usize,
    /// The most bytes of a request's line and headers.
    pub max_header_bytes: usize,
    /// How long the headers of a request may take, from the end of the one before.
    pub header_timeout: Duration,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 0,
            max_connections: 4096,
            max_header_bytes: 64 << 10,
            header_timeout: Duration::from_mins(1),
        }
    }
}

/// An endpoint that listens. Dropped, it breaks off what runs.
#[derive(Debug)]
pub struct Listening {
    gateway: Gateway,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Listens, inside a runtime of tokio's.
///
/// # Errors
/// `Config` where the place cannot be listened at, or others could reach it and there are no keys; `Store` where the
/// keys cannot be read.
pub async fn listen(gateway: Gateway, config: ListenConfig) -> Result<Listening> {
    let (host, port) = (config.host.as_str(), config.port);
    let unusable = |error: std::io::Error| {
        Error::Config(format!("{host}, port {port}, cannot be listened at: {error}; give another"))
    };
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await.map_err(unusable)?.collect();
    let has_keys = gateway.config().keys.is_some();
    if !has_keys && !addresses.iter().all(|address| address.ip().is_loopback()) {
        return Err(Error::Config(format!(
            "{host} can be reached by others, who would spend your money: give keys (headrace keys create), or listen at 127.0.0.1"
        )));
    }
    if let Some(keys) = &gateway.config().keys {
        keys.refresh(gateway.client().costs()).await?;
    }
    let listener = TcpListener::bind(&*addresses).await.map_err(unusable)?;
    let address = listener.local_addr().map_err(unusable)?;
    let router = gateway.router();
    let router = if has_keys { router } else { router.layer(from_fn(loopback::only_local)) };
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(accept(listener, router, config.clone(), stopped));
    Ok(Listening { gateway, address, stop, task })
}

impl Listening {
    /// The root, as in `http://127.0.0.1:8080`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What answers.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Takes no new connection and finishes what runs, within `patience`; whether all of it was finished. What is not is
    /// broken off.
    pub async fn stop(mut self, patience: Option<Duration>) -> bool {
        self.gateway.set_stopping();
        let _ = self.stop.send(true);
        match patience {
            None => (&mut self.task).await.is_ok(),
            Some(patience) => tokio::time::timeout(patience, &mut self.task).await.is_ok(),
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, router: Router, config: ListenConfig, mut stopped: watch::Receiver<bool>) {
    let (graceful, mut running) = (GracefulShutdown::new(), JoinSet::new());
    let room = Arc::new(Semaphore::new(config.max_connections.max(1)));
    loop {
        while running.try_join_next().is_some() {}
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            accepted = next => accepted,
        };
        let (Ok((stream, _)), Ok(permit)) = accepted else {
            tokio::time::sleep(REST).await;
            continue;
        };
        let serving = serve(stream, router.clone(), &config, graceful.watcher());
        running.spawn(async move {
            serving.await;
            drop(permit);
        });
    }
    drop(listener);
    graceful.shutdown().await;
    while running.join_next().await.is_some() {}
}

/// Serves a connection to its end.
fn serve(
    stream: TcpStream,
    router: Router,
    config: &ListenConfig,
    watcher: Watcher,
) -> impl Future<Output = ()> + Send + use<> {
    // Nagle's algorithm would hold back each piece of a stream until the one before it is acknowledged.
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_headers(MOST_HEADERS)
        .max_header_size(config.max_header_bytes);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let watched = watcher.watch(connection);
    async move {
        if let Err(error) = watched.await {
            // A caller who left, or one who speaks no HTTP: his business.
            tracing::debug!(%error, "a connection ended");
        }
    }
}
