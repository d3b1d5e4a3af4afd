//! What must hold for every input, one file a target. Each `check` panics if it does not.
//!
//! The fuzz targets in fuzz/targets and the replay in tests/fuzz share this folder, so it must build in both packages.

pub mod acl_rule;
pub mod config_document;
pub mod frame;
pub mod hello;
pub mod info;
pub mod inline;
mod machine;
mod pieces;
mod stand;
