//! `$median` and `$percentile`.

use crate::error::Result;
use crate::expr::num::Num;
use crate::raw::Val;
use crate::value::Value;
use crate::{bail, codes};

/// Checks `method`.
pub(crate) fn check_method(name: &str, v: Option<Val<'_>>) -> Result<()> {
    match v.map(|v| (v, v.as_str())) {
        Some((_, Some("approximate"))) => Ok(()),
        None => bail!(codes::LOCATION40414, "BSON field '${name}.method' is missing but is a required field"),
        Some((_, Some(_))) => {
            bail!(codes::BAD_VALUE, "Currently only 'approximate' can be used as percentile 'method'")
        }
        Some((v, None)) => bail!(
            codes::TYPE_MISMATCH,
            "BSON field '{name}.method' is the wrong type '{}', expected type 'string'",
            v.type_name()
        ),
    }
}

/// The percentiles asked for.
pub(crate) fn wanted(v: Option<&Value>) -> Result<Vec<f64>> {
    let Some(list) = v.and_then(Value::as_array) else {
        bail!(
            codes::LOCATION7750301,
            "The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found: {}",
            crate::expr::render::value(v)
        )
    };
    let mut out = Vec::new();
    for p in list.values() {
        let p = Value::from(p);
        let Some(n) = Num::of(&p) else {
            bail!(
                codes::LOCATION7750302,
                "The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found: {}",
                crate::expr::render::value(Some(&p))
            )
        };
        let x = n.to_f64();
        if !(0.0..=1.0).contains(&x) {
            bail!(
                codes::LOCATION7750303,
                "The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found: {x:.6}"
            );
        }
        out.push(x);
    }
    if out.is_empty() {
        bail!(
            codes::LOCATION7750301,
            "The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found: {}",
            crate::expr::render::value(v)
        );
    }
    Ok(out)
}

/// The numbers among values, for percentiles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(Vec<f64>);

impl Numbers {
    /// Adds a number; anything else, NaN included, is ignored.
    pub(crate) fn add(&mut self, v: &Value) {
        if let Some(x) = Num::of(v).map(Num::to_f64).filter(|x| !x.is_nan()) {
            self.0.push(x);
        }
    }

    /// The values at these ranks; null where there are no numbers.
    pub(crate) fn at(mut self, ps: &[f64]) -> Vec<Value> {
        self.0.sort_by(f64::total_cmp);
        ps.iter()
            .map(|p| self.0.get(rank(self.0.len(), *p)).map_or(Value::Null, |x| Value::Double(*x)))
            .collect()
    }
}

/// The discrete rank: the first value that at least this share of the values does not exceed.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "0 <= p <= 1"
)]
fn rank(n: usize, p: f64) -> usize {
    if p >= 1.0 {
        return n.saturating_sub(1);
    }
    ((n as f64 * p).ceil() as usize).saturating_sub(1)
}
