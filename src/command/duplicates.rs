//! A unique index that can't be built because documents have equal keys: MongoDB tells one of these keys.
use std::time::Duration;

use bson::raw::RawBsonRef;
use bson::{RawArrayBuf, RawBson, RawDocument, RawDocumentBuf, rawdoc};
use tokio::time::Instant;

use super::Call;
use super::crud::batch;
use crate::error::{CommandError, Result, codes};
use crate::reply::ok::is_true;
use crate::reply::write_errors::{Duplicate, index_name};
use crate::sql::{Budget, Param, calls, run};

/// How long a key may be looked for. The extension names the index alone, and the error is told in any case.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// The error of a build as MongoDB tells it; any other one than that of equal keys as it is.
pub(super) async fn told(call: &Call<'_>, error: CommandError) -> CommandError {
    let Some(index) =
        index_name(&error.message).filter(|_| error.code == codes::DUPLICATE_KEY).map(str::to_owned)
    else {
        return error;
    };
    let request = call.request;
    let wanted = request.get("indexes").ok().flatten().and_then(|indexes| indexes.as_array());
    let mut wanted = wanted.into_iter().flatten().flatten().filter_map(|entry| entry.as_document());
    let wanted = wanted.find(|entry| entry.get_str("name").is_ok_and(|name| name == index));
    let Some((wanted, key)) = wanted.and_then(|wanted| Some((wanted, wanted.get_document("key").ok()?)))
    else {
        return error;
    };
    let collection = request.collection().unwrap_or_default();
    let value = match search(collection, wanted, key) {
        Some(spec) => found(call, &spec, key).await.ok().flatten(),
        None => None,
    };
    let told = Duplicate::new(&format!("{}.{collection}", request.db), &index, key, value.as_deref());
    let message = format!("Index build failed: {}", told.message);
    CommandError { message: message.into(), ..error }.extra(told.fields)
}

/// The aggregation that groups the documents by their keys and keeps one that several have. None where equal values are not
/// what makes keys equal.
fn search(collection: &str, index: &RawDocument, key: &RawDocument) -> Option<RawDocumentBuf> {
    if index.get("collation").ok().flatten().is_some_and(|collation| collation != RawBsonRef::Null) {
        return None;
    }
    let mut pipeline = RawArrayBuf::new();
    if let Ok(Some(filter)) = index.get("partialFilterExpression") {
        pipeline.push(rawdoc! { "$match": RawBson::from(filter) });
    }
    let (mut values, mut exist) = (RawArrayBuf::new(), RawArrayBuf::new());
    for field in key {
        let (path, direction) = field.ok()?;
        super::options::number(direction)?;
        // What is missing has the key of null.
        values.push(rawdoc! { "$ifNull": [format!("${path}"), RawBson::Null] });
        let mut exists = RawDocumentBuf::new();
        exists.append(path, rawdoc! { "$exists": true });
        exist.push(exists);
    }
    if index.get("sparse").ok().flatten().is_some_and(is_true) {
        pipeline.push(rawdoc! { "$match": { "$or": exist } });
    }
    pipeline.push(rawdoc! { "$group": { "_id": values, "n": { "$sum": 1 } } });
    pipeline.push(rawdoc! { "$match": { "n": { "$gt": 1 } } });
    pipeline.push(rawdoc! { "$limit": 1 });
    Some(rawdoc! { "aggregate": collection, "pipeline": pipeline, "cursor": {} })
}

/// What the aggregation found, under the names of the index's fields.
async fn found(call: &Call<'_>, spec: &RawDocument, key: &RawDocument) -> Result<Option<RawDocumentBuf>> {
    let limit = Instant::now() + LOOK_LIMIT;
    let deadline = Some(call.request.budget.deadline.map_or(limit, |end| end.min(limit)));
    let node = call.services.pools.writer()?;
    let mut lease = node.checkout_writable(call.session.role(), deadline).await?;
    let spec = spec.as_bytes();
    let params: [Param<'_>; 2] = [&call.request.db, &spec];
    let row = run::row(&mut lease, Budget { deadline }, &calls::AGGREGATE, &params).await?;
    match batch(row)?.first() {
        Some(group) => named(key, group.get_array("_id")?),
        None => Ok(None),
    }
}

/// The fields of a key with their values. None where one is an array, each element of which is a key of its own.
fn named(key: &RawDocument, values: &bson::RawArray) -> Result<Option<RawDocumentBuf>> {
    let mut out = RawDocumentBuf::new();
    for (field, value) in key.into_iter().zip(values) {
        let (path, _) = field?;
        let value = value?;
        if matches!(value, RawBsonRef::Array(_)) {
            return Ok(None);
        }
        out.append(path, RawBson::from(value));
    }
    Ok(Some(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_index_leaves_out_has_no_equal_keys() {
        let key = rawdoc! { "a.b": 1, "c": -1 };
        let index = rawdoc! { "sparse": true, "partialFilterExpression": { "d": 1 } };
        let want = rawdoc! { "aggregate": "x", "pipeline": [
            { "$match": { "d": 1 } },
            { "$match": { "$or": [{ "a.b": { "$exists": true } }, { "c": { "$exists": true } }] } },
            { "$group": { "_id": [{ "$ifNull": ["$a.b", null] }, { "$ifNull": ["$c", null] }], "n": { "$sum": 1 } } },
            { "$match": { "n": { "$gt": 1 } } },
            { "$limit": 1 },
        ], "cursor": {} };
        assert_eq!(search("x", &index, &key), Some(want));
        assert_eq!(search("x", &rawdoc! { "collation": { "locale": "de" } }, &key), None);
        assert_eq!(search("x", &rawdoc! {}, &rawdoc! { "a": "hashed" }), None);
    }

    #[test]
    fn the_elements_of_an_array_are_keys_of_their_own() {
        let (key, group) = (rawdoc! { "a": 1, "b": 1 }, rawdoc! { "plain": [1, "x"], "array": [1, [2]] });
        let values = |name: &str| group.get_array(name).unwrap();
        assert_eq!(named(&key, values("plain")).unwrap(), Some(rawdoc! { "a": 1, "b": "x" }));
        assert_eq!(named(&key, values("array")).unwrap(), None);
    }
}
