//! Running the operations of one command: together while they succeed, one by one when one fails.

use core::ops::Range;

use engine::codes;
use engine::{Doc, Val};

use super::fail;
use crate::catalog::Collection;
use crate::error::{Error, Result};
use crate::types::documents;
use crate::xact::{check_interrupts, subtransaction};
use crate::{guc, spec};

/// Operations of a command: from its array field or from the sequence argument.
///
/// # Errors
/// MongoDB's errors for an array that is none, elements that are no documents, both or none of the sources.
pub fn operations<'a>(
    command: &str,
    field: &str,
    array: Option<Val<'a>>,
    sequence: Option<&'a [u8]>,
) -> Result<Vec<Doc<'a>>> {
    let mut all = Vec::new();
    match (array, sequence) {
        (Some(_), Some(_)) => {
            return Err(fail(codes::FAILED_TO_PARSE, format!("Unexpected additional {field}")));
        }
        (None, Some(bytes)) => all.extend(documents(bytes).map(Doc::trusted)),
        (Some(v), None) => {
            let path = format!("{command}.{field}");
            for (i, v) in spec::array(&path, v)?.values().enumerate() {
                let Some(d) = v.as_doc() else {
                    return Err(spec::wrong_type(&format!("{path}.{i}"), v, "object"));
                };
                all.push(d);
            }
        }
        (None, None) => return Err(spec::missing(&format!("{command}.{field}"))),
    }
    let most = guc::number(c"documentdb.maxWriteBatchSize") as usize;
    if all.is_empty() || all.len() > most {
        let n = all.len();
        let message = format!("Write batch sizes must be between 1 and {most}. Got {n} operations.");
        return Err(fail(codes::INVALID_LENGTH, message));
    }
    Ok(all)
}

/// What the operations of a command came to.
pub struct Outcome<T> {
    /// Of those that succeeded, with their positions.
    pub done: Vec<(usize, T)>,
    /// Of those that failed, with their positions.
    pub errors: Vec<(usize, Error)>,
}

impl<T> Default for Outcome<T> {
    fn default() -> Self {
        Outcome { done: Vec::new(), errors: Vec::new() }
    }
}

/// Runs operations 0 to `n`: `many` a range of them at once, `one` a single one. A failure undoes exactly what failed:
/// a range is then repeated one by one. Ordered commands stop at the first error.
///
/// # Errors
/// What must not be kept as an error of one operation: cancels, lost connections.
pub fn run<T>(
    n: usize,
    ordered: bool,
    collection: Option<&Collection>,
    mut many: impl FnMut(Range<usize>) -> Result<Vec<T>>,
    mut one: impl FnMut(usize) -> Result<T>,
) -> Result<Outcome<T>> {
    let mut all = Outcome::default();
    let step = (guc::number(c"documentdb.batchWriteSubTransactionCount") as usize).max(1);
    let mut at = 0;
    while at < n {
        check_interrupts();
        let range = at..n.min(at + step);
        at = range.end;
        if range.len() > 1 {
            let first = range.start;
            match subtransaction(|| many(range.clone())) {
                Ok(results) => {
                    all.done.extend(results.into_iter().enumerate().map(|(i, r)| (first + i, r)));
                    continue;
                }
                Err(e) => {
                    // Out of time: nothing of the range is done, and nothing can be repeated.
                    if let (e, true) = keep(e, collection)? {
                        all.errors.push((first, e));
                        return Ok(all);
                    }
                }
            }
        }
        for i in range {
            match patiently(|| one(i)) {
                Ok(r) => all.done.push((i, r)),
                Err(e) => {
                    let (e, last) = keep(e, collection)?;
                    all.errors.push((i, e));
                    if ordered || last {
                        return Ok(all);
                    }
                }
            }
        }
    }
    Ok(all)
}

/// How often an operation that lost against another one is tried again.
const TRIES: usize = 5;

/// Runs an operation in a subtransaction; again, when it lost a deadlock and holds nothing that another one waits for.
/// In a transaction of the client's the earlier operations hold locks too, so there the client has to begin again.
fn patiently<T>(mut one: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 1..TRIES {
        match subtransaction(&mut one) {
            // SAFETY: reads the backend's state.
            Err(e) if e.is(b"40P01") && !unsafe { pgrx::pg_sys::IsTransactionBlock() } => {}
            result => return result,
        }
    }
    subtransaction(&mut one)
}

/// What an operation's error becomes in the reply, and whether it ends the command; or that it is not the operation's.
fn keep(e: Error, collection: Option<&Collection>) -> Result<(Error, bool)> {
    if e.is(b"57014") && e.message.ends_with("statement timeout") {
        return Ok((e, true));
    }
    // Cancels and shutdowns, standby and read-only refusals, defects: of the whole command.
    if e.is(b"57014") || e.sqlstate.starts_with(b"57P") || e.is(b"25006") || e.is(b"XX000") {
        return Err(e);
    }
    Ok((explain(e, collection), false))
}

/// PostgreSQL's duplicate key in the words of the official extension: which index, by its MongoDB name.
pub fn explain(e: Error, collection: Option<&Collection>) -> Error {
    if !e.is(b"23505") {
        return e;
    }
    // The constraint's name is in the text, whatever language the server speaks.
    let number = e.message.split("documents_rum_index_").nth(1).map(|s| {
        let digits = s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len());
        s.get(..digits).unwrap_or("").parse::<i32>()
    });
    let index = number.and_then(|id| collection?.indexes.iter().find(|i| Ok(i.id) == id));
    let name = index.map_or("_id_", |i| &i.name);
    fail(codes::DUPLICATE_KEY, format!("Duplicate key violation on the requested collection: Index '{name}'"))
}
