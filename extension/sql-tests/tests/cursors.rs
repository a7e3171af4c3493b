//! Cursors that any backend of the server can go on with.

use engine::{Doc, Val, Value};
use ermine_cluster::Node;
use sql_tests::{Session, cluster, doc, literal, sub, unhex};

const FILES: &str = "SELECT count(*) FROM pg_ls_dir('base/pgsql_tmp/pgsql_tmp_ermine_cursors', true, false)";

fn fill(s: &mut Session, n: i32) {
    let documents: Vec<Value> =
        (0..n).map(|i| sub(&[("_id", Value::Int32(i)), ("v", Value::Int32(i * 7919 % n))])).collect();
    let command = doc(&[("insert", Value::String("c".into())), ("documents", Value::array_of(&documents))]);
    s.write("insert", &command);
}

/// Opens a cursor over a sort that no index gives; its continuation.
fn open_sorted(s: &mut Session) -> Vec<u8> {
    let find = doc(&[
        ("find", Value::String("c".into())),
        ("sort", sub(&[("v", Value::Int32(1))])),
        ("batchSize", Value::Int32(10)),
    ]);
    s.doc(&format!("SELECT continuation FROM documentdb_api.find_cursor_first_page('t', {})", literal(&find)))
}

fn more(continuation: &[u8]) -> String {
    let id = Doc::trusted(continuation).get("qi").unwrap();
    let mut w = engine::DocWriter::new();
    w.put_val("getMore", id).put_str("collection", "c").put("batchSize", &Value::Int32(1000));
    let (spec, continuation) = (literal(&w.finish()), literal(continuation));
    format!(
        "SELECT cursorpage, continuation FROM documentdb_api.cursor_get_more('t', {spec}, {continuation})"
    )
}

fn values(page: &[u8]) -> Vec<i64> {
    let cursor = Doc::trusted(page).get("cursor").and_then(Val::as_doc).unwrap();
    let batch = cursor.get("nextBatch").and_then(Val::as_array).unwrap();
    batch.values().filter_map(|d| engine::number::exact_i64(d.as_doc()?.get("v")?)).collect()
}

fn files(node: &Node) -> String {
    node.query(FILES).unwrap().unwrap_or_default()
}

#[test]
fn another_backend_reads_on_and_the_file_goes_with_the_end() {
    let cluster = cluster();
    let mut first = Session::open(cluster.primary());
    fill(&mut first, 100);
    cluster.wait_replayed().unwrap();
    for node in [cluster.primary(), cluster.standby()] {
        let continuation = open_sorted(&mut Session::open(node));
        assert_eq!(files(node), "1");
        let rows = Session::open(node).sql(&more(&continuation));
        assert_eq!(values(&unhex(rows[0][0].as_deref().unwrap())), (10..100).collect::<Vec<_>>());
        assert_eq!(rows[0][1], None);
        assert_eq!(files(node), "0");
        let (state, message) = Session::open(node).try_sql(&more(&continuation)).unwrap_err();
        assert_eq!((state.as_str(), message.as_str()), ("M000E", "Cursor not found"));
    }
}

#[test]
fn killed_and_expired_cursors_leave_no_file() {
    let cluster = cluster();
    let node = cluster.primary();
    let mut s = Session::open(node);
    fill(&mut s, 50);
    let killed = open_sorted(&mut s);
    let kept = open_sorted(&mut s);
    let id = engine::number::exact_i64(Doc::trusted(&killed).get("qi").unwrap()).unwrap();
    s.sql(&format!("SELECT documentdb_api_internal.delete_cursors(ARRAY[{id}]::int8[])"));
    assert_eq!(s.try_sql(&more(&killed)).unwrap_err().0, "M000E");
    assert_eq!(files(node), "1");
    s.sql("SELECT documentdb_api_internal.cursor_directory_cleanup(3600)");
    assert_eq!(files(node), "1", "a young file stays");
    s.sql("SELECT documentdb_api_internal.cursor_directory_cleanup(0)");
    assert_eq!(files(node), "0");
    assert_eq!(s.try_sql(&more(&kept)).unwrap_err().0, "M000E");
}

#[test]
fn a_continuation_leads_to_no_other_file() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    fill(&mut s, 20);
    for name in ["../../../postgresql.conf", "/etc/passwd", "..", ""] {
        let forged = doc(&[
            ("qi", Value::Int64(5)),
            ("qk", Value::Int32(1)),
            ("qc", sub(&[("find", Value::String("c".into()))])),
            ("qf", Value::String(name.into())),
            ("qo", Value::Int64(0)),
        ]);
        assert_eq!(s.try_sql(&more(&forged)).unwrap_err().0, "M000E", "{name}");
    }
}

/// Opens a find with small pages; its continuation.
fn open(s: &mut Session, more: &[(&str, Value)]) -> Vec<u8> {
    let mut fields = vec![("find", Value::String("c".into())), ("batchSize", Value::Int32(20))];
    fields.extend_from_slice(more);
    let sql = "SELECT continuation FROM documentdb_api.find_cursor_first_page";
    s.doc(&format!("{sql}('t', {})", literal(&doc(&fields))))
}

/// Without the file that newer continuations name.
fn of_an_older_version(continuation: &[u8]) -> Vec<u8> {
    let mut w = engine::DocWriter::new();
    for e in Doc::trusted(continuation) {
        let Some(at) = (e.name() == "at").then(|| e.val.as_doc()).flatten() else {
            w.put_elem(&e);
            continue;
        };
        let mut inner = engine::DocWriter::new();
        for e in at.iter().filter(|e| e.name() != "f") {
            inner.put_elem(&e);
        }
        w.put_doc("at", Doc::trusted(&inner.finish()));
    }
    w.finish()
}

#[test]
fn a_cursor_over_places_of_rows_ends_where_they_were_moved() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    fill(&mut s, 2000);
    let index = sub(&[("key", sub(&[("v", Value::Int32(1))])), ("name", Value::String("v_1".into()))]);
    let command =
        doc(&[("createIndexes", Value::String("c".into())), ("indexes", Value::array_of(&[index]))]);
    let sql = "SELECT documentdb_api_internal.create_indexes_non_concurrently";
    s.sql(&format!("{sql}('t', {}, true)", literal(&command)));
    let all = sub(&[("q", sub(&[("_id", sub(&[("$lt", Value::Int32(1000))]))])), ("limit", Value::Int32(0))]);
    s.write("delete", &doc(&[("delete", Value::String("c".into())), ("deletes", Value::array_of(&[all]))]));

    let of_rows = [
        open(&mut s, &[]),
        open(&mut s, &[("sort", sub(&[("$natural", Value::Int32(-1))]))]),
        open(&mut s, &[("sort", sub(&[("v", Value::Int32(1))])), ("hint", Value::String("v_1".into()))]),
    ];
    let by_id = open(&mut s, &[("sort", sub(&[("_id", Value::Int32(1))]))]);
    let begun = open(&mut s, &[("batchSize", Value::Int32(0))]);
    // An older version's goes on as it did.
    let old = of_an_older_version(&of_rows[0]);
    assert_ne!(old, of_rows[0]);
    for continuation in of_rows.iter().chain([&old]) {
        let rows = s.sql(&more(continuation));
        assert_eq!(values(&unhex(rows[0][0].as_deref().unwrap())).len(), 980);
    }
    let compact = doc(&[("compact", Value::String("c".into())), ("$db", Value::String("t".into()))]);
    let mut owner = Session::open_as(cluster.primary(), "ermine", "postgres");
    owner.sql(&format!("SELECT documentdb_api.compact({})", literal(&compact)));
    for continuation in &of_rows {
        let (_, message) = s.try_sql(&more(continuation)).unwrap_err();
        assert!(message.contains("was rewritten"), "{message}");
    }
    // Where the position is none of the table's, nothing is missing.
    for (continuation, n) in [(&by_id, 980), (&begun, 1000)] {
        let rows = s.sql(&more(continuation));
        assert_eq!(values(&unhex(rows[0][0].as_deref().unwrap())).len(), n);
    }
}
