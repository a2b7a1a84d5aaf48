//! Latency histograms and counters.
