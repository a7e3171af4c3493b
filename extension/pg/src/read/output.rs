//! `$out` and `$merge`: a pipeline's documents written to a collection (MongoDB manual, "$out", "$merge").

use engine::stage::{Docs, MatchedAction, NotMatchedAction, Output};
use engine::{Doc, DocWriter, Error, Value, codes};

use super::host::Server;
use crate::error::Result;
use crate::write::{self, Context};
use crate::{guard, spi};

/// Documents and bytes of them that are written at once.
const BATCH: (usize, usize) = (1000, 4 * 1024 * 1024);

/// Writes a pipeline's documents.
pub fn write(server: &Server, output: &Output, documents: Docs<'_>) -> Result<()> {
    guard::write()?;
    match output {
        Output::Out { target } => {
            let db = target.db.as_deref().unwrap_or(&server.db);
            // Otherwise two of them would leave each other's documents, and another writer's would stay.
            out(server, &write::Target::open(db, &target.collection, server.bypass, true)?, documents)
        }
        Output::Merge { target, on, matched, not_matched } => {
            let db = target.db.as_deref().unwrap_or(&server.db);
            write::verify_unique(db, &target.collection, on, server.collation())?;
            let target = write::Target::open(db, &target.collection, server.bypass, false)?;
            let rule = Rule { on, matched, not_matched: *not_matched, plain: Context::new(None)? };
            for d in documents {
                crate::xact::check_interrupts();
                rule.apply(&target, d.map_err(|e| server.land(e))?)?;
            }
            Ok(())
        }
    }
}

/// What the pipeline reads it reads as it was when the statement began, so the target may be emptied before, even if it
/// is the source.
fn out(server: &Server, target: &write::Target, documents: Docs<'_>) -> Result<()> {
    if target.is_capped() {
        let text = format!("namespace '{}' is capped so it can't be used for $out", target.namespace());
        return Err(Error::new(codes::LOCATION17152, text).into());
    }
    spi::run(&format!("DELETE FROM documentdb_data.documents_{}", target.id()), &[])?;
    let (mut batch, mut size) = (Vec::new(), 0);
    for d in documents {
        let d = d.map_err(|e| server.land(e))?;
        size += d.len();
        batch.push(d);
        if batch.len() >= BATCH.0 || size >= BATCH.1 {
            target.insert(&batch)?;
            batch.clear();
            size = 0;
        }
    }
    target.insert(&batch)
}

struct Rule<'a> {
    on: &'a [String],
    matched: &'a MatchedAction,
    not_matched: NotMatchedAction,
    /// Without variables.
    plain: Context,
}

impl Rule<'_> {
    fn apply(&self, target: &write::Target, mut document: Vec<u8>) -> Result<()> {
        let by_id = self.on.iter().any(|f| f == "_id");
        if by_id && Doc::trusted(&document).get("_id").is_none() {
            document = with_id(Doc::trusted(&document))?;
        }
        let d = Doc::trusted(&document);
        let filter = self.filter(d)?;
        let filter = Doc::trusted(&filter);
        let inserts = self.not_matched == NotMatchedAction::Insert;
        let update = match self.matched {
            MatchedAction::Fail => return self.insert(target, &document),
            MatchedAction::Replace => Value::Document(document.clone()),
            MatchedAction::KeepExisting => Value::Document(wrap("$setOnInsert", d)),
            MatchedAction::Merge => Value::Document(wrap("$set", d)),
            MatchedAction::Pipeline { stages, .. } => Value::Array(stages.clone()),
        };
        let pipeline = matches!(self.matched, MatchedAction::Pipeline { .. });
        let bound = if pipeline { Some(Context::with(self.matched.bind(d)?)?) } else { None };
        let context = bound.as_ref().unwrap_or(&self.plain);
        let done = update.with_val(|update| {
            if pipeline && inserts {
                // What is not there is inserted as it came, not made by the pipeline.
                return target.change_or_insert(filter, update, context, &document).map(|()| true);
            }
            target.change(filter, update, inserts, context)
        });
        let done = done.map_err(|mut e| {
            if e.sqlstate == codes::IMMUTABLE_FIELD.sqlstate.as_bytes() {
                let text = "$merge failed to update the matching document, did you attempt to modify the _id or the shard key?";
                e.message = format!("{text} :: caused by :: {}", e.message);
            }
            e
        })?;
        if !done && self.not_matched == NotMatchedAction::Fail {
            let text = "$merge could not find a matching document in the target collection for at least one document in the source collection";
            return Err(Error::new(codes::MERGE_STAGE_NO_MATCHING_DOCUMENT, text).into());
        }
        Ok(())
    }

    fn insert(&self, target: &write::Target, document: &[u8]) -> Result<()> {
        target.insert(&[document.to_vec()]).map_err(|mut e| {
            if write::is_duplicate(&e) {
                let text = "$merge with whenMatched: fail found an existing document with the same values for the 'on' fields";
                text.clone_into(&mut e.message);
            }
            e
        })
    }

    /// `{field: {$eq: value}, …}`
    fn filter(&self, d: Doc<'_>) -> Result<Vec<u8>> {
        let mut w = DocWriter::new();
        for path in self.on {
            let found = engine::path::Path::new(path).get_plain(d);
            let Some(v) = found.filter(|v| path == "_id" || !v.is_nullish() && v.as_array().is_none()) else {
                let text = "$merge write error: 'on' field cannot be missing, null, undefined or an array";
                return Err(Error::new(codes::LOCATION51132, text).into());
            };
            let mut eq = DocWriter::new();
            eq.put_val("$eq", v);
            w.put_doc(path, Doc::trusted(&eq.finish()));
        }
        Ok(w.finish())
    }
}

/// The document with a new `_id`.
fn with_id(d: Doc<'_>) -> Result<Vec<u8>> {
    let mut w = DocWriter::with_capacity(d.bytes().len() + 24);
    w.put("_id", &Value::ObjectId(write::object_id()?));
    w.put_elements(d.elements());
    Ok(w.finish())
}

fn wrap(operator: &str, fields: Doc<'_>) -> Vec<u8> {
    let mut w = DocWriter::new();
    w.put_doc(operator, fields);
    w.finish()
}
