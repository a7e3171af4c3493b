//! Matches that are counted by the entries of an index alone (MongoDB's COUNT_SCAN).

use engine::collation::Collation;
use engine::key::{Strings, decided};
use engine::query::Query;

use super::examined;
use super::pk::Ids;
use super::plan::{Plan, Way};
use super::position::Position;
use super::reader::pieces;
use crate::catalog::ID_INDEX;
use crate::error::Result;
use crate::storage::{Skim, Table};

/// A walk over entries under the snapshot that is active when it begins; it must stay active as long.
pub struct Entries<'t> {
    skim: Skim<'t>,
    count: u64,
}

impl<'t> Entries<'t> {
    /// Begins; `None` where documents have to be looked at.
    pub fn open(table: &'t Table, query: &Query, plan: &Plan) -> Result<Option<Entries<'t>>> {
        if deciding(table, query, plan).is_none() {
            return Ok(None);
        }
        let skim = match &plan.way {
            Way::Index { relation, bounds, .. } => {
                Skim::index(table, *relation, &pieces(bounds, false, &Position::Start))
            }
            Way::Id { ids, .. } => Skim::primary_key(table, &ids.scans(false, None))?,
            _ => Skim::primary_key(table, &[Vec::new()])?,
        };
        Ok(Some(Entries { skim, count: 0 }))
    }

    /// There is another match.
    pub fn next(&mut self) -> bool {
        let found = self.skim.next();
        self.count += u64::from(found);
        found
    }
}

impl Drop for Entries<'_> {
    fn drop(&mut self) {
        examined::add(self.count, self.count);
    }
}

/// The index whose entries tell which rows match: each of them has one.
pub fn deciding<'p>(table: &Table, query: &Query, plan: &'p Plan) -> Option<&'p str> {
    let conditions = |index: &Collation| decided(query.source(), Strings::of(query.collation(), index));
    match &plan.way {
        Way::Index { name, definition, bounds, whole: true, .. } => {
            let spec = &definition.spec;
            bounds.decide(spec, &conditions(&spec.collation)?).then_some(name)
        }
        Way::Id { ids: Ids::Points(_), .. } => {
            // Several conditions on `_id` may be more than its points.
            matches!(conditions(&Collation::SIMPLE)?.as_slice(), [one] if one.path == "_id")
                .then_some(ID_INDEX)
        }
        Way::Heap { .. } | Way::Order { .. } | Way::Id { ids: Ids::All, .. } => {
            // Otherwise the rows have to be visited anyway, and best in their own order.
            (query.source().is_empty() && table.is_mostly_visible()).then_some(ID_INDEX)
        }
        _ => None,
    }
}
