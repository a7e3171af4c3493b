//! Which names databases and collections may have (sql-api.md 3, MongoDB manual "Naming Restrictions").

use engine::codes;

use crate::error::{Error, Result};

/// Longest database name in bytes.
const DATABASE_MAX: usize = 63;
/// Longest collection name in bytes, before the namespace is looked at.
const COLLECTION_MAX: usize = 255;
/// Longest `db.collection` in bytes.
const NAMESPACE_MAX: usize = 235;

/// Collections of schema `system` that exist in MongoDB but cannot be written here.
const SYSTEM_READ_ONLY: [&str; 4] = ["system.views", "system.profile", "system.users", "system.js"];

fn refuse(message: String) -> Error {
    engine::Error::new(codes::INVALID_NAMESPACE, message).into()
}

/// Lengths, checked for every command.
pub fn check_length(db: &str, collection: &str) -> Result<()> {
    if db.len() > DATABASE_MAX {
        return Err(refuse("database name is too long".into()));
    }
    if collection.len() > COLLECTION_MAX {
        return Err(refuse("collection name is too long".into()));
    }
    Ok(())
}

/// Collections that no write command may touch.
pub fn check_system(db: &str, collection: &str) -> Result<()> {
    check_length(db, collection)?;
    if SYSTEM_READ_ONLY.contains(&collection) {
        return Err(refuse(format!("cannot write to {db}.{collection}")));
    }
    Ok(())
}

/// Everything a new collection's name must be.
pub fn check_new(db: &str, collection: &str) -> Result<()> {
    check_length(db, collection)?;
    if db.is_empty() {
        return Err(refuse(format!("Invalid namespace specified '.{collection}'")));
    }
    if let Some(c) = db.chars().find(|c| matches!(c, '/' | '\\' | '.' | ' ' | '"' | '$' | '\0')) {
        return Err(refuse(format!("Database {db} has an invalid character {c}")));
    }
    if collection.is_empty() {
        return Err(refuse(format!("Invalid namespace specified '{db}.'")));
    }
    if collection.starts_with('.') {
        return Err(refuse(format!("Collection names cannot start with '.': {collection}")));
    }
    if collection.contains(['$', '\0']) {
        return Err(refuse(format!("Invalid collection name: {collection}")));
    }
    if db.len() + 1 + collection.len() > NAMESPACE_MAX {
        return Err(refuse(format!("Full namespace must not exceed {NAMESPACE_MAX} bytes.")));
    }
    if SYSTEM_READ_ONLY.contains(&collection) {
        return Err(refuse(format!("cannot write to {db}.{collection}")));
    }
    if collection.starts_with("system.") {
        return Err(refuse(format!("Invalid system namespace: {db}.{collection}")));
    }
    Ok(())
}

pgfn! {
    /// The CHECK of the catalog table, for rows that come by other ways than the API.
    fn ensure_valid_db_coll(call) {
        check_new(call.text(0)?, call.text(1)?)?;
        Ok(pgrx::pg_sys::Datum::from(true))
    }
}
