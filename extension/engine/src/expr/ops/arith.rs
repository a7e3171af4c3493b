//! Arithmetic.

use super::num::{self, Num};
use super::{any_nullish, arg, dec128, is_null, null};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::{Computed, nullish, render};
use crate::value::Value;
use dec::Rounding;

/// Milliseconds to add to a date, rounded as MongoDB does: half away from zero for doubles, half to even for decimals.
fn millis(n: Num) -> Option<i64> {
    match n {
        Num::Double(x) => num::double_to_i64(x.round()),
        Num::Decimal(d) => {
            let mut r = d;
            dec128::standard().round(&mut r);
            dec128::to_i64_truncating(&r)
        }
        _ => n.to_i64_truncating(),
    }
}

/// Of int32 alone comes an int32 whenever the end result is one, whatever the way there.
fn narrowed(total: Num, ints: bool) -> Num {
    match total {
        Num::Long(n) if ints => num::int_or_long(n),
        n => n,
    }
}

pub(crate) fn add(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let mut total = Num::Int(0);
    let mut date = None;
    let mut ints = true;
    for a in args {
        // The first null decides: what follows it is not looked at.
        match a {
            a if nullish(a) => return null(),
            Some(Value::DateTime(ms)) => {
                if date.is_some() {
                    bail!(codes::LOCATION16612, "only one date allowed in an $add expression");
                }
                date = Some(*ms);
            }
            Some(v) => match Num::of(v) {
                Some(n) => {
                    ints &= matches!(n, Num::Int(_));
                    total = num::add(total, n);
                }
                None => bail!(
                    codes::TYPE_MISMATCH,
                    "$add only supports numeric or date types, not {}",
                    v.type_name()
                ),
            },
            None => {}
        }
    }
    match date {
        None => Ok(Some(narrowed(total, ints).value())),
        Some(ms) => match millis(total).and_then(|n| ms.checked_add(n)) {
            Some(ms) => Ok(Some(Value::DateTime(ms))),
            None => bail!(codes::OVERFLOW, "date overflow in $add"),
        },
    }
}

pub(crate) fn subtract(_: &'static str, args: &[Computed]) -> Result<Computed> {
    if any_nullish(args) {
        return null();
    }
    let (Some(a), Some(b)) = (arg(args, 0), arg(args, 1)) else { return null() };
    match (a, b) {
        (Value::DateTime(x), Value::DateTime(y)) => match x.checked_sub(*y) {
            Some(ms) => return Ok(Some(Value::Int64(ms))),
            None => bail!(codes::OVERFLOW, "date overflow in $subtract"),
        },
        (Value::DateTime(x), b) => {
            if let Some(n) = Num::of(b) {
                return match millis(n).and_then(|n| x.checked_sub(n)) {
                    Some(ms) => Ok(Some(Value::DateTime(ms))),
                    None => bail!(codes::OVERFLOW, "date overflow in $subtract"),
                };
            }
        }
        _ => {}
    }
    match (Num::of(a), Num::of(b)) {
        (Some(x), Some(y)) => Ok(Some(num::sub(x, y).value())),
        _ => bail!(codes::TYPE_MISMATCH, "can't $subtract {} from {}", b.type_name(), a.type_name()),
    }
}

pub(crate) fn multiply(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let mut total = Num::Int(1);
    let mut ints = true;
    for a in args {
        // The first null decides, as in `$add`.
        let Some(v) = a.as_ref().filter(|_| !nullish(a)) else { return null() };
        match Num::of(v) {
            Some(n) => {
                ints &= matches!(n, Num::Int(_));
                total = num::mul(total, n);
            }
            None => {
                bail!(codes::TYPE_MISMATCH, "$multiply only supports numeric types, not {}", v.type_name())
            }
        }
    }
    Ok(Some(narrowed(total, ints).value()))
}

pub(crate) fn divide(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some((a, b)) = two_numbers(args, codes::TYPE_MISMATCH, "$divide")? else { return null() };
    if b.is_zero() {
        bail!(codes::BAD_VALUE, "can't $divide by zero");
    }
    if matches!((a, b), (Num::Decimal(_), _) | (_, Num::Decimal(_))) {
        let mut r = a.to_decimal();
        dec128::standard().div(&mut r, &b.to_decimal());
        return Ok(Some(Num::Decimal(r).value()));
    }
    Ok(Some(Value::Double(a.to_f64() / b.to_f64())))
}

/// Both numbers, `None` when one is null or missing.
fn two_numbers(args: &[Computed], code: crate::Code, name: &str) -> Result<Option<(Num, Num)>> {
    if any_nullish(args) {
        return Ok(None);
    }
    let (Some(a), Some(b)) = (arg(args, 0), arg(args, 1)) else { return Ok(None) };
    match (Num::of(a), Num::of(b)) {
        (Some(x), Some(y)) => Ok(Some((x, y))),
        _ => bail!(code, "{name} only supports numeric types, not {} and {}", a.type_name(), b.type_name()),
    }
}

pub(in crate::expr) fn modulo(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some((a, b)) = two_numbers(args, codes::LOCATION16611, "$mod")? else { return null() };
    if b.is_zero() {
        let decimal = matches!((a, b), (Num::Decimal(_), _) | (_, Num::Decimal(_)));
        let code = if decimal { codes::LOCATION5733415 } else { codes::LOCATION16610 };
        bail!(code, "can't $mod by zero");
    }
    let r = match (a, b) {
        (Num::Decimal(_), _) | (_, Num::Decimal(_)) => {
            let mut r = a.to_decimal();
            dec128::standard().rem(&mut r, &b.to_decimal());
            Num::Decimal(r)
        }
        (Num::Double(x), y) => Num::Double(x % y.to_f64()),
        (x, Num::Double(y)) => Num::Double(x.to_f64() % y),
        (Num::Int(x), Num::Int(y)) => Num::Int(x.wrapping_rem(y)),
        (x, y) => {
            let (x, y) = (x.to_i64_truncating().unwrap_or(0), y.to_i64_truncating().unwrap_or(1));
            Num::Long(x.wrapping_rem(y))
        }
    };
    Ok(Some(r.value()))
}

/// The number of a unary operator, `None` when it is null or missing.
pub(super) fn one_number(name: &str, args: &[Computed]) -> Result<Option<Num>> {
    match arg(args, 0) {
        v if super::is_null(v) => Ok(None),
        Some(v) => match Num::of(v) {
            Some(n) => Ok(Some(n)),
            None => bail!(codes::LOCATION28765, "{name} only supports numeric types, not {}", v.type_name()),
        },
        None => Ok(None),
    }
}

pub(in crate::expr) fn abs(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some(n) = one_number(name, args)? else { return null() };
    Ok(Some(
        match n {
            Num::Int(i) => num::int_or_long(i64::from(i).abs()),
            Num::Long(i) => match i.checked_abs() {
                Some(i) => Num::Long(i),
                None => bail!(codes::LOCATION28680, "can't take $abs of long long min"),
            },
            Num::Double(x) => Num::Double(x.abs()),
            Num::Decimal(d) => Num::Decimal(if d.is_negative() { negated(d) } else { d }),
        }
        .value(),
    ))
}

fn negated(mut d: dec128::D) -> dec128::D {
    if d.is_nan() {
        return d;
    }
    dec128::standard().neg(&mut d);
    d
}

fn to_whole(
    name: &'static str,
    args: &[Computed],
    double: fn(f64) -> f64,
    rounding: Rounding,
) -> Result<Computed> {
    let Some(n) = one_number(name, args)? else { return null() };
    Ok(Some(
        match n {
            Num::Double(x) => Num::Double(double(x)),
            Num::Decimal(d) if d.is_finite() => Num::Decimal(round_decimal(d, 0, rounding)),
            n => n,
        }
        .value(),
    ))
}

pub(in crate::expr) fn ceil(name: &'static str, args: &[Computed]) -> Result<Computed> {
    to_whole(name, args, f64::ceil, Rounding::Ceiling)
}

pub(in crate::expr) fn floor(name: &'static str, args: &[Computed]) -> Result<Computed> {
    to_whole(name, args, f64::floor, Rounding::Floor)
}

pub(in crate::expr) fn round(name: &'static str, args: &[Computed]) -> Result<Computed> {
    round_to(name, args, Rounding::HalfEven)
}

pub(in crate::expr) fn trunc(name: &'static str, args: &[Computed]) -> Result<Computed> {
    round_to(name, args, Rounding::Down)
}

/// Rounds at `place` decimal digits; a number with fewer digits stays as it is.
fn round_decimal(d: dec128::D, place: i32, rounding: Rounding) -> dec128::D {
    if !d.is_finite() || d.exponent() >= -place {
        return d;
    }
    let mut cx = dec128::context(60);
    cx.set_rounding(rounding);
    let negative = d.is_negative();
    let mut r = d;
    cx.quantize(&mut r, &dec128::from_parts(false, 1, -place));
    if r.is_zero() && negative && !r.is_negative() {
        r = dec128::from_parts(true, 0, r.exponent());
    }
    r
}

fn round_to(name: &'static str, args: &[Computed], rounding: Rounding) -> Result<Computed> {
    // A wrong first argument is told before a missing second.
    let Some(v) = arg(args, 0).filter(|v| !is_null(Some(v))) else { return null() };
    let Some(n) = Num::of(v) else {
        bail!(codes::LOCATION51081, "{name} only supports numeric types, not {}", v.type_name())
    };
    if any_nullish(args) {
        return null();
    }
    let place = match arg(args, 1) {
        None => 0,
        Some(p) => precision(name, p)?,
    };
    let r = match n {
        Num::Double(x) if !x.is_finite() => n,
        Num::Double(x) if place == 0 => {
            Num::Double(if rounding == Rounding::Down { x.trunc() } else { x.round_ties_even() })
        }
        Num::Double(x) => Num::Double(dec128::to_f64(&round_decimal(exact_double(x), place, rounding))),
        Num::Decimal(d) => Num::Decimal(round_decimal(d, place, rounding)),
        n if place >= 0 => n,
        n => {
            let d = round_decimal(n.to_decimal(), place, rounding);
            let Some(i) = dec128::to_i64_truncating(&d) else {
                bail!(
                    codes::LOCATION51080,
                    "invalid conversion from Decimal128 result in {name} resulting from arguments: [{}, {}]",
                    render::value(Some(v)),
                    render::value(arg(args, 1))
                )
            };
            if matches!(n, Num::Int(_)) { num::int_or_long(i) } else { Num::Long(i) }
        }
    };
    Ok(Some(r.value()))
}

/// A double with 34 digits of its binary value, which is what MongoDB rounds: 2.675 is a little less than it looks.
fn exact_double(x: f64) -> dec128::D {
    dec128::parse(&format!("{x:.33e}")).unwrap_or_else(|| dec128::from_f64(x))
}

fn precision(name: &str, v: &Value) -> Result<i32> {
    let Some(n) = Num::of(v) else {
        bail!(codes::LOCATION16004, "can't convert from BSON type {} to long", v.type_name())
    };
    let Some(i) = n.to_i64_exact() else {
        bail!(codes::LOCATION51082, "precision argument to  {name} must be a integral value")
    };
    match i32::try_from(i) {
        Ok(p) if (-20..=100).contains(&p) => Ok(p),
        _ => bail!(
            codes::LOCATION51083,
            "cannot apply {name} with precision value {i} value must be in [-20, 100]"
        ),
    }
}
