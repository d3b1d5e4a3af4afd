//! sentineld.
