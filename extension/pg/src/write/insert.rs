//! insert.

use engine::{Doc, DocWriter, Val, Value, codes};
use pgrx::pg_sys::{self, Datum};

use super::batch::{self, operations};
use super::id::{MAX_DOCUMENT, Prepared, prepare};
use super::place::Place;
use super::validate::Check;
use super::{capped, fail, put_errors, retry};
use crate::catalog::null_argument;
use crate::error::Result;
use crate::storage::{Access, NewRow};
use crate::sys::{Call, varlena};
use crate::{guard, spec, xact};

/// An insert command.
struct Insert<'a> {
    collection: &'a str,
    documents: Vec<Doc<'a>>,
    ordered: bool,
    bypass: bool,
    max_time: i64,
}

impl<'a> Insert<'a> {
    fn parse(command: Doc<'a>, sequence: Option<&'a [u8]>) -> Result<Self> {
        let (mut name, mut documents): (Option<Val<'a>>, Option<Val<'a>>) = (None, None);
        let (mut ordered, mut bypass, mut max_time) = (true, false, 0);
        for e in command {
            match e.name() {
                "documents" | "ordered" if e.val.is_nullish() => {}
                "insert" => name = Some(e.val),
                "documents" => documents = Some(e.val),
                "ordered" => ordered = spec::bool("insert.ordered", e.val)?,
                "bypassDocumentValidation" => {
                    bypass = spec::safe_bool("insert.bypassDocumentValidation", e.val)?
                }
                "maxTimeMS" => max_time = spec::max_time_ms("insert", e.val)?,
                other if spec::is_common(other) => {}
                other => return Err(spec::unknown("insert", other)),
            }
        }
        let collection = spec::collection_name(name.ok_or_else(|| spec::missing("insert.insert"))?)?;
        let documents = operations("insert", "documents", documents, sequence)?;
        Ok(Insert { collection, documents, ordered, bypass, max_time })
    }

    fn run(&self, db: &str, transaction: Option<&str>) -> Result<(Vec<u8>, bool)> {
        guard::write()?;
        xact::limit_time(self.max_time);
        let place = Place::ensure(db, self.collection, Access::Insert)?;
        let single = transaction.filter(|_| self.documents.len() == 1);
        retry::remembered(Some(&place.collection), single, || self.execute(&place))
    }

    fn execute(&self, place: &Place) -> Result<(Vec<u8>, bool)> {
        let Place { collection, table } = place;
        let check = Check::new(collection, self.bypass)?;
        let _snapshot = xact::Snapshot::fresh();
        let ready = |i: usize| -> Result<Prepared<'a>> {
            check_size(self.documents[i])?;
            let p = prepare(self.documents[i])?;
            check.document(None, Doc::trusted(&p.document))?;
            Ok(p)
        };
        let outcome = batch::run(
            self.documents.len(),
            self.ordered,
            Some(collection),
            |range| {
                guard::disk_full()?;
                table.require(Access::Insert)?;
                let rows: Vec<Prepared<'a>> = range.map(ready).collect::<Result<_>>()?;
                let new: Vec<NewRow<'_>> = rows.iter().map(row).collect();
                capped::insert(table, collection, &new)?;
                Ok(rows.iter().map(|_| 1).collect())
            },
            |i| {
                guard::disk_full()?;
                table.require(Access::Insert)?;
                capped::insert(table, collection, &[row(&ready(i)?)])?;
                Ok(1)
            },
        )?;
        // SAFETY: makes the rows visible to what follows in this transaction.
        unsafe { pg_sys::CommandCounterIncrement() };
        let mut reply = DocWriter::new();
        reply.put("n", &Value::Int32(outcome.done.iter().map(|(_, n)| n).sum()));
        reply.put("ok", &Value::Double(1.0));
        put_errors(&mut reply, &outcome.errors);
        Ok((reply.finish(), outcome.errors.is_empty()))
    }
}

/// An error of the document alone, as every other mistake in one.
fn check_size(document: Doc<'_>) -> Result<()> {
    let size = document.bytes().len();
    if size <= MAX_DOCUMENT {
        return Ok(());
    }
    let text = format!("object to insert too large. size in bytes: {size}, max size: {MAX_DOCUMENT}");
    Err(fail(codes::BAD_VALUE, text))
}

fn row<'r>(p: &'r Prepared<'_>) -> NewRow<'r> {
    NewRow { object_id: &p.object_id, document: &p.document }
}

fn insert(call: Call<'_>) -> Result<Datum> {
    let db = call.opt_text(0)?.ok_or_else(|| null_argument("database name"))?;
    let command = call.opt_bytes(1).ok_or_else(|| null_argument("insert document"))?;
    let (reply, success) =
        Insert::parse(Doc::trusted(command), call.opt_bytes(2))?.run(db, call.opt_text(3)?)?;
    call.record(&[Some(varlena(&reply)), Some(Datum::from(success))])
}

pgfn! {
    /// `documentdb_api.insert`
    fn command_insert(call) { insert(call) }
}
pgfn! {
    /// `documentdb_api.insert_bulk`, a procedure.
    fn command_insert_bulk(call) {
        super::refuse_in_transaction(call, "the insert procedure cannot be used in transactions. Please use the insert function instead")?;
        insert(call)
    }
}
pgfn! {
    /// `documentdb_api.insert_one`: one document, the reply document alone.
    fn command_insert_one(call) {
        let db = call.opt_text(0)?.ok_or_else(|| null_argument("database name"))?;
        let name = call.opt_text(1)?.ok_or_else(|| null_argument("collection name"))?;
        let document = call.opt_bytes(2).ok_or_else(|| null_argument("insert document"))?;
        let mut command = DocWriter::new();
        command.put_str("insert", name);
        let command = command.finish();
        Ok(varlena(&Insert::parse(Doc::trusted(&command), Some(document))?.run(db, call.opt_text(3)?)?.0))
    }
}
