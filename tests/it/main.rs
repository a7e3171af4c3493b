//! Tests that need more than one module, or the program from outside.
mod config;
mod layering;
mod wire;
