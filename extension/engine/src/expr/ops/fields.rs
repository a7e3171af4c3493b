//! `$getField`, `$setField`, `$unsetField`: fields whose names a path can't say.

use super::{arg, is_null, null};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::{Computed, render};
use crate::value::{DocWriter, Value};

pub(in crate::expr) fn get(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let field = match arg(args, 0) {
        Some(Value::String(s)) => s,
        v => bail!(
            codes::LOCATION3041704,
            "$getField requires 'field' to evaluate to type String, but got {}",
            render::type_of(v)
        ),
    };
    match arg(args, 1) {
        Some(Value::Document(d)) => Ok(crate::raw::Doc::trusted(d).get(field).map(Value::from)),
        Some(Value::Null | Value::Undefined) => null(),
        _ => Ok(None),
    }
}

fn replaced(name: &str, args: &[Computed], value: Option<&Value>) -> Result<Computed> {
    let Some(Value::String(field)) = arg(args, 0) else {
        bail!(
            codes::LOCATION4161107,
            "{name} requires 'field' to evaluate to type String, but got {}",
            render::type_of(arg(args, 0))
        )
    };
    let input = arg(args, 1);
    if is_null(input) {
        return null();
    }
    let Some(d) = input.and_then(Value::as_doc) else {
        bail!(codes::LOCATION4161105, "{name} requires 'input' to evaluate to type Object")
    };
    let mut out = DocWriter::with_capacity(d.bytes().len() + 32);
    let mut found = false;
    for e in d {
        if e.name() == field {
            found = true;
            if let Some(v) = value {
                out.put(field, v);
            }
        } else {
            out.put_elem(&e);
        }
    }
    if let (false, Some(v)) = (found, value) {
        out.put(field, v);
    }
    Ok(Some(Value::Document(out.finish())))
}

pub(in crate::expr) fn set(name: &'static str, args: &[Computed]) -> Result<Computed> {
    replaced(name, args, arg(args, 2))
}

pub(in crate::expr) fn unset(name: &'static str, args: &[Computed]) -> Result<Computed> {
    replaced(name, args, None)
}
