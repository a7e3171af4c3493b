//! Wire-level tests against the real proxy.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on ends")]
pub mod case;
pub mod client;
pub mod forwarder;
pub mod proxy;
pub mod raw;
pub mod stage;

use std::time::{Duration, Instant};

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for a condition, looking again and again; fails with its name when it does not come true.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
