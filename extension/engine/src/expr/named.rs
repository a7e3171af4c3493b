//! Operators with named arguments.

use super::forms::object;
use super::parse::{Scope, call, expression};
use super::table::Operator;
use super::{Expr, Node};
use crate::Code;
use crate::bail;
use crate::codes;
use crate::collation::Collation;
use crate::error::{Error, Result};
use crate::raw::{Doc, Val};
use crate::value::Value;

/// The codes and texts with which one family of operators refuses its named arguments.
pub(super) struct Family {
    pub(super) not_object: (Code, fn(&str, &str) -> String),
    pub(super) unknown: (Code, fn(&str, &str) -> String),
}

/// Arguments by name, in the order of `params`; those not given are `Absent`.
pub(super) fn named(
    op: &Operator,
    v: Val<'_>,
    sc: &Scope<'_>,
    params: &[&str],
    family: &Family,
) -> Result<Vec<Expr>> {
    let Some(d) = v.as_doc() else {
        let (code, text) = family.not_object;
        return Err(Error::new(code, text(op.name, v.type_name())));
    };
    named_in(op, d, sc, params, family.unknown)
}

pub(super) fn named_in(
    op: &Operator,
    d: Doc<'_>,
    sc: &Scope<'_>,
    params: &[&str],
    unknown: (Code, fn(&str, &str) -> String),
) -> Result<Vec<Expr>> {
    let mut out = vec![Expr(Node::Absent); params.len()];
    for e in d {
        match params.iter().position(|p| *p == e.name()).and_then(|i| out.get_mut(i)) {
            Some(slot) => *slot = expression(e.val, sc)?,
            None => return Err(Error::new(unknown.0, (unknown.1)(op.name, e.name()))),
        }
    }
    Ok(out)
}

pub(super) fn given(e: Option<&Expr>) -> bool {
    e.is_some_and(|e| !matches!(e.0, Node::Absent))
}

/// `$firstN`, `$lastN`, `$minN`, `$maxN`: `[input, n]`.
pub(super) fn first_last_n(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let ends = matches!(op.name, "$firstN" | "$lastN");
    let family = Family {
        not_object: (codes::LOCATION5787801, |n, t| {
            format!("specification must be an object; found {n}: {t}")
        }),
        unknown: if ends {
            (codes::LOCATION5787901, |n, f| format!("{n} found an unknown argument: {f}"))
        } else {
            (codes::LOCATION5787901, |_, f| format!("Unknown argument for 'n' operator: {f}"))
        },
    };
    let args = named(op, v, sc, &["input", "n"], &family)?;
    if !given(args.first()) {
        let text = if ends {
            format!("{} requires an 'input' field", op.name)
        } else {
            "Missing value for 'input'".into()
        };
        return Err(Error::new(codes::LOCATION5787907, text));
    }
    if !given(args.get(1)) {
        let text =
            if ends { format!("{} requires an 'n' field", op.name) } else { "Missing value for 'n'".into() };
        return Err(Error::new(codes::LOCATION5787906, text));
    }
    call(op, args, sc)
}

/// `$getField`: `[field, input]`; the short form takes the field from `$$CURRENT`.
pub(super) fn get_field(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let short = match v.as_doc() {
        None => true,
        Some(d) => d.first().is_some_and(|e| e.name().starts_with('$')),
    };
    let args = if short {
        let here = Value::String("$$CURRENT".into()).with_val(|c| expression(c, sc))?;
        vec![expression(v, sc)?, here]
    } else {
        let family = Family {
            not_object: (codes::LOCATION3041701, |n, t| format!("{n} requires an object, found: {t}")),
            unknown: (codes::LOCATION3041701, |n, f| format!("{n} found an unknown argument: {f}")),
        };
        let args = named(op, v, sc, &["field", "input"], &family)?;
        if !given(args.first()) {
            bail!(codes::LOCATION3041702, "$getField requires 'field' to be specified");
        }
        if !given(args.get(1)) {
            bail!(codes::LOCATION3041703, "$getField requires 'input' to be specified");
        }
        args
    };
    // The name is known while parsing where it is constant: refuse a wrong type there.
    if let Some(Some(field)) = args.first().and_then(Expr::as_constant)
        && !matches!(field, Value::String(_))
    {
        bail!(
            codes::LOCATION3041704,
            "$getField requires 'field' to evaluate to type String, but got {}",
            field.type_name()
        );
    }
    call(op, args, sc)
}

/// `$setField` and `$unsetField`: `[field, input, value]`.
pub(super) fn set_field(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let unset = op.name == "$unsetField";
    let family = Family {
        not_object: (codes::LOCATION4161100, |n, _| format!("{n} only supports an object as its argument")),
        unknown: (codes::LOCATION4161101, |n, f| format!("{n} found an unknown argument: {f}")),
    };
    let params: &[&str] = if unset { &["field", "input"] } else { &["field", "input", "value"] };
    let args = named(op, v, sc, params, &family)?;
    let name = op.name;
    if !given(args.first()) {
        bail!(codes::LOCATION4161102, "{name} requires 'field' to be specified");
    }
    if !unset && !given(args.get(2)) {
        bail!(codes::LOCATION4161103, "{name} requires 'value' to be specified");
    }
    if !given(args.get(1)) {
        bail!(codes::LOCATION4161109, "{name} requires 'input' to be specified");
    }
    match args.first().map(|e| (e, e.as_constant())) {
        // No field has such a name, and a document can't hold it.
        Some((_, Some(Some(Value::String(field))))) if field.contains('\0') => {
            bail!(codes::LOCATION16411, "FieldPath field names may not contain null bytes ('\0').")
        }
        Some((_, Some(Some(Value::String(_))))) => {}
        Some((_, Some(other))) => bail!(
            codes::LOCATION4161107,
            "{name} requires 'field' to evaluate to type String, but got {}",
            super::render::type_of(other.as_ref())
        ),
        Some((e, None)) => {
            let Some(path) = e.as_field_path().map(|p| format!("${}", p.dotted())) else {
                bail!(
                    codes::LOCATION4161106,
                    "{name} requires 'field' to evaluate to a constant, but got a non-constant argument"
                )
            };
            bail!(
                codes::LOCATION4161108,
                "A field path reference which is not allowed in this context. Did you mean {{$literal: '{path}'}}?"
            )
        }
        None => {}
    }
    call(op, args, sc)
}

/// `$trim`, `$ltrim`, `$rtrim`: `[input, chars]`.
pub(super) fn trim(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let family = Family {
        not_object: (codes::LOCATION50696, |n, t| {
            format!("{n} only supports an object as an argument, found {t}")
        }),
        unknown: (codes::LOCATION50694, |n, f| format!("{n} found an unknown argument: {f}")),
    };
    let args = named(op, v, sc, &["input", "chars"], &family)?;
    if !given(args.first()) {
        bail!(codes::LOCATION50695, "{} requires an 'input' field", op.name);
    }
    // Whether `chars` was given decides between it and white space, also when it is missing at run time.
    if given(args.get(1)) { call(op, args, sc) } else { call(op, args.into_iter().take(1).collect(), sc) }
}

/// `$replaceOne`, `$replaceAll`: `[input, find, replacement]`.
pub(super) fn replace(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let family = Family {
        not_object: (codes::LOCATION51751, |n, t| {
            format!("{n} requires an object as an argument, found: {t}")
        }),
        unknown: (codes::LOCATION51750, |n, f| format!("{n} found an unknown argument: {f}")),
    };
    let args = named(op, v, sc, &["input", "find", "replacement"], &family)?;
    let required = [
        (codes::LOCATION51749, "input"),
        (codes::LOCATION51748, "find"),
        (codes::LOCATION51747, "replacement"),
    ];
    for (i, (code, name)) in required.into_iter().enumerate() {
        if !given(args.get(i)) {
            bail!(code, "{} requires '{name}' to be specified", op.name);
        }
    }
    call(op, args, sc)
}

/// `$sortArray`: `[input, sortBy]`, the second a constant.
pub(super) fn sort_array(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let d = object(v, codes::LOCATION2942500, || {
        format!("$sortArray requires an object as an argument, found: {}", v.type_name())
    })?;
    let (mut input, mut by) = (None, None);
    for e in d {
        match e.name() {
            "input" => input = Some(expression(e.val, sc)?),
            "sortBy" => by = Some(e.val),
            other => bail!(codes::LOCATION2942501, "$sortArray found an unknown argument: {other}"),
        }
    }
    let Some(input) = input else {
        bail!(codes::LOCATION2942502, "$sortArray requires 'input' to be specified")
    };
    let Some(by) = by else { bail!(codes::LOCATION2942503, "$sortArray requires 'sortBy' to be specified") };
    super::ops::order::check_sort_by(by)?;
    call(op, vec![input, Expr::constant(Some(Value::from(by)))], sc)
}

/// `$zip`: `[useLongestLength, defaults or absent, inputs…]`.
pub(super) fn zip(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let d = object(v, codes::LOCATION34460, || {
        format!("$zip only supports an object as an argument, found {}", v.type_name())
    })?;
    let (mut inputs, mut longest, mut defaults) = (Vec::new(), false, Vec::new());
    for e in d {
        match e.name() {
            "inputs" => {
                let Some(list) = e.val.as_array() else {
                    bail!(
                        codes::LOCATION34461,
                        "inputs must be an array of expressions, found {}",
                        e.val.type_name()
                    )
                };
                inputs = list.values().map(|v| expression(v, sc)).collect::<Result<_>>()?;
            }
            "defaults" => {
                let Some(list) = e.val.as_array() else {
                    bail!(
                        codes::LOCATION34462,
                        "defaults must be an array of expressions, found {}",
                        e.val.type_name()
                    )
                };
                defaults = list.values().map(|v| expression(v, sc)).collect::<Result<_>>()?;
            }
            "useLongestLength" => {
                let Some(b) = e.val.as_bool() else {
                    bail!(
                        codes::LOCATION34463,
                        "useLongestLength must be a bool, found {}",
                        e.val.type_name()
                    )
                };
                longest = b;
            }
            other => bail!(codes::LOCATION34464, "$zip found an unknown argument: {other}"),
        }
    }
    if inputs.is_empty() {
        bail!(codes::LOCATION34465, "$zip requires at least one input array");
    }
    if !defaults.is_empty() && !longest {
        bail!(codes::LOCATION34466, "cannot specify defaults unless useLongestLength is true");
    }
    if !defaults.is_empty() && defaults.len() != inputs.len() {
        bail!(codes::LOCATION34467, "defaults and inputs must have the same length");
    }
    let mut args = vec![Expr::constant(Some(Value::Bool(longest)))];
    if defaults.is_empty() {
        defaults = vec![Expr::constant(Some(Value::Null)); inputs.len()];
    }
    args.extend(inputs);
    args.extend(defaults);
    call(op, args, sc)
}

/// `$convert`: `[input, to, onError, onNull, format, byteOrder, base]`.
pub(super) fn convert(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let family = Family {
        not_object: (codes::FAILED_TO_PARSE, |n, t| {
            format!("{n} expects an object of named arguments but found: {t}")
        }),
        unknown: (codes::FAILED_TO_PARSE, |n, f| format!("{n} found an unknown argument: {f}")),
    };
    let args =
        named(op, v, sc, &["input", "to", "onError", "onNull", "format", "byteOrder", "base"], &family)?;
    for (i, name) in ["input", "to"].into_iter().enumerate() {
        if !given(args.get(i)) {
            bail!(codes::FAILED_TO_PARSE, "Missing '{name}' parameter to $convert");
        }
    }
    call(op, args, sc)
}

/// `$regexMatch` and its kin: `[input, regex, options]`.
pub(super) fn regex(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let family = Family {
        not_object: (codes::LOCATION51103, |n, t| {
            format!("{n} expects an object of named arguments but found: {t}")
        }),
        unknown: (codes::LOCATION31024, |n, f| format!("{n} found an unknown argument: {f}")),
    };
    let args = named(op, v, sc, &["input", "regex", "options"], &family)?;
    for (i, (name, code)) in
        [("input", codes::LOCATION31022), ("regex", codes::LOCATION31023)].into_iter().enumerate()
    {
        if !given(args.get(i)) {
            bail!(code, "{} requires '{name}' parameter", op.name);
        }
    }
    call(op, args, sc)
}

fn object_or_array<'a>(v: Val<'a>) -> Result<Doc<'a>> {
    v.as_doc()
        .or(v.as_array())
        .ok_or_else(|| Error::new(codes::LOCATION10065, "invalid parameter: expected an object ($rand)"))
}

/// `$rand` takes nothing.
pub(super) fn rand(op: &'static Operator, v: Val<'_>, _: &Scope<'_>) -> Result<Expr> {
    let given = object_or_array(v)?;
    if !given.is_empty() {
        bail!(codes::LOCATION3040501, "$rand does not currently accept arguments");
    }
    Ok(Expr(Node::Call { op, args: Vec::new(), collation: Collation::SIMPLE }))
}

/// `$median`, `$percentile`: `[input, percentiles]`, the second a constant.
pub(super) fn percentile(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let (input, ps) = crate::accumulator::percentile_spec(op.name, v, sc.cx)?;
    let ps: Vec<Value> = ps.into_iter().map(Value::Double).collect();
    call(op, vec![expression(input, sc)?, Expr::constant(Some(Value::array_of(&ps)))], sc)
}

/// `$meta`: a field that documents carry.
pub(super) fn meta(_: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    if let Some(field) = v.as_str().and_then(|keyword| sc.cx.known.field(keyword)) {
        return Value::String(format!("${field}")).with_val(|v| Expr::parse(v, sc.cx));
    }
    match v.as_str() {
        Some("textScore") => {
            bail!(codes::LOCATION40218, "query requires text score metadata, but it is not available")
        }
        Some(
            name @ ("indexKey" | "recordId" | "geoNearDistance" | "geoNearPoint" | "sortKey" | "searchScore"
            | "searchHighlights" | "vectorSearchScore" | "randVal"),
        ) => bail!(codes::COMMAND_NOT_SUPPORTED, "Returning {name} for $meta not supported"),
        Some(other) => bail!(codes::LOCATION17308, "Unsupported argument to $meta: {other}"),
        None => bail!(codes::LOCATION17307, "$meta only supports string arguments"),
    }
}
