//! Looking at a server after a crash.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use engine::{Doc, Val, Value, number};
use ermine_cluster::Node;
use sql_tests::{Client, Rng, Session, address, doc, sub};

use crate::model::small;
use crate::writer::{german, indexes};

/// Connects as soon as the server lets somebody in.
pub fn reconnect(node: &Node) -> Session {
    let patience = Instant::now() + Duration::from_secs(60);
    while let Err(e) = Client::connect(&address(node)) {
        assert!(Instant::now() < patience, "{} does not come back: {e:?}", node.name());
        std::thread::sleep(Duration::from_millis(5));
    }
    Session::open(node)
}

/// Kills the process behind one of the writers' connections. The server then breaks the others, and lets nobody in until
/// it has recovered.
pub fn kill_one_backend(node: &Node, rng: &mut Rng) {
    let sql = "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE usename = 'ermine_service'";
    // A connection of the round before may just be ending.
    for _ in 0..20 {
        let pids = node.query(sql).expect("a list").expect("writers");
        let pids: Vec<u32> = pids.split(' ').map(|pid| pid.parse().expect("a number")).collect();
        if node.kill_process(*rng.pick(&pids)).is_ok() {
            return;
        }
    }
    panic!("no backend could be killed");
}

fn find(session: &mut Session, filter: Value, hint: Value) -> BTreeMap<i32, Vec<u8>> {
    let command = command(filter, hint);
    let found = session.find(&command);
    let n = found.len();
    let id = |d: &[u8]| Doc::trusted(d).get("_id").and_then(number::exact_i64);
    let all: BTreeMap<i32, Vec<u8>> =
        found.into_iter().map(|d| (i32::try_from(id(&d).expect("an id")).expect("a small id"), d)).collect();
    assert_eq!(all.len(), n, "a document comes twice: {:?}", Doc::trusted(&command));
    all
}

fn command(filter: Value, hint: Value) -> Vec<u8> {
    let name = Value::String("c".into());
    // Where the hint is the index of a collation, and by a scan where the filter needs it.
    let collated = hint == Value::String(GERMAN.into()) || asks_in_capitals(&filter);
    // A `$text` has its index anyway, and no hint may stand beside it.
    let text = matches!(&filter, Value::Document(d) if Doc::trusted(d).get("$text").is_some());
    let mut fields = vec![("find", name), ("filter", filter), ("batchSize", Value::Int32(1_000_000))];
    if !text {
        fields.push(("hint", hint));
    }
    if collated {
        fields.push(("collation", german()));
    }
    doc(&fields)
}

/// The index with a collation. Only filters for it have strings in capitals, which no document has.
const GERMAN: &str = "s_1_german";

fn asks_in_capitals(filter: &Value) -> bool {
    let Value::Document(d) = filter else { return false };
    Doc::trusted(d).get("s").and_then(Val::as_str).is_some_and(|s| s.starts_with('S'))
}

fn natural() -> Value {
    sub(&[("$natural", Value::Int32(1))])
}

/// Every document, by a scan.
pub fn documents(session: &mut Session) -> BTreeMap<i32, Vec<u8>> {
    find(session, sub(&[]), natural())
}

/// What a run came to.
#[derive(Default)]
pub struct Figures {
    /// Writes that were acknowledged.
    pub acknowledged: usize,
    /// Writes without an answer.
    pub in_doubt: usize,
    /// Answers of indexes that were compared with a scan's.
    pub answers: usize,
}

impl Figures {
    /// Compares every index with a scan: all that it holds, and some filters.
    pub fn compare(&mut self, session: &mut Session, rng: &mut Rng, which: &str) {
        let all = documents(session);
        let ids: Vec<i32> = all.keys().copied().collect();
        let mut ways: Vec<_> = indexes().into_iter().map(|(name, key, _)| (name, key)).collect();
        ways.push(("_id_", vec![("_id", Value::Int32(1))]));
        for (name, key) in &ways {
            for round in 0..4 {
                let (filter, scanned) = filters(name, key, round, rng, &ids, &all);
                let hint = Value::String((*name).into());
                let plan = session.plan(&command(filter.clone(), hint.clone()));
                assert!(plan.contains(&format!("IXSCAN {name}")), "{plan}");
                let by_index = find(session, filter.clone(), hint);
                let by_scan = find(session, scanned, natural());
                assert!(
                    by_index == by_scan,
                    "{which}: {name}, {filter:?}: {by_index:?} instead of {by_scan:?}"
                );
                self.answers += 1;
            }
        }
    }
}

/// A filter for an index, and one with the same answer for a scan.
fn filters(
    name: &str,
    key: &[(&'static str, Value)],
    round: usize,
    rng: &mut Rng,
    ids: &[i32],
    all: &BTreeMap<i32, Vec<u8>>,
) -> (Value, Value) {
    let c = small(rng, 20);
    let [word, _] = crate::model::words(c);
    match name {
        // A scan finds no words: each `s` is one.
        "s_text" => (sub(&[("$text", sub(&[("$search", word.clone())]))]), sub(&[("s", word)])),
        GERMAN => {
            let Value::String(word) = word else { panic!("a word") };
            let both = sub(&[("s", Value::String(word.to_uppercase()))]);
            (both.clone(), both)
        }
        "g_2dsphere" => {
            let circle = Value::array_of(&[crate::model::place(c), Value::Double(0.1)]);
            let within = sub(&[("g", sub(&[("$geoWithin", sub(&[("$centerSphere", circle)]))]))]);
            (within.clone(), within)
        }
        _ => {
            // Of all paths of the wildcard index the one that documents have.
            let below = [("sub.x", Value::Int32(1))];
            let key: &[(&'static str, Value)] = if name == "sub.$**_1" { &below } else { key };
            let both = filter(name, key, round, rng, ids, all);
            (both.clone(), both)
        }
    }
}

/// Round 0: everything the index holds. Then values that documents have.
fn filter(
    name: &str,
    key: &[(&'static str, Value)],
    round: usize,
    rng: &mut Rng,
    ids: &[i32],
    all: &BTreeMap<i32, Vec<u8>>,
) -> Value {
    let exists = || sub(&[("$exists", Value::Bool(true))]);
    let mut fields = Vec::new();
    if name == "c_1_partial" {
        fields.push(("n", sub(&[("$gte", Value::Int32(2))])));
    }
    let model = if ids.is_empty() { None } else { all.get(rng.pick(ids)) };
    for (i, (path, direction)) in key.iter().enumerate() {
        let hashed = matches!(direction, Value::String(_));
        let value =
            model.and_then(|d| value_at(Doc::trusted(d), path)).unwrap_or(Value::Int32(small(rng, 8)));
        let condition = match round {
            0 if hashed => value,
            0 => exists(),
            1 | 2 if hashed || rng.below(2) == 0 => value,
            _ if hashed => value,
            _ if i + 1 == key.len() => sub(&[(*rng.pick(&["$gte", "$lt"]), value)]),
            _ => value,
        };
        fields.push((path, condition));
    }
    sub(&fields)
}

/// The value at a path; of an array its first element.
fn value_at(d: Doc<'_>, path: &str) -> Option<Value> {
    let mut at = d.get(path.split('.').next()?)?;
    for part in path.split('.').skip(1) {
        at = at.as_doc()?.get(part)?;
    }
    if let Some(list) = at.as_array() {
        at = list.values().next()?;
    }
    to_value(at)
}

fn to_value(v: Val<'_>) -> Option<Value> {
    match (v.as_str(), number::exact_i64(v)) {
        (Some(s), _) => Some(Value::String(s.to_owned())),
        (_, Some(i)) => Some(Value::Int32(i32::try_from(i).ok()?)),
        _ => None,
    }
}
