//! Answers through indexes are those of a scan: for random documents and filters, after updates, deletes, a rollback,
//! vacuum, on the standby, after a crash, page by page.

mod counts;

use engine::sort::SortSpec;
use engine::{Doc, Value};
use sql_tests::{Rng, Session, cluster, doc, literal, sub};

fn value(r: &mut Rng, depth: usize) -> Value {
    match r.below(14) {
        0..5 => Value::Int32(i32::try_from(r.below(8)).unwrap()),
        5 => Value::Double([0.5, 3.0, f64::NAN, -1.0, 1e30][r.below(5)]),
        6 => Value::Int64([3, i64::MAX, (1 << 53) + 1][r.below(3)]),
        7 | 8 => Value::String((*r.pick(&["", "a", "ab", "b"])).into()),
        9 => Value::Null,
        10 => Value::Bool(r.below(2) == 0),
        11 if depth > 0 => {
            let n = r.below(5);
            Value::array_of(&(0..n).map(|_| value(r, depth - 1)).collect::<Vec<_>>())
        }
        12 if depth > 0 => sub(&[("b", value(r, depth - 1))]),
        13 if depth > 0 => Value::array_of(&[sub(&[("b", value(r, 1))]), sub(&[("b", value(r, 0))])]),
        _ => Value::Int32(2),
    }
}

fn document(r: &mut Rng, id: i32) -> Vec<u8> {
    let mut fields = vec![("_id", Value::Int32(id))];
    for name in ["a", "c"] {
        if r.below(6) > 0 {
            fields.push((name, value(r, if name == "a" { 2 } else { 0 })));
        }
    }
    if r.below(40) == 0 {
        fields.push(("s", Value::String(format!("{}{}", "x".repeat(3000), r.below(4)))));
    }
    doc(&fields)
}

fn condition(r: &mut Rng) -> Value {
    let v = value(r, 1);
    let usable = !matches!(v, Value::Array(_));
    match r.below(9) {
        0..3 => v,
        3 if usable => sub(&[(*r.pick(&["$gt", "$gte", "$lt", "$lte"]), v)]),
        // Often no single value satisfies both, but two elements of an array do.
        4 if usable => {
            let (low, high) = (r.below(8), r.below(8));
            let number = |n: usize| Value::Int32(i32::try_from(n).unwrap());
            sub(&[("$gte", number(low)), ("$lt", number(high))])
        }
        5 => sub(&[("$in", Value::array_of(&[v, value(r, 0), Value::Int32(3)]))]),
        6 => sub(&[("$exists", Value::Bool(r.below(2) == 0))]),
        7 => sub(&[("$elemMatch", sub(&[("$gt", Value::Int32(1)), ("$lt", Value::Int32(4))]))]),
        8 => sub(&[("$regex", Value::String("^a".into()))]),
        _ => v,
    }
}

fn filter(r: &mut Rng) -> Vec<u8> {
    let mut fields = Vec::new();
    for path in ["a", "a.b", "c", "_id"] {
        if r.below(3) == 0 {
            fields.push((path, condition(r)));
        }
    }
    if r.below(30) == 0 {
        fields.push(("s", Value::String(format!("{}1", "x".repeat(3000)))));
    }
    doc(&fields)
}

fn find(fields: &[(&str, Value)], filter: &[u8]) -> Vec<u8> {
    let mut all = vec![("find", Value::String("c".into())), ("filter", Value::Document(filter.to_vec()))];
    all.extend_from_slice(fields);
    doc(&all)
}

fn natural() -> (&'static str, Value) {
    ("hint", sub(&[("$natural", Value::Int32(1))]))
}

/// How many documents match, as the count command and a pipeline tell, and whether the index alone told it.
fn count(s: &mut Session, filter: &[u8]) -> (usize, bool) {
    let filter = || Value::Document(filter.to_vec());
    let command = literal(&doc(&[("count", Value::String("c".into())), ("query", filter())]));
    let number = |d: &[u8], name: &str| match Doc::trusted(d).get(name).map(engine::Val::view) {
        Some(engine::View::Int32(n)) => usize::try_from(n).unwrap(),
        other => panic!("{other:?}"),
    };
    let n = number(&s.doc(&format!("SELECT documentdb_api.count_query('t', {command})")), "n");
    let group = sub(&[("_id", Value::Int32(1)), ("n", sub(&[("$sum", Value::Int32(1))]))]);
    let stages = Value::array_of(&[sub(&[("$match", filter())]), sub(&[("$group", group)])]);
    let pipeline = [("aggregate", Value::String("c".into())), ("pipeline", stages), ("cursor", sub(&[]))];
    let sql = format!(
        "SELECT document FROM documentdb_api_catalog.bson_aggregation_pipeline('t', {})",
        literal(&doc(&pipeline))
    );
    let grouped = s.sql(&sql);
    let grouped = grouped.first().map(|row| number(&sql_tests::unhex(row[0].as_deref().unwrap()), "n"));
    assert_eq!(grouped.unwrap_or(0), n, "{sql}");
    let sql = "EXPLAIN SELECT document FROM documentdb_api_catalog.bson_aggregation_count";
    let plan = s.sql(&format!("{sql}('t', {command})"));
    (n, plan.iter().flatten().flatten().any(|line| line.contains("Index Only Scan")))
}

/// Compares answers for `n` random finds; the number that went through a secondary index.
fn compare(s: &mut Session, seed: u64, n: usize) -> usize {
    let mut r = Rng(seed);
    let mut through_index = 0;
    for _ in 0..n {
        let f = filter(&mut r);
        let sort: Option<Value> = match r.below(5) {
            0 => Some(sub(&[("a", Value::Int32(1))])),
            1 => Some(sub(&[("c", Value::Int32([1, -1][r.below(2)]))])),
            2 => Some(sub(&[("c", Value::Int32(1)), ("a", Value::Int32(-1))])),
            3 => Some(sub(&[("_id", Value::Int32(-1))])),
            _ => None,
        };
        let mut with: Vec<(&str, Value)> = sort.iter().map(|v| ("sort", v.clone())).collect();
        let plan = s.plan(&find(&with, &f));
        through_index += usize::from(plan.contains("IXSCAN") && !plan.contains("_id_"));
        let ours = s.find(&find(&with, &f));
        let scan = s.find(&find(&[natural()], &f));
        let shown = || format!("{plan}: {:?}, sort {sort:?}", Doc::trusted(&f));
        let (mut x, mut y) = (ours.clone(), scan);
        x.sort();
        y.sort();
        assert_eq!(x, y, "{}", shown());
        assert_eq!(count(s, &f).0, y.len(), "{}", shown());
        if let Some(Value::Document(spec)) = &sort {
            let spec = SortSpec::parse(Doc::trusted(spec)).unwrap();
            let keys: Vec<_> = ours.iter().map(|d| spec.key(Doc::trusted(d)).unwrap()).collect();
            assert!(keys.is_sorted(), "{}", shown());
        }
        // A handful of pages each: a page's size follows from the result's.
        let size = ours.len() / (r.below(4) + 1) + 1;
        with.push(("batchSize", Value::Int32(i32::try_from(size).unwrap())));
        assert_eq!(s.find(&find(&with, &f)), ours, "in pages: {}", shown());
    }
    through_index
}

fn create(s: &mut Session, key: Value, options: &[(&str, Value)]) {
    static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let name = format!("i{}", NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let mut fields = vec![("key", key), ("name", Value::String(name))];
    fields.extend_from_slice(options);
    let indexes = Value::array_of(&[sub(&fields)]);
    let command = doc(&[("createIndexes", Value::String("c".into())), ("indexes", indexes)]);
    s.sql(&format!(
        "SELECT documentdb_api_internal.create_indexes_non_concurrently('t', {}, true)",
        literal(&command)
    ));
}

fn insert(s: &mut Session, r: &mut Rng, ids: std::ops::Range<i32>) {
    let documents: Vec<Value> = ids.map(|id| Value::Document(document(r, id))).collect();
    let command = doc(&[("insert", Value::String("c".into())), ("documents", Value::array_of(&documents))]);
    s.write("insert", &command);
}

#[test]
fn indexes_answer_as_scans_do() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let mut r = Rng(42);
    let one = || Value::Int32(1);
    insert(&mut s, &mut r, 0..150);
    // Half of the indexes are built over rows, half grow with them.
    create(&mut s, sub(&[("a", one())]), &[]);
    create(&mut s, sub(&[("c", Value::Int32(-1)), ("a", one())]), &[]);
    create(&mut s, sub(&[("s", one())]), &[("sparse", Value::Bool(true))]);
    insert(&mut s, &mut r, 150..300);
    create(&mut s, sub(&[("a.b", Value::Int32(-1))]), &[]);
    create(&mut s, sub(&[("c", one())]), &[("sparse", Value::Bool(true))]);
    let partial = sub(&[("c", sub(&[("$gt", Value::Int32(2))]))]);
    create(&mut s, sub(&[("c", one()), ("_id", one())]), &[("partialFilterExpression", partial)]);
    let used = compare(&mut s, 1, 250);
    assert!(used > 100, "only {used} of 250 finds went through an index");

    for i in 0..120 {
        let id = Value::Int32(i32::try_from(r.below(300)).unwrap());
        let one = if i % 3 == 0 {
            let d = doc(&[("q", sub(&[("_id", id)])), ("limit", Value::Int32(1))]);
            ("delete", "deletes", d)
        } else {
            let set = sub(&[("$set", sub(&[("a", value(&mut r, 2)), ("c", value(&mut r, 0))]))]);
            ("update", "updates", doc(&[("q", sub(&[("_id", id)])), ("u", set)]))
        };
        let list = Value::array_of(&[Value::Document(one.2)]);
        s.write(one.0, &doc(&[(one.0, Value::String("c".into())), (one.1, list)]));
    }
    s.sql("BEGIN");
    insert(&mut s, &mut r, 1000..1100);
    s.sql("ROLLBACK");
    compare(&mut s, 2, 120);

    let table = s.sql("SELECT collection_id FROM documentdb_api_catalog.collections WHERE database_name = 't' AND collection_name = 'c'");
    let table = table[0][0].clone().unwrap();
    cluster.primary().execute(&format!("VACUUM documentdb_data.documents_{table}")).unwrap();
    insert(&mut s, &mut r, 300..380);
    compare(&mut s, 3, 120);

    cluster.wait_replayed().unwrap();
    let mut standby = Session::open(cluster.standby());
    let used = compare(&mut standby, 4, 80);
    assert!(used > 20, "the standby used an index in {used} finds only");

    cluster.primary().kill().unwrap();
    cluster.primary().start().unwrap();
    let mut s = Session::open(cluster.primary());
    compare(&mut s, 5, 120);
    let scans = s
        .sql("SELECT count(*) FROM pg_class c JOIN pg_am m ON m.oid = c.relam WHERE m.amname = 'bson_btree'");
    assert_eq!(scans[0][0].as_deref(), Some("6"));
}

#[test]
fn wildcard_indexes_answer_as_scans_do() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let mut r = Rng(77);
    let one = || Value::Int32(1);
    insert(&mut s, &mut r, 0..120);
    create(&mut s, sub(&[("$**", one())]), &[]);
    insert(&mut s, &mut r, 120..240);
    let used = compare(&mut s, 11, 150);
    assert!(used > 50, "only {used} of 150 finds went through the index");
    // A descending one below a field, one without a part of a field, one behind an ordinary field.
    let all = doc(&[("dropIndexes", Value::String("c".into())), ("index", Value::String("*".into()))]);
    s.sql(&format!("CALL documentdb_api.drop_indexes('t', {}, NULL)", literal(&all)));
    create(&mut s, sub(&[("a.$**", Value::Int32(-1))]), &[]);
    compare(&mut s, 12, 80);
    let without = sub(&[("c", Value::Int32(0)), ("a.b", Value::Int32(0)), ("_id", one())]);
    create(&mut s, sub(&[("$**", one())]), &[("wildcardProjection", without)]);
    compare(&mut s, 13, 80);
    create(&mut s, sub(&[("c", one()), ("a.$**", one())]), &[]);
    let used = compare(&mut s, 14, 120);
    assert!(used > 40, "only {used} of 120 finds went through an index");
    // A document has an entry for each path where the field before them decides alone.
    let paths = sub(&[("b", Value::Int32(3)), ("x", one()), ("y", one())]);
    let wide = Value::array_of(&[sub(&[("_id", Value::Int32(-1)), ("c", Value::Int64(77)), ("a", paths)])]);
    s.write("insert", &doc(&[("insert", Value::String("c".into())), ("documents", wide)]));
    let filter = doc(&[("c", sub(&[("$gt", Value::Int32(70))])), ("a.b", Value::Int32(3))]);
    assert!(s.plan(&find(&[], &filter)).starts_with("IXSCAN i"));
    assert_eq!((s.find(&find(&[], &filter)).len(), count(&mut s, &filter)), (1, (1, false)));
}

#[test]
fn a_wildcard_index_has_strings_as_its_collation_does() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let text = |t: &str| Value::String(t.into());
    let by = sub(&[("locale", text("en")), ("strength", Value::Int32(2))]);
    let command = doc(&[("create", text("c")), ("collation", by)]);
    s.sql(&format!("SELECT documentdb_api.create_collection_view('t', {})", literal(&command)));
    create(&mut s, sub(&[("$**", Value::Int32(1))]), &[]);
    let names = ["Bob", "alice", "bob", "BOB", "Carol"];
    let rows: Vec<_> =
        (0..).zip(names).map(|(id, name)| sub(&[("_id", Value::Int32(id)), ("n", text(name))])).collect();
    s.write("insert", &doc(&[("insert", text("c")), ("documents", Value::array_of(&rows))]));
    let bob = doc(&[("n", text("bob"))]);
    assert!(s.plan(&find(&[], &bob)).starts_with("IXSCAN i"), "{}", s.plan(&find(&[], &bob)));
    assert_eq!(s.find(&find(&[], &bob)).len(), 3);
    let after = doc(&[("n", sub(&[("$gt", text("BOB"))]))]);
    let sort = [("sort", sub(&[("n", Value::Int32(1))]))];
    assert_eq!((s.find(&find(&[], &after)).len(), s.find(&find(&sort, &after)).len()), (1, 1));
    let all = doc(&[("n", sub(&[("$gt", text(""))]))]);
    let sorted = s.find(&find(&sort, &all));
    let ids: Vec<_> = sorted.iter().map(|d| Doc::trusted(d).get("n").unwrap().as_str().unwrap()).collect();
    assert_eq!(ids, ["alice", "Bob", "bob", "BOB", "Carol"]);
}

#[test]
fn a_text_index_finds_words_and_tells_scores() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let text = |t: &str| Value::String(t.into());
    let row = |id: i32, g: i32, t: &str, b: &str| {
        sub(&[
            ("_id", Value::Int32(id)),
            ("g", Value::Int32(g)),
            ("t", text(t)),
            ("b", Value::array_of(&[text(b)])),
        ])
    };
    let rows = [
        row(1, 1, "Cakes", "a tea shop"),
        row(2, 1, "cake shop", "café"),
        row(3, 2, "dark", "Running cakes"),
    ];
    s.write("insert", &doc(&[("insert", text("c")), ("documents", Value::array_of(&rows))]));
    let key = || sub(&[("g", Value::Int32(1)), ("t", text("text")), ("b", text("text"))]);
    create(&mut s, key(), &[("weights", sub(&[("t", Value::Int32(2))]))]);
    let more = [row(4, 1, "the shop", "cake and cake"), row(5, 1, "nothing", "here")];
    s.write("insert", &doc(&[("insert", text("c")), ("documents", Value::array_of(&more))]));
    let score = || sub(&[("$meta", text("textScore"))]);
    let mut ids = |search: &str, group: i32| {
        let filter = doc(&[("g", Value::Int32(group)), ("$text", sub(&[("$search", text(search))]))]);
        let shown = sub(&[("_id", Value::Int32(1)), ("s", score())]);
        let command = find(&[("projection", shown), ("sort", sub(&[("x", score())]))], &filter);
        assert!(s.plan(&command).contains("IXSCAN i"), "{}", s.plan(&command));
        let found = s.find(&command);
        let field = |d: &[u8], name| match Doc::trusted(d).get(name).map(engine::Val::view) {
            Some(engine::View::Int32(i)) => f64::from(i),
            Some(engine::View::Double(d)) => d,
            other => panic!("{other:?}"),
        };
        found.iter().map(|d| (field(d, "_id"), field(d, "s"))).collect::<Vec<_>>()
    };
    // A word alone in its field weighs its weight, half of two three quarters of it.
    assert_eq!(ids("cake", 1), [(1.0, 2.0), (2.0, 1.5), (4.0, 1.5)]);
    assert_eq!(ids("cakes shop", 1), [(4.0, 3.5), (2.0, 3.0), (1.0, 2.75)]);
    assert_eq!(ids("cake -shop", 1), []);
    assert_eq!(ids("\"tea shop\"", 1), [(1.0, 0.75 + 0.75)]);
    assert_eq!(ids("CAFE", 1), [(2.0, 1.0)]);
    assert_eq!(ids("run", 2), [(3.0, 0.75)]);
    assert_eq!(ids("the", 1), []);
    let u = sub(&[("$set", sub(&[("t", text("bread"))]))]);
    let change = sub(&[("q", sub(&[("_id", Value::Int32(1))])), ("u", u)]);
    s.write("update", &doc(&[("update", text("c")), ("updates", Value::array_of(&[change]))]));
    cluster.wait_replayed().unwrap();
    let mut standby = Session::open(cluster.standby());
    let filter = doc(&[("g", Value::Int32(1)), ("$text", sub(&[("$search", text("bread cake"))]))]);
    assert_eq!(standby.find(&find(&[], &filter)).len(), 3);
}

#[test]
fn a_unique_index_holds_under_two_writers() {
    let cluster = cluster();
    let mut a = Session::open(cluster.primary());
    let mut b = Session::open(cluster.primary());
    let put = |id: i32, u: Value| {
        let d = sub(&[("_id", Value::Int32(id)), ("u", u)]);
        let list = Value::array_of(&[d]);
        literal(&doc(&[("insert", Value::String("c".into())), ("documents", list)]))
    };
    let sql = |d: String| format!("SELECT p_success FROM documentdb_api.insert('t', {d})");
    a.sql(&sql(put(1, Value::array_of(&[Value::Int32(1), Value::Int32(2)]))));
    create(&mut a, sub(&[("u", Value::Int32(1))]), &[("unique", Value::Bool(true))]);
    a.sql("BEGIN");
    assert_eq!(a.sql(&sql(put(2, Value::Int32(7))))[0][0].as_deref(), Some("t"));
    // The other writer waits for the first one's end, then finds its key.
    let waiting = std::thread::spawn(move || b.sql(&sql(put(3, Value::Double(7.0))))[0][0].clone());
    a.sql("COMMIT");
    assert_eq!(waiting.join().unwrap().as_deref(), Some("f"));
    assert_eq!(a.sql(&sql(put(4, Value::Int32(2))))[0][0].as_deref(), Some("f"));
    assert_eq!(
        a.sql(&sql(put(5, Value::array_of(&[Value::Int32(9), Value::Int32(9)]))))[0][0].as_deref(),
        Some("t")
    );
}
