//! Properties that hold for all documents, checked on generated ones. Every run generates the same.

mod generate;
mod mutation;
mod order;
mod query;
