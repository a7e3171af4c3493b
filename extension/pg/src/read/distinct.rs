//! `distinct_query`.

use engine::distinct::Distinct;
use engine::{Doc, DocWriter, Error, Value, codes};

use super::aggregate::each_of_view;
use super::spec::{Find, collation, non_empty, required, unknown};
use super::walk::{Opened, Parsed};
use crate::access::{Hint, Position};
use crate::catalog;
use crate::error::Result;
use crate::spec::{document, is_common, max_time_ms, missing, string};
use crate::sys::varlena;
use crate::xact::limit_time;

/// Longest BSON document.
const MAX_DOCUMENT: usize = 16 * 1024 * 1024;

pgfn! {
    /// `distinct_query(database, distinctSpec)`
    fn command_distinct_query(call) {
        let (db, command) = (call.text(0)?, Doc::trusted(call.doc(1)?));
        Ok(varlena(&reply(db, command)?))
    }
}

/// The fields of a command.
struct Fields<'a> {
    collection: &'a str,
    key: &'a str,
    filter: Doc<'a>,
    hint: Option<engine::Val<'a>>,
    collation: Option<Doc<'a>>,
}

/// The command as the find whose documents it reads.
///
/// # Errors
/// Those of its fields.
pub fn parts(command: Doc<'_>) -> Result<Find<'_>> {
    let Fields { collection, filter, hint, collation, .. } = fields(command)?;
    Ok(Find { collection, filter, hint, collation, ..Find::EMPTY })
}

fn fields(command: Doc<'_>) -> Result<Fields<'_>> {
    let (mut collection, mut key, mut filter) = (None, None, Doc::EMPTY);
    let (mut hint, mut strings) = (None, None);
    for e in command {
        let v = e.val;
        match e.name() {
            "distinct" => collection = Some(non_empty(string("distinct", v)?)?),
            "key" => key = Some(string("distinct.key", v)?),
            "query" | "collation" if v.is_nullish() => {}
            "query" => filter = document("distinct.query", v)?,
            "hint" => hint = Some(v),
            "collation" => strings = collation(v)?,
            "maxTimeMS" => limit_time(max_time_ms("distinct", v)?),
            name if is_common(name) => {}
            name => return Err(unknown(name)),
        }
    }
    let collection = collection.ok_or_else(|| required("distinct"))?;
    let key = key.ok_or_else(|| missing("distinct.key"))?;
    if key.is_empty() {
        return Err(
            Error::new(codes::LOCATION40352, "FieldPath cannot be constructed with empty string").into()
        );
    }
    if key.contains('\0') {
        return Err(Error::new(codes::LOCATION31032, "Distinct key cannot have embedded nulls").into());
    }
    Ok(Fields { collection, key, filter, hint, collation: strings })
}

/// The command's reply.
pub fn reply(db: &str, command: Doc<'_>) -> Result<Vec<u8>> {
    let Fields { collection, key, filter, hint, collation } = fields(command)?;
    let f = Find { collection, filter, hint, collation, ..Find::EMPTY };
    let found = catalog::find(db, collection)?;
    let parsed = Parsed::new(&f, found.as_deref())?;
    Hint::check(hint)?;
    let mut values = Distinct::new(key, parsed.query.collation());
    match found {
        None => {}
        Some(c) if c.view.is_some() => {
            each_of_view(db, &f, |document| values.add(Doc::trusted(document)))?;
        }
        Some(c) => {
            let opened = Opened::new(c, &Find { hint, ..Find::EMPTY }, &parsed)?;
            let mut walk = opened.walk(&parsed, &Position::Start, None)?;
            while let Some(document) = walk.next()? {
                values.add(Doc::trusted(document));
            }
        }
    }
    let values = values.finish();
    if values.len() > MAX_DOCUMENT {
        return Err(Error::new(codes::BSON_OBJECT_TOO_LARGE, "distinct too big, 16mb cap").into());
    }
    let mut w = DocWriter::with_capacity(values.len() + 32);
    w.put_array("values", Doc::trusted(&values)).put("ok", &Value::Double(1.0));
    Ok(w.finish())
}
