//! Builds that are given up because the command that wanted them was.

use engine::{Doc, Error, codes};
use pgrx::pg_sys::Datum;

use super::background::ids;
use super::worker;
use crate::builds;
use crate::error::Result;
use crate::spi::{self, Cell, Param};

pgfn! {
    /// `abort_index_build(p_requests)`: `p_requests` is what `create_indexes_background` gave as `requests`. All of them are
    /// out of the catalog afterwards, those too that only wait for the others: a createIndexes makes all of its indexes or
    /// none. Whoever waits for one is told. Too late for valid ones: others have been told of those. False if there was
    /// none to give up any more.
    fn command_abort_index_build(call) {
        Ok(Datum::from(abort(Doc::trusted(call.doc(0)?))?))
    }
}

fn abort(requests: Doc<'_>) -> Result<bool> {
    let reason =
        Error::new(codes::INDEX_BUILD_ABORTED, "Index build aborted: its command was interrupted").into();
    let (mut paused, mut any) = (None, false);
    for id in ids(requests)? {
        let rows = spi::query(
            "SELECT collection_id FROM documentdb_api_catalog.collection_indexes WHERE index_id OPERATOR(pg_catalog.=) $1",
            &[Param::Int4(Some(id))],
        )?;
        let Some(collection) = rows.first().and_then(|row| row.first()).and_then(Cell::int) else { continue };
        if paused != Some(collection) {
            builds::pause(collection)?;
            paused = Some(collection);
        }
        if worker::validity(id)? == Some(true) {
            continue;
        }
        super::drop_relation(id)?;
        worker::record(id, &reason)?;
        any = true;
    }
    Ok(any)
}
