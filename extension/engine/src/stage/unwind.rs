//! `$unwind`.

use super::{Docs, ParseContext, Run, Stage};
use crate::error::Result;
use crate::expr::FieldPath;
use crate::raw::{Doc, Val, View};
use crate::value::{DocWriter, Value};
use crate::{bail, codes};
use std::collections::VecDeque;
use std::rc::Rc;

#[derive(Debug)]
struct Unwind {
    path: FieldPath,
    index: Option<FieldPath>,
    keep_empty: bool,
}

/// `doc` with the value at `path` replaced, added or (for `None`) removed.
pub(super) fn with_value(doc: Doc<'_>, path: &[Box<str>], v: Option<&Value>) -> Vec<u8> {
    let mut out = DocWriter::with_capacity(doc.bytes().len() + 16);
    let Some((head, rest)) = path.split_first() else { return doc.bytes().to_vec() };
    let mut found = false;
    for e in doc {
        if e.name() != &**head {
            out.put_elem(&e);
            continue;
        }
        found = true;
        if rest.is_empty() {
            if let Some(v) = v {
                out.put(head, v);
            }
        } else if let Some(below) = e.val.as_doc() {
            out.put(head, &Value::Document(with_value(below, rest, v)));
        } else if v.is_some() {
            out.put(head, &Value::Document(with_value(Doc::EMPTY, rest, v)));
        } else {
            out.put_elem(&e);
        }
    }
    if !found && let Some(value) = v {
        if rest.is_empty() {
            out.put(head, value);
        } else {
            out.put(head, &Value::Document(with_value(Doc::EMPTY, rest, v)));
        }
    }
    out.finish()
}

/// The value at `path` without looking into arrays.
fn plain<'d>(doc: Doc<'d>, path: &[Box<str>]) -> Option<Val<'d>> {
    let (head, rest) = path.split_first()?;
    let v = doc.get(head)?;
    if rest.is_empty() { Some(v) } else { plain(v.as_doc()?, rest) }
}

impl Unwind {
    fn split(&self, doc: Vec<u8>) -> VecDeque<Vec<u8>> {
        let d = Doc::trusted(&doc);
        let v = plain(d, self.path.parts());
        let with_index = |bytes: Vec<u8>, i: Option<i64>| match &self.index {
            None => bytes,
            Some(p) => {
                let v = i.map_or(Value::Null, Value::Int64);
                with_value(Doc::trusted(&bytes), p.parts(), Some(&v))
            }
        };
        match v {
            Some(Val { ty: crate::raw::ty::ARRAY, bytes }) => {
                let list = Doc::trusted(bytes);
                if list.is_empty() {
                    if !self.keep_empty {
                        return VecDeque::new();
                    }
                    return [with_index(with_value(d, self.path.parts(), None), None)].into();
                }
                (0i64..)
                    .zip(list.values())
                    .map(|(i, item)| {
                        let one = with_value(d, self.path.parts(), Some(&Value::from(item)));
                        with_index(one, Some(i))
                    })
                    .collect()
            }
            None => self.empty(d, &with_index),
            Some(v) if v.is_nullish() => self.empty(d, &with_index),
            Some(_) => [with_index(doc.clone(), None)].into(),
        }
    }

    fn empty(&self, d: Doc<'_>, with_index: &dyn Fn(Vec<u8>, Option<i64>) -> Vec<u8>) -> VecDeque<Vec<u8>> {
        if self.keep_empty { [with_index(d.bytes().to_vec(), None)].into() } else { VecDeque::new() }
    }
}

impl Stage for Unwind {
    fn keeps_field(&self, name: &str) -> bool {
        let touches = |p: &FieldPath| p.parts().first().is_some_and(|f| **f == *name);
        !touches(&self.path) && !self.index.as_ref().is_some_and(touches)
    }

    fn run<'h>(self: Rc<Self>, mut input: Docs<'h>, _: Run<'h>) -> Docs<'h> {
        let mut parts: VecDeque<Vec<u8>> = VecDeque::new();
        Box::new(std::iter::from_fn(move || {
            loop {
                if let Some(d) = parts.pop_front() {
                    return Some(Ok(d));
                }
                match input.next()? {
                    Ok(d) => parts = self.split(d),
                    Err(e) => return Some(Err(e)),
                }
            }
        }))
    }
}

pub(super) fn unwind(v: Val<'_>, _: &ParseContext) -> Result<Rc<dyn Stage>> {
    let (mut path, mut index, mut keep_empty) = ("", None, false);
    match v.view() {
        View::String(s) => path = s,
        View::Document(d) => {
            for e in d {
                match e.name() {
                    "path" => match e.val.as_str() {
                        Some(s) => path = s,
                        None => bail!(
                            codes::LOCATION28808,
                            "expected a string as the path for $unwind stage, got {}",
                            e.val.type_name()
                        ),
                    },
                    "preserveNullAndEmptyArrays" => match e.val.as_bool() {
                        Some(b) => keep_empty = b,
                        None => bail!(
                            codes::LOCATION28809,
                            "expected a boolean for the preserveNullAndEmptyArrays option to $unwind stage"
                        ),
                    },
                    "includeArrayIndex" => match e.val.as_str() {
                        Some(s) if !s.is_empty() => {
                            if s.starts_with('$') {
                                bail!(
                                    codes::LOCATION28822,
                                    "includeArrayIndex option to $unwind stage should not be prefixed with a '$': {s}"
                                );
                            }
                            index = Some(FieldPath::parse(s)?);
                        }
                        _ => bail!(
                            codes::LOCATION28810,
                            "expected a non-empty string for the includeArrayIndex option to $unwind stage"
                        ),
                    },
                    _ => bail!(codes::LOCATION28811, "unrecognized option to $unwind stage"),
                }
            }
        }
        _ => bail!(
            codes::LOCATION15981,
            "expected either a string or an object as specification for $unwind stage, got {}",
            v.type_name()
        ),
    }
    if path.is_empty() {
        bail!(codes::LOCATION28812, "No path specified to $unwind stage");
    }
    let Some(field) = path.strip_prefix('$') else {
        bail!(codes::LOCATION28818, "path option to $unwind stage should be prefixed with a '$': {path}")
    };
    Ok(Rc::new(Unwind { path: FieldPath::parse(field)?, index, keep_empty }))
}
