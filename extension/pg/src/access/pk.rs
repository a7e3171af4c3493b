//! What a filter says about `_id`, as ranges of the primary key. `_id` is never an array, so conditions intersect.

use engine::compare::{bracket, has_string, values};
use engine::query::{Bound, Query, Relation};
use engine::raw::ty;
use engine::{Doc, Val};
use pgrx::pg_sys;

use crate::storage::Key;
use crate::types::wrap;

/// Ranges of the primary key that hold every match, ascending and disjoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ids {
    /// The filter says nothing.
    All,
    /// One of these object ids, ascending.
    Points(Vec<Vec<u8>>),
    /// `(strategy, object id)` conditions that hold together.
    Range(Vec<(u16, Vec<u8>)>),
}

const LT: u16 = pg_sys::BTLessStrategyNumber as u16;
const LE: u16 = pg_sys::BTLessEqualStrategyNumber as u16;
const EQ: u16 = pg_sys::BTEqualStrategyNumber as u16;
const GE: u16 = pg_sys::BTGreaterEqualStrategyNumber as u16;
const GT: u16 = pg_sys::BTGreaterStrategyNumber as u16;

/// The ids `query` asks for.
pub fn ids(query: &Query) -> Ids {
    let mut range = Vec::new();
    // The primary key has strings by their bytes.
    let by_bytes = query.collation().is_simple();
    let plain = |v: Val<'_>| plain(v) && (by_bytes || !has_string(v));
    for c in query.conjuncts().filter(|c| c.path.as_str() == "_id") {
        match c.bound {
            Bound::Eq(v) if plain(v) => return Ids::Points(vec![wrap(v)]),
            Bound::In(set) if set.iter().all(|o| plain(o.val())) => {
                let mut points: Vec<_> = set.iter().map(|o| o.val()).collect();
                points.sort_by(|a, b| values(*a, *b));
                points.dedup_by(|a, b| values(*a, *b).is_eq());
                return Ids::Points(points.into_iter().map(wrap).collect());
            }
            // The other end of the operand's bracket is left to the filter: the btree has no value for it.
            Bound::Range(relation, v)
                if plain(v) && !matches!(v.ty, ty::MIN_KEY | ty::MAX_KEY | ty::NULL) =>
            {
                let strategy = match relation {
                    Relation::Lt => LT,
                    Relation::Lte => LE,
                    Relation::Gt => GT,
                    Relation::Gte => GE,
                };
                range.push((strategy, wrap(v)));
                if let Some((strategy, end)) = bracket_end(relation, v) {
                    range.push((strategy, end));
                }
            }
            _ => {}
        }
    }
    if range.is_empty() { Ids::All } else { Ids::Range(range) }
}

/// A value that ids can have and that equality finds as it stands.
fn plain(v: Val<'_>) -> bool {
    !matches!(v.ty, ty::ARRAY | ty::REGEX | ty::UNDEFINED)
}

/// A value at or beyond the other end of the operand's bracket, where one exists that is cheap to name.
fn bracket_end(relation: Relation, v: Val<'_>) -> Option<(u16, Vec<u8>)> {
    let upper = matches!(relation, Relation::Gt | Relation::Gte);
    let at = |ty, bytes| Val { ty, bytes };
    match (bracket(v.ty), upper) {
        // Strings follow numbers, documents follow strings, object ids end before false.
        (10, true) => Some((LT, wrap(at(ty::STRING, &[1, 0, 0, 0, 0])))),
        (10, false) => Some((GE, wrap(at(ty::DOUBLE, &f64::NAN.to_le_bytes())))),
        (15, true) => Some((LT, wrap(at(ty::DOCUMENT, Doc::EMPTY.bytes())))),
        (15, false) => Some((GE, wrap(at(ty::STRING, &[1, 0, 0, 0, 0])))),
        (35, true) => Some((LT, wrap(at(ty::BOOL, &[0])))),
        (35, false) => Some((GE, wrap(at(ty::OBJECT_ID, &[0; 12])))),
        _ => None,
    }
}

impl Ids {
    /// The scans this takes, in scan order: each a list of conditions that hold together. `from`: the scan goes on at
    /// this object id.
    pub fn scans(&self, backward: bool, from: Option<&[u8]>) -> Vec<Vec<Key>> {
        let order = |id: &[u8], from: &[u8]| {
            let o = engine::compare::docs(Doc::trusted(id), Doc::trusted(from));
            if backward { o.reverse() } else { o }
        };
        let key = |strategy, id: &[u8]| Key { strategy, object_id: id.to_vec() };
        let go_on = from.map(|id| key(if backward { LE } else { GE }, id));
        match self {
            Ids::All => vec![go_on.into_iter().collect()],
            Ids::Range(conditions) => {
                vec![conditions.iter().map(|(s, id)| key(*s, id)).chain(go_on).collect()]
            }
            Ids::Points(points) => {
                let mut scans: Vec<Vec<Key>> = points
                    .iter()
                    .filter(|id| from.is_none_or(|f| order(id, f).is_ge()))
                    .map(|id| vec![key(EQ, id)])
                    .collect();
                if backward {
                    scans.reverse();
                }
                scans
            }
        }
    }
}
