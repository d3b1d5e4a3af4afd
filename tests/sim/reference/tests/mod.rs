//! The model does what spec 2 says of the reference: one Sentinel, driven by hand.

mod bench;
mod elections;
mod failovers;
mod watching;
