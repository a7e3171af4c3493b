//! Which collection is which table: the catalog tables, seen through a per-backend cache.

mod cache;
mod load;
pub mod names;

pub use load::relation;

use std::rc::Rc;

use engine::Doc;
use engine::collation::Collation;
use pgrx::pg_sys::Oid;

use crate::error::{Error, Result};

/// A collection or view, as the catalog has it.
#[derive(Debug)]
pub struct Collection {
    /// Number of its data table; for unsharded collections also the shard key value.
    pub id: i64,
    /// Database.
    pub db: String,
    /// Name within the database.
    pub name: String,
    /// As listCollections shows it.
    pub uuid: Option<[u8; 16]>,
    /// `{viewOn, pipeline}`: then it is a view and has no table.
    pub view: Option<Vec<u8>>,
    /// What documents must satisfy.
    pub validator: Option<Validator>,
    /// How strings compare where a command does not say; of a view also where it does.
    pub collation: Collation,
    /// `capped`, `size`, `max`, `clusteredIndex` and `expireAfterSeconds`, as listCollections shows them.
    pub options: Option<Vec<u8>>,
    /// Its bounds, where it is capped.
    pub capped: Option<Capped>,
    /// `documentdb_data.documents_<id>`; invalid for views.
    pub heap: Oid,
    /// Its primary key (shard_key_value, object_id); invalid for views.
    pub pk: Oid,
    /// Secondary indexes, in the order of their creation, unfinished ones included. Where the collection's collation is not
    /// the simple one, an index named `_id_` is among them: it keeps `_id` unique under that collation.
    pub indexes: Vec<Index>,
}

/// What a capped collection may hold, and how its documents are found in the order of their insertion.
#[derive(Debug, Clone, Copy)]
pub struct Capped {
    /// Most bytes of its documents.
    pub size: i64,
    /// Most documents, if bounded.
    pub max: Option<i64>,
    /// The index on the order, `collection_order_<id>`.
    pub order: Oid,
}

/// A validator and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    /// A filter.
    pub filter: Vec<u8>,
    /// Which writes it applies to.
    pub level: Level,
    /// True: refuse; false: let pass with a warning in the log.
    pub refuse: bool,
}

/// `validationLevel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// No write.
    Off,
    /// Every write.
    Strict,
    /// Inserts, and updates of documents that satisfied it before.
    Moderate,
}

/// A secondary index.
#[derive(Debug, Clone)]
pub struct Index {
    /// `collection_indexes.index_id`.
    pub id: i32,
    /// Name.
    pub name: String,
    /// Key pattern.
    pub key: Vec<u8>,
    /// partialFilterExpression.
    pub partial: Option<Vec<u8>>,
    /// wildcardProjection.
    pub wildcard: Option<Vec<u8>>,
    /// Leaves out documents without the field.
    pub sparse: bool,
    /// Refuses equal keys.
    pub unique: bool,
    /// `v`.
    pub version: i32,
    /// TTL.
    pub expire_after: Option<i32>,
    /// How its keys order strings.
    pub collation: Collation,
    /// All other options as they were given.
    pub options: Option<Vec<u8>>,
    /// Built and usable.
    pub valid: bool,
    /// Its relation `documentdb_data.documents_rum_index_<id>`; invalid while there is none.
    pub relation: Oid,
}

/// Name of the index on `_id`.
pub const ID_INDEX: &str = "_id_";

impl Collection {
    /// The indexes other than `_id_`.
    pub fn secondary(&self) -> impl Iterator<Item = &Index> {
        self.indexes.iter().filter(|i| i.name != ID_INDEX)
    }

    /// The index that a clustered collection is stored in, as listIndexes shows it.
    pub fn clustered(&self) -> Option<Doc<'_>> {
        Doc::trusted(self.options.as_deref()?).get("clusteredIndex")?.as_doc()
    }

    /// Seconds after which documents of a clustered collection expire.
    pub fn expire_after(&self) -> Option<i64> {
        engine::number::exact_i64(Doc::trusted(self.options.as_deref()?).get("expireAfterSeconds")?)
    }

    /// `db.collection`.
    pub fn namespace(&self) -> String {
        format!("{}.{}", self.db, self.name)
    }

    /// Refuses views.
    ///
    /// # Errors
    /// CommandNotSupportedOnView 166.
    pub fn require_table(&self) -> Result<()> {
        if self.view.is_none() {
            return Ok(());
        }
        Err(engine::Error::new(
            engine::codes::COMMAND_NOT_SUPPORTED_ON_VIEW,
            format!("Namespace {} is a view, not a collection", self.namespace()),
        )
        .into())
    }
}

/// The collection or view of this name.
pub fn find(db: &str, name: &str) -> Result<Option<Rc<Collection>>> {
    names::check_length(db, name)?;
    cache::find(db, name)
}

/// As [`find`], read from the catalog's tables now. The cache hears of another transaction's change only a moment after
/// that transaction's locks on rows are no longer waited for.
pub fn find_anew(db: &str, name: &str) -> Result<Option<Rc<Collection>>> {
    names::check_length(db, name)?;
    cache::forget(db, name);
    cache::find(db, name)
}

/// The collection of this name, views refused.
pub fn find_table(db: &str, name: &str) -> Result<Option<Rc<Collection>>> {
    let found = find(db, name)?;
    if let Some(c) = &found {
        c.require_table()?;
    }
    Ok(found)
}

/// "The function was called with SQL NULL for a name": XX000, as the official extension words it.
pub fn null_argument(what: &str) -> Error {
    crate::error::internal(format!("{what} cannot be NULL"))
}
