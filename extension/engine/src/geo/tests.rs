use crate::extjson;
use crate::query::GeoPredicate;
use crate::raw::Doc;

fn test(operator: &str, operand: &str, value: &str) -> bool {
    let bytes = extjson::parse(&format!(r#"{{"q": {operand}, "v": {value}}}"#)).unwrap();
    let d = Doc::trusted(&bytes);
    GeoPredicate::parse(operator, d.get("q").unwrap()).unwrap().test(d.get("v").unwrap())
}

fn geometry(kind: &str, coordinates: &str) -> String {
    format!(r#"{{"type": "{kind}", "coordinates": {coordinates}}}"#)
}

fn within(area: &str, value: &str) -> bool {
    test("$geoWithin", &format!(r#"{{"$geometry": {area}}}"#), value)
}

fn intersects(a: &str, b: &str) -> bool {
    let one = test("$geoIntersects", &format!(r#"{{"$geometry": {a}}}"#), b);
    let other = test("$geoIntersects", &format!(r#"{{"$geometry": {b}}}"#), a);
    assert_eq!(one, other, "{a} {b}");
    one
}

const SQUARE: &str = "[[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]]";
const FRAME: &str =
    "[[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]], [[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]]]";

#[test]
fn points_in_polygons() {
    // Either direction of the ring means the smaller area.
    for ring in [SQUARE, "[[[0, 0], [0, 10], [10, 10], [10, 0], [0, 0]]]"] {
        let area = geometry("Polygon", ring);
        for (point, inside) in
            [("[5, 5]", true), ("[0, 0]", true), ("[5, 0]", true), ("[11, 5]", false), ("[-175, -5]", false)]
        {
            assert_eq!(within(&area, &geometry("Point", point)), inside, "{point}");
            assert_eq!(within(&area, point), inside, "{point} as a pair");
        }
    }
    let frame = geometry("Polygon", FRAME);
    assert!(!within(&frame, "[5, 5]"));
    assert!(within(&frame, "[2, 2]"));
    assert!(within(&frame, r#"{"x": 2, "y": 2}"#));
    assert!(!within(&frame, r#""x""#));
}

#[test]
fn edges_are_great_circles() {
    // The arc from (0, 50) to (90, 50) runs north of its parallel.
    let area = geometry("Polygon", "[[[0, 0], [90, 0], [90, 50], [0, 50], [0, 0]]]");
    assert!(within(&area, "[45, 55]"));
    assert!(!within(&area, "[45, 65]"));
}

#[test]
fn across_the_date_line_and_around_the_pole() {
    let date_line = geometry("Polygon", "[[[170, -10], [-170, -10], [-170, 10], [170, 10], [170, -10]]]");
    assert!(within(&date_line, "[180, 0]") && within(&date_line, "[-175, 5]"));
    assert!(!within(&date_line, "[0, 0]"));
    let pole = geometry("Polygon", "[[[0, 70], [120, 70], [-120, 70], [0, 70]]]");
    assert!(within(&pole, "[33, 90]") && !within(&pole, "[60, 70]"));
}

#[test]
fn strict_winding_means_the_area_to_the_left() {
    let crs =
        r#""crs": {"type": "name", "properties": {"name": "urn:x-mongodb:crs:strictwinding:EPSG:4326"}}"#;
    let around = format!(
        r#"{{"type": "Polygon", "coordinates": [[[0, 0], [0, 10], [10, 10], [10, 0], [0, 0]]], {crs}}}"#
    );
    assert!(!within(&around, "[5, 5]"));
    assert!(within(&around, "[50, 5]"));
}

#[test]
fn lines_and_polygons_within() {
    let (square, frame) = (geometry("Polygon", SQUARE), geometry("Polygon", FRAME));
    assert!(within(&square, &geometry("LineString", "[[1, 1], [9, 9]]")));
    assert!(!within(&frame, &geometry("LineString", "[[1, 1], [9, 9]]")));
    assert!(!within(&square, &geometry("LineString", "[[1, 1], [11, 9]]")));
    assert!(within(&square, &geometry("Polygon", "[[[1, 1], [2, 1], [2, 2], [1, 1]]]")));
    assert!(!within(&frame, &geometry("Polygon", "[[[3, 3], [7, 3], [7, 7], [3, 7], [3, 3]]]")));
    assert!(within(&square, &square));
}

#[test]
fn intersections_are_symmetric() {
    let (square, frame) = (geometry("Polygon", SQUARE), geometry("Polygon", FRAME));
    assert!(intersects(&square, &geometry("LineString", "[[-5, 5], [15, 5]]")));
    assert!(!intersects(&square, &geometry("LineString", "[[-5, 15], [15, 15]]")));
    assert!(!intersects(&frame, &geometry("Point", "[5, 5]")));
    assert!(!intersects(&frame, &geometry("Polygon", "[[[4.5, 4.5], [5.5, 4.5], [5, 5.5], [4.5, 4.5]]]")));
    assert!(intersects(
        &square,
        &geometry("Polygon", "[[[-1, -1], [11, -1], [11, 11], [-1, 11], [-1, -1]]]")
    ));
    assert!(intersects(&geometry("LineString", "[[0, 0], [2, 2]]"), &geometry("Point", "[2, 2]")));
    assert!(intersects(
        &geometry("LineString", "[[0, 0], [2, 2]]"),
        &geometry("LineString", "[[0, 2], [2, 0]]")
    ));
    assert!(intersects(&geometry("MultiPoint", "[[50, 50], [5, 5]]"), &square));
    let collection =
        format!(r#"{{"type": "GeometryCollection", "geometries": [{}]}}"#, geometry("Point", "[1, 1]"));
    assert!(intersects(&collection, &square));
}

#[test]
fn figures_on_the_plane() {
    assert!(test("$geoWithin", r#"{"$box": [[3, 3], [0, 0]]}"#, "[3, 1]"));
    assert!(!test("$geoWithin", r#"{"$box": [[0, 0], [3, 3]]}"#, "[4, 1]"));
    assert!(test("$geoWithin", r#"{"$center": [[0, 0], 5]}"#, "[3, 4]"));
    assert!(!test("$geoWithin", r#"{"$center": [[0, 0], 5]}"#, "[3.1, 4]"));
    for point in ["[1, 1]", "[0, 2]", "[2, 2]", "[3, 1]"] {
        assert!(test("$geoWithin", r#"{"$polygon": [[0, 0], [4, 0], [0, 4]]}"#, point), "{point}");
    }
    assert!(!test("$geoWithin", r#"{"$polygon": [[0, 0], [4, 0], [0, 4]]}"#, "[3, 2]"));
    assert!(test("$geoWithin", r#"{"$centerSphere": [[0, 0], 0.05]}"#, "[2, 2]"));
    assert!(!test("$geoWithin", r#"{"$centerSphere": [[0, 0], 0.05]}"#, "[3, 3]"));
}

#[test]
fn bad_geometries_are_refused() {
    let error = |operator: &str, operand: &str| {
        let bytes = extjson::parse(&format!(r#"{{"q": {operand}}}"#)).unwrap();
        GeoPredicate::parse(operator, Doc::trusted(&bytes).get("q").unwrap()).unwrap_err().message
    };
    assert_eq!(error("$geoWithin", "5"), "geometry must be an object");
    assert_eq!(error("$geoWithin", r#"{"$foo": 1}"#), "unknown geo specifier: $foo: 1");
    assert!(
        error("$geoWithin", r#"{"$geometry": {"type": "Point", "coordinates": [0, 0]}}"#)
            .starts_with("$within not supported with provided geometry: { $geoWithin: { $geometry: ")
    );
    assert_eq!(
        error(
            "$geoIntersects",
            r#"{"$geometry": {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1]]]}}"#
        ),
        "Loop is not closed, first vertex does not equal last vertex: [ [ 0, 0 ], [ 0, 1 ], [ 1, 1 ] ]"
    );
    assert_eq!(
        error("$geoIntersects", r#"{"$geometry": {"type": "Point", "coordinates": [200, 100]}}"#),
        "Longitude/latitude is out of bounds, lng: 200 lat: 100"
    );
    assert!(
        error("$geoIntersects", r#"{"$geometry": {"type": "Blob", "coordinates": []}}"#)
            .starts_with("unknown GeoJSON type")
    );
    assert_eq!(
        error("$geoWithin", r#"{"$center": [[0, 0], -1]}"#),
        "Radius must be a non-negative number: -1"
    );
}

#[test]
fn polygons_may_hold_opposite_points() {
    let band = geometry(
        "Polygon",
        "[[[-10, -10], [40, -10], [80, -10], [130, -10], [175, -10], [175, 10], [130, 10], [80, 10], [40, 10], [-10, 10], [-10, -10]]]",
    );
    for (at, inside) in [("[-8, 0]", true), ("[172, 0]", true), ("[-60, 0]", false), ("[0, 40]", false)] {
        assert_eq!(within(&band, at), inside, "{at}");
    }
}

#[test]
fn rings_are_checked() {
    let error = |coordinates: &str| {
        let bytes =
            extjson::parse(&format!(r#"{{"q": {{"$geometry": {}}}}}"#, geometry("Polygon", coordinates)));
        GeoPredicate::parse("$geoIntersects", Doc::trusted(&bytes.unwrap()).get("q").unwrap())
            .map_or_else(|e| e.message, |_| String::new())
    };
    let bow = "[ [ 0, 0 ], [ 10, 10 ], [ 10, 0 ], [ 0, 10 ], [ 0, 0 ] ]";
    assert_eq!(
        error(&format!("[{bow}]")),
        format!(
            "Loop is not valid: {bow} Edges 0 and 2 cross. Edge locations in degrees: [0.0000000, 0.0000000]-\
             [10.0000000, 10.0000000] and [0.0000000, 10.0000000]-[10.0000000, 0.0000000]"
        )
    );
    assert!(
        error("[[[0, 0], [10, 0], [10, 10], [5, 5], [0, 10], [5, 5], [0, 0]]]")
            .ends_with("Duplicate vertices: 3 and 5")
    );
    assert_eq!(
        error("[[[0, 0], [1, 1], [0, 0]]]"),
        "Loop must have at least 3 different vertices, 2 unique vertices were provided: [ [ 0, 0 ], [ 1, 1 ], [ 0, 0 ] ]"
    );
    let square = "[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]";
    assert!(
        error(&format!("[{square}, [[20, 20], [21, 20], [21, 21], [20, 20]]]"))
            .starts_with("Secondary loops")
    );
    assert!(
        error(&format!(
            "[{square}, [[1, 1], [5, 1], [5, 5], [1, 1]], [[2, 1.5], [4, 1.5], [4, 2], [2, 1.5]]]"
        ))
        .starts_with("Polygon interior loops cannot be nested")
    );
    assert_eq!(error(&format!("[{square}, [[1, 1], [2, 1], [2, 2], [1, 1]]]")), "");
}

#[test]
fn distances_are_those_of_a_sphere_of_6378100_metres() {
    let measure = |near: &str, doc: &str| {
        let (near, doc) = (extjson::parse(near).unwrap(), extjson::parse(doc).unwrap());
        let near = super::near::Near::parse(Doc::trusted(&near)).unwrap();
        near.measure(&crate::path::Path::new("l"), Doc::trusted(&doc)).unwrap().map(|(d, _)| d)
    };
    let point = r#"{"$near": {"$geometry": {"type": "Point", "coordinates": [0, 0]}}}"#;
    let one_degree = std::f64::consts::PI / 180.0;
    let close =
        |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < b.abs() * 1e-12 + 1e-9, "{a:?} {b}");
    close(measure(point, r#"{"l": [0, 1]}"#), 6_378_100.0 * one_degree);
    close(measure(r#"{"$nearSphere": [0, 0]}"#, r#"{"l": [0, 1]}"#), one_degree);
    close(measure(r#"{"$near": [0, 0]}"#, r#"{"l": [3, 4]}"#), 5.0);
    close(measure(r#"{"$near": [0, 0]}"#, r#"{"l": [[30, 4], {"x": 3, "y": 4}]}"#), 5.0);
    // To the middle of an edge, and 0 inside.
    close(
        measure(point, r#"{"l": {"type": "LineString", "coordinates": [[2, -5], [2, 5]]}}"#),
        6_378_100.0 * 2.0 * one_degree,
    );
    close(
        measure(
            point,
            &format!(
                r#"{{"l": {}}}"#,
                geometry("Polygon", "[[[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]]")
            ),
        ),
        0.0,
    );
    assert_eq!(measure(point, r#"{"l": "x"}"#), None);
    assert_eq!(measure(point, r#"{"l": [200, 1]}"#), None);
}

/// A number of a generator without state of its own.
fn next(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    #[allow(clippy::cast_precision_loss, reason = "a fraction")]
    let x = (*seed >> 11) as f64 / (1_u64 << 53) as f64;
    x
}

#[test]
fn coverings_leave_nothing_out() {
    use super::cover::{self, Flat, Grid, Round};
    use super::sphere::{Cap, Polygon, Ring, Shape, angle, point};
    let mut seed = 7;
    let covered = |numbers: &[cover::Numbers], keys: &[u64]| {
        keys.iter().any(|k| numbers.iter().any(|(lo, hi)| (lo..=hi).contains(&k)))
    };
    for _ in 0..60 {
        let center = [next(&mut seed) * 360.0 - 180.0, next(&mut seed) * 160.0 - 80.0];
        let size = 10_f64.powf(next(&mut seed) * 5.0 - 4.0);
        let corner =
            |dx: f64, dy: f64| point(center[0] + dx * size, (center[1] + dy * size).clamp(-89.0, 89.0));
        let outer = Ring::new(
            vec![corner(-1.0, -1.0), corner(1.0, -0.8), corner(0.7, 1.0), corner(-0.6, 0.4)],
            false,
        );
        let shape = Shape { polygons: vec![Polygon { outer, holes: Vec::new() }], ..Shape::default() };
        let middle = point(center[0], center[1]);
        let cap = Cap { center: middle, radius: (size / 2.0).to_radians() };
        let area = cover::sphere_numbers(&Round::Shape(&shape));
        let round = cover::sphere_numbers(&Round::Cap(&cap));
        let ring = cover::sphere_numbers(&Round::Ring(&middle, cap.radius, cap.radius * 2.0));
        let kept = cover::stored(&shape);
        let grid = Grid::default();
        let flat = grid.numbers(&Flat::Cap(&cap));
        let mut inside = 0;
        for _ in 0..40 {
            let lng = center[0] + (next(&mut seed) * 3.0 - 1.5) * size;
            let lng = (lng + 540.0).rem_euclid(360.0) - 180.0;
            let lat = (center[1] + (next(&mut seed) * 3.0 - 1.5) * size).clamp(-90.0, 90.0);
            let p = Shape { points: vec![point(lng, lat)], ..Shape::default() };
            let key = cover::stored(&p);
            if shape.intersects(&p) {
                inside += 1;
                assert!(covered(&area, &key), "{lng} {lat} in the polygon around {center:?} {size}");
                assert!(
                    covered(&cover::sphere_numbers(&Round::Shape(&p)), &kept),
                    "{lng} {lat} of {center:?} {size}"
                );
            }
            let d = angle(&middle, &p.points[0]);
            assert!(
                d > cap.radius || covered(&round, &key),
                "{lng} {lat} in the circle around {center:?} {size}"
            );
            assert!(
                d > cap.radius || covered(&flat, &[grid.number([lng, lat])]),
                "flat {lng} {lat} {center:?} {size}"
            );
            assert!(
                d < cap.radius || d > cap.radius * 2.0 || covered(&ring, &key),
                "{lng} {lat} in the ring around {center:?} {size}"
            );
        }
        assert!(inside > 0);
        assert!(area.len() < 200, "{}", area.len());
    }
}
