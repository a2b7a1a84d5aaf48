//! The key: sent as the provider wants it, shown nowhere, refused where it cannot be sent.

use crate::raw::*;
use base64::Engine as _;
use headrace::Error;
use headrace::provider::{Authentication, HttpProvider, HttpProviderConfig, Provider, Secret};

/// The key in the forms that servers echo it in.
fn echoes() -> Vec<String> {
    let json = serde_json::to_string(KEY).unwrap();
    let base64 = base64::engine::general_purpose::STANDARD;
    vec![
        KEY.to_owned(),
        format!("Bearer {KEY}"),
        json.trim_matches('"').to_owned(),
        json.trim_matches('"').replace('/', "\\/"),
        KEY.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        base64.encode(KEY),
        base64.encode(format!("user:{KEY}")),
        KEY[3..14].to_owned(),
        KEY.to_uppercase(),
    ]
}

/// That no eight characters of an echo are in what is told.
fn assert_hidden(told: &str, echo: &str) {
    let (told, echo) = (told.to_lowercase(), echo.to_lowercase());
    let secret = echo.trim_start_matches("bearer ");
    for from in 0..secret.len().saturating_sub(7) {
        assert!(!told.contains(&secret[from..from + 8]), "{:?} in {told}", &secret[from..from + 8]);
    }
}

#[tokio::test]
async fn the_key_is_in_no_error_wherever_a_server_echoes_it() {
    for echo in echoes() {
        let inner = serde_json::to_string(&echo).unwrap();
        let inner = inner.trim_matches('"');
        let id = format!("x-request-id: {}\r\nretry-after: {}\r\n", echo.replace('"', "'"), echo.replace('"', "'"));
        let replies = [
            reply(
                401,
                &id,
                format!("{{\"error\":{{\"message\":\"bad key {inner}\",\"code\":\"{inner}\",\"type\":\"{inner}\"}}}}")
                    .as_bytes(),
            ),
            reply(400, &id, echo.as_bytes()),
            reply(500, &id, format!("{}{echo}", " ".repeat(290)).as_bytes()),
            reply(500, &id, format!("{{\"detail\":\"{inner}\"}}").as_bytes()),
            reply(200, &id, echo.as_bytes()),
            reply(200, &id, format!("{{\"error\":{{\"message\":\"{inner}\"}}}}").as_bytes()),
            reply(200, &id, format!("data: {echo}\n\n").as_bytes()),
            reply(200, &id, format!("{TEXT}data: {echo}\n\n").as_bytes()),
            reply(200, &id, format!("{TEXT}event: error\ndata: {echo}\n\n").as_bytes()),
            reply(
                200,
                &id,
                format!("{TEXT}event: {echo}\ndata: {{\"error\":{{\"code\":\"{inner}\"}}}}\n\n").as_bytes(),
            ),
            reply(307, &format!("location: /{echo}\r\n{id}"), b""),
        ];
        for bytes in replies {
            let (url, _) = serve(vec![bytes.clone()]).await;
            let provider = provider(&url);
            let mut errors = vec![];
            if let Err(error) = ask(&provider).await {
                errors.push(error);
            }
            match ask_stream(&provider).await {
                Err(error) => errors.push(error),
                Ok(events) => errors.extend(read_events(events).1.map(Error::from)),
            }
            if let Err(error) = provider.embed("m", &["text".to_owned()]).await {
                errors.push(error);
            }
            assert!(errors.len() >= 2, "{}", String::from_utf8_lossy(&bytes));
            for error in errors {
                assert_hidden(&format!("{error} {error:?}"), &echo);
            }
        }
    }
}

#[tokio::test]
async fn the_key_is_sent_and_shown_nowhere() {
    let (url, asked) = serve(vec![reply(200, "", WHOLE.as_bytes())]).await;
    let mut config = config(&url);
    config.headers =
        vec![("X-Team-Token".into(), Secret::new("tt-99xyz-4711")), ("OpenAI-Project".into(), Secret::new("proj_1"))];
    let provider = HttpProvider::new(config).unwrap();
    ask(&provider).await.unwrap();
    let request = asked.lock()[0].clone();
    assert!(request.contains(&format!("authorization: Bearer {KEY}")), "{request}");
    assert!(request.contains("x-team-token: tt-99xyz-4711") && request.contains("openai-project: proj_1"), "{request}");
    let shown = format!("{provider:?} {:?}", provider.config());
    assert_hidden(&shown, KEY);
    assert_hidden(&shown, "tt-99xyz-4711");
    // A header of the caller's is a secret too.
    let (url, _) = serve(vec![reply(400, "", b"what is tt-99xyz-4711?")]).await;
    let mut config = HttpProviderConfig::new("raw", &url, None);
    config.headers = vec![("X-Team-Token".into(), Secret::new("tt-99xyz-4711"))];
    assert_hidden(&provider_error(ask(&HttpProvider::new(config).unwrap()).await).message, "tt-99xyz-4711");
}

#[tokio::test]
async fn the_key_is_sent_the_way_the_provider_wants_it() {
    let (url, asked) = serve(vec![reply(200, "", WHOLE.as_bytes())]).await;
    let config = HttpProviderConfig { authentication: Authentication::Header("X-Api-Key".into()), ..config(&url) };
    ask(&HttpProvider::new(config).unwrap()).await.unwrap();
    let request = asked.lock()[0].clone();
    assert!(request.contains(&format!("x-api-key: {KEY}")) && !request.contains("authorization"), "{request}");
    // The caller's header goes before the provider's own.
    let mut config = self::config(&url);
    config.headers = vec![("Authorization".into(), Secret::new("Basic dXNlcjpwYXNz"))];
    ask(&HttpProvider::new(config).unwrap()).await.unwrap();
    let request = asked.lock()[1].clone();
    assert!(request.contains("authorization: Basic dXNlcjpwYXNz") && !request.contains("Bearer"), "{request}");
}

#[test]
fn what_cannot_be_sent_is_refused_at_once_and_not_shown() {
    let url = "http://127.0.0.1:9/v1";
    let with_key = |key: &str| HttpProviderConfig::new("raw", url, Some(key));
    let with_header = |name: &str, value: &str| HttpProviderConfig {
        headers: vec![(name.to_owned(), Secret::new(value))],
        ..HttpProviderConfig::new("raw", url, None)
    };
    let refused = [
        with_key("sk-canary-one\nsk-canary-two"),
        with_key("sk-canary-one\r\nx-header: sk-canary-two"),
        with_key("sk-canary\u{0}one"),
        with_key("sk-canary\tone"),
        with_key("sk-canary\u{e9}one"),
        with_key("sk-canary\u{2028}one"),
        with_header("x-token", "sk-canary\none"),
        with_header("x token", "sk-canary"),
        with_header("", "sk-canary"),
        with_header("Content-Length", "3"),
        with_header("Transfer-Encoding", "chunked"),
        HttpProviderConfig::new("raw", "https://user:sk-canary@host/v1", None),
        HttpProviderConfig::new("raw", "https://sk-canary@host/v1", None),
        HttpProviderConfig::new("raw", "https://host/v1?key=sk-canary", None),
        HttpProviderConfig::new("raw", "https://host/v1?api_key=sk-canary", None),
        HttpProviderConfig::new("raw", "https://host/v1?access_token=sk-canary", None),
        HttpProviderConfig::new("raw", "https://host/v1#sk-canary", None),
        HttpProviderConfig::new("raw", "user:sk-canary@host/v1", None),
        HttpProviderConfig::new("raw", "sk-canary@host", None),
        HttpProviderConfig::new("raw", "host?key=sk-canary", None),
        HttpProviderConfig::new("raw", "sk-canary-12345", Some("sk-canary-12345")),
        HttpProviderConfig::new("raw", "ftp://host/v1", None),
        HttpProviderConfig::new("raw", "", None),
    ];
    for config in refused {
        let error = HttpProvider::new(config).unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{error:?}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    // Blanks around a key are cut: a file ends with a line break.
    HttpProvider::new(with_key("  sk-canary\n")).unwrap();
}

#[tokio::test]
async fn a_query_of_the_address_is_kept_and_not_shown() {
    let (url, asked) = serve(vec![reply(400, "", b"no")]).await;
    let provider = HttpProvider::new(config(&format!("{url}?api-version=2026-01-01&x=sk-other-9876"))).unwrap();
    let error = provider_error(ask(&provider).await);
    assert!(asked.lock()[0].starts_with("POST /v1/chat/completions?api-version=2026-01-01&x=sk-other-9876 "));
    assert_hidden(&format!("{error} {} {provider:?}", provider.base_url()), "sk-other-9876");
}
