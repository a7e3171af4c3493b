//! Hashes of values: equal for values that [`crate::compare`] finds equal, whatever their numeric types.

use crate::collation::Collation;
use crate::compare::{bracket, has_string};
use crate::key;
use crate::raw::{Doc, Val, View, ty};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// 64-bit hash of a value. Stable: it may be stored.
#[must_use]
pub fn value(v: Val<'_>) -> u64 {
    let rank = u64::from(bracket(v.ty));
    match v.view() {
        View::Int32(i) => double(f64::from(i)),
        View::Double(d) => double(d),
        View::String(_) | View::Symbol(_) | View::Code(_) => xxh3_64_with_seed(v.string_bytes(), rank),
        View::ObjectId(id) => xxh3_64_with_seed(&id, rank),
        View::Bool(_) | View::DateTime(_) | View::Timestamp { .. } | View::Binary { .. } => {
            xxh3_64_with_seed(v.bytes, rank)
        }
        View::Null | View::Undefined | View::MinKey | View::MaxKey => xxh3_64_with_seed(&[], rank),
        View::Int64(i) if i.unsigned_abs() <= 1 << 53 =>
        {
            #[allow(clippy::cast_precision_loss, reason = "integers of up to 53 bits are doubles")]
            double(i as f64)
        }
        _ => {
            // The index key has one form for all values that are equal.
            let mut encoded = Vec::with_capacity(v.bytes.len() + 8);
            key::encode(&mut encoded, v);
            xxh3_64_with_seed(&encoded, rank)
        }
    }
}

/// 64-bit hash of a value, equal for values that `collation` finds equal.
#[must_use]
pub fn collated(v: Val<'_>, collation: &Collation) -> u64 {
    if collation.is_simple() || !has_string(v) {
        return value(v);
    }
    let mut encoded = Vec::with_capacity(2 * v.bytes.len() + 8);
    key::encode_by(&mut encoded, v, collation);
    xxh3_64_with_seed(&encoded, u64::from(bracket(v.ty)))
}

/// 64-bit hash of a document, different for different seeds. Stable as [`value`] is.
#[must_use]
pub fn document(d: Doc<'_>, seed: u64) -> u64 {
    let mut encoded = Vec::with_capacity(d.bytes().len() + 8);
    key::encode(&mut encoded, Val { ty: ty::DOCUMENT, bytes: d.bytes() });
    xxh3_64_with_seed(&encoded, seed)
}

fn double(d: f64) -> u64 {
    let mut encoded = Vec::with_capacity(16);
    key::encode(&mut encoded, Val { ty: ty::DOUBLE, bytes: &d.to_le_bytes() });
    xxh3_64_with_seed(&encoded, u64::from(bracket(ty::DOUBLE)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extjson::parse;

    #[test]
    fn equal_documents_have_equal_hashes() {
        let hash = |text: &str, seed| document(Doc::trusted(&parse(text).unwrap()), seed);
        let decimal = r#"{"a": [{"$numberDecimal": "1.0"}, {"b": 0.0}]}"#;
        assert_eq!(hash(r#"{"a": [1, {"b": -0.0}]}"#, 7), hash(decimal, 7));
        assert_ne!(hash(decimal, 7), hash(decimal, 8));
        assert_ne!(hash(decimal, 7), hash(r#"{"a": [1, {"c": 0}]}"#, 7));
    }

    /// Hashes may be stored in an index: these must never change.
    #[test]
    fn hashes_are_stable() {
        let hash = |text: &str| value(Doc::trusted(&parse(text).unwrap()).first().unwrap().val);
        assert_eq!(
            [hash(r#"{"v": 1}"#), hash(r#"{"v": "a"}"#), hash(r#"{"v": {"x": []}}"#)],
            [8_778_036_538_337_274_615, 17_412_239_243_865_893_519, 10_424_956_464_295_539_290]
        );
    }
}
