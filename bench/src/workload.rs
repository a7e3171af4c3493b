//! The operations: each is a command document, and the SQL call that does the same.

use crate::error::Error;
use crate::zipf::Zipf;
use bson::{RawArrayBuf, RawDocument, RawDocumentBuf, rawdoc};
use clap::ValueEnum;
use rand::RngExt;
use std::sync::Arc;

/// Bytes of requests and replies.
pub(crate) type Moved = usize;

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// `ping`; the floor is `SELECT 1`.
    Ping,
    /// Connects, logs in, pings, closes.
    Connect,
    /// One document by `_id`.
    FindById,
    /// The same, of 100 bytes.
    FindById100b,
    /// The same, of 16 KiB.
    FindById16k,
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
    /// Half find by `_id`, half update; zipfian keys.
    YcsbA,
    /// 95 % find by `_id`, 5 % update; zipfian keys.
    YcsbB,
    /// Find by `_id`; zipfian keys.
    YcsbC,
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
    /// The collection, for getMore.
    pub(crate) collection: &'static str,
    /// How many documents (or written documents) the answer must have.
    pub(crate) expect: usize,
}

impl Operation {
    /// The documents of the sequence, one by one.
    pub(crate) fn documents(&self) -> Result<Vec<RawDocumentBuf>, Error> {
        let mut rest = self.sequence.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        let mut found = Vec::new();
        while let Some(size) = rest.first_chunk::<4>() {
            let size = usize::try_from(i32::from_le_bytes(*size)).unwrap_or(usize::MAX);
            let split = rest
                .split_at_checked(size)
                .and_then(|(one, rest)| Some((RawDocument::from_bytes(one).ok()?.to_owned(), rest)));
            let (one, after) = split.ok_or_else(|| Error::answer("a broken sequence"))?;
            found.push(one);
            rest = after;
        }
        Ok(found)
    }
}

/// A collection to read from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    name: &'static str,
    /// Number of documents, with `_id` from 0.
    pub(crate) documents: i32,
    /// Bytes of a document.
    size: usize,
}

/// What the operations are made of.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Database name.
    pub(crate) database: String,
    docs: Source,
    zipf: Arc<Zipf>,
}

/// Inserts go to a collection of their own, so that reads measure the same all along.
const WRITE: &str = "inserted";
const SMALL: Source = Source { name: "docs100b", documents: 100_000, size: 100 };
const LARGE: Source = Source { name: "docs16k", documents: 5_000, size: 16 * 1024 };

impl Shape {
    /// With so many documents of this size, in bytes.
    pub(crate) fn new(database: String, documents: i32, size: usize) -> Self {
        let docs = Source { name: "docs", documents: documents.max(1), size };
        Self { database, docs, zipf: Arc::new(Zipf::new(docs.documents.unsigned_abs())) }
    }

    /// The collections that workloads read.
    pub(crate) fn sources(&self, kinds: &[Kind]) -> Vec<Source> {
        let mut sources = vec![self.docs];
        for (kind, source) in [(Kind::FindById100b, SMALL), (Kind::FindById16k, LARGE)] {
            if kinds.contains(&kind) {
                sources.push(source);
            }
        }
        sources
    }

    /// `insert` of these documents into a collection that is read.
    pub(crate) fn seed(&self, source: Source, ids: std::ops::Range<i32>) -> Operation {
        let expect = ids.len();
        let document = |id| padded(rawdoc! { "_id": id, "a": id % 1000, "n": 0_i32 }, source.size);
        insert(source.name, ids.map(document), expect)
    }

    /// Empties the collections.
    pub(crate) fn drops(&self) -> [RawDocumentBuf; 4] {
        [self.docs.name, SMALL.name, LARGE.name, WRITE].map(|name| rawdoc! { "drop": name })
    }

    /// The next operation of a kind.
    pub(crate) fn operation(&self, kind: Kind, rng: &mut impl RngExt) -> Operation {
        match kind {
            Kind::Ping | Kind::Connect => Operation {
                body: rawdoc! { "ping": 1_i32 },
                sequence: None,
                call: Call::Nothing,
                collection: "",
                expect: 0,
            },
            Kind::FindById => find_by_id(self.docs, uniform(self.docs, rng)),
            Kind::FindById100b => find_by_id(SMALL, uniform(SMALL, rng)),
            Kind::FindById16k => find_by_id(LARGE, uniform(LARGE, rng)),
            Kind::Find100 => self.find_range(rng, 100),
            Kind::Find10000 => self.find_range(rng, 10_000),
            Kind::Insert1 => self.insert_new(rng, 1),
            Kind::Insert100 => self.insert_new(rng, 100),
            Kind::Insert1000 => self.insert_new(rng, 1000),
            Kind::Update => self.update(uniform(self.docs, rng)),
            Kind::YcsbA => self.ycsb(rng, 50),
            Kind::YcsbB => self.ycsb(rng, 95),
            Kind::YcsbC => self.ycsb(rng, 100),
            Kind::Count => Operation {
                body: rawdoc! { "count": self.docs.name },
                sequence: None,
                call: Call::Count,
                collection: self.docs.name,
                expect: 0,
            },
            Kind::Group => self.group(rng),
        }
    }

    fn ycsb(&self, rng: &mut impl RngExt, reads: u32) -> Operation {
        let id = i32::try_from(self.zipf.key(rng)).unwrap_or(0).min(self.docs.documents - 1);
        if rng.random_range(0..100) < reads { find_by_id(self.docs, id) } else { self.update(id) }
    }

    fn start(&self, rng: &mut impl RngExt, n: i32) -> i32 {
        rng.random_range(0..(self.docs.documents - n).max(1))
    }

    fn find_range(&self, rng: &mut impl RngExt, n: i32) -> Operation {
        let from = self.start(rng, n);
        let to = from.saturating_add(n);
        let batch = n.min(1000);
        Operation {
            body: rawdoc! {
                "find": self.docs.name, "filter": { "_id": { "$gte": from, "$lt": to } }, "batchSize": batch,
            },
            sequence: None,
            call: Call::Find,
            collection: self.docs.name,
            expect: usize::try_from(to.min(self.docs.documents) - from).unwrap_or(0),
        }
    }

    fn insert_new(&self, rng: &mut impl RngExt, n: usize) -> Operation {
        let documents = (0..n).map(|_| {
            let a = rng.random_range(0..1000_i32);
            padded(rawdoc! { "_id": bson::oid::ObjectId::new(), "a": a, "n": 0_i32 }, self.docs.size)
        });
        insert(WRITE, documents, n)
    }

    fn update(&self, id: i32) -> Operation {
        let statement = rawdoc! { "q": { "_id": id }, "u": { "$inc": { "n": 1_i32 } } };
        Operation {
            body: rawdoc! { "update": self.docs.name },
            sequence: Some(("updates", statement.into_bytes())),
            call: Call::Update,
            collection: self.docs.name,
            expect: 1,
        }
    }

    fn group(&self, rng: &mut impl RngExt) -> Operation {
        let from = self.start(rng, 1000);
        let mut pipeline = RawArrayBuf::new();
        pipeline.push(rawdoc! { "$match": { "_id": { "$gte": from, "$lt": from.saturating_add(1000) } } });
        pipeline.push(rawdoc! { "$group": { "_id": null, "n": { "$sum": 1_i32 }, "a": { "$avg": "$a" } } });
        Operation {
            body: rawdoc! { "aggregate": self.docs.name, "pipeline": pipeline, "cursor": {} },
            sequence: None,
            call: Call::Aggregate,
            collection: self.docs.name,
            expect: 1,
        }
    }
}

fn uniform(source: Source, rng: &mut impl RngExt) -> i32 {
    rng.random_range(0..source.documents)
}

/// Fills a document up to about the wanted size.
fn padded(mut doc: RawDocumentBuf, size: usize) -> RawDocumentBuf {
    // Type, name, length prefix and terminators of `pad` take 10 bytes.
    let pad = size.saturating_sub(doc.as_bytes().len() + 10);
    doc.append(bson::cstr!("pad"), "x".repeat(pad));
    doc
}

fn find_by_id(source: Source, id: i32) -> Operation {
    Operation {
        body: rawdoc! { "find": source.name, "filter": { "_id": id }, "limit": 1_i32, "singleBatch": true },
        sequence: None,
        call: Call::Find,
        collection: source.name,
        expect: 1,
    }
}

fn insert(into: &'static str, documents: impl Iterator<Item = RawDocumentBuf>, expect: usize) -> Operation {
    let mut sequence = Vec::new();
    for doc in documents {
        sequence.extend_from_slice(doc.as_bytes());
    }
    Operation {
        body: rawdoc! { "insert": into },
        sequence: Some(("documents", sequence)),
        call: Call::Insert,
        collection: into,
        expect,
    }
}
