//! Sockets: accepting clients, reading frames, writing replies, stopping. Knows nothing of commands; a frame goes
//! to [`handle::handle`] and a reply comes back.
mod accept;
mod codec;
mod connection;
pub mod handle;
mod listen;
mod secure;
pub mod stop;

pub use accept::serve;
pub use listen::{Bound, ListenError, bind, open};
