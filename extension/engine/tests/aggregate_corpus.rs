//! Replays the aggregation topics of the recorded contract on plain vectors: no database, no SQL.
//!
//! Covers what the engine decides alone: the documents or the error of each pipeline over inserted documents.
//! The SQL surface around it is replayed by the `contract` crate.

use engine::expr::Variables;
use engine::query::Query;
use engine::stage::{Docs, Host, ParseContext, Pipeline, Wanted};
use engine::{Doc, DocWriter, Error, Val, Value, extjson};
use std::collections::HashMap;

/// Collections and views by name.
#[derive(Default)]
struct Store {
    collections: HashMap<String, Vec<Vec<u8>>>,
    views: HashMap<String, (String, Vec<u8>)>,
}

impl Store {
    fn read(&self, name: &str) -> engine::Result<Vec<Vec<u8>>> {
        if let Some((on, pipeline)) = self.views.get(name) {
            let p = Pipeline::parse(Doc::trusted(pipeline), &ParseContext::default())?;
            let base = self.read(on)?;
            return p.run(Box::new(base.into_iter().map(Ok)), self).collect();
        }
        Ok(self.collections.get(name).cloned().unwrap_or_default())
    }
}

impl Host for Store {
    fn open(&self, wanted: &Wanted<'_>) -> engine::Result<Docs<'_>> {
        let query = Query::parse(wanted.filter.unwrap_or(Doc::EMPTY), &wanted.cx.query())?;
        let mut docs = self.read(wanted.collection)?;
        docs.retain(|d| query.matches(Doc::trusted(d)).unwrap_or(false));
        Ok(Box::new(docs.into_iter().map(Ok)))
    }
}

/// Replaces the corpus' own wrappers (`@string`, `@documents`, `@i`) by what they stand for.
fn expand(v: Val<'_>, i: i64) -> Value {
    if let Some(a) = v.as_array() {
        let items: Vec<Value> = a.values().map(|v| expand(v, i)).collect();
        return Value::array_of(&items);
    }
    let Some(d) = v.as_doc() else { return Value::from(v) };
    let number = |d: Doc<'_>, name: &str| d.get(name).and_then(engine::number::exact_i64);
    if let Some(first) = d.first() {
        let body = first.val.as_doc().unwrap_or(Doc::EMPTY);
        match first.name() {
            "@string" => {
                let text = body.get("repeat").and_then(Val::as_str).unwrap_or("");
                return Value::String(text.repeat(number(body, "times").unwrap_or(0) as usize));
            }
            "@documents" => {
                let template = body.get("template").unwrap_or(Val::NULL);
                let (from, to) = (number(body, "from").unwrap_or(0), number(body, "to").unwrap_or(0));
                let items: Vec<Value> = (from..to).map(|i| expand(template, i)).collect();
                return Value::array_of(&items);
            }
            "@i" => {
                let n = i * number(body, "mul").unwrap_or(1) + number(body, "add").unwrap_or(0);
                let n = number(body, "mod").map_or(n, |m| n % m);
                return Value::Int32(n as i32);
            }
            _ => {}
        }
    }
    let mut out = DocWriter::new();
    for e in d {
        out.put(e.name(), &expand(e.val, i));
    }
    Value::Document(out.finish())
}

fn argument<'a>(step: Doc<'a>, n: usize) -> Option<Val<'a>> {
    Some(step.get("args")?.as_array()?.values().nth(n)?.as_doc()?.first()?.val)
}

/// Carries out one step of a case's set-up.
fn set_up(store: &mut Store, step: Doc<'_>) {
    let function = step.get("function").and_then(Val::as_str).unwrap_or("");
    let Some(spec) = argument(step, 1).and_then(Val::as_doc) else { return };
    match function {
        "documentdb_api.insert" => {
            let name = spec.get("insert").and_then(Val::as_str).unwrap_or("").to_owned();
            let docs = store.collections.entry(name).or_default();
            for list in [spec.get("documents"), argument(step, 2)].into_iter().flatten() {
                docs.extend(
                    list.as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(|e| Some(e.val.as_doc()?.bytes().to_vec())),
                );
            }
        }
        "documentdb_api.create_collection_view" => {
            let text = |f: &str| spec.get(f).and_then(Val::as_str).map(str::to_owned);
            if let (Some(name), Some(on)) = (text("create"), text("viewOn")) {
                let pipeline = spec.get("pipeline").and_then(Val::as_array).unwrap_or(Doc::EMPTY);
                store.views.insert(name, (on, pipeline.bytes().to_vec()));
            }
        }
        _ => {}
    }
}

fn aggregate(store: &Store, spec: Doc<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let now = 1_700_000_000_000;
    let variables = match spec.get("let").and_then(Val::as_doc) {
        Some(d) => Variables::from_let(d, now, &engine::collation::Collation::SIMPLE)?,
        None => Variables::new(),
    };
    let name = spec.get("aggregate").and_then(Val::as_str);
    let mut cx = ParseContext::new(variables, now);
    cx.collectionless = name.is_none();
    let pipeline = Pipeline::parse(spec.get("pipeline").and_then(Val::as_array).unwrap_or(Doc::EMPTY), &cx)?;
    let source = name.map(|n| store.read(n)).transpose()?.unwrap_or_default();
    pipeline.run(Box::new(source.into_iter().map(Ok)), store).collect()
}

fn lines(docs: &[Vec<u8>]) -> Vec<String> {
    docs.iter().map(|d| extjson::canonical(Doc::trusted(d))).collect()
}

/// `None` when the answer is the recorded one.
fn difference(case: Doc<'_>, store: &Store, spec: Doc<'_>, result: Doc<'_>) -> Option<String> {
    let got = aggregate(store, spec);
    if let Some(state) = result.get("sqlstate").and_then(Val::as_str) {
        let message = result.get("message").and_then(Val::as_str).unwrap_or("");
        return match got {
            Err(e) if e.code.sqlstate == state && e.message == message => None,
            Err(e) => Some(format!("want {state} {message}\n     got  {} {}", e.code.sqlstate, e.message)),
            Ok(docs) => Some(format!("want {state} {message}\n     got  {:?}", lines(&docs))),
        };
    }
    let page = result.get("columns")?.as_doc()?.get("cursorpage")?.as_doc()?.get("cursor")?.as_doc()?;
    let batch = page.get("firstBatch")?.as_array()?;
    let want: Vec<Vec<u8>> = batch.values().filter_map(|v| Some(v.as_doc()?.bytes().to_vec())).collect();
    let mut want = lines(&want);
    let docs = match got {
        Ok(docs) => docs,
        Err(e) => return Some(format!("want {want:?}\n     got  {e}")),
    };
    let mut have = lines(&docs);
    if case.get("unordered").is_some() {
        want.sort();
        have.sort();
    }
    let same = want == have
        || (want.len() == have.len() && want.iter().zip(&have).all(|(w, h)| close(w, h) || w.contains("<<")));
    if same { None } else { Some(format!("want {want:?}\n     got  {have:?}")) }
}

/// Equal up to the last digits of numbers.
fn close(a: &str, b: &str) -> bool {
    let split = |s: &str| -> Vec<String> { s.split('"').map(str::to_owned).collect() };
    let (a, b) = (split(a), split(b));
    a.len() == b.len()
        && a.iter().zip(&b).all(|(x, y)| {
            x == y
                || match (x.parse::<f64>(), y.parse::<f64>()) {
                    (Ok(x), Ok(y)) => (x - y).abs() <= 1e-12 * x.abs().max(y.abs()),
                    _ => false,
                }
        })
}

/// Cases whose pipelines need what only a host has: writes and statistics.
const HOST: [&str; 5] =
    ["stage-out-", "stage-merge-", "stage-collstats-", "stage-indexstats", "stage-currentop-"];

/// `None` when every aggregation of the case answers as recorded, else what differs.
fn replay(case: Doc<'_>) -> Option<String> {
    let mut store = Store::default();
    for step in case.get("setup").and_then(Val::as_array).into_iter().flatten() {
        set_up(&mut store, step.val.as_doc()?);
    }
    let then = case.get("then").and_then(Val::as_array).into_iter().flatten();
    let steps = then.filter_map(|e| e.val.as_doc());
    for step in [case].into_iter().chain(steps) {
        let call = step.get("call").and_then(Val::as_doc)?;
        let function = call.get("function").and_then(Val::as_str).unwrap_or("");
        if !function.ends_with("aggregate_cursor_first_page") {
            continue;
        }
        let spec = argument(call, 1).and_then(Val::as_doc)?;
        let result = step.get("result").and_then(Val::as_doc)?;
        if let Some(why) = difference(step, &store, spec, result) {
            return Some(format!("{}\n  {why}", extjson::relaxed(spec)));
        }
    }
    None
}

/// Where MongoDB answers otherwise the engine follows MongoDB; the other differences are listed with a reason in
/// `aggregate_corpus_differs.txt`. A listed case that agrees is a failure, too: the list only shrinks.
#[test]
fn pipelines_answer_as_recorded() {
    let listed: HashMap<&str, &str> =
        include_str!("aggregate_corpus_differs.txt").lines().filter_map(|l| l.split_once('\t')).collect();
    let mut wrong = Vec::new();
    let mut agreed = 0;
    for topic in ["aggregate_expressions", "accumulators", "aggregate_stages"] {
        let path = format!("{}/../contract/cases/{topic}.jsonl", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("the corpus");
        for line in text.lines() {
            let case = Value::Document(extjson::parse(line).expect("a case")).with_val(|v| expand(v, 0));
            let case = case.as_doc().expect("a document");
            let name = case.get("name").and_then(Val::as_str).expect("a name");
            if case.get("mongodb_differs").is_some() || HOST.iter().any(|h| name.starts_with(h)) {
                continue;
            }
            match (replay(case), listed.contains_key(name)) {
                (None, false) => agreed += 1,
                (None, true) => wrong.push(format!("{name} agrees: take it off the list")),
                (Some(why), false) => wrong.push(format!("{name}: {why}")),
                (Some(_), true) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(agreed > 800, "only {agreed} cases were replayed");
}

/// A small generator of numbers, the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

/// `v` with about one value in fifteen replaced by another of any type.
fn mutated(v: Val<'_>, c: &mut Chance) -> Value {
    let strange = [
        Value::Null,
        Value::Int32(-1),
        Value::Int32(3),
        Value::Int64(i64::MIN),
        Value::Int64(i64::MAX),
        Value::Double(f64::NAN),
        Value::Double(-1e300),
        Value::Double(1.5),
        Value::Decimal128([0xff; 16]),
        Value::String(String::new()),
        Value::String("$a.b".into()),
        Value::String("$$ROOT".into()),
        Value::String("é\u{0}".into()),
        Value::Bool(true),
        Value::DateTime(i64::MAX),
        Value::DateTime(i64::MIN),
        Value::Array(Doc::EMPTY.bytes().to_vec()),
        Value::Document(Doc::EMPTY.bytes().to_vec()),
        Value::MinKey,
    ];
    if c.below(15) == 0 {
        return strange.get(c.below(strange.len())).cloned().unwrap_or(Value::Null);
    }
    if let Some(a) = v.as_array() {
        let items: Vec<Value> = a.values().map(|v| mutated(v, c)).collect();
        return Value::array_of(&items);
    }
    let Some(d) = v.as_doc() else { return Value::from(v) };
    let mut out = DocWriter::new();
    for e in d {
        if c.below(40) != 0 {
            out.put(e.name(), &mutated(e.val, c));
        }
    }
    Value::Document(out.finish())
}

/// Whatever a client writes into a pipeline, and whatever documents hold, an answer or an error comes back.
#[test]
fn no_pipeline_panics() {
    let mut c = Chance(7);
    for topic in ["aggregate_expressions", "accumulators", "aggregate_stages"] {
        let path = format!("{}/../contract/cases/{topic}.jsonl", env!("CARGO_MANIFEST_DIR"));
        for line in std::fs::read_to_string(path).expect("the corpus").lines() {
            let case = Value::Document(extjson::parse(line).expect("a case")).with_val(|v| expand(v, 0));
            let case = case.as_doc().expect("a document");
            let mut store = Store::default();
            for step in case.get("setup").and_then(Val::as_array).into_iter().flatten() {
                set_up(&mut store, step.val.as_doc().expect("a step"));
            }
            let call = case.get("call").and_then(Val::as_doc).expect("a call");
            let Some(spec) = argument(call, 1) else { continue };
            for _ in 0..10 {
                for docs in store.collections.values_mut() {
                    for doc in docs.iter_mut().take(5) {
                        let v = Value::Document(doc.clone()).with_val(|v| mutated(v, &mut c));
                        if let Value::Document(d) = v {
                            *doc = d;
                        }
                    }
                }
                if let Value::Document(spec) = mutated(spec, &mut c) {
                    let _ = aggregate(&store, Doc::trusted(&spec));
                }
            }
        }
    }
}
