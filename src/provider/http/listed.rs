//! The models that a provider lists, in whatever shape it does.

use super::{HttpProvider, answered};
use crate::Result;
use crate::wire::{Protocol, ToldError, anthropic, gemini, json};
use serde_json::Value;

/// The most models that are taken from a list, and the longest name of one.
const MOST: usize = 5_000;
const LONGEST: usize = 256;
/// What stands before the names of Gemini's list, and not before the names that are asked.
const PREFIX: &str = "models/";

impl HttpProvider {
    /// Asks for the list; None where every model has an address of its own, and there is none.
    pub(super) async fn list(&self) -> Result<Option<Vec<String>>> {
        if self.config.quirks.path_prefix.contains("{model}") {
            return Ok(None);
        }
        let url = self.address("", path(self.config.protocol));
        let client = self.connections.client(&self.config)?;
        let asked = answered(&self.failures, self.config.protocol, client.get(url)).await;
        let reply = asked.map_err(|(error, ..)| error)?;
        let headers = reply.headers().clone();
        let body = self.body(reply).await?;
        let names = json::parse(&body).ok().as_ref().and_then(names);
        let malformed = || self.failures.told(&ToldError::malformed(&String::from_utf8_lossy(&body)), &headers);
        names.map(Some).ok_or_else(|| malformed().into())
    }
}

/// Where a protocol lists models, as many at once as it gives.
fn path(protocol: &dyn Protocol) -> &'static str {
    match protocol.name() {
        name if name == anthropic::PROTOCOL.name() => "/models?limit=1000",
        name if name == gemini::PROTOCOL.name() => "/models?pageSize=1000",
        _ => "/models",
    }
}

/// `{"data": [{"id"}]}` of OpenAI and Anthropic, `{"models": [{"name"}]}` of Gemini, or a list alone.
fn names(body: &Value) -> Option<Vec<String>> {
    let rows = body.get("data").or_else(|| body.get("models")).unwrap_or(body).as_array()?;
    let name = |row: &Value| {
        let name = row.get("id").or_else(|| row.get("name"))?.as_str()?;
        let name = name.strip_prefix(PREFIX).unwrap_or(name);
        let is_plain = !name.is_empty() && name.len() <= LONGEST && !name.contains(char::is_control);
        is_plain.then(|| name.to_owned())
    };
    Some(rows.iter().filter_map(name).take(MOST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_shape_is_read_and_what_is_no_name_left_out() {
        let of = |body: Value| names(&body);
        let two = Some(vec!["a".to_owned(), "b/c".to_owned()]);
        assert_eq!(of(json!({"object": "list", "data": [{"id": "a"}, {"id": "b/c"}]})), two);
        assert_eq!(of(json!([{"id": "a"}, {"id": "b/c", "name": "B"}])), two);
        assert_eq!(of(json!({"models": [{"name": "models/a"}, {"name": "b/c"}]})), two);
        assert_eq!(
            of(json!({"data": [{"id": ""}, {"id": 3}, "a", {"id": "x\ny"}, {"id": "x".repeat(300)}]})),
            Some(vec![])
        );
        assert_eq!(of(json!({"data": "none"})), None);
        assert_eq!(of(json!({"error": "no such path"})), None);
        assert_eq!(of(json!({"data": vec![json!({"id": "a"}); MOST + 1]})).map(|names| names.len()), Some(MOST));
    }
}
