//! Successful replies that need a touch: MongoDB's `ok` is a double and stands last.
use bson::raw::RawBsonRef;
use bson::{RawDocument, RawDocumentBuf, rawdoc};

use super::Reply;
use crate::error::Result;

/// `{ok: 1.0}`.
pub fn plain() -> Reply {
    rawdoc! { "ok": 1.0 }.into()
}

/// The document with `ok: 1.0` as its last field, whatever number or boolean it carried.
///
/// # Errors
/// A malformed document.
pub fn with_double_ok(document: &RawDocument) -> Result<RawDocumentBuf> {
    let mut out = without(document, &["ok"])?;
    out.append(bson::raw::cstr!("ok"), 1.0);
    Ok(out)
}

/// A copy of the document without some top-level fields.
///
/// # Errors
/// A malformed document.
pub fn without(document: &RawDocument, names: &[&str]) -> Result<RawDocumentBuf> {
    let mut out = RawDocumentBuf::new();
    for element in document.iter_elements() {
        let element = element?;
        if !names.contains(&element.key().as_str()) {
            out.append(element.key(), element.value()?);
        }
    }
    Ok(out)
}

/// True for `1`, `1.0`, `true` and the like: how replies of functions say that they succeeded.
pub fn is_true(value: RawBsonRef<'_>) -> bool {
    match value {
        RawBsonRef::Boolean(value) => value,
        RawBsonRef::Double(value) => value != 0.0,
        RawBsonRef::Int32(value) => value != 0,
        RawBsonRef::Int64(value) => value != 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_is_a_double_at_the_end() {
        let before = rawdoc! { "ok": 1, "indexes": 3 };
        assert_eq!(with_double_ok(&before).unwrap(), rawdoc! { "indexes": 3, "ok": 1.0 });
    }
}
