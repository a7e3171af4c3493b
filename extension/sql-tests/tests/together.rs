//! The indexes of one createIndexes become valid together or not at all, whatever happens in between; builds that a transaction
//! with several drops meets.

use engine::Value;
use sql_tests::builds::{
    RELATIONS, command, count, create, drop_index, hold, index, insert, number, plan, status, wait,
    wait_for_row, wait_for_worker,
};
use sql_tests::{Session, cluster, literal};

/// Begins to build two indexes of `c`, and stops when the first one is complete and the books are left to do. Whoever is
/// given first lets it go on.
fn complete_but_not_entered(
    s: &mut Session,
    door: &mut Session,
    holder: &mut Session,
    pair: &[Value],
) -> Vec<u8> {
    hold(holder);
    let requests = create(s, "c", pair);
    wait_for_worker(s);
    door.sql("BEGIN");
    door.sql(
        "SELECT 1 FROM documentdb_api_catalog.documentdb_index_queue
         WHERE index_id = (SELECT min(index_id) FROM documentdb_api_catalog.documentdb_index_queue WHERE index_cmd_status <= 2)
         FOR UPDATE",
    );
    holder.sql("COMMIT");
    wait_for_row(s);
    requests
}

/// Begins to build two indexes of `c`, and stops when the first one is built and the second in the middle. The holder lets it
/// go on.
fn halfway(s: &mut Session, door: &mut Session, holder: &mut Session, pair: &[Value]) -> Vec<u8> {
    let requests = complete_but_not_entered(s, door, holder, pair);
    hold(holder);
    door.sql("COMMIT");
    wait_for_worker(s);
    requests
}

/// As [`halfway`], with the second one before its look for equal keys.
fn halfway_to_failure(s: &mut Session, door: &mut Session, holder: &mut Session) -> Vec<u8> {
    let requests = complete_but_not_entered(s, door, holder, &[index("b", true), index("a", true)]);
    let id = collection(s);
    holder.sql("BEGIN");
    holder.sql(&format!("LOCK TABLE documentdb_data.documents_{id} IN ROW EXCLUSIVE MODE"));
    door.sql("COMMIT");
    wait_for_worker(s);
    requests
}

fn collection(s: &mut Session) -> i64 {
    number(s, "SELECT collection_id FROM documentdb_api_catalog.collections WHERE collection_name = 'c'")
}

/// Number and file of the first index relation: others when it is built anew.
fn first_relation(s: &mut Session) -> Vec<Option<String>> {
    let sql = "SELECT c.oid, c.relfilenode FROM pg_class c JOIN pg_am m ON m.oid = c.relam
               WHERE m.amname = 'bson_btree' ORDER BY c.oid LIMIT 1";
    s.sql(sql).remove(0)
}

/// Unfinished indexes and builds.
fn left_over(s: &mut Session) -> i64 {
    number(
        s,
        "SELECT (SELECT count(*) FROM documentdb_api_catalog.documentdb_index_queue WHERE index_cmd_status < 4)
             + (SELECT count(*) FROM documentdb_api_catalog.collection_indexes WHERE NOT index_is_valid)",
    )
}

#[test]
fn nobody_is_told_of_an_index_that_may_go_again() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut s, mut other) = (Session::open(node), Session::open(node));
    let (mut door, mut holder) = (Session::open(node), Session::open(node));
    insert(&mut s, "c", 0..500);
    // Equal keys end the second one, and with it the first.
    let requests = halfway_to_failure(&mut s, &mut door, &mut holder);
    let same = create(&mut other, "c", &[index("b", true)]);
    assert!(!status(&mut other, &same).2, "an index that its command may still take away");
    assert_eq!(plan(&mut other, "c", "b"), "COLLSCAN");
    holder.sql("COMMIT");
    assert!(!wait(&mut s, &requests).1);
    assert!(!wait(&mut other, &same).1);
    assert_eq!(
        (plan(&mut s, "c", "b").as_str(), number(&mut s, RELATIONS), left_over(&mut s)),
        ("COLLSCAN", 0, 0)
    );

    // With nothing in their way both come at once.
    let requests = halfway(&mut s, &mut door, &mut holder, &[index("a", false), index("b", true)]);
    let same = create(&mut other, "c", &[index("a", false)]);
    assert!(!status(&mut other, &same).2);
    assert_eq!(plan(&mut other, "c", "a"), "COLLSCAN");
    holder.sql("COMMIT");
    assert!(wait(&mut other, &same).1 && status(&mut s, &requests).2);
    for field in ["a", "b"] {
        assert!(plan(&mut s, "c", field).starts_with(&format!("IXSCAN {field}_1")));
    }
    assert_eq!((number(&mut s, RELATIONS), left_over(&mut s)), (2, 0));
}

#[test]
fn what_is_built_survives_a_crash() {
    let cluster = cluster();
    let node = cluster.primary();
    insert(&mut Session::open(node), "c", 0..500);
    for entered in [true, false] {
        let (mut s, mut door, mut holder) = (Session::open(node), Session::open(node), Session::open(node));
        let prepare = if entered { halfway } else { complete_but_not_entered };
        let requests = prepare(&mut s, &mut door, &mut holder, &[index("a", false), index("b", true)]);
        let before = first_relation(&mut s);
        node.kill().unwrap();
        node.start().unwrap();
        let mut s = Session::open(node);
        assert_eq!(count(&mut s, "c", "a"), 5);
        assert!(wait(&mut s, &requests).1);
        assert_eq!(first_relation(&mut s), before, "it was built anew");
        for field in ["a", "b"] {
            assert!(plan(&mut s, "c", field).starts_with(&format!("IXSCAN {field}_1")));
            assert_eq!(left_over(&mut s), 0);
        }
        for field in ["a", "b"] {
            s.sql(&drop_index("c", &format!("{field}_1")));
        }
    }
}

#[test]
fn a_crash_in_the_midst_of_a_failure_leaves_nothing_half() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut s, mut door, mut holder) = (Session::open(node), Session::open(node), Session::open(node));
    insert(&mut s, "c", 0..500);
    let requests = halfway_to_failure(&mut s, &mut door, &mut holder);
    let id = collection(&mut s);
    // What was built is gone, and the reason is not written yet.
    door.sql("BEGIN");
    door.sql("SELECT 1 FROM documentdb_api_catalog.collection_indexes WHERE (index_spec).index_name = 'b_1' FOR UPDATE");
    holder.sql("COMMIT");
    wait_for_row(&mut s);
    assert_eq!(number(&mut s, RELATIONS), 0);
    node.kill().unwrap();
    node.start().unwrap();
    // With no equal keys any more the builds succeed: all of them.
    node.execute(&format!(
        "DELETE FROM documentdb_data.documents_{id}
         WHERE documentdb_core.bson_get_value_text(document, '_id')::int >= 100"
    ))
    .unwrap();
    let mut s = Session::open(node);
    assert_eq!(count(&mut s, "c", "b"), 1);
    assert!(wait(&mut s, &requests).1);
    for field in ["a", "b"] {
        assert!(plan(&mut s, "c", field).starts_with(&format!("IXSCAN {field}_1")));
        assert_eq!(count(&mut s, "c", field), 1);
    }
    assert_eq!((number(&mut s, RELATIONS), left_over(&mut s)), (2, 0));
}

#[test]
fn one_of_them_can_be_dropped_or_all_given_up() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut s, mut door, mut holder) = (Session::open(node), Session::open(node), Session::open(node));
    insert(&mut s, "c", 0..500);
    let pair = [index("a", false), index("b", true)];
    for (dropped, stays) in [("b", "a"), ("a", "b")] {
        let requests = halfway(&mut s, &mut door, &mut holder, &pair);
        let before = first_relation(&mut s);
        s.sql("SET statement_timeout = '30s'");
        s.sql(&drop_index("c", &format!("{dropped}_1")));
        s.sql("SET statement_timeout = 0");
        holder.sql("COMMIT");
        assert!(wait(&mut s, &requests).1);
        assert!(plan(&mut s, "c", stays).starts_with(&format!("IXSCAN {stays}_1")));
        assert_eq!(plan(&mut s, "c", dropped), "COLLSCAN");
        if stays == "a" {
            assert_eq!(first_relation(&mut s), before, "it was built anew");
        }
        assert_eq!((number(&mut s, RELATIONS), left_over(&mut s)), (1, 0));
        s.sql(&drop_index("c", &format!("{stays}_1")));
    }
    let requests = halfway(&mut s, &mut door, &mut holder, &pair);
    let abort = format!("SELECT documentdb_api_internal.abort_index_build({})", literal(&requests));
    assert_eq!(s.sql(&abort)[0][0].as_deref(), Some("t"));
    holder.sql("COMMIT");
    assert!(!wait(&mut s, &requests).1);
    sql_tests::builds::wait_until("nothing is left", || number(&mut s, RELATIONS) == 0);
    assert_eq!((plan(&mut s, "c", "a").as_str(), left_over(&mut s)), ("COLLSCAN", 0));
    // With the collection goes all of it.
    halfway(&mut s, &mut door, &mut holder, &pair);
    s.sql("SET statement_timeout = '30s'");
    s.sql("SELECT documentdb_api.drop_collection('t', 'c')");
    holder.sql("COMMIT");
    assert_eq!((number(&mut s, RELATIONS), left_over(&mut s)), (0, 0));
}

#[test]
fn an_index_made_at_once_is_taken_over_from_another_command() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut s, mut door, mut holder) = (Session::open(node), Session::open(node), Session::open(node));
    insert(&mut s, "c", 0..500);
    let at_once = |index| {
        let command = literal(&command("c", &[index]));
        format!("SELECT documentdb_api_internal.create_indexes_non_concurrently('t', {command}, true)")
    };
    s.sql("SET statement_timeout = '30s'");
    // Built, and its command fails afterwards.
    let requests = halfway_to_failure(&mut s, &mut door, &mut holder);
    s.sql(&at_once(index("b", true)));
    assert!(plan(&mut s, "c", "b").starts_with("IXSCAN b_1"));
    holder.sql("COMMIT");
    assert!(!wait(&mut s, &requests).1);
    assert!(plan(&mut s, "c", "b").starts_with("IXSCAN b_1"));
    assert_eq!((count(&mut s, "c", "b"), number(&mut s, RELATIONS), left_over(&mut s)), (1, 1, 0));
    s.sql(&drop_index("c", "b_1"));
    // In the middle of its build, and in a transaction that the build would have to wait for.
    hold(&mut holder);
    let requests = create(&mut s, "c", &[index("a", false), index("b", true)]);
    wait_for_worker(&mut s);
    s.sql("BEGIN");
    s.sql("SET LOCAL statement_timeout = '30s'");
    let complete = create(&mut s, "c", &[index("a", false)]);
    assert!(status(&mut s, &complete).2);
    assert!(plan(&mut s, "c", "a").starts_with("IXSCAN a_1"));
    s.sql("COMMIT");
    holder.sql("COMMIT");
    assert!(wait(&mut s, &requests).1);
    for field in ["a", "b"] {
        assert!(plan(&mut s, "c", field).starts_with(&format!("IXSCAN {field}_1")));
    }
    assert_eq!((number(&mut s, RELATIONS), left_over(&mut s)), (2, 0));
}

#[test]
fn a_transaction_stops_builds_that_began_after_it() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut s, mut dropper, mut holder) = (Session::open(node), Session::open(node), Session::open(node));
    for c in ["c", "d"] {
        insert(&mut s, c, 0..500);
    }
    hold(&mut holder);
    create(&mut s, "c", &[index("a", false)]);
    wait_for_worker(&mut s);
    dropper.sql("SET statement_timeout = '30s'");
    dropper.sql("BEGIN");
    dropper.sql("SELECT documentdb_api.drop_collection('t', 'c')");
    create(&mut s, "d", &[index("a", false)]);
    wait_for_worker(&mut s);
    dropper.sql("SELECT documentdb_api.drop_collection('t', 'd')");
    dropper.sql("COMMIT");
    holder.sql("COMMIT");
    sql_tests::builds::wait_until("nothing is left", || number(&mut s, RELATIONS) == 0);
    assert_eq!(left_over(&mut s), 0);
}
