//! Reading command documents: required and optional fields, their types, the errors MongoDB gives.

use engine::collation::Collation;
use engine::raw::View;
use engine::{Doc, Val, codes, number};

use crate::catalog::Collection;
use crate::error::{Error, Result};
use crate::guc;

/// Fields of every command that a proxy passes on and nobody here needs (sql-api.md 0).
const COMMON: [&str; 47] = [
    "$clusterTime",
    "$db",
    "$readPreference",
    "$sort",
    "allowDiskUse",
    "allowPartialResults",
    "apiDeprecationErrors",
    "apiStrict",
    "apiVersion",
    "autocommit",
    "awaitData",
    "batch_size",
    "bypassDocumentValidation",
    "bypassEmptyTsReplacement",
    "collation",
    "collstats",
    "comment",
    "commitQuorum",
    "db",
    "dbstats",
    "flags",
    "indexDetails",
    "let",
    "lsid",
    "maxTimeMS",
    "noCursorTimeout",
    "oplogReplay",
    "options",
    "p5date",
    "pipeline",
    "projection",
    "readConcern",
    "readPreference",
    "returnKey",
    "showRecordId",
    "snapshot",
    "startTransaction",
    "stmtId",
    "storageEngine",
    "symbol",
    "tailable",
    "timeseries",
    "txnNumber",
    "validationAction",
    "validationLevel",
    "viewOn",
    "writeConcern",
];

/// True for a field that may be ignored wherever the command does not read it itself.
pub fn is_common(name: &str) -> bool {
    COMMON.iter().any(|c| c.eq_ignore_ascii_case(name)) || name.eq_ignore_ascii_case("validator")
}

fn error(code: engine::Code, message: String) -> Error {
    engine::Error::new(code, message).into()
}

/// 40415: nobody knows the field.
pub fn unknown(path: &str, name: &str) -> Error {
    error(codes::LOCATION40415, format!("BSON field '{path}.{name}' is an unknown field."))
}

/// 40414: the field must be there.
pub fn missing(path: &str) -> Error {
    error(codes::LOCATION40414, format!("BSON field '{path}' is missing but a required field"))
}

/// TypeMismatch 14.
pub fn wrong_type(path: &str, v: Val<'_>, expected: &str) -> Error {
    let got = v.type_name();
    error(
        codes::TYPE_MISMATCH,
        format!("BSON field '{path}' is the wrong type '{got}', expected type '{expected}'"),
    )
}

/// TypeMismatch 14 where several types will do; the place of the last quote is MongoDB's.
pub fn wrong_types(path: &str, v: Val<'_>, expected: &str) -> Error {
    let got = v.type_name();
    error(
        codes::TYPE_MISMATCH,
        format!("BSON field '{path}' is the wrong type '{got}', expected types '[{expected}']"),
    )
}

/// A bool, nothing that only converts to one.
pub fn bool(path: &str, v: Val<'_>) -> Result<bool> {
    v.as_bool().ok_or_else(|| wrong_type(path, v, "bool"))
}

/// A bool, or a number that stands for one; null stands for false.
///
/// # Errors
/// TypeMismatch 14 for anything else.
pub fn safe_bool(path: &str, v: Val<'_>) -> Result<bool> {
    if v.as_bool().is_some() || v.is_number() || v.is_nullish() {
        return Ok(engine::key::truthy(v));
    }
    Err(wrong_types(path, v, "bool, long, int, decimal, double"))
}

/// A bool and nothing else, not even null: a field whose absence means something of its own.
///
/// # Errors
/// TypeMismatch 14 in the words MongoDB has for these.
pub fn optional_bool(name: &str, v: Val<'_>) -> Result<bool> {
    v.as_bool().ok_or_else(|| {
        let got = v.type_name();
        error(codes::TYPE_MISMATCH, format!("Field '{name}' should be a boolean value, but found: {got}"))
    })
}

/// A document.
pub fn document<'a>(path: &str, v: Val<'a>) -> Result<Doc<'a>> {
    v.as_doc().ok_or_else(|| wrong_type(path, v, "object"))
}

/// An array.
pub fn array<'a>(path: &str, v: Val<'a>) -> Result<Doc<'a>> {
    v.as_array().ok_or_else(|| wrong_type(path, v, "array"))
}

/// An array of documents.
///
/// # Errors
/// TypeMismatch 14 for anything else, with the element's path.
pub fn documents<'a>(path: &str, v: Val<'a>) -> Result<Doc<'a>> {
    let list = array(path, v)?;
    for (i, v) in list.values().enumerate() {
        document(&format!("{path}.{i}"), v)?;
    }
    Ok(list)
}

/// A string.
pub fn string<'a>(path: &str, v: Val<'a>) -> Result<&'a str> {
    v.as_str().ok_or_else(|| wrong_type(path, v, "string"))
}

/// A number as an integer, fractions cut off; `None` if it is not a number.
pub fn integer(v: Val<'_>) -> Option<i64> {
    match v.view() {
        View::Int32(i) => Some(i64::from(i)),
        View::Int64(i) => Some(i),
        View::Double(x) => Some(x as i64),
        View::Decimal128(_) => {
            let fits = |i: i64| engine::Value::Int64(i).with_val(|i| number::compare(v, i)).is_ge();
            // The largest integer that is not greater, found by halving: no arithmetic on decimals is needed for it.
            let (mut low, mut high) = (i64::MIN, i64::MAX);
            while low < high {
                let middle = (low & high) + ((low ^ high) >> 1) + ((low ^ high) & 1);
                if fits(middle) { low = middle } else { high = middle - 1 }
            }
            Some(low)
        }
        _ => None,
    }
}

/// `maxTimeMS`, in milliseconds; 0 is no limit.
///
/// # Errors
/// TypeMismatch for what is no number, BadValue for what is no time.
pub fn max_time_ms(command: &str, v: Val<'_>) -> Result<i64> {
    let Some(ms) = integer(v) else {
        return Err(wrong_types(&format!("{command}.maxTimeMS"), v, "int, decimal, double, long"));
    };
    if !(0..=i64::from(i32::MAX)).contains(&ms) {
        let message = format!("{ms} value for maxTimeMS is out of range [0, {}]", i32::MAX);
        return Err(error(codes::BAD_VALUE, message));
    }
    Ok(ms)
}

/// The collection a write command names.
pub fn collection_name<'a>(v: Val<'a>) -> Result<&'a str> {
    let Some(name) = v.as_str() else {
        return Err(error(codes::BAD_VALUE, format!("collection name has invalid type {}", v.type_name())));
    };
    if name.is_empty() {
        return Err(error(codes::INVALID_NAMESPACE, "Invalid empty namespace specified".into()));
    }
    Ok(name)
}

/// A collation as a command gives it, checked; it means something only together with the collection's ([`effective`]).
///
/// # Errors
/// TypeMismatch for what is no document, those of [`Collation::parse`].
pub fn collation<'a>(path: &str, v: Val<'a>) -> Result<Option<Doc<'a>>> {
    let d = document(path, v)?;
    read_collation(d)?;
    Ok((!d.is_empty()).then_some(d))
}

/// How a command compares strings: as it says itself, otherwise as the collection or view does.
///
/// # Errors
/// Those of [`Collation::parse`]; OptionNotSupportedOnView 167 for another collation than a view's.
pub fn effective(given: Option<Doc<'_>>, c: Option<&Collection>) -> Result<Collation> {
    if given.is_none() && c.is_none_or(|c| c.collation.is_simple()) {
        return Ok(Collation::SIMPLE);
    }
    let default = c.map_or(Collation::SIMPLE, |c| c.collation.clone());
    let collation = match given {
        Some(d) => read_collation(d)?,
        None => default.clone(),
    };
    if collation != default && c.is_some_and(|c| c.view.is_some()) {
        let text = "Cannot override a view's default collation";
        return Err(error(codes::OPTION_NOT_SUPPORTED_ON_VIEW, text.to_owned()));
    }
    // What the settings switch off compares bytes, as the official extension has it.
    Ok(if guc::flag(c"documentdb_core.enableCollation") { collation } else { Collation::SIMPLE })
}

fn read_collation(d: Doc<'_>) -> Result<Collation> {
    match Collation::parse(d) {
        Err(e) if e.code == codes::COMMAND_NOT_SUPPORTED && guc::flag(c"documentdb.skipFailOnCollation") => {
            Ok(Collation::SIMPLE)
        }
        parsed => Ok(parsed?),
    }
}
