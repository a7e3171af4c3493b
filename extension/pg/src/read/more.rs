//! `cursor_get_more`, and the end of cursors.

use std::time::Duration;

use engine::raw::ty;
use engine::{Doc, Error, Val, codes};
use pgrx::pg_sys::Datum;

use super::cursor::{self, Continuation, Kind, Next, Stream};
use super::find::{fill, spill};
use super::page::Page;
use super::spec::{Find, batch_size, non_empty, required, unknown};
use super::walk::{Opened, Parsed};
use super::{aggregate, gone, held, spool, tail};
use crate::access::Position;
use crate::catalog;
use crate::error::{Result, internal};
use crate::guc;
use crate::spec::{is_common, max_time_ms, string, wrong_type};
use crate::sys::varlena;
use crate::xact::limit_time;

/// The `getMore` command.
struct GetMore<'a> {
    id: i64,
    collection: &'a str,
    batch: usize,
    max_time: i64,
}

impl<'a> GetMore<'a> {
    fn parse(command: Doc<'a>) -> Result<GetMore<'a>> {
        let (mut id, mut collection, mut batch, mut max_time) = (None, "", usize::MAX, 0);
        for e in command {
            let v = e.val;
            match e.name() {
                "getMore" => id = Some(long(v)?),
                "collection" => collection = string("collection", v)?,
                // 0 asks for no documents at first pages only in MongoDB; here it does always.
                "batchSize" if v.is_nullish() => {}
                "batchSize" => batch = batch_size("getMore.batchSize", v)?,
                "maxTimeMS" => max_time = max_time_ms("getMore", v)?,
                name if is_common(name) => {}
                name => return Err(unknown(name)),
            }
        }
        let id = id.ok_or_else(|| required("getMore"))?;
        Ok(GetMore { id, collection: non_empty(collection)?, batch, max_time })
    }
}

fn long(v: Val<'_>) -> Result<i64> {
    match v.view() {
        engine::View::Int64(i) if v.ty == ty::INT64 => Ok(i),
        _ => Err(wrong_type("getMore", v, "long")),
    }
}

pgfn! {
    /// `cursor_get_more(database, getMoreSpec, continuationSpec)`
    fn command_cursor_get_more(call) {
        let db = call.text(0)?;
        let (command, continuation) = (Doc::trusted(call.doc(1)?), Doc::trusted(call.doc(2)?));
        let m = GetMore::parse(command)?;
        let (page, next) = get_more(db, &m, continuation)?;
        call.record(&[Some(page), next.map(|c| varlena(&c))])
    }
}

fn get_more(db: &str, m: &GetMore<'_>, continuation: Doc<'_>) -> Result<(Datum, Option<Vec<u8>>)> {
    let stored = cursor::id_of(continuation);
    if stored != m.id {
        return Err(internal(format!(
            "CursorID from GetMore does not match from cursor state, getMore: {}, cursorState {stored}",
            m.id
        )));
    }
    let c = cursor::decode(continuation)?;
    // How long a tailable cursor waits is not how long its page may take.
    if c.command.get("awaitData").and_then(Val::as_bool) != Some(true) {
        limit_time(m.max_time);
    }
    let mut page = Page::new(&[db, ".", m.collection], "nextBatch", m.batch);
    let next = match &c.next {
        Next::Stream(s) => stream(db, &c, s, &mut page)?,
        Next::File { name, offset } => {
            let not_found = || Error::new(codes::CURSOR_NOT_FOUND, "Cursor not found");
            let mut file = spool::Reader::open(name, *offset)?.ok_or_else(not_found)?;
            read(&mut file, &mut page)?.then(|| Next::File { name: name.clone(), offset: file.offset() })
        }
        Next::Held => {
            let mut file = held::reader(c.id)?;
            let more = read(&mut file, &mut page)?;
            if more {
                held::keep(file.offset());
            } else {
                held::close();
            }
            more.then_some(Next::Held)
        }
    };
    if let (None, Next::File { name, .. }) = (&next, &c.next) {
        spool::remove(name);
    }
    let Some(next) = next else { return Ok((page.finish(0), None)) };
    let continuation = Continuation { next, ..c }.encode();
    Ok((page.finish(c.id), Some(continuation)))
}

/// Fills a page from a file; true when documents are left.
fn read(file: &mut spool::Reader, page: &mut Page) -> Result<bool> {
    while let Some(document) = file.peek()? {
        if !page.push(document) {
            return Ok(true);
        }
        file.advance();
    }
    Ok(false)
}

fn stream(db: &str, c: &Continuation<'_>, s: &Stream, page: &mut Page) -> Result<Option<Next>> {
    if c.kind == Kind::Aggregate {
        return aggregate::stream(db, c.command, s, page);
    }
    let f = Find::parse(c.command)?;
    let Some(collection) = catalog::find(db, f.collection)? else { return Err(gone::error(db, s)?) };
    let parsed = Parsed::new(&f, Some(&collection))?;
    if collection.view.is_some() {
        return aggregate::stream_view(db, &f, &parsed, s, page);
    }
    if collection.id != s.collection {
        return Err(gone::error(db, s)?);
    }
    let start = matches!(s.position, Position::Start);
    if f.tailable || s.way == 0 {
        tail::check_position(&collection, &s.position, f.tailable)?;
    }
    // A cursor that was opened without reading anything begins now.
    let opened =
        if start { Opened::new(collection, &f, &parsed)? } else { Opened::again(collection, &parsed, s)? };
    if page.is_full() {
        return Ok(Some(Next::Stream(s.clone())));
    }
    let bound = (f.limit > 0).then(|| f.limit.saturating_add(f.skip));
    let mut walk = opened.walk(&parsed, &s.position, bound)?;
    if start {
        for _ in 0..f.skip {
            if walk.next()?.is_none() {
                break;
            }
        }
    }
    let mut left = s.left;
    let Some(first) = fill(page, &mut walk, &parsed, &mut left)? else {
        let stays = f.tailable && left != Some(0);
        return Ok(walk
            .position()
            .filter(|_| stays)
            .map(|last| Next::Stream(opened.stream(tail::behind(last), left))));
    };
    if let Some(position) = walk.position() {
        return Ok(Some(Next::Stream(opened.stream(position, left))));
    }
    cursor::keep(c.id, cursor::Keeping::File, |file| {
        file.put(&first)?;
        spill(file, &mut walk, &parsed, left.map(|n| n - 1))
    })
}

pgfn! {
    /// `delete_cursors(cursorids)`: removes what is kept for them. Unknown ones are no error.
    fn delete_cursors(call) {
        let Some(ids) = call.arg(0) else { return Ok(varlena(Doc::EMPTY.bytes())) };
        // SAFETY: the argument is declared int8[].
        let ids: Vec<i64> = unsafe {
            use pgrx::FromDatum;
            let array = pgrx::Array::<i64>::from_datum(ids, false);
            array.map(|a| a.iter().flatten().collect()).unwrap_or_default()
        };
        spool::remove_cursors(&ids);
        Ok(varlena(Doc::EMPTY.bytes()))
    }
}

pgfn! {
    /// `cursor_directory_cleanup(expiry_time_seconds)`: removes what nobody has read for so long.
    fn cursor_directory_cleanup(call) {
        let default = i64::from(guc::number(c"documentdb.defaultCursorExpiryTimeLimitSeconds"));
        let seconds = if call.arg(0).is_some() { call.i64(0)? } else { default };
        spool::remove_idle(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
        Ok(Datum::null())
    }
}
