//! drop, renameCollection, collMod and collStats.
use bson::raw::{RawArray, RawBsonRef, cstr};
use bson::{RawArrayBuf, RawDocument, RawDocumentBuf, rawdoc};

use super::options::{missing, not_a_number, number, wrong_type};
use super::request::{Request, check_database, required_str};
use super::{Call, create, crud};
use crate::error::{Code, CommandError, Result, codes};
use crate::reply::Reply;
use crate::reply::ok;
use crate::sql::{Param, calls, run};

/// drop: a missing collection is no error, as in MongoDB 7.
pub(super) async fn drop(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let (db, collection) = (request.db, request.collection()?);
    let params: [Param<'_>; 2] = [&db, &collection];
    let (row, _lease) = call.write(&calls::DROP, &params).await?;
    let indexes = run::number(&row, 0)?;
    if !run::flag(&row, 1)? {
        return Ok(ok::plain());
    }
    let mut reply = rawdoc! {};
    // A view has none, and MongoDB does not tell of them then.
    if indexes > 0 {
        reply.append(cstr!("nIndexesWas"), i32::try_from(indexes).unwrap_or(i32::MAX));
    }
    reply.append(cstr!("ns"), format!("{db}.{collection}"));
    reply.append(cstr!("ok"), 1.0);
    Ok(reply.into())
}

/// listCollections.
pub(super) async fn list(call: Call<'_>) -> Result<Reply> {
    let reply = crud::first_page(call, &calls::LIST_COLLECTIONS).await?;
    Ok(listed(RawDocument::from_bytes(&reply.body)?)?.into())
}

/// The page as MongoDB has it: a view has no `idIndex`, and the extension writes the cursor's namespace in its own way.
fn listed(page: &RawDocument) -> Result<RawDocumentBuf> {
    let mut out = RawDocumentBuf::new();
    for element in page.iter_elements() {
        let element = element?;
        match element.value()? {
            RawBsonRef::Document(cursor) if element.key() == "cursor" => {
                let mut told = RawDocumentBuf::new();
                for part in cursor.iter_elements() {
                    let part = part?;
                    match part.value()? {
                        RawBsonRef::String(ns) if part.key() == "ns" => {
                            told.append(
                                part.key(),
                                ns.replace("$cmd.ListCollections", "$cmd.listCollections"),
                            );
                        }
                        RawBsonRef::Array(batch) if part.key() == "firstBatch" => {
                            told.append(part.key(), entries(batch)?);
                        }
                        other => told.append(part.key(), other),
                    }
                }
                out.append(element.key(), told);
            }
            other => out.append(element.key(), other),
        }
    }
    Ok(out)
}

fn entries(batch: &RawArray) -> Result<RawArrayBuf> {
    let mut out = RawArrayBuf::new();
    for entry in batch {
        match entry? {
            RawBsonRef::Document(entry) if matches!(entry.get("idIndex")?, Some(RawBsonRef::Null)) => {
                out.push(ok::without(entry, &["idIndex"])?);
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

/// renameCollection.
pub(super) async fn rename(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let RawBsonRef::String(from) = request.target else {
        return Err(wrong_type("renameCollection.renameCollection", request.target, "string"));
    };
    let to = required_str(request, "to")?;
    let drop_target = match request.get("dropTarget")? {
        None | Some(RawBsonRef::Null) => false,
        Some(RawBsonRef::Boolean(drop)) => drop,
        Some(other) => return Err(wrong_type("renameCollection.dropTarget", other, "bool")),
    };
    let ((from_db, from_name), (to_db, to_name)) = (split_namespace(from)?, split_namespace(to)?);
    if from == to {
        return Err(CommandError::client(codes::ILLEGAL_OPERATION, "Can't rename a collection to itself"));
    }
    if from_db != to_db {
        // The function of two names works within a database. Where the one of the whole command is missing, that is told.
        let spec = rawdoc! { "renameCollection": from, "to": to, "dropTarget": drop_target };
        let spec = spec.as_bytes();
        let params: [Param<'_>; 1] = [&spec];
        call.write(&calls::RENAME_ACROSS, &params).await?;
        return Ok(ok::plain());
    }
    let params: [Param<'_>; 4] = [&from_db, &from_name, &to_name, &drop_target];
    call.write(&calls::RENAME, &params).await?;
    Ok(ok::plain())
}

/// The database and the collection of `db.collection`; the collection may hold dots itself.
fn split_namespace(ns: &str) -> Result<(&str, &str)> {
    match ns.split_once('.') {
        Some((db, collection)) if !collection.is_empty() => {
            check_database(db)?;
            Ok((db, collection))
        }
        _ => {
            Err(CommandError::client(codes::INVALID_NAMESPACE, format!("Invalid namespace specified '{ns}'")))
        }
    }
}

/// cloneCollectionAsCapped.
pub(super) async fn clone_as_capped(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let (db, from, to) = (request.db, request.collection()?, required_str(request, "toCollection")?);
    let size = bytes(request)?;
    let params: [Param<'_>; 4] = [&db, &from, &to, &size];
    call.write(&calls::CLONE_AS_CAPPED, &params).await?;
    Ok(ok::plain())
}

/// convertToCapped.
pub(super) async fn convert_to_capped(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let (db, collection, size) = (request.db, request.collection()?, bytes(request)?);
    let params: [Param<'_>; 3] = [&db, &collection, &size];
    call.write(&calls::CONVERT_TO_CAPPED, &params).await?;
    Ok(ok::plain())
}

/// `size` of a collection that is to be capped, in bytes.
fn bytes(request: &Request<'_>) -> Result<i64> {
    let value = required(request, "size")?;
    let size =
        number(value).ok_or_else(|| wrong_type(&format!("{}.size", request.spec.name), value, "number"))?;
    #[expect(clippy::cast_possible_truncation, reason = "fractions are cut off, and as saturates")]
    Ok(size as i64)
}

/// collMod.
pub(super) async fn modify(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    request.get("viewOn")?.map_or(Ok(()), create::check_view_on)?;
    let (db, collection, body) = (request.db, request.collection()?, request.forward.as_bytes());
    let params: [Param<'_>; 3] = [&db, &collection, &body];
    let (row, _lease) = call.write(&calls::COLL_MOD, &params).await?;
    let reply = run::document(&row, 0)?;
    Ok(ok::with_double_ok(RawDocument::from_bytes(&reply)?)?.into())
}

/// collStats.
pub(super) async fn stats(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let (db, collection, scale) = (request.db, request.collection()?, scale(request)?);
    let params: [Param<'_>; 3] = [&db, &collection, &scale];
    let (row, _lease) = call.read(&calls::COLL_STATS, &params).await?;
    let reply = run::document(&row, 0)?;
    Ok(ok::with_double_ok(RawDocument::from_bytes(&reply)?)?.into())
}

/// The divisor of sizes: whole, at least 1.
///
/// # Errors
/// 14 for no number, 51024 below 1.
pub(super) fn scale(request: &Request<'_>) -> Result<f64> {
    let value = match request.get("scale")? {
        None | Some(RawBsonRef::Null) => return Ok(1.0),
        Some(value) => value,
    };
    let field = format!("{}.scale", request.spec.name);
    let scale = number(value).ok_or_else(|| not_a_number(&field, value))?;
    let whole = scale.trunc();
    if whole < 1.0 {
        let message = format!("BSON field 'scale' value must be >= 1, actual value '{whole}'");
        return Err(CommandError::client(Code(51024), message));
    }
    Ok(whole)
}

/// A field that has to be there.
pub(super) fn required<'a>(request: &Request<'a>, field: &str) -> Result<RawBsonRef<'a>> {
    request.get(field)?.ok_or_else(|| missing(request.spec.name, field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_listed_without_an_index() {
        let page = |ns: &str, view: RawDocumentBuf| {
            rawdoc! { "cursor": { "id": 0_i64, "ns": ns, "firstBatch": [view, { "name": "c", "idIndex": {} }] }, "ok": 1.0 }
        };
        let came = page("db.$cmd.ListCollections", rawdoc! { "name": "v", "idIndex": null });
        let want = page("db.$cmd.listCollections", rawdoc! { "name": "v" });
        assert_eq!(listed(&came).unwrap(), want);
    }

    #[test]
    fn namespaces_split_at_the_first_dot() {
        assert_eq!(split_namespace("db.fs.files").unwrap(), ("db", "fs.files"));
        for wrong in ["", "db", "db.", ".c", "a b.c"] {
            assert_eq!(split_namespace(wrong).unwrap_err().code, codes::INVALID_NAMESPACE, "{wrong}");
        }
    }
}
