//! Documents written by a pipeline's last stage (`$out`, `$merge`).

use engine::collation::Collation;
use engine::{Doc, Val, codes};
use pgrx::pg_sys;

use super::context::Context;
use super::id::prepare;
use super::modify::{Modified, Modify};
use super::place::Place;
use super::validate::Check;
use super::{batch, capped, fail};
use crate::catalog;
use crate::error::{Error, Result, caught};
use crate::guard;
use crate::storage::{Access, NewRow};
use crate::xact::{Snapshot, check_interrupts, subtransaction};

/// The collection a pipeline writes to.
pub struct Target {
    place: Place,
    check: Check,
}

/// How often a document that another transaction has just inserted is looked for again.
const TRIES: usize = 10;

impl Target {
    /// The collection, made if it is missing. `alone`: until the transaction ends nobody else writes to it.
    ///
    /// # Errors
    /// CommandNotSupportedOnView for a view.
    pub fn open(db: &str, name: &str, bypass: bool, alone: bool) -> Result<Target> {
        let place = Place::ensure(db, name, if alone { Access::Replace } else { Access::Insert })?;
        let check = Check::new(&place.collection, bypass)?;
        Ok(Target { place, check })
    }

    /// Is it capped?
    pub fn is_capped(&self) -> bool {
        self.place.collection.capped.is_some()
    }

    /// `db.collection`
    pub fn namespace(&self) -> String {
        self.place.collection.namespace()
    }

    /// Its number.
    pub fn id(&self) -> i64 {
        self.place.collection.id
    }

    /// Inserts documents.
    ///
    /// # Errors
    /// DuplicateKey, DocumentValidationFailure, and what a document must not have.
    pub fn insert(&self, documents: &[Vec<u8>]) -> Result<()> {
        let run = || {
            guard::disk_full()?;
            let Place { collection, table } = &self.place;
            table.require(Access::Insert)?;
            let _snapshot = Snapshot::fresh();
            let mut rows = Vec::with_capacity(documents.len());
            for d in documents {
                check_interrupts();
                engine::update::check_stored(Doc::trusted(d))?;
                let p = prepare(Doc::trusted(d))?;
                self.check.document(None, Doc::trusted(&p.document))?;
                rows.push(p);
            }
            let new: Vec<NewRow<'_>> =
                rows.iter().map(|p| NewRow { object_id: &p.object_id, document: &p.document }).collect();
            capped::insert(table, collection, &new)?;
            // SAFETY: makes the rows visible to what follows in this transaction.
            unsafe { pg_sys::CommandCounterIncrement() };
            Ok(())
        };
        // PostgreSQL's errors become values here only to be raised again in other words.
        caught(run).map_err(|e| self.explain(e))
    }

    /// Changes the document that the filter finds; false when there is none.
    ///
    /// # Errors
    /// Those of the update.
    pub fn change(&self, filter: Doc<'_>, update: Val<'_>, upsert: bool, context: &Context) -> Result<bool> {
        let modify = Modify {
            filter,
            update,
            multi: false,
            upsert,
            sort: None,
            array_filters: None,
            hint: None,
            collation: None,
            constants: None,
        };
        let modified = caught(|| modify.run(&self.place, &self.check, context, None));
        match modified.map_err(|e| self.explain(e))? {
            Modified::Nothing => Ok(false),
            Modified::Many { .. } | Modified::One(_) | Modified::Inserted(_) => Ok(true),
        }
    }

    /// As [`Target::change`]; the document is inserted as it is when the filter finds none.
    ///
    /// # Errors
    /// Those of the update, or of the insertion.
    pub fn change_or_insert(
        &self,
        filter: Doc<'_>,
        update: Val<'_>,
        context: &Context,
        document: &[u8],
    ) -> Result<()> {
        for _ in 1..TRIES {
            if self.change(filter, update, false, context)? {
                return Ok(());
            }
            match subtransaction(|| self.insert(&[document.to_vec()])) {
                // Somebody has just inserted it: then it is there to be changed.
                Err(e) if is_duplicate(&e) => {}
                done => return done,
            }
        }
        self.insert(&[document.to_vec()])
    }

    fn explain(&self, e: Error) -> Error {
        batch::explain(e, Some(&self.place.collection))
    }
}

/// The error says that a key is there already.
pub fn is_duplicate(e: &Error) -> bool {
    e.is(b"23505") || e.sqlstate == codes::DUPLICATE_KEY.sqlstate.as_bytes()
}

/// Checks that a document is found by these fields alone.
///
/// # Errors
/// 51183 where no unique index guarantees that.
pub fn verify_unique(db: &str, name: &str, on: &[String], collation: &Collation) -> Result<()> {
    if on.iter().all(|f| f == "_id") {
        return Ok(());
    }
    let found = catalog::find(db, name)?;
    let indexes = found.as_ref().map_or(&[][..], |c| &c.indexes);
    let guarantees = indexes.iter().any(|i| {
        let key = Doc::trusted(&i.key);
        i.unique
            && i.valid
            && i.partial.is_none()
            && i.collation == *collation
            && key.iter().count() == on.len()
            && key.iter().all(|e| on.iter().any(|f| f == e.name()))
    });
    if guarantees {
        return Ok(());
    }
    Err(fail(codes::LOCATION51183, "Cannot find index to verify that join fields will be unique"))
}
