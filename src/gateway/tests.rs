//! The routes, called in the process.

use super::*;
use crate::cache::{CacheConfig, SemanticCache};
use crate::client::ClientConfig;
use crate::cost::CostTracker;
use crate::cost::budget::Period;
use crate::cost::price::PriceTable;
use crate::provider::RetryPolicy;
use crate::provider::simulated::{FaultPlan, Simulated, SimulatedConfig};
use crate::queue::{Priority, QueueConfig, RequestQueue};
use serde_json::{Value, json};

fn client_of(faults: Value) -> Client {
    let config = SimulatedConfig {
        time_to_first_token: Duration::ZERO,
        tokens_per_second: 0.0,
        faults: serde_json::from_value::<FaultPlan>(faults).unwrap(),
        ..SimulatedConfig::default()
    };
    let queue = RequestQueue::open("memory://", QueueConfig::default()).unwrap();
    let costs = CostTracker::open("memory://", PriceTable::builtin()).unwrap();
    Client::new(ClientConfig {
        cache: Some(SemanticCache::open(CacheConfig::default()).unwrap()),
        retry: RetryPolicy { max_attempts: 1, ..RetryPolicy::default() },
        ..ClientConfig::new(vec![Arc::new(Simulated::new(config))], queue, costs)
    })
    .unwrap()
}

fn open() -> Gateway {
    Gateway::new(client_of(json!({})), GatewayConfig::default())
}

struct Told {
    status: u16,
    headers: std::collections::HashMap<String, String>,
    text: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

async fn ask(gateway: &Gateway, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Told {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    let mut exchange = gateway.in_process().exchange(method, path, headers, body.into()).await.unwrap();
    let told = exchange.headers().into_iter().map(|(name, value)| (name, String::from_utf8(value).unwrap()));
    let headers = told.collect();
    let mut text = Vec::new();
    while let Some(piece) = exchange.next().await.unwrap() {
        text.extend_from_slice(&piece);
    }
    Told { status: exchange.status(), headers, text: String::from_utf8(text).unwrap() }
}

async fn post(gateway: &Gateway, path: &str, headers: &[(&str, &str)], body: Value) -> Told {
    ask(gateway, "POST", path, headers, body.to_string()).await
}

fn question(words: &str) -> Value {
    json!({"model": "simulated/echo", "messages": [{"role": "user", "content": words}], "max_tokens": 50})
}

#[tokio::test]
async fn each_protocol_is_answered_in_its_own_words() {
    let gateway = open();
    let told = post(&gateway, "/v1/chat/completions", &[], question("Which scope is travel?")).await;
    assert_eq!((told.status, &*told.headers["x-headrace-cache"]), (200, "miss"));
    assert_eq!(told.json()["choices"][0]["message"]["content"], "Which scope is travel?");
    assert_eq!(told.headers["x-headrace-provider"], "simulated");
    assert!(told.headers["x-request-id"].starts_with("req_"));
    let again = post(&gateway, "/v1/messages", &[], question("Which scope is travel?")).await;
    assert_eq!((again.status, &*again.headers["x-headrace-attempts"]), (200, "0"));
    assert_eq!(again.headers["x-headrace-cache"], "exact");
    assert_eq!(again.json()["content"][0]["text"], "Which scope is travel?");
    let counted = post(&gateway, "/v1/messages/count_tokens", &[], question("Which scope is travel?")).await;
    assert!(counted.json()["input_tokens"].as_u64().unwrap() > 3);
}

#[tokio::test]
async fn a_stream_tells_its_cost_at_its_end() {
    let gateway = open();
    let mut body = question("Which scope is heat?");
    body["stream"] = true.into();
    body["stream_options"] = json!({"include_usage": true});
    for _ in 0..2 {
        let told = post(&gateway, "/v1/chat/completions", &[], body.clone()).await;
        assert_eq!(told.headers["content-type"], "text/event-stream; charset=utf-8");
        let events: Vec<&str> = told.text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        assert_eq!(events.last(), Some(&"[DONE]"));
        let last: Value = serde_json::from_str(events[events.len() - 2]).unwrap();
        assert!(last["usage"]["cost"].is_number(), "{last}");
        let said = events[..events.len() - 1].iter().map(|event| serde_json::from_str::<Value>(event).unwrap());
        let said: String =
            said.filter_map(|e| e["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect();
        assert_eq!(said, "Which scope is heat?");
    }
    let told = post(&gateway, "/v1/messages", &[], body).await;
    assert!(told.text.contains("event: message_stop") && told.text.contains("\"cost\":"));
}

#[tokio::test]
async fn errors_come_in_the_shape_of_the_protocol() {
    let gateway = open();
    let unknown = json!({"model": "nosuch/model", "messages": [{"role": "user", "content": "?"}], "max_tokens": 5});
    for (body, status, code, kind) in [
        (unknown.to_string(), 404, "model_not_found", "not_found_error"),
        (json!({"model": "simulated/echo", "messages": []}).to_string(), 400, "invalid_value", "invalid_request_error"),
        ("{\"model\": ".into(), 400, "invalid_json", "invalid_request_error"),
    ] {
        let told = ask(&gateway, "POST", "/v1/chat/completions", &[], body.clone()).await;
        assert_eq!((told.status, told.json()["error"]["code"].as_str()), (status, Some(code)), "{body}");
        let told = ask(&gateway, "POST", "/v1/messages", &[], body).await;
        assert_eq!((told.status, told.json()["error"]["type"].as_str()), (status, Some(kind)));
    }
    assert_eq!(ask(&gateway, "GET", "/v1/nowhere", &[], "").await.status, 404);
    assert_eq!(ask(&gateway, "GET", "/v1/embeddings", &[], "").await.status, 405);
    let priority = [("x-headrace-priority", "urgent")];
    let told = post(&gateway, "/v1/chat/completions", &priority, question("?")).await;
    assert_eq!(told.status, 400);
}

#[tokio::test]
async fn a_providers_failure_is_no_fault_of_the_callers() {
    for (fault, status) in [("rate_limit", 429), ("server_error", 502), ("unavailable", 503), ("reset", 502)] {
        let gateway = Gateway::new(client_of(json!({"rates": [[fault, 1.0]]})), GatewayConfig::default());
        let told = post(&gateway, "/v1/chat/completions", &[], question("?")).await;
        assert_eq!(told.status, status, "{fault}: {}", told.text);
        assert_eq!(told.headers.contains_key("retry-after"), status == 429, "{fault}");
    }
}

#[tokio::test]
async fn a_failure_in_a_stream_is_its_last_event() {
    let gateway = Gateway::new(client_of(json!({"rates": [["stream_error", 1.0]]})), GatewayConfig::default());
    let mut body = question("Which scope is the supply of heat, in detail, with all of its parts and their sources?");
    body["stream"] = true.into();
    let told = post(&gateway, "/v1/chat/completions", &[], body.clone()).await;
    let told_there = post(&gateway, "/v1/messages", &[], body).await;
    assert!(told.status == 502 || (told.text.contains("\"error\"") && !told.text.contains("[DONE]")), "{}", told.text);
    assert!(told_there.status == 502 || told_there.text.contains("event: error"), "{}", told_there.text);
}

#[tokio::test]
async fn bodies_are_bounded_in_size() {
    let config = GatewayConfig { max_body_bytes: 200, ..GatewayConfig::default() };
    let gateway = Gateway::new(client_of(json!({})), config);
    assert_eq!(post(&gateway, "/v1/chat/completions", &[], question("?")).await.status, 200);
    let told = post(&gateway, "/v1/chat/completions", &[], question(&"long ".repeat(100))).await;
    assert_eq!((told.status, told.json()["error"]["code"].as_str()), (413, Some("request_too_large")));
}

#[tokio::test]
async fn embeddings_are_numbers_or_their_bytes() {
    let gateway = open();
    let ask = |format: &str| json!({"model": "simulated/embedding", "input": ["a", "b"], "encoding_format": format});
    let floats = post(&gateway, "/v1/embeddings", &[], ask("float")).await.json();
    let bytes = post(&gateway, "/v1/embeddings", &[], ask("base64")).await.json();
    let numbers: Vec<f32> = serde_json::from_value(floats["data"][1]["embedding"].clone()).unwrap();
    let text = bytes["data"][1]["embedding"].as_str().unwrap();
    let read = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap();
    let read: Vec<f32> = read.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    assert_eq!(numbers, read);
    for wrong in [json!({"input": "a"}), json!({"model": "simulated/embedding", "input": [1, 2]})] {
        assert_eq!(post(&gateway, "/v1/embeddings", &[], wrong).await.status, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_bounds_what_its_holder_may_do() {
    let folder = tempfile::tempdir().unwrap();
    let ring = Arc::new(KeyRing::open(&format!("sqlite:///{}", folder.path().join("keys.db").display())).unwrap());
    let terms = KeyTerms {
        models: vec!["simulated/echo".into()],
        budget: Some(("1".parse().unwrap(), Period::Day)),
        requests_per_minute: Some(2),
        priority: Priority::Normal,
        ..KeyTerms::of("reporting")
    };
    let (kept, key) = ring.create(terms).unwrap();
    let (_, admin) = ring.create(KeyTerms { is_admin: true, ..KeyTerms::of("ops") }).unwrap();
    let config = GatewayConfig { keys: Some(Arc::clone(&ring)), ..GatewayConfig::default() };
    let gateway = Gateway::new(client_of(json!({})), config);
    let bearer = format!("Bearer {key}");
    let mine =
        [("authorization", &*bearer), ("x-headrace-priority", "critical"), ("x-headrace-tags", "csrd, key=forged")];

    let wrong = format!("Bearer hr_{}_wrong", kept.id);
    for headers in [vec![], vec![("authorization", &*wrong)], vec![("x-api-key", "sk-other")]] {
        let told = post(&gateway, "/v1/chat/completions", &headers, question("?")).await;
        assert_eq!((told.status, told.json()["error"]["code"].as_str()), (401, Some("invalid_api_key")));
        let told = post(&gateway, "/v1/messages", &headers, question("?")).await;
        assert_eq!(told.json()["error"]["type"], "authentication_error");
    }
    assert_eq!(ask(&gateway, "GET", "/healthz", &[], "").await.status, 200);

    assert_eq!(post(&gateway, "/v1/chat/completions", &mine, question("one")).await.status, 200);
    let record = gateway.client().costs().records(&crate::cost::Filter::default(), None, true).await.unwrap().remove(0);
    assert_eq!(record.attribution.tenant(), "reporting");
    assert_eq!(record.attribution.tags(), ["csrd".to_owned(), format!("key={}", kept.id)]);
    let other = json!({"model": "simulated/esg", "messages": [{"role": "user", "content": "?"}]});
    let told = post(&gateway, "/v1/chat/completions", &mine, other).await;
    assert_eq!((told.status, told.json()["error"]["code"].as_str()), (403, Some("model_not_allowed")));
    let listed = ask(&gateway, "GET", "/v1/models", &mine, "").await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert_eq!(ask(&gateway, "GET", "/v1/headrace/queue", &mine, "").await.status, 403);
    assert_eq!(ask(&gateway, "GET", "/metrics", &mine, "").await.status, 403);
    let spent = ask(&gateway, "GET", "/v1/headrace/costs", &mine, "").await.json();
    assert_eq!(spent["by"][0]["tenant"], "reporting");
    let all = [("x-api-key", &*admin)];
    let spent = ask(&gateway, "GET", "/v1/headrace/costs", &all, "").await.json();
    assert_eq!(spent["budgets"][0]["tag"], format!("key={}", kept.id));
    assert!(ask(&gateway, "GET", "/metrics", &all, "").await.text.contains("# TYPE headrace_cost_usd_total counter"));

    assert_eq!(post(&gateway, "/v1/chat/completions", &mine, question("two")).await.status, 200);
    let told = post(&gateway, "/v1/chat/completions", &mine, question("three")).await;
    assert_eq!(told.status, 429);
    assert!(told.headers["retry-after"].parse::<u64>().unwrap() >= 1);

    assert!(ring.revoke(&kept.id).unwrap() && !ring.revoke(&kept.id).unwrap());
    assert_eq!(post(&gateway, "/v1/chat/completions", &mine, question("four")).await.status, 401);
}

#[tokio::test]
async fn an_overview_tells_of_queue_cache_calls_and_spend() {
    let gateway = open();
    for _ in 0..2 {
        post(&gateway, "/v1/chat/completions", &[("x-headrace-tenant", "acme")], question("Which scope is heat?"))
            .await;
    }
    let told = ask(&gateway, "GET", "/v1/headrace/overview", &[], "").await.json();
    assert_eq!(told["costs"]["by"][0]["tenant"], "acme");
    assert_eq!(told["metrics"]["calls"].as_array().map(Vec::len), Some(2));
    assert_eq!((&told["cache"]["exact_hits"], &told["queue"]["by_priority"]["low"]), (&json!(1), &json!(0)));
    assert!(told["carbon"]["co2e_g"].is_number());
    let scrape = ask(&gateway, "GET", "/metrics", &[], "").await.text;
    assert!(scrape.contains("headrace_ledger_calls_total{tenant=\"acme\"} 2"), "{scrape}");
    let families: Vec<_> = scrape.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let distinct: std::collections::HashSet<_> = families.iter().collect();
    assert_eq!(distinct.len(), families.len());
}

#[tokio::test]
async fn a_place_that_others_reach_needs_keys() {
    let everywhere = ListenConfig { host: "0.0.0.0".into(), ..ListenConfig::default() };
    let refused = listen(open(), everywhere).await.unwrap_err();
    assert!(refused.to_string().contains("give keys"), "{refused}");
}
