//! Tables of documents before and after.

mod arrays;
mod errors;
mod fields;
mod limits;
mod paths;
mod pipelines;
mod property;
mod upserts;

use super::{Outcome, Update};
use crate::error::{Error, Result};
use crate::extjson;
use crate::query::{ParseContext, Query};
use crate::raw::{Doc, Val, ty};

/// 2024-01-02T03:04:05.678Z
const NOW: i64 = 1_704_164_645_678;

fn cx() -> ParseContext<'static> {
    ParseContext { now: NOW, ..ParseContext::default() }
}

fn bson(text: &str) -> Vec<u8> {
    extjson::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn show(doc: &[u8]) -> String {
    extjson::relaxed(Doc::trusted(doc))
}

/// An update with the query that found the document and array filters (an array as text).
struct Statement<'t> {
    query: &'t str,
    update: &'t str,
    filters: Option<&'t str>,
}

impl Statement<'_> {
    fn parse(&self) -> Result<(Query, Update)> {
        let query = Query::parse(Doc::trusted(&bson(self.query)), &cx())?;
        // An array is no document: it is read as a field's value.
        let holder = bson(&format!("{{\"u\": {}, \"f\": {}}}", self.update, self.filters.unwrap_or("[]")));
        let holder = Doc::trusted(&holder);
        let filters = self.filters.and_then(|_| holder.get("f")).and_then(Val::as_array);
        let u = holder.get("u").unwrap_or(Val { ty: ty::NULL, bytes: &[] });
        Ok((query, Update::parse(u, filters, &cx())?))
    }

    fn apply(&self, doc: &str) -> Result<Outcome> {
        let (query, update) = self.parse()?;
        update.apply(Doc::trusted(&bson(doc)), Some(&query))
    }

    fn upsert(&self) -> Result<Vec<u8>> {
        let (query, update) = self.parse()?;
        super::upsert_document(&query, &update)
    }
}

fn apply(doc: &str, update: &str) -> Result<Outcome> {
    Statement { query: "{}", update, filters: None }.apply(doc)
}

/// Checks rows of (document, update, document after; `=` when nothing changes).
fn check(rows: &[(&str, &str, &str)]) {
    for (doc, update, expected) in rows {
        let outcome = apply(doc, update).unwrap_or_else(|e| panic!("{doc} {update}: {e}"));
        expect(&format!("{doc} {update}"), &outcome, expected);
    }
}

fn expect(what: &str, outcome: &Outcome, expected: &str) {
    match outcome {
        Outcome::NoOp => assert_eq!(expected, "=", "{what}: no change"),
        Outcome::Changed(doc) => {
            crate::raw::validate(doc).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_ne!(expected, "=", "{what}: changed to {}", show(doc));
            assert_eq!(show(doc), show(&bson(expected)), "{what}");
            assert_eq!(*doc, bson(expected), "{what}");
        }
    }
}

/// Checks a refusal.
fn refused<T: std::fmt::Debug>(what: &str, result: Result<T>, mongo: i32, message: &str) {
    match result {
        Ok(v) => panic!("{what}: {v:?}"),
        Err(Error { code, message: text }) => {
            assert_eq!((code.mongo, text.as_str()), (mongo, message), "{what}");
        }
    }
}
