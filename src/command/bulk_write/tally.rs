//! The result of a bulkWrite: sums, and an entry for each operation that the client wants to hear of.
use std::ops::Range;

use bson::raw::cstr;
use bson::{RawDocumentBuf, rawdoc};

use super::ops::Kind;
use super::position;
use crate::reply::write_errors::WriteOutcome;

/// What the operations did so far.
#[derive(Debug)]
pub(super) struct Tally {
    errors_only: bool,
    errors: i32,
    inserted: i32,
    matched: i32,
    modified: i32,
    upserted: i32,
    deleted: i32,
    results: Vec<RawDocumentBuf>,
}

impl Tally {
    pub(super) fn new(errors_only: bool) -> Self {
        Self {
            errors_only,
            errors: 0,
            inserted: 0,
            matched: 0,
            modified: 0,
            upserted: 0,
            deleted: 0,
            results: Vec::new(),
        }
    }

    /// True if an operation failed.
    pub(super) fn failed(&self) -> bool {
        self.errors > 0
    }

    /// Adds what the operations at these positions did. Operations behind the first error of an ordered batch did not
    /// run, and have no result.
    pub(super) fn add(&mut self, kind: Kind, at: Range<usize>, outcome: WriteOutcome, ordered: bool) {
        let (n, modified, upserted) = (outcome.n(), outcome.n_modified(), outcome.upserted().len());
        let upserts = i32::try_from(upserted).unwrap_or(i32::MAX);
        match kind {
            Kind::Insert => self.inserted = self.inserted.saturating_add(n),
            Kind::Delete => self.deleted = self.deleted.saturating_add(n),
            Kind::Update => {
                self.matched = self.matched.saturating_add(n.saturating_sub(upserts));
                self.modified = self.modified.saturating_add(modified);
                self.upserted = self.upserted.saturating_add(upserts);
            }
        }
        self.errors = self.errors.saturating_add(i32::try_from(outcome.errors.len()).unwrap_or(i32::MAX));
        let ids: Vec<_> = outcome.upserted().to_vec();
        let mut errors = outcome.errors.into_iter().peekable();
        for offset in 0..i32::try_from(at.len()).unwrap_or(i32::MAX) {
            let index = position(&at, offset);
            if let Some(error) = errors.next_if(|error| error.index == offset) {
                self.results.push(error.result(index, kind == Kind::Update));
                if ordered {
                    return;
                }
            } else if !self.errors_only {
                let n = if kind == Kind::Insert { 1 } else { n };
                let mut result = rawdoc! { "ok": 1.0, "idx": index, "n": n };
                if kind == Kind::Update {
                    result.append(cstr!("nModified"), modified);
                }
                if let Some((_, id)) = ids.iter().find(|(at, _)| *at == offset) {
                    result.append(cstr!("upserted"), rawdoc! { "_id": id.clone() });
                }
                self.results.push(result);
            }
        }
    }

    /// The sums, as fields of the reply, and the results.
    pub(super) fn finish(self) -> (RawDocumentBuf, Vec<RawDocumentBuf>) {
        let sums = rawdoc! {
            "nErrors": self.errors,
            "nInserted": self.inserted,
            "nMatched": self.matched,
            "nModified": self.modified,
            "nUpserted": self.upserted,
            "nDeleted": self.deleted,
        };
        (sums, self.results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(reply: &RawDocumentBuf) -> WriteOutcome {
        WriteOutcome::read(reply).unwrap()
    }

    #[test]
    fn grouped_inserts_are_told_apart() {
        let part = rawdoc! { "n": 1, "ok": 1.0, "writeErrors": [{ "index": 1, "code": 2, "errmsg": "bad" }] };
        let mut tally = Tally::new(false);
        tally.add(Kind::Insert, 5..8, outcome(&part), true);
        let (sums, results) = tally.finish();
        assert_eq!((sums.get_i32("nErrors").unwrap(), sums.get_i32("nInserted").unwrap()), (1, 1));
        let failed = rawdoc! { "ok": 0.0, "idx": 6, "code": 2, "errmsg": "bad", "n": 0 };
        assert_eq!(results, [rawdoc! { "ok": 1.0, "idx": 5, "n": 1 }, failed]);
    }

    #[test]
    fn an_upsert_is_no_match() {
        let part = rawdoc! { "n": 1, "nModified": 0, "upserted": [{ "index": 0, "_id": 7 }], "ok": 1.0 };
        let mut tally = Tally::new(false);
        tally.add(Kind::Update, 2..3, outcome(&part), true);
        let (sums, results) = tally.finish();
        assert_eq!((sums.get_i32("nMatched").unwrap(), sums.get_i32("nUpserted").unwrap()), (0, 1));
        assert_eq!(
            results,
            [rawdoc! { "ok": 1.0, "idx": 2, "n": 1, "nModified": 0, "upserted": { "_id": 7 } }]
        );
    }

    #[test]
    fn errors_only() {
        let part = rawdoc! { "n": 2, "ok": 1.0, "writeErrors": [{ "index": 1, "code": 2, "errmsg": "bad" }] };
        let mut tally = Tally::new(true);
        tally.add(Kind::Delete, 0..3, outcome(&part), false);
        let (sums, results) = tally.finish();
        assert_eq!((sums.get_i32("nDeleted").unwrap(), results.len()), (2, 1));
    }
}
