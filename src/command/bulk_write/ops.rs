//! What a bulkWrite asks for: its namespaces and operations, read and checked before the first of them runs
//! (MongoDB manual, bulkWrite).
use bson::raw::{RawBsonRef, cstr};
use bson::{RawDocument, RawDocumentBuf};
use bytes::{Bytes, BytesMut};

use super::super::options::{missing, number, unknown_field, wrong_type};
use super::super::request::{Request, check_database};
use super::super::writes::{MAX_BATCH, split_document};
use crate::error::{CommandError, Result, codes};
use crate::reply::ok::is_true;
use crate::reply::text;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Insert,
    Update,
    Delete,
}

/// One operation, in the words of insert, update and delete.
#[derive(Debug)]
pub(super) struct Op {
    pub kind: Kind,
    /// The place of its namespace in `nsInfo`.
    pub namespace: usize,
    /// The document, or `{q, u, …}`.
    pub write: RawDocumentBuf,
}

/// A namespace, taken apart.
#[derive(Debug)]
pub(super) struct Namespace {
    pub db: String,
    pub collection: String,
}

/// All documents of an array field or of its document sequences.
///
/// # Errors
/// 40414 when it is missing, 14 when it is no array of documents.
fn documents(request: &Request<'_>, field: &str) -> Result<Vec<RawDocumentBuf>> {
    let path = format!("{}.{field}", request.spec.name);
    match request.get(field)? {
        Some(RawBsonRef::Array(array)) => array
            .into_iter()
            .enumerate()
            .map(|(at, element)| {
                let element = element?;
                let document = element.as_document().map(ToOwned::to_owned);
                document.ok_or_else(|| wrong_type(&format!("{path}.{at}"), element, "object"))
            })
            .collect(),
        Some(other) => Err(wrong_type(&path, other, "array")),
        None => {
            let mut all = BytesMut::new();
            let mut found = false;
            for sequence in request.sequences {
                if *sequence.identifier == *field.as_bytes() {
                    all.extend_from_slice(&sequence.documents);
                    found = true;
                }
            }
            if !found {
                return Err(missing(request.spec.name, field));
            }
            each(&all.freeze())
        }
    }
}

fn each(bytes: &Bytes) -> Result<Vec<RawDocumentBuf>> {
    let mut rest: &[u8] = bytes;
    let mut documents = Vec::new();
    while let Some((first, after)) = split_document(rest) {
        documents.push(RawDocument::from_bytes(first)?.to_owned());
        rest = after;
    }
    Ok(documents)
}

/// The namespaces that the operations go to.
///
/// # Errors
/// 73 for a name that is none; 115 for an option that is not supported.
pub(super) fn namespaces(request: &Request<'_>) -> Result<Vec<Namespace>> {
    const STRUCT: &str = "NamespaceInfoEntry";
    let namespace = |entry: &RawDocumentBuf| {
        let mut ns = None;
        for element in entry.iter_elements() {
            let element = element?;
            match (element.key().as_str(), element.value()?) {
                ("ns", RawBsonRef::String(name)) => ns = Some(name),
                ("ns", other) => return Err(wrong_type("bulkWrite.nsInfo.ns", other, "string")),
                (name @ ("collectionUUID" | "encryptionInformation"), _) => return Err(unsupported(name)),
                ("isTimeseriesNamespace", value) if !is_true(value) => {}
                (name, _) => return Err(unknown_field(STRUCT, name)),
            }
        }
        let ns = ns.ok_or_else(|| missing(STRUCT, "ns"))?;
        let (db, collection) = ns.split_once('.').unwrap_or((ns, ""));
        if collection.is_empty() || collection.contains('\0') {
            let message = format!("Invalid namespace specified '{ns}'");
            return Err(CommandError::client(codes::INVALID_NAMESPACE, message));
        }
        check_database(db)?;
        Ok(Namespace { db: db.to_owned(), collection: collection.to_owned() })
    };
    documents(request, "nsInfo")?.iter().map(namespace).collect()
}

/// The operations.
///
/// # Errors
/// 16 for a batch of the wrong size, 2 for one that names no namespace; MongoDB's errors for its fields.
pub(super) fn operations(request: &Request<'_>, namespaces: usize) -> Result<Vec<Op>> {
    let documents = documents(request, "ops")?;
    let count = documents.len();
    if count == 0 || count > MAX_BATCH {
        let message = format!("Write batch sizes must be between 1 and {MAX_BATCH}. Got {count} operations.");
        return Err(CommandError::client(codes::INVALID_LENGTH, message));
    }
    documents.iter().map(|document| operation(document, namespaces)).collect()
}

fn operation(document: &RawDocument, namespaces: usize) -> Result<Op> {
    let first = document.iter_elements().next().transpose()?;
    let (kind, name, known) = match first.map(|element| element.key().as_str()) {
        Some("insert") => (Kind::Insert, "BulkWriteInsertOp", INSERT),
        Some("update") => (Kind::Update, "BulkWriteUpdateOp", UPDATE),
        Some("delete") => (Kind::Delete, "BulkWriteDeleteOp", DELETE),
        _ => {
            let message =
                "Unrecognized bulkWrite operation type: the first field has to be insert, update or delete";
            return Err(CommandError::client(codes::FAILED_TO_PARSE, message));
        }
    };
    let mut fields = Fields::default();
    for (position, element) in document.iter_elements().enumerate() {
        let element = element?;
        let (key, value) = (element.key().as_str(), element.value()?);
        if position == 0 {
            fields.namespace = Some(value);
            continue;
        }
        let Some((_, renamed)) = known.iter().find(|(field, _)| *field == key) else {
            return Err(match key {
                "return" | "returnFields" | "upsertSupplied" => unsupported(key),
                _ => unknown_field(name, key),
            });
        };
        fields.set(name, key, renamed, value)?;
    }
    let place = fields.namespace.and_then(number).unwrap_or(-1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "as saturates, and the range is checked"
    )]
    let namespace = place as usize;
    #[expect(clippy::cast_precision_loss, reason = "a message holds fewer namespaces than a double counts")]
    let valid = place >= 0.0 && place.fract() == 0.0 && place < namespaces as f64;
    if !valid {
        let message =
            format!("BulkWrite ops entry {} has an invalid nsInfo index.", text::document(document));
        return Err(CommandError::client(codes::BAD_VALUE, message));
    }
    Ok(Op { kind, namespace, write: fields.write(kind, name)? })
}

/// The fields of an operation, and what update and delete call them. Empty: told to nobody.
type Known = &'static [(&'static str, &'static str)];

const INSERT: Known = &[("document", "document")];
const UPDATE: Known = &[
    ("filter", "q"),
    ("updateMods", "u"),
    ("multi", "multi"),
    ("upsert", "upsert"),
    ("arrayFilters", "arrayFilters"),
    ("hint", "hint"),
    ("collation", "collation"),
    ("sort", "sort"),
    ("constants", "c"),
    ("sampleId", ""),
];
const DELETE: Known =
    &[("filter", "q"), ("multi", "limit"), ("hint", "hint"), ("collation", "collation"), ("sampleId", "")];

/// What was read of an operation so far.
#[derive(Default)]
struct Fields<'a> {
    namespace: Option<RawBsonRef<'a>>,
    document: Option<&'a RawDocument>,
    multi: bool,
    has_filter: bool,
    has_mods: bool,
    rest: RawDocumentBuf,
}

impl<'a> Fields<'a> {
    fn set(&mut self, op: &str, name: &str, renamed: &str, value: RawBsonRef<'a>) -> Result<()> {
        let path = || format!("{op}.{name}");
        match (name, value) {
            ("document", RawBsonRef::Document(document)) => self.document = Some(document),
            ("document" | "filter" | "collation" | "sort", other) if other.as_document().is_none() => {
                return Err(wrong_type(&path(), other, "object"));
            }
            ("arrayFilters", other) if other.as_array().is_none() => {
                return Err(wrong_type(&path(), other, "array"));
            }
            ("multi", value) if matches!(value, RawBsonRef::Boolean(_)) || number(value).is_some() => {
                self.multi = is_true(value);
            }
            ("multi", other) => return Err(wrong_type(&path(), other, "bool")),
            _ if renamed.is_empty() => {}
            _ => {
                self.has_filter |= name == "filter";
                self.has_mods |= name == "updateMods";
                if let Ok(key) = <&bson::raw::CStr>::try_from(renamed) {
                    self.rest.append(key, value);
                }
            }
        }
        Ok(())
    }

    fn write(mut self, kind: Kind, op: &str) -> Result<RawDocumentBuf> {
        if kind == Kind::Insert {
            return self.document.map(ToOwned::to_owned).ok_or_else(|| missing(op, "document"));
        }
        if !self.has_filter {
            return Err(missing(op, "filter"));
        }
        if kind == Kind::Delete {
            self.rest.append(cstr!("limit"), i32::from(!self.multi));
            return Ok(self.rest);
        }
        if !self.has_mods {
            return Err(missing(op, "updateMods"));
        }
        self.rest.append(cstr!("multi"), self.multi);
        Ok(self.rest)
    }
}

fn unsupported(field: &str) -> CommandError {
    let message = format!("The option '{field}' of the command 'bulkWrite' is not supported");
    CommandError::client(codes::COMMAND_NOT_SUPPORTED, message)
}
