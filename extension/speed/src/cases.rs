//! What is compared.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::{Doc, DocWriter, Val, Value};
use postgres::{Client, Statement};

use crate::data::{command, document, json, scattered, sub};
use crate::measure::{Row, compare};
use crate::{Failure, Options};

const FIND: &str =
    "SELECT cursorpage::bytea, continuation::bytea FROM documentdb_api.find_cursor_first_page($1, $2::bytea)";
const FIND_ONE: &str = "SELECT (documentdb_api.find_cursor_first_page($1, $2::bytea)).cursorpage::bytea";
const MORE: &str = "SELECT cursorpage::bytea, continuation::bytea FROM documentdb_api.cursor_get_more($1, $2::bytea, $3::bytea)";
const INSERT: &str = "SELECT (documentdb_api.insert($1, $2::bytea, NULL, NULL)).p_result::bytea";

/// Documents of an insert, and of a page.
const BATCH: i64 = 1000;
const PAGE: i64 = 100;

fn int(i: i64) -> Value {
    Value::Int64(i)
}

fn text(s: &str) -> Value {
    Value::String(s.into())
}

fn insert_command(collection: &str, ids: std::ops::Range<i64>, count: i64) -> Vec<u8> {
    let documents: Vec<Value> = ids.map(|id| Value::Document(document(id, count))).collect();
    command(&[("insert", text(collection)), ("documents", Value::array_of(&documents))])
}

/// Fills the collection `c` and the table `plain` with the same documents.
fn fill(client: &mut Client, count: i64) -> Result<String, Failure> {
    client.batch_execute("CREATE TABLE plain (id int8 PRIMARY KEY, document jsonb NOT NULL)")?;
    let insert = client.prepare(INSERT)?;
    let put = client.prepare("INSERT INTO plain SELECT * FROM unnest($1::int8[], $2::text[]::jsonb[])")?;
    for first in (0..count).step_by(1000) {
        let ids = first..first + 1000;
        client.query(&insert, &[&"t", &insert_command("c", ids.clone(), count)])?;
        let rows: (Vec<i64>, Vec<String>) = ids.map(|id| (id, json(id, count))).unzip();
        client.execute(&put, &[&rows.0, &rows.1])?;
    }
    let index = sub(&[("key", sub(&[("a", Value::Int32(1))])), ("name", text("a_1"))]);
    let create = command(&[("createIndexes", text("c")), ("indexes", Value::array_of(&[index]))]);
    client.query(
        "SELECT documentdb_api_internal.create_indexes_non_concurrently('t', $1::bytea, true)::bytea",
        &[&create],
    )?;
    client.batch_execute("CREATE INDEX ON plain (((document ->> 'a')::int8))")?;
    let table: String = client.query_one(
        "SELECT 'documentdb_data.documents_' || collection_id FROM documentdb_api_catalog.collections WHERE collection_name = 'c'",
        &[],
    )?.get(0);
    // One at a time: several together are a transaction block, where VACUUM is not allowed.
    for relation in ["plain", &table] {
        client.batch_execute(&format!("VACUUM (ANALYZE, FREEZE) {relation}"))?;
    }
    client.batch_execute("CHECKPOINT")?;
    Ok(table)
}

struct Bench {
    client: RefCell<Client>,
    clock: (u32, usize),
    count: i64,
    only: String,
    /// Runs along the ids in an order of its own.
    next: Cell<i64>,
    rows: RefCell<Vec<Row>>,
}

impl Bench {
    fn prepare(&self, sql: &str) -> Result<Statement, Failure> {
        Ok(self.client.borrow_mut().prepare(sql)?)
    }

    /// An id, another one each time.
    fn id(&self) -> i64 {
        self.next.set(self.next.get() + 1);
        scattered(self.next.get(), self.count)
    }

    /// Runs a statement `times` and checks how many documents it gives.
    fn plain(&self, statement: &Statement, times: usize, wanted: usize) -> Result<usize, Failure> {
        for _ in 0..times {
            let rows = self.client.borrow_mut().query(statement, &[&self.id()])?;
            if rows.len() != wanted {
                return Err(format!("{} rows instead of {wanted}", rows.len()).into());
            }
        }
        Ok(times)
    }

    fn find(
        &self,
        statement: &Statement,
        times: usize,
        wanted: usize,
        filter: impl Fn(i64) -> Vec<u8>,
    ) -> Result<usize, Failure> {
        for _ in 0..times {
            let row = self.client.borrow_mut().query_one(statement, &[&"t", &filter(self.id())])?;
            let found = documents(row.get(0));
            if found != wanted {
                return Err(format!("{found} documents instead of {wanted}").into());
            }
        }
        Ok(times)
    }

    fn case(
        &self,
        name: &str,
        target: f64,
        ours: &mut dyn FnMut() -> Result<usize, Failure>,
        plain: &mut dyn FnMut() -> Result<usize, Failure>,
    ) -> Result<(), Failure> {
        if name.contains(&self.only) {
            self.rows.borrow_mut().push(compare(name, target, self.clock, ours, plain)?);
        }
        Ok(())
    }
}

/// How many documents a page has.
fn documents(page: &[u8]) -> usize {
    let cursor = Doc::trusted(page).get("cursor").and_then(Val::as_doc).unwrap_or(Doc::EMPTY);
    let batch = cursor.get("firstBatch").or_else(|| cursor.get("nextBatch")).and_then(Val::as_array);
    batch.map_or(0, |b| b.iter().count())
}

/// Runs every case; whether all targets are met.
pub fn run(mut client: Client, options: &Options) -> Result<bool, Failure> {
    let count = options.documents;
    println!("Filling two tables with {count} documents of {} bytes …", document(1, count).len());
    let table = fill(&mut client, count)?;
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let clock = (u32::try_from(pid)?, options.rounds);
    let b = Bench {
        client: RefCell::new(client),
        clock,
        count,
        only: options.only.clone(),
        next: Cell::new(0),
        rows: RefCell::default(),
    };
    println!("{}", Row::HEAD);
    points(&b, &table)?;
    inserts(&b)?;
    scans(&b)?;
    counts(&b)?;
    pages(&b)?;
    memory(&b, clock.0)?;
    let rows = b.rows.borrow();
    Ok(rows.iter().all(Row::met))
}

fn points(b: &Bench, table: &str) -> Result<(), Failure> {
    let find = b.prepare(FIND)?;
    let find_one = b.prepare(FIND_ONE)?;
    let one = |field: &'static str| {
        // As drivers ask for one document.
        move |id: i64| {
            let filter = ("filter", sub(&[(field, int(id))]));
            command(&[
                ("find", text("c")),
                filter,
                ("limit", Value::Int32(1)),
                ("singleBatch", Value::Bool(true)),
            ])
        }
    };
    let same_row = b.prepare(&format!(
        "SELECT document::bytea FROM {table} WHERE shard_key_value = {} AND object_id OPERATOR(documentdb_core.=) $1::bytea::documentdb_core.bson",
        table.rsplit('_').next().unwrap_or("0")
    ))?;
    b.case(
        "find by _id | the same row by primary key",
        1.3,
        &mut || b.find(&find_one, 2000, 1, one("_id")),
        &mut || {
            for _ in 0..2000 {
                let key = command(&[("", int(b.id()))]);
                b.client.borrow_mut().query_one(&same_row, &[&key])?;
            }
            Ok(2000)
        },
    )?;
    let by_id = b.prepare("SELECT document FROM plain WHERE id = $1")?;
    b.case(
        "find by _id | a jsonb row by int8 key",
        1.3,
        &mut || b.find(&find_one, 2000, 1, one("_id")),
        &mut || b.plain(&by_id, 2000, 1),
    )?;
    let by_a = b.prepare("SELECT document FROM plain WHERE (document ->> 'a')::int8 = $1")?;
    b.case(
        "equality on an index | on an expression index",
        1.5,
        &mut || b.find(&find_one, 2000, 1, one("a")),
        &mut || b.plain(&by_a, 2000, 1),
    )?;
    let range = b.prepare(
        "SELECT document FROM plain WHERE (document ->> 'a')::int8 >= $1 ORDER BY (document ->> 'a')::int8 LIMIT 100",
    )?;
    // Not from the last hundred: they have fewer behind them.
    let start = |id: i64| id * 9 / 10;
    let sorted = |id: i64| {
        command(&[
            ("find", text("c")),
            ("filter", sub(&[("a", sub(&[("$gte", int(start(id)))]))])),
            ("sort", sub(&[("a", Value::Int32(1))])),
            ("limit", int(100)),
        ])
    };
    b.case(
        "100 sorted by an index | by an expression index",
        1.5,
        &mut || b.find(&find, 200, 100, sorted),
        &mut || {
            for _ in 0..200 {
                let rows = b.client.borrow_mut().query(&range, &[&start(b.id())])?;
                assert_eq!(rows.len(), 100);
            }
            Ok(200)
        },
    )
}

fn inserts(b: &Bench) -> Result<(), Failure> {
    b.client
        .borrow_mut()
        .batch_execute("CREATE TABLE copy (id int8 PRIMARY KEY, document bytea NOT NULL)")?;
    let insert = b.prepare(INSERT)?;
    let put = b.prepare("INSERT INTO copy SELECT * FROM unnest($1::int8[], $2::bytea[])")?;
    let (ours, plain) = (Cell::new(0), Cell::new(0));
    let take = |from: &Cell<i64>, n: i64| {
        let first = from.get();
        from.set(first + n);
        first..first + n
    };
    for (name, target, size, times) in
        [("insert of 1,000 | the same bytes", 2.0, BATCH, 5), ("insert of 1 | the same bytes", 2.0, 1, 500)]
    {
        b.case(
            name,
            target,
            &mut || {
                for _ in 0..times {
                    let command = insert_command("d", take(&ours, size), b.count);
                    b.client.borrow_mut().query_one(&insert, &[&"t", &command])?;
                }
                Ok(times)
            },
            &mut || {
                for _ in 0..times {
                    let rows: (Vec<i64>, Vec<Vec<u8>>) =
                        take(&plain, size).map(|id| (id, document(id, b.count))).unzip();
                    b.client.borrow_mut().execute(&put, &[&rows.0, &rows.1])?;
                }
                Ok(times)
            },
        )?;
    }
    Ok(())
}

fn scans(b: &Bench) -> Result<(), Failure> {
    let find = b.prepare(FIND)?;
    let scan = b.prepare("SELECT document FROM plain WHERE document ->> 's' = 'nothing' || $1::int8")?;
    b.case(
        "scan that matches nothing | on jsonb",
        2.0,
        &mut || {
            b.find(&find, 1, 0, |_| {
                command(&[("find", text("c")), ("filter", sub(&[("s", text("nothing"))]))])
            })
        },
        &mut || b.plain(&scan, 1, 0),
    )
}

/// A count of a hundredth of the documents.
fn counts(b: &Bench) -> Result<(), Failure> {
    let count = b.prepare("SELECT documentdb_api.count_query($1, $2::bytea)::bytea")?;
    let plain = b.prepare(
        "SELECT count(*) FROM plain WHERE (document ->> 'a')::int8 >= $1 AND (document ->> 'a')::int8 < $2",
    )?;
    let (times, wanted) = (20, b.count / 100);
    let start = |id: i64| id * 9 / 10;
    b.case(
        "count of a hundredth by an index | by an expression index",
        1.5,
        &mut || {
            for _ in 0..times {
                let low = start(b.id());
                let range = sub(&[("$gte", int(low)), ("$lt", int(low + wanted))]);
                let command = command(&[("count", text("c")), ("query", sub(&[("a", range)]))]);
                let reply: Vec<u8> = b.client.borrow_mut().query_one(&count, &[&"t", &command])?.get(0);
                let n = Doc::trusted(&reply).get("n").and_then(engine::number::exact_i64);
                if n != Some(wanted) {
                    return Err(format!("{n:?} documents instead of {wanted}").into());
                }
            }
            Ok(times)
        },
        &mut || {
            for _ in 0..times {
                let low = start(b.id());
                b.client.borrow_mut().query_one(&plain, &[&low, &(low + wanted)])?;
            }
            Ok(times)
        },
    )
}

/// Page 1000 (or the last one of a smaller collection) beside page 2.
fn pages(b: &Bench) -> Result<(), Failure> {
    let (find, more) = (b.prepare(FIND)?, b.prepare(MORE)?);
    for (name, sort) in
        [("page 1,000 | page 2, unsorted", None), ("page 1,000 | page 2, sorted by an index", Some("a"))]
    {
        if !name.contains(&b.only) {
            continue;
        }
        let mut fields = vec![("find", text("c")), ("batchSize", int(PAGE))];
        fields.extend(sort.map(|path| ("sort", sub(&[(path, Value::Int32(1))]))));
        let first = b.client.borrow_mut().query_one(&find, &[&"t", &command(&fields)])?;
        let second: Vec<u8> = first.get(1);
        let mut late = second.clone();
        let page = |continuation: &Vec<u8>| -> Result<Vec<u8>, Failure> {
            let mut w = DocWriter::new();
            let id = Doc::trusted(continuation).get("qi").ok_or("a continuation without an id")?;
            w.put_val("getMore", id).put_str("collection", "c").put("batchSize", &int(PAGE));
            let row = b.client.borrow_mut().query_one(&more, &[&"t", &w.finish(), continuation])?;
            Ok(row.get(1))
        };
        for _ in 2..(b.count / PAGE - 1).min(1000) {
            late = page(&late)?;
        }
        let times = |continuation: &Vec<u8>| -> Result<usize, Failure> {
            (0..50).try_for_each(|_| page(continuation).map(drop))?;
            Ok(50)
        };
        b.case(name, 1.3, &mut || times(&late), &mut || times(&second))?;
    }
    Ok(())
}

/// The most private memory the backend has while it sorts everything by a field without an index.
fn memory(b: &Bench, pid: u32) -> Result<usize, Failure> {
    if !"sort".contains(&b.only) {
        return Ok(0);
    }
    let find = b.prepare(FIND)?;
    let private = || -> usize {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix("RssAnon:"));
        line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
    };
    let before = private();
    let done = AtomicBool::new(false);
    let most = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = most.max(private());
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let sort = command(&[("find", text("c")), ("sort", sub(&[("r", Value::Int32(1))]))]);
        let row = b.client.borrow_mut().query_one(&find, &[&"t", &sort]);
        done.store(true, Ordering::Relaxed);
        (row, watch.join().unwrap_or(0))
    });
    let found = documents(most.0?.get(0));
    println!(
        "\nSorting {} documents without an index: the first page of {found}, at most {} KiB of memory of its own ({before} before; work_mem 4 MB)",
        b.count, most.1
    );
    Ok(most.1)
}
