//! Properties that hold for every input, checked on the inputs that fuzzing found worth keeping.
//!
//! `scripts/fuzz` runs the same properties under libFuzzer to find more (docs/FUZZING.md). `FUZZ_TARGET=<target>
//! FUZZ_INPUT=<file> cargo test --test fuzz` tries one file.

mod properties;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Panics if an input breaks the property.
type Check = fn(&[u8]);

/// Every target with its property.
const TARGETS: [(&str, Check); 6] = [
    ("frame", properties::frame::check),
    ("inline", properties::inline::check),
    ("info", properties::info::check),
    ("hello", properties::hello::check),
    ("config_document", properties::config_document::check),
    ("acl_rule", properties::acl_rule::check),
];

/// The inputs kept for a target, by name.
fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable entry").path()).collect();
    paths.sort();
    paths
}

/// Tries every file, and tells at the end which ones break the property.
fn try_all(check: Check, paths: &[PathBuf]) {
    let broken: Vec<String> = paths
        .iter()
        .filter(|path| {
            let input = fs::read(path).expect("a readable input");
            catch_unwind(AssertUnwindSafe(|| check(&input))).is_err()
        })
        .map(|path| path.display().to_string())
        .collect();
    assert!(broken.is_empty(), "broken by\n{}", broken.join("\n"));
}

/// Replays a target's corpus, which must be there and small enough for the repository.
fn replay(target: &str) {
    let (_, check) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target");
    let paths = corpus(target);
    let bytes: u64 = paths.iter().map(|path| fs::metadata(path).expect("a readable file").len()).sum();
    assert!((10..300).contains(&paths.len()), "{target}: {} inputs", paths.len());
    assert!(bytes < 1 << 20, "{target}: {bytes} bytes");
    try_all(*check, &paths);
}

#[test]
fn frame() {
    replay("frame");
}

#[test]
fn inline() {
    replay("inline");
}

#[test]
fn info() {
    replay("info");
}

#[test]
fn hello() {
    replay("hello");
}

#[test]
fn config_document() {
    replay("config_document");
}

#[test]
fn acl_rule() {
    replay("acl_rule");
}

#[test]
fn one_input_of_your_choice() {
    let Some(path) = std::env::var_os("FUZZ_INPUT") else { return };
    let target = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let chosen: Vec<_> = TARGETS.iter().filter(|(name, _)| target.is_empty() || *name == target).collect();
    assert!(!chosen.is_empty(), "no target {target}");
    for (_, check) in chosen {
        try_all(*check, &[PathBuf::from(&path)]);
    }
}
