//! The reply of a cursor command, written once into one buffer.

use engine::raw::ty;
use pgrx::pg_sys::Datum;

/// A page holds at most this many bytes of documents, and at least one document (sql-api.md 1.2).
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What the official extension counts for each document besides its own bytes.
const OVERHEAD: usize = 9;

/// `{cursor: {id, ns, firstBatch | nextBatch}, ok: 1.0}` under construction.
pub struct Page {
    /// Four bytes for PostgreSQL's length word, then the document.
    buf: Vec<u8>,
    cursor: usize,
    batch: usize,
    id: usize,
    documents: usize,
    counted: usize,
    limit: usize,
}

impl Page {
    /// An empty page for at most `limit` documents. `field` is `firstBatch` or `nextBatch`.
    pub fn new(ns: &[&str], field: &str, limit: usize) -> Page {
        let mut p = Page {
            buf: Vec::with_capacity(1024),
            cursor: 0,
            batch: 0,
            id: 0,
            documents: 0,
            counted: 0,
            limit,
        };
        p.buf.extend_from_slice(&[0; 8]);
        p.cursor = p.open(ty::DOCUMENT, "cursor");
        p.head(ty::INT64, "id");
        p.id = p.buf.len();
        p.buf.extend_from_slice(&[0; 8]);
        p.head(ty::STRING, "ns");
        let len = ns.iter().map(|s| s.len()).sum::<usize>() + 1;
        p.buf.extend_from_slice(&len32(len));
        for s in ns {
            p.buf.extend_from_slice(s.as_bytes());
        }
        p.buf.push(0);
        p.batch = p.open(ty::ARRAY, field);
        p
    }

    /// The page takes no more documents by number.
    pub fn is_full(&self) -> bool {
        self.documents >= self.limit
    }

    /// Adds a document; false when it does not fit any more.
    pub fn push(&mut self, document: &[u8]) -> bool {
        let counted = self.counted + document.len() + OVERHEAD;
        if self.is_full() || (self.documents > 0 && counted > MAX_BYTES) {
            return false;
        }
        self.buf.push(ty::DOCUMENT);
        decimal(&mut self.buf, self.documents);
        self.buf.push(0);
        self.buf.extend_from_slice(document);
        self.documents += 1;
        self.counted = counted;
        true
    }

    /// The finished reply as a bson value. `id` 0 says that the cursor is finished.
    pub fn finish(mut self, id: i64) -> Datum {
        self.close(self.batch);
        self.close(self.cursor);
        self.buf[self.id..self.id + 8].copy_from_slice(&id.to_le_bytes());
        self.head(ty::DOUBLE, "ok");
        self.buf.extend_from_slice(&1f64.to_le_bytes());
        self.close(4);
        crate::sys::varlena(&self.buf[4..])
    }

    fn head(&mut self, t: u8, name: &str) {
        self.buf.push(t);
        self.buf.extend_from_slice(name.as_bytes());
        self.buf.push(0);
    }

    fn open(&mut self, t: u8, name: &str) -> usize {
        self.head(t, name);
        self.buf.extend_from_slice(&[0; 4]);
        self.buf.len() - 4
    }

    fn close(&mut self, at: usize) {
        self.buf.push(0);
        let len = len32(self.buf.len() - at);
        self.buf[at..at + 4].copy_from_slice(&len);
    }
}

fn len32(n: usize) -> [u8; 4] {
    // A page stays far below 2 GiB.
    i32::try_from(n).unwrap_or(i32::MAX).to_le_bytes()
}

fn decimal(out: &mut Vec<u8>, mut n: usize) {
    let start = out.len();
    loop {
        out.push(b'0' + (n % 10) as u8);
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out[start..].reverse();
}
