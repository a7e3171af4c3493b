//! How a collection is stored, as create says it: capped, clustered (MongoDB manual, "create").

use engine::{Doc, DocWriter, Val, Value, codes};

use super::fail;
use crate::error::Result;
use crate::spec;

/// Largest size of a capped collection in bytes.
const MAX_SIZE: i64 = 1 << 50;
/// What `max` becomes where it is not positive.
const MOST_DOCUMENTS: i64 = 0x7fff_ffff;

/// The fields, as far as they are given.
#[derive(Default)]
pub struct StorageFields {
    capped: bool,
    size: Option<i64>,
    max: Option<i64>,
    clustered: Option<Vec<u8>>,
    expire_after: Option<i64>,
}

impl StorageFields {
    /// Takes a field if it is one of them.
    ///
    /// # Errors
    /// TypeMismatch for their types, 51024 for sizes below 1.
    pub fn take(&mut self, name: &str, v: Val<'_>) -> Result<bool> {
        match name {
            "capped" => self.capped = spec::bool("create.capped", v)?,
            "size" => self.size = Some(whole("size", v)?),
            "max" => self.max = Some(whole("max", v)?),
            "clusteredIndex" => self.clustered = clustered(v)?,
            "expireAfterSeconds" => self.expire_after = Some(whole("expireAfterSeconds", v)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Any of them given that a view cannot have? Its name then.
    pub fn foreign_to_views(&self) -> Option<&'static str> {
        match self {
            StorageFields { capped: true, .. } => Some("capped"),
            StorageFields { clustered: Some(_), .. } => Some("clusteredIndex"),
            _ => None,
        }
    }

    /// As the catalog keeps them; `None` for a collection like any other. Without `capped`, `size` and `max` say nothing.
    ///
    /// # Errors
    /// MongoDB's for fields that do not go together, and for bounds that can't be.
    pub fn options(&self) -> Result<Option<Vec<u8>>> {
        let mut w = DocWriter::new();
        if let Some(index) = &self.clustered {
            self.check_clustered()?;
            w.put_doc("clusteredIndex", Doc::trusted(index));
            if let Some(seconds) = self.expire_after {
                w.put("expireAfterSeconds", &Value::Int64(expiry(seconds)?));
            }
            return Ok(Some(w.finish()));
        }
        if !self.capped {
            return Ok(None);
        }
        let size = self.size.ok_or_else(|| {
            fail(codes::INVALID_OPTIONS, "the 'size' field is required when 'capped' is true")
        })?;
        bounds(&mut w, at_least_one("size", size)?, self.max)?;
        Ok(Some(w.finish()))
    }

    fn check_clustered(&self) -> Result<()> {
        let text = "field for capped collections is not allowed on clustered collections. Did you mean 'capped: true' with 'expireAfterSeconds'?";
        if self.size.is_some() {
            return Err(fail(codes::LOCATION6049200, format!("'size' {text}")));
        }
        if self.max.is_some() {
            return Err(fail(codes::LOCATION6049204, format!("'max' {text}")));
        }
        if self.capped {
            let text =
                "Clustered capped collection only available with 'enableTestCommands' server parameter";
            return Err(fail(codes::LOCATION6127800, text));
        }
        Ok(())
    }
}

/// Writes the options of a capped collection.
///
/// # Errors
/// BadValue for bounds that are out of their ranges.
pub fn bounds(w: &mut DocWriter, size: i64, max: Option<i64>) -> Result<()> {
    if size < 0 {
        return Err(fail(codes::BAD_VALUE, "size has to be >= 0"));
    }
    if size > MAX_SIZE {
        return Err(fail(codes::BAD_VALUE, "size cannot exceed 1 PB"));
    }
    w.put("capped", &Value::Bool(true)).put("size", &crate::admin::stats::number(size));
    if let Some(max) = max {
        if max > MOST_DOCUMENTS && max != i64::MAX {
            let text = "max in a capped collection has to be < 2^31 or not set";
            return Err(fail(codes::BAD_VALUE, text));
        }
        let max = if max <= 0 || max == i64::MAX { MOST_DOCUMENTS } else { max };
        w.put("max", &crate::admin::stats::number(max));
    }
    Ok(())
}

/// `clusteredIndex` with what it leaves out.
///
/// # Errors
/// MongoDB's for everything but a unique index on `{_id: 1}`.
fn clustered(v: Val<'_>) -> Result<Option<Vec<u8>>> {
    const PATH: &str = "create.clusteredIndex";
    if let Some(given) = v.as_bool() {
        if !given {
            return Ok(None);
        }
        let text = "The 'clusteredIndex' legacy format {clusteredIndex: <bool>} is only supported for specific internal collections";
        return Err(fail(codes::LOCATION5979703, text));
    }
    let (mut key, mut name, mut unique) = (None, "_id_", None);
    for e in spec::document(PATH, v)? {
        match e.name() {
            "key" => key = Some(spec::document(&format!("{PATH}.key"), e.val)?),
            "name" => name = spec::string(&format!("{PATH}.name"), e.val)?,
            "unique" => unique = Some(spec::bool(&format!("{PATH}.unique"), e.val)?),
            "v" if spec::integer(e.val) == Some(2) => {}
            "v" => return Err(fail(codes::CANNOT_CREATE_INDEX, "a clustered index has version 2")),
            other => return Err(spec::unknown(PATH, other)),
        }
    }
    let key = key.ok_or_else(|| spec::missing(&format!("{PATH}.key")))?;
    if !unique.ok_or_else(|| spec::missing(&format!("{PATH}.unique")))? {
        let text = "The clusteredIndex option requires unique: true to be specified";
        return Err(fail(codes::LOCATION5979700, text));
    }
    let ascending = key.first().is_some_and(|e| spec::integer(e.val) == Some(1));
    if !ascending || !crate::access::is_id_pattern(key) {
        let text = "The clusteredIndex option is only supported for key: {_id: 1}";
        return Err(fail(codes::INVALID_INDEX_SPECIFICATION_OPTION, text));
    }
    let mut id = DocWriter::new();
    id.put("_id", &Value::Int32(1));
    let mut w = DocWriter::new();
    w.put("v", &Value::Int32(2)).put_doc("key", Doc::trusted(&id.finish()));
    w.put_str("name", name).put("unique", &Value::Bool(true));
    Ok(Some(w.finish()))
}

/// A number of these fields, fractions cut off.
fn whole(field: &str, v: Val<'_>) -> Result<i64> {
    spec::integer(v).ok_or_else(|| {
        let got = v.type_name();
        let text = format!(
            "BSON field 'create.{field}' is the wrong type '{got}', expected types '[long, int, decimal, double']"
        );
        fail(codes::TYPE_MISMATCH, text)
    })
}

fn at_least_one(field: &str, n: i64) -> Result<i64> {
    if n >= 1 {
        return Ok(n);
    }
    let text = format!("BSON field '{field}' value must be >= 1, actual value '{n}'");
    Err(fail(codes::LOCATION51024, text))
}

/// Seconds after which documents of a clustered collection expire: the time since 1970 at most.
///
/// # Errors
/// InvalidOptions for anything else.
pub fn expiry(seconds: i64) -> Result<i64> {
    let option = "TTL index 'expireAfterSeconds' option";
    if seconds < 0 {
        return Err(fail(codes::INVALID_OPTIONS, format!("{option} cannot be less than 0.")));
    }
    if seconds > crate::read::now() / 1000 {
        let text =
            format!("{option} must be within an acceptable range, try a different number than {seconds}.");
        return Err(fail(codes::INVALID_OPTIONS, text));
    }
    Ok(seconds)
}
