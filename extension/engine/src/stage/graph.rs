//! `$graphLookup`.

use super::unwind::with_value;
use super::{Budget, Docs, ParseContext, Run, Stage};
use crate::accumulator::identity;
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::{EvalContext, Expr, FieldPath, num};
use crate::path::{Leaf, Path};
use crate::query::{self, Query};
use crate::raw::{Doc, Val, View, ty};
use crate::value::{ArrayWriter, Value};
use crate::{bail, codes};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

#[derive(Debug)]
struct GraphLookup {
    from: String,
    start: Expr,
    connect_from: FieldPath,
    connect_to: Path,
    output: FieldPath,
    max_depth: Option<i64>,
    depth_field: Option<FieldPath>,
    restrict: Option<Query>,
    collation: Collation,
}

/// The collection in memory, with the positions of each value at `connectToField`.
struct Graph {
    docs: Vec<Vec<u8>>,
    by_value: HashMap<Vec<u8>, Vec<usize>>,
}

impl Stage for GraphLookup {
    fn run<'h>(self: Rc<Self>, mut input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        let mut graph: Option<Graph> = None;
        Box::new(std::iter::from_fn(move || {
            let doc = input.next()?;
            Some(doc.and_then(|doc| {
                let g = match &graph {
                    Some(g) => g,
                    None => graph.insert(self.load(cx)?),
                };
                self.traverse(&doc, g, cx)
            }))
        }))
    }

    fn reads(&self, names: &mut Vec<String>) {
        names.push(self.from.clone());
    }
}

impl GraphLookup {
    fn load(&self, cx: Run<'_>) -> Result<Graph> {
        let mut budget = Budget::new("$graphLookup", cx);
        let mut graph = Graph { docs: Vec::new(), by_value: HashMap::new() };
        let filter = self.restrict.as_ref().map(Query::source);
        for doc in cx.host.open(None, &self.from, filter)? {
            let doc = doc?;
            let d = Doc::trusted(&doc);
            if let Some(q) = &self.restrict
                && !q.matches(d)?
            {
                continue;
            }
            budget.take(doc.len())?;
            let at = graph.docs.len();
            let mut keys: Vec<Vec<u8>> = Vec::new();
            self.connect_to.visit(d, Leaf::Expand, &mut |v, _| {
                keys.extend(v.map(|v| identity(&Value::from(v), &self.collation)));
                Ok(false)
            })?;
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                budget.take(key.len())?;
                graph.by_value.entry(key).or_default().push(at);
            }
            graph.docs.push(doc);
        }
        Ok(graph)
    }

    /// Breadth first; each document once, at the depth it was first reached.
    fn traverse(&self, doc: &[u8], graph: &Graph, cx: Run<'_>) -> Result<Vec<u8>> {
        let d = Doc::trusted(doc);
        let mut budget = Budget::new("$graphLookup", cx);
        let mut frontier = spread(self.start.eval(&EvalContext::new(d))?);
        let mut asked: HashSet<Vec<u8>> = HashSet::new();
        let mut seen: HashSet<usize> = HashSet::new();
        let mut out = ArrayWriter::new();
        let mut depth = 0i64;
        while !frontier.is_empty() && self.max_depth.is_none_or(|m| depth <= m) {
            cx.host.check_interrupts()?;
            let mut found: Vec<usize> = Vec::new();
            for v in frontier.drain(..) {
                let key = identity(&v, &self.collation);
                found.extend(graph.by_value.get(&key).into_iter().flatten());
                asked.insert(key);
            }
            found.sort_unstable();
            found.dedup();
            for at in found {
                if !seen.insert(at) {
                    continue;
                }
                let Some(hit) = graph.docs.get(at) else { continue };
                budget.take(hit.len())?;
                let hit = Doc::trusted(hit);
                let next = spread(self.connect_from.get(hit));
                frontier.extend(next.into_iter().filter(|v| !asked.contains(&identity(v, &self.collation))));
                match &self.depth_field {
                    Some(f) => {
                        let v = Value::Int64(depth);
                        out.push(&Value::Document(with_value(hit, f.parts(), Some(&v))));
                    }
                    None => {
                        out.push_val(Val { ty: ty::DOCUMENT, bytes: hit.bytes() });
                    }
                }
            }
            depth += 1;
        }
        Ok(with_value(d, self.output.parts(), Some(&Value::Array(out.finish()))))
    }
}

/// The values to look for: of an array its elements.
fn spread(v: Option<Value>) -> Vec<Value> {
    match v {
        None => Vec::new(),
        Some(Value::Array(a)) => Doc::trusted(&a).values().map(Value::from).collect(),
        Some(v) => vec![v],
    }
}

pub(super) fn graph_lookup(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(
            codes::FAILED_TO_PARSE,
            "the $graphLookup stage specification must be an object, but found {}",
            v.type_name()
        )
    };
    let (mut from, mut start, mut connect_from, mut connect_to, mut output) = (None, None, None, None, None);
    let (mut max_depth, mut depth_field, mut restrict) = (None, None, None);
    for e in spec {
        match e.name() {
            "startWith" => start = Some(Expr::parse(e.val, &cx.expr())?),
            "maxDepth" => max_depth = Some(depth(e.val)?),
            "restrictSearchWithMatch" => match e.val.as_doc() {
                Some(d) => {
                    let qcx = query::ParseContext { place: query::Place::Match, ..cx.query() };
                    restrict = Some(Query::parse(d, &qcx)?);
                }
                None => bail!(
                    codes::LOCATION40185,
                    "graphlookup argument 'restrictSearchWithMatch' must be a document, is type {}",
                    e.val.type_name()
                ),
            },
            "from" => match e.val.view() {
                View::String(s) => from = Some(s.to_owned()),
                _ => bail!(
                    codes::FAILED_TO_PARSE,
                    "graphlookup argument 'from' must be a string, is type {}",
                    e.val.type_name()
                ),
            },
            "as" => output = Some(path("as", e.val)?),
            "connectFromField" => connect_from = Some(path("connectFromField", e.val)?),
            "connectToField" => connect_to = Some(path("connectToField", e.val)?),
            "depthField" => depth_field = Some(path("depthField", e.val)?),
            other => bail!(codes::LOCATION40104, "unknown argument to $graphlookup: {other}"),
        }
    }
    let missing = |what: &str| -> Result<Rc<dyn Stage>> {
        bail!(codes::LOCATION40105, "must specify {what} for a $graphLookup")
    };
    let Some(from) = from else { return missing("'from' field") };
    let Some(output) = output else { return missing("'as' field") };
    let Some(start) = start else { return missing("'startWith'") };
    let Some(connect_from) = connect_from else { return missing("'connectFromField'") };
    let Some(connect_to) = connect_to else { return missing("'connectToField'") };
    let connect_to = Path::new(&connect_to.dotted());
    Ok(Rc::new(GraphLookup {
        from,
        start,
        connect_from,
        connect_to,
        output,
        max_depth,
        depth_field,
        restrict,
        collation: cx.collation.clone(),
    }))
}

fn path(field: &str, v: Val<'_>) -> Result<FieldPath> {
    let Some(s) = v.as_str() else {
        bail!(
            codes::LOCATION40103,
            "graphlookup argument '{field}' must be a string, is type {}",
            v.type_name()
        )
    };
    if s.starts_with('$') {
        bail!(codes::LOCATION16410, "{field}: FieldPath field names may not start with '$'");
    }
    FieldPath::parse(s)
}

fn depth(v: Val<'_>) -> Result<i64> {
    let Some(n) = num::Num::of(&Value::from(v)) else {
        bail!(
            codes::LOCATION40100,
            "graphlookup argument 'maxDepth' must be a number, is type {}",
            v.type_name()
        )
    };
    if n.to_f64() < 0.0 {
        bail!(codes::LOCATION40101, "graphlookup.maxDepth must be a non-negative integer.");
    }
    match n.to_i64_exact() {
        Some(n) => Ok(n),
        None => bail!(codes::LOCATION40102, "graphlookup.maxDepth must be a non-negative integer."),
    }
}
