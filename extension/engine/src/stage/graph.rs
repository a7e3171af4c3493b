//! `$graphLookup`.

use super::lookup::{keys_of, membership};
use super::unwind::with_value;
use super::{Budget, Docs, ParseContext, Run, Stage, Wanted, conjunction};
use crate::accumulator::identity;
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::{EvalContext, Expr, FieldPath, num};
use crate::path::Path;
use crate::query::Query;
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
    restrict: Option<Vec<u8>>,
    cx: ParseContext,
}

/// Where the documents of the graph come from.
enum Graph {
    /// The collection in memory, with the positions of each value at `connectToField`.
    Held { docs: Vec<Vec<u8>>, by_value: HashMap<Vec<u8>, Vec<usize>> },
    /// An index on `connectToField`: asked for each level.
    Asked,
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

    fn keeps_field(&self, name: &str) -> bool {
        self.output.parts().first().is_none_or(|f| **f != *name)
    }

    fn keeps_count(&self) -> bool {
        true
    }

    fn reads(&self, names: &mut Vec<String>) {
        names.push(self.from.clone());
    }
}

impl GraphLookup {
    fn wanted<'a>(&'a self, filter: Option<&'a [u8]>) -> Wanted<'a> {
        Wanted { db: None, collection: &self.from, filter: filter.map(Doc::trusted), cx: &self.cx }
    }

    fn load(&self, cx: Run<'_>) -> Result<Graph> {
        if cx.host.narrows(&self.wanted(Some(&self.level(&[Value::Int32(0)])))) {
            return Ok(Graph::Asked);
        }
        let mut budget = Budget::new("$graphLookup", cx);
        let (mut docs, mut by_value) = (Vec::new(), HashMap::<Vec<u8>, Vec<usize>>::new());
        for doc in cx.host.open(&self.wanted(self.restrict.as_deref()))? {
            let doc = doc?;
            budget.take(doc.len())?;
            for key in keys_of(Doc::trusted(&doc), &self.connect_to, &self.cx.collation)? {
                budget.take(key.len())?;
                by_value.entry(key).or_default().push(docs.len());
            }
            docs.push(doc);
        }
        Ok(Graph::Held { docs, by_value })
    }

    /// The filter for the documents that one of these values leads to.
    fn level(&self, values: &[Value]) -> Vec<u8> {
        let members = membership(self.connect_to.as_str(), values);
        match &self.restrict {
            None => members,
            Some(own) => {
                conjunction(&[Doc::trusted(&members), Doc::trusted(own)]).unwrap_or_else(|| members.clone())
            }
        }
    }

    /// The documents that these values lead to, each with what tells it from others.
    fn reached(&self, graph: &Graph, values: Vec<Value>, cx: Run<'_>) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        match graph {
            Graph::Held { docs, by_value } => {
                let mut at: Vec<usize> = Vec::new();
                for v in &values {
                    at.extend(by_value.get(&identity(v, &self.cx.collation)).into_iter().flatten());
                }
                at.sort_unstable();
                at.dedup();
                let doc = |i: usize| Some((i.to_be_bytes().to_vec(), docs.get(i)?.clone()));
                Ok(at.into_iter().filter_map(doc).collect())
            }
            Graph::Asked => {
                let filter = self.level(&values);
                let mut out = Vec::new();
                for doc in cx.host.open(&self.wanted(Some(&filter)))? {
                    let doc = doc?;
                    let id = Doc::trusted(&doc).get("_id").map(Value::from).unwrap_or(Value::Null);
                    out.push((identity(&id, &Collation::SIMPLE), doc));
                }
                Ok(out)
            }
        }
    }

    /// Breadth first; each document once, at the depth it was first reached.
    fn traverse(&self, doc: &[u8], graph: &Graph, cx: Run<'_>) -> Result<Vec<u8>> {
        let d = Doc::trusted(doc);
        let mut budget = Budget::new("$graphLookup", cx);
        let mut asked: HashSet<Vec<u8>> = HashSet::new();
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        let mut out = ArrayWriter::new();
        let mut depth = 0i64;
        let mut frontier = spread(self.start.eval(&EvalContext::new(d))?);
        while self.max_depth.is_none_or(|m| depth <= m) {
            cx.host.check_interrupts()?;
            let mut fresh = Vec::new();
            for v in std::mem::take(&mut frontier) {
                let key = identity(&v, &self.cx.collation);
                if !asked.contains(&key) {
                    budget.take(key.len())?;
                    asked.insert(key);
                    fresh.push(v);
                }
            }
            if fresh.is_empty() {
                break;
            }
            for (id, hit) in self.reached(graph, fresh, cx)? {
                if !seen.insert(id) {
                    continue;
                }
                budget.take(hit.len())?;
                let hit = Doc::trusted(&hit);
                frontier.extend(spread(self.connect_from.get(hit)));
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
                    Query::parse(d, &cx.query())?;
                    restrict = Some(d.bytes().to_vec());
                }
                None => bail!(
                    codes::LOCATION40185,
                    "graphlookup argument 'restrictSearchWithMatch' must be a document, is type {}",
                    e.val.type_name()
                ),
            },
            "from" => match e.val.view() {
                View::String("") => bail!(codes::INVALID_NAMESPACE, "invalid $graphLookup namespace: "),
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
        cx: cx.clone(),
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
