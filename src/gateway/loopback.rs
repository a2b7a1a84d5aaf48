//! An endpoint without keys is for programs of this machine: what a web page makes a browser send is refused.

use super::refusal::Refusal;
use super::routes::protocol_of;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use std::net::IpAddr;

/// Refuses a request that names another host, as a page does whose name was rebound to this machine, or that comes from
/// a page of another.
pub(super) async fn only_local(request: Request, next: Next) -> Response {
    if is_local(request.headers()) {
        return next.run(request).await;
    }
    let message = "this endpoint has no keys and serves this machine alone: ask it at its own address, or give it keys";
    Refusal::new(StatusCode::FORBIDDEN, "not_local", message).into_response(protocol_of(request.uri().path()))
}

fn is_local(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.to_str().unwrap_or_default());
    let origin = text(header::ORIGIN).map(|origin| origin.split_once("://").map_or("", |(_, host)| host));
    [text(header::HOST), origin].into_iter().flatten().all(is_local_name)
}

/// A host with or without its port.
fn is_local_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_local_name;

    #[test]
    fn names_of_this_machine_are_told_from_others() {
        for host in ["localhost", "LocalHost:80", "127.0.0.1:8080", "127.9.9.9", "[::1]:9", "[::1]"] {
            assert!(is_local_name(host), "{host}");
        }
        for host in
            ["", "evil.example", "127.0.0.1.evil.example:80", "localhost.evil", "10.0.0.1", "[fe80::1]:80", "null"]
        {
            assert!(!is_local_name(host), "{host}");
        }
    }
}
