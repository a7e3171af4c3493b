//! `$lookup`: by equal fields, by a sub-pipeline, or both.

mod parse;

pub(super) use parse::lookup;

use super::unwind::with_value;
use super::{Docs, ParseContext, Pipeline, Run, Stage, Wanted, conjunction, ready};
use crate::accumulator::identity;
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::{Binding, EvalContext, Expr, FieldPath};
use crate::path::{Leaf, Path};
use crate::query::{Bound, Query};
use crate::raw::{Doc, Val, View, ty};
use crate::value::{ArrayWriter, DocWriter, Value};
use crate::{bail, codes, interrupt};
use std::collections::HashMap;
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

/// What one run of the stage remembers from one document to the next.
#[derive(Default)]
struct Memory {
    /// The answer for every document, when none of it depends on the document.
    uncorrelated: Option<Value>,
    /// Documents joined so far.
    joined: u64,
    foreign: Foreign,
}

/// How the foreign collection is read from the second document on; the first reads it directly, since there may be no
/// second one.
#[derive(Default)]
enum Foreign {
    #[default]
    Undecided,
    /// Asked for each document: an index helps, or it is too large to be kept.
    Asked,
    /// Kept in memory.
    Kept(Held),
}

/// Bytes of a foreign collection that may be kept; a larger one is read for each document (MongoDB's
/// `internalDocumentSourceLookupCacheSizeBytes`).
const KEPT_LIMIT: usize = 100 * 1024 * 1024;
/// Bytes of documents that may be joined to one (MongoDB's `internalLookupStageIntermediateDocumentMaxSizeBytes`).
const JOINED_LIMIT: usize = 100 * 1024 * 1024;

/// The foreign collection in memory.
struct Held {
    docs: Vec<Vec<u8>>,
    /// For paths that were asked for: positions by the identity of each value there.
    by_value: HashMap<String, HashMap<Vec<u8>, Vec<usize>>>,
}

/// What is to be read for one document, and what is to be done with it.
struct Task {
    filter: Option<Vec<u8>>,
    rest: Pipeline,
    cx: ParseContext,
}

impl Stage for Lookup {
    fn run<'h>(self: Rc<Self>, mut input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        let mut memory = Memory::default();
        Box::new(std::iter::from_fn(move || {
            Some(input.next()?.and_then(|doc| self.join(&doc, cx, &mut memory)))
        }))
    }

    fn keeps_field(&self, name: &str) -> bool {
        self.output.parts().first().is_none_or(|f| **f != *name)
    }

    fn keeps_count(&self) -> bool {
        true
    }

    fn reads(&self, names: &mut Vec<String>) {
        names.extend(self.from.clone());
        if let Some(sub) = &self.sub {
            sub.pipeline.collect_reads(names);
        }
    }
}

impl Lookup {
    fn join(&self, doc: &[u8], cx: Run<'_>, memory: &mut Memory) -> Result<Vec<u8>> {
        let d = Doc::trusted(doc);
        if let Some(found) = &memory.uncorrelated {
            return Ok(with_value(d, self.output.parts(), Some(found)));
        }
        let task = self.task(d)?;
        let matched = self.matched(&task, cx, memory)?;
        memory.joined += 1;
        let mut size = 0usize;
        let mut list = ArrayWriter::new();
        for found in task.rest.run_in(matched, cx) {
            let found = found?;
            size = size.saturating_add(found.len());
            if size > JOINED_LIMIT {
                bail!(
                    codes::LOCATION4568,
                    "Total size of documents in {} matching pipeline's $lookup stage exceeds {JOINED_LIMIT} bytes",
                    self.from.as_deref().unwrap_or("$cmd.aggregate")
                );
            }
            list.push_val(Val { ty: ty::DOCUMENT, bytes: &found });
        }
        let list = Value::Array(list.finish());
        let out = with_value(d, self.output.parts(), Some(&list));
        if self.fields.is_none() && self.sub.as_ref().is_some_and(|s| s.variables.is_empty()) {
            memory.uncorrelated = Some(list);
        }
        Ok(out)
    }

    /// The filter and the pipeline for this document.
    fn task(&self, d: Doc<'_>) -> Result<Task> {
        let mut cx = self.cx.clone();
        let pipeline = match &self.sub {
            None => Pipeline::nothing(&cx),
            Some(sub) if sub.variables.is_empty() => sub.pipeline.clone(),
            Some(sub) => {
                for (name, e) in &sub.variables {
                    cx.variables.set(name.as_str(), Binding::Value(e.eval(&EvalContext::new(d))?));
                }
                Pipeline::parse(Doc::trusted(&sub.source), &cx)?
            }
        };
        let Some((local, foreign)) = &self.fields else {
            let (filter, rest) = pipeline.split_match();
            return Ok(Task { filter, rest, cx });
        };
        let members = membership(foreign, &values_at(d, local)?);
        if pipeline.is_source() {
            // The match comes right behind the stage that makes the documents.
            let rest = pipeline.with_match(1, Doc::trusted(&members), &cx)?;
            return Ok(Task { filter: None, rest, cx });
        }
        if pipeline.leading_geo_near().is_some() {
            bail!(
                codes::COMMAND_NOT_SUPPORTED,
                "$lookup with localField and foreignField and a pipeline that begins with $geoNear is not supported"
            );
        }
        let (filter, rest) = pipeline.split_match();
        let filter = match filter {
            None => members,
            Some(own) => conjunction(&[Doc::trusted(&members), Doc::trusted(&own)]).unwrap_or(members),
        };
        Ok(Task { filter: Some(filter), rest, cx })
    }

    /// The foreign documents that the task's filter selects.
    fn matched<'r>(&self, task: &Task, cx: Run<'r>, memory: &mut Memory) -> Result<Docs<'r>> {
        let filter = task.filter.as_deref().map(Doc::trusted);
        let Some(from) = self.from.as_ref().filter(|_| !task.rest.is_source()) else {
            return Ok(ready(Vec::new()));
        };
        let wanted = Wanted { db: self.db.as_deref(), collection: from, filter, cx: &task.cx };
        if let Some(near) = task.rest.leading_geo_near() {
            return cx.host.open_near(&wanted, near);
        }
        if memory.joined == 1 {
            memory.foreign = self.choose(&wanted, cx)?;
        }
        match &mut memory.foreign {
            Foreign::Undecided | Foreign::Asked => cx.host.open(&wanted),
            Foreign::Kept(held) => {
                let query = Query::parse(filter.unwrap_or(Doc::EMPTY), &task.cx.query())?;
                held.select(&query).map(ready)
            }
        }
    }

    /// Keeps the collection in memory if no index helps with the filter and there is room.
    fn choose(&self, wanted: &Wanted<'_>, cx: Run<'_>) -> Result<Foreign> {
        if cx.host.narrows(wanted) {
            return Ok(Foreign::Asked);
        }
        let mut left = KEPT_LIMIT.min(cx.memory);
        let mut docs = Vec::new();
        for doc in cx.host.open(&Wanted { filter: None, ..*wanted })? {
            let doc = doc?;
            let cost = doc.len().saturating_add(size_of::<Vec<u8>>());
            if cost > left {
                return Ok(Foreign::Asked);
            }
            left -= cost;
            docs.push(doc);
        }
        Ok(Foreign::Kept(Held { docs, by_value: HashMap::new() }))
    }
}

impl Held {
    /// The documents that match.
    fn select(&mut self, query: &Query) -> Result<Vec<Vec<u8>>> {
        let candidates = self.candidates(query)?;
        let mut out = Vec::new();
        let mut try_one = |doc: &Vec<u8>| -> Result<()> {
            interrupt::check();
            if query.matches(Doc::trusted(doc))? {
                out.push(doc.clone());
            }
            Ok(())
        };
        match candidates {
            Some(at) => at.into_iter().filter_map(|i| self.docs.get(i)).try_for_each(&mut try_one)?,
            None => self.docs.iter().try_for_each(&mut try_one)?,
        }
        Ok(out)
    }

    /// Positions, ascending, of the only documents that can match; `None` where the filter has no equality.
    fn candidates(&mut self, query: &Query) -> Result<Option<Vec<usize>>> {
        let equality = query.conjuncts().find_map(|c| match c.bound {
            Bound::Eq(v) => Some((c.path, vec![Value::from(v)])),
            Bound::In(set) => Some((c.path, set.iter().map(|o| Value::from(o.val())).collect())),
            _ => None,
        });
        let Some((path, values)) = equality else { return Ok(None) };
        if values.iter().any(|v| matches!(v, Value::Regex { .. } | Value::Undefined)) {
            return Ok(None);
        }
        let collation = query.collation();
        if !self.by_value.contains_key(path.as_str()) {
            let mut positions: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
            for (i, doc) in self.docs.iter().enumerate() {
                for key in keys_of(Doc::trusted(doc), path, collation)? {
                    positions.entry(key).or_default().push(i);
                }
            }
            self.by_value.insert(path.as_str().to_owned(), positions);
        }
        let positions = self.by_value.get(path.as_str());
        let mut at: Vec<usize> = Vec::new();
        for v in &values {
            at.extend(positions.and_then(|p| p.get(&identity(v, collation))).into_iter().flatten());
        }
        at.sort_unstable();
        at.dedup();
        Ok(Some(at))
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
pub(super) fn keys_of(d: Doc<'_>, path: &Path, collation: &Collation) -> Result<Vec<Vec<u8>>> {
    let mut out: Vec<Vec<u8>> = Vec::new();
    path.visit(d, Leaf::Expand, &mut |v, _| {
        let v = match v {
            None => Value::Null,
            Some(v) if v.is_nullish() => Value::Null,
            Some(v) => Value::from(v),
        };
        out.push(identity(&v, collation));
        Ok(false)
    })?;
    out.sort_unstable();
    out.dedup();
    Ok(out)
}

/// `{field: {$in: […]}}`; a regular expression is a value here, not a pattern.
pub(super) fn membership(field: &str, values: &[Value]) -> Vec<u8> {
    let is_pattern = |v: &&Value| matches!(v, Value::Regex { .. });
    let on = |operator: &str, v: &Value| {
        let mut condition = DocWriter::new();
        condition.put(operator, v);
        let mut out = DocWriter::new();
        out.put(field, &Value::Document(condition.finish()));
        out.finish()
    };
    let plain = on("$in", &Value::array_of(values.iter().filter(|v| !is_pattern(v))));
    if !values.iter().any(|v| is_pattern(&v)) {
        return plain;
    }
    let mut any = ArrayWriter::new();
    any.push(&Value::Document(plain));
    for v in values.iter().filter(is_pattern) {
        any.push(&Value::Document(on("$eq", v)));
    }
    let mut out = DocWriter::new();
    out.put("$or", &Value::Array(any.finish()));
    out.finish()
}
