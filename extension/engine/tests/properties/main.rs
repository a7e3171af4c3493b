//! Properties that hold for all documents, checked on generated ones. Every run generates the same.

mod generate;
mod keys;
mod mutation;
mod order;
mod query;
