//! Seeds that once found something: name, seed, and what it was. They are run for ever.
//!
//! A seed means the same run only as long as the simulator draws the same numbers in the same order; a change of the simulator makes
//! it just another seed. What it found belongs into a scenario as well.

pub const REGRESSIONS: &[(&str, u64, &str)] = &[];
