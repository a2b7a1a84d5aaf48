//! Names by which some providers' interfaces call a model: its place in a tree of resources.

/// LiteLLM's names of a provider's interfaces.
const ROUTES: [(&str, &str); 4] =
    [("bedrock", "converse/"), ("bedrock", "invoke/"), ("openai", "responses/"), ("azure", "responses/")];

/// The name without the path around it: a route of LiteLLM's, `models/x` of Gemini's interface, `publishers/google/models/x` of Vertex AI, and the
/// foundation models and inference profiles of Bedrock's ARNs. `None` where it is no such name.
///
/// Application inference profiles have names of their owner's choice, which say nothing of the model.
pub(super) fn plain(name: &str) -> Option<String> {
    let (provider, path) = match name.split_once('/') {
        Some((provider, path)) if ROUTES.iter().any(|(place, route)| *place == provider && path.starts_with(route)) => {
            return path.split_once('/').map(|(_, model)| format!("{provider}/{model}"));
        }
        Some((provider, path)) if path.starts_with("models/") || path.starts_with("publishers/") => (provider, path),
        Some((provider, path)) if path.starts_with("arn:") => (provider, path),
        _ if name.starts_with("arn:") => ("bedrock", name),
        _ if name.starts_with("models/") => ("gemini", name),
        _ if name.starts_with("publishers/") || name.starts_with("projects/") => ("vertex_ai", name),
        _ => return None,
    };
    if path.starts_with("arn:") {
        let resource = path.splitn(6, ':').nth(5)?;
        let model =
            resource.strip_prefix("foundation-model/").or_else(|| resource.strip_prefix("inference-profile/"))?;
        return Some(format!("{provider}/{model}"));
    }
    let (_, model) = path.rsplit_once("models/")?;
    (!model.is_empty()).then(|| format!("{provider}/{model}"))
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn the_path_around_a_model_is_taken_off() {
        for (name, expected) in [
            ("models/gemini-2.5-pro", Some("gemini/gemini-2.5-pro")),
            ("google/models/gemini-2.5-pro", Some("google/gemini-2.5-pro")),
            ("publishers/google/models/gemini-2.5-pro", Some("vertex_ai/gemini-2.5-pro")),
            ("projects/p/locations/l/publishers/google/models/gemini-2.5-pro", Some("vertex_ai/gemini-2.5-pro")),
            ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", Some("bedrock/amazon.nova-pro-v1:0")),
            ("bedrock/arn:aws:bedrock:us-east-1:1:inference-profile/us.x", Some("bedrock/us.x")),
            ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", None),
            ("bedrock/converse/us.x", Some("bedrock/us.x")),
            ("openai/responses/gpt-4o", Some("openai/gpt-4o")),
            ("openai/gpt-4o", None),
            ("models/", None),
            ("arn:", None),
        ] {
            assert_eq!(plain(name).as_deref(), expected, "{name}");
        }
    }
}
