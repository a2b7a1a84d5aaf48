//! The semantic cache.
