use super::*;
use serde_json::json;

fn plan(node: &Value) -> Plan {
    Plan::read(&json!([{ "Plan": node, "Execution Time": 3.7 }])).unwrap()
}

#[test]
fn scans() {
    let scan = plan(
        &json!({ "Node Type": "Seq Scan", "Actual Rows": 2, "Rows Removed by Filter": 8, "Actual Loops": 1 }),
    );
    assert_eq!(scan.winning(None), rawdoc! { "stage": "COLLSCAN", "direction": "forward" });
    let stats = scan.stats(None);
    assert_eq!(stats.get_i64("totalDocsExamined").unwrap(), 10);
    assert_eq!(stats.get_i64("totalKeysExamined").unwrap(), 0);
    assert_eq!(stats.get_i64("nReturned").unwrap(), 2);
    assert_eq!(stats.get_i64("executionTimeMillis").unwrap(), 3);
    let index =
        plan(&json!({ "Node Type": "Index Scan", "Index Name": "a_1", "Scan Direction": "Backward" }));
    let want = rawdoc! {
        "stage": "FETCH",
        "inputStage": { "stage": "IXSCAN", "indexName": "a_1", "direction": "backward" },
    };
    assert_eq!(index.winning(None), want);
}

#[test]
fn an_index_is_described_where_it_is_the_collections_own() {
    let scan = |name: &str| json!({ "Node Type": "Index Only Scan", "Index Name": name });
    let mut joined = plan(&json!({ "Node Type": "Nested Loop", "Plans": [scan("a_1"), scan("_id_")] }));
    assert!(joined.uses_indexes());
    let index = rawdoc! { "v": 2, "key": { "a": -1 }, "name": "a_1", "sparse": true };
    joined.describe(&[index, rawdoc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }]);
    let want = rawdoc! { "stage": "EQ_LOOKUP", "inputStages": [
        {
            "stage": "IXSCAN", "keyPattern": { "a": -1 }, "indexName": "a_1", "isUnique": false,
            "isSparse": true, "isPartial": false, "indexVersion": 2, "direction": "forward",
        },
        { "stage": "IXSCAN", "indexName": "_id_", "direction": "forward" },
    ] };
    assert_eq!(joined.winning(None), want);
    assert!(!plan(&json!({ "Node Type": "Seq Scan" })).uses_indexes());
}

#[test]
fn what_only_passes_rows_on_is_not_told() {
    let node = json!({ "Node Type": "Limit", "Plans": [
        { "Node Type": "Sort", "Plans": [{ "Node Type": "Custom Scan", "Plans": [
            { "Node Type": "Bitmap Heap Scan", "Plans": [{ "Node Type": "BitmapOr", "Plans": [
                { "Node Type": "Bitmap Index Scan", "Index Name": "a_1" },
                { "Node Type": "Bitmap Index Scan", "Index Name": "b_1" },
            ] }] },
        ] }] },
        { "Node Type": "Seq Scan", "Parent Relationship": "InitPlan" },
    ] });
    let ix = |name: &str| rawdoc! { "stage": "IXSCAN", "indexName": name, "direction": "forward" };
    let want = rawdoc! { "stage": "LIMIT", "inputStage": { "stage": "SORT", "inputStage": {
    "stage": "FETCH", "inputStage": { "stage": "OR", "inputStages": [ix("a_1"), ix("b_1")] } } } };
    assert_eq!(plan(&node).winning(None), want);
}

#[test]
fn writes_only_would() {
    let scan = plan(&json!({ "Node Type": "Seq Scan", "Actual Rows": 1, "Actual Loops": 1 }));
    let winning = scan.winning(Some(Writes::Delete));
    assert_eq!(winning.get_str("stage").unwrap(), "DELETE");
    let stats = scan.stats(Some(Writes::Update));
    let stage = stats.get_document("executionStages").unwrap();
    assert_eq!((stage.get_i64("nWouldModify").unwrap(), stats.get_i64("nReturned").unwrap()), (1, 0));
}

#[test]
fn a_command_has_words_of_its_own() {
    let names = |plan: Plan| {
        let mut out = Vec::new();
        let mut at = Some(plan.root);
        while let Some(mut stage) = at {
            at = stage.inputs.pop();
            out.push(stage.name);
        }
        out
    };
    let scan = json!({ "Node Type": "Index Scan", "Index Name": "a_1" });
    let over = |kind: &str| plan(&json!({ "Node Type": kind, "Plans": [scan] }));
    let none = Words::default();
    let counted = over("Aggregate").worded(Words { counts: true, ..none });
    assert_eq!(names(counted), ["COUNT", "FETCH", "IXSCAN"]);
    let only = json!({ "Node Type": "Index Only Scan", "Index Name": "a_1" });
    let cut = json!({ "Node Type": "Limit", "Plans": [only] });
    let counted = |below: &Value, words| {
        names(plan(&json!({ "Node Type": "Aggregate", "Plans": [below] })).worded(words))
    };
    assert_eq!(counted(&only, Words { counts: true, ..none }), ["COUNT", "COUNT_SCAN"]);
    assert_eq!(counted(&cut, none), ["GROUP", "LIMIT", "COUNT_SCAN"]);
    assert_eq!(counted(&only, Words { distinct: true, ..none }), ["IXSCAN"]);
    let distinct = over("Aggregate").worded(Words { distinct: true, ..none });
    assert_eq!(names(distinct), ["FETCH", "IXSCAN"]);
    let written = over("Limit").worded(Words { writes: Some(Writes::Update), ..none });
    assert_eq!(names(written), ["FETCH", "IXSCAN"]);
    let shown = Words { skips: true, limits: true, projection: Some("PROJECTION_SIMPLE"), ..none };
    assert_eq!(names(over("Limit").worded(shown)), ["LIMIT", "SKIP", "PROJECTION_SIMPLE", "FETCH", "IXSCAN"]);
    let skipped = Words { limits: false, ..shown };
    assert_eq!(names(over("Limit").worded(skipped)), ["SKIP", "PROJECTION_SIMPLE", "FETCH", "IXSCAN"]);
    let nothing = plan(&json!({ "Node Type": "Result" })).worded(shown);
    assert_eq!(names(nothing), ["EOF"]);
}

#[test]
fn other_forms_are_none() {
    for wrong in [json!({}), json!([]), json!([{ "Plan": {} }]), json!([{ "Plan": { "Plans": [1] } }])] {
        assert!(Plan::read(&wrong).is_none(), "{wrong}");
    }
}
