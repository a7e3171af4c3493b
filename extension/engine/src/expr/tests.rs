//! Rules of expressions.

use super::{EvalContext, Expr, ParseContext};
use crate::raw::Doc;
use crate::value::{ArrayWriter, DocWriter, Value};

fn call(op: &str, args: &[Value]) -> crate::Result<Option<Value>> {
    let mut list = ArrayWriter::new();
    for a in args {
        list.push(a);
    }
    let mut spec = DocWriter::new();
    spec.put(op, &Value::Array(list.finish()));
    let cx = ParseContext::default();
    Value::Document(spec.finish())
        .with_val(|v| Expr::parse(v, &cx))
        .and_then(|e| e.eval(&EvalContext::new(Doc::EMPTY)))
}

#[test]
fn the_table_is_sorted_and_its_names_are_unique() {
    let names: Vec<&str> = super::table::OPERATORS.iter().map(|o| o.name).collect();
    assert!(names.windows(2).all(|w| w[0] < w[1]), "binary search needs the order: {names:?}");
}

#[test]
fn sums_widen_one_step_at_a_time() {
    let cases = [
        (vec![Value::Int32(1), Value::Int32(2)], Value::Int32(3)),
        (vec![Value::Int32(i32::MAX), Value::Int32(1)], Value::Int64(1 << 31)),
        (vec![Value::Int64(i64::MAX), Value::Int32(1)], Value::Double(9_223_372_036_854_775_808.0)),
        (vec![Value::DateTime(5), Value::Double(1.5)], Value::DateTime(7)),
    ];
    for (args, want) in cases {
        assert_eq!(call("$add", &args), Ok(Some(want)), "{args:?}");
    }
}
