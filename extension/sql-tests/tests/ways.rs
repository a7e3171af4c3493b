//! The ways that commands prescribe, and those by several indexes: hint, min and max, `$natural`, `$or`.

use engine::{Doc, Value};
use sql_tests::{Session, cluster, doc, literal, sub};

fn text(s: &str) -> Value {
    Value::String(s.into())
}

fn int(n: i32) -> Value {
    Value::Int32(n)
}

fn create(s: &mut Session, key: Value, name: &str, options: &[(&str, Value)]) {
    let mut fields = vec![("key", key), ("name", text(name))];
    fields.extend_from_slice(options);
    let command = doc(&[("createIndexes", text("c")), ("indexes", Value::array_of(&[sub(&fields)]))]);
    let now = "SELECT documentdb_api_internal.create_indexes_non_concurrently";
    s.sql(&format!("{now}('t', {}, true)", literal(&command)));
}

fn find(fields: &[(&str, Value)]) -> Vec<u8> {
    let mut all = vec![("find", text("c"))];
    all.extend_from_slice(fields);
    doc(&all)
}

fn ids(s: &mut Session, fields: &[(&str, Value)]) -> Vec<i32> {
    let id = |d: &Vec<u8>| match Doc::trusted(d).get("_id").unwrap().view() {
        engine::raw::View::Int32(id) => id,
        _ => panic!("another _id"),
    };
    s.find(&find(fields)).iter().map(id).collect()
}

fn refused(s: &mut Session, fields: &[(&str, Value)]) -> String {
    let sql = "SELECT cursorpage FROM documentdb_api.find_cursor_first_page";
    s.try_sql(&format!("{sql}('t', {})", literal(&find(fields)))).unwrap_err().0
}

fn filled() -> (ermine_cluster::Cluster, Session) {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    // `a` falls, `b` has two values in every third document, `c` is there in every second.
    let one = |i: i32| {
        let b = if i % 3 == 0 { Value::array_of(&[int(i % 5), int(i % 7)]) } else { int(i % 5) };
        let mut fields = vec![("_id", int(i)), ("a", int(99 - i)), ("b", b)];
        if i % 2 == 0 {
            fields.push(("c", int(i % 10)));
        }
        sub(&fields)
    };
    let list: Vec<_> = (0..100).map(one).collect();
    s.write("insert", &doc(&[("insert", text("c")), ("documents", Value::array_of(&list))]));
    create(&mut s, sub(&[("a", int(1))]), "a_1", &[]);
    create(&mut s, sub(&[("b", int(1))]), "b_1", &[]);
    create(&mut s, sub(&[("c", int(-1)), ("a", int(1))]), "c_a", &[]);
    create(&mut s, sub(&[("h", int(1))]), "h_1", &[("hidden", Value::Bool(true))]);
    (cluster, s)
}

#[test]
fn prescribed_ways() {
    let (_cluster, mut s) = filled();
    let natural = |n: i32| ("hint", sub(&[("$natural", int(n))]));
    let backwards: Vec<i32> = (0..100).rev().collect();
    assert_eq!(ids(&mut s, &[natural(-1)]), backwards);
    assert_eq!(ids(&mut s, &[natural(-1), ("batchSize", int(7))]), backwards);
    assert_eq!(ids(&mut s, &[("sort", sub(&[("$natural", int(-1))])), ("batchSize", int(33))]), backwards);
    assert_eq!(ids(&mut s, &[natural(1), ("limit", int(3))]), [0, 1, 2]);

    let a = |n: i32| sub(&[("a", int(n))]);
    let by = |name: &str| ("hint", text(name));
    // From `min` on, up to and without `max`, in the order of the index.
    assert_eq!(ids(&mut s, &[by("a_1"), ("min", a(10)), ("max", a(13))]), [89, 88, 87]);
    assert_eq!(ids(&mut s, &[("hint", a(1)), ("min", a(97)), ("batchSize", int(1))]), [2, 1, 0]);
    assert_eq!(ids(&mut s, &[by("a_1"), ("max", a(2)), ("filter", sub(&[("_id", int(98))]))]), [98]);
    assert_eq!(ids(&mut s, &[by("a_1"), ("max", a(3)), ("sort", sub(&[("a", int(-1))]))]), [97, 98, 99]);
    let id = |n: i32| sub(&[("_id", int(n))]);
    assert_eq!(ids(&mut s, &[("hint", id(1)), ("min", id(5)), ("max", id(7))]), [5, 6]);
    let both = |c: i32, a: i32| sub(&[("c", int(c)), ("a", int(a))]);
    assert_eq!(ids(&mut s, &[by("c_a"), ("min", both(8, 90)), ("max", both(6, 5))]), [8, 96]);
    // A document with several keys between the ends comes once.
    let b = |n: i32| sub(&[("b", int(n))]);
    let mut met = ids(&mut s, &[by("b_1"), ("min", b(0)), ("max", b(9))]);
    met.sort_unstable();
    assert_eq!(met, (0..100).collect::<Vec<_>>());

    assert_eq!(refused(&mut s, &[("min", a(1))]), "MZB20");
    assert_eq!(refused(&mut s, &[("min", a(1)), ("max", b(1)), by("a_1")]), "MZB23");
    assert_eq!(refused(&mut s, &[("min", b(1)), by("a_1")]), "MZB21");
    assert_eq!(refused(&mut s, &[("min", a(1)), natural(1)]), "M0018");
    assert_eq!(refused(&mut s, &[("min", a(2)), ("max", a(2)), by("a_1")]), "MZB22");
    assert_eq!(refused(&mut s, &[("min", id(2)), ("max", id(1)), by("_id_")]), "MZB22");
    // A hidden index is none, whoever asks for it.
    assert_eq!(refused(&mut s, &[by("h_1")]), "M0001");
    assert_eq!(refused(&mut s, &[("hint", sub(&[("h", int(1))]))]), "M0001");
}

#[test]
fn a_skip_beyond_the_last_leaves_nothing() {
    let (_cluster, mut s) = filled();
    let none: [i32; 0] = [];
    let skip = |n: i32| ("skip", int(n));
    let natural = |n: i32| ("hint", sub(&[("$natural", int(n))]));
    let ways = [
        vec![],
        vec![natural(-1)],
        vec![("filter", sub(&[("b", int(2))])), natural(1)],
        vec![("filter", sub(&[("b", int(2))]))],
        vec![("hint", sub(&[("_id", int(1))]))],
        vec![("sort", sub(&[("_id", int(-1))]))],
        vec![("sort", sub(&[("a", int(1))]))],
        vec![("sort", sub(&[("zz", int(1)), ("_id", int(1))]))],
    ];
    for way in ways {
        let n = i32::try_from(ids(&mut s, &way).len()).unwrap();
        let with = |more: &[(&'static str, Value)]| [way.as_slice(), more].concat();
        assert_eq!(ids(&mut s, &with(&[skip(n - 1)])).len(), 1, "{way:?}");
        for beyond in [n, n + 1, n + 50] {
            assert_eq!(ids(&mut s, &with(&[skip(beyond)])), none, "{way:?}");
            assert_eq!(ids(&mut s, &with(&[skip(beyond), ("limit", int(3))])), none, "{way:?}");
        }
    }
}

#[test]
fn every_choice_of_an_or_has_its_index() {
    let (_cluster, mut s) = filled();
    let or = |list: &[Value]| ("$or", Value::array_of(list));
    let between = |low: i32, high: i32| sub(&[("$gte", int(low)), ("$lt", int(high))]);
    let filters = [
        vec![or(&[sub(&[("a", int(5))]), sub(&[("b", int(1))])])],
        // The same documents by several choices, and keys that a document has twice.
        vec![or(&[sub(&[("b", between(0, 5))]), sub(&[("a", between(20, 60))]), sub(&[("_id", int(3))])])],
        vec![("c", between(2, 7)), or(&[sub(&[("a", between(0, 50))]), sub(&[("_id", int(4))])])],
        vec![
            ("zz", Value::Null),
            or(&[sub(&[("b", int(2)), ("c", int(4))]), sub(&[("a", between(90, 95))])]),
        ],
    ];
    for filter in filters {
        let filter = ("filter", sub(&filter));
        let plan = s.plan(&find(std::slice::from_ref(&filter)));
        assert!(plan.starts_with("OR (IXSCAN ") || plan.starts_with("IXSCAN c_a"), "{plan}");
        let mut scan = ids(&mut s, &[filter.clone(), ("hint", sub(&[("$natural", int(1))]))]);
        let found = ids(&mut s, std::slice::from_ref(&filter));
        for size in [1, 3, 20] {
            assert_eq!(ids(&mut s, &[filter.clone(), ("batchSize", int(size))]), found);
        }
        let sorted = ids(&mut s, &[filter.clone(), ("sort", sub(&[("zz", int(1)), ("_id", int(1))]))]);
        scan.sort_unstable();
        assert_eq!(sorted, scan);
        let mut found = found;
        found.sort_unstable();
        assert_eq!(found, scan);
    }
    // One choice without an index: the table it is.
    let open = ("filter", sub(&[or(&[sub(&[("a", int(5))]), sub(&[("zz", int(1))])])]));
    assert_eq!(s.plan(&find(&[open])), "COLLSCAN");
    // Changes go the same way, each document once.
    let q = sub(&[or(&[sub(&[("b", between(0, 9))]), sub(&[("a", between(0, 99))])])]);
    let up = sub(&[
        ("q", q),
        ("u", sub(&[("$inc", sub(&[("n", int(1)), ("a", int(1))]))])),
        ("multi", Value::Bool(true)),
    ]);
    s.write("update", &doc(&[("update", text("c")), ("updates", Value::array_of(&[up]))]));
    assert_eq!(ids(&mut s, &[("filter", sub(&[("n", int(1))]))]).len(), 100);
}
