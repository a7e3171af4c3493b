//! Document semantics in pure Rust: no PostgreSQL here.
