//! renameCollection.

use std::rc::Rc;

use engine::{Doc, codes};
use pgrx::pg_sys::Datum;

use super::{case, drop, fail, lock};
use crate::catalog::{self, Collection, names, null_argument};
use crate::error::{Error, Result};
use crate::spi::{self, Param};
use crate::xact::subtransaction;
use crate::{guard, spec};

/// Gives a collection another name, in another database too: only the catalog changes.
pub fn rename(from: (&str, &str), to: (&str, &str), drop_target: bool) -> Result<()> {
    source(catalog::find(from.0, from.1)?, from)?;
    names::check_new(to.0, to.1)?;
    guard::write()?;
    if from.0 != to.0 {
        case::check(to.0)?;
    }
    loop {
        let (found, target) = lock::both(from, to)?;
        let source = source(found, from)?;
        if let Some(target) = target {
            if target.view.is_some() {
                let message = format!("a view already exists with that name: {}", target.namespace());
                return Err(fail(codes::NAMESPACE_EXISTS, message));
            }
            if !drop_target || target.id == source.id {
                return Err(fail(codes::NAMESPACE_EXISTS, "target namespace exists"));
            }
            drop::drop(&target)?;
        }
        match subtransaction(|| give(&source, to)) {
            // Another transaction has just made a collection of that name.
            Err(e) if e.is(b"23505") => {}
            done => return done,
        }
    }
}

fn give(source: &Collection, to: (&str, &str)) -> Result<()> {
    spi::run(
        "UPDATE documentdb_api_catalog.collections SET database_name = $2, collection_name = $3
         WHERE collection_id OPERATOR(pg_catalog.=) $1",
        &[Param::Int8(source.id), Param::Text(Some(to.0)), Param::Text(Some(to.1))],
    )?;
    Ok(())
}

/// The collection that is to have another name: there, and not a view.
fn source(found: Option<Rc<Collection>>, from: (&str, &str)) -> Result<Rc<Collection>> {
    let source = found.ok_or_else(|| no_source(from))?;
    if source.view.is_some() {
        let message = format!("cannot rename view: {}", source.namespace());
        return Err(fail(codes::COMMAND_NOT_SUPPORTED_ON_VIEW, message));
    }
    Ok(source)
}

fn no_source((db, name): (&str, &str)) -> Error {
    fail(codes::NAMESPACE_NOT_FOUND, format!("Source collection {db}.{name} does not exist"))
}

fn namespace<'a>(field: &str, ns: &'a str) -> Result<(&'a str, &'a str)> {
    ns.split_once('.').filter(|(db, name)| !db.is_empty() && !name.is_empty()).ok_or_else(|| {
        fail(codes::INVALID_NAMESPACE, format!("Invalid namespace specified for '{field}': '{ns}'"))
    })
}

pgfn! {
    /// `documentdb_api.rename_collection`, within a database.
    fn command_rename_collection(call) {
        let db = call.opt_text(0)?.ok_or_else(|| null_argument("database name"))?;
        let from = call.opt_text(1)?.ok_or_else(|| null_argument("collection name"))?;
        let to = call.opt_text(2)?.ok_or_else(|| null_argument("collection target name"))?;
        let drop_target = call.arg(3).is_some() && call.bool(3)?;
        rename((db, from), (db, to), drop_target)?;
        Ok(Datum::null())
    }
}
pgfn! {
    /// `documentdb_api.rename_collection(bson)`: the command document, across databases.
    fn command_rename_collection_spec(call) {
        let (mut from, mut to, mut drop_target) = (None, None, false);
        for e in Doc::trusted(call.bytes(0)?) {
            match e.name() {
                "renameCollection" => from = Some(spec::string("renameCollection.renameCollection", e.val)?),
                "to" => to = Some(spec::string("renameCollection.to", e.val)?),
                "dropTarget" => drop_target = spec::bool("renameCollection.dropTarget", e.val)?,
                name if spec::is_common(name) => {}
                name => return Err(spec::unknown("renameCollection", name)),
            }
        }
        let from = from.ok_or_else(|| spec::missing("renameCollection.renameCollection"))?;
        let to = to.ok_or_else(|| spec::missing("renameCollection.to"))?;
        rename(namespace("renameCollection", from)?, namespace("to", to)?, drop_target)?;
        Ok(Datum::null())
    }
}
