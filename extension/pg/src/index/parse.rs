//! One element of createIndexes' `indexes`.

use engine::collation::Collation;
use engine::raw::View;
use engine::{Code, Doc, DocWriter, Error, Val, Value, codes};

use super::partial::check_partial;
use super::pattern::{IGNORED, check_id_index, check_kinds, is_text};
use super::{geo, show};
use crate::catalog::Index;
use crate::error::Result;

/// An index as it is asked for.
#[derive(Clone)]
pub struct Spec {
    /// Name.
    pub name: String,
    /// Key pattern.
    pub key: Vec<u8>,
    /// partialFilterExpression.
    pub partial: Option<Vec<u8>>,
    /// Leaves out documents without the fields.
    pub sparse: bool,
    /// wildcardProjection.
    pub wildcard: Option<Vec<u8>>,
    /// `weights`, `default_language`, `language_override` and `textIndexVersion` of a text index.
    pub text: Option<Vec<u8>>,
    /// Refuses equal keys.
    pub unique: bool,
    /// `v`.
    pub version: i32,
    /// TTL, in seconds.
    pub expire_after: Option<i32>,
    /// Not used unless hinted.
    pub hidden: bool,
    /// Options of a geospatial index, as listIndexes shows them.
    pub geo: Vec<(String, Value)>,
    /// How its keys order strings; `None` as the collection does.
    pub collation: Option<Collation>,
}

/// An error about the specification `d`.
pub(super) fn wrong(d: Doc<'_>, code: Code, cause: impl std::fmt::Display) -> crate::error::Error {
    let text = format!("Error in specification {} :: caused by :: {cause}", show::document(d));
    Error::new(code, text).into()
}

impl Spec {
    /// Reads a specification. `lenient`: fields nobody knows are passed over.
    ///
    /// # Errors
    /// MongoDB's codes with the official extension's words.
    pub fn parse(d: Doc<'_>, lenient: bool) -> Result<Spec> {
        let mut s = Spec {
            name: String::new(),
            key: Vec::new(),
            partial: None,
            sparse: false,
            wildcard: None,
            text: None,
            unique: false,
            version: 2,
            expire_after: None,
            hidden: false,
            geo: Vec::new(),
            collation: None,
        };
        let (mut name, mut key, mut projection) = (None, None, None);
        for e in d {
            let v = e.val;
            match e.name() {
                "key" => key = Some(v.as_doc().ok_or_else(|| must_be(d, "key", "an object", v))?),
                "name" => name = Some(v.as_str().ok_or_else(|| must_be(d, "name", "a string", v))?),
                "unique" => s.unique = flag(d, "unique", v)?,
                "sparse" => s.sparse = flag(d, "sparse", v)?,
                "hidden" => s.hidden = v.as_bool().ok_or_else(|| must_be(d, "hidden", "a bool", v))?,
                "partialFilterExpression" => {
                    let filter =
                        v.as_doc().ok_or_else(|| must_be(d, "partialFilterExpression", "an object", v))?;
                    check_partial(d, filter)?;
                    s.partial = Some(filter.bytes().to_vec());
                }
                "expireAfterSeconds" => s.expire_after = Some(seconds(d, v)?),
                "v" => s.version = version(d, v)?,
                "collation" => {
                    let spec = v.as_doc().ok_or_else(|| must_be(d, "collation", "an object", v))?;
                    if spec.is_empty() {
                        let cause = "The field 'collation' cannot be an empty object.";
                        return Err(wrong(d, codes::BAD_VALUE, cause));
                    }
                    s.collation = Some(Collation::parse(spec).map_err(|e| wrong(d, e.code, e.message))?);
                }
                "weights" | "default_language" | "language_override" | "textIndexVersion" if is_text(d) => {}
                "weights" | "default_language" | "language_override" | "textIndexVersion" => {
                    let cause = format!("the field '{}' can only be specified with text indexes", e.name());
                    check_kinds(d, key)?;
                    return Err(wrong(d, codes::INVALID_INDEX_SPECIFICATION_OPTION, cause));
                }
                "wildcardProjection" => projection = Some(v),
                name if IGNORED.contains(&name) => {}
                // Options of other kinds of indexes: those are refused with their key pattern.
                "cosmosSearchOptions" if key.is_some() => check_kinds(d, key)?,
                // Read with the key pattern, below.
                name if geo::OPTIONS.contains(&name) => {}
                name if lenient => {
                    let _ = name;
                }
                name => {
                    let cause = format!(
                        "The field '{name}' is not valid for an index specification. Specification: {}",
                        show::document(d)
                    );
                    return Err(wrong(d, codes::INVALID_INDEX_SPECIFICATION_OPTION, cause));
                }
            }
        }
        let required = |f| format!("The '{f}' field is a required property of an index specification");
        let key = key.ok_or_else(|| wrong(d, codes::FAILED_TO_PARSE, required("key")))?;
        let name = name.ok_or_else(|| wrong(d, codes::FAILED_TO_PARSE, required("name")))?;
        check_kinds(d, Some(key))?;
        s.wildcard = super::wild::check(d, key, projection)?;
        s.check(d, key, name)?;
        s.geo = geo::options(d, key)?;
        s.name = name.to_owned();
        s.key = key.bytes().to_vec();
        if is_text(d) {
            (s.key, s.text) = super::text::fix(d, key).map(|(key, options)| (key, Some(options)))?;
        }
        Ok(s)
    }

    fn check(&self, d: Doc<'_>, key: Doc<'_>, name: &str) -> Result<()> {
        let option = codes::INVALID_INDEX_SPECIFICATION_OPTION;
        if name.is_empty() {
            return Err(wrong(d, codes::CANNOT_CREATE_INDEX, "The index name cannot be empty"));
        }
        if name == "*" {
            return Err(wrong(d, codes::BAD_VALUE, "The index name '*' is not valid"));
        }
        if self.sparse && self.partial.is_some() {
            return Err(wrong(d, option, "cannot mix \"partialFilterExpression\" and \"sparse\" options"));
        }
        check_id_index(d, key)?;
        if name == "_id_" && !crate::access::is_id_pattern(key) {
            let cause = format!(
                "The index name '_id_' is reserved for the _id index, which must have key pattern {{_id: 1}}, found key: {}",
                show::document(key)
            );
            return Err(wrong(d, codes::BAD_VALUE, cause));
        }
        if self.expire_after.is_some() && key.iter().nth(1).is_some() {
            let cause = format!(
                "TTL indexes are single-field indexes, compound indexes do not support TTL. Index spec: {}",
                show::document(d)
            );
            return Err(wrong(d, codes::CANNOT_CREATE_INDEX, cause));
        }
        Ok(())
    }

    /// The index as listIndexes would show it.
    pub fn shown(&self) -> Vec<u8> {
        crate::read::index_entry(&self.as_index(0))
    }

    /// As the catalog would have it under number `id`.
    pub fn as_index(&self, id: i32) -> Index {
        Index {
            id,
            name: self.name.clone(),
            key: self.key.clone(),
            partial: self.partial.clone(),
            wildcard: self.wildcard.clone(),
            sparse: self.sparse,
            unique: self.unique,
            version: self.version,
            expire_after: self.expire_after,
            collation: self.collation(),
            options: self.options(),
            valid: true,
            relation: pgrx::pg_sys::InvalidOid,
        }
    }

    /// Options that the catalog has no column for.
    pub fn options(&self) -> Option<Vec<u8>> {
        let mut w = DocWriter::new();
        if self.hidden {
            w.put("hidden", &Value::Bool(true));
        }
        for (name, v) in &self.geo {
            w.put(name, v);
        }
        if let Some(text) = &self.text {
            w.put_elements(Doc::trusted(text).elements());
        }
        if let Some(spec) = self.collation().spec() {
            w.put_doc("collation", spec);
        }
        let w = w.finish();
        (!Doc::trusted(&w).is_empty()).then_some(w)
    }

    /// How its keys order strings; the simple collation where that is still open.
    pub fn collation(&self) -> Collation {
        self.collation.clone().unwrap_or_default()
    }
}

pub(super) fn must_be(d: Doc<'_>, field: &str, what: &str, v: Val<'_>) -> crate::error::Error {
    let cause = format!("The field '{field}' must be {what}, but got {}", v.type_name());
    wrong(d, codes::TYPE_MISMATCH, cause)
}

fn flag(d: Doc<'_>, field: &str, v: Val<'_>) -> Result<bool> {
    match v.view() {
        View::Bool(b) => Ok(b),
        _ if v.is_number() => Ok(engine::number::to_f64(v) != 0.0),
        _ => {
            let shown = show::value(v);
            let cause =
                format!("The field '{field}' has value {field}: {shown}, which is not convertible to bool");
            Err(wrong(d, codes::TYPE_MISMATCH, cause))
        }
    }
}

fn version(d: Doc<'_>, v: Val<'_>) -> Result<i32> {
    if !v.is_number() {
        return Err(must_be(d, "v", "a number", v));
    }
    match engine::number::exact_i64(v) {
        Some(1) => Ok(1),
        Some(2) => Ok(2),
        _ => {
            let cause = format!(
                "Invalid index specification {}; cannot create an index with v={}",
                show::document(d),
                show::value(v)
            );
            Err(wrong(d, codes::CANNOT_CREATE_INDEX, cause))
        }
    }
}

fn seconds(d: Doc<'_>, v: Val<'_>) -> Result<i32> {
    let fail = |cause: String| Err(wrong(d, codes::CANNOT_CREATE_INDEX, cause));
    if !v.is_number() {
        let t = v.type_name();
        return fail(format!(
            "TTL index 'expireAfterSeconds' option must be numeric, but received a type of '{t}'. Index spec: {}",
            show::document(d)
        ));
    }
    let n = engine::number::to_f64(v);
    if n < 0.0 {
        return fail(format!(
            "TTL index 'expireAfterSeconds' option cannot be less than 0. Index spec: {}",
            show::document(d)
        ));
    }
    if n.is_nan() || n > f64::from(i32::MAX) {
        return fail(format!(
            "TTL index 'expireAfterSeconds' option must be within an acceptable range, try a lower number. Index spec: {}",
            show::document(d)
        ));
    }
    #[allow(clippy::cast_possible_truncation, reason = "within int32 by the checks above")]
    Ok(n as i32)
}
