//! Sums that lose nothing on the way: integers exactly, doubles with compensation, decimals apart.

use crate::expr::dec128;
use crate::expr::num::{self, Num};
use crate::value::Value;

/// A running total of numbers of all types.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    integers: i128,
    /// Sum of the doubles and what rounding lost (Neumaier's compensated summation).
    doubles: f64,
    lost: f64,
    /// Infinities and NaN, which compensation can't carry.
    special: f64,
    decimals: Option<dec128::D>,
    has_double: bool,
    has_long: bool,
    /// Numbers added.
    pub count: u64,
}

impl Default for Sum {
    fn default() -> Self {
        Self {
            integers: 0,
            doubles: 0.0,
            lost: 0.0,
            special: 0.0,
            decimals: None,
            has_double: false,
            has_long: false,
            count: 0,
        }
    }
}

impl Sum {
    /// Adds a number; anything else is ignored.
    pub(crate) fn add(&mut self, v: &Value) {
        let Some(n) = Num::of(v) else { return };
        self.count += 1;
        match n {
            Num::Int(i) => self.integers += i128::from(i),
            Num::Long(i) => {
                self.has_long = true;
                self.integers += i128::from(i);
            }
            Num::Double(x) => {
                self.has_double = true;
                self.add_double(x);
            }
            Num::Decimal(d) => {
                let mut total = self.decimals.unwrap_or_else(|| dec128::from_parts(false, 0, 0));
                dec128::standard().add(&mut total, &d);
                self.decimals = Some(total);
            }
        }
    }

    fn add_double(&mut self, x: f64) {
        if !x.is_finite() {
            self.special += x;
            return;
        }
        let t = self.doubles + x;
        self.lost +=
            if self.doubles.abs() >= x.abs() { (self.doubles - t) + x } else { (x - t) + self.doubles };
        self.doubles = t;
    }

    #[allow(clippy::cast_precision_loss, reason = "MongoDB's total is the nearest double, too")]
    fn double(&self) -> f64 {
        if self.special != 0.0 {
            // Also NaN, which differs from everything.
            return self.special;
        }
        let mut all = self.clone();
        // The high part first, so that the low part of a large integer is not lost against it.
        let high = self.integers as f64;
        #[allow(clippy::cast_possible_truncation, reason = "a sum of int64 is far from the limits of i128")]
        let low = (self.integers - high as i128) as f64;
        all.add_double(high);
        all.add_double(low);
        all.doubles + all.lost
    }

    fn decimal(&self, total: dec128::D) -> dec128::D {
        let mut cx = dec128::standard();
        let mut out = total;
        if self.integers != 0 {
            cx.add(&mut out, &dec128::from_parts(self.integers < 0, self.integers.unsigned_abs(), 0));
        }
        if self.has_double {
            let x = if self.special == 0.0 { self.doubles + self.lost } else { self.special };
            cx.add(&mut out, &dec128::from_f64(x));
        }
        out
    }

    /// The total in the widest type that took part.
    pub(crate) fn total(&self) -> Value {
        if let Some(d) = self.decimals {
            return Num::Decimal(self.decimal(d)).value();
        }
        if self.has_double {
            return Value::Double(self.double());
        }
        match i64::try_from(self.integers) {
            Ok(i) if self.has_long => Value::Int64(i),
            Ok(i) => num::int_or_long(i).value(),
            Err(_) => Value::Double(self.double()),
        }
    }

    /// The mean: double, or decimal when one took part; null of no numbers.
    pub(crate) fn mean(&self) -> Value {
        if self.count == 0 {
            return Value::Null;
        }
        if let Some(d) = self.decimals {
            let mut total = self.decimal(d);
            dec128::standard().div(&mut total, &dec128::from_i64(i64::try_from(self.count).unwrap_or(1)));
            return Num::Decimal(total).value();
        }
        #[allow(clippy::cast_precision_loss, reason = "no stream has 2^53 numbers")]
        let n = self.count as f64;
        Value::Double(self.double() / n)
    }
}

/// Mean and sum of squared differences in one pass (Welford).
#[derive(Clone, Debug, Default)]
pub(crate) struct Deviation {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Deviation {
    /// Adds a number; anything else is ignored.
    #[allow(clippy::cast_precision_loss, reason = "no stream has 2^53 numbers")]
    pub(crate) fn add(&mut self, v: &Value) {
        let Some(x) = Num::of(v).map(Num::to_f64) else { return };
        self.count += 1;
        let delta = x - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (x - self.mean);
    }

    /// The standard deviation; null of too few numbers.
    #[allow(clippy::cast_precision_loss, reason = "no stream has 2^53 numbers")]
    pub(crate) fn result(&self, sample: bool) -> Value {
        let n = if sample { self.count.saturating_sub(1) } else { self.count };
        if n == 0 { Value::Null } else { Value::Double((self.squares / n as f64).sqrt()) }
    }
}

/// Covariance of pairs in one pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Covariance {
    count: u64,
    mean_x: f64,
    mean_y: f64,
    products: f64,
}

impl Covariance {
    /// Adds `[x, y]`; anything but two numbers is ignored.
    #[allow(clippy::cast_precision_loss, reason = "no stream has 2^53 numbers")]
    pub(crate) fn add(&mut self, v: &Value) {
        let Some(list) = v.as_array() else { return };
        let numbers: Vec<f64> =
            list.values().filter_map(|v| Num::of(&Value::from(v))).map(Num::to_f64).collect();
        let [x, y] = numbers.as_slice() else { return };
        self.count += 1;
        let delta = x - self.mean_x;
        self.mean_x += delta / self.count as f64;
        self.mean_y += (y - self.mean_y) / self.count as f64;
        self.products += delta * (y - self.mean_y);
    }

    /// The covariance; null of too few pairs.
    #[allow(clippy::cast_precision_loss, reason = "no stream has 2^53 numbers")]
    pub(crate) fn result(&self, sample: bool) -> Value {
        let n = if sample { self.count.saturating_sub(1) } else { self.count };
        if n == 0 { Value::Null } else { Value::Double(self.products / n as f64) }
    }
}
