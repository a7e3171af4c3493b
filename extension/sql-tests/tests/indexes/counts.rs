//! Counts by the entries of an index alone are those of scans.

use std::time::{Duration, Instant};

use engine::{Doc, Value};
use sql_tests::{Rng, Session, cluster, doc, sub};

use super::{count, create, find, natural, value};

/// Counts of random filters on fields without arrays; how many took an index alone.
fn count_as_scans_do(s: &mut Session, r: &mut Rng, n: usize) -> usize {
    let mut by_entries = 0;
    for _ in 0..n {
        let mut fields = Vec::new();
        for path in ["c", "d", "_id"] {
            let v = if path == "d" { Value::Int32(i32::try_from(r.below(30)).unwrap()) } else { value(r, 0) };
            let one = match r.below(8) {
                0..2 => v,
                2 => sub(&[("$in", Value::array_of(&[v, value(r, 0), Value::Int32(3)]))]),
                3 => sub(&[(*r.pick(&["$gt", "$gte", "$lt", "$lte"]), v)]),
                4 => sub(&[("$gte", value(r, 0)), ("$lt", v)]),
                _ => continue,
            };
            fields.push((path, one));
        }
        let f = doc(&fields);
        let (n, alone) = count(s, &f);
        let scanned = s.find(&find(&[natural()], &f)).len();
        assert_eq!(n, scanned, "{:?}, the index alone: {alone}", Doc::trusted(&f));
        by_entries += usize::from(alone);
    }
    by_entries
}

#[test]
fn counts_by_an_index_alone_are_those_of_scans() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let mut r = Rng(5);
    let one = || Value::Int32(1);
    let insert = |s: &mut Session, r: &mut Rng, ids: std::ops::Range<i32>| {
        let document = |id| {
            let mut fields = vec![("_id", Value::Int32(id)), ("d", Value::Int32(id % 30))];
            if r.below(6) > 0 {
                fields.push(("c", value(r, 0)));
            }
            sub(&fields)
        };
        let list = Value::array_of(&ids.map(document).collect::<Vec<_>>());
        s.write("insert", &doc(&[("insert", Value::String("c".into())), ("documents", list)]));
    };
    insert(&mut s, &mut r, 0..150);
    create(&mut s, sub(&[("c", Value::Int32(-1))]), &[("sparse", Value::Bool(true))]);
    create(&mut s, sub(&[("d", one()), ("c", one())]), &[]);
    let partial = sub(&[("d", sub(&[("$gte", Value::Int32(20))]))]);
    create(&mut s, sub(&[("d", Value::Int32(-1))]), &[("partialFilterExpression", partial)]);
    insert(&mut s, &mut r, 150..300);
    let counted = count_as_scans_do(&mut s, &mut r, 100);
    assert!(counted > 15, "only {counted} of 100 counts took an index alone");
    // Rows that were changed, with and without their keys, that are gone, that never were, that others do not see yet.
    for id in 0..60 {
        let set = sub(&[("$set", sub(&[("c", value(&mut r, 0)), ("x", value(&mut r, 0))]))]);
        let update = sub(&[("q", sub(&[("_id", Value::Int32(id * 4))])), ("u", set)]);
        let list = Value::array_of(&[update]);
        s.write("update", &doc(&[("update", Value::String("c".into())), ("updates", list)]));
        let delete = sub(&[("q", sub(&[("_id", Value::Int32(id * 5))])), ("limit", Value::Int32(1))]);
        let list = Value::array_of(&[delete]);
        s.write("delete", &doc(&[("delete", Value::String("c".into())), ("deletes", list)]));
    }
    s.sql("BEGIN");
    insert(&mut s, &mut r, 1000..1100);
    count_as_scans_do(&mut s, &mut r, 20);
    s.sql("ROLLBACK");
    let mut other = Session::open(cluster.primary());
    other.sql("BEGIN");
    insert(&mut other, &mut r, 2000..2100);
    count_as_scans_do(&mut s, &mut r, 60);
    other.sql("COMMIT");
    let sql = "SELECT collection_id FROM documentdb_api_catalog.collections WHERE collection_name = 'c'";
    let table = s.sql(sql)[0][0].clone().unwrap();
    // Once the map of visible pages says something, counts without a filter take the primary key.
    let all = s.find(&find(&[], &doc(&[]))).len();
    let end = Instant::now() + Duration::from_secs(60);
    while count(&mut s, &doc(&[])) != (all, true) {
        assert!(Instant::now() < end, "another number, or no page is known to be visible");
        cluster.primary().execute(&format!("VACUUM documentdb_data.documents_{table}")).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    count_as_scans_do(&mut s, &mut r, 60);
    insert(&mut s, &mut r, 300..380);
    let delete = sub(&[("q", sub(&[("d", sub(&[("$lt", Value::Int32(5))]))])), ("limit", Value::Int32(0))]);
    let list = Value::array_of(&[delete]);
    s.write("delete", &doc(&[("delete", Value::String("c".into())), ("deletes", list)]));
    count_as_scans_do(&mut s, &mut r, 60);
    cluster.wait_replayed().unwrap();
    let mut standby = Session::open(cluster.standby());
    let counted = count_as_scans_do(&mut standby, &mut r, 60);
    assert!(counted > 5, "the standby took an index alone in {counted} of 60 counts only");
    // An array somewhere, or a key that was cut, and entries are no longer documents.
    let before = count(&mut s, &doc(&[("c", Value::Int32(2))]));
    assert!(before.1);
    let list = Value::array_of(&[Value::Int32(2), Value::Int32(3)]);
    let more = Value::array_of(&[sub(&[("_id", Value::Int32(-1)), ("c", list)])]);
    s.write("insert", &doc(&[("insert", Value::String("c".into())), ("documents", more)]));
    assert_eq!(count(&mut s, &doc(&[("c", Value::Int32(2))])), (before.0 + 1, false));
    count_as_scans_do(&mut s, &mut r, 40);
}
