//! From BSON to [`Windows`].

use super::bounds::{Bounds, parse_unit};
use super::{Function, Output, Windows};
use crate::accumulator::Accumulator;
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::num::{self, Num};
use crate::expr::{self, Expr, FieldPath, dec128, render};
use crate::raw::{Doc, Val};
use crate::sort::SortSpec;
use crate::stage::{ParseContext, Stage};
use crate::value::Value;
use crate::{bail, codes};
use std::rc::Rc;

pub(in crate::stage) fn set_window_fields(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(
            codes::FAILED_TO_PARSE,
            "the $setWindowFields stage specification must be an object, found {}",
            v.type_name()
        )
    };
    let cx = expr::ParseContext { windows: true, ..cx.expr() };
    let (mut partition, mut sort, mut output) = (None, None, None);
    for e in spec {
        match e.name() {
            "partitionBy" => partition = Some(partition_by(e.val, &cx)?),
            "sortBy" => sort = Some(doc("$setWindowFields.sortBy", e.val)?),
            "output" => output = Some(doc("$setWindowFields.output", e.val)?),
            other => {
                bail!(codes::LOCATION40415, "BSON field '$setWindowFields.{other}' is an unknown field.")
            }
        }
    }
    let Some(output) = output else {
        bail!(codes::LOCATION40414, "BSON field '$setWindowFields.output' is missing but a required field")
    };
    let (sort, sort_field) = sort_by(sort, &cx.collation)?;
    let mut outputs: Vec<Output> = Vec::new();
    for e in output {
        let path = FieldPath::parse(e.name())?;
        if outputs.iter().any(|o| o.path.overlaps(&path)) {
            bail!(
                codes::LOCATION6307900,
                "$setWindowFields 'output' specification contains two conflicting paths"
            );
        }
        let (function, bounds) = field(e.name(), e.val, &cx, sort.is_some(), sort_field.as_ref())?;
        outputs.push(Output { path, function, bounds });
    }
    Ok(Rc::new(Windows {
        partition,
        sort,
        sort_field,
        outputs,
        name: "$setWindowFields",
        collation: cx.collation,
    }))
}

fn partition_by(v: Val<'_>, cx: &expr::ParseContext) -> Result<Expr> {
    let e = Expr::parse(v, cx)?;
    if let Some(Some(Value::Array(_))) = e.as_constant() {
        bail!(codes::TYPE_MISMATCH, "An expression used to partition cannot evaluate to value of type array");
    }
    if v.as_array().is_some() {
        bail!(codes::TYPE_MISMATCH, "An expression used to partition cannot evaluate to value of type array");
    }
    Ok(e)
}

fn doc<'a>(name: &str, v: Val<'a>) -> Result<Doc<'a>> {
    match v.as_doc() {
        Some(d) => Ok(d),
        None => bail!(
            codes::TYPE_MISMATCH,
            "BSON field '{name}' is the wrong type '{}', expected type 'object'",
            v.type_name()
        ),
    }
}

type Sorted = (Option<SortSpec>, Option<(FieldPath, bool)>);

/// The sort, and its field when there is only one.
pub(in crate::stage) fn sort_by(d: Option<Doc<'_>>, collation: &Collation) -> Result<Sorted> {
    let Some(d) = d else { return Ok((None, None)) };
    let spec = SortSpec::parse(d)?.collated(collation);
    let single = match spec.paths().as_deref() {
        Some([(path, down)]) => Some((FieldPath::parse(path)?, *down)),
        _ => None,
    };
    Ok((Some(spec), single))
}

fn field(
    name: &str,
    v: Val<'_>,
    cx: &expr::ParseContext,
    sorted: bool,
    single: Option<&(FieldPath, bool)>,
) -> Result<(Function, Bounds)> {
    let Some(d) = v.as_doc() else {
        bail!(codes::FAILED_TO_PARSE, "The field '{name}' must be a window function object")
    };
    let (mut call, mut window) = (None, None);
    for e in d {
        match e.name() {
            "window" => window = Some(Bounds::parse(e.val, cx)?),
            op if op.starts_with('$') && call.is_none() => call = Some((op, e.val)),
            other => bail!(codes::FAILED_TO_PARSE, "Window function found an unknown argument: {other}"),
        }
    }
    let Some((op, arg)) = call else {
        bail!(codes::FAILED_TO_PARSE, "Expected a $-prefixed window function, but found none in '{name}'")
    };
    match &window {
        Some(Bounds::Documents(..)) if !sorted && !unbounded(window.as_ref()) => {
            bail!(codes::LOCATION5339901, "Document-based bounds require a sortBy")
        }
        Some(Bounds::Range { .. }) => match single {
            None => bail!(codes::LOCATION5339902, "Range-based bounds require sortBy a single field"),
            Some((_, true)) => {
                bail!(codes::FAILED_TO_PARSE, "Range-based bounds require an ascending sortBy")
            }
            Some(_) => {}
        },
        _ => {}
    }
    let explicit = window.is_some();
    let function = function(op, arg, cx, sorted, single.is_some(), explicit)?;
    Ok((function, window.unwrap_or(Bounds::Partition)))
}

fn unbounded(b: Option<&Bounds>) -> bool {
    use super::bounds::Bound::Unbounded;
    matches!(b, Some(Bounds::Documents(Unbounded, Unbounded)))
}

fn function(
    op: &str,
    arg: Val<'_>,
    cx: &expr::ParseContext,
    sorted: bool,
    single: bool,
    explicit: bool,
) -> Result<Function> {
    match op {
        "$rank" | "$denseRank" | "$documentNumber" => {
            if explicit {
                bail!(codes::LOCATION5371601, "Rank style window functions take no other arguments");
            }
            if !arg.as_doc().is_some_and(Doc::is_empty) {
                bail!(codes::LOCATION5371603, "(None) must be specified with '{{}}' as the value");
            }
            if !single {
                bail!(
                    codes::LOCATION5371602,
                    "{op} must be specified with a top level sortBy expression with exactly one element"
                );
            }
            Ok(match op {
                "$rank" => Function::Rank,
                "$denseRank" => Function::DenseRank,
                _ => Function::DocumentNumber,
            })
        }
        "$shift" | "$locf" | "$linearFill" if explicit => match op {
            "$shift" => bail!(codes::FAILED_TO_PARSE, "$shift does not accept a 'window' field"),
            _ => bail!(codes::FAILED_TO_PARSE, "'window' field is not allowed in {op}"),
        },
        "$shift" => shift(arg, cx, sorted),
        "$derivative" | "$integral" => {
            if op == "$derivative" && !explicit {
                bail!(codes::FAILED_TO_PARSE, "$derivative requires explicit window bounds");
            }
            if !single {
                bail!(codes::FAILED_TO_PARSE, "{op} requires a sortBy with exactly one field");
            }
            rate(op, arg, cx)
        }
        "$expMovingAvg" => {
            if explicit {
                bail!(
                    codes::FAILED_TO_PARSE,
                    "$expMovingAvg must have exactly one argument that is an object"
                );
            }
            if !sorted {
                bail!(codes::FAILED_TO_PARSE, "$expMovingAvg requires an explicit 'sortBy'");
            }
            moving_average(arg, cx)
        }
        "$linearFill" => {
            if !single {
                bail!(
                    codes::LOCATION605001,
                    "$linearFill must be specified with a top level sortBy expression with exactly one element"
                );
            }
            Ok(Function::LinearFill(Expr::parse(arg, cx)?))
        }
        "$locf" => Ok(Function::Locf(Expr::parse(arg, cx)?)),
        "$mergeObjects" => bail!(codes::FAILED_TO_PARSE, "Unrecognized window function, {op}"),
        _ => match Accumulator::parse(op, arg, cx) {
            Err(e) if e.code == codes::LOCATION15952 => {
                bail!(codes::FAILED_TO_PARSE, "Unrecognized window function, {op}")
            }
            a => Ok(Function::Accumulate(a?)),
        },
    }
}

fn shift(arg: Val<'_>, cx: &expr::ParseContext, sorted: bool) -> Result<Function> {
    let Some(d) = arg.as_doc() else { bail!(codes::FAILED_TO_PARSE, "Argument to $shift must be an object") };
    if !sorted {
        bail!(codes::FAILED_TO_PARSE, "$shift requires a sortBy");
    }
    let (mut output, mut by, mut default) = (None, None, Value::Null);
    for e in d {
        match e.name() {
            "output" => output = Some(Expr::parse(e.val, cx)?),
            "by" => match num::to_i32_exact(&Value::from(e.val)) {
                Some(n) => by = Some(i64::from(n)),
                None => bail!(
                    codes::FAILED_TO_PARSE,
                    "'$shift:by' field must be an integer, but found by: {}",
                    render::val(e.val)
                ),
            },
            "default" => match Expr::parse(e.val, cx)?.as_constant() {
                Some(v) => default = v.clone().unwrap_or(Value::Null),
                None => {
                    bail!(codes::FAILED_TO_PARSE, "'$shift:default' expression must yield a constant value.")
                }
            },
            other => bail!(codes::FAILED_TO_PARSE, "Unknown argument in $shift: {other}"),
        }
    }
    let Some(output) = output else {
        bail!(codes::FAILED_TO_PARSE, "$shift requires an 'output' expression.")
    };
    let Some(by) = by else { bail!(codes::FAILED_TO_PARSE, "$shift requires 'by' as an integer value.") };
    Ok(Function::Shift { output, by, default })
}

/// `$derivative`, `$integral`
fn rate(op: &str, arg: Val<'_>, cx: &expr::ParseContext) -> Result<Function> {
    let Some(d) = arg.as_doc() else { bail!(codes::FAILED_TO_PARSE, "{op} expects an object") };
    let (mut input, mut unit) = (None, None);
    for e in d {
        match e.name() {
            "input" => input = Some(Expr::parse(e.val, cx)?),
            "unit" => match parse_unit(e.val)?.millis() {
                Some(ms) => unit = Some(ms),
                None => {
                    bail!(codes::LOCATION5490710, "unit must be 'week' or smaller")
                }
            },
            other => bail!(codes::FAILED_TO_PARSE, "{op} got unexpected argument: {other}"),
        }
    }
    let Some(input) = input else { bail!(codes::FAILED_TO_PARSE, "{op} requires an 'input' expression") };
    Ok(if op == "$derivative" {
        Function::Derivative { input, unit }
    } else {
        Function::Integral { input, unit }
    })
}

fn moving_average(arg: Val<'_>, cx: &expr::ParseContext) -> Result<Function> {
    const SHAPE: &str = "$expMovingAvg sub object must have exactly two fields: An 'input' field, and either an 'N' field or an 'alpha' field";
    let Some(d) = arg.as_doc() else {
        bail!(codes::FAILED_TO_PARSE, "$expMovingAvg must have exactly one argument that is an object")
    };
    let (Some(input), 2) = (d.get("input"), d.iter().count()) else {
        bail!(codes::FAILED_TO_PARSE, "{SHAPE}")
    };
    let alpha = match (d.get("N"), d.get("alpha")) {
        (Some(n), _) => {
            let whole = match Num::of(&Value::from(n)) {
                None => bail!(
                    codes::FAILED_TO_PARSE,
                    "'N' field must be an integer, but found type {}",
                    n.type_name()
                ),
                Some(x) => x.to_i64_exact(),
            };
            match whole {
                None => bail!(
                    codes::FAILED_TO_PARSE,
                    "'N' field must be an integer, but found  N: {}. To use a non-integer, use the 'alpha' argument instead",
                    render::val(n)
                ),
                Some(n) if n > 0 => {
                    let mut cx = dec128::standard();
                    let (mut alpha, mut below) = (dec128::from_i64(2), dec128::from_i64(n));
                    cx.add(&mut below, &dec128::from_i64(1));
                    cx.div(&mut alpha, &below);
                    alpha
                }
                Some(n) => bail!(codes::FAILED_TO_PARSE, "'N' must be greater than zero. Got {n}"),
            }
        }
        (None, Some(a)) => match Num::of(&Value::from(a)) {
            Some(n) if n.to_f64() > 0.0 && n.to_f64() < 1.0 => n.to_decimal(),
            Some(_) => bail!(
                codes::FAILED_TO_PARSE,
                "'alpha' must be between 0 and 1 (exclusive), found alpha: {}",
                render::val(a)
            ),
            None => bail!(codes::FAILED_TO_PARSE, "'alpha' must be a number"),
        },
        _ => bail!(codes::FAILED_TO_PARSE, "Got unrecognized field in $expMovingAvg{SHAPE}"),
    };
    Ok(Function::ExpMovingAvg { input: Expr::parse(input, cx)?, alpha })
}
