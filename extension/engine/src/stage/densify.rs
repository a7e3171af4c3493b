//! `$densify`: documents for the values that are missing in a sequence.

use super::unwind::with_value;
use super::{Budget, Docs, ParseContext, Run, Stage, blocking};
use crate::accumulator::identity;
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::dates::{Unit, Zone, add};
use crate::expr::num::{self, Num};
use crate::expr::{FieldPath, compare_values};
use crate::raw::{Doc, Val, View};
use crate::value::Value;
use crate::{bail, codes};
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::rc::Rc;

/// Most documents one stage makes (MongoDB's `internalQueryMaxAllowedDensifyDocs`).
const MAX_MADE: usize = 500_000;

#[derive(Debug)]
enum Bounds {
    Full,
    Partition,
    Explicit(Value, Value),
}

#[derive(Debug)]
struct Densify {
    field: FieldPath,
    by: Vec<FieldPath>,
    step: Num,
    unit: Option<Unit>,
    bounds: Bounds,
    collation: Collation,
}

/// The documents that agree in the partition's fields.
struct Group {
    key: Vec<u8>,
    values: Vec<Option<Value>>,
    rows: Vec<(Value, Vec<u8>)>,
}

impl Stage for Densify {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        blocking(move || {
            let mut budget = Budget::new("$densify", cx);
            let mut out: VecDeque<Vec<u8>> = VecDeque::new();
            let mut groups: Vec<Group> = Vec::new();
            for doc in input {
                let doc = doc?;
                budget.take(doc.len())?;
                let d = Doc::trusted(&doc);
                let v = match self.field.get(d) {
                    None | Some(Value::Null | Value::Undefined) => {
                        // Without a value there is no place in the sequence: the document passes.
                        out.push_back(doc);
                        continue;
                    }
                    Some(v) => v,
                };
                self.check(&v)?;
                let values: Vec<Option<Value>> = self.by.iter().map(|p| p.get(d)).collect();
                let key: Vec<u8> = values
                    .iter()
                    .flat_map(|v| identity(v.as_ref().unwrap_or(&Value::Null), &self.collation))
                    .collect();
                match groups.iter_mut().find(|g| g.key == key) {
                    Some(g) => g.rows.push((v, doc)),
                    None => groups.push(Group { key, values, rows: vec![(v, doc)] }),
                }
            }
            groups.sort_by(|a, b| a.key.cmp(&b.key));
            self.fill(groups, &mut budget, &mut out)?;
            Ok(out)
        })
    }
}

impl Densify {
    fn check(&self, v: &Value) -> Result<()> {
        match (v, self.unit) {
            (Value::DateTime(_), Some(_)) => Ok(()),
            (Value::DateTime(_), None) => bail!(
                codes::LOCATION6053600,
                "PlanExecutor error during aggregation :: caused by :: Encountered date densify value in collection when step does not have a date unit."
            ),
            (v, unit) if Num::of(v).is_some() => match unit {
                None => Ok(()),
                Some(_) => bail!(
                    codes::LOCATION6053600,
                    "PlanExecutor error during aggregation :: caused by :: Encountered numeric densify value in collection when step has a date unit."
                ),
            },
            _ => bail!(
                codes::LOCATION5733201,
                "PlanExecutor error during aggregation :: caused by :: Densify field type must be numeric or a date"
            ),
        }
    }

    /// The value one step after `v`.
    fn after(&self, v: &Value) -> Option<Value> {
        match (v, self.unit) {
            (Value::DateTime(ms), Some(unit)) => {
                add(*ms, unit, self.step.to_i64_exact()?, Zone::UTC).map(Value::DateTime)
            }
            (v, _) => Some(num::add(Num::of(v)?, self.step).value()),
        }
    }

    fn fill(&self, mut groups: Vec<Group>, budget: &mut Budget, out: &mut VecDeque<Vec<u8>>) -> Result<()> {
        let all = || groups.iter().flat_map(|g| g.rows.iter().map(|(v, _)| v));
        let lowest = all().min_by(|a, b| compare_values(a, b)).cloned();
        let highest = all().max_by(|a, b| compare_values(a, b)).cloned();
        if let (Bounds::Explicit(..), true) = (&self.bounds, groups.is_empty() && self.by.is_empty()) {
            groups.push(Group { key: Vec::new(), values: Vec::new(), rows: Vec::new() });
        }
        let mut made = 0usize;
        for mut g in groups {
            g.rows.sort_by(|a, b| compare_values(&a.0, &b.0));
            let first = g.rows.first().map(|r| r.0.clone());
            let last = g.rows.last().map(|r| r.0.clone());
            // The last value of a range that comes from the documents is there already.
            let (low, high) = match &self.bounds {
                Bounds::Explicit(a, b) => (Some(a.clone()), Some(b.clone())),
                Bounds::Full => (lowest.clone(), highest.clone()),
                Bounds::Partition => (first, last),
            };
            let (Some(low), Some(high)) = (low, high) else { continue };
            let inclusive = matches!(self.bounds, Bounds::Full);
            let mut rows = g.rows.into_iter().peekable();
            let mut next = Some(low);
            while let Some(v) = next {
                next = self.after(&v);
                let order = compare_values(&v, &high);
                if order == Ordering::Greater || (order == Ordering::Equal && !inclusive) {
                    break;
                }
                let mut there = false;
                while let Some((found, doc)) =
                    rows.next_if(|(r, _)| compare_values(r, &v) != Ordering::Greater)
                {
                    there |= compare_values(&found, &v) == Ordering::Equal;
                    out.push_back(doc);
                }
                if there {
                    continue;
                }
                made += 1;
                if made > MAX_MADE {
                    bail!(
                        codes::LOCATION5897900,
                        "Generated {made} documents in $densify, which is over the limit of {MAX_MADE}. Increase the 'internalQueryMaxAllowedDensifyDocs' parameter to allow more generated documents"
                    );
                }
                let mut doc = Doc::EMPTY.bytes().to_vec();
                for (path, value) in self.by.iter().zip(&g.values) {
                    if let Some(value) = value {
                        doc = with_value(Doc::trusted(&doc), path.parts(), Some(value));
                    }
                }
                doc = with_value(Doc::trusted(&doc), self.field.parts(), Some(&v));
                budget.take(doc.len())?;
                out.push_back(doc);
            }
            out.extend(rows.map(|(_, doc)| doc));
        }
        Ok(())
    }
}

pub(super) fn densify(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(
            codes::FAILED_TO_PARSE,
            "The $densify stage specification must be an object, found {}",
            v.type_name()
        )
    };
    let (mut field, mut by, mut range) = (None, Vec::new(), None);
    for e in spec {
        match e.name() {
            "field" => field = Some(path("$densify.field", e.val)?),
            "partitionByFields" => match e.val.as_array() {
                Some(list) => {
                    for v in list.values() {
                        by.push(path("$densify.partitionByFields", v)?);
                    }
                }
                None => return wrong("$densify.partitionByFields", e.val, "array"),
            },
            "range" => match e.val.as_doc() {
                Some(d) => range = Some(d),
                None => return wrong("$densify.range", e.val, "object"),
            },
            other => bail!(codes::LOCATION40415, "BSON field '$densify.{other}' is an unknown field."),
        }
    }
    let missing = |name: &str| -> Result<Rc<dyn Stage>> {
        bail!(codes::LOCATION40414, "BSON field '$densify.{name}' is missing but a required field")
    };
    let Some(field) = field else { return missing("field") };
    let Some(range) = range else { return missing("range") };
    if let Some(other) = range.iter().find(|e| !matches!(e.name(), "step" | "bounds" | "unit")) {
        bail!(codes::LOCATION40415, "BSON field '$densify.range.{}' is an unknown field.", other.name());
    }
    if by.iter().any(|path| path.overlaps(&field)) {
        bail!(
            codes::LOCATION8993000,
            "BSON field '$densify.partitionByFields' contains the field that is being densified"
        );
    }
    let Some(step) = range.get("step") else { return missing("range.step") };
    let Some(bounds) = range.get("bounds") else { return missing("range.bounds") };
    let Some(step_number) = Num::of(&Value::from(step)) else {
        bail!(
            codes::TYPE_MISMATCH,
            "BSON field '$densify.range.step' is the wrong type '{}', expected types '[int, decimal, double, long']",
            step.type_name()
        )
    };
    if step_number.to_f64().partial_cmp(&0.0) != Some(Ordering::Greater) {
        bail!(
            codes::LOCATION5733401,
            "the step parameter in a range statement must be a strictly positive numeric value"
        );
    }
    let unit = match range.get("unit") {
        None => None,
        Some(u) if u.as_str().is_none() => {
            wrong("$densify.range.unit", u, "string")?;
            None
        }
        Some(u) => match u.as_str().and_then(Unit::named) {
            Some(u) => Some(u),
            None => {
                bail!(codes::FAILED_TO_PARSE, "unknown time unit value: {}", u.as_str().unwrap_or_default())
            }
        },
    };
    if unit.is_some() && step_number.to_i64_exact().is_none() {
        bail!(
            codes::LOCATION6586400,
            "The step parameter in a range satement must be a whole number when densifying a date range"
        );
    }
    let bounds = range_bounds(bounds, &Value::from(step), unit, &by)?;
    Ok(Rc::new(Densify { field, by, step: step_number, unit, bounds, collation: cx.collation.clone() }))
}

fn wrong(name: &str, v: Val<'_>, wanted: &str) -> Result<Rc<dyn Stage>> {
    bail!(
        codes::TYPE_MISMATCH,
        "BSON field '{name}' is the wrong type '{}', expected type '{wanted}'",
        v.type_name()
    )
}

fn path(name: &str, v: Val<'_>) -> Result<FieldPath> {
    let Some(s) = v.as_str() else {
        bail!(
            codes::TYPE_MISMATCH,
            "BSON field '{name}' is the wrong type '{}', expected type 'string'",
            v.type_name()
        )
    };
    if s.starts_with('$') {
        bail!(
            codes::LOCATION16410,
            "FieldPath field names may not start with '$'. Consider using $getField or $setField."
        );
    }
    FieldPath::parse(s)
}

fn range_bounds(v: Val<'_>, step: &Value, unit: Option<Unit>, by: &[FieldPath]) -> Result<Bounds> {
    const SHAPE: &str = "the bounds in a range statement must be the string 'full', 'partition', or an ascending array of two numbers or two dates";
    match v.view() {
        View::String("full") => Ok(Bounds::Full),
        View::String("partition") => {
            if by.is_empty() {
                bail!(
                    codes::LOCATION5733408,
                    "one may not specify the bounds as 'partition' without specifying a non-empty array of partitionByFields. You may have meant to specify 'full' bounds."
                );
            }
            Ok(Bounds::Partition)
        }
        View::String(_) => {
            bail!(codes::LOCATION5946802, "Bounds string must either be 'full' or 'partition'")
        }
        View::Array(list) => {
            let items: Vec<Value> = list.values().map(Value::from).collect();
            let [low, high] = items.as_slice() else {
                bail!(
                    codes::LOCATION5733403,
                    "a bounding array in a range statement must have exactly two elements"
                )
            };
            let dates = matches!((low, high), (Value::DateTime(_), Value::DateTime(_)));
            let numbers = Num::of(low).is_some() && Num::of(high).is_some();
            if compare_values(low, high) == Ordering::Greater {
                bail!(codes::LOCATION5733402, "{SHAPE}");
            }
            let is_date = matches!(low, Value::DateTime(_));
            match (is_date, Num::of(low).is_some()) {
                (true, _) if !dates => bail!(
                    codes::LOCATION5733405,
                    "a bounding array that begins with a date must end with one"
                ),
                (true, _) if unit.is_none() => {
                    bail!(codes::LOCATION5733410, "a bounding array of dates needs a unit of the step")
                }
                (false, true) if !numbers => bail!(
                    codes::LOCATION5733406,
                    "a bounding array that begins with a number must end with one"
                ),
                (false, true) if unit.is_some() => {
                    bail!(codes::LOCATION5733409, "a bounding array of numbers takes no unit of the step")
                }
                (false, false) => bail!(codes::LOCATION5946800, "{SHAPE}"),
                _ => {}
            }
            if numbers && (low.ty() != high.ty() || low.ty() != step.ty()) {
                bail!(
                    codes::LOCATION5876900,
                    "Upper bound, lower bound, and step must all have the same type"
                );
            }
            Ok(Bounds::Explicit(low.clone(), high.clone()))
        }
        _ => bail!(codes::LOCATION5733404, "{SHAPE}"),
    }
}
