//! One update statement: the common part of update and findAndModify.

use engine::query::{ParseContext, Query};
use engine::sort::SortSpec;
use engine::update::{Outcome, Update, check_upsert_filter, upsert_document};
use engine::{Doc, Val, codes};

use super::change::{Changed, Search, Step};
use super::context::Context;
use super::id::prepare;
use super::place::Place;
use super::validate::Check;
use super::{batch, capped, fail};
use crate::access::Hint;
use crate::catalog::Collection;
use crate::error::Result;
use crate::spec::effective;
use crate::storage::{Access, NewRow};
use crate::xact::subtransaction;

/// What to change and how, as the command gives it.
#[derive(Clone, Copy)]
pub struct Modify<'a> {
    /// Which documents.
    pub filter: Doc<'a>,
    /// Operators, a replacement or a pipeline.
    pub update: Val<'a>,
    /// All of them, not only the first.
    pub multi: bool,
    /// Insert one if there is none.
    pub upsert: bool,
    /// Which of them first.
    pub sort: Option<Doc<'a>>,
    /// Filters for `$[name]`.
    pub array_filters: Option<Doc<'a>>,
    /// By which index.
    pub hint: Option<Val<'a>>,
    /// How strings compare, if given.
    pub collation: Option<Doc<'a>>,
    /// Variables of the pipeline, with their values.
    pub constants: Option<Doc<'a>>,
}

/// What it came to.
pub enum Modified {
    /// So many matched, so many were changed.
    Many { matched: usize, changed: usize },
    /// One matched.
    One(Changed),
    /// None matched, this was inserted.
    Inserted(Vec<u8>),
    /// None matched.
    Nothing,
}

/// How often an upsert whose document another transaction has just inserted looks again.
const UPSERT_TRIES: usize = 10;

/// A statement, parsed.
struct Parsed {
    query: Query,
    update: Update,
    sort: Option<SortSpec>,
}

impl Modify<'_> {
    fn parse(&self, context: &Context, collection: Option<&Collection>) -> Result<Parsed> {
        let collation = effective(self.collation, collection)?;
        let cx = context.parse(&collation);
        let query = Query::parse(self.filter, &cx)?;
        let update = match self.constants {
            None => Update::parse(self.update, self.array_filters, &cx)?,
            Some(constants) => {
                if self.update.as_array().is_none() {
                    let text = "Constant values may only be specified for pipeline updates";
                    return Err(fail(codes::LOCATION51198, text));
                }
                let variables = context.with_constants(constants);
                Update::parse(
                    self.update,
                    self.array_filters,
                    &ParseContext { variables: Some(&variables), ..cx },
                )?
            }
        };
        if self.multi {
            update.check_multi()?;
            if self.sort.is_some() {
                return Err(fail(codes::FAILED_TO_PARSE, "Cannot specify sort with multi=true"));
            }
        }
        if self.upsert {
            check_upsert_filter(query.source())?;
        }
        let sort = self.sort.map(SortSpec::parse).transpose()?.map(|s| s.collated(&collation));
        Ok(Parsed { query, update, sort })
    }

    /// Checks the statement where there is no collection to run it on.
    pub fn check(&self, context: &Context) -> Result<()> {
        self.parse(context, None).map(drop)
    }

    /// Runs it; `during` says in whose words what the documents make impossible is reported, where it is not this statement's own.
    pub fn run(
        &self,
        place: &Place,
        check: &Check,
        context: &Context,
        during: Option<&str>,
    ) -> Result<Modified> {
        crate::guard::disk_full()?;
        let parsed = self.parse(context, Some(&place.collection))?;
        let hint = Hint::parse(&place.collection, self.hint)?;
        let done = self.execute(place, check, &parsed, hint);
        done.map_err(|e| match during {
            Some(what) => e.during(what),
            None => e,
        })
    }

    fn execute(&self, place: &Place, check: &Check, parsed: &Parsed, hint: Hint) -> Result<Modified> {
        let Place { collection, table } = place;
        table.require(Access::Update)?;
        let search = Search { collection, table, query: &parsed.query, sort: parsed.sort.as_ref(), hint };
        let positional = parsed.update.is_positional().then_some(&parsed.query);
        let step = |old: Doc<'_>| {
            Ok(match parsed.update.apply(old, positional)? {
                Outcome::NoOp => Step::Keep,
                Outcome::Changed(new) => {
                    check.document(Some(old), Doc::trusted(&new))?;
                    Step::Replace(new)
                }
            })
        };
        for _ in 0..UPSERT_TRIES {
            if self.multi {
                let (matched, changed) = search.all(step)?;
                if matched > 0 {
                    return Ok(Modified::Many { matched, changed });
                }
            } else if let Some(changed) = search.one(step)? {
                return Ok(Modified::One(changed));
            }
            if !self.upsert {
                return Ok(Modified::Nothing);
            }
            match subtransaction(|| insert(place, parsed, check)) {
                Ok(document) => return Ok(Modified::Inserted(document)),
                // Somebody has just inserted it: then it is there to be updated, or the key is another document's.
                Err(e) if e.is(b"23505") && search.any()? => {}
                Err(e) => return Err(batch::explain(e, Some(collection))),
            }
        }
        Err(fail(codes::DUPLICATE_KEY, "Duplicate key violation on the requested collection: Index '_id_'"))
    }
}

fn insert(place: &Place, parsed: &Parsed, check: &Check) -> Result<Vec<u8>> {
    let document = upsert_document(&parsed.query, &parsed.update)?;
    let prepared = prepare(Doc::trusted(&document))?;
    check.document(None, Doc::trusted(&prepared.document))?;
    let row = NewRow { object_id: &prepared.object_id, document: &prepared.document };
    capped::insert(&place.table, &place.collection, &[row])?;
    // SAFETY: makes the row visible to what follows in this transaction.
    unsafe { pgrx::pg_sys::CommandCounterIncrement() };
    Ok(prepared.document.into_owned())
}
