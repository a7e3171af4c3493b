//! Replays recorded calls of the SQL API against a live server and compares the answers exactly.
//!
//! The format of the cases and how to run a few of them: README.md. The path of a case: [`case`] reads it,
//! [`replay`] runs it over [`client`] against a [`target`], [`compare`] judges each answer, [`suite`] holds the
//! verdict against the lists of exceptions in [`lists`].

pub mod adopt;
pub mod bytes;
pub mod case;
pub mod client;
pub mod compare;
pub mod lists;
pub mod replay;
pub mod suite;
pub mod target;
pub mod tree;
