//! `$out` and `$merge`: a pipeline's documents written to a collection, by the extension's own write commands.

use engine::stage::{Docs, MatchedAction, NotMatchedAction, Output, Target};
use engine::{ArrayWriter, Doc, DocWriter, Error, Val, Value, codes};

use super::host::Server;
use crate::error::Result;
use crate::spi::{self, Cell, Param};
use crate::{catalog, ddl, guard};

/// Documents written by one command.
const BATCH: usize = 1000;

/// Writes a pipeline's documents.
pub fn write(server: &Server, output: &Output, documents: Docs<'_>) -> Result<()> {
    guard::write()?;
    match output {
        Output::Out { target } => out(server, target, documents),
        Output::Merge { target, on, matched, not_matched } => {
            let (db, name) = place(server, target);
            ddl::ensure(db, name)?;
            let rule = Rule { on, matched, not_matched: *not_matched };
            for d in documents {
                let d = d.map_err(|e| server.land(e))?;
                rule.apply(db, name, Doc::trusted(&d))?;
            }
            Ok(())
        }
    }
}

fn place<'t>(server: &'t Server, target: &'t Target) -> (&'t str, &'t str) {
    (target.db.as_deref().unwrap_or(&server.db), &target.collection)
}

/// Everything is read before the target is emptied: it may be the source.
fn out(server: &Server, target: &Target, documents: Docs<'_>) -> Result<()> {
    let (db, name) = place(server, target);
    let mut all: Vec<Vec<u8>> = Vec::new();
    for d in documents {
        all.push(d.map_err(|e| server.land(e))?);
    }
    let c = match catalog::find_table(db, name)? {
        Some(c) => c,
        None => ddl::ensure(db, name)?,
    };
    spi::run(&format!("DELETE FROM documentdb_data.documents_{}", c.id), &[])?;
    for batch in all.chunks(BATCH) {
        insert(db, name, batch)?;
    }
    Ok(())
}

fn insert(db: &str, name: &str, batch: &[Vec<u8>]) -> Result<()> {
    let mut list = ArrayWriter::new();
    for d in batch {
        list.push_val(Val { ty: engine::raw::ty::DOCUMENT, bytes: d });
    }
    let mut w = DocWriter::new();
    w.put_str("insert", name).put_array("documents", Doc::trusted(&list.finish()));
    command("SELECT p_result FROM documentdb_api.insert($1, $2::documentdb_core.bson)", db, &w.finish())
        .map(|_| ())
}

/// Runs a write command; its first write error becomes an error.
fn command(sql: &str, db: &str, spec: &[u8]) -> Result<Vec<u8>> {
    let rows = spi::run_returning(sql, &[Param::Text(Some(db)), Param::Bytes(Some(spec))])?;
    let reply =
        rows.first().and_then(|r| r.first()).and_then(Cell::bytes).unwrap_or(Doc::EMPTY.bytes()).to_vec();
    let errors = Doc::trusted(&reply).get("writeErrors").and_then(Val::as_array);
    if let Some(e) = errors.and_then(|a| a.values().next()).and_then(Val::as_doc) {
        let code =
            e.get("code").and_then(crate::spec::integer).and_then(|i| i32::try_from(i).ok()).unwrap_or(0);
        let state = crate::error::unpack(code);
        return Err(crate::error::Error::native(&state, e.get("errmsg").and_then(Val::as_str).unwrap_or("")));
    }
    Ok(reply)
}

struct Rule<'a> {
    on: &'a [String],
    matched: &'a MatchedAction,
    not_matched: NotMatchedAction,
}

impl Rule<'_> {
    fn apply(&self, db: &str, name: &str, d: Doc<'_>) -> Result<()> {
        let filter = self.filter(d)?;
        let inserts = self.not_matched == NotMatchedAction::Insert;
        let (update, variables) = match self.matched {
            MatchedAction::Fail => {
                if inserts {
                    return insert(db, name, &[d.bytes().to_vec()]);
                }
                return Err(Error::new(
                    codes::BAD_VALUE,
                    "$merge with whenMatched: 'fail' needs whenNotMatched: 'insert'",
                )
                .into());
            }
            MatchedAction::Replace => (self.replacement(d), None),
            MatchedAction::KeepExisting => (wrap("$setOnInsert", &self.without_id(d)), None),
            MatchedAction::Merge => (wrap("$set", &self.without_id(d)), None),
            MatchedAction::Pipeline { stages, variables } => {
                return self.pipeline(db, name, d, &filter, stages, variables.as_deref());
            }
        };
        let update = Value::Document(update);
        self.update(db, name, &filter, &update, variables, inserts)
    }

    fn filter(&self, d: Doc<'_>) -> Result<Vec<u8>> {
        let mut w = DocWriter::new();
        let id = ["_id".to_owned()];
        let on = if self.on.is_empty() { &id[..] } else { self.on };
        for path in on {
            let Some(v) = engine::path::Path::new(path).get_plain(d).filter(|v| !v.is_nullish()) else {
                if path == "_id" {
                    // A document without one gets a new one: it matches nothing.
                    w.put("_id", &Value::ObjectId(crate::write::object_id()?));
                    continue;
                }
                let text = "$merge write error: 'on' field cannot be missing, null, undefined or an array";
                return Err(Error::new(codes::LOCATION51132, text).into());
            };
            let mut eq = DocWriter::new();
            eq.put_val("$eq", v);
            w.put_doc(path, Doc::trusted(&eq.finish()));
        }
        Ok(w.finish())
    }

    fn without_id(&self, d: Doc<'_>) -> Vec<u8> {
        let by_id = self.on.is_empty() || self.on.iter().any(|p| p == "_id");
        let mut w = DocWriter::new();
        for e in d.iter().filter(|e| !by_id || e.name() != "_id") {
            w.put_elem(&e);
        }
        w.finish()
    }

    fn replacement(&self, d: Doc<'_>) -> Vec<u8> {
        d.bytes().to_vec()
    }

    fn pipeline(
        &self,
        db: &str,
        name: &str,
        d: Doc<'_>,
        filter: &[u8],
        stages: &[u8],
        own: Option<&[u8]>,
    ) -> Result<()> {
        let mut variables = DocWriter::new();
        let mut literal = DocWriter::new();
        literal.put_doc("$literal", d);
        variables.put_doc("new", Doc::trusted(&literal.finish()));
        if let Some(own) = own {
            variables.put_elements(Doc::trusted(own).elements());
        }
        let variables = variables.finish();
        let update = Value::Array(stages.to_vec());
        // What is not there is inserted as it came, not made by the pipeline.
        let n = self.update_count(db, name, filter, &update, Some(&variables), false)?;
        if n == 0 {
            return self.missing(db, name, d);
        }
        Ok(())
    }

    fn missing(&self, db: &str, name: &str, d: Doc<'_>) -> Result<()> {
        match self.not_matched {
            NotMatchedAction::Insert => insert(db, name, &[d.bytes().to_vec()]),
            NotMatchedAction::Discard => Ok(()),
            NotMatchedAction::Fail => Err(no_match()),
        }
    }

    fn update(
        &self,
        db: &str,
        name: &str,
        filter: &[u8],
        update: &Value,
        variables: Option<&[u8]>,
        upsert: bool,
    ) -> Result<()> {
        let n = self.update_count(db, name, filter, update, variables, upsert)?;
        if n == 0 && self.not_matched == NotMatchedAction::Fail {
            return Err(no_match());
        }
        Ok(())
    }

    fn update_count(
        &self,
        db: &str,
        name: &str,
        filter: &[u8],
        update: &Value,
        variables: Option<&[u8]>,
        upsert: bool,
    ) -> Result<i64> {
        let mut one = DocWriter::new();
        one.put_doc("q", Doc::trusted(filter)).put("u", update).put("upsert", &Value::Bool(upsert));
        let mut list = ArrayWriter::new();
        list.push(&Value::Document(one.finish()));
        let mut w = DocWriter::new();
        w.put_str("update", name).put_array("updates", Doc::trusted(&list.finish()));
        if let Some(v) = variables {
            w.put_doc("let", Doc::trusted(v));
        }
        let sql = "SELECT p_result FROM documentdb_api.update($1, $2::documentdb_core.bson)";
        let reply = command(sql, db, &w.finish())?;
        Ok(Doc::trusted(&reply).get("n").and_then(crate::spec::integer).unwrap_or(0))
    }
}

fn no_match() -> crate::error::Error {
    let text = "$merge could not find a matching document in the target collection for at least one document in the source collection";
    Error::new(codes::MERGE_STAGE_NO_MATCHING_DOCUMENT, text).into()
}

fn wrap(operator: &str, fields: &[u8]) -> Vec<u8> {
    let mut w = DocWriter::new();
    w.put_doc(operator, Doc::trusted(fields));
    w.finish()
}
