//! create: its options go to the extension. What can be told from the fields alone is told here, whichever extension it is.
use bson::RawDocument;
use bson::raw::RawBsonRef;

use super::Call;
use super::options::{missing, number, wrong_type};
use super::request::Request;
use crate::error::{Code, CommandError, Result, codes};
use crate::reply::Reply;
use crate::reply::ok::{self, is_true};
use crate::sql::{Param, calls, run};

/// Deepest document that a message shows whole.
const SHOWN_DEPTH: usize = 8;

/// create.
pub(super) async fn run(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    check(request)?;
    if request.get("collation")?.is_some_and(|value| !is_simple(value)) {
        let (row, _lease) = call.write(&calls::KEEPS_COLLATION, &[]).await?;
        if !run::flag(&row, 0)? {
            return Err(CommandError::client(
                codes::COMMAND_NOT_SUPPORTED,
                "The option 'collation' of the command 'create' is not supported by the installed storage extension",
            ));
        }
    }
    let (db, body) = (request.db, request.forward.as_bytes());
    let params: [Param<'_>; 2] = [&db, &body];
    let (row, _lease) = call.write(&calls::CREATE, &params).await?;
    let reply = run::document(&row, 0)?;
    Ok(ok::with_double_ok(RawDocument::from_bytes(&reply)?)?.into())
}

/// MongoDB's rules for fields that do not go together or ask for something that this server cannot be asked for, in its order.
fn check(request: &Request<'_>) -> Result<()> {
    if let Some(engines) = request.get("storageEngine")? {
        check_storage_engine("create.storageEngine", engines)?;
    }
    let id_index = match request.get("idIndex")? {
        None | Some(RawBsonRef::Null) => None,
        Some(RawBsonRef::Document(spec)) => Some(spec),
        Some(other) => return Err(wrong_type("create.idIndex", other, "object")),
    };
    let encrypted = encrypted_fields(request)?;
    let capped = request.get("capped")?.is_some_and(is_true);
    let clustered = request.get("clusteredIndex")?.is_some();
    if !capped && !clustered && (request.get("size")?.is_some() || request.get("max")?.is_some()) {
        return invalid(
            "the 'capped' field needs to be true when either the 'size' or 'max' fields are present",
        );
    }
    let view = request.get("viewOn")?;
    if encrypted {
        let error = |code, text: &'static str| Err(CommandError::client(Code(code), text));
        if capped {
            return error(6_367_301, "Encrypted fields cannot be used with capped collections");
        }
        if view.is_some() || request.get("timeseries")?.is_some() {
            return error(6_346_401, "Encrypted fields cannot be used with views or timeseries collections");
        }
        return error(6_346_402, "Encrypted collections are not supported on standalone");
    }
    let timed = request.get("timeseries")?.is_some() || clustered;
    if !timed && request.get("expireAfterSeconds")?.is_some() {
        return invalid(
            "'expireAfterSeconds' is only supported on time-series collections or when the 'clusteredIndex' option is specified",
        );
    }
    if let Some(spec) = id_index {
        for (name, other) in [("viewOn", view), ("autoIndexId", request.get("autoIndexId")?)] {
            if other.is_some() {
                return invalid(format!("'idIndex' is not allowed with '{name}': {}", shown(spec)?));
            }
        }
        let collation = request.get("collation")?.and_then(|collation| collation.as_document());
        check_id_index(spec, collation)?;
    }
    view.map_or(Ok(()), check_view_on)
}

fn invalid<T>(message: impl Into<std::borrow::Cow<'static, str>>) -> Result<T> {
    Err(CommandError::client(codes::INVALID_OPTIONS, message))
}

/// True where `encryptedFields` is given.
///
/// # Errors
/// 14 for no document, 40414 without `fields`.
fn encrypted_fields(request: &Request<'_>) -> Result<bool> {
    const FIELD: &str = "create.encryptedFields";
    match request.get("encryptedFields")? {
        None | Some(RawBsonRef::Null) => Ok(false),
        Some(RawBsonRef::Document(given)) => match given.get("fields")? {
            Some(RawBsonRef::Array(_)) => Ok(true),
            Some(other) => Err(wrong_type("create.encryptedFields.fields", other, "array")),
            None => Err(missing(FIELD, "fields")),
        },
        Some(other) => Err(wrong_type(FIELD, other, "object")),
    }
}

/// `viewOn` must be a name that a collection can have. Other types are the extension's to refuse.
///
/// # Errors
/// 73.
pub(super) fn check_view_on(on: RawBsonRef<'_>) -> Result<()> {
    match on {
        RawBsonRef::String(name) if name.starts_with('.') || name.contains(['$', '\0']) => {
            Err(CommandError::client(codes::INVALID_NAMESPACE, format!("invalid name for 'viewOn': {name}")))
        }
        _ => Ok(()),
    }
}

/// `{engine: {…}}`: only MongoDB's own engine is known by name, and its settings mean nothing here.
///
/// # Errors
/// 14 for no document, 2 for a value that is none, 72 for another engine.
pub(super) fn check_storage_engine(field: &str, engines: RawBsonRef<'_>) -> Result<()> {
    let engines = match engines {
        RawBsonRef::Null => return Ok(()),
        RawBsonRef::Document(engines) => engines,
        other => return Err(wrong_type(field, other, "object")),
    };
    for element in engines {
        let (name, settings) = element?;
        if settings.as_document().is_none() {
            let text = format!("'storageEngine.{name}' has to be an embedded document.");
            return Err(CommandError::client(codes::BAD_VALUE, text));
        }
        if name != "wiredTiger" {
            return invalid(format!("{name} is not a registered storage engine for this server"));
        }
    }
    Ok(())
}

/// The specification of the index on `_id`, which every collection has anyway: it can only say the same.
fn check_id_index(spec: &RawDocument, collation: Option<&RawDocument>) -> Result<()> {
    let within = |text: String| -> Result<String> {
        Ok(format!("Error in specification {} :: caused by :: {text}", shown(spec)?))
    };
    for element in spec {
        let name = element?.0;
        if !matches!(name.as_str(), "key" | "name" | "v" | "ns" | "collation") {
            let text = format!(
                "The field '{name}' is not valid for an _id index specification. Specification: {}",
                shown(spec)?
            );
            return Err(CommandError::client(codes::INVALID_INDEX_SPECIFICATION_OPTION, within(text)?));
        }
    }
    for field in ["key", "name"] {
        if spec.get(field)?.is_none() {
            let text = format!("The '{field}' field is a required property of an index specification");
            return Err(CommandError::client(codes::FAILED_TO_PARSE, within(text)?));
        }
    }
    let key = match spec.get("key")? {
        Some(RawBsonRef::Document(key)) => key,
        Some(other) => {
            let got = super::options::type_name(other.element_type());
            let text = within(format!("The field 'key' must be an object, but got {got}"))?;
            return Err(CommandError::client(codes::TYPE_MISMATCH, text));
        }
        None => return Ok(()),
    };
    let mut fields = key.iter();
    let first = fields.next().transpose()?;
    let ascending = first.is_some_and(|(name, value)| name == "_id" && number(value) == Some(1.0));
    if !ascending || fields.next().is_some() {
        let text = format!("The field 'key' for an _id index must be {{_id: 1}}, but got {}", shown(key)?);
        return Err(CommandError::client(codes::BAD_VALUE, text));
    }
    let own = spec.get("collation")?.and_then(|collation| collation.as_document());
    let simple = |given: Option<&RawDocument>| given.is_none_or(|d| is_simple(RawBsonRef::Document(d)));
    // Without a collation of its own the index takes the collection's.
    if own.is_some_and(|own| collation.is_none_or(|c| c != own) && !(simple(Some(own)) && simple(collation)))
    {
        return Err(CommandError::client(
            codes::BAD_VALUE,
            "'idIndex' must have the same collation as the collection.",
        ));
    }
    Ok(())
}

/// The collation that compares bytes, or none. Anything else is the extension's to judge.
fn is_simple(collation: RawBsonRef<'_>) -> bool {
    collation.as_document().is_some_and(|collation| {
        collation.is_empty() || collation.get_str("locale").is_ok_and(|locale| locale == "simple")
    })
}

/// A specification as MongoDB's messages show one.
fn shown(document: &RawDocument) -> Result<String> {
    write(document, SHOWN_DEPTH)
}

fn write(document: &RawDocument, depth: usize) -> Result<String> {
    let mut fields = Vec::new();
    for element in document {
        let (name, value) = element?;
        let value = match value {
            RawBsonRef::Document(inner) if depth > 0 => write(inner, depth - 1)?,
            RawBsonRef::String(text) => format!("\"{text}\""),
            RawBsonRef::Boolean(value) => value.to_string(),
            RawBsonRef::Double(value) => format!("{value:?}"),
            RawBsonRef::Int32(value) => value.to_string(),
            RawBsonRef::Int64(value) => value.to_string(),
            RawBsonRef::Null => "null".to_owned(),
            _ => "...".to_owned(),
        };
        fields.push(format!("{name}: {value}"));
    }
    Ok(if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) })
}
