//! `make run`.
