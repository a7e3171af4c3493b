//! What a cursor's next call needs: the continuation document that the proxy keeps for us.
//!
//! `{qi: id, qp: its result is kept, qk: kind of command, qc: the command, …}` as the official one begins; then either
//! `at` (where a stream goes on: `{c: collection id, m: its name, u: its UUID, w: way, p: position, n: documents left, f: file of the table}`)
//! or `qf` and `qo` (file and offset of a result that was computed as a whole).

use engine::raw::View;
use engine::{Doc, DocWriter, Value};

use super::{held, spool};
use crate::access::Position;
use crate::error::{Result, internal};
use crate::guc;

/// Kinds of commands, numbered as the official extension does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// find
    Find = 1,
    /// aggregate
    Aggregate = 2,
}

/// Where a stream goes on.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The collection's number: one of the same name made later is another.
    pub collection: i64,
    /// What it was called and its UUID, to tell what became of it. Continuations of older versions do not know.
    pub name: String,
    /// See `name`.
    pub uuid: Option<[u8; 16]>,
    /// Number of the index, 0 for the table, -1 for the primary key.
    pub way: i64,
    /// Place.
    pub position: Position,
    /// Documents still to be given, if limited.
    pub left: Option<i64>,
    /// The file of the table that places of rows are in. Continuations of older versions do not name it.
    pub file: Option<i64>,
}

/// How a cursor goes on.
#[derive(Clone, Debug)]
pub enum Next {
    /// By walking on.
    Stream(Stream),
    /// By reading a file.
    File { name: String, offset: u64 },
    /// By what this backend holds.
    Held,
}

/// A continuation.
pub struct Continuation<'a> {
    /// Cursor id.
    pub id: i64,
    /// The command of the first page.
    pub command: Doc<'a>,
    /// Which it is.
    pub kind: Kind,
    /// How it goes on.
    pub next: Next,
}

impl Continuation<'_> {
    /// As a document.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = DocWriter::with_capacity(self.command.bytes().len() + 128);
        w.put("qi", &Value::Int64(self.id));
        w.put("qp", &Value::Bool(!matches!(self.next, Next::Stream(_))));
        w.put("qk", &Value::Int32(self.kind as i32));
        w.put_doc("qc", self.command);
        match &self.next {
            Next::Stream(s) => {
                let mut at = DocWriter::new();
                at.put("c", &Value::Int64(s.collection));
                at.put_str("m", &s.name);
                if let Some(uuid) = s.uuid {
                    at.put("u", &Value::Binary { subtype: 4, bytes: uuid.to_vec() });
                }
                at.put("w", &Value::Int64(s.way));
                at.put_doc("p", Doc::trusted(&s.position.encode()));
                if let Some(n) = s.left {
                    at.put("n", &Value::Int64(n));
                }
                if let Some(file) = s.file {
                    at.put("f", &Value::Int64(file));
                }
                w.put_doc("at", Doc::trusted(&at.finish()));
            }
            Next::File { name, offset } => {
                w.put_str("qf", name);
                w.put("qo", &Value::Int64(offset.cast_signed()));
            }
            Next::Held => {
                w.put_str("qn", &format!("cursor_{}", self.id));
            }
        }
        w.finish()
    }
}

/// The cursor id a continuation is for; 0 when it names none.
pub fn id_of(continuation: Doc<'_>) -> i64 {
    long(continuation, "qi").unwrap_or(0)
}

fn long(d: Doc<'_>, name: &str) -> Option<i64> {
    match d.get(name)?.view() {
        View::Int64(i) => Some(i),
        View::Int32(i) => Some(i64::from(i)),
        _ => None,
    }
}

/// Reads a continuation.
pub fn decode(d: Doc<'_>) -> Result<Continuation<'_>> {
    let bad = || internal("the cursor's continuation is not one of this server's");
    let next = if let Some(at) = d.get("at").and_then(|v| v.as_doc()) {
        Next::Stream(Stream {
            collection: long(at, "c").ok_or_else(bad)?,
            name: at.get("m").and_then(|v| v.as_str()).unwrap_or_default().to_owned(),
            uuid: at.get("u").and_then(|v| match v.view() {
                View::Binary { bytes, .. } => bytes.try_into().ok(),
                _ => None,
            }),
            way: long(at, "w").ok_or_else(bad)?,
            position: Position::decode(at.get("p").and_then(|v| v.as_doc()).ok_or_else(bad)?)?,
            left: long(at, "n"),
            file: long(at, "f"),
        })
    } else if let Some(name) = d.get("qf").and_then(|v| v.as_str()) {
        let offset = long(d, "qo").and_then(|i| u64::try_from(i).ok()).ok_or_else(bad)?;
        Next::File { name: name.to_owned(), offset }
    } else {
        Next::Held
    };
    Ok(Continuation {
        id: id_of(d),
        command: d.get("qc").and_then(|v| v.as_doc()).ok_or_else(bad)?,
        kind: if long(d, "qk") == Some(2) { Kind::Aggregate } else { Kind::Find },
        next,
    })
}

/// How results go on that the official extension does not stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// Ours: by walking on where the way gives the order, else in a file.
    Stream,
    /// Always in a file (`documentdb.useFileBasedPersistedCursors`).
    File,
    /// The official default: in this backend.
    Backend,
}

/// The way the session's settings ask for.
pub fn keeping() -> Keeping {
    if guc::flag(c"documentdb.useFileBasedPersistedCursors") {
        Keeping::File
    } else if guc::flag(c"ermine.official_cursors") {
        Keeping::Backend
    } else {
        Keeping::Stream
    }
}

/// The id of a new cursor: the caller's, or a random positive one of 53 bits.
pub fn new_id(given: i64) -> Result<i64> {
    if given != 0 {
        return Ok(given);
    }
    let id = spool::random()? & ((1 << 53) - 1);
    Ok(id.max(1).cast_signed())
}

/// Keeps the documents `rest` gives for later pages: how the cursor goes on.
pub fn keep(
    id: i64,
    keeping: Keeping,
    rest: impl FnOnce(&mut spool::Writer) -> Result<()>,
) -> Result<Option<Next>> {
    // What this backend holds is not found by the cursor's number: ending the cursor officially leaves it alone.
    let mut file = spool::Writer::new(if keeping == Keeping::Backend { 0 } else { id })?;
    rest(&mut file)?;
    let name = file.finish()?;
    Ok(Some(match keeping {
        Keeping::Stream | Keeping::File => Next::File { name, offset: 0 },
        Keeping::Backend => {
            held::hold(id, name);
            Next::Held
        }
    }))
}
