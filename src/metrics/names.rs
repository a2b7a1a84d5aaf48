//! The names of providers in OpenTelemetry's conventions, where they differ from ours.

/// Our name, and theirs.
const NAMES: [(&str, &str); 6] = [
    ("azure", "azure.ai.openai"),
    ("bedrock", "aws.bedrock"),
    ("gemini", "gcp.gemini"),
    ("mistral", "mistral_ai"),
    ("vertex", "gcp.vertex_ai"),
    ("xai", "x_ai"),
];

/// A provider's name in the conventions; one that they do not list keeps its own.
pub(super) fn provider_name(ours: &str) -> &str {
    NAMES.iter().find(|(name, _)| *name == ours).map_or(ours, |(_, theirs)| theirs)
}
