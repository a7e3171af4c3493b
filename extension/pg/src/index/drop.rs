//! `dropIndexes`.

use engine::{Doc, DocWriter, Error, Val, Value, codes};

use super::{count, remove, show};
use crate::access::{is_id_pattern, same_pattern};
use crate::builds;
use crate::catalog::{self, Collection, Index};
use crate::error::Result;
use crate::spec::{is_common, wrong_type};
use crate::sys::varlena;

pgfn! {
    /// `CALL drop_indexes(p_database_name, p_arg, retval)`
    fn command_drop_indexes(call) {
        super::create::not_null(call)?;
        let (db, command) = (call.text(0)?, Doc::trusted(call.doc(1)?));
        let reply = drop_indexes(db, command)?;
        call.record(&[Some(varlena(&reply))])
    }
}

fn bad(text: impl Into<String>) -> crate::error::Error {
    Error::new(codes::BAD_VALUE, text).into()
}

fn drop_indexes(db: &str, command: Doc<'_>) -> Result<Vec<u8>> {
    let (mut name, mut index) = (None, None);
    for e in command {
        let v = e.val;
        match e.name() {
            "dropIndexes" | "deleteIndexes" => {
                name = Some(
                    v.as_str()
                        .ok_or_else(|| bad(format!("collection name has invalid type {}", v.type_name())))?,
                );
            }
            "index" => index = Some(v),
            other if is_common(other) => {}
            other => return Err(bad(format!("BSON field 'dropIndexes.{other}' is an unknown field"))),
        }
    }
    let name = name.unwrap_or("");
    if name.is_empty() {
        let text = format!("Invalid namespace specified '{db}.'");
        return Err(Error::new(codes::INVALID_NAMESPACE, text).into());
    }
    let index = index.ok_or_else(|| bad("BSON field 'dropIndexes.index' is missing but a required field"))?;
    let chosen = Chosen::parse(index)?;
    let Some(c) = catalog::find_table(db, name)? else {
        return Err(Error::new(codes::NAMESPACE_NOT_FOUND, format!("ns not found {db}.{name}")).into());
    };
    let ids = chosen.ids(&c)?;
    if !ids.is_empty() {
        builds::pause(c.id)?;
    }
    for id in ids {
        remove(id)?;
    }
    let mut w = DocWriter::new();
    w.put("ok", &Value::Bool(true)).put("nIndexesWas", &Value::Int64(i64::from(count(&c))));
    Ok(w.finish())
}

enum Chosen<'a> {
    All,
    Names(Vec<&'a str>),
    Key(Doc<'a>),
}

impl<'a> Chosen<'a> {
    fn parse(v: Val<'a>) -> Result<Chosen<'a>> {
        if let Some(key) = v.as_doc() {
            return Ok(Chosen::Key(key));
        }
        if let Some(name) = v.as_str() {
            return Ok(if name == "*" { Chosen::All } else { Chosen::Names(vec![name]) });
        }
        let Some(list) = v.as_array() else {
            return Err(wrong_type_of(v));
        };
        let mut names = Vec::new();
        for v in list.values() {
            names.push(v.as_str().ok_or_else(|| wrong_type("dropIndexes.index.item", v, "string"))?);
        }
        Ok(if names.contains(&"*") { Chosen::All } else { Chosen::Names(names) })
    }

    fn ids(&self, c: &Collection) -> Result<Vec<i32>> {
        match self {
            Chosen::All => Ok(c.secondary().map(|i| i.id).collect()),
            Chosen::Names(names) if names.iter().any(|n| is_clustered(c, n)) => Err(keep_clustered()),
            Chosen::Key(key) if c.clustered().is_some() && is_id_pattern(*key) => Err(keep_clustered()),
            Chosen::Names(names) => names.iter().map(|n| by_name(c, n)).collect(),
            Chosen::Key(key) => Ok(vec![by_key(c, *key)?]),
        }
    }
}

fn wrong_type_of(v: Val<'_>) -> crate::error::Error {
    let text = format!(
        "BSON field 'dropIndexes.index' is the wrong type '{}', expected type '[string, object]'",
        v.type_name()
    );
    Error::new(codes::TYPE_MISMATCH, text).into()
}

fn keep_id() -> crate::error::Error {
    Error::new(codes::INVALID_OPTIONS, "cannot drop _id index").into()
}

fn is_clustered(c: &Collection, name: &str) -> bool {
    c.clustered().is_some_and(|index| index.get("name").and_then(Val::as_str) == Some(name))
}

fn keep_clustered() -> crate::error::Error {
    Error::new(codes::LOCATION5979800, "It is illegal to drop the clusteredIndex").into()
}

fn by_name(c: &Collection, name: &str) -> Result<i32> {
    if name == "_id_" {
        return Err(keep_id());
    }
    let found = c.secondary().find(|i| i.name == name);
    let not_found = || Error::new(codes::INDEX_NOT_FOUND, format!("index not found with name [{name}]"));
    Ok(found.ok_or_else(not_found)?.id)
}

fn by_key(c: &Collection, key: Doc<'_>) -> Result<i32> {
    if is_id_pattern(key) {
        return Err(keep_id());
    }
    let found: Vec<&Index> = c.secondary().filter(|i| same_pattern(Doc::trusted(&i.key), key)).collect();
    match found.as_slice() {
        [one] => Ok(one.id),
        [] => {
            let text = format!("can't find index with key: {}", show::document(key));
            Err(Error::new(codes::INDEX_NOT_FOUND, text).into())
        }
        many => {
            let entry = |i: &&Index| show::document(Doc::trusted(&crate::read::index_entry(i)));
            let list: Vec<String> = many.iter().map(entry).collect();
            let text = format!(
                "{} indexes found for key: {}, identify by name instead. Conflicting indexes: {}",
                many.len(),
                show::document(key),
                list.join(", ")
            );
            Err(Error::new(codes::AMBIGUOUS_INDEX_KEY_PATTERN, text).into())
        }
    }
}
