//! create.

use engine::collation::{Collation, with_defaults};
use engine::{Doc, DocWriter, Value, codes};

use super::options::{ValidatorFields, view_definition};
use super::storage::StorageFields;
use super::table::{self, Options, level_name};
use super::{fail, view};
use crate::catalog::{self, Collection, Validator, names, null_argument};
use crate::error::Result;
use crate::sys::varlena;
use crate::{guard, spec, types, xact};

/// A create command.
#[derive(Default)]
struct Create<'a> {
    name: &'a str,
    view_on: Option<&'a str>,
    pipeline: Option<Doc<'a>>,
    validator: ValidatorFields<'a>,
    storage: StorageFields,
    collation: Collation,
    max_time: i64,
}

/// Options of MongoDB that are refused by name.
fn refuse(what: &str) -> crate::error::Error {
    fail(codes::COMMAND_NOT_SUPPORTED, format!("{what} not supported yet"))
}

impl<'a> Create<'a> {
    fn parse(command: Doc<'a>) -> Result<Self> {
        let mut c = Create::default();
        for e in command {
            match e.name() {
                "create" => c.name = spec::string("create.create", e.val)?,
                "viewOn" => {
                    let name = spec::string("create.viewOn", e.val)?;
                    if name.is_empty() {
                        return Err(fail(codes::BAD_VALUE, "'viewOn' cannot be empty"));
                    }
                    c.view_on = Some(name);
                }
                "pipeline" => c.pipeline = Some(spec::array("create.pipeline", e.val)?),
                "timeseries" => return Err(refuse("time series collections")),
                "autoIndexId" if e.val.as_bool() != Some(true) => {
                    return Err(fail(codes::INVALID_OPTIONS, "'autoIndexId' must be true"));
                }
                other @ ("changeStreamPreAndPostImages" | "encryptedFields") => {
                    return Err(refuse(other));
                }
                "collation" => c.collation = collation(spec::document("create.collation", e.val)?)?,
                "maxTimeMS" => c.max_time = spec::max_time_ms("create", e.val)?,
                // MongoDB keeps the id index alike.
                "autoIndexId" | "idIndex" | "indexOptionDefaults" | "storageEngine" => {}
                name => {
                    let taken = c.validator.take("create", name, e.val)? || c.storage.take(name, e.val)?;
                    if !taken && !spec::is_common(name) {
                        return Err(spec::unknown("create", name));
                    }
                }
            }
        }
        if c.pipeline.is_some() && c.view_on.is_none() {
            return Err(fail(codes::INVALID_OPTIONS, "'pipeline' requires 'viewOn' to also be specified"));
        }
        if c.view_on.is_some() && c.validator.any() {
            return Err(fail(codes::INVALID_OPTIONS, "option not supported on a view: validator"));
        }
        if let Some(option) = c.storage.foreign_to_views().filter(|_| c.view_on.is_some()) {
            return Err(fail(codes::INVALID_OPTIONS, format!("option not supported on a view: {option}")));
        }
        Ok(c)
    }

    fn run(&self, db: &str) -> Result<()> {
        names::check_new(db, self.name)?;
        guard::write()?;
        xact::limit_time(self.max_time);
        let definition = self.view_on.map(|on| view_definition(on, self.pipeline, self.collation.spec()));
        let validator = self.validator.apply(None);
        let storage = self.storage.options()?;
        if let Some(there) = catalog::find(db, self.name)? {
            return self.compare(&there, definition.as_deref(), validator.as_ref(), storage.as_deref());
        }
        if let Some(definition) = &definition {
            view::check(db, self.name, Doc::trusted(definition), &self.collation)?;
        }
        let options = Options {
            view: definition.as_deref(),
            validator: validator.as_ref(),
            collation: self.collation.clone(),
            storage: storage.as_deref(),
        };
        if !table::create(db, self.name, &options)?
            && let Some(there) = catalog::find(db, self.name)?
        {
            return self.compare(&there, definition.as_deref(), validator.as_ref(), storage.as_deref());
        }
        Ok(())
    }

    /// Creating what is there already is fine when it is the same.
    fn compare(
        &self,
        there: &Collection,
        view: Option<&[u8]>,
        validator: Option<&Validator>,
        storage: Option<&[u8]>,
    ) -> Result<()> {
        if there.view.as_deref() == view
            && there.validator.as_ref() == validator
            && there.collation == self.collation
            && there.options.as_deref() == storage
        {
            return Ok(());
        }
        let options = match &there.view {
            Some(view) => types::json::relaxed(Doc::trusted(view)),
            None => match options(there) {
                none if Doc::trusted(&none).is_empty() => "{}".to_owned(),
                some => types::json::relaxed(Doc::trusted(&some)),
            },
        };
        let message = format!("ns: {} already exists with different options: {options}", there.namespace());
        Err(fail(codes::NAMESPACE_EXISTS, message))
    }
}

/// The default collation of a new collection or view.
fn collation(given: Doc<'_>) -> Result<Collation> {
    let read = || Collation::parse(Doc::trusted(&with_defaults(given)?));
    read().map_err(|e| fail(e.code, e.message.replace("'collation.", "'create.collation.")))
}

/// A collection's options in the words of listCollections.
fn options(there: &Collection) -> Vec<u8> {
    let mut w = DocWriter::new();
    if let Some(storage) = &there.options {
        w.put_elements(Doc::trusted(storage).elements());
    }
    if let Some(spec) = there.collation.spec() {
        w.put_doc("collation", spec);
    }
    let Some(v) = &there.validator else { return w.finish() };
    w.put_doc("validator", Doc::trusted(&v.filter));
    w.put_str("validationLevel", level_name(v.level));
    w.put_str("validationAction", if v.refuse { "error" } else { "warn" });
    w.finish()
}

pgfn! {
    /// `documentdb_api.create_collection_view`: the create command.
    fn command_create(call) {
        let db = call.opt_text(0)?.ok_or_else(|| null_argument("database name"))?;
        let command = call.opt_bytes(1).ok_or_else(|| null_argument("create spec"))?;
        Create::parse(Doc::trusted(command))?.run(db)?;
        let mut reply = DocWriter::new();
        reply.put("ok", &Value::Double(1.0));
        Ok(varlena(&reply.finish()))
    }
}
pgfn! {
    /// `documentdb_api.create_collection`: true if there was none.
    fn command_create_collection(call) {
        let (db, name) = (call.text(0)?, call.text(1)?);
        names::check_new(db, name)?;
        guard::standby()?;
        let made = catalog::find_table(db, name)?.is_none() && table::create(db, name, &Options::default())?;
        if made {
            pgrx::notice!("creating collection");
        }
        Ok(pgrx::pg_sys::Datum::from(made))
    }
}
