//! Access control: users, their rules, and the check of a command against them (spec 1 §4.4, spec 3 §3.5.9). Pure.
