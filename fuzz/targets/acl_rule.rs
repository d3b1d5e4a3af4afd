//! Fuzz target: see tests/fuzz/properties/acl_rule.rs.

#![no_main]

#[path = "../../tests/fuzz/properties/mod.rs"]
#[allow(dead_code)] // This target needs one of them.
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::acl_rule::check(input));
