//! Hashes of values: equal for values that [`crate::compare`] finds equal, whatever their numeric types.

use crate::compare::bracket;
use crate::key;
use crate::raw::{Val, View, ty};
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

fn double(d: f64) -> u64 {
    let mut encoded = Vec::with_capacity(16);
    key::encode(&mut encoded, Val { ty: ty::DOUBLE, bytes: &d.to_le_bytes() });
    xxh3_64_with_seed(&encoded, u64::from(bracket(ty::DOUBLE)))
}
