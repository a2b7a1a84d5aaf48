//! Where a provider is and how it is asked.

use crate::provider::gate::Gate;
use crate::provider::{Authentication, ProviderRow, Secret};
use crate::wire::{self, Protocol, Quirks};
use crate::{Error, Result};
use reqwest::Url;
use std::time::Duration;

/// Headers of the caller's that hold no secret.
const PLAIN: [&str; 9] = [
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "http-referer",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "user-agent",
    "x-title",
];

/// Words in the names of URL parameters that hold a secret.
const SECRET_WORDS: [&str; 7] = ["auth", "code", "key", "pass", "secret", "sig", "token"];

/// Where a provider is and how it is asked: a protocol and a row of data.
#[derive(Clone)]
pub struct HttpProviderConfig {
    /// The name before the slash of its models.
    pub name: String,
    /// The URL before the protocol's path.
    pub base_url: String,
    /// The protocol that it speaks.
    pub protocol: &'static dyn Protocol,
    /// How it is shown its key.
    pub authentication: Authentication,
    /// Its key; a local server needs none.
    pub api_key: Option<Secret>,
    /// Sent with every request; they go before the provider's own.
    pub headers: Vec<(String, Secret)>,
    /// What it does differently within its protocol.
    pub quirks: Quirks,
    /// Whether it takes many requests as one batch, as the maker of its protocol does.
    pub batches: bool,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long the provider may send nothing.
    pub read_timeout: Duration,
    /// How long a stream may take to its first word, from the moment of the request.
    pub first_token_timeout: Option<Duration>,
    /// How long a request may take in all, with the reply to its end.
    pub total_timeout: Option<Duration>,
    /// The largest reply that is read, decompressed; a stream may be four times as large.
    pub max_reply_bytes: usize,
}

impl HttpProviderConfig {
    /// A server at a URL that speaks OpenAI's chat.
    #[must_use]
    pub fn new(name: &str, base_url: &str, api_key: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            base_url: base_url.trim().trim_end_matches('/').to_owned(),
            protocol: &wire::openai_chat::PROTOCOL,
            authentication: Authentication::Bearer,
            api_key: api_key.map(Secret::new).filter(|key| !key.expose().is_empty()),
            headers: Vec::new(),
            quirks: Quirks::default(),
            batches: false,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_mins(2),
            first_token_timeout: None,
            total_timeout: None,
            max_reply_bytes: 64 << 20,
        }
    }

    /// A provider that is known by name.
    #[must_use]
    pub fn of_row(row: &ProviderRow, api_key: Option<&str>) -> Self {
        Self {
            protocol: row.protocol(),
            authentication: row.authentication.clone(),
            headers: row.headers.iter().map(|(name, value)| (name.clone(), Secret::new(value))).collect(),
            quirks: row.quirks.clone(),
            batches: row.batches,
            ..Self::new(&row.name, &row.base_url, api_key)
        }
    }

    /// The gate that knows all its secrets.
    pub(super) fn gate(&self) -> Gate {
        let is_plain = |name: &str| PLAIN.contains(&name.to_ascii_lowercase().as_str());
        let in_headers = self.headers.iter().filter(|(name, _)| !is_plain(name)).map(|(_, value)| value);
        // A version is no secret, and words of an error may name it.
        let url = Url::parse(&self.base_url).ok();
        let pairs = url.iter().flat_map(Url::query_pairs).filter(|(name, _)| name != "api-version");
        let in_query: Vec<_> = pairs.map(|(_, value)| Secret::new(&value)).collect();
        Gate::new(self.api_key.iter().chain(in_headers).chain(&in_query))
    }

    /// The address, checked.
    ///
    /// # Errors
    /// `Config`: it is no address, or it holds a key. The message shows no part of it that may be secret.
    pub(super) fn url(&self) -> Result<Url> {
        let Some(url) =
            Url::parse(&self.base_url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        else {
            let from = self.base_url.rfind('@').map_or(0, |at| at + 1);
            let shown = self.base_url[from..].split(['?', '#']).next().unwrap_or_default();
            let shown = self.gate().excerpt(shown, 200);
            return Err(Error::Config(format!(
                "base_url {shown:?} is no URL: give one such as https://api.openai.com/v1"
            )));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Config("base_url holds a user or a password: give the key as api_key=".into()));
        }
        for (name, _) in url.query_pairs() {
            let lower = name.to_ascii_lowercase();
            if SECRET_WORDS.iter().any(|word| lower.contains(word)) {
                let name = self.gate().excerpt(&name, 50);
                return Err(Error::Config(format!(
                    "base_url holds {name:?}, which may be a key: give it as api_key= or in headers="
                )));
            }
        }
        if url.fragment().is_some() {
            return Err(Error::Config("base_url has a fragment (#...), which no server sees: leave it out".into()));
        }
        Ok(url)
    }
}

impl std::fmt::Debug for HttpProviderConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        let address = self.base_url.split(['?', '#']).next().unwrap_or_default();
        let address = &address[address.rfind('@').map_or(0, |at| at + 1)..];
        f.debug_struct("HttpProviderConfig")
            .field("name", &self.name)
            .field("base_url", &self.gate().clean(address))
            .field("protocol", &self.protocol.name())
            .field("api_key", &self.api_key)
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}
