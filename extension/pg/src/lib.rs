//! The `ermine` extension: the `documentdb_*` SQL surface on a plain PostgreSQL 15.

pgrx::pg_module_magic!();
