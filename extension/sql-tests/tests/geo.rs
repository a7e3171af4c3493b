//! Geospatial indexes: their answers are those of a scan, `$near` comes in order and in pages, bad values are refused.

use engine::geo::near::Near;
use engine::path::Path;
use engine::{Doc, Value, extjson};
use sql_tests::{Rng, Session, cluster, literal};

fn json(text: &str) -> Vec<u8> {
    extjson::parse(text).unwrap_or_else(|e| panic!("{e:?}: {text}"))
}

fn create(s: &mut Session, index: &str) -> Result<(), (String, String)> {
    let command = json(&format!(r#"{{"createIndexes": "g", "indexes": [{index}]}}"#));
    let call = "documentdb_api_internal.create_indexes_non_concurrently";
    s.try_sql(&format!("SELECT {call}('t', {}, true)", literal(&command))).map(|_| ())
}

/// A number of 0..1 in thousandths.
fn part(r: &mut Rng) -> f64 {
    f64::from(u32::try_from(r.below(100_000)).unwrap()) / 100_000.0
}

fn place(r: &mut Rng) -> (f64, f64) {
    // Many close together, some anywhere, the date line and the poles included.
    match r.below(4) {
        0 => (part(r) * 360.0 - 180.0, part(r) * 180.0 - 90.0),
        1 => (179.0 + part(r), part(r) * 4.0 - 2.0),
        _ => (10.0 + part(r) * 2.0, 50.0 + part(r) * 2.0),
    }
}

fn ring(r: &mut Rng, size: f64) -> String {
    let (x, y) = place(r);
    let (x, y) = (x.clamp(-155.0, 155.0), y.clamp(-60.0, 60.0));
    let s = size * (0.2 + part(r));
    let corners = [(-s, -s), (s, -s * 0.7), (s * 0.8, s), (-s * 0.5, s * 0.6), (-s, -s)];
    let list: Vec<String> = corners.iter().map(|(dx, dy)| format!("[{}, {}]", x + dx, y + dy)).collect();
    format!("[[{}]]", list.join(", "))
}

fn geometry(r: &mut Rng) -> String {
    let (x, y) = place(r);
    match r.below(8) {
        0 => format!(r#"{{"type": "Polygon", "coordinates": {}}}"#, ring(r, 1.0)),
        1 => {
            let (v, w) = (part(r) + 0.1, part(r) * 0.5);
            let y2 = (y + w).clamp(-90.0, 90.0);
            let x2 = (x - v).clamp(-180.0, 180.0);
            format!(r#"{{"type": "LineString", "coordinates": [[{x}, {y}], [{x2}, {y2}]]}}"#)
        }
        2 => {
            let (v, w) = place(r);
            format!(r#"{{"type": "MultiPoint", "coordinates": [[{x}, {y}], [{v}, {w}]]}}"#)
        }
        3 => format!("[{x}, {y}]"),
        _ => format!(r#"{{"type": "Point", "coordinates": [{x}, {y}]}}"#),
    }
}

fn document(r: &mut Rng, id: usize) -> String {
    let (x, y) = place(r);
    let loc = match r.below(12) {
        0 => String::new(),
        1 => r#", "loc": null"#.to_owned(),
        _ => format!(r#", "loc": {}"#, geometry(r)),
    };
    let flat = if r.below(6) == 0 {
        let (v, w) = place(r);
        format!("[[{x}, {y}], [{v}, {w}]]")
    } else {
        format!("[{x}, {y}]")
    };
    format!(r#"{{"_id": {id}, "k": {}{loc}, "p": {flat}}}"#, r.below(3))
}

fn condition(r: &mut Rng) -> String {
    let size = [0.1, 1.0, 20.0][r.below(3)];
    let polygon = format!(r#"{{"type": "Polygon", "coordinates": {}}}"#, ring(r, size));
    let (x, y) = place(r);
    let field = match r.below(7) {
        0 | 1 => format!(r#""loc": {{"$geoWithin": {{"$geometry": {polygon}}}}}"#),
        2 => format!(r#""loc": {{"$geoIntersects": {{"$geometry": {}}}}}"#, geometry(r)),
        3 => format!(r#""loc": {{"$geoIntersects": {{"$geometry": {polygon}}}}}"#),
        4 => {
            let name = r.pick(&["loc", "p"]);
            format!(r#""{name}": {{"$geoWithin": {{"$centerSphere": [[{x}, {y}], {}]}}}}"#, size / 50.0)
        }
        5 => format!(r#""p": {{"$geoWithin": {{"$box": [[{x}, {y}], [{}, {}]]}}}}"#, x + size, y + size),
        _ => format!(r#""p": {{"$geoWithin": {{"$center": [[{x}, {y}], {size}]}}}}"#),
    };
    if r.below(3) == 0 { format!(r#"{{{field}, "k": {}}}"#, r.below(3)) } else { format!("{{{field}}}") }
}

/// Compares scans with what indexes give; the number of answers that went through one.
fn compare(s: &mut Session, seed: u64, n: usize) -> usize {
    let mut r = Rng(seed);
    let mut through = 0;
    for _ in 0..n {
        let filter = condition(&mut r);
        let plain = json(&format!(r#"{{"find": "g", "filter": {filter}, "batchSize": 7}}"#));
        let scan = json(&format!(r#"{{"find": "g", "filter": {filter}, "hint": {{"$natural": 1}}}}"#));
        let plan = s.plan(&plain);
        through += usize::from(plan.contains("IXSCAN"));
        let (mut a, mut b) = (s.find(&plain), s.find(&scan));
        a.sort();
        b.sort();
        assert!(a == b, "{} by {plan}, {} by a scan: {filter}", a.len(), b.len());
    }
    through
}

/// `$near` answers as sorting everything by distance does.
fn compare_near(s: &mut Session, seed: u64, n: usize) {
    let mut r = Rng(seed);
    let all = s.find(&json(r#"{"find": "g", "filter": {}, "batchSize": 10000}"#));
    for _ in 0..n {
        let (x, y) = place(&mut r);
        let (field, operators, stage) = match r.below(4) {
            0 => {
                let point = format!(r#"{{"type": "Point", "coordinates": [{x}, {y}]}}"#);
                let far = 10_f64.powf(2.0 + part(&mut r) * 5.0);
                let inner =
                    format!(r#""$geometry": {point}, "$minDistance": {}, "$maxDistance": {far}"#, far / 9.0);
                ("loc", format!(r#"{{"$near": {{{inner}}}}}"#), "GEO_NEAR_2DSPHERE")
            }
            1 => {
                let point = format!(r#"{{"type": "Point", "coordinates": [{x}, {y}]}}"#);
                ("loc", format!(r#"{{"$nearSphere": {{"$geometry": {point}}}}}"#), "GEO_NEAR_2DSPHERE")
            }
            2 => (
                "p",
                format!(r#"{{"$near": [{x}, {y}], "$maxDistance": {}}}"#, part(&mut r) * 30.0),
                "GEO_NEAR_2D",
            ),
            _ => (
                "p",
                format!(r#"{{"$nearSphere": [{x}, {y}], "$maxDistance": {}}}"#, part(&mut r)),
                "GEO_NEAR_2D",
            ),
        };
        let near = Near::parse(Doc::trusted(&json(&operators))).unwrap();
        let path = Path::new(field);
        let distance = |d: &[u8]| near.measure(&path, Doc::trusted(d)).unwrap().map(|(d, _)| d);
        let find =
            json(&format!(r#"{{"find": "g", "filter": {{"{field}": {operators}}}, "batchSize": 37}}"#));
        assert!(s.plan(&find).starts_with(stage), "{}", s.plan(&find));
        let found = s.find(&find);
        let distances: Vec<f64> = found.iter().map(|d| distance(d).unwrap()).collect();
        assert!(distances.is_sorted(), "{operators}: {distances:?}");
        let mut want: Vec<_> = all
            .iter()
            .filter(|d| distance(d).is_some_and(|d| d >= near.min && d <= near.max))
            .cloned()
            .collect();
        let mut found = found;
        want.sort();
        found.sort();
        assert!(want == found, "{operators}: {} instead of {}", found.len(), want.len());
    }
}

#[test]
fn geospatial_indexes_answer_as_scans_do() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let mut r = Rng(11);
    let mut insert = |s: &mut Session, ids: std::ops::Range<usize>| {
        let list: Vec<String> = ids.map(|id| document(&mut r, id)).collect();
        s.write("insert", &json(&format!(r#"{{"insert": "g", "documents": [{}]}}"#, list.join(", "))));
    };
    insert(&mut s, 0..200);
    create(&mut s, r#"{"key": {"loc": "2dsphere"}, "name": "loc"}"#).unwrap();
    insert(&mut s, 200..350);
    create(&mut s, r#"{"key": {"k": 1, "loc": "2dsphere"}, "name": "k_loc"}"#).unwrap();
    create(&mut s, r#"{"key": {"p": "2d", "k": 1}, "name": "p", "bits": 20, "min": -200, "max": 200}"#)
        .unwrap();
    insert(&mut s, 350..500);
    let used = compare(&mut s, 1, 70);
    assert!(used > 60, "{used} of 70");
    compare_near(&mut s, 2, 16);
    s.write("delete", &json(r#"{"delete": "g", "deletes": [{"q": {"k": 1}, "limit": 0}]}"#));
    s.write(
        "update",
        &json(r#"{"update": "g", "updates": [{"q": {"k": 2}, "u": {"$set": {"loc": [11, 51]}}, "multi": true}]}"#),
    );
    compare(&mut s, 3, 25);
    compare_near(&mut s, 4, 8);
    cluster.wait_replayed().unwrap();
    let mut standby = Session::open(cluster.standby());
    assert!(compare(&mut standby, 5, 20) > 15);
    compare_near(&mut standby, 6, 8);
}

#[test]
fn what_is_no_place_is_refused() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    create(&mut s, r#"{"key": {"loc": "2dsphere"}, "name": "loc"}"#).unwrap();
    create(&mut s, r#"{"key": {"p": "2d"}, "name": "p", "min": 0, "max": 10}"#).unwrap();
    let mut error = |d: &str| {
        let command = json(&format!(r#"{{"insert": "g", "documents": [{d}]}}"#));
        let reply = s.doc(&format!("SELECT p_result FROM documentdb_api.insert('t', {})", literal(&command)));
        let list = Doc::trusted(&reply).get("writeErrors").and_then(|v| v.as_array());
        let first = list.and_then(|l| l.values().next()).and_then(|v| v.as_doc());
        first.and_then(|d| d.get("errmsg")).and_then(|v| v.as_str()).unwrap_or("").to_owned()
    };
    assert_eq!(error(r#"{"_id": 1, "loc": {"type": "Point", "coordinates": [1, 2]}, "p": [0, 10]}"#), "");
    assert_eq!(error(r#"{"_id": 2, "loc": null, "p": {}}"#), "");
    assert_eq!(
        error(r#"{"_id": 3, "loc": {"type": "Point", "coordinates": [200, 2]}}"#),
        "Can't extract geo keys: { _id: 3, loc: { type: \"Point\", coordinates: [ 200, 2 ] } }  \
         Longitude/latitude is out of bounds, lng: 200 lat: 2"
    );
    assert!(
        error(r#"{"_id": 3, "loc": "x"}"#).ends_with("geo element must be an array or object: loc: \"x\"")
    );
    assert_eq!(
        error(r#"{"_id": 3, "p": [3, 11]}"#),
        "point not in interval of [ 0, 10 ] :: caused by :: { _id: 3, p: [ 3, 11 ] }"
    );
    assert!(error(r#"{"_id": 3, "p": {"type": "Point"}}"#).starts_with("location object expected"));
    let mut refused = |index: &str| create(&mut s, index).unwrap_err().1;
    assert!(refused(r#"{"key": {"a": 1, "p": "2d"}, "name": "n"}"#).ends_with("2d has to be first in index"));
    assert!(refused(r#"{"key": {"q": "2d"}, "name": "n", "bits": 33}"#).contains("33 bits were specified"));
    assert!(
        refused(r#"{"key": {"q": "2dsphere"}, "name": "n", "2dsphereIndexVersion": 9}"#)
            .contains("unsupported geo index version")
    );
    let mut find = |filter: &str| {
        let command = json(&format!(r#"{{"find": "g", "filter": {filter}}}"#));
        let call = format!(
            "SELECT cursorpage FROM documentdb_api.find_cursor_first_page('t', {})",
            literal(&command)
        );
        s.try_sql(&call).map_or_else(|e| e.1, |_| String::new())
    };
    assert_eq!(find(r#"{"loc": {"$nearSphere": [1, 1]}}"#), "");
    assert!(find(r#"{"loc": {"$near": [1, 1]}}"#).contains("unable to find index for $geoNear query"));
    assert!(find(r#"{"x": {"$nearSphere": [1, 1]}}"#).contains("unable to find index for $geoNear query"));
    assert_eq!(find(r#"{"$or": [{"p": {"$near": [1, 1]}}]}"#), "geoNear must be top-level expr");
    assert_eq!(
        find(r#"{"p": {"$near": [1, 1]}, "loc": {"$nearSphere": [1, 1]}}"#),
        "Too many geoNear expressions"
    );
    assert_eq!(find(r#"{"p": {"$near": [1, 1], "$maxDistance": -1}}"#), "$maxDistance must be non-negative");
}

#[test]
fn geo_near_writes_distances() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    create(&mut s, r#"{"key": {"a.loc": "2dsphere"}, "name": "loc"}"#).unwrap();
    s.write(
        "insert",
        &json(
            r#"{"insert": "g", "documents": [
            {"_id": 1, "k": 1, "a": [{"loc": [0, 3]}, {"loc": [0, 1]}]}, {"_id": 2, "k": 2, "a": {"loc": [0, 2]}},
            {"_id": 3, "k": 1, "a": {"loc": [0, 30]}}, {"_id": 4, "k": 1}]}"#,
        ),
    );
    let command = json(
        r#"{"aggregate": "g", "cursor": {}, "pipeline": [{"$geoNear": {"near": [0, 0], "spherical": true,
        "distanceField": "d.far", "includeLocs": "d.at", "distanceMultiplier": 57.29577951308232, "query": {"k": 1}}},
        {"$project": {"d": 1, "r": {"$round": ["$d.far", 6]}}}]}"#,
    );
    let reply = s.doc(&format!(
        "SELECT cursorpage FROM documentdb_api.aggregate_cursor_first_page('t', {})",
        literal(&command)
    ));
    let cursor = Doc::trusted(&reply).get("cursor").and_then(|v| v.as_doc()).unwrap();
    let batch = cursor.get("firstBatch").and_then(|v| v.as_array()).unwrap();
    let seen: Vec<(Value, Value, Value)> = batch
        .values()
        .filter_map(|v| v.as_doc())
        .map(|d| {
            let at = d.get("d").and_then(|v| v.as_doc()).and_then(|d| d.get("at")).unwrap();
            (Value::from(d.get("_id").unwrap()), Value::from(d.get("r").unwrap()), Value::from(at))
        })
        .collect();
    let pair = |y: i32| Value::array_of(&[Value::Int32(0), Value::Int32(y)]);
    assert_eq!(
        seen,
        [(Value::Int32(1), Value::Double(1.0), pair(1)), (Value::Int32(3), Value::Double(30.0), pair(30))]
    );
}
