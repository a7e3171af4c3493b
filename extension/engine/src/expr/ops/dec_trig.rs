//! Trigonometry on decimals: series with more digits than the 34 that are kept.

use super::dec128::{self, D};
use dec::Context;
use std::cmp::Ordering;

/// Digits carried: the 34 of a decimal128, and room for what cancels.
const DIGITS: usize = 64;
/// More than enough terms for that many digits with reduced arguments.
const TERMS: i64 = 400;

const PI: &str = "3.141592653589793238462643383279502884197169399375105820974944592307816406";

/// Arithmetic on copies, rounded to [`DIGITS`].
struct Math(Context<D>);

impl Math {
    fn new() -> Self {
        Math(dec128::context(DIGITS))
    }

    fn pi(&mut self) -> D {
        self.0.parse(PI).unwrap_or_else(|_| D::nan())
    }

    fn int(&mut self, i: i64) -> D {
        self.0.from_i64(i)
    }

    fn add(&mut self, mut a: D, b: D) -> D {
        self.0.add(&mut a, &b);
        a
    }

    fn sub(&mut self, mut a: D, b: D) -> D {
        self.0.sub(&mut a, &b);
        a
    }

    fn mul(&mut self, mut a: D, b: D) -> D {
        self.0.mul(&mut a, &b);
        a
    }

    fn div(&mut self, mut a: D, b: D) -> D {
        self.0.div(&mut a, &b);
        a
    }

    fn sqrt(&mut self, mut a: D) -> D {
        self.0.sqrt(&mut a);
        a
    }

    fn exp(&mut self, mut a: D) -> D {
        self.0.exp(&mut a);
        a
    }

    fn ln(&mut self, mut a: D) -> D {
        self.0.ln(&mut a);
        a
    }

    fn neg(&mut self, mut a: D) -> D {
        self.0.neg(&mut a);
        a
    }

    fn order(&mut self, a: &D, b: &D) -> Ordering {
        self.0.partial_cmp(a, b).unwrap_or(Ordering::Equal)
    }

    /// Sum of `first`, `first * x2 * r(1)`, … until a term no longer counts.
    fn series(&mut self, first: D, x2: D, ratio: impl Fn(i64) -> (i64, i64)) -> D {
        let (mut term, mut sum) = (first, first);
        for n in 1..TERMS {
            let (up, down) = ratio(n);
            term = self.mul(term, x2);
            let (up, down) = (self.int(up), self.int(down));
            term = self.mul(term, up);
            term = self.div(term, down);
            let next = self.add(sum, term);
            if self.order(&next, &sum) == Ordering::Equal {
                break;
            }
            sum = next;
        }
        sum
    }

    /// Sine and cosine of an angle reduced to half a turn.
    fn sin_cos(&mut self, x: D) -> (D, D) {
        let pi = self.pi();
        let two = self.int(2);
        let turn = self.mul(pi, two);
        let mut r = x;
        // The remainder nearest to zero.
        self.0.rem_near(&mut r, &turn);
        let x2 = self.mul(r, r);
        let x2 = self.neg(x2);
        let one = self.int(1);
        let sin = self.series(r, x2, |n| (1, 2 * n * (2 * n + 1)));
        let cos = self.series(one, x2, |n| (1, (2 * n - 1) * 2 * n));
        (sin, cos)
    }

    fn atan(&mut self, x: D) -> D {
        if x.is_infinite() {
            let (pi, two) = (self.pi(), self.int(2));
            let half = self.div(pi, two);
            return if x.is_negative() { self.neg(half) } else { half };
        }
        // Halve the angle until the series converges quickly: atan x = 2 atan(x / (1 + sqrt(1 + x^2))).
        let (one, limit) = (self.int(1), dec128::from_parts(false, 1, -1));
        let mut r = x;
        let mut doublings = 0u32;
        loop {
            let mut size = r;
            self.0.abs(&mut size);
            if doublings > 60 || self.order(&size, &limit) == Ordering::Less {
                break;
            }
            let x2 = self.mul(r, r);
            let s = self.add(one, x2);
            let s = self.sqrt(s);
            let s = self.add(one, s);
            r = self.div(r, s);
            doublings += 1;
        }
        let x2 = self.mul(r, r);
        let x2 = self.neg(x2);
        let mut sum = self.series(r, x2, |n| (2 * n - 1, 2 * n + 1));
        let two = self.int(2);
        for _ in 0..doublings {
            sum = self.mul(sum, two);
        }
        sum
    }

    fn asin(&mut self, x: D) -> D {
        let one = self.int(1);
        let x2 = self.mul(x, x);
        let rest = self.sub(one, x2);
        if rest.is_zero() {
            let (pi, two) = (self.pi(), self.int(2));
            let half = self.div(pi, two);
            return if x.is_negative() { self.neg(half) } else { half };
        }
        let root = self.sqrt(rest);
        let q = self.div(x, root);
        self.atan(q)
    }
}

pub(super) fn unary(name: &str, x: D) -> D {
    if x.is_nan() {
        return x;
    }
    let mut m = Math::new();
    let one = m.int(1);
    let two = m.int(2);
    match name {
        "$sin" => m.sin_cos(x).0,
        "$cos" => m.sin_cos(x).1,
        "$tan" => {
            let (s, c) = m.sin_cos(x);
            m.div(s, c)
        }
        "$atan" => m.atan(x),
        "$asin" => m.asin(x),
        "$acos" => {
            if m.order(&x, &one) == Ordering::Equal {
                return dec128::from_parts(false, 0, -6176);
            }
            let (pi, asin) = (m.pi(), m.asin(x));
            let half = m.div(pi, two);
            m.sub(half, asin)
        }
        "$sinh" | "$cosh" | "$tanh" => {
            let up = m.exp(x);
            let minus = m.neg(x);
            let down = m.exp(minus);
            let (diff, sum) = (m.sub(up, down), m.add(up, down));
            match name {
                "$sinh" if x.is_zero() => x,
                "$sinh" => m.div(diff, two),
                "$cosh" => m.div(sum, two),
                _ if x.is_zero() => x,
                _ if x.is_infinite() => {
                    if x.is_negative() {
                        m.neg(one)
                    } else {
                        one
                    }
                }
                _ => m.div(diff, sum),
            }
        }
        "$asinh" => {
            if x.is_zero() || x.is_infinite() {
                return x;
            }
            // Of the absolute value, so that nothing cancels.
            let negative = x.is_negative();
            let mut size = x;
            m.0.abs(&mut size);
            let x2 = m.mul(size, size);
            let s = m.add(x2, one);
            let root = m.sqrt(s);
            let s = m.add(size, root);
            let r = m.ln(s);
            if negative { m.neg(r) } else { r }
        }
        "$acosh" => {
            let x2 = m.mul(x, x);
            let s = m.sub(x2, one);
            let root = m.sqrt(s);
            let s = m.add(x, root);
            m.ln(s)
        }
        "$atanh" => {
            if x.is_zero() {
                return x;
            }
            let (up, down) = (m.add(one, x), m.sub(one, x));
            if down.is_zero() {
                return D::infinity();
            }
            if up.is_zero() {
                return m.neg(D::infinity());
            }
            let q = m.div(up, down);
            let l = m.ln(q);
            m.div(l, two)
        }
        "$degreesToRadians" | "$radiansToDegrees" => {
            let (pi, half) = (m.pi(), m.int(180));
            if name == "$degreesToRadians" {
                let q = m.div(pi, half);
                m.mul(x, q)
            } else {
                let q = m.div(half, pi);
                m.mul(x, q)
            }
        }
        _ => D::nan(),
    }
}

pub(super) fn atan2(y: D, x: D) -> D {
    if y.is_nan() || x.is_nan() {
        return D::nan();
    }
    let mut m = Math::new();
    let pi = m.pi();
    let two = m.int(2);
    if x.is_zero() && y.is_zero() {
        let r = if x.is_negative() { pi } else { m.int(0) };
        return if y.is_negative() { m.neg(r) } else { r };
    }
    if x.is_zero() {
        let half = m.div(pi, two);
        return if y.is_negative() { m.neg(half) } else { half };
    }
    let q = m.div(y, x);
    let base = m.atan(q);
    match (x.is_negative(), y.is_negative()) {
        (false, _) => base,
        (true, false) => m.add(base, pi),
        (true, true) => m.sub(base, pi),
    }
}
