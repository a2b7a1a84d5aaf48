//! The line of a request, composed.
