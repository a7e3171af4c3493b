//! EXPLAIN of the query functions tells the way to the documents; of everything else it is PostgreSQL's own.

use engine::Value;
use sql_tests::{Session, cluster, doc, literal, sub};

fn explained(s: &mut Session, options: &str, call: &str) -> String {
    let rows = s.sql(&format!("EXPLAIN ({options}) SELECT document FROM documentdb_api_catalog.{call}"));
    rows.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n")
}

#[test]
fn the_way_is_told_in_every_format() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let documents: Vec<_> = (0..50)
        .map(|n| sub(&[("_id", Value::Int32(n)), ("a", Value::Int32(n % 5)), ("b", Value::Int32(n))]))
        .collect();
    let text = |s: &str| Value::String(s.into());
    s.write("insert", &doc(&[("insert", text("c")), ("documents", Value::array_of(&documents))]));
    let index = sub(&[("key", sub(&[("a", Value::Int32(1))])), ("name", text("a_1"))]);
    let command = doc(&[("createIndexes", text("c")), ("indexes", Value::array_of(&[index]))]);
    s.sql(&format!(
        "SELECT documentdb_api_internal.create_indexes_non_concurrently('t', {}, true)",
        literal(&command)
    ));
    let find = |field: &str| {
        let filter = sub(&[(field, Value::Int32(3))]);
        let find = doc(&[("find", text("c")), ("filter", filter), ("sort", sub(&[("b", Value::Int32(1))]))]);
        format!("bson_aggregation_find('t', {})", literal(&find))
    };
    let plan = explained(&mut s, "FORMAT JSON", &find("a"));
    for part in ["\"Node Type\": \"Sort\"", "\"Node Type\": \"Index Scan\"", "\"Index Name\": \"a_1\""] {
        assert!(plan.contains(part), "{plan}");
    }
    assert!(!plan.contains("Actual Rows") && !plan.contains("Function Scan"), "{plan}");
    let plan = explained(&mut s, "FORMAT JSON, ANALYZE", &find("a"));
    for part in ["\"Actual Rows\": 10", "\"Rows Removed by Filter\": 0", "\"Execution Time\""] {
        assert!(plan.contains(part), "{plan}");
    }
    let plan = explained(&mut s, "FORMAT JSON, ANALYZE", &find("b"));
    for part in ["\"Node Type\": \"Seq Scan\"", "\"Actual Rows\": 1,", "\"Rows Removed by Filter\": 49"] {
        assert!(plan.contains(part), "{plan}");
    }
    for format in ["TEXT", "YAML", "XML"] {
        let plan = explained(&mut s, &format!("FORMAT {format}"), &find("a"));
        assert!(plan.contains("Index Scan") && plan.contains("a_1"), "{plan}");
    }
    // On the standby as well.
    cluster.wait_replayed().unwrap();
    let plan = explained(&mut Session::open(&cluster.standbys()[0]), "FORMAT JSON, ANALYZE", &find("a"));
    assert!(plan.contains("\"Index Name\": \"a_1\""), "{plan}");
    // A pipeline that writes is no query, and a bad one is an error.
    let pipeline = |stage: Value| {
        let command =
            [("aggregate", text("c")), ("pipeline", Value::array_of(&[stage])), ("cursor", sub(&[]))];
        format!("bson_aggregation_pipeline('t', {})", literal(&doc(&command)))
    };
    let out = pipeline(sub(&[("$out", text("d"))]));
    let sql = format!("EXPLAIN ANALYZE SELECT document FROM documentdb_api_catalog.{out}");
    assert!(s.try_sql(&sql).is_err());
    let bad = pipeline(sub(&[("$nonsense", sub(&[]))]));
    assert!(s.try_sql(&format!("EXPLAIN SELECT document FROM documentdb_api_catalog.{bad}")).is_err());
    // Everything else is PostgreSQL's.
    for (sql, part) in [
        ("EXPLAIN SELECT 1", "Result"),
        ("EXPLAIN (ANALYZE, BUFFERS) SELECT count(*) FROM pg_class", "Aggregate"),
        ("EXPLAIN SELECT * FROM generate_series(1, 3)", "Function Scan"),
    ] {
        let plan: String = s.sql(sql).into_iter().flatten().flatten().collect();
        assert!(plan.contains(part), "{plan}");
    }
}
