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
