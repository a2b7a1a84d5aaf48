//! How far a lookup looks where a verifier reads: the figures to change when a verifier is measured.

/// The most entries that are read for one question: the right one is among the five nearest in 97 of 100 cases.
pub const MOST_READ: usize = 6;
/// How much less similar than the first that the facts let pass an entry may be and still be read.
pub const RIVAL_MARGIN: f32 = 0.4;
/// The most entries whose facts are compared for one question.
pub const MOST_COMPARED: usize = 1_000;
/// How far below the threshold that an embedder recommends for the guards alone an entry is still a candidate: the
/// verifier tells more of them apart.
pub const THRESHOLD_DROP: f64 = 0.15;
/// The least similarity of a candidate where a verifier reads and the embedder recommends none.
pub const THRESHOLD: f64 = 0.6;
/// From this probability on, what a verifier without bounds of its own says is same.
pub const SAME_AT: f32 = 0.9;
/// Down from this probability on it is different.
pub const DIFFERENT_AT: f32 = 0.1;
/// Above this probability a pair of which a verifier is unsure serves where the guards let it pass by its wording too: two
/// judges that know different things.
pub const SAME_BY_WORDING: f32 = 0.72;
