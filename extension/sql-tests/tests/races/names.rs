//! Names that are dropped, taken and told apart at the same moment.

use engine::{Doc, Val};
use sql_tests::{Session, cluster, doc, literal};

use super::{Other, drop_collection, ids, index, insert, insert_sql, rename, text};

#[test]
fn a_find_that_meets_a_drop_in_the_catalog_finds_nothing() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut holder, mut s) = (Session::open(node), Session::open(node));
    insert(&mut s, "c", 0..3);
    holder.sql("BEGIN");
    holder.sql("LOCK TABLE documentdb_api_catalog.collections IN ACCESS EXCLUSIVE MODE");
    holder.sql(&drop_collection("c"));
    let find = doc(&[("find", text("c"))]);
    let sql =
        format!("SELECT cursorpage FROM documentdb_api.find_cursor_first_page('t', {})", literal(&find));
    let other = Other::start(node, &[&sql]);
    other.waits(&mut s);
    holder.sql("COMMIT");
    let page = other.reply();
    let cursor = Doc::trusted(&page).get("cursor").and_then(Val::as_doc).unwrap();
    assert!(cursor.get("firstBatch").and_then(Val::as_array).unwrap().is_empty());
}

#[test]
fn a_drop_leaves_nothing_of_an_index_that_is_entered_meanwhile() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut holder, mut s) = (Session::open(node), Session::open(node));
    insert(&mut s, "c", 0..3);
    holder.sql("BEGIN");
    let call = "SELECT documentdb_api_internal.create_indexes_non_concurrently";
    holder.sql(&format!("{call}('t', {})", index("a")));
    let drop = Other::start(node, &[&drop_collection("c")]);
    drop.waits(&mut s);
    holder.sql("COMMIT");
    assert_eq!(drop.end().unwrap()[0][0].as_deref(), Some("t"));
    assert!(s.sql("SELECT * FROM documentdb_api_catalog.collection_indexes").is_empty());
}

#[test]
fn a_drop_of_a_uuid_spares_another_collection_of_the_name() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut holder, mut s) = (Session::open(node), Session::open(node));
    insert(&mut s, "c", 0..3);
    let uuid = "SELECT collection_uuid::text FROM documentdb_api_catalog.collections";
    let uuid = s.sql(uuid).remove(0).remove(0).unwrap();
    holder.sql("BEGIN");
    holder.sql("LOCK TABLE documentdb_api_catalog.collections IN EXCLUSIVE MODE");
    let sql = format!("SELECT documentdb_api.drop_collection('t', 'c', NULL, '{uuid}')");
    let other = Other::start(node, &[&sql]);
    other.waits(&mut s);
    holder.sql(&drop_collection("c"));
    insert(&mut holder, "c", 7..8);
    holder.sql("COMMIT");
    let (_, message) = other.end().unwrap_err();
    assert!(message.contains("UUID mismatch"), "{message}");
    assert_eq!(ids(&mut s, "c"), [7]);
}

#[test]
fn a_rename_onto_a_name_that_is_just_taken() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut holder, mut s) = (Session::open(node), Session::open(node));
    for drop_target in [false, true] {
        s.sql(&drop_collection("b"));
        s.sql(&drop_collection("a"));
        insert(&mut s, "a", 0..3);
        holder.sql("BEGIN");
        insert(&mut holder, "b", 7..8);
        let other = Other::start(node, &[&rename("a", "b", drop_target)]);
        other.waits(&mut s);
        holder.sql("COMMIT");
        let outcome = other.end();
        if drop_target {
            outcome.unwrap();
            assert_eq!(ids(&mut s, "b"), [0, 1, 2]);
        } else {
            assert_eq!(outcome.unwrap_err().1, "target namespace exists");
            assert_eq!(ids(&mut s, "b"), [7]);
        }
    }
}

#[test]
fn databases_that_differ_in_case_are_not_made_at_once() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut holder, mut s) = (Session::open(node), Session::open(node));
    s.sql("SET statement_timeout = '30s'");
    holder.sql("BEGIN");
    holder.sql(&insert_sql("Shop", "c", 0..1));
    // Other collections of the database do not wait for it.
    s.sql(&insert_sql("Shop", "d", 0..1));
    s.sql(&insert_sql("other", "c", 0..1));
    s.sql("SELECT documentdb_api.drop_collection('Shop', 'd')");
    let other = Other::start(node, &[&insert_sql("shop", "c", 0..1)]);
    other.waits(&mut s);
    holder.sql("COMMIT");
    let (_, message) = other.end().unwrap_err();
    assert!(message.contains("already exists with different case"), "{message}");
    let spec = doc(&[("renameCollection", text("other.c")), ("to", text("SHOP.c"))]);
    let sql = format!("SELECT documentdb_api.rename_collection({})", literal(&spec));
    let (_, message) = s.try_sql(&sql).unwrap_err();
    assert!(message.contains("already exists with different case"), "{message}");
    s.sql(&insert_sql("Shop", "e", 0..1));
}
