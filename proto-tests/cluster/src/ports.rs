//! Free TCP ports on the loopback interface.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::error::{Error, Result};

/// Below the range the kernel takes ports for outgoing connections from, so that a server which is down for
/// a moment gets its port back.
const RANGE: std::ops::Range<u16> = 15_000..27_000;

/// Ports other programs of this kind listen on, which are never taken from them.
const LEFT_ALONE: [u16; 3] = [5432, 9712, 9713];

/// What this process was given already: a server listens on its port only a while after the port was chosen.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port on 127.0.0.1 on which nobody listens. None is given twice.
pub fn free_port() -> Result<u16> {
    let span = RANGE.end - RANGE.start;
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    let first = (seed / 64 + std::process::id().wrapping_mul(7919)) % u32::from(span);
    (0..u32::from(span))
        .filter_map(|i| u16::try_from((first + i) % u32::from(span)).ok())
        .map(|offset| RANGE.start + offset)
        .filter(|port| !LEFT_ALONE.contains(port))
        .find(|&port| is_free(port) && GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port))
        .ok_or_else(|| {
            Error::new(format!("no free port on 127.0.0.1 between {} and {}", RANGE.start, RANGE.end))
        })
}

/// Whether nobody listens on 127.0.0.1:`port`.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}
