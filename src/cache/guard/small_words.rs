//! Small words of English, by what they do.

pub(super) const ARTICLES: [&str; 3] = ["a", "an", "the"];
/// Verbs that help others, and open a question for a yes or a no.
pub(super) const HELPS: [&str; 14] =
    ["is", "are", "was", "were", "do", "does", "did", "has", "have", "had", "will", "can", "could", "should"];
/// Forms of "to be" that a passive has.
pub(super) const IS: [&str; 6] = ["is", "are", "was", "were", "been", "be"];
pub(super) const ASKS: [&str; 9] = ["what", "which", "who", "whom", "whose", "when", "where", "why", "how"];
