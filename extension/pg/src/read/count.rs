//! `count_query`.

use engine::{Doc, DocWriter, Value};

use super::aggregate::each_of_view;
use super::spec::{Find, collation, limit, non_empty, skip, unknown};
use super::walk::{Opened, Parsed};
use crate::catalog;
use crate::error::Result;
use crate::spec::{document, is_common, max_time_ms, string};
use crate::sys::varlena;
use crate::xact::limit_time;

/// Reads the command as the find whose documents it counts.
pub fn parse(command: Doc<'_>) -> Result<Find<'_>> {
    let mut f = Find::EMPTY;
    for e in command {
        let v = e.val;
        match e.name() {
            "count" => f.collection = string("count", v)?,
            "query" | "limit" | "skip" | "collation" if v.is_nullish() => {}
            "query" => f.filter = document("count.query", v)?,
            "limit" => f.limit = limit("count.limit", v)?.checked_abs().unwrap_or(i64::MAX),
            "skip" => f.skip = skip("count.skip", v)?,
            "hint" => f.hint = Some(v),
            "collation" => f.collation = collation(v)?,
            "maxTimeMS" => limit_time(max_time_ms("count", v)?),
            "fields" => {}
            name if is_common(name) => {}
            name => return Err(unknown(name)),
        }
    }
    non_empty(f.collection)?;
    Ok(f)
}

pgfn! {
    /// `count_query(database, countSpec)`
    fn command_count_query(call) {
        let (db, command) = (call.text(0)?, Doc::trusted(call.doc(1)?));
        Ok(varlena(&reply(db, command)?))
    }
}

/// The command's reply.
pub fn reply(db: &str, command: Doc<'_>) -> Result<Vec<u8>> {
    let f = parse(command)?;
    let n = count(db, &f)?;
    let n = i32::try_from(n).map_or(Value::Int64(n), Value::Int32);
    let mut w = DocWriter::new();
    w.put("n", &n).put("ok", &Value::Double(1.0));
    Ok(w.finish())
}

fn count(db: &str, f: &Find<'_>) -> Result<i64> {
    let found = catalog::find(db, f.collection)?;
    let parsed = Parsed::new(f, found.as_deref())?;
    let Some(c) = found else { return Ok(0) };
    if c.view.is_some() {
        let mut n = 0;
        each_of_view(db, f, |_| n += 1)?;
        return Ok(n);
    }
    let opened = Opened::new(c, f, &parsed)?;
    let mut walk = opened.count(&parsed)?;
    let most = if f.limit > 0 { f.limit.saturating_add(f.skip) } else { i64::MAX };
    let mut n = 0;
    while n < most && walk.next()?.is_some() {
        n += 1;
    }
    Ok((n - f.skip).max(0))
}
