//! The request queue.
