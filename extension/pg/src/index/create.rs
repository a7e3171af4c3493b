//! `createIndexes`.

use std::rc::Rc;

use engine::{Doc, DocWriter, Error, Value, codes};

use super::parse::Spec;
use super::{count, queue, remove, show, worker};
use crate::am::option_text;
use crate::catalog::{self, Collection, Index, null_argument};
use crate::error::Result;
use crate::spec::{array, is_common, max_time_ms, unknown, wrong_type};
use crate::spi::{self, Cell, Param};
use crate::sys::varlena;
use crate::xact::limit_time;
use crate::{builds, ddl, guard, guc};

/// The command.
pub struct Command<'a> {
    collection: &'a str,
    specs: Vec<Spec>,
}

/// What a command did.
pub struct Done {
    before: i32,
    after: i32,
    created_collection: bool,
    /// Indexes that are to be built: their numbers and specifications.
    pub new: Vec<(i32, Spec)>,
    /// Indexes asked for that another command is having built.
    pub going: Vec<i32>,
    /// The collection.
    pub collection: Rc<Collection>,
}

/// What a command finds.
struct Found {
    collection: Rc<Collection>,
    /// Indexes that are not there.
    new: Vec<Spec>,
    /// Numbers of those that another command is having built.
    going: Vec<i32>,
}

impl Done {
    /// Builds everything within the call.
    ///
    /// # Errors
    /// As [`build`].
    pub fn build(&self) -> Result<()> {
        for id in &self.going {
            take_over(&self.collection, *id)?;
        }
        self.new.iter().try_for_each(|(id, s)| build(&self.collection, *id, s))
    }

    /// `{raw: {defaultShard: {…, ok: 1}}, ok: 1}`
    pub fn reply(&self) -> Vec<u8> {
        let mut w = DocWriter::new();
        w.put("numIndexesBefore", &Value::Int32(self.before));
        w.put("numIndexesAfter", &Value::Int32(self.after));
        w.put("createdCollectionAutomatically", &Value::Bool(self.created_collection));
        if self.new.is_empty() {
            w.put_str("note", "all indexes already exist");
        }
        w.put("ok", &Value::Int32(1));
        wrap(w, 1)
    }

    /// The collection was made by the command.
    pub fn made_collection(&self) -> bool {
        self.created_collection
    }
}

/// `{raw: {defaultShard: …}, ok}`
pub fn wrap(inner: DocWriter, ok: i32) -> Vec<u8> {
    let mut raw = DocWriter::new();
    raw.put_doc("defaultShard", Doc::trusted(&inner.finish()));
    let mut w = DocWriter::new();
    w.put_doc("raw", Doc::trusted(&raw.finish())).put("ok", &Value::Int32(ok));
    w.finish()
}

/// `{raw: {defaultShard: {ok: 0, errmsg, code}}, ok: 0}`
pub fn failure(e: &crate::error::Error) -> Vec<u8> {
    let mut w = DocWriter::new();
    w.put("ok", &Value::Int32(0)).put_str("errmsg", &e.message).put("code", &Value::Int32(e.packed()));
    wrap(w, 0)
}

impl<'a> Command<'a> {
    /// Reads the command.
    pub fn parse(db: &str, command: Doc<'a>) -> Result<Command<'a>> {
        let (mut name, mut list, mut lenient) = ("", None, false);
        for e in command {
            let v = e.val;
            match e.name() {
                "createIndexes" => match v.as_str() {
                    Some(s) => name = s,
                    None => {
                        let text = format!("collection name has invalid type {}", v.type_name());
                        return Err(Error::new(codes::BAD_VALUE, text).into());
                    }
                },
                "indexes" => list = Some(array("createIndexes.indexes", v)?),
                "ignoreUnknownIndexOptions" => {
                    lenient = crate::spec::bool("createIndexes.ignoreUnknownIndexOptions", v)?
                }
                "blocking" => {}
                "maxTimeMS" => limit_time(max_time_ms("createIndexes", v)?),
                other if is_common(other) => {}
                other => return Err(unknown("createIndexes", other)),
            }
        }
        if name.is_empty() {
            let text = format!("Invalid namespace specified '{db}.'");
            return Err(Error::new(codes::INVALID_NAMESPACE, text).into());
        }
        let bad = |text: &str| crate::error::Error::from(Error::new(codes::BAD_VALUE, text));
        let list =
            list.ok_or_else(|| bad("BSON field 'createIndexes.indexes' is missing but a required field"))?;
        if list.is_empty() {
            return Err(bad("Must specify at least one index to create"));
        }
        let mut specs = Vec::new();
        for (i, v) in list.values().enumerate() {
            let path = format!("createIndexes.indexes.{i}");
            specs.push(Spec::parse(v.as_doc().ok_or_else(|| wrong_type(&path, v, "object"))?, lenient)?);
        }
        Ok(Command { collection: name, specs })
    }

    /// Enters the new indexes in the catalog; they are built by [`build`]. `at_once`: those that another command is having built
    /// are to be built as well, by [`take_over`].
    pub fn enter(self, db: &str, at_once: bool) -> Result<Done> {
        let known = catalog::find_table(db, self.collection)?;
        let created_collection = known.is_none();
        let collection = match known {
            Some(c) => c,
            None => {
                guard::write()?;
                ddl::ensure(db, self.collection)?
            }
        };
        builds::enter(collection.id)?;
        let mut found = self.compare(db, &collection)?;
        if at_once && !found.going.is_empty() {
            // From here on nobody else makes them valid or takes them away.
            builds::pause(collection.id)?;
            found = self.compare(db, &collection)?;
        }
        let Found { collection, new, going } = found;
        let before = count(&collection);
        if !new.is_empty() {
            guard::write()?;
        }
        let mut entered = Vec::new();
        for s in new {
            entered.push((enter(&collection, &s)?, s));
        }
        let after = before + i32::try_from(entered.len()).unwrap_or(0);
        Ok(Done { before, after, created_collection, new: entered, going, collection })
    }

    /// What there is already.
    fn compare(&self, db: &str, collection: &Rc<Collection>) -> Result<Found> {
        // Another command may just have been at it.
        let mut going = Vec::new();
        for (id, queued) in queue::unfinished(collection.id)? {
            if queued {
                going.push(id);
            } else {
                // Left by a dump that was taken in the middle of a build.
                remove(id)?;
            }
        }
        let collection = catalog::find_table(db, self.collection)?.unwrap_or_else(|| collection.clone());
        let mut asked = Vec::new();
        let mut all: Vec<Index> = collection.secondary().cloned().collect();
        let mut new: Vec<Spec> = Vec::new();
        for s in &self.specs {
            let mut s = s.clone();
            // An index that says nothing orders strings as the collection does.
            s.collation.get_or_insert_with(|| collection.collation.clone());
            if crate::access::is_id_pattern(Doc::trusted(&s.key)) {
                continue;
            }
            if let Some(there) = exists(&s, &all)? {
                asked.extend(going.contains(&there).then_some(there));
            } else {
                let most = usize::try_from(guc::number(c"documentdb.maxIndexesPerCollection")).unwrap_or(64);
                if all.len() + 2 > most {
                    let text = format!(
                        "add index fails, too many indexes for {} key:{}",
                        collection.namespace(),
                        show::document(Doc::trusted(&s.key))
                    );
                    return Err(Error::new(codes::CANNOT_CREATE_INDEX, text).into());
                }
                all.push(s.as_index(0));
                new.push(s);
            }
        }
        Ok(Found { collection, new, going: asked })
    }
}

/// The number of the same index, if it is there already.
///
/// # Errors
/// 86 for another index of this name, 85 for the same index under another name.
fn exists(s: &Spec, all: &[Index]) -> Result<Option<i32>> {
    let shown = s.shown();
    let entry = |i: &Index| {
        crate::read::index_entry(&Index { id: 0, relation: pgrx::pg_sys::InvalidOid, ..i.clone() })
    };
    // Whether it is hidden makes no other index of it.
    let comparable = |entry: &[u8]| {
        let mut w = DocWriter::new();
        for e in Doc::trusted(entry).iter().filter(|e| e.name() != "hidden" && e.name() != "v") {
            w.put_elem(&e);
        }
        w.finish()
    };
    let wanted = comparable(&shown);
    let same_entry = |i: &Index| {
        engine::compare::docs(Doc::trusted(&comparable(&entry(i))), Doc::trusted(&wanted)).is_eq()
    };
    let detail = |i: &Index| {
        let (asked, there) = (show::document(Doc::trusted(&shown)), show::document(Doc::trusted(&entry(i))));
        format!("Requested index: {asked}, existing index: {there}")
    };
    let same = |i: &&Index| {
        crate::access::same_pattern(Doc::trusted(&i.key), Doc::trusted(&s.key))
            && i.partial == s.partial
            && i.wildcard == s.wildcard
            && i.sparse == s.sparse
            && i.unique == s.unique
            && i.collation == s.collation()
    };
    if let Some(i) = all.iter().find(|i| i.name == s.name) {
        if same_entry(i) {
            return Ok(Some(i.id));
        }
        if same(&i) {
            let text = format!(
                "An equivalent index already exists with the same name but different options. {}",
                detail(i)
            );
            return Err(Error::new(codes::INDEX_OPTIONS_CONFLICT, text).into());
        }
        let text = format!(
            "An existing index has the same name as the requested index. When index names are not specified, they are auto generated and can cause conflicts. Please refer to our documentation. {}",
            detail(i)
        );
        return Err(Error::new(codes::INDEX_KEY_SPECS_CONFLICT, text).into());
    }
    if s.text.is_some()
        && let Some(i) =
            all.iter().find(|i| crate::access::is_text(i) && !(same(i) && i.options == s.options()))
    {
        let text =
            format!("only one text index per collection allowed, found existing text index \"{}\"", i.name);
        return Err(Error::new(codes::CANNOT_CREATE_INDEX, text).into());
    }
    if let Some(i) = all.iter().find(same) {
        let text = if i.expire_after == s.expire_after {
            format!("Index already exists with a different name: {}", i.name)
        } else {
            format!("An equivalent index already exists with a different name and options. {}", detail(i))
        };
        return Err(Error::new(codes::INDEX_OPTIONS_CONFLICT, text).into());
    }
    Ok(None)
}

fn enter(c: &Collection, s: &Spec) -> Result<i32> {
    let options = s.options();
    let rows = spi::run_returning(
        "INSERT INTO documentdb_api_catalog.collection_indexes (collection_id, index_spec, index_is_valid)
         VALUES ($1, ROW($2, $3::documentdb_core.bson, $4::documentdb_core.bson, $10::documentdb_core.bson, $5, $6, $7, $8, NULL,
                 $9::documentdb_core.bson)::documentdb_api_catalog.index_spec_type_internal, false)
         RETURNING index_id",
        &[
            Param::Int8(c.id),
            Param::Text(Some(&s.name)),
            Param::Bytes(Some(&s.key)),
            Param::Bytes(s.partial.as_deref()),
            Param::Bool(s.sparse),
            Param::Bool(s.unique),
            Param::Int4(Some(s.version)),
            Param::Int4(s.expire_after),
            Param::Bytes(options.as_deref()),
            Param::Bytes(s.wildcard.as_deref()),
        ],
    )?;
    let id = rows.first().and_then(|r| r.first()).and_then(Cell::int);
    id.and_then(|i| i32::try_from(i).ok()).ok_or_else(|| crate::error::internal("no number for a new index"))
}

/// The statement that builds an index; `how` is `CONCURRENTLY` or nothing.
pub fn statement(c: &Collection, id: i32, s: &Spec, how: &str) -> String {
    let spec = option_text(
        &s.key,
        s.sparse,
        s.unique,
        s.partial.as_deref(),
        s.wildcard.as_deref(),
        s.options().as_deref(),
    );
    definition(c.id, id, s.unique, &spec, how)
}

/// The statement that makes index `id` of collection `collection`; `spec` is its [`option_text`].
pub fn definition(collection: i64, id: i32, unique: bool, spec: &str, how: &str) -> String {
    let unique = if unique { "UNIQUE " } else { "" };
    format!(
        "CREATE {unique}INDEX {how} documents_rum_index_{id} ON documentdb_data.documents_{collection}
         USING bson_btree (document documentdb_api_internal.bson_key_ops (spec = '{spec}'))"
    )
}

/// Builds an entered index at once and marks it valid. Writers wait.
///
/// # Errors
/// DuplicateKey 11000 for a unique index over equal keys; the errors of making keys.
pub fn build(c: &Collection, id: i32, s: &Spec) -> Result<()> {
    builds::pause(c.id)?;
    make(&statement(c, id, s, ""), &s.name)?;
    worker::validate(id)
}

/// Builds at once what another command has in the queue, and takes it from there: it stays even if that one fails. Builds of
/// the collection are [paused](builds::pause).
///
/// # Errors
/// As [`build`].
fn take_over(c: &Collection, id: i32) -> Result<()> {
    let index = c.indexes.iter().find(|i| i.id == id);
    let i = index.ok_or_else(|| crate::error::internal("an index vanished while it was looked at"))?;
    if !worker::is_complete(id)? {
        super::drop_relation(id)?;
        let (partial, wildcard) = (i.partial.as_deref(), i.wildcard.as_deref());
        let spec = option_text(&i.key, i.sparse, i.unique, partial, wildcard, i.options.as_deref());
        make(&definition(c.id, id, i.unique, &spec, ""), &i.name)?;
    }
    worker::validate(id)
}

fn make(statement: &str, name: &str) -> Result<()> {
    let _admin = ddl::AsAdmin::new()?;
    crate::error::caught(|| spi::run(statement, &[])).map(drop).map_err(|e| {
        if !e.is(b"23505") {
            return e;
        }
        let text = format!("Duplicate key violation on the requested collection: Index '{name}'");
        Error::new(codes::DUPLICATE_KEY, text).into()
    })
}

pgfn! {
    /// `create_indexes_non_concurrently(p_database_name, p_arg, p_skip_check_collection_create)`: builds at once.
    fn command_create_indexes_non_concurrently(call) {
        not_null(call)?;
        let db = call.opt_text(0)?.ok_or_else(|| null_argument("dbName"))?;
        let command = Doc::trusted(call.opt_bytes(1).ok_or_else(|| null_argument("arg"))?);
        let done = Command::parse(db, command)?.enter(db, true)?;
        done.build()?;
        Ok(varlena(&done.reply()))
    }
}

/// Both arguments are given.
///
/// # Errors
/// XX000 in the official extension's words.
pub fn not_null(call: crate::sys::Call<'_>) -> Result<()> {
    if call.arg(0).is_none() {
        return Err(catalog::null_argument("dbName"));
    }
    if call.arg(1).is_none() {
        return Err(catalog::null_argument("arg"));
    }
    Ok(())
}
