//! delete.

use engine::{Doc, DocWriter, Val, Value, codes};
use pgrx::pg_sys::Datum;

use super::batch::{self, operations};
use super::change::{Search, Step};
use super::context::Context;
use super::place::Place;
use super::{fail, put_errors, retry};
use crate::access::Hint;
use crate::catalog::{names, null_argument};
use crate::error::{Error, Result};
use crate::storage::Access;
use crate::sys::{Call, varlena};
use crate::{guard, spec, xact};

/// One element of `deletes`.
struct Statement<'a> {
    filter: Doc<'a>,
    one: bool,
    hint: Option<Val<'a>>,
    collation: Option<Doc<'a>>,
}

impl<'a> Statement<'a> {
    fn parse(d: Doc<'a>) -> Result<Self> {
        let (mut filter, mut limit, mut hint, mut collation) = (None, None, None, None);
        for e in d {
            match e.name() {
                // Null stands for a typed field that is not there, as everywhere in MongoDB.
                "q" | "limit" | "collation" if e.val.is_nullish() => {}
                "q" => filter = Some(spec::document("delete.deletes.q", e.val)?),
                "limit" => limit = Some(e.val),
                "hint" => hint = Some(e.val),
                "collation" => collation = spec::collation("delete.deletes.collation", e.val)?,
                name => return Err(spec::unknown("delete.deletes", name)),
            }
        }
        let filter = filter.ok_or_else(|| spec::missing("delete.deletes.q"))?;
        let limit = limit.ok_or_else(|| spec::missing("delete.deletes.limit"))?;
        // The official extension takes what is no number for 0, and deletes everything.
        let wrong = || spec::wrong_types("delete.deletes.limit", limit, "int, decimal, double, long");
        if !limit.is_number() {
            return Err(wrong());
        }
        // A fraction is none of both: cut off, 0.5 would delete everything.
        let one = match engine::number::to_f64(limit) {
            0.0 => false,
            1.0 => true,
            other => {
                let message = format!("The limit field in delete objects must be 0 or 1. Got {other}");
                return Err(fail(codes::FAILED_TO_PARSE, message));
            }
        };
        Ok(Statement { filter, one, hint, collation })
    }

    fn run(&self, place: Option<&Place>, context: &Context) -> Result<i32> {
        let collection = place.map(|p| &*p.collection);
        let query = context.query(self.filter, &spec::effective(self.collation, collection)?)?;
        let Some(Place { collection, table }) = place else { return Ok(0) };
        table.require(Access::Delete)?;
        let hint = Hint::parse(collection, self.hint)?;
        let search = Search { collection, table, query: &query, sort: None, hint };
        guard::disk_full()?;
        if self.one {
            Ok(i32::from(search.one(|_| Ok(Step::Remove))?.is_some()))
        } else {
            Ok(search.all(|_| Ok(Step::Remove))?.0 as i32)
        }
    }
}

/// A delete command.
struct Delete<'a> {
    collection: &'a str,
    statements: Vec<Statement<'a>>,
    ordered: bool,
    context: Context,
    max_time: i64,
}

impl<'a> Delete<'a> {
    fn parse(command: Doc<'a>, sequence: Option<&'a [u8]>) -> Result<Self> {
        let (mut name, mut deletes, mut variables) = (None, None, None);
        let (mut ordered, mut max_time) = (true, 0);
        for e in command {
            match e.name() {
                "delete" => name = Some(e.val),
                "deletes" => deletes = Some(e.val),
                "ordered" => ordered = spec::bool("delete.ordered", e.val)?,
                "let" => variables = Some(spec::document("delete.let", e.val)?),
                "maxTimeMS" => max_time = spec::max_time_ms("delete", e.val)?,
                other if spec::is_common(other) => {}
                other => return Err(spec::unknown("delete", other)),
            }
        }
        let name = name.ok_or_else(|| spec::missing("delete.delete"))?;
        let collection = name.as_str().map_or_else(|| spec::collection_name(name), Ok)?;
        let statements = operations("delete", "deletes", deletes, sequence)?;
        let statements = statements.into_iter().map(Statement::parse).collect::<Result<_>>()?;
        Ok(Delete { collection, statements, ordered, context: Context::new(variables)?, max_time })
    }

    fn run(&self, db: &str, transaction: Option<&str>) -> Result<(Vec<u8>, bool)> {
        names::check_system(db, self.collection)?;
        guard::write()?;
        xact::limit_time(self.max_time);
        let place = Place::find(db, self.collection, Access::Delete, false)?;
        let place = place.as_ref();
        let single = transaction.filter(|_| matches!(&self.statements[..], [only] if only.one));
        retry::remembered(place.map(|p| &*p.collection), single, || self.execute(place))
    }

    fn execute(&self, place: Option<&Place>) -> Result<(Vec<u8>, bool)> {
        let outcome = batch::run(
            self.statements.len(),
            self.ordered,
            place.map(|p| &*p.collection),
            |range| range.map(|i| self.statements[i].run(place, &self.context)).collect(),
            |i| self.statements[i].run(place, &self.context),
        )?;
        // A conflict under REPEATABLE READ ends the transaction, as the official extension has it for deletes.
        let conflict = |(_, e): &(usize, Error)| e.is(b"40001");
        if let Some(at) = outcome.errors.iter().position(conflict) {
            return Err(outcome.errors[at].1.clone());
        }
        let mut reply = DocWriter::new();
        reply.put("n", &Value::Int32(outcome.done.iter().map(|(_, n)| n).sum()));
        reply.put("ok", &Value::Double(1.0));
        put_errors(&mut reply, &outcome.errors);
        Ok((reply.finish(), outcome.errors.is_empty()))
    }
}

fn delete(call: Call<'_>) -> Result<Datum> {
    let db = call.opt_text(0)?.ok_or_else(|| null_argument("database name"))?;
    let command = call.opt_bytes(1).ok_or_else(|| null_argument("delete document"))?;
    let (reply, success) =
        Delete::parse(Doc::trusted(command), call.opt_bytes(2))?.run(db, call.opt_text(3)?)?;
    call.record(&[Some(varlena(&reply)), Some(Datum::from(success))])
}

pgfn! {
    /// `documentdb_api.delete`
    fn command_delete(call) { delete(call) }
}
