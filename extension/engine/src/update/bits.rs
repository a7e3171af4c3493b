//! `$bit`.

use super::text;
use crate::error::Result;
use crate::raw::{Doc, Val, View};
use crate::value::Value;
use crate::{bail, codes};

#[derive(Clone, Copy, Debug)]
enum Kind {
    And,
    Or,
    Xor,
}

/// The operations of one field, in their order.
#[derive(Clone, Debug)]
pub struct BitOps(Vec<(Kind, Value)>);

impl BitOps {
    /// Parses `{and: 1, or: 2, xor: 4}`.
    ///
    /// # Errors
    /// `BadValue` for anything else than a document of known operations with int32 or int64 operands.
    pub fn parse(v: Val<'_>) -> Result<Self> {
        let Some(doc) = v.as_doc() else {
            bail!(
                codes::BAD_VALUE,
                "The $bit modifier is not compatible with a {}. You must pass in an embedded document: {{$bit: \
                 {{field: {{and/or/xor: #}}}}",
                v.type_name()
            );
        };
        let mut ops = Vec::new();
        for e in doc {
            let shown = || format!("{{{}}}", text::field(e.name(), e.val));
            let kind = match e.name() {
                "and" => Kind::And,
                "or" => Kind::Or,
                "xor" => Kind::Xor,
                other => bail!(
                    codes::BAD_VALUE,
                    "The $bit modifier only supports 'and', 'or', and 'xor', not '{other}' which is an unknown \
                     operator: {}",
                    shown()
                ),
            };
            if !matches!(e.val.view(), View::Int32(_) | View::Int64(_)) {
                bail!(
                    codes::BAD_VALUE,
                    "The $bit modifier field must be an Integer(32/64 bit); a '{}' is not supported here: {}",
                    e.val.type_name(),
                    shown()
                );
            }
            ops.push((kind, Value::from(e.val)));
        }
        if ops.is_empty() {
            bail!(
                codes::BAD_VALUE,
                "You must pass in at least one bitwise operation. The format is: {{$bit: {{field: {{and/or/xor: #}}}}"
            );
        }
        Ok(Self(ops))
    }

    /// The result for a value that exists.
    ///
    /// # Errors
    /// `BadValue` when the value is no integer.
    pub fn apply(&self, old: Val<'_>, path: &str, doc: Doc<'_>) -> Result<Value> {
        if !matches!(old.view(), View::Int32(_) | View::Int64(_)) {
            let id = doc.get("_id").map_or_else(String::new, |v| text::field("_id", v));
            bail!(
                codes::BAD_VALUE,
                "Cannot apply $bit to a value of non-integral type.{id} has the field {} of non-integer type {}",
                path.rsplit('.').next().unwrap_or(path),
                old.type_name()
            );
        }
        Ok(self.run(Value::from(old)))
    }

    /// The result for a missing value, which counts as an int32 zero.
    #[must_use]
    pub fn initial(&self) -> Value {
        self.run(Value::Int32(0))
    }

    fn run(&self, start: Value) -> Value {
        self.0.iter().fold(start, |v, (kind, operand)| match (v, operand) {
            (Value::Int32(a), Value::Int32(b)) => Value::Int32(match kind {
                Kind::And => a & b,
                Kind::Or => a | b,
                Kind::Xor => a ^ b,
            }),
            (v, operand) => {
                let (a, b) = (wide(&v), wide(operand));
                Value::Int64(match kind {
                    Kind::And => a & b,
                    Kind::Or => a | b,
                    Kind::Xor => a ^ b,
                })
            }
        })
    }
}

fn wide(v: &Value) -> i64 {
    match v {
        Value::Int32(i) => i64::from(*i),
        Value::Int64(i) => *i,
        _ => 0,
    }
}
