//! Random documents and updates: what was set is there, twice is once, and nothing panics.

use super::cx;
use crate::query::{ParseContext, Query};
use crate::raw::{Doc, Val, ty};
use crate::update::{Outcome, Update, upsert_document};
use crate::value::{DocWriter, Value};
use proptest::prelude::*;

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i32>().prop_map(Value::Int32),
        any::<i64>().prop_map(Value::Int64),
        any::<f64>().prop_map(Value::Double),
        "[a-z$.]{0,4}".prop_map(Value::String),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
    ]
}

fn document(fields: Vec<(String, Value)>) -> Value {
    let mut w = DocWriter::new();
    for (i, (name, v)) in fields.iter().enumerate() {
        if fields.iter().take(i).all(|(n, _)| n != name) {
            w.put(name, v);
        }
    }
    Value::Document(w.finish())
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(("[a-c]", inner.clone()), 0..4).prop_map(document),
            prop::collection::vec(inner, 0..4).prop_map(|v| Value::array_of(&v)),
        ]
    })
}

fn stored() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(("[a-c]", value()), 0..4).prop_map(|fields| {
        let Value::Document(rest) = document(fields) else { unreachable!() };
        let mut w = DocWriter::new();
        w.put("_id", &Value::Int32(1));
        w.put_elements(Doc::trusted(&rest).elements());
        w.finish()
    })
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[a-c0-2]", 0..3).prop_map(|rest| {
        let mut p = "a".to_owned();
        for r in rest {
            p.push('.');
            p.push_str(&r);
        }
        p
    })
}

fn modifier(op: &str, path: &str, v: &Value) -> Vec<u8> {
    let mut inner = DocWriter::new();
    inner.put(path, v);
    let mut w = DocWriter::new();
    w.put_doc(op, Doc::trusted(&inner.finish()));
    w.finish()
}

fn parse(u: &[u8]) -> crate::Result<Update> {
    Update::parse(Val { ty: ty::DOCUMENT, bytes: u }, None, &cx())
}

/// Reads a path as updates write it: numbers are positions in arrays.
fn read<'d>(doc: Doc<'d>, path: &str) -> Option<Val<'d>> {
    path.split('.').try_fold(Val { ty: ty::DOCUMENT, bytes: doc.bytes() }, |v, name| match v.ty {
        ty::DOCUMENT | ty::ARRAY => Doc::trusted(v.bytes).get(name),
        _ => None,
    })
}

proptest! {
    #[test]
    fn set_then_read(doc in stored(), path in path(), v in value()) {
        let update = parse(&modifier("$set", &path, &v)).unwrap();
        match update.apply(Doc::trusted(&doc), None) {
            Ok(Outcome::Changed(new)) => {
                prop_assert!(crate::raw::validate(&new).is_ok());
                let found = read(Doc::trusted(&new), &path).map(Value::from);
                // Compared as bytes, because NaN is not equal to itself.
                prop_assert_eq!(found.map(|f| (f.ty(), encoded(&f))), Some((v.ty(), encoded(&v))));
                prop_assert_eq!(update.apply(Doc::trusted(&new), None).unwrap(), Outcome::NoOp);
            }
            Ok(Outcome::NoOp) => {
                let found = read(Doc::trusted(&doc), &path).map(Value::from);
                prop_assert_eq!(found.map(|f| (f.ty(), encoded(&f))), Some((v.ty(), encoded(&v))));
            }
            Err(e) => prop_assert_eq!(e.code.mongo, 28, "{}", e),
        }
    }

    #[test]
    fn unset_then_read(doc in stored(), path in path()) {
        let update = parse(&modifier("$unset", &path, &Value::Int32(1))).unwrap();
        if let Outcome::Changed(new) = update.apply(Doc::trusted(&doc), None).unwrap() {
            prop_assert!(crate::raw::validate(&new).is_ok());
            let left = read(Doc::trusted(&new), &path);
            prop_assert!(left.is_none_or(|v| v.ty == ty::NULL));
        } else {
            prop_assert!(read(Doc::trusted(&doc), &path).is_none());
        }
    }

    #[test]
    fn other_fields_stay(doc in stored(), path in path(), v in value()) {
        let update = parse(&modifier("$set", &path, &v)).unwrap();
        if let Ok(Outcome::Changed(new)) = update.apply(Doc::trusted(&doc), None) {
            let rest = |d: &[u8]| Doc::trusted(d).iter().filter(|e| e.name() != "a")
                .map(|e| (e.name().to_owned(), e.val.ty, e.val.bytes.to_vec())).collect::<Vec<_>>();
            prop_assert_eq!(rest(&doc), rest(&new));
            prop_assert!(update.may_change("a"));
            prop_assert!(!update.may_change("b"));
        }
    }

    #[test]
    fn any_operator_answers(
        doc in stored(),
        op in prop::sample::select(vec![
            "$set", "$unset", "$inc", "$mul", "$min", "$max", "$push", "$addToSet", "$pop", "$pull", "$pullAll",
            "$bit", "$rename", "$currentDate", "$setOnInsert",
        ]),
        path in path(),
        v in value(),
    ) {
        if let Ok(update) = parse(&modifier(op, &path, &v)) {
            if let Ok(Outcome::Changed(new)) = update.apply(Doc::trusted(&doc), None) {
                prop_assert!(crate::raw::validate(&new).is_ok());
                prop_assert_eq!(Doc::trusted(&new).get("_id").map(Value::from), Some(Value::Int32(1)));
            }
            if let Ok(query) = Query::parse(Doc::trusted(&doc), &ParseContext::default())
                && let Ok(made) = upsert_document(&query, &update)
            {
                prop_assert!(crate::raw::validate(&made).is_ok());
            }
        }
    }
}

fn encoded(v: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    v.encode(&mut out);
    out
}

/// Every byte of some updates changed in several ways: parsing and applying answer, whatever they answer.
#[test]
fn mutated_updates_never_panic() {
    let doc = super::bson(r#"{"_id":1,"a":[1,{"b":2}],"c":{"d":"x"}}"#);
    let seeds = [
        r#"{"$set":{"a.1.b":{"x":[1,2]}},"$inc":{"n":1}}"#,
        r#"{"$push":{"a":{"$each":[1,2],"$sort":{"b":1},"$slice":-2,"$position":0}}}"#,
        r#"{"$pull":{"a":{"b":{"$gt":1}}},"$rename":{"c.d":"e"}}"#,
        r#"{"$bit":{"n":{"or":5}},"$currentDate":{"t":{"$type":"date"}}}"#,
        r#"{"x":1,"_id":1}"#,
    ];
    let mut tried = 0;
    for seed in seeds {
        let bytes = super::bson(seed);
        for at in 0..bytes.len() {
            for change in [0u8, 1, 0x24, 0x2e, 0x7f, 0xff] {
                let mut mutated = bytes.clone();
                mutated[at] ^= change;
                if crate::raw::validate(&mutated).is_err() {
                    continue;
                }
                tried += 1;
                if let Ok(update) = parse(&mutated) {
                    let _ = update.apply(Doc::trusted(&doc), None);
                }
            }
        }
    }
    assert!(tried > 500, "{tried}");
}
