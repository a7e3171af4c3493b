//! Geospatial indexes: their key patterns and options, with MongoDB's checks.

use engine::geo::cover::Grid;
use engine::{Code, Doc, Error, Val, Value, codes, number};

use super::parse::wrong;
use crate::error::Result;

/// Options that only geospatial indexes have. MongoDB takes them with any index and uses them with theirs.
pub const OPTIONS: [&str; 7] = [
    "2dsphereIndexVersion",
    "bits",
    "min",
    "max",
    "coarsestIndexedLevel",
    "finestIndexedLevel",
    "maxCellsInCovering",
];

fn fail<T>(d: Doc<'_>, code: Code, cause: impl std::fmt::Display) -> Result<T> {
    Err(wrong(d, code, cause))
}

/// Checks a key pattern with a `2d` or `2dsphere` component.
///
/// # Errors
/// Several `2d` components, or one that is not the first; other kinds beside `2dsphere`.
pub fn component(d: Doc<'_>, key: Doc<'_>) -> Result<()> {
    let kinds: Vec<&str> = key.values().filter_map(Val::as_str).collect();
    if kinds.contains(&"2d") {
        if kinds.iter().filter(|k| **k == "2d").count() > 1 {
            return fail(d, codes::LOCATION16800, "can't have 2 geo fields");
        }
        if key.values().next().and_then(Val::as_str) != Some("2d") {
            return fail(d, codes::LOCATION16801, "2d has to be first in index");
        }
    }
    if let Some(other) = kinds.iter().find(|k| **k != kinds.first().copied().unwrap_or("")) {
        let first = kinds.first().copied().unwrap_or("");
        return fail(
            d,
            codes::CANNOT_CREATE_INDEX,
            format!("Can't use more than one index plugin for a single index. Found: {first}, {other}"),
        );
    }
    Ok(())
}

/// The options to keep with the index, in listIndexes' order.
///
/// # Errors
/// Values MongoDB refuses.
pub fn options(d: Doc<'_>, key: Doc<'_>) -> Result<Vec<(String, Value)>> {
    let has = |kind| key.values().any(|v| v.as_str() == Some(kind));
    let mut out = Vec::new();
    if has("2dsphere") {
        sphere(d, &mut out)?;
    } else if let Some(v) = d.get("2dsphereIndexVersion") {
        number_of(d, "2dsphereIndexVersion", v)?;
    }
    if has("2d") {
        plane(d, &mut out)?;
    }
    Ok(out)
}

fn number_of(d: Doc<'_>, name: &str, v: Val<'_>) -> Result<f64> {
    if !v.is_number() {
        let cause = format!("The field '{name}' must be a number, but got {}", v.type_name());
        return fail(d, codes::TYPE_MISMATCH, cause);
    }
    Ok(number::to_f64(v))
}

fn sphere(d: Doc<'_>, out: &mut Vec<(String, Value)>) -> Result<()> {
    let version = d.get("2dsphereIndexVersion");
    if let Some(v) = version {
        number_of(d, "2dsphereIndexVersion", v)?;
        if number::exact_i64(v) != Some(3) {
            let cause = format!(
                "unsupported geo index version {{ 2dsphereIndexVersion : {} }}, only support versions: [3]",
                engine::display::value(v)
            );
            return fail(d, codes::CANNOT_CREATE_INDEX, cause);
        }
    }
    // How finely cells are chosen is this server's matter; the values are checked and shown.
    let mut level = |name: &str| -> Result<Option<f64>> {
        let Some(v) = d.get(name) else { return Ok(None) };
        let n = number_of(d, name, v)?;
        out.push((name.to_owned(), Value::from(v)));
        Ok(Some(n))
    };
    let (coarsest, finest) = (level("coarsestIndexedLevel")?, level("finestIndexedLevel")?);
    level("maxCellsInCovering")?;
    if coarsest.is_some_and(|n| n < 0.0) {
        return fail(d, codes::LOCATION16747, "coarsestIndexedLevel must be >= 0");
    }
    if finest.is_some_and(|n| n > 30.0) {
        return fail(d, codes::LOCATION16748, "finestIndexedLevel must be <= 30");
    }
    if coarsest.zip(finest).is_some_and(|(coarse, fine)| fine < coarse) {
        return fail(d, codes::LOCATION16749, "finestIndexedLevel must be >= coarsestIndexedLevel");
    }
    out.push(("2dsphereIndexVersion".to_owned(), Value::Int32(3)));
    Ok(())
}

fn plane(d: Doc<'_>, out: &mut Vec<(String, Value)>) -> Result<()> {
    let mut given = |name: &str, plain: f64| -> Result<f64> {
        let Some(v) = d.get(name) else { return Ok(plain) };
        let n = number_of(d, name, v)?;
        out.push((name.to_owned(), Value::from(v)));
        Ok(n)
    };
    let plain = Grid::default();
    let bits = given("bits", f64::from(plain.bits))?;
    let (min, max) = (given("min", plain.min)?, given("max", plain.max)?);
    let options = codes::INVALID_OPTIONS;
    if !(1.0..=32.0).contains(&bits) {
        let bits = bits.trunc();
        let text = format!("bits for hash must be > 0 and <= 32, but {bits} bits were specified");
        return Err(Error::new(options, text).into());
    }
    if min >= max || !min.is_finite() || !max.is_finite() {
        let text =
            format!("region for hash must be valid and have positive area, but [{min}, {max}] was specified");
        return Err(Error::new(options, text).into());
    }
    Ok(())
}
