//! collMod.

use engine::{Doc, DocWriter, Val, Value, codes};

use super::options::{ValidatorFields, view_definition};
use super::table::level_name;
use super::{fail, lock, storage, view};
use crate::catalog::{Collection, ID_INDEX, Index, null_argument};
use crate::error::Result;
use crate::spi::{self, Param};
use crate::sys::varlena;
use crate::{guard, spec};

/// A collMod command.
#[derive(Default)]
struct CollMod<'a> {
    name: Option<&'a str>,
    index: Option<IndexChange<'a>>,
    view_on: Option<&'a str>,
    pipeline: Option<Doc<'a>>,
    validator: ValidatorFields<'a>,
    capped_size: Option<i64>,
    capped_max: Option<i64>,
    expire_after: Option<Expiry>,
}

/// The field `expireAfterSeconds` of a clustered collection.
#[derive(Clone, Copy)]
enum Expiry {
    Off,
    After(i64),
}

/// The field `index`.
#[derive(Default)]
struct IndexChange<'a> {
    name: Option<&'a str>,
    key: Option<Doc<'a>>,
    expire_after: Option<i64>,
    hidden: Option<bool>,
}

impl<'a> IndexChange<'a> {
    fn parse(d: Doc<'a>) -> Result<Self> {
        let mut c = IndexChange::default();
        for e in d {
            match e.name() {
                "name" => c.name = Some(spec::string("collMod.index.name", e.val)?),
                "keyPattern" => c.key = Some(spec::document("collMod.index.keyPattern", e.val)?),
                "expireAfterSeconds" => c.expire_after = Some(expire_after(e.val)?),
                "hidden" => c.hidden = Some(spec::bool("collMod.index.hidden", e.val)?),
                name => return Err(unknown(&format!("index.{name}"))),
            }
        }
        match (c.name, c.key) {
            (Some(_), Some(_)) => Err(invalid("Cannot specify both key pattern and name.")),
            (None, None) => Err(invalid("Must specify either index name or key pattern.")),
            _ if c.expire_after.is_none() && c.hidden.is_none() => {
                Err(invalid("no expireAfterSeconds or hidden field"))
            }
            _ => Ok(c),
        }
    }

    fn find<'c>(&self, collection: &'c Collection) -> Result<&'c Index> {
        let is_it = |i: &&Index| match (self.name, self.key) {
            (Some(name), _) => i.name == name,
            (None, Some(key)) => engine::compare::docs(key, Doc::trusted(&i.key)).is_eq(),
            (None, None) => false,
        };
        let id = self.name == Some(ID_INDEX) || self.key.is_some_and(crate::access::is_id_pattern);
        if id && self.expire_after.is_some() {
            return Err(invalid("the _id field does not support TTL indexes"));
        }
        if id && self.hidden.is_some() {
            return Err(fail(codes::BAD_VALUE, "can't hide _id index"));
        }
        collection.secondary().find(is_it).ok_or_else(|| {
            let what = match (self.name, self.key) {
                (Some(name), _) => name.to_owned(),
                (None, key) => engine::display::document(key.unwrap_or(Doc::EMPTY)),
            };
            fail(
                codes::INDEX_NOT_FOUND,
                format!("cannot find index {what} for ns {}", collection.namespace()),
            )
        })
    }

    /// Changes the catalog and tells old and new values.
    fn run(&self, collection: &Collection, reply: &mut DocWriter) -> Result<()> {
        let index = self.find(collection)?;
        let compound = Doc::trusted(&index.key).iter().nth(1).is_some();
        if self.expire_after.is_some() && index.expire_after.is_none() && compound {
            return Err(invalid("TTL indexes are single-field indexes, compound indexes do not support TTL"));
        }
        if let Some(new) = self.expire_after
            && index.expire_after.map(i64::from) != Some(new)
        {
            spi::run(
                "UPDATE documentdb_api_catalog.collection_indexes SET index_spec.index_expire_after_seconds = $2
                 WHERE index_id OPERATOR(pg_catalog.=) $1",
                &[Param::Int4(Some(index.id)), Param::Int4(Some(new as i32))],
            )?;
            if let Some(old) = index.expire_after {
                reply.put("expireAfterSeconds_old", &Value::Int64(i64::from(old)));
            }
            reply.put("expireAfterSeconds_new", &Value::Int64(new));
        }
        if let Some(new) = self.hidden {
            let options = index.options.as_deref().map_or(Doc::EMPTY, Doc::trusted);
            let old = options.get("hidden").and_then(Val::as_bool).unwrap_or(false);
            if old != new {
                let mut w = DocWriter::new();
                for e in options.iter().filter(|e| e.name_bytes() != b"hidden") {
                    w.put_elem(&e);
                }
                if new {
                    w.put("hidden", &Value::Bool(true));
                }
                spi::run(
                    "UPDATE documentdb_api_catalog.collection_indexes SET index_spec.index_options = $2
                     WHERE index_id OPERATOR(pg_catalog.=) $1",
                    &[Param::Int4(Some(index.id)), Param::Bytes(Some(&w.finish()))],
                )?;
                reply.put("hidden_old", &Value::Bool(old));
                reply.put("hidden_new", &Value::Bool(new));
            }
        }
        Ok(())
    }
}

fn invalid(message: impl Into<String>) -> crate::error::Error {
    fail(codes::INVALID_OPTIONS, message)
}

fn unknown(name: &str) -> crate::error::Error {
    fail(codes::LOCATION40415, format!("BSON field 'collMod.{name}' is an unknown field."))
}

fn expire_after(v: Val<'_>) -> Result<i64> {
    let path = "collMod.index.expireAfterSeconds";
    let Some(seconds) = spec::integer(v) else {
        let got = v.type_name();
        let message = format!(
            "BSON field '{path}' is the wrong type '{got}', expected types '[long, int, decimal, double']"
        );
        return Err(fail(codes::TYPE_MISMATCH, message));
    };
    if seconds < 0 {
        return Err(invalid(format!("BSON field '{path}' cannot be less than 0.")));
    }
    if seconds > i64::from(i32::MAX) {
        return Err(invalid(format!("BSON field '{path}' must be within the range [0, {}].", i32::MAX)));
    }
    Ok(seconds)
}

impl<'a> CollMod<'a> {
    fn parse(command: Doc<'a>) -> Result<Self> {
        let mut c = CollMod::default();
        for e in command {
            match e.name() {
                "collMod" => c.name = Some(spec::string("collMod.collMod", e.val)?),
                "index" => c.index = Some(IndexChange::parse(spec::document("collMod.index", e.val)?)?),
                "viewOn" => c.view_on = Some(spec::string("collMod.viewOn", e.val)?),
                "cappedSize" => c.capped_size = Some(whole("cappedSize", e.val)?),
                "cappedMax" => c.capped_max = Some(whole("cappedMax", e.val)?),
                "expireAfterSeconds" => c.expire_after = Some(expiry(e.val)?),
                "pipeline" => c.pipeline = Some(spec::array("collMod.pipeline", e.val)?),
                name => {
                    if !c.validator.take("collMod", name, e.val)? && !spec::is_common(name) {
                        return Err(unknown(name));
                    }
                }
            }
        }
        match (c.view_on, c.pipeline) {
            (None, Some(_)) => Err(invalid("collmod.pipeline requires collmod.viewOn")),
            (Some(_), None) => Err(invalid("collmod.viewOn requires collmod.pipeline")),
            _ => Ok(c),
        }
    }

    fn run(&self, collection: &Collection) -> Result<Vec<u8>> {
        let mut reply = DocWriter::new();
        reply.put("ok", &Value::Int32(1));
        if let Some(on) = self.view_on {
            if collection.view.is_none() {
                return Err(invalid(format!("ns {} is a collection, not a view", collection.namespace())));
            }
            let definition = view_definition(on, self.pipeline, collection.collation.spec());
            view::check(&collection.db, &collection.name, Doc::trusted(&definition), &collection.collation)?;
            update(collection, "view_definition = $2", Param::Bytes(Some(&definition)))?;
        }
        if collection.view.is_some() {
            let given = [
                ("index", self.index.is_some()),
                ("cappedSize", self.capped_size.is_some()),
                ("cappedMax", self.capped_max.is_some()),
                ("expireAfterSeconds", self.expire_after.is_some()),
                ("validator", self.validator.any()),
            ];
            if let Some((name, _)) = given.iter().find(|(_, given)| *given) {
                return Err(invalid(format!("option not supported on a view: {name}")));
            }
        }
        if let Some(index) = &self.index {
            index.run(collection, &mut reply)?;
        }
        if self.capped_size.is_some() || self.capped_max.is_some() {
            self.resize(collection)?;
        }
        if let Some(expiry) = self.expire_after {
            expire(collection, expiry)?;
        }
        if self.validator.any()
            && let Some(v) = self.validator.apply(collection.validator.as_ref())
        {
            update(collection, "validator = $2", Param::Bytes(Some(&v.filter)))?;
            update(collection, "validation_level = $2", Param::Text(Some(level_name(v.level))))?;
            let action = if v.refuse { "error" } else { "warn" };
            update(collection, "validation_action = $2", Param::Text(Some(action)))?;
        }
        Ok(reply.finish())
    }
}

impl CollMod<'_> {
    /// Other bounds for a capped collection. What is too much then goes with the next insert.
    fn resize(&self, collection: &Collection) -> Result<()> {
        let Some(bounds) = collection.capped else { return Err(invalid("Collection must be capped.")) };
        let mut w = DocWriter::new();
        storage::bounds(&mut w, self.capped_size.unwrap_or(bounds.size), self.capped_max.or(bounds.max))?;
        update(collection, "storage_options = $2", Param::Bytes(Some(&w.finish())))?;
        Ok(())
    }
}

/// Sets when documents of a clustered collection expire.
fn expire(collection: &Collection, expiry: Expiry) -> Result<()> {
    let Some(index) = collection.clustered() else {
        return Err(invalid(
            "'expireAfterSeconds' is only supported on time-series collections or when the 'clusteredIndex' option is specified",
        ));
    };
    let mut w = DocWriter::new();
    w.put_doc("clusteredIndex", index);
    if let Expiry::After(seconds) = expiry {
        w.put("expireAfterSeconds", &Value::Int64(storage::expiry(seconds)?));
    }
    update(collection, "storage_options = $2", Param::Bytes(Some(&w.finish())))?;
    Ok(())
}

fn expiry(v: Val<'_>) -> Result<Expiry> {
    match v.as_str() {
        Some("off") => Ok(Expiry::Off),
        Some(other) => Err(invalid(format!(
            "Invalid string value for the 'clusteredIndex::expireAfterSeconds' option. Got: '{other}'. Accepted value is 'off'"
        ))),
        None => whole("expireAfterSeconds", v).map(Expiry::After),
    }
}

/// A number of collMod's, fractions cut off.
fn whole(field: &str, v: Val<'_>) -> Result<i64> {
    spec::integer(v).ok_or_else(|| {
        let got = v.type_name();
        let text = format!(
            "BSON field 'collMod.{field}' is the wrong type '{got}', expected types '[long, int, decimal, double']"
        );
        fail(codes::TYPE_MISMATCH, text)
    })
}

fn update(collection: &Collection, set: &str, value: Param<'_>) -> Result<u64> {
    spi::run(
        &format!(
            "UPDATE documentdb_api_catalog.collections SET {set} WHERE collection_id OPERATOR(pg_catalog.=) $1"
        ),
        &[Param::Int8(collection.id), value],
    )
}

pgfn! {
    /// `documentdb_api.coll_mod`
    fn command_coll_mod(call) {
        let db = call.opt_text(0)?.ok_or_else(|| null_argument("database name"))?;
        let name = call.opt_text(1)?.ok_or_else(|| null_argument("collection name"))?;
        let command = call.opt_bytes(2).ok_or_else(|| null_argument("collMod spec"))?;
        let change = CollMod::parse(Doc::trusted(command))?;
        if change.name.is_some_and(|n| n != name) {
            let message = "Collection name specified in the top level must match that in the spec";
            return Err(fail(codes::BAD_VALUE, message));
        }
        guard::write()?;
        // What is changed is computed from what is there: nobody else may change it meanwhile.
        let found = lock::one(db, name)?;
        let collection = found.ok_or_else(|| fail(codes::NAMESPACE_NOT_FOUND, "ns does not exist"))?;
        Ok(varlena(&change.run(&collection)?))
    }
}
