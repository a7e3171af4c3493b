//! Operators with a syntax of their own: named arguments, variables, branches.

use super::parse::{Scope, arguments, call, check_name, expression};
use super::table::Operator;
use super::{Expr, Node};
use crate::Code;
use crate::bail;
use crate::codes;
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

fn named_in(
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

fn object<'a>(v: Val<'a>, code: Code, text: impl FnOnce() -> String) -> Result<Doc<'a>> {
    v.as_doc().ok_or_else(|| Error::new(code, text()))
}

pub(super) fn literal(_: &'static Operator, v: Val<'_>, _: &Scope<'_>) -> Result<Expr> {
    Ok(Expr::constant(Some(Value::from(v))))
}

pub(super) fn cond(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let args = match v.as_doc() {
        Some(d) if !d.first().is_some_and(|e| e.name().starts_with('$')) => {
            let unknown: (Code, fn(&str, &str) -> String) =
                (codes::LOCATION17083, |_, f| format!("Unrecognized parameter to $cond: {f}"));
            let args = named_in(op, d, sc, &["if", "then", "else"], unknown)?;
            let missing = [
                (codes::LOCATION17080, "if"),
                (codes::LOCATION17081, "then"),
                (codes::LOCATION17082, "else"),
            ];
            for (i, (code, name)) in missing.into_iter().enumerate() {
                if !given(args.get(i)) {
                    bail!(code, "Missing '{name}' parameter to $cond");
                }
            }
            args
        }
        _ => arguments(v, sc)?,
    };
    if args.len() != 3 {
        bail!(
            codes::LOCATION16020,
            "Expression $cond takes exactly 3 arguments. {} were passed in.",
            args.len()
        );
    }
    call(op, args)
}

pub(super) fn if_null(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let args = arguments(v, sc)?;
    if args.len() < 2 {
        bail!(codes::LOCATION1257300, "$ifNull needs at least two arguments, had: {}", args.len());
    }
    call(op, args)
}

pub(super) fn switch(_: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let d = object(v, codes::LOCATION40060, || {
        format!("$switch requires an object as an argument, found: {}", v.type_name())
    })?;
    let (mut branches, mut default) = (Vec::new(), None);
    for e in d {
        match e.name() {
            "branches" => {
                let Some(list) = e.val.as_array() else {
                    bail!(
                        codes::LOCATION40061,
                        "$switch expected an array for 'branches', found: {}",
                        e.val.type_name()
                    )
                };
                for b in list.values() {
                    branches.push(branch(b, sc)?);
                }
            }
            "default" => default = Some(Box::new(expression(e.val, sc)?)),
            other => bail!(codes::LOCATION40067, "$switch found an unknown argument: {other}"),
        }
    }
    if branches.is_empty() {
        bail!(codes::LOCATION40068, "$switch requires at least one branch.");
    }
    Ok(Expr(Node::Switch { branches, default }))
}

fn branch(v: Val<'_>, sc: &Scope<'_>) -> Result<(Expr, Expr)> {
    let d = object(v, codes::LOCATION40062, || {
        format!("$switch expected each branch to be an object, found: {}", v.type_name())
    })?;
    let (mut case, mut then) = (None, None);
    for e in d {
        match e.name() {
            "case" => case = Some(expression(e.val, sc)?),
            "then" => then = Some(expression(e.val, sc)?),
            other => bail!(codes::LOCATION40063, "$switch found an unknown argument to a branch: {other}"),
        }
    }
    let Some(case) = case else {
        bail!(codes::LOCATION40064, "$switch requires each branch have a 'case' expression")
    };
    let Some(then) = then else {
        bail!(codes::LOCATION40065, "$switch requires each branch have a 'then' expression")
    };
    Ok((case, then))
}

pub(super) fn let_(_: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let d = object(v, codes::LOCATION16874, || "$let only supports an object as its argument".into())?;
    let (mut vars, mut body) = (None, None);
    for e in d {
        match e.name() {
            "vars" => vars = Some(e.val),
            "in" => body = Some(e.val),
            other => bail!(codes::LOCATION16875, "Unrecognized parameter to $let: {other}"),
        }
    }
    let Some(vars) = vars else { bail!(codes::LOCATION16876, "Missing 'vars' parameter to $let") };
    let Some(body) = body else { bail!(codes::LOCATION16876, "Missing 'in' parameter to $let") };
    let vars = object(vars, codes::LOCATION10065, || "invalid parameter: expected an object (vars)".into())?;
    let mut bound = Vec::new();
    for e in vars {
        check_name(e.name(), true)?;
        bound.push((e.name().to_owned(), expression(e.val, sc)?));
    }
    let names: Vec<&str> = bound.iter().map(|(n, _)| n.as_str()).collect();
    let body = sc.parse_with(&names, body)?;
    Ok(Expr(Node::Let { vars: bound, body: Box::new(body) }))
}

fn variable<'a>(v: Option<Val<'a>>) -> Result<&'a str> {
    match v {
        None => Ok("this"),
        Some(v) => {
            // Anything but a string reads as a name that no variable has.
            let name = v.as_str().unwrap_or("");
            check_name(name, true)?;
            Ok(name)
        }
    }
}

pub(super) fn map(_: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let d = object(v, codes::LOCATION16878, || "$map only supports an object as its argument".into())?;
    let (mut input, mut name, mut body) = (None, None, None);
    for e in d {
        match e.name() {
            "input" => input = Some(e.val),
            "as" => name = Some(e.val),
            "in" => body = Some(e.val),
            other => bail!(codes::LOCATION16879, "Unrecognized parameter to $map: {other}"),
        }
    }
    let Some(input) = input else { bail!(codes::LOCATION16880, "Missing 'input' parameter to $map") };
    let Some(body) = body else { bail!(codes::LOCATION16882, "Missing 'in' parameter to $map") };
    let name = variable(name)?;
    let input = Box::new(expression(input, sc)?);
    let body = Box::new(sc.parse_with(&[name], body)?);
    Ok(Expr(Node::Map { input, name: name.to_owned(), body }))
}

pub(super) fn filter(_: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let d = object(v, codes::LOCATION28646, || "$filter only supports an object as its argument".into())?;
    let (mut input, mut name, mut cond, mut limit) = (None, None, None, None);
    for e in d {
        match e.name() {
            "input" => input = Some(e.val),
            "as" => name = Some(e.val),
            "cond" => cond = Some(e.val),
            "limit" => limit = Some(e.val),
            other => bail!(codes::LOCATION28647, "Unrecognized parameter to $filter: {other}"),
        }
    }
    let Some(input) = input else { bail!(codes::LOCATION28648, "Missing 'input' parameter to $filter") };
    let Some(cond) = cond else { bail!(codes::LOCATION28650, "Missing 'cond' parameter to $filter") };
    let name = variable(name)?;
    let input = Box::new(expression(input, sc)?);
    let limit = limit.map(|l| expression(l, sc)).transpose()?.map(Box::new);
    let cond = Box::new(sc.parse_with(&[name], cond)?);
    Ok(Expr(Node::Filter { input, name: name.to_owned(), cond, limit }))
}

pub(super) fn reduce(_: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let d = object(v, codes::LOCATION40075, || "$reduce only supports an object as its argument".into())?;
    let (mut input, mut initial, mut body) = (None, None, None);
    for e in d {
        match e.name() {
            "input" => input = Some(e.val),
            "initialValue" => initial = Some(e.val),
            "in" => body = Some(e.val),
            other => bail!(codes::LOCATION40076, "Unrecognized parameter to $reduce: {other}"),
        }
    }
    let Some(input) = input else { bail!(codes::LOCATION40077, "Missing 'input' parameter to $reduce") };
    let Some(initial) = initial else {
        bail!(codes::LOCATION40078, "Missing 'initialValue' parameter to $reduce")
    };
    let Some(body) = body else { bail!(codes::LOCATION40079, "Missing 'in' parameter to $reduce") };
    let input = Box::new(expression(input, sc)?);
    let initial = Box::new(expression(initial, sc)?);
    let body = Box::new(sc.parse_with(&["this", "value"], body)?);
    Ok(Expr(Node::Reduce { input, initial, body }))
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
    call(op, args)
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
    call(op, args)
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
        Some((_, Some(Some(Value::String(_))))) => {}
        Some((_, Some(other))) => bail!(
            codes::LOCATION4161107,
            "{name} requires 'field' to evaluate to type String, but got {}",
            super::render::type_of(other.as_ref())
        ),
        Some((e, None)) => {
            let path = e.as_field_path().map_or_else(|| "$…".into(), |p| format!("${}", p.dotted()));
            bail!(
                codes::LOCATION4161108,
                "A field path reference which is not allowed in this context. Did you mean {{$literal: '{path}'}}?"
            )
        }
        None => {}
    }
    call(op, args)
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
    if given(args.get(1)) { call(op, args) } else { call(op, args.into_iter().take(1).collect()) }
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
    call(op, args)
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
    super::ops::array::check_sort_by(by)?;
    call(op, vec![input, Expr::constant(Some(Value::from(by)))])
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
    call(op, args)
}

/// `$convert`: `[input, to, onError, onNull, format]`.
pub(super) fn convert(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let family = Family {
        not_object: (codes::FAILED_TO_PARSE, |n, t| {
            format!("{n} expects an object of named arguments but found: {t}")
        }),
        unknown: (codes::FAILED_TO_PARSE, |n, f| format!("{n} found an unknown argument: {f}")),
    };
    let args = named(op, v, sc, &["input", "to", "onError", "onNull", "format"], &family)?;
    for (i, name) in ["input", "to"].into_iter().enumerate() {
        if !given(args.get(i)) {
            bail!(codes::FAILED_TO_PARSE, "Missing '{name}' parameter to $convert");
        }
    }
    call(op, args)
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
    call(op, args)
}

/// `$rand` takes nothing.
pub(super) fn rand(op: &'static Operator, v: Val<'_>, _: &Scope<'_>) -> Result<Expr> {
    let empty = v.as_doc().or(v.as_array()).is_some_and(Doc::is_empty);
    if !empty {
        bail!(codes::LOCATION3040501, "$rand does not currently accept arguments");
    }
    Ok(Expr(Node::Call { op, args: Vec::new() }))
}

/// `$meta`: there is no metadata in a stream of documents.
pub(super) fn meta(_: &'static Operator, v: Val<'_>, _: &Scope<'_>) -> Result<Expr> {
    match v.as_str() {
        Some("textScore") => {
            bail!(codes::LOCATION40218, "query requires text score metadata, but it is not available")
        }
        Some(
            name @ ("indexKey" | "recordId" | "geoNearDistance" | "geoNearPoint" | "sortKey" | "searchScore"
            | "searchHighlights" | "vectorSearchScore" | "randVal"),
        ) => bail!(codes::COMMAND_NOT_SUPPORTED, "Returning {name} for $meta not supported"),
        Some(other) => bail!(codes::LOCATION17308, "Unsupported argument to $meta: {other}"),
        None => bail!(codes::BAD_VALUE, "$meta expected value of type text, found {}", v.type_name()),
    }
}
