//! A place in the course of a reader, as a document for cursor continuations.

use engine::raw::View;
use engine::{Doc, DocWriter, Value};

use crate::error::{Result, internal};
use crate::storage::Tid;

/// From where a reader goes on: at this row, if it is still there.
#[derive(Clone, Debug)]
pub enum Position {
    /// At the first row.
    Start,
    /// At a place of the table.
    Row(Tid),
    /// At a place in the order of insertion.
    Order(i64),
    /// At an object id `{"": value}`.
    Id(Vec<u8>),
    /// At a row of this distance.
    Near { distance: f64, tid: Tid },
    /// At a row under a key of an index.
    Key { key: Vec<u8>, tid: Tid },
    /// On the way of a choice of an `$or`.
    Choice { number: usize, at: Box<Position> },
}

impl Position {
    /// Does it name a row by its place in the table?
    pub fn is_of_rows(&self) -> bool {
        match self {
            Position::Row(_) | Position::Near { .. } | Position::Key { .. } => true,
            Position::Choice { at, .. } => at.is_of_rows(),
            Position::Start | Position::Order(_) | Position::Id(_) => false,
        }
    }

    /// The position as a document.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = DocWriter::new();
        match self {
            Position::Start => {}
            Position::Row(tid) => {
                w.put("tid", &tid_value(*tid));
            }
            Position::Order(at) => {
                w.put("order", &Value::Int64(*at));
            }
            Position::Id(id) => {
                w.put_doc("id", Doc::trusted(id));
            }
            Position::Near { distance, tid } => {
                w.put("near", &Value::Double(*distance));
                w.put("tid", &tid_value(*tid));
            }
            Position::Key { key, tid } => {
                w.put("key", &Value::Binary { subtype: 0, bytes: key.clone() });
                w.put("tid", &tid_value(*tid));
            }
            Position::Choice { number, at } => {
                w.put("choice", &Value::Int32(i32::try_from(*number).unwrap_or(i32::MAX)));
                w.put_doc("at", Doc::trusted(&at.encode()));
            }
        }
        w.finish()
    }

    /// The inverse of [`Position::encode`].
    pub fn decode(d: Doc<'_>) -> Result<Position> {
        let bad = || internal("the cursor's continuation is not one of this server's");
        let binary = |name| match d.get(name).map(|v| v.view()) {
            Some(View::Binary { bytes, .. }) => Some(bytes),
            _ => None,
        };
        if let (Some(number), Some(at)) = (d.get("choice"), d.get("at").and_then(|v| v.as_doc())) {
            // One level only: the ways of choices have no choices.
            if at.get("choice").is_some() {
                return Err(bad());
            }
            let number =
                crate::spec::integer(number).and_then(|n| usize::try_from(n).ok()).ok_or_else(bad)?;
            return Ok(Position::Choice { number, at: Box::new(Position::decode(at)?) });
        }
        if let Some(order) = d.get("order") {
            return Ok(Position::Order(crate::spec::integer(order).ok_or_else(bad)?));
        }
        let tid = binary("tid").map(|b| tid_of(b).ok_or_else(bad)).transpose()?;
        if let (Some(View::Double(distance)), Some(tid)) = (d.get("near").map(|v| v.view()), tid) {
            return Ok(Position::Near { distance, tid });
        }
        Ok(match (d.get("id").and_then(|v| v.as_doc()), binary("key"), tid) {
            (Some(id), _, _) => Position::Id(id.bytes().to_vec()),
            (None, Some(key), Some(tid)) => Position::Key { key: key.to_vec(), tid },
            (None, None, Some(tid)) => Position::Row(tid),
            (None, None, None) => Position::Start,
            _ => return Err(bad()),
        })
    }
}

fn tid_value(tid: Tid) -> Value {
    Value::Binary { subtype: 0, bytes: crate::am::row_id(tid).to_vec() }
}

fn tid_of(b: &[u8]) -> Option<Tid> {
    let [a, b, c, d, e, f] = *b.first_chunk::<6>()?;
    let block =
        pgrx::pg_sys::BlockIdData { bi_hi: u16::from_be_bytes([a, b]), bi_lo: u16::from_be_bytes([c, d]) };
    Some(Tid { ip_blkid: block, ip_posid: u16::from_be_bytes([e, f]) })
}
