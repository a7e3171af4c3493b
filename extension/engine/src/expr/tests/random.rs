//! Expressions that nobody would write.

use crate::expr::{EvalContext, Expr, ParseContext};
use crate::extjson;
use crate::raw::Doc;
use crate::value::Value;

/// A small generator of numbers, the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % n.max(1)
    }
}

fn random(c: &mut Chance, depth: usize) -> Value {
    let ops = crate::expr::table::OPERATORS;
    match c.below(if depth == 0 { 9 } else { 14 }) {
        0 => Value::Null,
        1 => Value::Int32(i32::try_from(c.below(9)).unwrap_or(0) - 3),
        2 => Value::Double([0.5, -1.0, f64::NAN, f64::INFINITY, 1e300][c.below(5)]),
        3 => {
            Value::String(["", "$a", "$b.c", "$$ROOT", "$$this", "day", "2024-01-01", "é"][c.below(8)].into())
        }
        4 => Value::DateTime([0, i64::MAX, i64::MIN, 1_709_251_198_987][c.below(4)]),
        5 => Value::Int64([i64::MIN, i64::MAX, 0][c.below(3)]),
        6 => Value::Decimal128(c.0.wrapping_mul(77).to_le_bytes().repeat(2).try_into().unwrap_or([0; 16])),
        7 => Value::Bool(c.below(2) == 0),
        8 => Value::Regex { pattern: "(a|".into(), options: "q".into() },
        9 => {
            let items: Vec<Value> = (0..c.below(4)).map(|_| random(c, depth - 1)).collect();
            Value::array_of(&items)
        }
        _ => {
            let mut call = crate::value::DocWriter::new();
            let op = ops[c.below(ops.len())].name;
            let arg = if c.below(2) == 0 {
                let items: Vec<Value> = (0..c.below(4)).map(|_| random(c, depth - 1)).collect();
                Value::array_of(&items)
            } else {
                let mut named = crate::value::DocWriter::new();
                let names = [
                    "input",
                    "in",
                    "date",
                    "unit",
                    "amount",
                    "startDate",
                    "n",
                    "cond",
                    "to",
                    "field",
                    "sortBy",
                ];
                for _ in 0..c.below(4) {
                    named.put(names[c.below(names.len())], &random(c, depth - 1));
                }
                Value::Document(named.finish())
            };
            call.put(op, &arg);
            Value::Document(call.finish())
        }
    }
}

#[test]
fn no_expression_panics() {
    let doc = extjson::parse(r#"{"a":[1,{"c":2},"x"],"b":{"c":[{"$date":{"$numberLong":"5"}}]}}"#)
        .expect("a document");
    let mut c = Chance(42);
    for _ in 0..30_000 {
        let e = random(&mut c, 4);
        if let Ok(e) = e.with_val(|v| Expr::parse(v, &ParseContext::default())) {
            let _ = e.eval(&EvalContext::new(Doc::trusted(&doc)));
        }
    }
}

#[test]
fn nesting_is_limited() {
    let mut v = Value::Int32(1);
    for _ in 0..1000 {
        v = Value::array_of([&v]);
    }
    let parsed = v.with_val(|v| Expr::parse(v, &ParseContext::default()));
    assert!(parsed.is_err_and(|e| e.message.contains("nested too deeply")));
}
