//! Documents by distance: a geospatial index is read in rings around the point, the nearest first.

use std::collections::HashSet;
use std::rc::Rc;

use engine::geo::cover::Grid;
use engine::geo::near::Near;
use engine::key::bounds::{Traits, implies};
use engine::key::geo::{near_bounds, near_field};
use engine::key::{Predicate, Strings, predicates};
use engine::path::Path;
use engine::query::Query;
use engine::{Doc, Error, codes};
use pgrx::pg_sys;

use super::inspect::{hidden, inspect};
use super::plan::{Plan, Want, Way};
use crate::am::{Definition, row_id};
use crate::catalog::{Collection, Index};
use crate::error::Result;
use crate::storage::{KeyScan, Piece, Row, Table, Tid};

/// So many documents a ring should have: more make the next one narrower, fewer wider.
const FEW: usize = 300;
const MANY: usize = 600;

/// A geospatial index as the way to documents by distance.
#[derive(Clone)]
pub struct NearWay {
    /// Name of the index.
    pub name: String,
    /// Its number.
    pub id: i32,
    relation: pg_sys::Oid,
    definition: Rc<Definition>,
    traits: Rc<Traits>,
    conditions: Rc<[Predicate]>,
    /// The component that has the geometry.
    field: usize,
}

impl NearWay {
    /// MongoDB's name of the step.
    pub fn stage(&self) -> &'static str {
        if self.grid().is_some() { "GEO_NEAR_2D" } else { "GEO_NEAR_2DSPHERE" }
    }

    fn grid(&self) -> Option<Grid> {
        self.definition.spec.fields.get(self.field)?.geo?.grid()
    }
}

/// Has the index a geospatial component?
pub fn is_geo(index: &Index) -> bool {
    Doc::trusted(&index.key).values().any(|v| matches!(v.as_str(), Some("2d" | "2dsphere")))
}

/// The field `$geoNear` measures at when it names none: that of the only `2d` index, or of the only `2dsphere` one.
///
/// # Errors
/// IndexNotFound 27 when there is none or more than one.
pub fn only_field(c: &Collection) -> Result<String> {
    for kind in ["2d", "2dsphere"] {
        let field = |i: &Index| {
            let key = Doc::trusted(&i.key);
            key.iter().find(|e| e.val.as_str() == Some(kind)).map(|e| e.name().to_owned())
        };
        let mut fields = c.indexes.iter().filter(|i| i.valid && !hidden(i)).filter_map(field);
        let Some(found) = fields.next() else { continue };
        if fields.next().is_some() {
            let text = format!(
                "There is more than one {kind} index on {}; unsure which to use for $geoNear",
                c.namespace()
            );
            return Err(Error::new(codes::INDEX_NOT_FOUND, text).into());
        }
        return Ok(found);
    }
    let text = "$geoNear requires a 2d or 2dsphere index, but none were found";
    Err(Error::new(codes::INDEX_NOT_FOUND, text).into())
}

/// The way for a query that sorts by distance.
///
/// # Errors
/// NoQueryExecutionPlans 291 when no index can tell distances.
pub fn plan(
    table: &Table,
    c: &Collection,
    query: &Query,
    (path, near): (&Path, &Near),
    want: &Want<'_>,
) -> Result<Plan> {
    for index in c.indexes.iter().filter(|i| is_geo(i) && i.valid && !hidden(i)) {
        let strings = Strings::of(query.collation(), &index.collation);
        let conditions: Rc<[Predicate]> = predicates(query.source(), strings).into();
        if let Some(partial) = &index.partial
            && !implies(query.source(), &conditions, Doc::trusted(partial), strings)
        {
            continue;
        }
        let Some((definition, traits)) = inspect(table, index.relation)? else { continue };
        let Some(field) = near_field(&definition.spec, &conditions, path.as_str(), near) else { continue };
        let way = NearWay {
            name: index.name.clone(),
            id: index.id,
            relation: index.relation,
            definition,
            traits: Rc::new(traits),
            conditions,
            field,
        };
        return Ok(Plan { way: Way::Near(way), sorted: want.sort.is_empty() });
    }
    let text = "planner returned error :: caused by :: unable to find index for $geoNear query";
    Err(Error::new(codes::UNABLE_TO_FIND_INDEX, text).into())
}

/// A row of the ring that is being given.
struct Found {
    distance: f64,
    tid: Tid,
    version: Tid,
    document: Vec<u8>,
}

/// A running walk outwards, under the active snapshot of the moment it began.
pub struct NearScan<'t> {
    table: &'t Table,
    way: &'t NearWay,
    path: &'t Path,
    near: &'t Near,
    /// Inner edge of the next ring.
    from: f64,
    /// Its width.
    width: f64,
    /// Everything was read.
    done: bool,
    /// Rows of one ring in order.
    ring: std::vec::IntoIter<Found>,
    current: Option<Found>,
    /// Rows before this place are left out.
    start: Option<(f64, [u8; 6])>,
}

impl<'t> NearScan<'t> {
    /// Begins at the least distance, or where another walk was.
    pub fn new(
        table: &'t Table,
        way: &'t NearWay,
        (path, near): (&'t Path, &'t Near),
        start: Option<(f64, Tid)>,
    ) -> NearScan<'t> {
        NearScan {
            table,
            way,
            path,
            near,
            from: start.map_or(near.min, |(d, _)| d),
            width: near.first_step(way.grid()),
            done: false,
            ring: Vec::new().into_iter(),
            current: None,
            start: start.map(|(d, tid)| (d, row_id(tid))),
        }
    }

    /// The next row with its distance.
    pub fn next(&mut self) -> Result<Option<(Row<'_>, f64)>> {
        loop {
            self.current = self.ring.next();
            if self.current.is_some() || self.done {
                break;
            }
            self.read_ring()?;
        }
        Ok(self.current.as_ref().map(|f| {
            let row = Row { tid: f.tid, version: f.version, object_id: &[], order: 0, document: &f.document };
            (row, f.distance)
        }))
    }

    fn read_ring(&mut self) -> Result<()> {
        let end = self.near.max.min(self.near.farthest(self.way.grid()));
        let to = self.from + self.width;
        let last = to >= end;
        let spec = &self.way.definition.spec;
        let outer = if last { end } else { to };
        let wanted = (self.way.field, self.near);
        let bounds = near_bounds(spec, &self.way.traits, &self.way.conditions, wanted, (self.from, outer));
        let pieces = bounds.ranges.into_iter().map(|r| Piece { lo: r.lo, hi: r.hi, from: None }).collect();
        let several = self.way.traits.multi.iter().any(|m| *m);
        let mut seen: HashSet<[u8; 6]> = HashSet::new();
        let mut found = Vec::new();
        let mut scan = KeyScan::new(self.table, self.way.relation, pieces, false)?;
        while let Some((row, _)) = scan.next() {
            if several && !seen.insert(row_id(row.tid)) {
                continue;
            }
            let Some((distance, _)) = self.near.measure(self.path, Doc::trusted(row.document))? else {
                continue;
            };
            let inside = distance >= self.from && (distance < to || last) && distance <= self.near.max;
            let early = |(d, tid)| distance.total_cmp(&d).then(row_id(row.tid).cmp(&tid)).is_lt();
            if inside && !self.start.is_some_and(early) {
                let (tid, version) = (row.tid, row.version);
                found.push(Found { distance, tid, version, document: row.document.to_vec() });
            }
        }
        drop(scan);
        found.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(row_id(a.tid).cmp(&row_id(b.tid))));
        self.from = to;
        self.done = last;
        match found.len() {
            0 => self.width *= 4.0,
            1..FEW => self.width *= 2.0,
            FEW..=MANY => {}
            _ => self.width /= 2.0,
        }
        self.ring = found.into_iter();
        Ok(())
    }
}
