//! Stopping in the middle of one document: an expression or a filter may take minutes over it.
//!
//! Loops whose number of turns a client decides call [`check`] in each turn. What it does is up to the host: in
//! PostgreSQL a cancel or a statement timeout then leaves the loop by unwinding. Without a host it does nothing.

use std::sync::OnceLock;

static CHECK: OnceLock<fn()> = OnceLock::new();

/// Sets what [`check`] calls, once per process. It must be cheap, and may unwind.
pub fn install(check: fn()) {
    // A second call has nothing to say.
    let _ = CHECK.set(check);
}

/// Gives the host its chance to stop.
#[inline]
pub fn check() {
    if let Some(check) = CHECK.get() {
        check();
    }
}
