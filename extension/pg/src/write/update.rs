//! update.

use engine::{ArrayWriter, Doc, DocWriter, Val, Value, codes};
use pgrx::pg_sys::Datum;

use super::batch::{self, operations};
use super::context::Context;
use super::modify::{Modified, Modify};
use super::place::Place;
use super::validate::Check;
use super::{fail, put_errors, refuse_in_transaction, retry};
use crate::catalog::{names, null_argument};
use crate::error::Result;
use crate::storage::Access;
use crate::sys::{Call, varlena};
use crate::{guard, spec, xact};

/// One element of `updates`.
fn statement(d: Doc<'_>) -> Result<Modify<'_>> {
    let (mut filter, mut update) = (None, None);
    let mut m = Modify {
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
    for e in d {
        match e.name() {
            // Null stands for a typed field that is not there, as everywhere in MongoDB.
            "q" | "multi" | "upsert" | "arrayFilters" | "sort" | "collation" | "c" if e.val.is_nullish() => {}
            "q" => filter = Some(spec::document("update.updates.q", e.val)?),
            "u" if e.val.as_doc().or(e.val.as_array()).is_some() => update = Some(e.val),
            "u" => {
                return Err(fail(
                    codes::FAILED_TO_PARSE,
                    "Update argument must be either an object or an array",
                ));
            }
            "multi" => m.multi = spec::bool("update.updates.multi", e.val)?,
            "upsert" => m.upsert = spec::bool("update.updates.upsert", e.val)?,
            "arrayFilters" => m.array_filters = Some(spec::documents("update.updates.arrayFilters", e.val)?),
            "sort" => m.sort = Some(spec::document("update.updates.sort", e.val)?),
            "collation" => m.collation = spec::collation("update.updates.collation", e.val)?,
            "hint" => m.hint = Some(e.val),
            "c" => m.constants = Some(spec::document("update.updates.c", e.val)?),
            "comment" => {
                let message = "BSON field 'update.updates.comment' is not yet supported";
                return Err(fail(codes::COMMAND_NOT_SUPPORTED, message));
            }
            name => return Err(spec::unknown("update.updates", name)),
        }
    }
    m.filter = filter.ok_or_else(|| spec::missing("update.updates.q"))?;
    m.update = update.ok_or_else(|| spec::missing("update.updates.u"))?;
    Ok(m)
}

/// An update command.
struct Update<'a> {
    collection: &'a str,
    statements: Vec<Modify<'a>>,
    ordered: bool,
    bypass: bool,
    context: Context,
    max_time: i64,
}

/// What a statement counts.
#[derive(Default)]
struct Count {
    matched: i32,
    changed: i32,
    upserted: Option<Value>,
}

impl<'a> Update<'a> {
    fn parse(command: Doc<'a>, sequence: Option<&'a [u8]>) -> Result<Self> {
        let (mut name, mut updates, mut variables) = (None, None, None);
        let (mut ordered, mut bypass, mut max_time) = (true, false, 0);
        for e in command {
            match e.name() {
                "updates" | "ordered" | "let" if e.val.is_nullish() => {}
                "update" => name = Some(e.val),
                "updates" => updates = Some(e.val),
                "ordered" => ordered = spec::bool("update.ordered", e.val)?,
                "bypassDocumentValidation" => {
                    bypass = spec::safe_bool("update.bypassDocumentValidation", e.val)?
                }
                "let" => variables = Some(spec::document("update.let", e.val)?),
                "maxTimeMS" => max_time = spec::max_time_ms("update", e.val)?,
                other if spec::is_common(other) => {}
                other => return Err(spec::unknown("update", other)),
            }
        }
        let collection = spec::collection_name(name.ok_or_else(|| spec::missing("update.update"))?)?;
        if updates.is_none() && sequence.is_none() {
            return Err(spec::missing("update.updates"));
        }
        let statements = operations("update", "updates", updates, sequence)?;
        let statements = statements.into_iter().map(statement).collect::<Result<_>>()?;
        Ok(Update { collection, statements, ordered, bypass, context: Context::new(variables)?, max_time })
    }

    fn run(&self, db: &str, transaction: Option<&str>) -> Result<(Vec<u8>, bool)> {
        names::check_system(db, self.collection)?;
        guard::write()?;
        xact::limit_time(self.max_time);
        let upserts = self.statements.iter().any(|s| s.upsert);
        let place = Place::find(db, self.collection, Access::Update, upserts)?;
        let place = place.as_ref();
        let single = transaction.filter(|_| matches!(&self.statements[..], [only] if !only.multi));
        retry::remembered(place.map(|p| &*p.collection), single, || self.execute(place))
    }

    fn execute(&self, place: Option<&Place>) -> Result<(Vec<u8>, bool)> {
        let collection = place.map(|p| &*p.collection);
        let check = collection.map(|c| Check::new(c, self.bypass)).transpose()?;
        let one = |i: usize| -> Result<Count> {
            let (Some(place), Some(check)) = (place, &check) else {
                self.statements[i].check(&self.context)?;
                return Ok(Count::default());
            };
            Ok(match self.statements[i].run(place, check, &self.context, None)? {
                Modified::Many { matched, changed } => {
                    Count { matched: matched as i32, changed: changed as i32, upserted: None }
                }
                Modified::One(c) => Count { matched: 1, changed: i32::from(c.new.is_some()), upserted: None },
                Modified::Inserted(document) => Count {
                    matched: 1,
                    changed: 0,
                    upserted: Doc::trusted(&document).get("_id").map(Value::from),
                },
                Modified::Nothing => Count::default(),
            })
        };
        let many = |range: core::ops::Range<usize>| range.map(one).collect();
        let outcome = batch::run(self.statements.len(), self.ordered, collection, many, one)?;
        let mut reply = DocWriter::new();
        reply.put("ok", &Value::Double(1.0));
        reply.put("nModified", &Value::Int32(outcome.done.iter().map(|(_, c)| c.changed).sum()));
        reply.put("n", &Value::Int32(outcome.done.iter().map(|(_, c)| c.matched).sum()));
        let mut upserted = ArrayWriter::new();
        for (i, count) in &outcome.done {
            if let Some(id) = &count.upserted {
                let mut w = DocWriter::new();
                w.put("index", &Value::Int32(*i as i32));
                w.put("_id", id);
                upserted.push(&Value::Document(w.finish()));
            }
        }
        if !upserted.is_empty() {
            reply.put("upserted", &Value::Array(upserted.finish()));
        }
        put_errors(&mut reply, &outcome.errors);
        Ok((reply.finish(), outcome.errors.is_empty()))
    }
}

fn update(call: Call<'_>) -> Result<Datum> {
    let db = call.opt_text(0)?.ok_or_else(|| null_argument("database name"))?;
    let command = call.opt_bytes(1).ok_or_else(|| null_argument("update document"))?;
    let (reply, success) =
        Update::parse(Doc::trusted(command), call.opt_bytes(2))?.run(db, call.opt_text(3)?)?;
    call.record(&[Some(varlena(&reply)), Some(Datum::from(success))])
}

pgfn! {
    /// `documentdb_api.update`
    fn command_update(call) { update(call) }
}
pgfn! {
    /// `documentdb_api.update_bulk`, a procedure.
    fn command_update_bulk(call) {
        refuse_in_transaction(call, "the bulk update procedure cannot be used in transactions. Please use the update function instead")?;
        update(call)
    }
}
