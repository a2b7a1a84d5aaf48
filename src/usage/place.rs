//! Where in a reply its usage stands, and the terms on which it was served.

use super::ServiceTier;
use serde_json::Value;

/// Where the usage is: at the top, or inside what an event of a stream carries.
pub(super) fn block(response: &Value) -> Option<&Value> {
    let direct = ["usage", "usageMetadata", "usage_metadata"].iter().find_map(|key| response.get(key));
    let inside = ["message", "response", "metadata", "data", "body", "result", "x_groq"];
    let nested = || inside.iter().find_map(|key| block(response.get(key)?));
    direct.filter(|usage| usage.as_object().is_some_and(|fields| !fields.is_empty())).or_else(nested)
}

/// The terms that the provider says it served on; a name that is not known is the standard.
pub(super) fn tier(block: &Value, response: &Value) -> Option<ServiceTier> {
    let places = [Some(block), Some(response), response.get("response"), response.get("message")];
    let name = places.into_iter().flatten().find_map(told_tier)?;
    ServiceTier::parse(&name).ok().flatten()
}

/// `OpenAI` and Anthropic name a tier, Bedrock an object with its type, Gemini the type of the traffic.
pub(super) fn told_tier(place: &Value) -> Option<String> {
    // Anthropic's fast mode stands beside the tier, and has prices of its own.
    if place.get("speed").and_then(Value::as_str) == Some("fast") {
        return Some("fast".into());
    }
    let given = ["service_tier", "serviceTier", "trafficType", "traffic_type"].iter().find_map(|key| place.get(key))?;
    let name = given.as_str().or_else(|| given.get("type")?.as_str())?;
    // An SDK's enum may come with its class in front.
    let name = name.rsplit('.').next().unwrap_or(name);
    Some(name.strip_prefix("ON_DEMAND_").unwrap_or(name).to_lowercase())
}
