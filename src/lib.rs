//! Ermine: a server that speaks the MongoDB wire protocol and keeps its data in PostgreSQL, through the
//! `documentdb_api` SQL functions.
//!
//! The path of a request is one way in and one way out:
//!
//! ```text
//! socket ─ server/codec ─► Frame ─ command/request ─► Request
//!    Request ─ route/plan ─► Pick
//!    Pick    ─ command ─► Reply     or     ─ pool checkout ─► sql/run ─► rows ─► Reply
//!    Reply ─ server/codec ─► socket
//! ```
//!
//! Use arrows point down only: `server → route → command → session → sql → pool`. Below all of them lie
//! `reply`, `error`, `wire`, `config`, `obs`, `tasks` and `tls`; `wire` uses nothing of the crate. A test
//! (`tests/it/layering.rs`) holds the arrows.
pub mod cli;
pub mod command;
pub mod config;
pub mod debug;
pub mod error;
pub mod obs;
pub mod otlp;
pub mod ping;
pub mod pool;
pub mod reply;
pub mod route;
pub mod server;
pub mod session;
pub mod sql;
pub mod tasks;
pub mod tls;
pub mod wire;
