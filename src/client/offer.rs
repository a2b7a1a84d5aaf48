//! Every model that can be named: the routes, and what the providers list.

use super::Client;
use crate::provider::Guarded;
use futures_util::future::join_all;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long a provider may take to list its models.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a list holds, and how soon one that a provider did not give is asked for again.
const HOLDS: Duration = Duration::from_mins(5);
const AGAIN: Duration = Duration::from_secs(30);
/// What a model of the price list is for, where a call can ask it.
const CALLABLE: [&str; 4] = ["chat", "responses", "completion", "embedding"];

/// What was listed, and until when that holds.
#[derive(Debug, Default)]
pub(super) struct Offer(Mutex<Option<(Instant, Arc<[String]>)>>);

impl Client {
    /// Every model that can be named, once: the routes first, then what each provider lists as `provider/model`, with what
    /// routes and fallbacks name of it. A provider that does not list, or not within 5 seconds, has what the price list
    /// knows of it. Providers are asked at most once in five minutes, however many ask here.
    pub async fn offer(&self) -> Arc<[String]> {
        let mut kept = self.inner.offer.0.lock().await;
        if let Some((until, names)) = kept.as_ref().filter(|(until, _)| *until > Instant::now()) {
            tracing::trace!(left = ?until.saturating_duration_since(Instant::now()), "models were listed before");
            return Arc::clone(names);
        }
        let listed = join_all(self.inner.providers.iter().map(|guarded| self.listed(guarded))).await;
        let is_whole = listed.iter().all(Option::is_some);
        let mut names: Vec<String> = self.routes().into_iter().map(str::to_owned).collect();
        for (guarded, listed) in self.inner.providers.iter().zip(listed) {
            let provider = guarded.provider().name();
            let models = listed.unwrap_or_else(|| self.priced(provider));
            names.extend(models.into_iter().map(|model| format!("{provider}/{model}")));
            names.extend(self.named_of(provider));
        }
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let names: Arc<[String]> = names.into();
        *kept = Some((Instant::now() + if is_whole { HOLDS } else { AGAIN }, Arc::clone(&names)));
        names
    }

    /// What a provider lists; None where it does not.
    async fn listed(&self, guarded: &Guarded) -> Option<Vec<String>> {
        let provider = guarded.provider();
        match timeout(PATIENCE, provider.list_models()).await {
            Ok(Ok(listed)) => listed,
            Ok(Err(error)) => {
                tracing::debug!(provider = provider.name(), %error, "a provider did not list its models");
                None
            }
            Err(_) => {
                tracing::debug!(provider = provider.name(), "a provider took too long to list its models");
                None
            }
        }
    }

    /// What the price list knows of a provider.
    fn priced(&self, provider: &str) -> Vec<String> {
        let (prices, table) = (self.inner.costs.prices(), crate::cost::price::provider_name(provider));
        let names = prices.names();
        let of_it = names.iter().filter_map(|name| Some((name, name.strip_prefix(table)?.strip_prefix('/')?)));
        let is_callable = |name: &str| {
            let mode = prices.find(name).and_then(|price| price.mode.clone());
            mode.is_none_or(|mode| CALLABLE.contains(&mode.as_str()))
        };
        of_it.filter(|(name, _)| is_callable(name)).map(|(_, model)| model.to_owned()).collect()
    }

    /// The models of a provider that routes and fallbacks name.
    fn named_of(&self, provider: &str) -> Vec<String> {
        let routes = self.inner.routes.iter().flat_map(|open| &open.route.models);
        let fallbacks = self.inner.fallbacks.iter().flat_map(|(name, others)| std::iter::once(name).chain(others));
        let is_its = |name: &&String| name.split_once('/').is_some_and(|(of, _)| of == provider);
        let mut names: Vec<_> = routes.chain(fallbacks).filter(is_its).cloned().collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
mod tests {
    use crate::client::{ClientConfig, ModelRoute};
    use crate::cost::CostTracker;
    use crate::cost::price::PriceTable;
    use crate::provider::{HttpProvider, HttpProviderConfig, Provider};
    use crate::queue::{QueueConfig, RequestQueue};
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A provider that lists, with how often it was asked.
    fn listing(body: &'static str) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut buffer = [0; 4096];
                let length = stream.read(&mut buffer).unwrap();
                assert!(buffer[..length].starts_with(b"GET /v1/models HTTP/1.1"));
                count.fetch_add(1, Ordering::SeqCst);
                let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
            }
        });
        (url, asked)
    }

    fn provider(name: &str, url: &str) -> Arc<dyn Provider> {
        Arc::new(HttpProvider::new(HttpProviderConfig::new(name, url, None)).unwrap())
    }

    #[tokio::test]
    async fn routes_come_first_and_a_list_is_asked_for_once() {
        let (url, asked) = listing(r#"{"data": [{"id": "small"}, {"id": "large"}]}"#);
        // Nobody listens there.
        let silent = "http://127.0.0.1:9/v1";
        let queue = RequestQueue::open("memory://", QueueConfig::default()).unwrap();
        let costs = CostTracker::open("memory://", PriceTable::builtin()).unwrap();
        let config = ClientConfig::new(
            vec![provider("local", &url), provider("own", silent), provider("deepseek", silent)],
            queue,
            costs,
        );
        let route = ModelRoute::new("report", vec!["local/large".into()]);
        let fallbacks = [("own/a".to_owned(), vec!["local/hidden".to_owned()])].into();
        let client = crate::client::Client::new(ClientConfig { routes: vec![route], fallbacks, ..config }).unwrap();
        let (one, two) = tokio::join!(client.offer(), client.offer());
        assert_eq!(one, two);
        assert_eq!(one[..5], ["report", "local/small", "local/large", "local/hidden", "own/a"]);
        // What did not list has what the price list knows.
        assert!(
            one.contains(&"deepseek/deepseek-chat".to_owned())
                && one[5..].iter().all(|name| name.starts_with("deepseek/"))
        );
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}
