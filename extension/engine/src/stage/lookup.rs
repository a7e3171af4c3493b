//! `$lookup`: by equal fields, by a sub-pipeline, or both.

use super::parse::Place;
use super::unwind::with_value;
use super::{Budget, Docs, ParseContext, Pipeline, Run, Stage, ready};
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::{Binding, EvalContext, Expr, FieldPath, Variables, check_name};
use crate::path::{Leaf, Path};
use crate::query::Query;
use crate::raw::{Doc, Val, View, ty};
use crate::value::{ArrayWriter, DocWriter, Value};
use crate::{bail, codes};
use std::rc::Rc;

#[derive(Debug)]
pub(super) struct Lookup {
    db: Option<String>,
    from: Option<String>,
    output: FieldPath,
    /// `localField` and `foreignField`
    fields: Option<(Path, String)>,
    sub: Option<Sub>,
    cx: ParseContext,
}

#[derive(Debug)]
struct Sub {
    source: Vec<u8>,
    variables: Vec<(String, Expr)>,
    /// Parsed with unknown variables: what runs when there are none.
    pipeline: Pipeline,
}

/// The foreign collection, read once and searched in memory.
struct Held {
    docs: Vec<Vec<u8>>,
    /// Positions by the identity of each value at the foreign field.
    by_value: std::collections::HashMap<Vec<u8>, Vec<usize>>,
}

impl Stage for Lookup {
    fn run<'h>(self: Rc<Self>, mut input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        let mut held: Option<Held> = None;
        let mut uncorrelated: Option<Value> = None;
        Box::new(std::iter::from_fn(move || {
            Some(input.next()?.and_then(|doc| self.join(&doc, cx, &mut held, &mut uncorrelated)))
        }))
    }

    fn reads(&self, names: &mut Vec<String>) {
        names.extend(self.from.clone());
        if let Some(sub) = &self.sub {
            sub.pipeline.collect_reads(names);
        }
    }
}

impl Lookup {
    fn join(
        &self,
        doc: &[u8],
        cx: Run<'_>,
        held: &mut Option<Held>,
        uncorrelated: &mut Option<Value>,
    ) -> Result<Vec<u8>> {
        let d = Doc::trusted(doc);
        if let Some(found) = uncorrelated {
            return Ok(with_value(d, self.output.parts(), Some(found)));
        }
        let pipeline = match &self.sub {
            Some(sub) if !sub.variables.is_empty() => Some(self.bound(sub, d)?),
            Some(sub) => Some(sub.pipeline.clone()),
            None => None,
        };
        let near = pipeline.as_ref().and_then(|p| p.leading_geo_near());
        if near.is_some() && self.fields.is_some() {
            crate::bail!(
                crate::codes::COMMAND_NOT_SUPPORTED,
                "$lookup with localField and foreignField and a pipeline that begins with $geoNear is not supported"
            );
        }
        let matched: Docs<'_> = match &self.fields {
            Some((local, foreign)) => self.equal(d, local, foreign, cx, held)?,
            None => match &self.from {
                Some(from) => match near {
                    Some(near) => cx.host.open_near(self.db.as_deref(), from, near)?,
                    None => {
                        let filter = pipeline.as_ref().and_then(|p| p.split_match().0);
                        cx.host.open(self.db.as_deref(), from, filter.as_deref().map(Doc::trusted))?
                    }
                },
                None => ready(Vec::new()),
            },
        };
        let result = match &pipeline {
            Some(p) => p.run_in(matched, cx),
            None => matched,
        };
        let mut budget = Budget::new("$lookup", cx);
        let mut list = ArrayWriter::new();
        for found in result {
            let found = found?;
            budget.take(found.len())?;
            list.push_val(Val { ty: ty::DOCUMENT, bytes: &found });
        }
        let list = Value::Array(list.finish());
        let out = with_value(d, self.output.parts(), Some(&list));
        if self.fields.is_none() && self.sub.as_ref().is_some_and(|s| s.variables.is_empty()) {
            *uncorrelated = Some(list);
        }
        Ok(out)
    }

    /// The sub-pipeline with the variables of this document.
    fn bound(&self, sub: &Sub, d: Doc<'_>) -> Result<Pipeline> {
        let mut cx = self.cx.clone();
        for (name, e) in &sub.variables {
            cx.variables.set(name.as_str(), Binding::Value(e.eval(&EvalContext::new(d))?));
        }
        Pipeline::parse(Doc::trusted(&sub.source), &cx)
    }

    /// The foreign documents whose field equals one of the local values.
    fn equal<'r>(
        &self,
        d: Doc<'_>,
        local: &Path,
        foreign: &str,
        cx: Run<'r>,
        held: &mut Option<Held>,
    ) -> Result<Docs<'r>> {
        let Some(from) = &self.from else { return Ok(ready(Vec::new())) };
        let wanted = values_at(d, local)?;
        if cx.host.finds_by(self.db.as_deref(), from, foreign) {
            let filter = membership(foreign, &wanted);
            let query = Query::parse(Doc::trusted(&filter), &self.cx.query())?;
            let found = cx.host.open(self.db.as_deref(), from, Some(Doc::trusted(&filter)))?;
            return Ok(Box::new(found.filter_map(move |doc| match doc {
                Ok(doc) => match query.matches(Doc::trusted(&doc)) {
                    Ok(true) => Some(Ok(doc)),
                    Ok(false) => None,
                    Err(e) => Some(Err(e)),
                },
                Err(e) => Some(Err(e)),
            })));
        }
        let held = match held {
            Some(h) => h,
            None => held.insert(self.hold(from, foreign, cx)?),
        };
        let mut at: Vec<usize> = Vec::new();
        for v in &wanted {
            at.extend(
                held.by_value.get(&crate::accumulator::identity(v, &self.cx.collation)).into_iter().flatten(),
            );
        }
        at.sort_unstable();
        at.dedup();
        let found: Vec<Vec<u8>> = at.into_iter().filter_map(|i| held.docs.get(i).cloned()).collect();
        Ok(ready(found))
    }

    fn hold(&self, from: &str, foreign: &str, cx: Run<'_>) -> Result<Held> {
        let mut budget = Budget::new("$lookup", cx);
        let docs = budget.collect(cx.host.open(self.db.as_deref(), from, None)?)?;
        let path = Path::new(foreign);
        let mut by_value: std::collections::HashMap<Vec<u8>, Vec<usize>> = std::collections::HashMap::new();
        for (i, doc) in docs.iter().enumerate() {
            for key in keys_of(Doc::trusted(doc), &path, &self.cx.collation)? {
                budget.take(key.len())?;
                by_value.entry(key).or_default().push(i);
            }
        }
        Ok(Held { docs, by_value })
    }
}

/// The local values: of an array its elements; null for nothing.
fn values_at(d: Doc<'_>, path: &Path) -> Result<Vec<Value>> {
    let mut out = Vec::new();
    path.visit(d, Leaf::Whole, &mut |v, _| {
        match v.map(|v| (v, v.view())) {
            None | Some((_, View::Undefined)) => out.push(Value::Null),
            Some((_, View::Array(a))) => out.extend(a.values().map(Value::from)),
            Some((v, _)) => out.push(Value::from(v)),
        }
        Ok(false)
    })?;
    Ok(out)
}

/// What a foreign document is found by: each value a `{field: value}` filter would match.
fn keys_of(d: Doc<'_>, path: &Path, collation: &Collation) -> Result<Vec<Vec<u8>>> {
    let mut out: Vec<Vec<u8>> = Vec::new();
    path.visit(d, Leaf::Expand, &mut |v, _| {
        let v = match v {
            None => Value::Null,
            Some(v) if v.is_nullish() => Value::Null,
            Some(v) => Value::from(v),
        };
        out.push(crate::accumulator::identity(&v, collation));
        Ok(false)
    })?;
    out.sort_unstable();
    out.dedup();
    Ok(out)
}

/// `{field: {$in: […]}}`
fn membership(field: &str, values: &[Value]) -> Vec<u8> {
    let mut list = DocWriter::new();
    list.put("$in", &Value::array_of(values));
    let mut out = DocWriter::new();
    out.put(field, &Value::Document(list.finish()));
    out.finish()
}

pub(super) fn lookup(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(
            codes::LOCATION40319,
            "the $lookup stage specification must be an object, but found {}",
            v.type_name()
        )
    };
    let (mut from, mut db, mut output, mut local, mut foreign) = (None, None, None, None, None);
    let (mut list, mut vars) = (None, None);
    for e in spec {
        match e.name() {
            "from" => match e.val.as_str() {
                Some(s) => from = Some(s.to_owned()),
                None => bail!(
                    codes::LOCATION40321,
                    "lookup argument 'from' must be a string, is type {}",
                    e.val.type_name()
                ),
            },
            "as" => output = Some(text("as", e.val)?),
            "localField" => local = Some(text("localField", e.val)?),
            "foreignField" => foreign = Some(text("foreignField", e.val)?),
            "pipeline" => match e.val.as_array() {
                Some(a) => list = Some(a),
                None => bail!(
                    codes::TYPE_MISMATCH,
                    "BSON field '$lookup.pipeline' is the wrong type '{}', expected type 'array'",
                    e.val.type_name()
                ),
            },
            "let" => match e.val.as_doc() {
                Some(d) => vars = Some(d),
                None => bail!(
                    codes::FAILED_TO_PARSE,
                    "lookup argument 'let' must be a document, is type {}",
                    e.val.type_name()
                ),
            },
            "db" => db = Some(text("db", e.val)?.to_owned()),
            other => bail!(codes::FAILED_TO_PARSE, "unknown argument to $lookup: {other}"),
        }
    }
    let Some(output) = output else { bail!(codes::FAILED_TO_PARSE, "must specify 'as' field for a $lookup") };
    let output = FieldPath::parse(output)?;
    let sub = list.map(|list| sub_pipeline(list, vars, cx)).transpose()?;
    if from.is_none() && !sub.as_ref().is_some_and(|s| s.pipeline.is_source()) {
        bail!(codes::FAILED_TO_PARSE, "must specify 'from' field for a $lookup");
    }
    let fields = match (local, foreign) {
        (Some(l), Some(f)) => {
            for path in [l, f] {
                if path.starts_with('$') {
                    bail!(codes::BAD_VALUE, "FieldPath field names may not start with '$'");
                }
                FieldPath::parse(path)?;
            }
            Some((Path::new(l), f.to_owned()))
        }
        (None, None) if sub.is_some() => None,
        _ => bail!(
            codes::FAILED_TO_PARSE,
            "$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified"
        ),
    };
    Ok(Rc::new(Lookup { db, from, output, fields, sub, cx: cx.inside(Place::Lookup)? }))
}

fn text<'a>(field: &str, v: Val<'a>) -> Result<&'a str> {
    match v.as_str() {
        Some(s) => Ok(s),
        None => bail!(
            codes::FAILED_TO_PARSE,
            "lookup argument '{field}' must be a string, is type {}",
            v.type_name()
        ),
    }
}

fn sub_pipeline(list: Doc<'_>, vars: Option<Doc<'_>>, cx: &ParseContext) -> Result<Sub> {
    let mut inner = cx.inside(Place::Lookup)?;
    let outer = cx.expr();
    let mut variables = Vec::new();
    for e in vars.into_iter().flatten() {
        check_name(e.name(), true)?;
        variables.push((e.name().to_owned(), Expr::parse(e.val, &outer)?));
    }
    let mut known: Variables = inner.variables.clone();
    for (name, _) in &variables {
        known.set(name.as_str(), Binding::Unknown);
    }
    inner.variables = known;
    let pipeline = Pipeline::parse(list, &inner)?;
    Ok(Sub { source: list.bytes().to_vec(), variables, pipeline })
}
