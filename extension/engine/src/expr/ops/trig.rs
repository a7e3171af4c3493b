//! Trigonometry.

use super::arith::one_number;
use super::num::Num;
use super::{any_nullish, arg, dec_trig, null};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::{Computed, render};
use crate::value::Value;

/// Where a function is defined, as the error message says it.
fn domain(name: &str) -> Option<(f64, f64, &'static str)> {
    Some(match name {
        "$sin" | "$cos" | "$tan" => (f64::MIN, f64::MAX, "(-inf,inf)"),
        "$asin" | "$acos" | "$atanh" => (-1.0, 1.0, "[-1,1]"),
        "$acosh" => (1.0, f64::INFINITY, "[1,inf]"),
        _ => return None,
    })
}

/// All functions of one argument, by name.
pub(in crate::expr) fn unary(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some(n) = one_number(name, args)? else { return null() };
    let x = n.to_f64();
    if let Some((low, high, text)) = domain(name)
        && !(x.is_nan() || (low..=high).contains(&x))
    {
        bail!(
            codes::LOCATION50989,
            "cannot apply {name} to {}, value must be in {text}",
            upper_exponent(&render::value(arg(args, 0)))
        );
    }
    if let Num::Decimal(d) = n {
        return Ok(Some(Num::Decimal(dec_trig::unary(name, d)).value()));
    }
    Ok(Some(Value::Double(match name {
        "$sin" => x.sin(),
        "$cos" => x.cos(),
        "$tan" => x.tan(),
        "$asin" => x.asin(),
        "$acos" => x.acos(),
        "$atan" => x.atan(),
        "$sinh" => x.sinh(),
        "$cosh" => x.cosh(),
        "$tanh" => x.tanh(),
        "$asinh" => x.asinh(),
        "$acosh" => x.acosh(),
        "$atanh" => x.atanh(),
        "$degreesToRadians" => x * (std::f64::consts::PI / 180.0),
        "$radiansToDegrees" => x * (180.0 / std::f64::consts::PI),
        _ => bail!(codes::INTERNAL_ERROR, "{name} has no function"),
    })))
}

/// These messages write large doubles as decimals are written.
fn upper_exponent(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && x.abs() >= 1e6 && x.fract() == 0.0 => {
            let plain = format!("{x:e}");
            plain.replace('e', "E+")
        }
        _ => text.to_owned(),
    }
}

pub(in crate::expr) fn atan2(name: &'static str, args: &[Computed]) -> Result<Computed> {
    if any_nullish(args) {
        return null();
    }
    let (Some(a), Some(b)) = (arg(args, 0), arg(args, 1)) else { return null() };
    match (Num::of(a), Num::of(b)) {
        (Some(y), Some(x)) if matches!((y, x), (Num::Decimal(_), _) | (_, Num::Decimal(_))) => {
            Ok(Some(Num::Decimal(dec_trig::atan2(y.to_decimal(), x.to_decimal())).value()))
        }
        (Some(y), Some(x)) => Ok(Some(Value::Double(y.to_f64().atan2(x.to_f64())))),
        _ => bail!(
            codes::LOCATION51044,
            "{name} only supports numeric types, not {} and {}",
            a.type_name(),
            b.type_name()
        ),
    }
}
