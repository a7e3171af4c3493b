//! Key patterns of indexes: which are built, and the words for the others.

use engine::raw::View;
use engine::{Doc, Val, codes};

use super::parse::wrong;
use super::{geo, show};
use crate::error::Result;

/// Most components of a key pattern.
const MAX_FIELDS: usize = 32;

/// Options that are accepted and mean nothing here.
pub(super) const IGNORED: [&str; 6] =
    ["background", "ns", "dropDups", "storageEngine", "blocking", "enableLargeIndexKeys"];

/// Options that the index on `_id` may have.
const ID_OPTIONS: [&str; 6] = ["key", "name", "v", "ns", "collation", "hidden"];

/// Checks what is asked of the index on `_id`, if it is that.
pub(super) fn check_id_index(d: Doc<'_>, key: Doc<'_>) -> Result<()> {
    let mut fields = key.iter();
    let (Some(first), None) = (fields.next(), fields.next()) else { return Ok(()) };
    let direction = engine::number::truncate_i64(first.val);
    let one = |n| direction == Some(engine::number::Truncated::Int(n));
    if first.name() != "_id" || !(one(1) || one(-1)) {
        return Ok(());
    }
    if let Some(e) = d.iter().find(|e| !ID_OPTIONS.contains(&e.name()) && !IGNORED.contains(&e.name())) {
        let cause = format!(
            "The field '{}' is not valid for an _id index specification. Specification: {}",
            e.name(),
            show::document(d)
        );
        return Err(wrong(d, codes::INVALID_INDEX_SPECIFICATION_OPTION, cause));
    }
    if one(-1) {
        let cause =
            format!("The field 'key' for an _id index must be {{_id: 1}}, but got {}", show::document(key));
        return Err(wrong(d, codes::BAD_VALUE, cause));
    }
    if d.get("hidden").is_some() {
        return Err(wrong(d, codes::BAD_VALUE, "can't hide _id index"));
    }
    Ok(())
}

/// The key pattern has a text component.
pub(super) fn is_text(d: Doc<'_>) -> bool {
    let key = d.get("key").and_then(Val::as_doc).unwrap_or(Doc::EMPTY);
    key.iter().any(|e| e.val.as_str() == Some("text"))
}

/// The key pattern: only ascending and descending components are built.
pub(super) fn check_kinds(d: Doc<'_>, key: Option<Doc<'_>>) -> Result<()> {
    let Some(key) = key else { return Ok(()) };
    let fail = |cause: String| Err(wrong(d, codes::CANNOT_CREATE_INDEX, cause));
    if key.is_empty() {
        return fail("Index keys cannot be empty.".to_owned());
    }
    if key.iter().any(|e| e.name().is_empty()) {
        return fail("Index keys cannot be an empty field.".to_owned());
    }
    let again = |(i, e): &(usize, engine::Elem<'_>)| key.iter().take(*i).any(|f| f.name() == e.name());
    if let Some((_, e)) = key.iter().enumerate().find(again) {
        let cause = format!(
            "The field '{}' appears multiple times in the index key pattern {}",
            e.name(),
            show::document(key)
        );
        return Err(wrong(d, codes::BAD_VALUE, cause));
    }
    if key.iter().count() > MAX_FIELDS {
        return Err(crate::error::Error::native(b"54011", "cannot use more than 32 columns in an index"));
    }
    for e in key {
        let v = e.val;
        let parts = || e.name().split('.');
        if parts().any(str::is_empty) {
            return fail("Index keys cannot contain an empty field.".to_owned());
        }
        let wild = engine::key::is_wildcard(e.name());
        if wild && v.as_str() == Some("wildcard") {
            let cause =
                "The key pattern value for an 'wildcard' index must be a non-zero number, not a string.";
            return fail(cause.to_owned());
        }
        let last = if wild && (v.as_str().is_none() || (e.name() == "$**" && v.as_str() == Some("text"))) {
            parts().count() - 1
        } else {
            usize::MAX
        };
        let dollar = |(i, p): (usize, &str)| {
            p.starts_with('$') && i != last && !(i > 0 && matches!(p, "$id" | "$ref" | "$db"))
        };
        if parts().enumerate().any(dollar) {
            return fail("Index key contains an illegal field name: field name starts with '$'.".to_owned());
        }
        match v.view() {
            View::String("hashed") => {
                let hashed = key.iter().filter(|e| e.val.as_str() == Some("hashed")).count();
                if hashed > 1 {
                    let cause = format!(
                        "A maximum of one index field is allowed to be hashed but found {hashed} for 'key' {}",
                        show::document(key)
                    );
                    return Err(wrong(d, codes::LOCATION31303, cause));
                }
                let unique = d.get("unique").is_some_and(engine::key::truthy);
                if unique {
                    let cause = "Currently hashed indexes cannot guarantee uniqueness. Use a regular index";
                    return Err(wrong(d, codes::LOCATION16764, cause));
                }
            }
            View::String("text") => {}
            View::String("2d" | "2dsphere") => geo::component(d, key)?,
            View::String(kind @ "cosmosSearch") => {
                return fail(format!("Index type '{kind}' is not supported yet"));
            }
            View::String("") => {
                return fail("Values in the index key pattern cannot be empty strings".to_owned());
            }
            View::String(kind) => return fail(format!("Unknown index plugin '{kind}'")),
            _ if v.is_number() => {
                let n = engine::number::to_f64(v);
                if n == 0.0 {
                    return fail("Values in the index key pattern cannot be 0.".to_owned());
                }
                if n.is_nan() {
                    return fail("Values in the index key pattern cannot be NaN.".to_owned());
                }
            }
            _ => {
                return fail(format!(
                    "Values in v:2 index key pattern cannot be of type {}. Only numbers > 0, numbers < 0, and strings are allowed.",
                    v.type_name()
                ));
            }
        }
    }
    Ok(())
}
