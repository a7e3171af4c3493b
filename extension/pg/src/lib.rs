//! The `ermine` extension: the `documentdb_*` SQL surface on a plain PostgreSQL 15.
//!
//! | folder | holds | may use |
//! |---|---|---|
//! | `ttl` | documents that expire, and the background worker that deletes them | `write` and below |
//! | `admin` | users, sizes, running operations | `spi`, `sys`, `error` |
//! | `write` | insert, update, delete, findAndModify | everything below |
//! | `explain` | EXPLAIN of the query functions | `read` and below |
//! | `ddl` | collections, views, databases | everything below |
//! | `index` | create, drop indexes | everything below |
//! | `read` | find, aggregate, cursors, count, distinct, lists | everything below |
//! | `access` | choosing a way to the documents, walking it | `am`, `storage` and below |
//! | `am` | the index access method `bson_btree` | `sys`, `error` |
//! | `storage` | rows of data tables, without parser, planner and executor | `catalog` and below |
//! | `catalog` | which collection is which table; name rules | `upkeep`, `builds` and below |
//! | `builds` | index builds that go on in the background: their queue, who works on it | `spi` and below |
//! | `toplevel` | statements that only a background worker can run | `sys`, `error` |
//! | `upkeep` | has the background worker run where it is needed | `spi` and below |
//! | `types` | bson, bsonsequence, bsonquery: input, output, order | `sys`, `error` |
//! | `guard`, `guc`, `spi`, `sys`, `error` | the seam to PostgreSQL | nothing of the above |
//!
//! What a document *means* is the business of the `engine` crate; here is only what PostgreSQL needs to know.
//! The SQL script `sql/ermine--0.1.0.sql` names every entry point.

::pgrx::pg_module_magic!();

#[macro_use]
mod sys;
mod access;
mod admin;
mod am;
mod builds;
mod catalog;
mod ddl;
mod error;
mod explain;
mod guard;
mod guc;
mod index;
mod read;
mod spec;
mod spi;
mod storage;
mod toplevel;
mod ttl;
mod types;
mod upkeep;
mod write;
mod xact;

/// Runs once per backend, when PostgreSQL loads the library.
///
/// # Safety
/// Called by PostgreSQL's loader only.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn _PG_init() {
    // SAFETY: the loader calls us on the main thread with a live top-level memory context.
    unsafe {
        error::boundary(|| {
            engine::interrupt::install(xact::check_interrupts);
            guc::define();
            explain::install();
            Ok(pgrx::pg_sys::Datum::null())
        });
    }
}
