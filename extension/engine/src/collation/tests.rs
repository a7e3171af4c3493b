use super::Collation;
use crate::compare::collated;
use crate::extjson;
use crate::key::encode_by;
use crate::raw::{Doc, Val};
use crate::value::Value;
use std::cmp::Ordering::{self, Equal, Greater, Less};

fn parse(spec: &str) -> crate::error::Result<Collation> {
    Collation::parse(Doc::trusted(&extjson::parse(spec).unwrap()))
}

fn order(spec: &str, a: &str, b: &str) -> Ordering {
    let c = parse(spec).unwrap();
    let (a, b) = (Value::String(a.into()), Value::String(b.into()));
    a.with_val(|a| b.with_val(|b| by_key_and_comparison(a, b, &c)))
}

/// Index keys and comparisons must say the same.
fn by_key_and_comparison(a: Val<'_>, b: Val<'_>, c: &Collation) -> Ordering {
    let key = |v: Val<'_>| {
        let mut out = Vec::new();
        encode_by(&mut out, v, c);
        out
    };
    let found = collated(a, b, c);
    assert_eq!(key(a).cmp(&key(b)), found, "{c:?}: {a:?} {b:?}");
    found
}

#[test]
fn options_decide_the_order() {
    for (spec, a, b, wanted) in [
        (r#"{"locale": "simple"}"#, "a", "B", Greater),
        (r#"{"locale": "en"}"#, "a", "B", Less),
        (r#"{"locale": "en", "strength": 1}"#, "a", "Á", Equal),
        (r#"{"locale": "en", "strength": 1}"#, "a", "b", Less),
        (r#"{"locale": "en", "strength": 2}"#, "a", "A", Equal),
        (r#"{"locale": "en", "strength": 2}"#, "a", "á", Less),
        (r#"{"locale": "en", "strength": 3}"#, "a", "A", Less),
        (r#"{"locale": "en", "strength": 1, "caseLevel": true}"#, "a", "A", Less),
        (r#"{"locale": "en", "strength": 1, "caseLevel": true}"#, "a", "á", Equal),
        (r#"{"locale": "en", "caseFirst": "upper"}"#, "a", "A", Greater),
        (r#"{"locale": "en", "caseFirst": "lower"}"#, "a", "A", Less),
        (r#"{"locale": "en"}"#, "a10", "a2", Less),
        (r#"{"locale": "en", "numericOrdering": true}"#, "a10", "a2", Greater),
        (r#"{"locale": "en", "numericOrdering": true}"#, "a02", "a2", Equal),
        (r#"{"locale": "en"}"#, "a b", "ab", Less),
        (r#"{"locale": "en", "alternate": "shifted"}"#, "a b", "ab", Equal),
        (r#"{"locale": "en", "alternate": "shifted"}"#, "a-b", "ab", Equal),
        (r#"{"locale": "en", "alternate": "shifted", "maxVariable": "space"}"#, "a b", "ab", Equal),
        (r#"{"locale": "en", "alternate": "shifted", "maxVariable": "space"}"#, "a-b", "ab", Less),
        (r#"{"locale": "en", "alternate": "shifted", "strength": 4}"#, "a b", "ab", Less),
        (r#"{"locale": "fr"}"#, "coté", "côte", Less),
        (r#"{"locale": "fr", "backwards": true}"#, "coté", "côte", Greater),
        (r#"{"locale": "fr_CA"}"#, "coté", "côte", Greater),
        (r#"{"locale": "fr_CA", "backwards": false}"#, "coté", "côte", Less),
        (r#"{"locale": "de"}"#, "z", "ä", Greater),
        (r#"{"locale": "sv"}"#, "z", "ä", Less),
        (r#"{"locale": "de@collation=phonebook"}"#, "ad", "ä", Less),
        (r#"{"locale": "de"}"#, "ad", "ä", Greater),
        (r#"{"locale": "en", "strength": 5}"#, "a", "a", Equal),
    ] {
        assert_eq!(order(spec, a, b), wanted, "{spec} {a} {b}");
    }
}

/// Over all pairs of awkward strings and over documents, keys order as comparisons do.
#[test]
fn keys_order_as_comparisons() {
    let strings = [
        "",
        "a",
        "A",
        "á",
        "Á",
        "ab",
        "a b",
        "a-b",
        "aB",
        "Ab",
        "b",
        "a1",
        "a10",
        "a2",
        "ß",
        "ss",
        "SS",
        "ö",
        "o\u{308}",
        "\u{0}",
        "a\u{0}",
        "a\u{0}b",
        "日本",
        "にほん",
        "ニホン",
        "\u{1f600}",
        "\u{fffe}",
        "résumé",
        "resume",
        "Ⅷ",
        "ﬁ",
        "fi",
        "\u{200d}",
        "-",
        " ",
    ];
    for spec in [
        r#"{"locale": "en", "strength": 1}"#,
        r#"{"locale": "en", "strength": 2, "caseLevel": true}"#,
        r#"{"locale": "en", "numericOrdering": true}"#,
        r#"{"locale": "en", "alternate": "shifted", "strength": 4}"#,
        r#"{"locale": "en", "strength": 5}"#,
        r#"{"locale": "fr_CA", "caseFirst": "upper"}"#,
        r#"{"locale": "ja", "strength": 4}"#,
        r#"{"locale": "da"}"#,
    ] {
        let c = parse(spec).unwrap();
        let mut values = Vec::new();
        for s in strings.map(|s| Value::String(s.to_owned())) {
            let mut w = crate::value::DocWriter::new();
            w.put("x", &s);
            values.push(Value::Document(w.finish()));
            values.push(Value::array_of(&[Value::Int32(1), s.clone()]));
            values.push(s);
        }
        for a in &values {
            for b in &values {
                a.with_val(|a| b.with_val(|b| by_key_and_comparison(a, b, &c)));
            }
        }
    }
}

#[test]
fn wrong_specifications_are_refused() {
    for (spec, code, text) in [
        (r#"{"strength": 1}"#, 40414, "BSON field 'collation.locale' is missing but a required field"),
        (
            r#"{"locale": 1}"#,
            14,
            "BSON field 'collation.locale' is the wrong type 'int', expected type 'string'",
        ),
        (r#"{"locale": ""}"#, 2, "Field 'locale' cannot be the empty string in: { locale: \"\" }"),
        (r#"{"locale": "zz_nope"}"#, 2, "Field 'locale' is invalid in: { locale: \"zz_nope\" }"),
        (
            r#"{"locale": "en_GB"}"#,
            2,
            "Field 'locale' is invalid in: { locale: \"en_GB\" }. Did you mean 'en'?",
        ),
        (
            r#"{"locale": "en-US"}"#,
            2,
            "Field 'locale' is invalid in: { locale: \"en-US\" }. Did you mean 'en_US'?",
        ),
        (
            r#"{"locale": "zh_TW"}"#,
            2,
            "Field 'locale' is invalid in: { locale: \"zh_TW\" }. Did you mean 'zh_Hant'?",
        ),
        (r#"{"locale": "en", "x": 1}"#, 40415, "BSON field 'collation.x' is an unknown field."),
        (
            r#"{"locale": "en", "strength": 9}"#,
            51024,
            "BSON field 'strength' value must be <= 5, actual value '9'",
        ),
        (
            r#"{"locale": "en", "strength": 0}"#,
            2,
            "Enumeration value '0' for field 'collation.strength' is not a valid value.",
        ),
        (
            r#"{"locale": "en", "caseFirst": "x"}"#,
            2,
            "Enumeration value 'x' for field 'collation.caseFirst' is not a valid value.",
        ),
        (
            r#"{"locale": "en", "version": "58"}"#,
            161,
            "Requested collation version 58 but the only available collator version was 57.1. Requested collation \
             spec: { locale: \"en\", version: \"58\" }",
        ),
        (
            r#"{"locale": "fr", "strength": 1, "backwards": true}"#,
            2,
            "'backwards' is invalid with 'strength' of 1 in: { locale: \"fr\", strength: 1, backwards: true }",
        ),
        (
            r#"{"locale": "en", "strength": 2, "caseFirst": "upper"}"#,
            2,
            "'caseFirst' is invalid unless 'caseLevel' is on or 'strength' is greater than 2 in: { locale: \"en\", \
             strength: 2, caseFirst: \"upper\" }",
        ),
        (r#"{"locale": "de@collation=search"}"#, 115, "collation variant 'search' is not supported"),
        (
            r#"{"locale": "es", "backwards": true}"#,
            115,
            "collation option 'backwards' with value true is not supported for locale 'es'",
        ),
    ] {
        let e = parse(spec).unwrap_err();
        assert_eq!((e.code.mongo, e.message.as_str()), (code, text), "{spec}");
    }
}

#[test]
fn specifications_are_shown_whole() {
    let shown = |spec: &str| parse(spec).unwrap().spec().map(crate::display::document).unwrap_or_default();
    assert_eq!(
        shown(r#"{"locale": "en", "strength": 2.9}"#),
        "{ locale: \"en\", caseLevel: false, caseFirst: \"off\", strength: 2, numericOrdering: false, alternate: \
         \"non-ignorable\", maxVariable: \"punct\", normalization: false, backwards: false, version: \"57.1\" }"
    );
    assert!(shown(r#"{"locale": "fr_CA"}"#).contains("backwards: true"));
    assert!(shown(r#"{"locale": "th"}"#).contains("alternate: \"shifted\""));
    assert_eq!(shown(r#"{"locale": "simple", "strength": 1}"#), "");
    // What was shown can be given again, and means the same.
    let c = parse(r#"{"locale": "da", "numericOrdering": true}"#).unwrap();
    let again = Collation::parse(c.spec().unwrap()).unwrap();
    assert_eq!(c, again);
}

/// A name in the table without rules behind it would order by the root's without saying so.
#[test]
fn every_locale_has_a_collator() {
    for name in super::locale::names() {
        assert!(parse(&format!(r#"{{"locale": "{name}"}}"#)).is_ok(), "{name}");
    }
}
