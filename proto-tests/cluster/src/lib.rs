//! A local PostgreSQL primary and its streaming standby, for `make run`, tests and benchmarks.
