//! A capped collection that several writers fill: after a crash it holds the newest of what was acknowledged, in order.

use engine::{Doc, Value, number};
use sql_tests::{Answer, Client, Lost, Rng, Session, doc, literal, sub};

/// Most documents.
const MAX: usize = 50;

/// Of one document: a frame of five, the field's type and name, an int.
const BYTES: usize = 14;

/// Makes the collection.
pub fn prepare(session: &mut Session) {
    let create = doc(&[
        ("create", Value::String("log".into())),
        ("capped", Value::Bool(true)),
        ("size", Value::Int32(1_000_000)),
        ("max", Value::Int32(i32::try_from(MAX).unwrap_or(0))),
    ]);
    session.sql(&format!("SELECT documentdb_api.create_collection_view('t', {})", literal(&create)));
}

/// One of its writers, with numbers of its own as `_id`s.
pub struct Log {
    first: i32,
    next: i32,
    /// Documents of an insert without an answer.
    doubt: i32,
    rng: Rng,
}

impl Log {
    /// One that has written nothing.
    pub fn new(number: i32) -> Log {
        let first = number * 1_000_000;
        Log { first, next: first, doubt: 0, rng: Rng(u64::from(number.unsigned_abs()) + 11) }
    }

    /// Writes until the connection is lost.
    pub fn run(&mut self, mut client: Client) {
        loop {
            let n = i32::try_from(1 + self.rng.below(4)).unwrap_or(1);
            let ids = self.next..self.next + n;
            let documents: Vec<Value> = ids.map(|id| sub(&[("_id", Value::Int32(id))])).collect();
            let command =
                doc(&[("insert", Value::String("log".into())), ("documents", Value::array_of(&documents))]);
            self.doubt = n;
            match client.statement(&format!(
                "SELECT p_success FROM documentdb_api.insert('t', {})",
                literal(&command)
            )) {
                Ok(Answer::Rows { rows, .. }) => {
                    assert_eq!(rows[0][0].as_deref(), Some("t"));
                    self.next += n;
                    self.doubt = 0;
                }
                Ok(Answer::Error { sqlstate, .. }) if sqlstate.starts_with("57P") => return,
                Err(Lost::Connection(_)) => return,
                other => panic!("{other:?}"),
            }
        }
    }
}

/// The `_id`s in their order.
pub fn ids(session: &mut Session) -> Vec<i32> {
    let find = doc(&[("find", Value::String("log".into())), ("batchSize", Value::Int32(20))]);
    let id = |d: &Vec<u8>| Doc::trusted(d).get("_id").and_then(number::exact_i64);
    session.find(&find).iter().map(|d| i32::try_from(id(d).expect("an id")).expect("a small id")).collect()
}

/// Compares the collection with what was promised.
pub fn settle(logs: &mut [Log], session: &mut Session) {
    let all = ids(session);
    for log in logs.iter_mut() {
        let own: Vec<i32> =
            all.iter().copied().filter(|id| id / 1_000_000 == log.first / 1_000_000).collect();
        assert!(own.windows(2).all(|w| w[0] + 1 == w[1]), "a gap, or another order: {own:?}");
        let happened = log.doubt > 0 && own.last() == Some(&(log.next + log.doubt - 1));
        if happened {
            log.next += log.doubt;
        }
        assert!(own.last().is_none_or(|last| last + 1 == log.next), "{own:?} instead of up to {}", log.next);
        log.doubt = 0;
    }
    let written: usize = logs.iter().map(|log| usize::try_from(log.next - log.first).unwrap_or(0)).sum();
    assert_eq!(all.len(), written.min(MAX));
    let told = session.sql("SELECT documents, bytes FROM documentdb_api_catalog.capped_collections");
    let wanted = [all.len().to_string(), (all.len() * BYTES).to_string()].map(Some);
    assert_eq!(told[0], wanted, "how full it is");
}
