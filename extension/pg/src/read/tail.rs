//! Cursors that follow a capped collection (MongoDB manual, "Tailable Cursors"): at the end they stay open, and their next
//! page gives what was inserted meanwhile. Waiting for that is the caller's matter: it asks again.

use engine::{Error, codes};

use crate::access::Position;
use crate::catalog::Collection;
use crate::error::Result;
use crate::write::capped;

/// Only a capped collection can be followed.
///
/// # Errors
/// BadValue for others, InvalidPipelineOperator for views.
pub fn check(c: &Collection) -> Result<()> {
    if c.view.is_some() {
        let text = "Option tailable not supported in aggregation.";
        return Err(Error::new(codes::BAD_VALUE, text).into());
    }
    if c.capped.is_none() {
        let text = "error processing query: tailable cursor requested on non capped collection";
        return Err(Error::new(codes::BAD_VALUE, text).into());
    }
    Ok(())
}

/// Does a cursor stay open that has given everything? Not in an empty collection, as in MongoDB.
pub fn stays(c: &Collection) -> Result<bool> {
    Ok(!capped::is_empty(c)?)
}

/// Where the next page begins after the document that was looked at last.
pub fn behind(last: Position) -> Position {
    match last {
        // Nothing was looked at.
        Position::Order(0) => Position::Start,
        Position::Order(at) => Position::Order(at.saturating_add(1)),
        other => other,
    }
}

/// Refuses to go on where documents were removed to make room for others.
///
/// # Errors
/// CappedPositionLost 136.
pub fn check_position(c: &Collection, position: &Position, tailable: bool) -> Result<()> {
    let Position::Order(next) = *position else { return Ok(()) };
    let last = next.saturating_sub(1);
    if !capped::is_lost(c, last)? {
        return Ok(());
    }
    let why = if tailable {
        "failure to restore tailable cursor position"
    } else {
        "position in capped collection being deleted"
    };
    let text = format!("CollectionScan died due to {why}. Last seen record id: RecordId({last})");
    Err(Error::new(codes::CAPPED_POSITION_LOST, text).into())
}
