//! `@@`: a filter as an operator of SQL.

use engine::Doc;
use engine::query::{ParseContext, Query};
use pgrx::pg_sys::Datum;

pgfn! {
    /// `documentdb_api_catalog.@@`: does the document on the left match the filter on the right?
    fn bson_query_match(call) {
        let query = Query::parse(Doc::trusted(call.bytes(1)?), &ParseContext::default())?;
        Ok(Datum::from(query.matches(Doc::trusted(call.bytes(0)?))?))
    }
}
