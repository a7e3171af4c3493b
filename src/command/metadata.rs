//! validateDBMetadata: what is stored and version 1 of the stable API does not have (MongoDB manual, `validateDBMetadata`).
use bson::raw::RawBsonRef;
use bson::{RawArrayBuf, RawDocument, rawdoc};

use super::Call;
use super::crud::all;
use super::options::{missing, unknown_field, wrong_type};
use crate::error::{Result, codes};
use crate::reply::Reply;
use crate::reply::ok::is_true;
use crate::sql::{Param, calls, run};

/// Stages that a view can begin with and that no version of the stable API has.
const UNSTABLE_STAGES: &[&str] = &[
    "$currentOp",
    "$indexStats",
    "$listLocalSessions",
    "$listSessions",
    "$planCacheStats",
    "$search",
    "$searchMeta",
];
/// Types of indexes that it does not have either; sparse ones are the third kind.
const UNSTABLE_INDEXES: &[&str] = &["text", "geoHaystack"];
/// No more is told than fits into a reply (bytes).
const MAX_ERRORS: usize = 15 * 1024 * 1024;

/// What was found.
#[derive(Default)]
struct Findings {
    errors: RawArrayBuf,
    bytes: usize,
    more: bool,
}

impl Findings {
    fn add(&mut self, ns: &str, message: &str) {
        let code = codes::API_STRICT_ERROR;
        let error = rawdoc! { "ns": ns, "code": code.0, "codeName": &*code.name(), "errmsg": message };
        self.bytes = self.bytes.saturating_add(error.as_bytes().len());
        if self.bytes > MAX_ERRORS {
            self.more = true;
        } else {
            self.errors.push(error);
        }
    }

    fn view(&mut self, ns: &str, pipeline: RawBsonRef<'_>) -> Result<()> {
        for stage in pipeline.as_array().into_iter().flatten() {
            let stage = stage?;
            let Some(stage) = stage.as_document() else { continue };
            let Some((name, _)) = stage.iter().next().transpose()? else { continue };
            if UNSTABLE_STAGES.contains(&name.as_str()) {
                let message = format!("stage {name} is not allowed with 'apiStrict: true' in API Version 1");
                self.add(ns, &message);
                return Ok(());
            }
        }
        Ok(())
    }

    fn index(&mut self, ns: &str, index: &RawDocument) -> Result<()> {
        let key = index.get("key")?.and_then(|key| key.as_document());
        let typed = key.into_iter().flatten().flatten().any(|(_, direction)| {
            direction.as_str().is_some_and(|direction| UNSTABLE_INDEXES.contains(&direction))
        });
        if typed || index.get("sparse")?.is_some_and(is_true) {
            let name = index.get("name")?.and_then(|name| name.as_str()).unwrap_or_default();
            self.add(ns, &format!("The index with name {name} is not allowed in API version 1."));
        }
        Ok(())
    }
}

/// The command.
pub(super) async fn validate(call: Call<'_>) -> Result<Reply> {
    let (db, collection) = (text(&call, "db")?, text(&call, "collection")?);
    let mut found = Findings::default();
    if is_strict(&call)? {
        let dbs = match db {
            Some(db) => vec![db.to_owned()],
            None => databases(&call).await?,
        };
        for db in dbs {
            check(&call, &db, collection, &mut found).await?;
            if found.more {
                break;
            }
        }
    }
    let mut out = rawdoc! { "apiVersionErrors": found.errors };
    if found.more {
        out.append(bson::raw::cstr!("hasMoreErrors"), true);
    }
    out.append(bson::raw::cstr!("ok"), 1.0);
    Ok(out.into())
}

fn text<'a>(call: &Call<'a>, field: &str) -> Result<Option<&'a str>> {
    match call.request.get(field)? {
        None | Some(RawBsonRef::Null) => Ok(None),
        Some(RawBsonRef::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong_type(&format!("validateDBMetadata.{field}"), other, "string")),
    }
}

/// Whether version 1 is to be held to strictly: nothing is deprecated in it.
fn is_strict(call: &Call<'_>) -> Result<bool> {
    let of = "validateDBMetadata.apiParameters";
    let parameters = match call.request.get("apiParameters")? {
        None => return Err(missing("validateDBMetadata", "apiParameters")),
        Some(RawBsonRef::Document(parameters)) => parameters,
        Some(other) => return Err(wrong_type(of, other, "object")),
    };
    let (mut version, mut strict) = (None, false);
    for element in parameters {
        let (name, value) = element?;
        match (name.as_str(), value) {
            ("version", RawBsonRef::String(text)) => version = Some(text),
            ("version", other) => return Err(wrong_type(&format!("{of}.version"), other, "string")),
            ("strict" | "deprecationErrors", RawBsonRef::Null) => {}
            ("strict", RawBsonRef::Boolean(given)) => strict = given,
            ("deprecationErrors", RawBsonRef::Boolean(_)) => {}
            (name @ ("strict" | "deprecationErrors"), other) => {
                return Err(wrong_type(&format!("{of}.{name}"), other, "bool"));
            }
            (other, _) => return Err(unknown_field(of, other)),
        }
    }
    let version = version.ok_or_else(|| missing(of, "version"))?;
    Ok(strict && version == "1")
}

async fn databases(call: &Call<'_>) -> Result<Vec<String>> {
    let spec = rawdoc! { "listDatabases": 1, "nameOnly": true, "$db": "admin" };
    let spec = spec.as_bytes();
    let params: [Param<'_>; 1] = [&spec];
    let (row, _lease) = call.read(&calls::LIST_DATABASES, &params).await?;
    let reply = run::document(&row, 0)?;
    let mut names = Vec::new();
    for database in RawDocument::from_bytes(&reply)?.get_array("databases")? {
        if let RawBsonRef::Document(database) = database? {
            names.push(database.get_str("name")?.to_owned());
        }
    }
    Ok(names)
}

async fn check(call: &Call<'_>, db: &str, collection: Option<&str>, found: &mut Findings) -> Result<()> {
    let mut list = rawdoc! { "listCollections": 1, "$db": db };
    if let Some(name) = collection {
        list.append(bson::raw::cstr!("filter"), rawdoc! { "name": name });
    }
    for entry in all(call, db, &calls::LIST_COLLECTIONS, &list).await? {
        let name = entry.get_str("name")?;
        let ns = format!("{db}.{name}");
        if entry.get("type")?.and_then(|kind| kind.as_str()) == Some("view") {
            let options = entry.get("options")?.and_then(|options| options.as_document());
            if let Some(pipeline) = options.and_then(|options| options.get("pipeline").ok().flatten()) {
                found.view(&ns, pipeline)?;
            }
            continue;
        }
        let list = rawdoc! { "listIndexes": name, "$db": db };
        match all(call, db, &calls::LIST_INDEXES, &list).await {
            Ok(indexes) => {
                for index in &indexes {
                    found.index(&ns, index)?;
                }
            }
            // Dropped meanwhile.
            Err(error) if error.code == codes::NAMESPACE_NOT_FOUND => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
