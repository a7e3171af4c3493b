//! Sockets: accepting clients, reading frames, writing replies, stopping.
pub mod handle;
