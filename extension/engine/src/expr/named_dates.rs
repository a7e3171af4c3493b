//! Named arguments of the date operators.

use super::named::{Family, given, named};
use super::parse::{Scope, call, expression};
use super::table::Operator;
use super::{Expr, Node, ops, render};
use crate::Code;
use crate::bail;
use crate::codes;
use crate::error::{Error, Result};
use crate::raw::Val;
use crate::value::Value;

/// `$year` and its kin: `x`, `[x]`, `{date: x, timezone: z}` become `[date]` or `[date, timezone]`.
pub(super) fn date_part(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let name = op.name;
    if let Some(list) = v.as_array() {
        let items: Vec<Val<'_>> = list.values().collect();
        let [one] = items.as_slice() else {
            bail!(
                codes::LOCATION40536,
                "{name} accepts exactly one argument if given an array, but was given {}",
                items.len()
            )
        };
        return call(op, vec![expression(*one, sc)?], sc);
    }
    let Some(d) = v.as_doc().filter(|d| !d.first().is_some_and(|e| e.name().starts_with('$'))) else {
        return call(op, vec![expression(v, sc)?], sc);
    };
    let (mut date, mut zone) = (None, None);
    for e in d {
        match e.name() {
            "date" => date = Some(expression(e.val, sc)?),
            "timezone" => zone = Some(expression(e.val, sc)?),
            other => bail!(codes::LOCATION40535, "unrecognized option to {name}: \"{other}\""),
        }
    }
    let Some(date) = date else {
        bail!(codes::LOCATION40539, "missing 'date' argument to {name}, provided: {name}: {}", render::doc(d))
    };
    call(op, [Some(date), zone].into_iter().flatten().collect(), sc)
}

/// Refuses what is not an object or names an argument that does not exist.
fn date_args(
    op: &Operator,
    v: Val<'_>,
    sc: &Scope<'_>,
    params: &[&str],
    not_object: (Code, fn(&str, &str) -> String),
    unknown: (Code, fn(&str, &str) -> String),
) -> Result<Vec<Expr>> {
    named(op, v, sc, params, &Family { not_object, unknown })
}

pub(super) fn to_string(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let args = date_args(
        op,
        v,
        sc,
        &["date", "format", "timezone", "onNull"],
        (codes::LOCATION18629, |n, _| format!("{n} only supports an object as its argument")),
        (codes::LOCATION18534, |n, f| format!("Unrecognized argument to {n}: {f}")),
    )?;
    if !given(args.first()) {
        bail!(codes::LOCATION18628, "Missing 'date' parameter to $dateToString");
    }
    if let Some(Some(Value::String(f))) = args.get(1).and_then(Expr::as_constant) {
        ops::date::format::check(f)?;
    }
    call(op, args, sc)
}

pub(super) fn from_string(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let args = date_args(
        op,
        v,
        sc,
        &["dateString", "format", "timezone", "onError", "onNull"],
        (codes::LOCATION40540, |n, t| format!("{n} only supports an object as an argument, found: {t}")),
        (codes::LOCATION40541, |n, f| format!("Unrecognized argument to {n}: {f}")),
    )?;
    if !given(args.first()) {
        bail!(codes::LOCATION40542, "Missing 'dateString' parameter to $dateFromString");
    }
    call(op, args, sc)
}

pub(super) fn to_parts(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let args = date_args(
        op,
        v,
        sc,
        &["date", "timezone", "iso8601"],
        (codes::LOCATION40524, |n, _| format!("{n} only supports an object as its argument")),
        (codes::LOCATION40520, |n, f| format!("Unrecognized argument to {n}: {f}")),
    )?;
    if !given(args.first()) {
        bail!(codes::LOCATION40522, "Missing 'date' parameter to $dateToParts");
    }
    call(op, args, sc)
}

pub(super) fn from_parts(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let args = date_args(
        op,
        v,
        sc,
        ops::date::parts::PARTS,
        (codes::LOCATION40519, |n, _| format!("{n} only supports an object as its argument")),
        (codes::LOCATION40518, |n, f| format!("Unrecognized argument to {n}: {f}")),
    )?;
    let has = |i: usize| given(args.get(i));
    let mixed = "$dateFromParts does not allow mixing natural dates with ISO dates";
    match (has(0), has(7)) {
        (false, false) => {
            bail!(
                codes::LOCATION40516,
                "$dateFromParts requires either 'year' or 'isoWeekYear' to be present"
            )
        }
        (true, _) if has(7) || has(8) || has(9) => bail!(codes::LOCATION40489, "{mixed}"),
        (_, true) if has(1) || has(2) => bail!(codes::LOCATION40525, "{mixed}"),
        _ => {}
    }
    call(op, args, sc)
}

pub(super) fn add(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    if v.as_doc().is_none() {
        bail!(
            codes::LOCATION5166400,
            "{} expects an object as its argument.found input type:{}",
            op.name,
            render::val(v)
        );
    }
    let args = date_args(
        op,
        v,
        sc,
        &["startDate", "unit", "amount", "timezone"],
        (codes::LOCATION5166400, |n, t| {
            format!("{n} expects an object as its argument.found input type:{t}")
        }),
        (codes::LOCATION5166401, |n, f| {
            format!(
                "Unrecognized argument to {n}: {f}. Expected arguments are startDate, unit, amount, and optionally timezone"
            )
        }),
    )?;
    if args.iter().take(3).any(|a| matches!(a.0, Node::Absent)) {
        bail!(codes::LOCATION5166402, "{} requires startDate, unit, and amount to be present", op.name);
    }
    call(op, args, sc)
}

fn required(args: &[Expr], name: &str, wanted: &[(&str, Code)]) -> Result<()> {
    for (i, (param, code)) in wanted.iter().enumerate() {
        if !given(args.get(i)) {
            return Err(Error::new(*code, format!("Missing '{param}' parameter to {name}")));
        }
    }
    Ok(())
}

pub(super) fn diff(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let args = date_args(
        op,
        v,
        sc,
        &["startDate", "endDate", "unit", "timezone", "startOfWeek"],
        (codes::LOCATION5166301, |n, _| format!("{n} only supports an object as its argument")),
        (codes::LOCATION5166302, |n, f| format!("Unrecognized argument to {n}: {f}")),
    )?;
    required(
        &args,
        op.name,
        &[
            ("startDate", codes::LOCATION5166303),
            ("endDate", codes::LOCATION5166304),
            ("unit", codes::LOCATION5166305),
        ],
    )?;
    call(op, args, sc)
}

pub(super) fn trunc(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let args = date_args(
        op,
        v,
        sc,
        &["date", "unit", "binSize", "timezone", "startOfWeek"],
        (codes::LOCATION5439007, |n, _| format!("{n} only supports an object as its argument")),
        (codes::LOCATION5439008, |n, f| {
            format!(
                "Unrecognized argument to {n}: {f}. Expected arguments are date, unit, and optionally, binSize, timezone, startOfWeek"
            )
        }),
    )?;
    required(&args, op.name, &[("date", codes::LOCATION5439009), ("unit", codes::LOCATION5439010)])?;
    call(op, args, sc)
}
