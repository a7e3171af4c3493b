//! Writers that know what they were promised.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::{Doc, Val, Value, number};
use sql_tests::{Answer, Client, Lost, Rng, Session, doc, literal, sub, unhex};

use crate::model::{Row, SHARED, small, tags, words};

/// Names and values of a document.
type Fields = Vec<(&'static str, Value)>;

/// Name, key and options of each index.
pub fn indexes() -> Vec<(&'static str, Fields, Fields)> {
    let (up, down) = (|| Value::Int32(1), || Value::Int32(-1));
    let partial = sub(&[("n", sub(&[("$gte", Value::Int32(2))]))]);
    vec![
        ("u_1", vec![("u", up())], vec![("unique", Value::Bool(true))]),
        ("c_1_n_-1", vec![("c", up()), ("n", down())], vec![]),
        ("tags_1", vec![("tags", up())], vec![]),
        ("tags_1_c_1", vec![("tags", up()), ("c", up())], vec![]),
        ("c_1_partial", vec![("c", up())], vec![("partialFilterExpression", partial)]),
        ("o_1", vec![("o", up())], vec![("sparse", Value::Bool(true))]),
        ("h_hashed", vec![("h", Value::String("hashed".into()))], vec![]),
        ("sub.x_-1", vec![("sub.x", down())], vec![]),
        ("w_1_s_1", vec![("w", up()), ("s", up())], vec![]),
        ("sub.$**_1", vec![("sub.$**", up())], vec![]),
        ("s_text", vec![("s", Value::String("text".into()))], vec![]),
        ("g_2dsphere", vec![("g", Value::String("2dsphere".into()))], vec![]),
        ("s_1_german", vec![("s", up())], vec![("collation", german())]),
    ]
}

/// The collation of one of the indexes.
pub fn german() -> Value {
    sub(&[("locale", Value::String("de".into())), ("strength", Value::Int32(2))])
}

fn create(name: &str, key: &[(&str, Value)], options: &[(&str, Value)]) -> String {
    let mut fields = vec![("key", sub(key)), ("name", Value::String(name.into()))];
    fields.extend_from_slice(options);
    let indexes = Value::array_of(&[sub(&fields)]);
    let command = doc(&[("createIndexes", Value::String("c".into())), ("indexes", indexes)]);
    let function = "documentdb_api_internal.create_indexes_non_concurrently";
    format!("SELECT {function}('t', {}, true)", literal(&command))
}

/// The collection with its indexes.
pub fn prepare(session: &mut Session) {
    for (name, key, options) in indexes() {
        session.sql(&create(name, &key, &options));
    }
}

/// One write, and what it changes when it happens: all of it or nothing.
struct Write {
    sql: String,
    /// What becomes of which document; `None`: it goes.
    effects: Vec<(i32, Option<Row>)>,
    /// `n` of the reply.
    n: i64,
    /// Another writer may have the value of `u` already.
    may_collide: bool,
    /// It carries a number under which it may be sent again.
    numbered: bool,
}

/// One of the concurrent writers.
pub struct Writer {
    number: i32,
    rng: Rng,
    rows: BTreeMap<i32, Row>,
    sequence: i32,
    /// Sent, and never answered.
    doubt: Option<Write>,
    writes: usize,
    /// Writes in doubt that were sent again under their number.
    pub sent_again: usize,
}

impl Writer {
    /// One without documents.
    pub fn new(number: i32, seed: u64) -> Writer {
        Writer {
            number,
            rng: Rng(seed),
            rows: BTreeMap::new(),
            sequence: 0,
            doubt: None,
            writes: 0,
            sent_again: 0,
        }
    }

    /// Writes until the connection is lost.
    pub fn run(&mut self, mut client: Client, acknowledged: &AtomicUsize) {
        loop {
            let write = self.next_write();
            match client.statement(&write.sql) {
                Ok(answer) => {
                    let Some(applied) = outcome(&write, &answer) else {
                        self.doubt = Some(write);
                        return;
                    };
                    if applied {
                        self.apply(&write);
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Err(Lost::Connection(_)) => {
                    self.doubt = Some(write);
                    return;
                }
                Err(e) => panic!("{e:?}"),
            }
        }
    }

    fn apply(&mut self, write: &Write) {
        for (id, row) in &write.effects {
            match row {
                Some(row) => self.rows.insert(*id, row.clone()),
                None => self.rows.remove(id),
            };
        }
    }

    /// Compares what is stored with what was promised; whether there was a write in doubt. One that has happened is
    /// taken over, unless it is to be sent again.
    pub fn settle(&mut self, all: &BTreeMap<i32, Vec<u8>>) -> bool {
        let ours = self.number * 1_000_000..(self.number + 1) * 1_000_000;
        let stored: BTreeMap<i32, Vec<u8>> = all.range(ours).map(|(id, d)| (*id, d.clone())).collect();
        let promised = |w: &Writer| -> BTreeMap<i32, Vec<u8>> {
            w.rows.iter().map(|(id, row)| (*id, row.document())).collect()
        };
        let before = promised(self);
        let Some(write) = self.doubt.take() else {
            assert_same(&before, &stored, self.number);
            return false;
        };
        let rows = self.rows.clone();
        self.apply(&write);
        if before == stored {
            self.rows = rows;
        } else {
            assert_same(&promised(self), &stored, self.number);
        }
        self.doubt = write.numbered.then_some(write);
        true
    }

    /// Sends the write in doubt again under its number: it has happened once afterwards, whether it had or not.
    pub fn send_again(&mut self, session: &mut Session) {
        let Some(write) = self.doubt.take() else { return };
        self.sent_again += 1;
        let reply = session.doc(&write.sql);
        let refused = Doc::trusted(&reply).get("writeErrors").is_some();
        if !refused {
            self.apply(&write);
        }
        assert!(!refused || write.may_collide, "{:?}", Doc::trusted(&reply));
        let all = crate::check::documents(session);
        let again = self.settle(&all);
        assert!(!again);
    }

    fn next_write(&mut self) -> Write {
        self.writes += 1;
        let (rng, number) = (&mut self.rng, self.number);
        let kind = if self.rows.len() < 15 { rng.below(2) } else { rng.below(12) };
        let picked = rng.below(self.rows.len().max(1));
        let row = self.rows.values().nth(picked).cloned();
        match (kind, row) {
            (0, _) | (_, None) => {
                let count = if rng.below(3) == 0 { 1 + rng.below(20) } else { 1 };
                let mut rows = Vec::new();
                for _ in 0..count {
                    self.sequence += 1;
                    rows.push(Row::new(number, self.sequence, rng));
                }
                let documents: Vec<Value> = rows.iter().map(|r| Value::Document(r.document())).collect();
                let n = rows.len() as i64;
                let effects = rows.into_iter().map(|r| (r.id, Some(r))).collect();
                self.write("insert", ("documents", documents), effects, n, false)
            }
            // Inserts with a value that others want too; upserts are half of them.
            (1, _) => {
                self.sequence += 1;
                let mut row = Row::new(number, self.sequence, rng);
                row.u = small(rng, SHARED);
                let (document, upsert) = (Value::Document(row.document()), rng.below(2) == 0);
                let effects = vec![(row.id, Some(row.clone()))];
                if !upsert {
                    return self.write("insert", ("documents", vec![document]), effects, 1, true);
                }
                let q = sub(&[("_id", Value::Int32(row.id))]);
                let u = sub(&[("q", q), ("u", document), ("upsert", Value::Bool(true))]);
                self.write("update", ("updates", vec![u]), effects, 1, true)
            }
            (2 | 3, Some(mut row)) => {
                let tag = small(rng, 8);
                row.n += 1;
                row.tags.push(tag);
                let inc = sub(&[("n", Value::Int32(1)), ("sub.x", Value::Int32(1))]);
                self.change(row, &[("$inc", inc), ("$push", sub(&[("tags", Value::Int32(tag))]))])
            }
            (4, Some(mut row)) => {
                row.tags = tags(rng);
                let list: Vec<Value> = row.tags.iter().map(|t| Value::Int32(*t)).collect();
                self.change(row, &[("$set", sub(&[("tags", Value::array_of(&list))]))])
            }
            // Touches no index.
            (5, Some(mut row)) => {
                row.pad += 1;
                self.change(row, &[("$inc", sub(&[("pad", Value::Int32(1))]))])
            }
            (6, Some(mut row)) => {
                let (operator, value) = match row.o.take() {
                    Some(_) => ("$unset", Value::Int32(1)),
                    None => {
                        row.o = Some(small(rng, 10));
                        ("$set", Value::Int32(row.o.unwrap_or(0)))
                    }
                };
                self.change(row, &[(operator, sub(&[("o", value)]))])
            }
            // Several documents in one write, through an index or not.
            (7, Some(row)) => {
                let (old, new) = (row.c, small(rng, 20));
                let [s, h] = words(new);
                let moved = self.rows.values().filter(|r| r.c == old);
                let effects: Vec<_> = moved.map(|r| (r.id, Some(Row { c: new, ..r.clone() }))).collect();
                let g = crate::model::place(new);
                let set = sub(&[("$set", sub(&[("c", Value::Int32(new)), ("s", s), ("h", h), ("g", g)]))]);
                let q = sub(&[("w", Value::Int32(number)), ("c", Value::Int32(old))]);
                let update = sub(&[("q", q), ("u", set), ("multi", Value::Bool(true))]);
                let n = effects.len() as i64;
                let mut write = self.write("update", ("updates", vec![update]), effects, n, false);
                write.numbered = false;
                write
            }
            (8, Some(row)) => {
                let effects: Vec<_> =
                    self.rows.values().filter(|r| r.c == row.c).map(|r| (r.id, None)).collect();
                let q = sub(&[("w", Value::Int32(number)), ("c", Value::Int32(row.c))]);
                let delete = sub(&[("q", q), ("limit", Value::Int32(0))]);
                let n = effects.len() as i64;
                let mut write = self.write("delete", ("deletes", vec![delete]), effects, n, false);
                write.numbered = false;
                write
            }
            (9, Some(row)) => {
                let delete = sub(&[("q", sub(&[("_id", Value::Int32(row.id))])), ("limit", Value::Int32(1))]);
                self.write("delete", ("deletes", vec![delete]), vec![(row.id, None)], 1, false)
            }
            // A value of the unique index that others want too.
            (10, Some(mut row)) => {
                row.u = small(rng, SHARED);
                let u = row.u;
                let mut write = self.change(row, &[("$set", sub(&[("u", Value::Int32(u))]))]);
                write.may_collide = true;
                write
            }
            (_, Some(row)) => {
                let mut new = Row { n: row.n + 1, u: row.u, ..Row::new(number, 0, rng) };
                new.id = row.id;
                let q = sub(&[("_id", Value::Int32(row.id))]);
                let update = sub(&[("q", q), ("u", Value::Document(new.document()))]);
                self.write("update", ("updates", vec![update]), vec![(new.id, Some(new))], 1, false)
            }
        }
    }

    /// An update of one document by its `_id`.
    fn change(&mut self, row: Row, update: &[(&str, Value)]) -> Write {
        let q = sub(&[("_id", Value::Int32(row.id))]);
        let update = sub(&[("q", q), ("u", sub(update))]);
        self.write("update", ("updates", vec![update]), vec![(row.id, Some(row))], 1, false)
    }

    fn write(
        &mut self,
        function: &str,
        operations: (&str, Vec<Value>),
        effects: Vec<(i32, Option<Row>)>,
        n: i64,
        may_collide: bool,
    ) -> Write {
        let numbered = n == 1 && self.rng.below(2) == 0;
        let transaction =
            if numbered { format!("'{}-{}'", self.number, self.writes) } else { "NULL".to_owned() };
        let list = Value::array_of(&operations.1);
        let command = doc(&[(function, Value::String("c".into())), (operations.0, list)]);
        let sql = format!(
            "SELECT p_result FROM documentdb_api.{function}('t', {}, NULL, {transaction})",
            literal(&command)
        );
        Write { sql, effects, n, may_collide, numbered }
    }
}

/// Whether a write has happened, by its answer; `None`: the server went down before it could say.
fn outcome(write: &Write, answer: &Answer) -> Option<bool> {
    let rows = match answer {
        Answer::Rows { rows, .. } => rows,
        Answer::Error { sqlstate, .. } if sqlstate.starts_with("57P") => return None,
        Answer::Error { sqlstate, message, .. } => panic!("{sqlstate} {message}: {}", write.sql),
    };
    let reply = unhex(rows[0][0].as_deref().expect("a reply"));
    let reply = Doc::trusted(&reply);
    let n = reply.get("n").and_then(number::exact_i64);
    if let Some(errors) = reply.get("writeErrors").and_then(Val::as_array) {
        let collided = errors.values().all(|e| {
            let words = e.as_doc().and_then(|d| d.get("errmsg")).and_then(Val::as_str);
            words.is_some_and(|w| w.contains("Duplicate key violation") && w.contains("u_1"))
        });
        assert!(collided && write.may_collide, "{reply:?}: {}", write.sql);
        return Some(false);
    }
    assert_eq!(n, Some(write.n), "{reply:?}: {}", write.sql);
    Some(true)
}

fn assert_same(promised: &BTreeMap<i32, Vec<u8>>, stored: &BTreeMap<i32, Vec<u8>>, writer: i32) {
    for (id, document) in promised {
        let found = stored.get(id).unwrap_or_else(|| panic!("writer {writer}: {id} is lost"));
        assert!(
            document == found,
            "writer {writer}: promised {:?}, stored {:?}",
            Doc::trusted(document),
            Doc::trusted(found)
        );
    }
    let more = stored.keys().find(|id| !promised.contains_key(id));
    assert!(more.is_none(), "writer {writer}: {more:?} should not be there");
}

/// Makes and drops an index all the time.
#[derive(Default)]
pub struct Indexer {
    built: bool,
    doubt: bool,
}

impl Indexer {
    /// Works until the connection is lost.
    pub fn run(&mut self, mut client: Client) {
        loop {
            let sql = if self.built {
                let drop = doc(&[
                    ("dropIndexes", Value::String("c".into())),
                    ("index", Value::String("churn".into())),
                ]);
                format!("CALL documentdb_api.drop_indexes('t', {})", literal(&drop))
            } else {
                create("churn", &[("c", Value::Int32(1)), ("w", Value::Int32(1))], &[])
            };
            self.doubt = true;
            match client.statement(&sql) {
                Ok(Answer::Rows { .. }) => {
                    self.built = !self.built;
                    self.doubt = false;
                }
                Ok(Answer::Error { sqlstate, .. }) if sqlstate.starts_with("57P") => return,
                Err(Lost::Connection(_)) => return,
                other => panic!("{sql}: {other:?}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the catalog says is what PostgreSQL has.
    pub fn settle(&mut self, session: &mut Session) {
        let list = "SELECT array_agg((i.index_spec).index_name ORDER BY i.index_id), count(*), (SELECT count(*) FROM pg_index p
                        WHERE p.indrelid = format('documentdb_data.documents_%s', c.collection_id)::regclass AND p.indisvalid)
                    FROM documentdb_api_catalog.collection_indexes i JOIN documentdb_api_catalog.collections c USING (collection_id)
                    WHERE c.database_name = 't' AND c.collection_name = 'c' GROUP BY c.collection_id";
        let rows = session.sql(list);
        assert_eq!(rows[0][1], rows[0][2], "{:?}", rows[0]);
        let there = rows[0][0].as_deref().unwrap_or("").contains("churn");
        assert!(self.doubt || there == self.built, "the catalog has {:?}", rows[0]);
        (self.built, self.doubt) = (there, false);
    }
}
