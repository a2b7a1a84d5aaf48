//! The cost tracker.
