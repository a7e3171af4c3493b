//! Objects.

use super::{arg, is_null, null};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::{Computed, nullish, render};
use crate::raw::{Doc, Val};
use crate::value::{ArrayWriter, DocWriter, Value};

/// Sets `name` in a list of fields, keeping the place it already has.
fn put(fields: &mut Vec<(String, Value)>, name: &str, v: Value) {
    match fields.iter_mut().find(|(n, _)| n == name) {
        Some((_, slot)) => *slot = v,
        None => fields.push((name.to_owned(), v)),
    }
}

fn document(fields: &[(String, Value)]) -> Computed {
    let mut out = DocWriter::new();
    for (name, v) in fields {
        out.put(name, v);
    }
    Some(Value::Document(out.finish()))
}

/// Adds the fields of `v` to `into`; null and missing add nothing.
pub(crate) fn merge_into(into: &mut Vec<(String, Value)>, v: &Computed) -> Result<()> {
    match v {
        Some(Value::Document(d)) => {
            for e in Doc::trusted(d) {
                put(into, e.name(), Value::from(e.val));
            }
            Ok(())
        }
        v if nullish(v) => Ok(()),
        v => bail!(
            codes::LOCATION40400,
            "$mergeObjects requires object inputs, but input {} is of type {}",
            render::value(v.as_ref()),
            render::type_of(v.as_ref())
        ),
    }
}

pub(crate) fn merged(fields: &[(String, Value)]) -> Computed {
    document(fields)
}

pub(in crate::expr) fn merge(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let mut fields = Vec::new();
    for a in args {
        merge_into(&mut fields, a)?;
    }
    Ok(document(&fields))
}

pub(in crate::expr) fn object_to_array(_: &'static str, args: &[Computed]) -> Result<Computed> {
    match arg(args, 0) {
        v if is_null(v) => null(),
        Some(Value::Document(d)) => {
            let mut out = ArrayWriter::new();
            for e in Doc::trusted(d) {
                let mut pair = DocWriter::new();
                pair.put_str("k", e.name()).put_val("v", e.val);
                out.push(&Value::Document(pair.finish()));
            }
            Ok(Some(Value::Array(out.finish())))
        }
        v => bail!(
            codes::LOCATION40390,
            "$objectToArray requires a document input, found: {}",
            render::type_of(v)
        ),
    }
}

pub(in crate::expr) fn array_to_object(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let v = arg(args, 0);
    if is_null(v) {
        return null();
    }
    let Some(items) = v.and_then(Value::as_array) else {
        bail!(codes::LOCATION40386, "$arrayToObject requires an array input, found: {}", render::type_of(v))
    };
    let mut fields = Vec::new();
    let mut pairs = None;
    for item in items.values() {
        let is_pair = item.as_array().is_some();
        if !is_pair && item.as_doc().is_none() {
            bail!(
                codes::LOCATION40398,
                "Unrecognised input type format for $arrayToObject: {}",
                item.type_name()
            );
        }
        if *pairs.get_or_insert(is_pair) != is_pair {
            let (code, was) =
                if is_pair { (codes::LOCATION40391, "Object") } else { (codes::LOCATION40396, "Array") };
            bail!(
                code,
                "$arrayToObject requires a consistent input format. Elements must all be arrays or all be objects. {was} was detected, now found: {}",
                item.type_name()
            );
        }
        let (name, value) = match (item.as_array(), item.as_doc()) {
            (Some(pair), _) => from_pair(pair)?,
            (_, Some(d)) => from_object(d)?,
            _ => continue,
        };
        if name.contains('\0') {
            bail!(codes::LOCATION4940400, "Key field cannot contain an embedded null byte");
        }
        put(&mut fields, name, Value::from(value));
    }
    Ok(document(&fields))
}

fn from_pair(pair: Doc<'_>) -> Result<(&str, Val<'_>)> {
    let items: Vec<Val<'_>> = pair.values().collect();
    let [k, v] = items.as_slice() else {
        bail!(
            codes::LOCATION40397,
            "$arrayToObject requires an array of size 2 arrays,found array of size: {}",
            items.len()
        )
    };
    match k.as_str() {
        Some(name) => Ok((name, *v)),
        None => bail!(
            codes::LOCATION40395,
            "$arrayToObject requires an array of key-value pairs, where the key must be of type string. Found key type: {}",
            k.type_name()
        ),
    }
}

fn from_object(d: Doc<'_>) -> Result<(&str, Val<'_>)> {
    let n = d.iter().count();
    if n != 2 {
        bail!(
            codes::LOCATION40392,
            "$arrayToObject requires an object keys of 'k' and 'v'. Found incorrect number of keys:{n}"
        );
    }
    let (Some(k), Some(v)) = (d.get("k"), d.get("v")) else {
        bail!(
            codes::LOCATION40393,
            "$arrayToObject requires an object with keys 'k' and 'v'. Missing either or both keys from: {}",
            render::doc(d)
        )
    };
    match k.as_str() {
        Some(name) => Ok((name, v)),
        None => bail!(
            codes::LOCATION40394,
            "$arrayToObject requires an object with keys 'k' and 'v', where the value of 'k' must be of type string. Found type: {}",
            k.type_name()
        ),
    }
}
