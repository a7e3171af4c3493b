//! Powers, roots and logarithms.

use super::arith::one_number;
use super::num::{self, Num};
use super::{any_nullish, arg, dec128, null};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::{Computed, render};
use crate::value::Value;

pub(in crate::expr) fn pow(_: &'static str, args: &[Computed]) -> Result<Computed> {
    if any_nullish(args) {
        return null();
    }
    let (Some(a), Some(b)) = (arg(args, 0), arg(args, 1)) else { return null() };
    let Some(base) = Num::of(a) else {
        bail!(codes::LOCATION28762, "$pow's base must be numeric, not {}", a.type_name())
    };
    let Some(exponent) = Num::of(b) else {
        bail!(codes::LOCATION28763, "$pow's exponent must be numeric, not {}", b.type_name())
    };
    if base.is_zero() && exponent.to_f64() < 0.0 {
        bail!(codes::LOCATION28764, "$pow cannot take a base of 0 and a negative exponent");
    }
    if matches!((base, exponent), (Num::Decimal(_), _) | (_, Num::Decimal(_))) {
        let mut r = base.to_decimal();
        dec128::standard().pow(&mut r, &exponent.to_decimal());
        return Ok(Some(Num::Decimal(r).value()));
    }
    if let (Num::Double(_), _) | (_, Num::Double(_)) = (base, exponent) {
        return Ok(Some(Value::Double(base.to_f64().powf(exponent.to_f64()))));
    }
    let (x, y) = (base.to_i64_truncating().unwrap_or(0), exponent.to_i64_truncating().unwrap_or(0));
    let ints = matches!((base, exponent), (Num::Int(_), Num::Int(_)));
    // A negative exponent leaves the integers, as does a result beyond int64.
    let whole = match (x, u32::try_from(y)) {
        (1, _) => Some(1),
        (-1, _) => Some(if y % 2 == 0 { 1 } else { -1 }),
        (0, _) => Some(i64::from(y == 0)),
        (x, Ok(y)) => x.checked_pow(y),
        _ => None,
    };
    Ok(Some(
        match whole {
            Some(i) if ints => num::int_or_long(i),
            Some(i) => Num::Long(i),
            None => Num::Double(base.to_f64().powf(exponent.to_f64())),
        }
        .value(),
    ))
}

pub(in crate::expr) fn exp(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some(n) = one_number(name, args)? else { return null() };
    Ok(Some(match n {
        Num::Decimal(d) => decimal_fn(d, |cx, d| cx.exp(d)),
        n => Value::Double(n.to_f64().exp()),
    }))
}

/// Computes with more digits than are kept, so that the result is rounded once.
fn decimal_fn(d: dec128::D, f: impl Fn(&mut dec::Context<dec128::D>, &mut dec128::D)) -> Value {
    let mut r = d;
    let mut cx = dec128::context(45);
    f(&mut cx, &mut r);
    Value::Decimal128(dec128::to_bytes(&r))
}

pub(in crate::expr) fn sqrt(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some(n) = one_number(name, args)? else { return null() };
    if n.to_f64() < 0.0 {
        bail!(codes::LOCATION28714, "$sqrt's argument must be greater than or equal to 0");
    }
    Ok(Some(match n {
        Num::Decimal(d) => {
            let mut r = d;
            dec128::standard().sqrt(&mut r);
            Num::Decimal(r).value()
        }
        n => Value::Double(n.to_f64().sqrt()),
    }))
}

fn positive(name: &str, code: crate::Code, n: Num) -> Result<()> {
    if n.to_f64() <= 0.0 {
        bail!(
            code,
            "{name}'s argument must be a positive number, but is {}",
            render::value(Some(&n.value()))
        );
    }
    Ok(())
}

pub(in crate::expr) fn ln(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some(n) = one_number(name, args)? else { return null() };
    positive(name, codes::LOCATION28766, n)?;
    Ok(Some(match n {
        Num::Decimal(d) if !d.is_nan() => decimal_fn(d, |cx, d| cx.ln(d)),
        n => Value::Double(n.to_f64().ln()),
    }))
}

pub(in crate::expr) fn log10(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some(n) = one_number(name, args)? else { return null() };
    positive(name, codes::LOCATION28761, n)?;
    Ok(Some(match n {
        Num::Decimal(d) if !d.is_nan() => decimal_fn(d, |cx, d| cx.log10(d)),
        n => Value::Double(n.to_f64().log10()),
    }))
}

pub(in crate::expr) fn log(name: &'static str, args: &[Computed]) -> Result<Computed> {
    if any_nullish(args) {
        return null();
    }
    let (Some(a), Some(b)) = (arg(args, 0), arg(args, 1)) else { return null() };
    let Some(n) = Num::of(a) else {
        bail!(codes::LOCATION28756, "$log's argument must be numeric, not {}", a.type_name())
    };
    let Some(base) = Num::of(b) else {
        bail!(codes::LOCATION28757, "$log's base must be numeric, not {}", b.type_name())
    };
    positive(name, codes::LOCATION28758, n)?;
    let one = (base.to_f64() - 1.0).abs() < f64::EPSILON;
    if base.to_f64() <= 0.0 || one {
        bail!(
            codes::LOCATION28759,
            "$log's base must be a positive number not equal to 1, but is {}",
            render::value(Some(b))
        );
    }
    if let (Num::Decimal(_), _) | (_, Num::Decimal(_)) = (n, base) {
        let mut cx = dec128::context(45);
        let (mut x, mut y) = (n.to_decimal(), base.to_decimal());
        cx.ln(&mut x);
        cx.ln(&mut y);
        cx.div(&mut x, &y);
        // A logarithm that is whole comes out a few units in the last place off: 36 digits decide.
        let mut short = dec128::context(36);
        short.plus(&mut x);
        short.reduce(&mut x);
        return Ok(Some(Num::Decimal(x).value()));
    }
    Ok(Some(Value::Double(n.to_f64().ln() / base.to_f64().ln())))
}
