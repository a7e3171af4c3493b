//! The commands against a real primary and a real standby, where a golden case does not do.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
mod abilities;
mod batches;
mod builds;
mod cancels;
mod commands;
mod conflicts;
mod cursors;
mod failover;
mod grants;
mod hashes;
mod hello;
mod limits;
mod login;
mod matrix;
mod operations;
mod own;
mod profile;
mod roles;
mod state;
mod truths;

use std::sync::OnceLock;

use proto_tests::stage::{Options, Stage};

/// Shared by the tests that leave the nodes alone.
fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| Stage::new(&Options::default()))
}
