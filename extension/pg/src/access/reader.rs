//! Walking a plan: documents that match, each once, with the place to go on from.

use engine::Doc;
use engine::query::Query;
use pgrx::pg_sys;

use super::examined;
use super::near::NearScan;
use super::plan::{Plan, Way};
use super::position::Position;
use crate::error::Result;
use crate::storage::{KeyScan, Piece, Row, Scan, Table, Tid};

/// A document that matches.
#[derive(Clone, Copy)]
pub struct Hit<'a> {
    /// Where this version of the row is: what a change names.
    pub version: Tid,
    /// Its bytes, until the reader moves on.
    pub document: &'a [u8],
}

enum Source<'t> {
    /// One scan over the table.
    Heap(Scan<'t>),
    /// One scan by the order of insertion.
    Order(Scan<'t>),
    /// Scans over the primary key, one after the other.
    Id { current: Option<Scan<'t>>, rest: std::vec::IntoIter<Vec<crate::storage::Key>>, forward: bool },
    /// A scan over a secondary index.
    Index(KeyScan<'t>),
    /// By distance.
    Near(NearScan<'t>),
    /// Readers for the choices of an `$or`, one after the other.
    Or { choices: &'t [Plan], number: usize, reader: Box<Reader<'t>> },
}

/// A walk under the snapshot that is active when it begins; it must stay active as long.
pub struct Reader<'t> {
    table: &'t Table,
    query: &'t Query,
    plan: &'t Plan,
    source: Source<'t>,
    at: Place,
    /// Documents that were looked at, and those that matched.
    counts: (u64, u64),
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        examined::add(self.counts.0, self.counts.1);
    }
}

/// The place of the last document, in buffers that are used again.
enum Place {
    Row(Tid),
    Order(i64),
    Id(Vec<u8>),
    Key(Vec<u8>, Tid),
    Near(f64, Tid),
}

impl<'t> Reader<'t> {
    /// Begins at `from`. A position of another way than the plan's (the index was dropped meanwhile) can't be taken up:
    /// `None`.
    pub fn open(
        table: &'t Table,
        query: &'t Query,
        plan: &'t Plan,
        from: &Position,
    ) -> Result<Option<Reader<'t>>> {
        let nowhere = Tid { ip_blkid: pg_sys::BlockIdData { bi_hi: 0, bi_lo: 0 }, ip_posid: 0 };
        let (source, at) = match (&plan.way, from) {
            (Way::Heap { backward }, Position::Start) => {
                (Source::Heap(Scan::all(table, *backward)), Place::Row(nowhere))
            }
            (Way::Heap { backward }, Position::Row(tid)) => {
                (Source::Heap(Scan::from(table, *tid, *backward)), Place::Row(nowhere))
            }
            (Way::Order { backward }, Position::Start | Position::Order(_)) => {
                let from = if let Position::Order(at) = from { Some(*at) } else { None };
                // Nothing was looked at yet: the row before is the last one.
                let before = from.map_or(0, |at| at.saturating_sub(1));
                (Source::Order(Scan::by_order(table, from, *backward)?), Place::Order(before))
            }
            (Way::Or(choices), Position::Start | Position::Choice { .. }) => {
                let (number, inner) = match from {
                    Position::Choice { number, at } => (*number, &**at),
                    _ => (0, &Position::Start),
                };
                let Some(first) = choices.get(number) else { return Ok(None) };
                let Some(reader) = Reader::open(table, query, first, inner)? else { return Ok(None) };
                (Source::Or { choices, number, reader: Box::new(reader) }, Place::Row(nowhere))
            }
            (Way::Id { ids, backward }, Position::Start | Position::Id(_)) => {
                let id = if let Position::Id(id) = from { Some(id.as_slice()) } else { None };
                let rest = ids.scans(*backward, id).into_iter();
                (Source::Id { current: None, rest, forward: !*backward }, Place::Id(Vec::new()))
            }
            (Way::Index { relation, bounds, backward, .. }, Position::Start | Position::Key { .. }) => {
                let pieces = pieces(bounds, *backward, from);
                let scan = KeyScan::new(table, *relation, pieces, *backward)?;
                (Source::Index(scan), Place::Key(Vec::new(), nowhere))
            }
            (Way::Near(way), Position::Start | Position::Near { .. }) => {
                let Some(near) = query.near() else { return Ok(None) };
                let start =
                    if let Position::Near { distance, tid } = from { Some((*distance, *tid)) } else { None };
                (Source::Near(NearScan::new(table, way, near, start)), Place::Near(0.0, nowhere))
            }
            _ => return Ok(None),
        };
        Ok(Some(Reader { table, query, plan, source, at, counts: (0, 0) }))
    }

    /// The next match.
    pub fn next(&mut self) -> Result<Option<Hit<'_>>> {
        loop {
            let row: Row<'_> = match &mut self.source {
                Source::Or { choices, number, reader } => {
                    let Some(hit) = reader.next()? else {
                        *number += 1;
                        let Some(plan) = choices.get(*number) else { return Ok(None) };
                        match Reader::open(self.table, self.query, plan, &Position::Start)? {
                            Some(next) => **reader = next,
                            None => return Ok(None),
                        }
                        continue;
                    };
                    if self.query.first_choice(Doc::trusted(hit.document))? != Some(*number) {
                        continue;
                    }
                    return Ok(Some(extend_hit(hit)));
                }
                Source::Heap(scan) => match scan.next() {
                    Some(row) => {
                        self.at = Place::Row(row.tid);
                        row
                    }
                    None => return Ok(None),
                },
                Source::Order(scan) => match scan.next() {
                    Some(row) => {
                        self.at = Place::Order(row.order);
                        row
                    }
                    None => return Ok(None),
                },
                Source::Id { current, rest, forward } => {
                    if current.is_none() {
                        let Some(keys) = rest.next() else { return Ok(None) };
                        *current = Some(Scan::primary_key(self.table, &keys, *forward)?);
                    }
                    match current.as_mut().and_then(|scan| scan.next()) {
                        Some(row) => {
                            if let Place::Id(id) = &mut self.at {
                                id.clear();
                                id.extend_from_slice(row.object_id);
                            }
                            extend(row)
                        }
                        None => {
                            *current = None;
                            continue;
                        }
                    }
                }
                Source::Near(scan) => {
                    let Some((row, distance)) = scan.next()? else { return Ok(None) };
                    self.at = Place::Near(distance, row.tid);
                    extend(row)
                }
                Source::Index(scan) => {
                    let Some((row, key)) = scan.next() else { return Ok(None) };
                    if !first_of_row(self.plan, row.document, key)? {
                        continue;
                    }
                    if let Place::Key(k, tid) = &mut self.at {
                        k.clear();
                        k.extend_from_slice(key);
                        *tid = row.tid;
                    }
                    extend(row)
                }
            };
            let row = extend(row);
            self.counts.0 += 1;
            if self.query.matches(Doc::trusted(row.document))? {
                self.counts.1 += 1;
                return Ok(Some(Hit { version: row.version, document: row.document }));
            }
        }
    }

    /// The position of the last match: another reader begins with it.
    pub fn position(&self) -> Position {
        if let Source::Or { number, reader, .. } = &self.source {
            return Position::Choice { number: *number, at: Box::new(reader.position()) };
        }
        match &self.at {
            Place::Row(tid) => Position::Row(*tid),
            Place::Order(at) => Position::Order(*at),
            Place::Id(id) => Position::Id(id.clone()),
            Place::Near(distance, tid) => Position::Near { distance: *distance, tid: *tid },
            Place::Key(key, tid) => Position::Key { key: key.clone(), tid: *tid },
        }
    }
}

/// Unties a row from the borrow of its scan, which the loop in [`Reader::next`] can't express.
fn extend<'a>(row: Row<'_>) -> Row<'a> {
    // SAFETY: the bytes live in the scan's slot and memory until its next step, and the scan takes no step between here
    // and the return of `next`, whose result is tied to the borrow of the reader again.
    unsafe { core::mem::transmute::<Row<'_>, Row<'a>>(row) }
}

/// As [`extend`], for a hit of a reader within a reader.
fn extend_hit<'a>(hit: Hit<'_>) -> Hit<'a> {
    // SAFETY: as above; the inner reader takes no step between here and the return of `next`.
    unsafe { core::mem::transmute::<Hit<'_>, Hit<'a>>(hit) }
}

/// The pieces of an index to walk, in scan order, from a position on.
pub(super) fn pieces(bounds: &engine::key::bounds::Bounds, backward: bool, from: &Position) -> Vec<Piece> {
    let mut out: Vec<Piece> =
        bounds.ranges.iter().map(|r| Piece { lo: r.lo.clone(), hi: r.hi.clone(), from: None }).collect();
    if backward {
        out.reverse();
    }
    let Position::Key { key, tid } = from else { return out };
    // The successor of a key as a byte string.
    let behind = [key.as_slice(), &[0]].concat();
    let here = Piece { lo: key.clone(), hi: behind.clone(), from: Some(*tid) };
    let mut rest = vec![here];
    for mut p in out {
        if backward {
            p.hi = p.hi.min(key.clone());
        } else {
            p.lo = p.lo.max(behind.clone());
        }
        if p.lo < p.hi {
            rest.push(p);
        }
    }
    rest
}

/// A row with several keys is met under each that lies in the bounds: it counts under the first.
fn first_of_row(plan: &Plan, document: &[u8], key: &[u8]) -> Result<bool> {
    let Way::Index { definition, bounds, backward, multi: true, .. } = &plan.way else { return Ok(true) };
    let keys = definition.entries(document)?.keys;
    let covered = |k: &&Vec<u8>| bounds.covers(k);
    let first = if *backward { keys.iter().rev().find(covered) } else { keys.iter().find(covered) };
    Ok(first.is_none_or(|k| k == key))
}
