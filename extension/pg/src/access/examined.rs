//! How many documents readers have looked at, for EXPLAIN. A backend has one thread.

use core::cell::Cell;

thread_local! {
    static TOTAL: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Begins anew.
pub fn reset() {
    TOTAL.set((0, 0));
}

/// Documents that were looked at and that matched, since [`reset`].
pub fn total() -> (u64, u64) {
    TOTAL.get()
}

/// A reader is done with so many.
pub(super) fn add(seen: u64, found: u64) {
    let (all, matched) = TOTAL.get();
    TOTAL.set((all.wrapping_add(seen), matched.wrapping_add(found)));
}
