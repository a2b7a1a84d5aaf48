//! A request without a socket: the routes, called in the process.

use super::Gateway;
use crate::{Error, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};
use axum::response::Response;
use http_body_util::BodyExt;
use tower::ServiceExt;

/// The routes, without a socket.
#[derive(Debug, Clone)]
pub struct InProcess {
    router: Router,
}

/// A reply, whose body comes piece by piece. Dropped before its end, the call is cancelled.
pub struct Exchange {
    response: Response,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Gateway {
    /// The routes, to be called in the process.
    #[must_use]
    pub fn in_process(&self) -> InProcess {
        InProcess { router: self.router() }
    }
}

impl InProcess {
    /// Answers a request of this process's; of `uri`, the path counts.
    ///
    /// # Errors
    /// `InvalidArgument` where the method, the path or a header is none.
    pub async fn exchange(
        &self,
        method: &str,
        uri: &str,
        headers: impl IntoIterator<Item = (String, Vec<u8>)>,
        body: impl Into<Bytes>,
    ) -> Result<Exchange> {
        let wrong = |what: &str| Error::invalid(format!("{what} cannot stand in an HTTP request: give another"));
        let mut request = Request::new(Body::from(body.into()));
        *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| wrong("the method"))?;
        *request.uri_mut() = uri.parse::<Uri>().map_err(|_| wrong("the path"))?;
        for (name, value) in headers {
            let name = HeaderName::try_from(name).map_err(|_| wrong("a header's name"))?;
            let value = HeaderValue::try_from(value).map_err(|_| wrong("a header's value"))?;
            request.headers_mut().append(name, value);
        }
        let response = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        Ok(Exchange { response })
    }
}

impl Exchange {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The headers, in their order.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, Vec<u8>)> {
        let headers = self.response.headers().iter();
        headers.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
    }

    /// The next piece of the body; None after the last one.
    ///
    /// # Errors
    /// `Store` where the body broke off.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        while let Some(frame) = self.response.body_mut().frame().await {
            let frame = frame.map_err(|error| Error::Store(format!("the reply broke off: {error}")))?;
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}
