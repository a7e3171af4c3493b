//! What pipelines reach beyond their stream: other collections, writes, statistics.

use std::cell::RefCell;
use std::rc::Rc;

use engine::collation::Collation;
use engine::query::Query;
use engine::sort::SortSpec;
use engine::stage::{Docs, GeoNear, Host, Output, ParseContext, Sorting, Statistics, Wanted};
use engine::{Doc, codes};

use super::pipeline::{Owned, Run, documents_near};
use super::sorter::Sorter;
use super::walk::{Opened, Parsed};
use super::{output, statistics};
use crate::access::{Hint, Ids, Position, Way};
use crate::catalog::{self, Collection};
use crate::error::{Error, Result};

/// The server as a pipeline of one command sees it.
pub struct Server {
    /// The command's database.
    pub db: String,
    /// The command's collection.
    pub collection: Option<String>,
    /// How the pipeline compares strings, also those of other collections.
    collation: Collation,
    /// The command's `bypassDocumentValidation`, for what is written.
    pub bypass: bool,
    /// An error that the engine's errors can't express (PostgreSQL's own), on its way through the pipeline.
    carried: RefCell<Option<Error>>,
}

impl Server {
    /// For a command on `db.collection`.
    pub fn new(db: &str, collection: Option<&str>, collation: &Collation) -> Server {
        Server {
            db: db.to_owned(),
            collection: collection.map(str::to_owned),
            collation: collation.clone(),
            bypass: false,
            carried: RefCell::default(),
        }
    }

    /// How the pipeline compares strings.
    pub fn collation(&self) -> &Collation {
        &self.collation
    }

    /// Sends an error through the engine; [`Server::land`] gives it back.
    pub fn carry(&self, e: Error) -> engine::Error {
        let through = engine::Error::new(codes::INTERNAL_ERROR, e.message.clone());
        self.carried.replace(Some(e));
        through
    }

    /// An error that came out of a pipeline, as it was before it went in.
    pub fn land(&self, e: engine::Error) -> Error {
        match self.carried.take() {
            Some(carried) if e.code == codes::INTERNAL_ERROR && carried.message == e.message => carried,
            _ => e.into(),
        }
    }

    fn read(&self, wanted: &Wanted<'_>) -> Result<Docs<'_>> {
        let db = wanted.db.unwrap_or(&self.db);
        let Some(c) = catalog::find(db, wanted.collection)? else {
            return Ok(Box::new(std::iter::empty()));
        };
        if c.view.is_some() {
            return self.read_view(db, &c, wanted);
        }
        let (opened, parsed) = opened(c, wanted)?;
        let mut owned = Owned::new(opened, parsed, &Position::Start)?;
        Ok(Box::new(std::iter::from_fn(move || owned.next().map_err(|e| self.carry(e)).transpose())))
    }

    /// The view's pipeline with the filter behind it.
    fn read_view(&self, db: &str, c: &Collection, wanted: &Wanted<'_>) -> Result<Docs<'_>> {
        if c.collation != self.collation {
            let text = "Cannot override a view's default collation";
            return Err(engine::Error::new(codes::OPTION_NOT_SUPPORTED_ON_VIEW, text).into());
        }
        let mut stages = engine::ArrayWriter::new();
        if let Some(filter) = wanted.filter {
            let mut stage = engine::DocWriter::new();
            stage.put_doc("$match", filter);
            stages.push(&engine::Value::Document(stage.finish()));
        }
        let mut cx = ParseContext::default();
        cx.variables = wanted.cx.variables.clone();
        cx.collation = self.collation.clone();
        let run = Run::new(db, Some(wanted.collection), Doc::trusted(&stages.finish()), cx, None)?;
        if db == self.db {
            return Ok(run.start(self, None)?.0);
        }
        // A pipeline runs over its own database: one of another database is read as a whole.
        let other = Server::new(db, Some(wanted.collection), &self.collation);
        let all: Vec<Vec<u8>> = {
            let (docs, _) = run.start(&other, None)?;
            docs.collect::<engine::Result<_>>().map_err(|e| other.land(e))?
        };
        Ok(Box::new(all.into_iter().map(Ok)))
    }
}

/// The way to what is wanted of a collection.
fn opened(c: Rc<Collection>, wanted: &Wanted<'_>) -> Result<(Opened, Parsed)> {
    let parsed = Parsed::of_query(Query::parse(wanted.filter.unwrap_or(Doc::EMPTY), &wanted.cx.query())?)?;
    Ok((Opened::with_hint(c, &parsed, Hint::None, false)?, parsed))
}

impl Host for Server {
    fn open(&self, wanted: &Wanted<'_>) -> engine::Result<Docs<'_>> {
        self.read(wanted).map_err(|e| self.carry(e))
    }

    fn open_near(&self, wanted: &Wanted<'_>, near: &GeoNear) -> engine::Result<Docs<'_>> {
        let found = catalog::find(wanted.db.unwrap_or(&self.db), wanted.collection);
        let Some(c) = found.map_err(|e| self.carry(e))? else { return Ok(Box::new(std::iter::empty())) };
        if c.view.is_some() {
            engine::bail!(codes::LOCATION40603, "$geoNear was not the first stage in the pipeline.");
        }
        documents_near(self, &c, near, &wanted.cx.query()).map_err(|e| self.carry(e))
    }

    fn write(&self, target: &Output, documents: Docs<'_>) -> engine::Result<()> {
        let name = if matches!(target, Output::Out { .. }) { "$out" } else { "$merge" };
        not_in_transaction(name)?;
        output::write(self, target, documents).map_err(|e| self.carry(e))
    }

    fn statistics(&self, what: Statistics<'_>) -> engine::Result<Docs<'_>> {
        match what {
            Statistics::Indexes => not_in_transaction("$indexStats")?,
            Statistics::Operations(_) if self.db != "admin" || self.collection.is_some() => engine::bail!(
                codes::INVALID_NAMESPACE,
                "$currentOp must be run against the 'admin' database with {{aggregate: 1}}"
            ),
            _ => {}
        }
        let list = statistics::documents(self, what).map_err(|e| self.carry(e))?;
        Ok(Box::new(list.into_iter().map(Ok)))
    }

    fn narrows(&self, wanted: &Wanted<'_>) -> bool {
        let found = catalog::find(wanted.db.unwrap_or(&self.db), wanted.collection).ok().flatten();
        // What is wrong with the filter is told by who reads with it.
        found.filter(|c| c.view.is_none()).is_some_and(|c| {
            opened(c, wanted).is_ok_and(|(opened, _)| match opened.taken() {
                Way::Heap { .. } | Way::Order { .. } => false,
                Way::Id { ids, .. } => *ids != Ids::All,
                Way::Index { bounds, .. } => bounds.used > 0,
                Way::Or(_) | Way::Near(_) => true,
            })
        })
    }

    fn sorter(&self, spec: &SortSpec) -> Option<Box<dyn Sorting<'_> + '_>> {
        Some(Box::new(Sorter::new(spec.clone(), None)))
    }

    fn check_interrupts(&self) -> engine::Result<()> {
        crate::xact::check_interrupts();
        Ok(())
    }
}

fn not_in_transaction(stage: &str) -> engine::Result<()> {
    if super::held::in_transaction() {
        engine::bail!(
            codes::OPERATION_NOT_SUPPORTED_IN_TRANSACTION,
            "{stage} cannot be used in a transaction"
        );
    }
    Ok(())
}
