//! findAndModify: its hint, and its duplicate keys.
use bson::raw::RawBsonRef;
use bson::{RawBson, RawDocument, RawDocumentBuf, rawdoc};

use super::Place;
use super::patterns::{Patterns, updated_key};
use crate::command::Call;
use crate::command::indexes::list_all;
use crate::command::options::number;
use crate::command::request::Request;
use crate::error::{CommandError, Result, codes};
use crate::pool::Lease;
use crate::reply::write_errors::index_name;
use crate::reply::{Reply, ok};
use crate::sql::{Param, calls, run};

/// findAndModify.
///
/// # Errors
/// Whatever the extension raised; a duplicate key in MongoDB's words.
pub(in crate::command) async fn find_and_modify(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let mut lease = call.writer().await?;
    let hinted = match request.get("hint")? {
        None => None,
        Some(hint) => Some(Box::pin(without_hint(&call, &mut lease, hint)).await?),
    };
    let body: &RawDocument = hinted.as_deref().unwrap_or(&request.forward);
    let (db, body) = (request.db, body.as_bytes());
    let params: [Param<'_>; 2] = [&db, &body];
    match call.write_on(&mut lease, &calls::FIND_AND_MODIFY, &params).await {
        Ok(row) => Ok(Reply::ready(run::into_document(row)?)),
        Err(error) if error.code == codes::DUPLICATE_KEY => {
            let Some(index) = index_name(&error.message).map(str::to_owned) else { return Err(error) };
            let operation = rawdoc! {
                "q": field(request, "query"),
                "u": field(request, "update"),
            };
            let value_of = |pattern: &RawDocument| updated_key(pattern, &operation);
            let place = Place::of(request)?;
            let duplicate = Patterns::default().describe(place, &mut lease, &index, value_of).await;
            // As MongoDB puts what went wrong on the way of this command.
            let message =
                format!("Plan executor error during findAndModify :: caused by :: {}", duplicate.message);
            Err(CommandError { message: message.into(), ..error }.extra(duplicate.fields))
        }
        Err(error) => Err(error),
    }
}

/// The command without its hint, which the extension refuses. A hint names an index; which one is used changes no answer, as
/// long as the index is there and knows all documents.
///
/// # Errors
/// 2 for an index that there is not, 115 for one that does not know all documents.
async fn without_hint(call: &Call<'_>, lease: &mut Lease, hint: RawBsonRef<'_>) -> Result<RawDocumentBuf> {
    let request = call.request;
    let stripped = ok::without(&request.forward, &["hint"])?;
    let no_index = || {
        let message = "error processing query: planner returned error :: caused by :: hint provided does not \
                       correspond to an existing index";
        CommandError::client(codes::BAD_VALUE, message)
    };
    let key = match hint {
        RawBsonRef::Document(key) if key.is_empty() || key.get("$natural")?.is_some() => return Ok(stripped),
        RawBsonRef::Document(key) => Some(key),
        RawBsonRef::String(_) => None,
        _ => return Err(CommandError::client(codes::FAILED_TO_PARSE, "Hint must be a string or an object")),
    };
    let page = match list_all(call, lease).await {
        Ok(page) => page,
        // Without a collection there is nothing to find.
        Err(error) if error.code == codes::NAMESPACE_NOT_FOUND => return Ok(stripped),
        Err(error) => return Err(error),
    };
    for index in RawDocument::from_bytes(&page)?.get_document("cursor")?.get_array("firstBatch")? {
        let RawBsonRef::Document(index) = index? else { continue };
        let meant = match key {
            Some(key) => index.get_document("key").is_ok_and(|of_index| same_key(of_index, key)),
            None => index.get_str("name").ok() == hint.as_str(),
        };
        if !meant {
            continue;
        }
        let partial = index.get("partialFilterExpression")?.is_some();
        if partial || index.get("sparse")?.is_some_and(ok::is_true) {
            let message = "The option 'hint' of the command 'findAndModify' is not supported for an index that leaves \
                           documents out";
            return Err(CommandError::client(codes::COMMAND_NOT_SUPPORTED, message));
        }
        return Ok(stripped);
    }
    Err(no_index())
}

/// Equal, field by field in their order; the type of a number does not count.
pub(super) fn same_key(one: &RawDocument, other: &RawDocument) -> bool {
    let mut pairs = one.iter_elements().zip(other.iter_elements());
    let same = pairs.all(|pair| match pair {
        (Ok(a), Ok(b)) => {
            let values = (a.value(), b.value());
            a.key() == b.key()
                && match values {
                    (Ok(a), Ok(b)) => a == b || (number(a).is_some() && number(a) == number(b)),
                    _ => false,
                }
        }
        _ => false,
    });
    same && one.iter_elements().count() == other.iter_elements().count()
}

fn field(request: &Request<'_>, name: &str) -> RawBson {
    request.get(name).ok().flatten().map_or(RawBson::Null, Into::into)
}
