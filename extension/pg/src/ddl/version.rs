//! What is installed.

use crate::sys::varlena;

/// The version of the official extension whose surface this is; proxies compare it to decide which calls exist.
const SURFACE: &str = "0.107.0";

pgfn! {
    /// `documentdb_api.binary_version()`
    fn binary_version(_call) { Ok(varlena(SURFACE.as_bytes())) }
}
pgfn! {
    /// `documentdb_api.binary_extended_version()`: the surface's version first, then what really is behind it.
    fn binary_extended_version(_call) {
        Ok(varlena(format!("{SURFACE} ermine {}", env!("CARGO_PKG_VERSION")).as_bytes()))
    }
}
