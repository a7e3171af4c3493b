//! Series of preferred numbers for `$bucketAuto` (MongoDB manual, "Granularity").

use crate::error::Result;
use crate::expr::num::{Num, mul};
use crate::value::Value;
use crate::{bail, codes};

/// Values of one decade, ascending.
const SERIES: &[(&str, &[f64])] = &[
    ("R5", &[10.0, 16.0, 25.0, 40.0, 63.0]),
    ("R10", &[100.0, 125.0, 160.0, 200.0, 250.0, 315.0, 400.0, 500.0, 630.0, 800.0]),
    (
        "R20",
        &[
            100.0, 112.0, 125.0, 140.0, 160.0, 180.0, 200.0, 224.0, 250.0, 280.0, 315.0, 355.0, 400.0, 450.0,
            500.0, 560.0, 630.0, 710.0, 800.0, 900.0,
        ],
    ),
    (
        "R40",
        &[
            100.0, 106.0, 112.0, 118.0, 125.0, 132.0, 140.0, 150.0, 160.0, 170.0, 180.0, 190.0, 200.0, 212.0,
            224.0, 236.0, 250.0, 265.0, 280.0, 300.0, 315.0, 355.0, 375.0, 400.0, 425.0, 450.0, 475.0, 500.0,
            530.0, 560.0, 600.0, 630.0, 670.0, 710.0, 750.0, 800.0, 850.0, 900.0, 950.0,
        ],
    ),
    (
        "R80",
        &[
            103.0, 109.0, 115.0, 122.0, 128.0, 136.0, 145.0, 155.0, 165.0, 175.0, 185.0, 195.0, 206.0, 218.0,
            230.0, 243.0, 258.0, 272.0, 290.0, 307.0, 325.0, 345.0, 365.0, 387.0, 412.0, 437.0, 462.0, 487.0,
            515.0, 545.0, 575.0, 615.0, 650.0, 690.0, 730.0, 775.0, 825.0, 875.0, 925.0, 975.0,
        ],
    ),
    ("1-2-5", &[10.0, 20.0, 50.0]),
    ("E6", &[10.0, 15.0, 22.0, 33.0, 47.0, 68.0]),
    ("E12", &[10.0, 12.0, 15.0, 18.0, 22.0, 27.0, 33.0, 39.0, 47.0, 56.0, 68.0, 82.0]),
    (
        "E24",
        &[
            10.0, 11.0, 12.0, 13.0, 15.0, 16.0, 18.0, 20.0, 22.0, 24.0, 27.0, 30.0, 33.0, 36.0, 39.0, 43.0,
            47.0, 51.0, 56.0, 62.0, 68.0, 75.0, 82.0, 91.0,
        ],
    ),
    (
        "E48",
        &[
            100.0, 105.0, 110.0, 115.0, 121.0, 127.0, 133.0, 140.0, 147.0, 154.0, 162.0, 169.0, 178.0, 187.0,
            196.0, 205.0, 215.0, 226.0, 237.0, 249.0, 261.0, 274.0, 287.0, 301.0, 316.0, 332.0, 348.0, 365.0,
            383.0, 402.0, 422.0, 442.0, 464.0, 487.0, 511.0, 536.0, 562.0, 590.0, 619.0, 649.0, 681.0, 715.0,
            750.0, 787.0, 825.0, 866.0, 909.0, 953.0,
        ],
    ),
    (
        "E96",
        &[
            100.0, 102.0, 105.0, 107.0, 110.0, 113.0, 115.0, 118.0, 121.0, 124.0, 127.0, 130.0, 133.0, 137.0,
            140.0, 143.0, 147.0, 150.0, 154.0, 158.0, 162.0, 165.0, 169.0, 174.0, 178.0, 182.0, 187.0, 191.0,
            196.0, 200.0, 205.0, 210.0, 215.0, 221.0, 226.0, 232.0, 237.0, 243.0, 249.0, 255.0, 261.0, 267.0,
            274.0, 280.0, 287.0, 294.0, 301.0, 309.0, 316.0, 324.0, 332.0, 340.0, 348.0, 357.0, 365.0, 374.0,
            383.0, 392.0, 402.0, 412.0, 422.0, 432.0, 442.0, 453.0, 464.0, 475.0, 487.0, 499.0, 511.0, 523.0,
            536.0, 549.0, 562.0, 576.0, 590.0, 604.0, 619.0, 634.0, 649.0, 665.0, 681.0, 698.0, 715.0, 732.0,
            750.0, 768.0, 787.0, 806.0, 825.0, 845.0, 866.0, 887.0, 909.0, 931.0, 953.0, 976.0,
        ],
    ),
];

/// A series.
#[derive(Clone, Copy, Debug)]
pub(super) enum Series {
    /// Powers of two.
    Powers,
    /// One decade, repeated in all decades.
    Decade(&'static [f64]),
}

impl Series {
    pub(super) fn named(name: &str) -> Result<Self> {
        if name == "POWERSOF2" {
            return Ok(Series::Powers);
        }
        match SERIES.iter().find(|(n, _)| *n == name) {
            Some((_, values)) => Ok(Series::Decade(values)),
            None => bail!(codes::LOCATION40257, "Unknown rounding granularity: {name}"),
        }
    }

    /// The smallest number of the series above `v`.
    pub(super) fn round_up(self, v: &Value) -> Value {
        self.step(v, true)
    }

    /// The largest number of the series below `v`.
    pub(super) fn round_down(self, v: &Value) -> Value {
        self.step(v, false)
    }

    fn step(self, v: &Value, up: bool) -> Value {
        let Some(n) = Num::of(v) else { return v.clone() };
        let x = n.to_f64();
        let r = match self {
            _ if x == 0.0 || !x.is_finite() => x,
            Series::Powers if up => (x.log2().floor() + 1.0).exp2(),
            Series::Powers => (x.log2().ceil() - 1.0).exp2(),
            Series::Decade(values) => in_decades(values, x, up),
        };
        if matches!(n, Num::Decimal(_)) {
            return mul(Num::Decimal(crate::expr::dec128::from_f64(r)), Num::Int(1)).value();
        }
        Value::Double(r)
    }
}

/// Walks the decades around `x` for its neighbour in the series.
fn in_decades(values: &[f64], x: f64, up: bool) -> f64 {
    let base = values.first().copied().unwrap_or(1.0);
    #[allow(clippy::cast_possible_truncation, reason = "a double has fewer than 400 decades")]
    let middle = (x / base).log10().floor() as i32;
    let scaled = |value: f64, decade: i32| {
        // Dividing by a power of ten keeps 0.63 what it is; multiplying by 0.01 would not.
        if decade < 0 { value / 10f64.powi(-decade) } else { value * 10f64.powi(decade) }
    };
    let all = (middle - 1..=middle + 1).flat_map(|d| values.iter().map(move |v| scaled(*v, d)));
    if up {
        all.filter(|v| *v > x).fold(f64::INFINITY, f64::min)
    } else {
        all.filter(|v| *v < x).fold(0.0, f64::max)
    }
}
