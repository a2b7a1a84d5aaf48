//! What every request passes first: it gets an id, and is asked for its key.

use super::Gateway;
use super::caller::{Caller, key_in, no_key};
use super::models::spoken;
use super::refusal::Refusal;
use super::routes::protocol_of;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use rand::Rng;

/// The request's id, in the request and in the reply.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-headrace-request-id");
/// Where OpenAI's and Anthropic's clients look for it.
const CLIENTS_LOOK_AT: [HeaderName; 2] =
    [HeaderName::from_static("x-request-id"), HeaderName::from_static("request-id")];
/// The longest id that is taken from a request.
const LONGEST_ID: usize = 128;
/// Paths that say nothing but that the endpoint is there, and ask for no key: the page asks for it itself.
const OPEN_PATHS: [&str; 3] = ["/", "/healthz", "/readyz"];

/// Passes a request on with the caller it is from, and puts its id on the reply.
pub(super) async fn pass(State(gateway): State<Gateway>, mut request: Request, next: Next) -> Response {
    let id = id_of(request.headers());
    let path = request.uri().path().to_owned();
    tracing::debug!(request = id.to_str().unwrap_or_default(), path, method = %request.method(), "asked");
    let mut response = match gateway.recognise(&path, request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(response) => *response,
    };
    for name in CLIENTS_LOOK_AT.into_iter().chain([REQUEST_ID]) {
        response.headers_mut().insert(name, id.clone());
    }
    tracing::debug!(request = id.to_str().unwrap_or_default(), status = response.status().as_u16(), "answered");
    response
}

impl Gateway {
    /// Who asks; a reply where he may not.
    async fn recognise(&self, path: &str, headers: &HeaderMap) -> Result<Caller, Box<Response>> {
        let Some(keys) = self.config().keys.as_ref().filter(|_| !OPEN_PATHS.contains(&path)) else {
            return Ok(Caller::default());
        };
        let protocol = if path.starts_with("/v1/models") { spoken(headers) } else { protocol_of(path) };
        let looked = keys.refresh(self.client().costs()).await;
        if let Err(error) = looked {
            return Err(Box::new(Refusal::from(error).into_response(protocol)));
        }
        let found = key_in(headers).and_then(|key| keys.find(key));
        let key = found.ok_or_else(|| Box::new(no_key(protocol)))?;
        Ok(Caller { key: Some(key) })
    }
}

/// The id that the caller gave, where it can stand in a header and a log, or a new one.
fn id_of(headers: &HeaderMap) -> HeaderValue {
    let is_plain = |value: &&HeaderValue| {
        value.len() <= LONGEST_ID && !value.is_empty() && value.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    let given =
        [REQUEST_ID, CLIENTS_LOOK_AT[0].clone()].iter().find_map(|name| headers.get(name).filter(is_plain).cloned());
    given.unwrap_or_else(|| {
        let id = format!("req_{:032x}", rand::rng().random::<u128>());
        HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("req_unknown"))
    })
}
