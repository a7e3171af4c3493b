//! The way of a filter with `$text`: the collection's text index.

use std::rc::Rc;

use engine::key::bounds::{Bounds, Traits};
use engine::key::{Predicate, points, text_component};
use engine::query::Query;
use engine::{Error, codes};
use pgrx::pg_sys;

use super::inspect::inspect;
use super::plan::{Plan, Want, Way};
use crate::am::Definition;
use crate::catalog::{Collection, Index};
use crate::error::Result;
use crate::storage::Table;

/// The text index of a collection.
pub struct TextIndex {
    /// Its place among the collection's indexes.
    pub at: usize,
    definition: Rc<Definition>,
}

/// The text index that `query` needs, to which its `$text` is bound; `None` without a `$text`.
///
/// # Errors
/// IndexNotFound when there is no such index.
pub fn index(table: &Table, c: &Collection, query: &Query) -> Result<Option<TextIndex>> {
    let Some(filter) = query.text() else { return Ok(None) };
    for (at, index) in c.indexes.iter().enumerate() {
        if !index.valid || index.relation == pg_sys::InvalidOid || !is_text(index) {
            continue;
        }
        let Some((definition, _)) = inspect(table, index.relation)? else { continue };
        if let Some(spec) = &definition.spec.text {
            filter.bind(spec)?;
            return Ok(Some(TextIndex { at, definition }));
        }
    }
    Err(Error::new(codes::INDEX_NOT_FOUND, "text index required for $text query").into())
}

/// The index has a text component.
pub fn is_text(index: &Index) -> bool {
    engine::Doc::trusted(&index.key).get("_fts").is_some()
}

impl TextIndex {
    /// The keys of the words that are looked for, behind the values of the fields before them.
    ///
    /// # Errors
    /// NoQueryExecutionPlans where a field before the words has no equality condition.
    pub fn plan(
        &self,
        index: &Index,
        query: &Query,
        conditions: &[Predicate],
        want: &Want<'_>,
    ) -> Result<Plan> {
        let spec = &self.definition.spec;
        let mut conditions = conditions.to_vec();
        let at = spec.text.as_ref().map_or(0, |t| t.at);
        if let Some(filter) = query.text() {
            let words = filter.keys()?.map(text_component).collect();
            conditions.push(Predicate { path: "_fts".to_owned(), set: points(words), exact: false });
        }
        let equal = |path: &str| {
            conditions.iter().any(|p| p.path == path && p.set.iter().all(engine::key::Interval::is_point))
        };
        if !spec.fields.iter().take(at).all(|f| equal(&f.path)) {
            let text = "error processing query: planner returned error :: caused by :: failed to use text index to satisfy $text query (if text index is compound, are equality predicates given for all prefix fields?)";
            return Err(Error::new(codes::UNABLE_TO_FIND_INDEX, text).into());
        }
        // A document has each of its words behind each value of the fields before: nothing is lost by asking for both.
        let multi = (0..spec.fields.len()).map(|i| i >= at).collect();
        let traits = Traits { multi, truncated: true };
        let mut bounds = Bounds::of(spec, &traits, &conditions);
        bounds.fixed = 0;
        let way = Way::Index {
            name: index.name.clone(),
            id: index.id,
            relation: index.relation,
            multi: true,
            whole: false,
            definition: self.definition.clone(),
            bounds,
            backward: false,
        };
        Ok(Plan { way, sorted: want.sort.is_empty() })
    }
}
