//! findAndModify.

use engine::project::{Kind, Projection};
use engine::sort::SortSpec;
use engine::{Doc, DocWriter, Val, Value, codes};
use pgrx::pg_sys::Datum;

use super::change::{Search, Step};
use super::context::Context;
use super::modify::{Modified, Modify};
use super::place::Place;
use super::validate::Check;
use super::{batch, fail, retry};
use crate::access::Hint;
use crate::catalog::{names, null_argument};
use crate::error::{Error, Result, caught};
use crate::storage::Access;
use crate::sys::varlena;
use crate::{guard, spec, xact};

/// What MongoDB puts before an error that only the documents bring about.
const DURING: &str = "Plan executor error during findAndModify";

/// A findAndModify command.
struct FindAndModify<'a> {
    collection: &'a str,
    modify: Modify<'a>,
    remove: bool,
    new: bool,
    fields: Option<Doc<'a>>,
    bypass: bool,
    context: Context,
    max_time: i64,
}

fn flag(name: &str, v: Val<'_>) -> Result<bool> {
    spec::safe_bool(&format!("findAndModify.{name}"), v)
}

/// A document, or nothing for null.
fn document<'a>(name: &str, v: Val<'a>) -> Result<Option<Doc<'a>>> {
    if v.is_nullish() { Ok(None) } else { spec::document(&format!("findAndModify.{name}"), v).map(Some) }
}

fn conflict(message: &str) -> Error {
    fail(codes::FAILED_TO_PARSE, message)
}

impl<'a> FindAndModify<'a> {
    fn parse(command: Doc<'a>) -> Result<Self> {
        let (mut name, mut variables, mut update) = (None, None, None);
        let (mut remove, mut new, mut fields, mut bypass, mut max_time) = (false, false, None, false, 0);
        let mut modify = Modify {
            filter: Doc::EMPTY,
            update: Val::NULL,
            multi: false,
            upsert: false,
            sort: None,
            array_filters: None,
            hint: None,
            collation: None,
            constants: None,
        };
        for e in command {
            match e.name() {
                "findAndModify" | "findandmodify" => name = Some(e.val),
                "query" => modify.filter = document("query", e.val)?.unwrap_or(Doc::EMPTY),
                "sort" => modify.sort = document("sort", e.val)?,
                "remove" => remove = flag("remove", e.val)?,
                "update" => update = Some(e.val),
                "new" => new = flag("new", e.val)?,
                "fields" => fields = document("fields", e.val)?,
                "upsert" => modify.upsert = flag("upsert", e.val)?,
                "arrayFilters" | "collation" if e.val.is_nullish() => {}
                "arrayFilters" => {
                    modify.array_filters = Some(spec::documents("findAndModify.arrayFilters", e.val)?)
                }
                "let" => variables = document("let", e.val)?,
                "hint" => modify.hint = Some(e.val),
                "collation" => modify.collation = spec::collation("findAndModify.collation", e.val)?,
                "bypassDocumentValidation" => bypass = flag("bypassDocumentValidation", e.val)?,
                "maxTimeMS" => max_time = spec::max_time_ms("findAndModify", e.val)?,
                other if spec::is_common(other) => {}
                other => {
                    return Err(spec::unknown("findAndModify", other));
                }
            }
        }
        let name = name.ok_or_else(|| spec::missing("findAndModify.findAndModify"))?;
        let collection = spec::collection_name(name)?;
        match (remove, update) {
            (true, Some(_)) => return Err(conflict("Cannot specify both an update and remove=true")),
            (true, None) if modify.upsert => {
                return Err(conflict("Cannot specify both upsert=true and remove=true "));
            }
            (true, None) if new => {
                let text = "Cannot specify both new=true and remove=true; 'remove' always returns the deleted document";
                return Err(conflict(text));
            }
            (true, None) if modify.array_filters.is_some() => {
                return Err(conflict("Cannot specify arrayFilters and remove=true"));
            }
            (false, Some(u)) if u.as_array().is_some() && modify.array_filters.is_some() => {
                return Err(conflict("Cannot specify arrayFilters and a pipeline update"));
            }
            (false, None) => return Err(conflict("Either an update or remove=true must be specified")),
            (_, u) => modify.update = u.unwrap_or(Val::NULL),
        }
        let context = Context::new(variables)?;
        Ok(FindAndModify { collection, modify, remove, new, fields, bypass, context, max_time })
    }

    fn run(&self, db: &str, transaction: Option<&str>) -> Result<Vec<u8>> {
        names::check_system(db, self.collection)?;
        guard::write()?;
        xact::limit_time(self.max_time);
        let access = if self.remove { Access::Delete } else { Access::Update };
        let place = Place::find(db, self.collection, access, self.modify.upsert)?;
        let place = place.as_ref();
        let run = || Ok((self.execute(place)?, true));
        Ok(retry::remembered(place.map(|p| &*p.collection), transaction, run)?.0)
    }

    fn execute(&self, place: Option<&Place>) -> Result<Vec<u8>> {
        let collection = place.map(|p| &*p.collection);
        let collation = spec::effective(self.modify.collation, collection)?;
        let projection = match self.fields {
            Some(fields) => Some(Projection::parse(fields, Kind::Find, &self.context.parse(&collation))?),
            None => None,
        };
        let query = self.context.query(self.modify.filter, &collation)?;
        let show = |document: &[u8]| -> Result<Vec<u8>> {
            match &projection {
                Some(p) if !p.is_identity() => {
                    p.apply(Doc::trusted(document), Some(&query)).map_err(|e| Error::from(e).during(DURING))
                }
                _ => Ok(document.to_vec()),
            }
        };
        if self.remove {
            let removed = match place {
                Some(p) => self.remove(p, &query).map_err(|e| e.during(DURING))?,
                None => None,
            };
            let value = removed.map(|d| show(&d)).transpose()?;
            return Ok(reply(i32::from(value.is_some()), None, None, value));
        }
        let Some(place) = place else {
            self.modify.check(&self.context)?;
            return Ok(reply(0, Some(false), None, None));
        };
        let check = Check::new(&place.collection, self.bypass)?;
        let explain = |e| batch::explain(e, Some(&place.collection));
        // PostgreSQL's errors become values here only to be raised again in other words.
        let modified =
            caught(|| self.modify.run(place, &check, &self.context, Some(DURING))).map_err(explain)?;
        Ok(match modified {
            Modified::Many { .. } | Modified::Nothing => reply(0, Some(false), None, None),
            Modified::One(c) => {
                let shown = if self.new { c.new.as_ref().unwrap_or(&c.old) } else { &c.old };
                reply(1, Some(true), None, Some(show(shown)?))
            }
            Modified::Inserted(d) => {
                let id = Doc::trusted(&d).get("_id").map(Value::from);
                let value = if self.new { Some(show(&d)?) } else { None };
                reply(1, Some(false), id, value)
            }
        })
    }

    fn remove(&self, place: &Place, query: &engine::query::Query) -> Result<Option<Vec<u8>>> {
        let sort = self.modify.sort.map(SortSpec::parse).transpose()?;
        let sort = sort.map(|s| s.collated(query.collation()));
        let Place { collection, table } = place;
        table.require(Access::Delete)?;
        let hint = Hint::parse(collection, self.modify.hint)?;
        let search = Search { collection, table, query, sort: sort.as_ref(), hint };
        guard::disk_full()?;
        Ok(search.one(|_| Ok(Step::Remove))?.map(|c| c.old))
    }
}

fn reply(n: i32, updated: Option<bool>, upserted: Option<Value>, value: Option<Vec<u8>>) -> Vec<u8> {
    let mut last = DocWriter::new();
    last.put("n", &Value::Int32(n));
    if let Some(updated) = updated {
        last.put("updatedExisting", &Value::Bool(updated));
    }
    if let Some(id) = upserted {
        last.put("upserted", &id);
    }
    let mut w = DocWriter::new();
    w.put("lastErrorObject", &Value::Document(last.finish()));
    w.put("value", &value.map_or(Value::Null, Value::Document));
    w.put("ok", &Value::Double(1.0));
    w.finish()
}

pgfn! {
    /// `documentdb_api.find_and_modify`
    fn command_find_and_modify(call) {
        let db = call.opt_text(0)?.ok_or_else(|| null_argument("p_database_name"))?;
        let command = call.opt_bytes(1).ok_or_else(|| null_argument("p_message"))?;
        let reply = FindAndModify::parse(Doc::trusted(command))?.run(db, call.opt_text(2)?)?;
        call.record(&[Some(varlena(&reply)), Some(Datum::from(true))])
    }
}
