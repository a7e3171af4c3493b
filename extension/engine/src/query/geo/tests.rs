use super::*;
use crate::extjson;

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
            .starts_with("$geoWithin not supported")
    );
    assert_eq!(
        error(
            "$geoIntersects",
            r#"{"$geometry": {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1]]]}}"#
        ),
        "Loop is not closed: [ [ 0, 0 ], [ 0, 1 ], [ 1, 1 ] ]"
    );
    assert_eq!(
        error("$geoIntersects", r#"{"$geometry": {"type": "Point", "coordinates": [200, 100]}}"#),
        "longitude/latitude is out of bounds, lng: 200 lat: 100"
    );
    assert!(
        error("$geoIntersects", r#"{"$geometry": {"type": "Blob", "coordinates": []}}"#)
            .starts_with("unknown GeoJSON type")
    );
    assert_eq!(error("$geoWithin", r#"{"$center": [[0, 0], -1]}"#), "radius must be a non-negative number");
}
