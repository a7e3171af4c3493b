//! From BSON to [`Accumulator`].

use super::{Accumulator, Kind, Which, percentile};
use crate::error::Result;
use crate::expr::{EvalContext, Expr, ParseContext, count_of_n, render};
use crate::raw::{Doc, Val};
use crate::sort::SortSpec;
use crate::value::Value;
use crate::{bail, codes};

fn simple(name: &str) -> Option<Kind> {
    Some(match name {
        "$sum" => Kind::Sum,
        "$avg" => Kind::Avg,
        "$min" => Kind::Min,
        "$max" => Kind::Max,
        "$first" => Kind::First,
        "$last" => Kind::Last,
        "$push" => Kind::Push,
        "$addToSet" => Kind::AddToSet,
        "$stdDevPop" => Kind::StdDev { sample: false },
        "$stdDevSamp" => Kind::StdDev { sample: true },
        "$mergeObjects" => Kind::MergeObjects,
        _ => return None,
    })
}

fn several(name: &str) -> Option<Which> {
    Some(match name {
        "$firstN" => Which::First,
        "$lastN" => Which::Last,
        "$minN" => Which::Min,
        "$maxN" => Which::Max,
        _ => return None,
    })
}

/// Bottom?, takes `n`?
fn ranked(name: &str) -> Option<(bool, bool)> {
    Some(match name {
        "$top" => (false, false),
        "$topN" => (false, true),
        "$bottom" => (true, false),
        "$bottomN" => (true, true),
        _ => return None,
    })
}

impl Accumulator {
    /// Parses `{name: v}`.
    ///
    /// # Errors
    /// 15952 for an unknown name, and the accumulator's own.
    pub(crate) fn parse(name: &str, v: Val<'_>, cx: &ParseContext) -> Result<Self> {
        let collation = cx.collation.clone();
        if let Some(kind) = simple(name) {
            return Ok(Self { kind, input: Expr::parse(v, cx)?, collation });
        }
        if let Some(which) = several(name) {
            return several_of(name, which, v, cx);
        }
        if let Some((bottom, with_n)) = ranked(name) {
            return ranked_of(name, bottom, with_n, v, cx);
        }
        match name {
            "$count" => {
                if !v.as_doc().is_some_and(Doc::is_empty) {
                    bail!(codes::TYPE_MISMATCH, "$count takes no arguments, i.e. $count:{{}}");
                }
                Ok(Self { kind: Kind::Count, input: Expr::constant(None), collation })
            }
            "$median" | "$percentile" => percentile_of(name, v, cx),
            "$covariancePop" | "$covarianceSamp" if cx.windows => {
                let sample = name == "$covarianceSamp";
                Ok(Self { kind: Kind::Covariance { sample }, input: Expr::parse(v, cx)?, collation })
            }
            "$accumulator" => {
                bail!(codes::COMMAND_NOT_SUPPORTED, "Accumulator $accumulator is not supported yet")
            }
            _ => bail!(codes::LOCATION15952, "unknown group operator '{name}'"),
        }
    }
}

fn several_of(name: &str, which: Which, v: Val<'_>, cx: &ParseContext) -> Result<Accumulator> {
    let Some(d) = v.as_doc() else {
        match which {
            Which::First | Which::Last => bail!(
                codes::LOCATION5787801,
                "specification must be an object; found {name} :{}",
                render::val(v)
            ),
            Which::Min | Which::Max => {
                bail!(
                    codes::LOCATION5787900,
                    "specification must be an object; found {name}: {}",
                    render::val(v)
                )
            }
        }
    };
    let (mut input, mut n) = (None, None);
    for e in d {
        match e.name() {
            "input" => input = Some(Expr::parse(e.val, cx)?),
            "n" => n = Some(Expr::parse(e.val, cx)?),
            other => bail!(codes::LOCATION5787901, "{name} found an unknown argument: {other}"),
        }
    }
    let Some(n) = n else { bail!(codes::LOCATION5787906, "{name} requires an 'n' field") };
    let Some(input) = input else { bail!(codes::LOCATION5787907, "{name} requires an 'input' field") };
    check_n(&n)?;
    Ok(Accumulator { kind: Kind::Several { which, n }, input, collation: cx.collation.clone() })
}

/// A constant `n` is refused before any document is read.
fn check_n(n: &Expr) -> Result<()> {
    match n.as_constant() {
        Some(v) => count_of_n(v.as_ref()).map(|_| ()),
        None => Ok(()),
    }
}

fn ranked_of(name: &str, bottom: bool, with_n: bool, v: Val<'_>, cx: &ParseContext) -> Result<Accumulator> {
    let Some(d) = v.as_doc() else {
        bail!(codes::LOCATION5788001, "specification must be an object; found {name} :{}", render::val(v))
    };
    let (mut by, mut output, mut n) = (None, None, None);
    for e in d {
        match e.name() {
            "sortBy" => match e.val.as_doc() {
                Some(d) => by = Some(SortSpec::parse(d)?.collated(&cx.collation)),
                None => bail!(
                    codes::LOCATION5788604,
                    "expected 'sortBy' to already be an object in the arguments to {name}"
                ),
            },
            "output" => output = Some(Expr::parse(e.val, cx)?),
            "n" if with_n => n = Some(Expr::parse(e.val, cx)?),
            other => bail!(codes::LOCATION5788002, "Unknown argument to {name} '{other}'"),
        }
    }
    if with_n && n.is_none() {
        bail!(codes::LOCATION5788003, "Missing value for 'n'");
    }
    let Some(output) = output else { bail!(codes::LOCATION5788004, "Missing value for 'output'") };
    let Some(by) = by else { bail!(codes::LOCATION5788005, "Missing value for 'sortBy'") };
    if let Some(n) = &n {
        check_n(n)?;
    }
    Ok(Accumulator { kind: Kind::Ranked { by, bottom, n }, input: output, collation: cx.collation.clone() })
}

fn percentile_of(name: &str, v: Val<'_>, cx: &ParseContext) -> Result<Accumulator> {
    let (input, ps) = percentile_spec(name, v, cx)?;
    let kind = Kind::Percentile { ps, median: name == "$median" };
    Ok(Accumulator { kind, input: Expr::parse(input, cx)?, collation: cx.collation.clone() })
}

/// The input and the percentiles asked for of `$median` and `$percentile`.
///
/// # Errors
/// MongoDB's for what is no specification.
pub(crate) fn percentile_spec<'v>(name: &str, v: Val<'v>, cx: &ParseContext) -> Result<(Val<'v>, Vec<f64>)> {
    let Some(d) = v.as_doc() else {
        bail!(
            if name == "$median" { codes::LOCATION7436100 } else { codes::LOCATION7429703 },
            "specification must be an object; found {name} type: {}",
            v.type_name()
        )
    };
    let median = name == "$median";
    let (mut input, mut method, mut ps) = (None, None, None);
    for e in d {
        match e.name() {
            "input" => input = Some(e.val),
            "method" => method = Some(e.val),
            "p" if !median => ps = Some(Expr::parse(e.val, cx)?),
            other => bail!(codes::LOCATION40415, "BSON field '${name}.{other}' is an unknown field."),
        }
    }
    let Some(input) = input else {
        bail!(codes::LOCATION40414, "BSON field '${name}.input' is missing but is a required field")
    };
    let ps = match ps {
        _ if median => vec![0.5],
        Some(p) => {
            let v: Option<Value> = p.eval(&EvalContext::new(Doc::EMPTY))?;
            percentile::wanted(v.as_ref())?
        }
        None => bail!(codes::LOCATION40414, "BSON field '${name}.p' is missing but is a required field"),
    };
    percentile::check_method(name, method)?;
    Ok((input, ps))
}
