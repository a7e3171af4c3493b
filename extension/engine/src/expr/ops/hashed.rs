//! `$toHashedIndexKey`: the hash of MongoDB's hashed indexes.

use super::arg;
use crate::compare::bracket;
use crate::error::Result;
use crate::expr::Computed;
use crate::number::{self, Truncated};
use crate::raw::{Val, View, ty};
use crate::value::Value;
use md5::{Digest, Md5};

pub(in crate::expr) fn key(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let v = arg(args, 0).cloned().unwrap_or(Value::Null);
    Ok(Some(Value::Int64(v.with_val(hash))))
}

/// MD5 over a zero seed and the value in canonical form; its first eight bytes.
fn hash(v: Val<'_>) -> i64 {
    let mut md5 = Md5::new();
    md5.update(0i32.to_le_bytes());
    feed(&mut md5, None, v);
    let digest = md5.finalize();
    i64::from_le_bytes(digest.first_chunk::<8>().copied().unwrap_or_default())
}

fn feed(md5: &mut Md5, name: Option<&[u8]>, v: Val<'_>) {
    let rank = match v.ty {
        ty::MIN_KEY => -1,
        ty::UNDEFINED => 0,
        t => i32::from(bracket(t)),
    };
    md5.update(rank.to_le_bytes());
    if let Some(name) = name {
        md5.update(name);
        md5.update([0]);
    }
    match v.view() {
        View::Document(d) | View::Array(d) => d.iter().for_each(|e| feed(md5, Some(e.name_bytes()), e.val)),
        View::CodeWithScope { code, scope } => {
            md5.update(code.as_bytes());
            md5.update([0]);
            scope.iter().for_each(|e| feed(md5, Some(e.name_bytes()), e.val));
        }
        _ if v.is_number() => md5.update(whole(v).to_le_bytes()),
        _ => md5.update(v.bytes),
    }
}

/// Numbers hash by their whole part, so that 5, 5.0 and 5.2 share a hash.
fn whole(v: Val<'_>) -> i64 {
    match number::truncate_i64(v) {
        Some(Truncated::Int(i)) => i,
        Some(Truncated::OutOfRange) | Some(Truncated::NotFinite) => {
            let x = number::to_f64(v);
            if x.is_nan() {
                0
            } else if x > 0.0 {
                i64::MAX
            } else {
                i64::MIN
            }
        }
        None => 0,
    }
}
