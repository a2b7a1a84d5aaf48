//! The connections of one provider, of which a forked process makes its own.

use super::HttpProviderConfig;
use crate::provider::Authentication;
use crate::{Error, Result};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::sync::OnceLock;

/// Headers that are the connection's own.
const OWN: [&str; 7] =
    ["accept-encoding", "connection", "content-encoding", "content-length", "content-type", "te", "transfer-encoding"];

/// A client a process: the parent's connections, and the tasks that serve them, are not there in a forked child.
///
/// A list without a lock, since a lock may be held by another thread at the moment of the fork.
#[derive(Debug)]
pub(super) struct Connections {
    process: u32,
    client: reqwest::Client,
    in_child: OnceLock<Box<Connections>>,
}

impl Connections {
    /// Prepares this process's connections; nothing is sent.
    pub(super) fn new(config: &HttpProviderConfig) -> Result<Self> {
        let client = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .read_timeout(config.read_timeout)
            // A redirect would show the prompt, and perhaps the key, to a server that nobody named.
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(headers(config)?)
            .user_agent(concat!("headrace/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Config(format!("the HTTP client cannot be made: {}", error.without_url())))?;
        Ok(Self { process: crate::process::id(), client, in_child: OnceLock::new() })
    }

    /// The client of this process.
    pub(super) fn client(&self, config: &HttpProviderConfig) -> Result<&reqwest::Client> {
        let process = crate::process::id();
        let mut here = self;
        while here.process != process {
            here = if let Some(child) = here.in_child.get() {
                child
            } else {
                let child = Box::new(Self::new(config)?);
                here.in_child.get_or_init(|| child)
            };
        }
        Ok(&here.client)
    }
}

fn headers(config: &HttpProviderConfig) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(key) = &config.api_key {
        key.check("api_key")?;
        let (name, text) = match &config.authentication {
            Authentication::Bearer => (AUTHORIZATION, format!("Bearer {}", key.expose())),
            Authentication::Header(name) => (header_name(name)?, key.expose().to_owned()),
        };
        headers.insert(name, value("api_key", &text)?);
    }
    for (name, secret) in &config.headers {
        let given_as = format!("header {name:?}");
        if OWN.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(Error::Config(format!("{given_as} belongs to the connection: leave it out")));
        }
        let name = header_name(name)?;
        secret.check(&given_as)?;
        headers.insert(name, value(&given_as, secret.expose())?);
    }
    Ok(headers)
}

fn header_name(name: &str) -> Result<HeaderName> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        Error::Config(format!("{name:?} is no name of a header: give letters, digits and dashes, as in x-api-key"))
    })
}

fn value(given_as: &str, text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Error::Config(format!("{given_as} cannot stand in a header: give printable ASCII characters")))?;
    value.set_sensitive(true);
    Ok(value)
}
