//! What the provider's own tools did, where it is told beside the usage.

use serde_json::Value;

/// Web searches: `OpenAI`'s calls of the tool, Gemini's grounding. Google charges Gemini 2 for the prompt that was grounded,
/// later ones for each query (<https://ai.google.dev/gemini-api/docs/pricing>).
pub(super) fn searches(response: &Value) -> u64 {
    let version = get(response, ["modelVersion", "model_version"]).and_then(Value::as_str);
    let by_prompt = version.is_some_and(|name| name.starts_with("gemini-2") || name.starts_with("gemini-1"));
    let queries = grounding(response);
    calls(response) + if by_prompt { queries.min(1) } else { queries }
}

fn get<'a>(value: &'a Value, names: [&str; 2]) -> Option<&'a Value> {
    names.iter().find_map(|name| value.get(name))
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

/// Calls of `OpenAI`'s tool. Opening a page that was found, and finding something in it, are no searches.
fn calls(response: &Value) -> u64 {
    let is_search = |item: &&Value| {
        item.get("type").and_then(Value::as_str) == Some("web_search_call")
            && item.get("action").and_then(|action| action.get("type")?.as_str()).is_none_or(|kind| kind == "search")
    };
    let output = response.get("output").or_else(|| response.get("response")?.get("output"));
    items(output).filter(is_search).count() as u64
}

/// Queries that Gemini asked Google.
fn grounding(response: &Value) -> u64 {
    let queries = |candidate: &Value| {
        let grounding = get(candidate, ["groundingMetadata", "grounding_metadata"])?;
        get(grounding, ["webSearchQueries", "web_search_queries"])?.as_array().map(Vec::len)
    };
    items(response.get("candidates")).filter_map(queries).sum::<usize>() as u64
}

#[cfg(test)]
mod tests {
    use super::searches;
    use serde_json::json;

    #[test]
    fn searches_are_counted_as_they_are_charged() {
        let openai = json!({"output": [
            {"type": "web_search_call", "action": {"type": "search"}},
            {"type": "web_search_call", "action": {"type": "open_page"}},
            {"type": "web_search_call"},
            {"type": "message"},
        ]});
        assert_eq!(searches(&openai), 2);
        let gemini = |version| json!({"modelVersion": version, "candidates": [{"groundingMetadata": {"webSearchQueries": ["a", "b"]}}]});
        assert_eq!([searches(&gemini("gemini-2.5-flash")), searches(&gemini("gemini-3-pro"))], [1, 2]);
        assert_eq!(searches(&json!({"candidates": [{}], "output": "text"})), 0);
    }
}
