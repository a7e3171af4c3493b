//! What pipelines reach beyond their stream: other collections, writes, statistics.

use std::cell::RefCell;

use engine::collation::Collation;
use engine::query::{ParseContext as FilterContext, Place, Query};
use engine::stage::{Docs, GeoNear, Host, Output, ParseContext, Statistics};
use engine::{Doc, codes};

use super::pipeline::{Owned, Run, documents_near};
use super::walk::{Opened, Parsed, now};
use super::{output, statistics};
use crate::access::{Hint, Position};
use crate::catalog;
use crate::error::{Error, Result};

/// The server as a pipeline of one command sees it.
pub struct Server {
    /// The command's database.
    pub db: String,
    /// The command's collection.
    pub collection: Option<String>,
    /// How the pipeline compares strings, also those of other collections.
    collation: Collation,
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
            carried: RefCell::default(),
        }
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

    fn read(&self, db: Option<&str>, collection: &str, filter: Option<Doc<'_>>) -> Result<Docs<'_>> {
        let db = db.unwrap_or(&self.db);
        let Some(c) = catalog::find(db, collection)? else { return Ok(Box::new(std::iter::empty())) };
        if c.view.is_some() {
            if c.collation != self.collation {
                let text = "Cannot override a view's default collation";
                return Err(engine::Error::new(codes::OPTION_NOT_SUPPORTED_ON_VIEW, text).into());
            }
            let none = engine::ArrayWriter::new().finish();
            let mut cx = ParseContext::default();
            cx.collation = self.collation.clone();
            let run = Run::new(db, Some(collection), Doc::trusted(&none), cx, None)?;
            // A pipeline runs over its own database: one of another database is read as a whole.
            let other = Server::new(db, Some(collection), &self.collation);
            let all: Vec<Vec<u8>> = {
                let (docs, _) = run.start(&other, None)?;
                docs.collect::<engine::Result<_>>().map_err(|e| other.land(e))?
            };
            return Ok(Box::new(all.into_iter().map(Ok)));
        }
        let collation = Some(&self.collation);
        let cx = FilterContext { place: Place::Match, now: now(), collation, ..FilterContext::default() };
        let parsed = Parsed::of_query(Query::parse(filter.unwrap_or(Doc::EMPTY), &cx)?)?;
        let opened = Opened::with_hint(c, &parsed, Hint::None, false)?;
        let mut owned = Owned::new(opened, parsed, &Position::Start)?;
        Ok(Box::new(std::iter::from_fn(move || owned.next().map_err(|e| self.carry(e)).transpose())))
    }
}

impl Host for Server {
    fn open(&self, db: Option<&str>, collection: &str, filter: Option<Doc<'_>>) -> engine::Result<Docs<'_>> {
        self.read(db, collection, filter).map_err(|e| self.carry(e))
    }

    fn open_near(&self, db: Option<&str>, collection: &str, near: &GeoNear) -> engine::Result<Docs<'_>> {
        let found = catalog::find(db.unwrap_or(&self.db), collection).map_err(|e| self.carry(e))?;
        let Some(c) = found else { return Ok(Box::new(std::iter::empty())) };
        if c.view.is_some() {
            engine::bail!(codes::LOCATION40603, "$geoNear was not the first stage in the pipeline.");
        }
        documents_near(self, &c, near).map_err(|e| self.carry(e))
    }

    fn write(&self, target: &Output, documents: Docs<'_>) -> engine::Result<()> {
        let name = if matches!(target, Output::Out { .. }) { "$out" } else { "$merge" };
        not_in_transaction(name)?;
        output::write(self, target, documents).map_err(|e| self.carry(e))
    }

    fn statistics(&self, what: Statistics<'_>) -> engine::Result<Docs<'_>> {
        if matches!(what, Statistics::Indexes) {
            not_in_transaction("$indexStats")?;
        }
        let list = statistics::documents(self, what).map_err(|e| self.carry(e))?;
        Ok(Box::new(list.into_iter().map(Ok)))
    }

    fn finds_by(&self, db: Option<&str>, collection: &str, field: &str) -> bool {
        let found = catalog::find(db.unwrap_or(&self.db), collection).ok().flatten();
        found.is_some_and(|c| {
            let first = |key: &[u8]| Doc::trusted(key).first().is_some_and(|e| e.name() == field);
            let whole = |i: &&catalog::Index| i.valid && i.partial.is_none() && !i.sparse;
            c.view.is_none() && (field == "_id" || c.indexes.iter().filter(whole).any(|i| first(&i.key)))
        })
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
