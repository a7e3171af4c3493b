//! Reading the catalog tables.

use core::ffi::CStr;
use std::ffi::CString;

use engine::collation::Collation;
use engine::{Doc, Val};
use pgrx::pg_sys::{self, Oid};

use super::{Capped, Collection, Index, Level, Validator};
use crate::error::{Error, Result, internal};
use crate::spi::{self, Cell, Param};
use crate::xact::{Snapshot, check_interrupts};
use crate::{builds, upkeep};

/// Oid of a relation by schema and name; invalid if there is none.
pub fn relation(schema: &CStr, name: &str) -> Result<Oid> {
    let name = CString::new(name).map_err(|_| internal("NUL in a relation's name"))?;
    // SAFETY: look-ups in PostgreSQL's caches with C strings.
    unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        Ok(if schema == pg_sys::InvalidOid {
            schema
        } else {
            pg_sys::get_relname_relid(name.as_ptr(), schema)
        })
    }
}

/// Oids of the two catalog tables.
pub fn catalog_oids() -> Result<[Oid; 2]> {
    Ok([
        relation(c"documentdb_api_catalog", "collections")?,
        relation(c"documentdb_api_catalog", "collection_indexes")?,
    ])
}

/// How often an entry is read whose relations are not there, before they are missed.
const TRIES: usize = 5;

/// The entry of this name as it is committed now, or changed by this transaction.
///
/// # Errors
/// XX000 for a collection whose relations are missing.
pub fn collection(db: &str, name: &str) -> Result<Option<Collection>> {
    for _ in 1..TRIES {
        match read(db, name) {
            // Rows are those of a snapshot, relations those of this moment: between both another transaction may have
            // dropped the collection, or made it, of which this backend's caches are about to hear.
            Err(Unread::Missing(_)) => {
                check_interrupts();
                // SAFETY: forgets what can be read again, as PostgreSQL does when it has lost track of changes.
                unsafe { pg_sys::InvalidateSystemCaches() };
            }
            Err(Unread::Failed(e)) => return Err(e),
            Ok(found) => return Ok(found),
        }
    }
    read(db, name).map_err(|e| match e {
        Unread::Missing(what) => internal(format!("{what} of {db}.{name} is missing")),
        Unread::Failed(e) => e,
    })
}

/// Why an entry could not be read.
enum Unread {
    /// A relation is not there.
    Missing(&'static str),
    Failed(Error),
}

impl From<Error> for Unread {
    fn from(e: Error) -> Self {
        Unread::Failed(e)
    }
}

impl From<engine::Error> for Unread {
    fn from(e: engine::Error) -> Self {
        Unread::Failed(e.into())
    }
}

fn read(db: &str, name: &str) -> core::result::Result<Option<Collection>, Unread> {
    let _snapshot = Snapshot::latest();
    let rows = spi::query(
        "SELECT collection_id, collection_uuid, view_definition, validator, validation_level, validation_action,
                default_collation, storage_options
         FROM documentdb_api_catalog.collections WHERE database_name OPERATOR(pg_catalog.=) $1 AND collection_name OPERATOR(pg_catalog.=) $2",
        &[Param::Text(Some(db)), Param::Text(Some(name))],
    )?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let [id, uuid, view, validator, level, action, collation, options] =
        <[Cell; 8]>::try_from(row).map_err(|_| internal("the catalog has other columns"))?;
    let id = id.int().ok_or_else(|| internal("a collection without a number"))?;
    let view = view.bytes().map(<[u8]>::to_vec);
    let options = options.bytes().map(<[u8]>::to_vec);
    let (mut heap, mut pk, mut indexes) = (pg_sys::InvalidOid, pg_sys::InvalidOid, vec![]);
    if view.is_none() {
        heap = relation(c"documentdb_data", &format!("documents_{id}"))?;
        pk = relation(c"documentdb_data", &format!("collection_pk_{id}"))?;
        if heap == pg_sys::InvalidOid || pk == pg_sys::InvalidOid {
            return Err(Unread::Missing("the data table"));
        }
        indexes = self::indexes(id)?;
        let expires = options.as_deref().is_some_and(|o| Doc::trusted(o).get("expireAfterSeconds").is_some());
        if expires || indexes.iter().any(|i| i.expire_after.is_some()) {
            upkeep::want()?;
        }
        if indexes.iter().any(|i| !i.valid) {
            builds::resume(id)?;
        }
    }
    let capped = options.as_deref().map(|o| capped(id, Doc::trusted(o))).transpose()?.flatten();
    let collation = match (&view, collation.bytes()) {
        (Some(view), _) => Doc::trusted(view).get("collation").and_then(|v| v.as_doc()),
        (None, stored) => stored.map(Doc::trusted),
    };
    let collation = Collation::parse(collation.unwrap_or(Doc::EMPTY))?;
    let validator = validator.bytes().map(|filter| Validator {
        filter: filter.to_vec(),
        level: match level.text() {
            Some("off") => Level::Off,
            Some("moderate") => Level::Moderate,
            _ => Level::Strict,
        },
        refuse: action.text() != Some("warn"),
    });
    Ok(Some(Collection {
        id,
        db: db.to_owned(),
        name: name.to_owned(),
        uuid: uuid.bytes().and_then(|b| b.try_into().ok()),
        view,
        validator,
        collation,
        options,
        capped,
        heap,
        pk,
        indexes,
    }))
}

/// The bounds that are among a collection's options.
fn capped(id: i64, options: Doc<'_>) -> core::result::Result<Option<Capped>, Unread> {
    if options.get("capped").and_then(Val::as_bool) != Some(true) {
        return Ok(None);
    }
    let number = |name| options.get(name).and_then(engine::number::exact_i64);
    let order = relation(c"documentdb_data", &format!("collection_order_{id}"))?;
    if order == pg_sys::InvalidOid {
        return Err(Unread::Missing("the order"));
    }
    Ok(Some(Capped { size: number("size").unwrap_or(0), max: number("max"), order }))
}

fn indexes(id: i64) -> Result<Vec<Index>> {
    let rows = spi::query(
        "SELECT index_id, (index_spec).index_name, (index_spec).index_key, (index_spec).index_pfe, (index_spec).index_wp,
                (index_spec).index_is_sparse, (index_spec).index_is_unique, (index_spec).index_version,
                (index_spec).index_expire_after_seconds, (index_spec).index_options, index_is_valid
         FROM documentdb_api_catalog.collection_indexes
         WHERE collection_id OPERATOR(pg_catalog.=) $1 
           AND ((index_spec).index_name OPERATOR(pg_catalog.<>) '_id_' OR (index_spec).index_options IS NOT NULL) ORDER BY index_id",
        &[Param::Int8(id)],
    )?;
    rows.iter().map(|r| index(r)).collect()
}

fn index(row: &[Cell]) -> Result<Index> {
    let [id, name, key, partial, wildcard, sparse, unique, version, expire, options, valid] = row else {
        return Err(internal("the index catalog has other columns"));
    };
    let own = |c: &Cell| c.bytes().map(<[u8]>::to_vec);
    let id = id.int().unwrap_or(0) as i32;
    let collation = options.bytes().and_then(|o| Doc::trusted(o).get("collation")).and_then(|v| v.as_doc());
    let collation = Collation::parse(collation.unwrap_or(Doc::EMPTY))?;
    Ok(Index {
        id,
        name: name.text().unwrap_or("").to_owned(),
        key: own(key).unwrap_or_default(),
        partial: own(partial),
        wildcard: own(wildcard),
        sparse: sparse.bool().unwrap_or(false),
        unique: unique.bool().unwrap_or(false),
        version: version.int().unwrap_or(2) as i32,
        expire_after: expire.int().map(|i| i as i32),
        collation,
        options: own(options),
        valid: valid.bool().unwrap_or(false),
        relation: relation(c"documentdb_data", &format!("documents_rum_index_{id}"))?,
    })
}
