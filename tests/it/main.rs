//! Tests that need more than one module, or the program from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests are tests")]
mod config;
mod layering;
mod readme;
mod stop;
mod wire;
