//! A collection's row in the catalog and its data table.

use std::rc::Rc;

use engine::Doc;
use engine::collation::Collation;
use pgrx::pg_sys;

use super::case;
use crate::am::option_text;
use crate::catalog::{self, Collection, Level, Validator, names};
use crate::error::{Error, Result, internal};
use crate::spi::{self, Param};
use crate::xact::check_interrupts;
use crate::{guard, guc};

/// What a new collection is made with.
#[derive(Default)]
pub struct Options<'a> {
    /// `{viewOn, pipeline}`: a view.
    pub view: Option<&'a [u8]>,
    /// Validator.
    pub validator: Option<&'a Validator>,
    /// Default collation.
    pub collation: Collation,
    /// `capped`, `size`, `max`, `clusteredIndex` and `expireAfterSeconds`, as listCollections shows them.
    pub storage: Option<&'a [u8]>,
}

/// The collection of this name, made if it is missing (the first insert does).
///
/// # Errors
/// 42P01 when missing collections are not to be made; everything [`create`] gives.
pub fn ensure(db: &str, name: &str) -> Result<Rc<Collection>> {
    loop {
        if let Some(found) = catalog::find_table(db, name)? {
            return Ok(found);
        }
        guard::write()?;
        if !guc::flag(c"documentdb.enable_create_collection_on_insert") {
            return Err(Error::native(b"42P01", format!("collection '{name}' does not exist")));
        }
        // Made by another transaction, it may have been dropped again by the time it is looked for.
        if create(db, name, &Options::default())? {
            pgrx::notice!("creating collection");
        }
        check_interrupts();
    }
}

/// Makes a collection or view; false when another transaction has made one of this name meanwhile.
///
/// # Errors
/// InvalidNamespace for names that cannot be, 13297 for a database that differs only in case.
pub fn create(db: &str, name: &str, options: &Options<'_>) -> Result<bool> {
    names::check_new(db, name)?;
    guard::standby()?;
    case::check(db)?;
    let (level, action) = match options.validator {
        None => (None, None),
        Some(v) => (Some(level_name(v.level)), Some(if v.refuse { "error" } else { "warn" })),
    };
    let collation = options.collation.spec().filter(|_| options.view.is_none());
    // Waits for another transaction that makes the same name, and takes its side if that commits.
    let rows = spi::run_returning(
        "INSERT INTO documentdb_api_catalog.collections
             (database_name, collection_name, collection_uuid, view_definition, validator, validation_level, validation_action,
              default_collation, storage_options)
         VALUES ($1, $2, pg_catalog.gen_random_uuid(), $3, $4, $5, $6, $7, $8)
         ON CONFLICT DO NOTHING RETURNING collection_id",
        &[
            Param::Text(Some(db)),
            Param::Text(Some(name)),
            Param::Bytes(options.view),
            Param::Bytes(options.validator.map(|v| v.filter.as_slice())),
            Param::Text(level),
            Param::Text(action),
            Param::Bytes(collation.map(|d| d.bytes())),
            Param::Bytes(options.storage),
        ],
    )?;
    let Some(id) = rows.first().and_then(|r| r.first()).and_then(spi::Cell::int) else { return Ok(false) };
    if options.view.is_none() {
        let capped = options.storage.and_then(|o| Doc::trusted(o).get("capped")).is_some();
        create_table(id, &options.collation, capped)?;
    }
    Ok(true)
}

/// `off`, `strict`, `moderate`
pub fn level_name(level: Level) -> &'static str {
    match level {
        Level::Off => "off",
        Level::Strict => "strict",
        Level::Moderate => "moderate",
    }
}

fn create_table(id: i64, collation: &Collation, capped: bool) -> Result<()> {
    let _admin = AsAdmin::new()?;
    // Rows keep their order of insertion in no other way: a row that is updated moves, and its old place is used again.
    let order = if capped {
        format!(
            ",\n insertion_order bigint NOT NULL, CONSTRAINT collection_order_{id} UNIQUE (insertion_order)"
        )
    } else {
        String::new()
    };
    spi::run(
        &format!(
            "CREATE TABLE documentdb_data.documents_{id} (
                 shard_key_value bigint NOT NULL,
                 object_id documentdb_core.bson NOT NULL,
                 document documentdb_core.bson NOT NULL,
                 CONSTRAINT collection_pk_{id} PRIMARY KEY (shard_key_value, object_id),
                 CONSTRAINT shard_key_value_check CHECK (shard_key_value OPERATOR(pg_catalog.=) {id}){order})"
        ),
        &[],
    )?;
    if capped {
        spi::run(
            "INSERT INTO documentdb_api_catalog.capped_collections VALUES ($1, 0, 0, 1, 1)",
            &[Param::Int8(id)],
        )?;
    }
    let key = engine::Value::Int32(1).with_val(|one| {
        let mut w = engine::DocWriter::new();
        w.put_val("_id", one);
        w.finish()
    });
    let options = collation.spec().map(|spec| {
        let mut w = engine::DocWriter::new();
        w.put_doc("collation", spec);
        w.finish()
    });
    let rows = spi::run_returning(
        "INSERT INTO documentdb_api_catalog.collection_indexes (collection_id, index_spec, index_is_valid)
         VALUES ($1, ROW('_id_', $2, NULL, NULL, NULL, NULL, 2, NULL, NULL, $3)::documentdb_api_catalog.index_spec_type_internal, true)
         RETURNING index_id",
        &[Param::Int8(id), Param::Bytes(Some(&key)), Param::Bytes(options.as_deref())],
    )?;
    if collation.is_simple() {
        return Ok(());
    }
    // The primary key compares bytes: that no two `_id`s are equal under the collation is this index's matter.
    let index = rows.first().and_then(|r| r.first()).and_then(spi::Cell::int);
    let index =
        index.and_then(|i| i32::try_from(i).ok()).ok_or_else(|| internal("no number for a new index"))?;
    let spec = option_text(&key, false, true, None, None, options.as_deref());
    spi::run(&crate::index::definition(id, index, true, &spec, ""), &[])?;
    Ok(())
}

/// While it lives, statements run as the role that owns all data tables. For members of that role only.
pub struct AsAdmin {
    user: pg_sys::Oid,
    context: i32,
}

impl AsAdmin {
    /// # Errors
    /// 42501 for a user who is not a member.
    pub fn new() -> Result<Self> {
        // SAFETY: look-ups and the backend's own way of running as another user.
        unsafe {
            let admin = pg_sys::get_role_oid(c"documentdb_admin_role".as_ptr(), false);
            let (mut user, mut context) = (pg_sys::InvalidOid, 0);
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            if !pg_sys::has_privs_of_role(user, admin) {
                return Err(Error::native(
                    b"42501",
                    "permission denied: not a member of documentdb_admin_role",
                ));
            }
            pg_sys::SetUserIdAndSecContext(admin, context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32);
            Ok(AsAdmin { user, context })
        }
    }
}

impl Drop for AsAdmin {
    fn drop(&mut self) {
        // SAFETY: puts back what was there; right also after an ERROR.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.context) };
    }
}
