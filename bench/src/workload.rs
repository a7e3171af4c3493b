//! The operations: each is a command document, and the SQL call that does the same.

use bson::{RawArrayBuf, RawDocumentBuf, rawdoc};
use clap::ValueEnum;
use rand::RngExt;

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// `ping`; the floor is `SELECT 1`.
    Ping,
    /// One document by `_id`.
    FindById,
    /// 100 documents in one batch, by a range of `_id`.
    Find100,
    /// 10,000 documents with getMore.
    Find10000,
    /// One document.
    Insert1,
    /// 100 documents in one command.
    Insert100,
    /// 1,000 documents in one command.
    Insert1000,
    /// `$inc` of one document by `_id`.
    Update,
    /// 95 % find by `_id`, 5 % update.
    Mixed95,
    /// Half find by `_id`, half update.
    Mixed50,
    /// `count` without a filter.
    Count,
    /// `$match` and `$group` over 1,000 documents.
    Group,
}

impl Kind {
    /// Name in the report.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned())
    }
}

/// Which SQL function does an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// `SELECT 1`
    Nothing,
    /// `find_cursor_first_page`
    Find,
    /// `aggregate_cursor_first_page`
    Aggregate,
    /// `count_query`
    Count,
    /// `insert`
    Insert,
    /// `update`
    Update,
}

/// One operation, encoded.
#[derive(Debug)]
pub(crate) struct Operation {
    /// The command document, without `$db`.
    pub(crate) body: RawDocumentBuf,
    /// Name and concatenated documents of a document sequence.
    pub(crate) sequence: Option<(&'static str, Vec<u8>)>,
    /// The same in SQL.
    pub(crate) call: Call,
    /// How many documents (or written documents) the answer must have.
    pub(crate) expect: usize,
}

/// The collection under test.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Database name.
    pub(crate) database: String,
    /// Number of documents, with `_id` from 0.
    pub(crate) documents: i32,
    /// Bytes of a document.
    pub(crate) size: usize,
}

/// Collection that is read and updated; inserts go to another, so that reads measure the same all along.
pub(crate) const READ: &str = "docs";
const WRITE: &str = "inserted";

impl Shape {
    /// A document of about the wanted size.
    pub(crate) fn document(&self, id: i32) -> RawDocumentBuf {
        self.padded(rawdoc! { "_id": id, "a": id % 1000, "n": 0_i32 })
    }

    fn padded(&self, mut doc: RawDocumentBuf) -> RawDocumentBuf {
        // Type, name, length prefix and terminators of `pad` take 10 bytes.
        let pad = self.size.saturating_sub(doc.as_bytes().len() + 10);
        doc.append(bson::cstr!("pad"), "x".repeat(pad));
        doc
    }

    /// `insert` of these documents into the collection that is read.
    pub(crate) fn seed(&self, ids: std::ops::Range<i32>) -> Operation {
        let expect = ids.len();
        insert(READ, ids.map(|id| self.document(id)), expect)
    }

    /// Empties the collections.
    pub(crate) fn drops() -> [RawDocumentBuf; 2] {
        [rawdoc! { "drop": READ }, rawdoc! { "drop": WRITE }]
    }

    /// The next operation of a kind.
    pub(crate) fn operation(&self, kind: Kind, rng: &mut impl RngExt) -> Operation {
        let id = rng.random_range(0..self.documents.max(1));
        match kind {
            Kind::Ping => {
                Operation { body: rawdoc! { "ping": 1_i32 }, sequence: None, call: Call::Nothing, expect: 0 }
            }
            Kind::FindById => find_by_id(id),
            Kind::Find100 => self.find_range(rng, 100),
            Kind::Find10000 => self.find_range(rng, 10_000),
            Kind::Insert1 => self.insert_new(rng, 1),
            Kind::Insert100 => self.insert_new(rng, 100),
            Kind::Insert1000 => self.insert_new(rng, 1000),
            Kind::Update => update(id),
            Kind::Mixed95 => {
                if rng.random_range(0..100) < 95 {
                    find_by_id(id)
                } else {
                    update(id)
                }
            }
            Kind::Mixed50 => {
                if rng.random_bool(0.5) {
                    find_by_id(id)
                } else {
                    update(id)
                }
            }
            Kind::Count => {
                Operation { body: rawdoc! { "count": READ }, sequence: None, call: Call::Count, expect: 0 }
            }
            Kind::Group => self.group(rng),
        }
    }

    fn start(&self, rng: &mut impl RngExt, n: i32) -> i32 {
        rng.random_range(0..(self.documents - n).max(1))
    }

    fn find_range(&self, rng: &mut impl RngExt, n: i32) -> Operation {
        let from = self.start(rng, n);
        let to = from.saturating_add(n);
        let batch = n.min(1000);
        Operation {
            body: rawdoc! { "find": READ, "filter": { "_id": { "$gte": from, "$lt": to } }, "batchSize": batch },
            sequence: None,
            call: Call::Find,
            expect: usize::try_from(to.min(self.documents) - from).unwrap_or(0),
        }
    }

    fn insert_new(&self, rng: &mut impl RngExt, n: usize) -> Operation {
        let documents = (0..n).map(|_| {
            let a = rng.random_range(0..1000_i32);
            self.padded(rawdoc! { "_id": bson::oid::ObjectId::new(), "a": a, "n": 0_i32 })
        });
        insert(WRITE, documents, n)
    }

    fn group(&self, rng: &mut impl RngExt) -> Operation {
        let from = self.start(rng, 1000);
        let mut pipeline = RawArrayBuf::new();
        pipeline.push(rawdoc! { "$match": { "_id": { "$gte": from, "$lt": from.saturating_add(1000) } } });
        pipeline.push(rawdoc! { "$group": { "_id": null, "n": { "$sum": 1_i32 }, "a": { "$avg": "$a" } } });
        Operation {
            body: rawdoc! { "aggregate": READ, "pipeline": pipeline, "cursor": {} },
            sequence: None,
            call: Call::Aggregate,
            expect: 1,
        }
    }
}

fn find_by_id(id: i32) -> Operation {
    Operation {
        body: rawdoc! { "find": READ, "filter": { "_id": id }, "limit": 1_i32, "singleBatch": true },
        sequence: None,
        call: Call::Find,
        expect: 1,
    }
}

fn update(id: i32) -> Operation {
    let statement = rawdoc! { "q": { "_id": id }, "u": { "$inc": { "n": 1_i32 } } };
    Operation {
        body: rawdoc! { "update": READ },
        sequence: Some(("updates", statement.into_bytes())),
        call: Call::Update,
        expect: 1,
    }
}

fn insert(into: &str, documents: impl Iterator<Item = RawDocumentBuf>, expect: usize) -> Operation {
    let mut sequence = Vec::new();
    for doc in documents {
        sequence.extend_from_slice(doc.as_bytes());
    }
    Operation {
        body: rawdoc! { "insert": into },
        sequence: Some(("documents", sequence)),
        call: Call::Insert,
        expect,
    }
}
