//! Arithmetic in MongoDB's decimal context: 34 digits, half to even, exponents of decimal128.

use super::{MAX_COEFFICIENT, Parts};
use dec::{Context, Decimal};

pub use dec::Rounding;

/// Twelve units of three digits: room for 34.
type Number = Decimal<12>;

const NEGATIVE: u8 = 0x80;
const INFINITE: u8 = 0x40;
const QUIET_NAN: u8 = 0x20;
const SIGNALING_NAN: u8 = 0x10;

fn context() -> Context<Number> {
    let mut cx = Context::<Number>::default();
    // The setters refuse only what no decimal has room for; these are decimal128's own limits.
    let _ = cx.set_precision(34);
    let _ = cx.set_max_exponent(6144);
    let _ = cx.set_min_exponent(-6143);
    cx.set_clamp(true);
    cx.set_rounding(Rounding::HalfEven);
    cx
}

fn number(parts: Parts) -> Number {
    let (bits, mut rest, exponent) = match parts {
        Parts::NaN => (QUIET_NAN, 0, 0),
        Parts::Infinity { negative } => (INFINITE | sign(negative), 0, 0),
        Parts::Finite { negative, coefficient, exponent } => (sign(negative), coefficient, exponent),
    };
    let digits = if rest == 0 { 1 } else { rest.ilog10() + 1 };
    let mut units = [0u16; 12];
    for unit in &mut units {
        *unit = u16::try_from(rest % 1000).unwrap_or(0);
        rest /= 1000;
    }
    Number::from_raw_parts(digits, exponent, bits, units)
}

fn sign(negative: bool) -> u8 {
    if negative { NEGATIVE } else { 0 }
}

fn parts(n: &Number) -> Parts {
    let (_, exponent, bits, units) = n.to_raw_parts();
    let negative = bits & NEGATIVE != 0;
    if bits & (QUIET_NAN | SIGNALING_NAN) != 0 {
        return Parts::NaN;
    }
    if bits & INFINITE != 0 {
        return Parts::Infinity { negative };
    }
    let used = usize::try_from(n.digits().div_ceil(3)).unwrap_or(12);
    let coefficient = units.iter().take(used).rev().fold(0u128, |c, unit| c * 1000 + u128::from(*unit));
    Parts::Finite { negative, coefficient, exponent }
}

fn unary(a: Parts, f: impl FnOnce(&mut Context<Number>, &mut Number)) -> Parts {
    let mut n = number(a);
    f(&mut context(), &mut n);
    parts(&n)
}

fn binary(a: Parts, b: Parts, f: impl FnOnce(&mut Context<Number>, &mut Number, &Number)) -> Parts {
    let mut n = number(a);
    f(&mut context(), &mut n, &number(b));
    parts(&n)
}

/// `a + b`
#[must_use]
pub fn add(a: Parts, b: Parts) -> Parts {
    binary(a, b, |cx, a, b| cx.add(a, b))
}

/// `a - b`
#[must_use]
pub fn sub(a: Parts, b: Parts) -> Parts {
    binary(a, b, |cx, a, b| cx.sub(a, b))
}

/// `a * b`
#[must_use]
pub fn mul(a: Parts, b: Parts) -> Parts {
    binary(a, b, |cx, a, b| cx.mul(a, b))
}

/// `a / b`: infinity for a division by zero, NaN for `0 / 0`.
#[must_use]
pub fn div(a: Parts, b: Parts) -> Parts {
    binary(a, b, |cx, a, b| cx.div(a, b))
}

/// The remainder of the division truncated towards zero; it has the sign of `a`.
#[must_use]
pub fn rem(a: Parts, b: Parts) -> Parts {
    use Parts::Finite;
    if let (Finite { .. }, Finite { coefficient: 1.., .. }) = (a, b) {
        return exact_rem(a, b);
    }
    binary(a, b, |cx, a, b| cx.rem(a, b))
}

/// The library refuses a remainder whose quotient has more than 34 digits; it is defined nevertheless.
fn exact_rem(a: Parts, b: Parts) -> Parts {
    let (
        Parts::Finite { negative, coefficient: c, exponent: e },
        Parts::Finite { coefficient: d, exponent: f, .. },
    ) = (a, b)
    else {
        return Parts::NaN;
    };
    if e < f {
        // The divisor is scaled down to the dividend's exponent. Once it exceeds every coefficient, `a` is the answer.
        let scaled = 10u128.checked_pow(f.abs_diff(e)).and_then(|p| d.checked_mul(p));
        let coefficient = scaled.map_or(c, |d| c % d);
        return Parts::Finite { negative, coefficient, exponent: e };
    }
    // The dividend's power of ten is reduced step by step. Coefficients stay below 10^34, so products fit 128 bits.
    let mut coefficient = c % d;
    for _ in 0..e.abs_diff(f) {
        if coefficient == 0 {
            break;
        }
        coefficient = coefficient * 10 % d;
    }
    Parts::Finite { negative, coefficient, exponent: f }
}

/// `a` to the power of `b`.
#[must_use]
pub fn pow(a: Parts, b: Parts) -> Parts {
    binary(a, b, |cx, a, b| cx.pow(a, b))
}

/// Square root; NaN for a negative number.
#[must_use]
pub fn sqrt(a: Parts) -> Parts {
    unary(a, |cx, a| cx.sqrt(a))
}

/// Natural logarithm; NaN for a negative number.
#[must_use]
pub fn ln(a: Parts) -> Parts {
    unary(a, |cx, a| cx.ln(a))
}

/// Logarithm to base 10; NaN for a negative number.
#[must_use]
pub fn log10(a: Parts) -> Parts {
    unary(a, |cx, a| cx.log10(a))
}

/// e to the power of `a`.
#[must_use]
pub fn exp(a: Parts) -> Parts {
    unary(a, |cx, a| cx.exp(a))
}

/// The number without its sign.
#[must_use]
pub fn abs(a: Parts) -> Parts {
    match a {
        Parts::Finite { coefficient, exponent, .. } => {
            Parts::Finite { negative: false, coefficient, exponent }
        }
        Parts::Infinity { .. } => Parts::Infinity { negative: false },
        Parts::NaN => Parts::NaN,
    }
}

/// The number with its sign turned.
#[must_use]
pub fn neg(a: Parts) -> Parts {
    match a {
        Parts::Finite { negative, coefficient, exponent } => {
            Parts::Finite { negative: !negative, coefficient, exponent }
        }
        Parts::Infinity { negative } => Parts::Infinity { negative: !negative },
        Parts::NaN => Parts::NaN,
    }
}

/// The number with this exponent, rounded: `quantize(x, 0, Rounding::Floor)` is the floor, `quantize(x, -2, …)` keeps
/// two digits after the point. A number that would need more than 34 digits for it is returned as it is: it has no
/// digits there to round.
#[must_use]
pub fn quantize(a: Parts, exponent: i32, rounding: Rounding) -> Parts {
    let Parts::Finite { exponent: own, .. } = a else { return a };
    let mut n = number(a);
    let mut cx = context();
    cx.set_rounding(rounding);
    cx.quantize(&mut n, &number(Parts::Finite { negative: false, coefficient: 1, exponent }));
    match parts(&n) {
        Parts::NaN if own >= exponent => a,
        // Every digit lies behind the place asked for, which is outside the format's exponents.
        Parts::NaN => Parts::Finite { negative: false, coefficient: 0, exponent: 0 },
        rounded => rounded,
    }
}

/// `digits * 10^exponent` brought into the format: rounded half to even, infinite or zero where it lies outside.
pub(super) fn rounded(negative: bool, digits: &str, exponent: i64) -> Parts {
    let digits = digits.trim_start_matches('0');
    if let (true, Ok(exponent)) = (digits.len() <= 34, i32::try_from(exponent)) {
        let coefficient = digits.parse().unwrap_or(0u128);
        if coefficient <= MAX_COEFFICIENT && (-super::BIAS..=super::MAX_EXPONENT).contains(&exponent) {
            return Parts::Finite { negative, coefficient, exponent };
        }
    }
    let text = format!(
        "{}{}E{exponent}",
        if negative { "-" } else { "" },
        if digits.is_empty() { "0" } else { digits }
    );
    context().parse(text.as_str()).map_or(Parts::NaN, |n| parts(&n))
}
