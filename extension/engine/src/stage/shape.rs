//! `$project`, `$addFields`/`$set`, `$unset`: which fields a document keeps and which it gains.

use super::{Docs, ParseContext, Run, Stage};
use crate::error::Result;
use crate::expr::{self, EvalContext, Expr};
use crate::raw::{Doc, Val, View};
use crate::value::{ArrayWriter, DocWriter, Value};
use crate::{bail, codes};
use std::rc::Rc;

/// One level of the fields named by a specification.
#[derive(Clone, Debug)]
struct Level {
    /// Fields not named stay (exclusion, `$addFields`) or go (inclusion).
    keep_rest: bool,
    /// Some expression below, so that a missing or scalar value becomes an object.
    computes: bool,
    /// In the order of the specification.
    fields: Vec<(String, Item)>,
}

#[derive(Clone, Debug)]
enum Item {
    Include,
    Exclude,
    Compute(Expr),
    Below(Level),
}

impl Level {
    fn new(keep_rest: bool) -> Self {
        Self { keep_rest, computes: false, fields: Vec::new() }
    }

    fn find(&self, name: &str) -> Option<(usize, &Item)> {
        self.fields.iter().enumerate().find(|(_, (n, _))| n == name).map(|(i, (_, item))| (i, item))
    }

    /// Adds `item` at `path`.
    fn insert(&mut self, full: &str, path: &str, item: Item) -> Result<()> {
        self.computes |= matches!(item, Item::Compute(_));
        let (head, rest) = match path.split_once('.') {
            Some((h, r)) => (h, Some(r)),
            None => (path, None),
        };
        let found = self.fields.iter_mut().find(|(n, _)| n == head).map(|(_, i)| i);
        match (found, rest) {
            (None, None) => self.fields.push((head.to_owned(), item)),
            (None, Some(rest)) => {
                let mut below = Level::new(self.keep_rest);
                below.insert(full, rest, item)?;
                self.fields.push((head.to_owned(), Item::Below(below)));
            }
            (Some(Item::Below(below)), Some(rest)) => below.insert(full, rest, item)?,
            (Some(_), Some(rest)) => {
                bail!(codes::LOCATION31249, "Path collision at {full} remaining portion {rest}")
            }
            (Some(_), None) => bail!(codes::LOCATION31250, "Path collision at {full}"),
        }
        Ok(())
    }

    fn apply(&self, doc: Doc<'_>, cx: &EvalContext<'_>, out: &mut DocWriter) -> Result<()> {
        let mut done = vec![false; self.fields.len()];
        for e in doc {
            let Some((i, item)) = self.find(e.name()) else {
                if self.keep_rest {
                    out.put_elem(&e);
                }
                continue;
            };
            match item {
                Item::Include => {
                    out.put_elem(&e);
                }
                Item::Exclude => {}
                // An inclusion gives computed fields their place in the specification, not in the document.
                Item::Compute(_) if !self.keep_rest => continue,
                Item::Compute(expr) => {
                    if let Some(v) = expr.eval(cx)? {
                        out.put(e.name(), &v);
                    }
                }
                Item::Below(level) => {
                    if let Some(v) = level.value(e.val, cx)? {
                        out.put(e.name(), &v);
                    }
                }
            }
            if let Some(d) = done.get_mut(i) {
                *d = true;
            }
        }
        for ((name, item), _) in self.fields.iter().zip(done).filter(|(_, done)| !done) {
            match item {
                Item::Compute(expr) => {
                    if let Some(v) = expr.eval(cx)? {
                        out.put(name, &v);
                    }
                }
                Item::Below(level) if level.computes => {
                    out.put(name, &level.fresh(cx)?);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What becomes of one value below; `None` drops it.
    fn value(&self, v: Val<'_>, cx: &EvalContext<'_>) -> Result<Option<Value>> {
        match v.view() {
            View::Document(d) => {
                let mut out = DocWriter::with_capacity(d.bytes().len());
                self.apply(d, cx, &mut out)?;
                Ok(Some(Value::Document(out.finish())))
            }
            View::Array(a) => {
                let mut out = ArrayWriter::new();
                for item in a.values() {
                    if let Some(v) = self.value(item, cx)? {
                        out.push(&v);
                    }
                }
                Ok(Some(Value::Array(out.finish())))
            }
            _ if self.computes => self.fresh(cx).map(Some),
            _ if self.keep_rest => Ok(Some(Value::from(v))),
            _ => Ok(None),
        }
    }

    fn fresh(&self, cx: &EvalContext<'_>) -> Result<Value> {
        let mut out = DocWriter::new();
        self.apply(Doc::EMPTY, cx, &mut out)?;
        Ok(Value::Document(out.finish()))
    }
}

/// A stage of this module.
#[derive(Debug)]
struct Shape {
    level: Level,
    /// An inclusion puts `_id` first, also a computed one.
    id: Option<Item>,
}

impl Shape {
    fn transform(&self, doc: &[u8]) -> Result<Vec<u8>> {
        let doc = Doc::trusted(doc);
        let cx = EvalContext::new(doc);
        let mut out = DocWriter::with_capacity(doc.bytes().len());
        match &self.id {
            Some(Item::Include) => {
                if let Some(v) = doc.get("_id") {
                    out.put_val("_id", v);
                }
            }
            Some(Item::Compute(e)) => {
                if let Some(v) = e.eval(&cx)? {
                    out.put("_id", &v);
                }
            }
            Some(Item::Below(level)) => {
                let v = match doc.get("_id") {
                    Some(v) => level.value(v, &cx)?,
                    None if level.computes => Some(level.fresh(&cx)?),
                    None => None,
                };
                if let Some(v) = v {
                    out.put("_id", &v);
                }
            }
            Some(Item::Exclude) | None => {}
        }
        self.level.apply(doc, &cx, &mut out)?;
        Ok(out.finish())
    }
}

impl Stage for Shape {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, _: Run<'h>) -> Docs<'h> {
        Box::new(input.map(move |doc| self.transform(&doc?)))
    }

    fn streams(&self) -> bool {
        true
    }
}

/// Checks a field path of a specification.
pub(super) fn check_path(path: &str) -> Result<()> {
    if path.is_empty() {
        bail!(codes::FAILED_TO_PARSE, "FieldPath cannot be constructed with empty string.");
    }
    expr::FieldPath::parse(path).map(|_| ())
}

pub(super) fn add_fields(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(codes::LOCATION40272, "$addFields specification stage must be an object")
    };
    let mut level = Level::new(true);
    added(&mut level, "", spec, &cx.expr())?;
    Ok(Rc::new(Shape { level, id: None }))
}

/// Objects without an operator go into the document field by field.
fn added(level: &mut Level, prefix: &str, spec: Doc<'_>, cx: &expr::ParseContext) -> Result<()> {
    for e in spec {
        check_path(e.name())?;
        let path = join(prefix, e.name());
        match nested(e.val) {
            Some(d) if !d.is_empty() => added(level, &path, d, cx)?,
            _ => level.insert(&path, &path, Item::Compute(Expr::parse(e.val, cx)?))?,
        }
    }
    Ok(())
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// The object, when it is one that names fields.
fn nested(v: Val<'_>) -> Option<Doc<'_>> {
    v.as_doc().filter(|d| !d.first().is_some_and(|e| e.name().starts_with('$')))
}

pub(super) fn unset(v: Val<'_>, _: &ParseContext) -> Result<Rc<dyn Stage>> {
    let mut level = Level::new(true);
    let one = |level: &mut Level, v: Val<'_>| -> Result<()> {
        let Some(path) = v.as_str() else {
            bail!(
                codes::LOCATION31120,
                "$unset specification must be a string or an array containing only string values"
            )
        };
        if path.starts_with('$') {
            bail!(codes::LOCATION16410, "FieldPath field names may not start with '$'");
        }
        expr::FieldPath::parse(path)?;
        level.insert(path, path, Item::Exclude)
    };
    match v.view() {
        View::String(_) => one(&mut level, v)?,
        View::Array(list) => {
            if list.is_empty() {
                bail!(
                    codes::LOCATION31119,
                    "$unset specification must be a string or an array with at least one field"
                );
            }
            for path in list.values() {
                one(&mut level, path)?;
            }
        }
        _ => bail!(codes::LOCATION31002, "$unset specification must be a string or an array"),
    }
    Ok(Rc::new(Shape { level, id: None }))
}

/// What kind of projection a specification has turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Inclusion,
    Exclusion,
}

struct Projection<'c> {
    cx: &'c expr::ParseContext,
    kind: Option<Kind>,
    items: Vec<(String, Item)>,
}

pub(super) fn project(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(codes::LOCATION40272, "$project specification stage must be an object")
    };
    if spec.is_empty() {
        bail!(
            codes::FAILED_TO_PARSE,
            "Invalid $project :: caused by :: projection specification must have at least one field"
        );
    }
    let cx = cx.expr();
    let mut p = Projection { cx: &cx, kind: None, items: Vec::new() };
    p.fields("", spec)?;
    p.finish()
}

impl Projection<'_> {
    fn fields(&mut self, prefix: &str, spec: Doc<'_>) -> Result<()> {
        for e in spec {
            check_path(e.name())?;
            let path = join(prefix, e.name());
            match (e.val.view(), nested(e.val)) {
                (
                    View::Bool(_) | View::Int32(_) | View::Int64(_) | View::Double(_) | View::Decimal128(_),
                    _,
                ) => {
                    let include = expr::truthy(Some(&Value::from(e.val)));
                    self.plain(path, include)?;
                }
                (_, Some(d)) => {
                    if d.is_empty() {
                        bail!(
                            codes::FAILED_TO_PARSE,
                            "An empty sub-projection is not a valid value. Found empty object at path"
                        );
                    }
                    self.fields(&path, d)?;
                }
                _ => {
                    let e = Expr::parse(e.val, self.cx)?;
                    self.kind_is(Kind::Inclusion, &path)?;
                    self.items.push((path, Item::Compute(e)));
                }
            }
        }
        Ok(())
    }

    fn plain(&mut self, path: String, include: bool) -> Result<()> {
        // `_id` alone doesn't decide what kind of projection it is.
        if path != "_id" {
            self.kind_is(if include { Kind::Inclusion } else { Kind::Exclusion }, &path)?;
        }
        self.items.push((path, if include { Item::Include } else { Item::Exclude }));
        Ok(())
    }

    fn kind_is(&mut self, kind: Kind, path: &str) -> Result<()> {
        match (self.kind, kind) {
            (None, _) => self.kind = Some(kind),
            (Some(Kind::Inclusion), Kind::Exclusion) => {
                bail!(codes::LOCATION31254, "Cannot do exclusion on field {path} in inclusion projection.")
            }
            (Some(Kind::Exclusion), Kind::Inclusion) => {
                bail!(codes::LOCATION31253, "Cannot do inclusion on field {path} in exclusion projection.")
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Rc<dyn Stage>> {
        let only_id = self.kind.is_none();
        let inclusion = match self.kind {
            Some(k) => k == Kind::Inclusion,
            None => self.items.iter().all(|(_, i)| matches!(i, Item::Include)),
        };
        let mut level = Level::new(!inclusion);
        if !inclusion {
            for (path, item) in self.items {
                // `{_id: 1}` in an exclusion only says what is so anyway.
                if matches!(item, Item::Include) && (path == "_id" || only_id) {
                    continue;
                }
                level.insert(&path, &path, item)?;
            }
            return Ok(Rc::new(Shape { level, id: None }));
        }
        let mut id: Option<Item> = None;
        for (path, item) in self.items {
            match (path.strip_prefix("_id."), path == "_id") {
                (Some(rest), _) => {
                    let mut below = match id.take() {
                        Some(Item::Below(l)) => l,
                        None => Level::new(false),
                        Some(_) => {
                            bail!(codes::LOCATION31249, "Path collision at {path} remaining portion {rest}")
                        }
                    };
                    below.insert(&path, rest, item)?;
                    id = Some(Item::Below(below));
                }
                (None, true) if id.is_some() => bail!(codes::LOCATION31250, "Path collision at _id"),
                (None, true) => id = Some(item),
                (None, false) => level.insert(&path, &path, item)?,
            }
        }
        // Its place in the document is taken by hand: keep `_id` out of the walk over the rest.
        Ok(Rc::new(Shape { level, id: Some(id.unwrap_or(Item::Include)) }))
    }
}
