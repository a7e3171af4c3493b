//! `bson_aggregation_pipeline`, `_find`, `_count`, `_distinct`: the commands' documents as rows.

use std::vec::IntoIter;

use engine::Doc;
use pgrx::pg_sys::{self, Datum};

use super::aggregate::run_of;
use super::host::Server;
use super::spec::{Aggregate, Find};
use super::walk::{Opened, Parsed};
use super::{aggregate, count, distinct};
use crate::access::Position;
use crate::catalog;
use crate::error::{Result, internal};
use crate::sys::{Call, varlena};

/// Returns `rows` as a set, into the tuple store the caller gives room for.
fn set(call: Call<'_>, rows: IntoIter<Vec<u8>>) -> Result<Datum> {
    // SAFETY: the functions are declared as returning a set of one bson column; InitMaterializedSRF makes store and
    // descriptor for it in the caller's memory.
    unsafe {
        pg_sys::InitMaterializedSRF(call.raw(), pg_sys::MAT_SRF_USE_EXPECTED_DESC);
        let info = (*call.raw()).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        if info.is_null() {
            return Err(internal("a set is not accepted here"));
        }
        for row in rows {
            let (mut value, mut null) = (varlena(&row), false);
            pg_sys::tuplestore_putvalues((*info).setResult, (*info).setDesc, &mut value, &mut null);
            pg_sys::pfree(value.cast_mut_ptr());
        }
    }
    Ok(call.null())
}

pgfn! {
    /// `bson_aggregation_pipeline(databaseName, aggregationPipeline)`
    fn bson_aggregation_pipeline(call) {
        let (db, command) = (call.text(0)?, Doc::trusted(call.doc(1)?));
        set(call, collected(db, command)?.into_iter())
    }
}

/// The results of a pipeline.
///
/// # Errors
/// Those of the pipeline; IllegalOperation 20 for one that would write, which a query must not.
pub fn collected(db: &str, command: Doc<'_>) -> Result<Vec<Vec<u8>>> {
    let a = Aggregate::parse(command, false)?;
    let run = run_of(db, &a)?;
    if run.pipeline.output().is_some() {
        let message = "a pipeline with $out or $merge is no query";
        return Err(engine::Error::new(engine::codes::ILLEGAL_OPERATION, message).into());
    }
    let host = Server::new(db, a.collection, run.collation());
    let (docs, _) = run.start(&host, None)?;
    docs.collect::<engine::Result<_>>().map_err(|e| host.land(e))
}

pgfn! {
    /// `bson_aggregation_find(databaseName, findSpec)`
    fn bson_aggregation_find(call) {
        let (db, command) = (call.text(0)?, Doc::trusted(call.doc(1)?));
        set(call, found(db, command)?.into_iter())
    }
}

/// The documents of a find.
///
/// # Errors
/// Those of the command.
pub fn found(db: &str, command: Doc<'_>) -> Result<Vec<Vec<u8>>> {
    let f = &Find::parse(command)?;
    let c = catalog::find(db, f.collection)?;
    let parsed = Parsed::new(f, c.as_deref())?;
    let mut all = Vec::new();
    let Some(c) = c else { return Ok(all) };
    if c.view.is_some() {
        aggregate::each_of_view(db, f, |d| all.push(d.to_vec()))?;
        return all.iter().map(|d| Ok(parsed.show(d)?.into_owned())).collect();
    }
    let opened = Opened::new(c, f, &parsed)?;
    let bound = (f.limit > 0).then(|| f.limit.saturating_add(f.skip));
    let mut walk = opened.walk(&parsed, &Position::Start, bound)?;
    let (mut skip, most) = (f.skip, if f.limit > 0 { f.limit } else { i64::MAX });
    while i64::try_from(all.len()).unwrap_or(i64::MAX) < most
        && let Some(d) = walk.next()?
    {
        if skip > 0 {
            skip -= 1;
        } else {
            all.push(parsed.show(d)?.into_owned());
        }
    }
    Ok(all)
}

pgfn! {
    /// `bson_aggregation_count(databaseName, countSpec)`
    fn bson_aggregation_count(call) {
        let reply = count::reply(call.text(0)?, Doc::trusted(call.doc(1)?))?;
        set(call, vec![reply].into_iter())
    }
}

pgfn! {
    /// `bson_aggregation_distinct(databaseName, distinctSpec)`
    fn bson_aggregation_distinct(call) {
        let reply = distinct::reply(call.text(0)?, Doc::trusted(call.doc(1)?))?;
        set(call, vec![reply].into_iter())
    }
}

pgfn! {
    /// `explain_plan(database, commandSpec)`: the way a find takes, as one line of text: for tests and the curious.
    fn command_explain_plan(call) {
        let (db, command) = (call.text(0)?, Doc::trusted(call.doc(1)?));
        let f = Find::parse(command)?;
        let found = catalog::find_table(db, f.collection)?;
        let parsed = Parsed::new(&f, found.as_deref())?;
        let line = match found {
            None => "EOF".to_owned(),
            Some(c) => {
                let opened = Opened::new(c, &f, &parsed)?;
                let sort = if opened.blocks(&parsed) { "SORT, " } else { "" };
                format!("{sort}{}", opened.describe())
            }
        };
        Ok(varlena(line.as_bytes()))
    }
}
