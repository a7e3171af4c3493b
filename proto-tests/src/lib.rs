//! Wire-level tests against the real proxy.
