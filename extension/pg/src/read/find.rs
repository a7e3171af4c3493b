//! `find_cursor_first_page`.

use engine::raw::ty;
use engine::{Doc, Val};
use pgrx::pg_sys::Datum;

use super::aggregate::find_on_view;
use super::cursor::{self, Continuation, Keeping, Kind, Next};
use super::page::Page;
use super::spec::{Find, default_batch};
use super::walk::{Opened, Parsed, Walk};
use super::{held, spool, tail};
use crate::access::Position;
use crate::catalog::{self, Collection};
use crate::error::{Error, Result};
use crate::spec;
use crate::storage::{Access, Key, Scan, Table};
use crate::sys::varlena;

/// The four OUT columns of a first page.
pub struct First {
    /// The reply.
    pub page: Datum,
    /// For the next call; `None` when the cursor is finished.
    pub continuation: Option<Vec<u8>>,
    /// The rest is held by this backend.
    pub persist: bool,
    /// Cursor id, 0 when finished.
    pub id: i64,
}

impl First {
    /// A result that is complete in its first page.
    pub fn complete(page: Page, persist: bool) -> First {
        First { page: page.finish(0), continuation: None, persist, id: 0 }
    }

    /// As SQL wants it.
    pub fn record(self, call: crate::sys::Call<'_>) -> Result<Datum> {
        let continuation = self.continuation.map(|c| varlena(&c));
        call.record(&[
            Some(self.page),
            continuation,
            Some(Datum::from(self.persist)),
            Some(Datum::from(self.id)),
        ])
    }
}

pgfn! {
    /// `find_cursor_first_page(database, commandSpec, cursorId)`
    fn command_find_cursor_first_page(call) {
        let (db, command) = (call.text(0)?, Doc::trusted(call.doc(1)?));
        let given = if call.count() > 2 { call.i64(2)? } else { 0 };
        let f = Find::parse(command)?;
        first_page(db, command, &f, given)?.record(call)
    }
}

fn first_page(db: &str, command: Doc<'_>, f: &Find<'_>, given: i64) -> Result<First> {
    let collection = catalog::find(db, f.collection)?;
    let batch = f.batch.unwrap_or_else(default_batch);
    let mut page = Page::new(&[db, ".", f.collection], "firstBatch", batch);
    if let (Some(c), Some(id)) = (&collection, point(f))
        && c.view.is_none()
        && !f.tailable
        && batch > 0
        // Strings under a collation are not found by their bytes.
        && (id.ty != ty::STRING && id.ty != ty::SYMBOL
            || spec::effective(f.collation, Some(c))?.is_simple())
    {
        by_id(c, id, &mut page)?;
        return Ok(First::complete(page, false));
    }
    let parsed = Parsed::new(f, collection.as_deref())?;
    // The official extension's kinds: what it streams, and what it computes as a whole.
    let streams =
        f.tailable || f.sort.is_empty() && f.skip == 0 && f.limit <= 1 && parsed.query.near().is_none();
    let keeping = cursor::keeping();
    let persist = keeping == Keeping::Backend && !f.single && !streams;
    if persist {
        held::close();
    }
    let persist = persist && !held::in_transaction();
    let Some(collection) = collection else { return Ok(First::complete(page, persist)) };
    if f.tailable {
        tail::check(&collection)?;
    }
    if collection.view.is_some() {
        return find_on_view(db, command, f, &parsed, page, given);
    }
    let opened = Opened::new(collection, f, &parsed)?;
    let during = |e: Error| e.during(&format!("Executor error during find command: {db}.{}", f.collection));
    if batch == 0
        && !f.single
        && (keeping == Keeping::Stream || f.tailable)
        && (!f.tailable || tail::stays(&opened.collection)?)
    {
        let id = cursor::new_id(given)?;
        let left = (f.limit > 0).then_some(f.limit);
        let stream = opened.stream(Position::Start, left);
        let continuation =
            Continuation { id, command, kind: Kind::Find, next: Next::Stream(stream) }.encode();
        return Ok(First { page: page.finish(id), continuation: Some(continuation), persist, id });
    }
    let bound = (f.limit > 0).then(|| f.limit.saturating_add(f.skip));
    let mut walk = opened.walk(&parsed, &Position::Start, bound)?;
    for _ in 0..f.skip {
        if walk.next().map_err(during)?.is_none() {
            break;
        }
    }
    let mut left = (f.limit > 0).then_some(f.limit);
    let more = fill(&mut page, &mut walk, &parsed, &mut left).map_err(during)?;
    let tailing = f.tailable && more.is_none() && left != Some(0) && tail::stays(&opened.collection)?;
    let open = more.is_some() || tailing || (batch == 0 && !f.single && !f.tailable);
    if f.single || !open {
        return Ok(First::complete(page, persist));
    }
    let id = cursor::new_id(given)?;
    let streamed = walk.position().filter(|_| keeping == Keeping::Stream || streams);
    let next = match (streamed, more) {
        (Some(position), _) => {
            let position = match position {
                _ if batch == 0 => Position::Start,
                position if tailing => tail::behind(position),
                position => position,
            };
            Some(Next::Stream(opened.stream(position, left)))
        }
        (None, more) => cursor::keep(id, keeping, |file| {
            if let Some(document) = more {
                file.put(&document)?;
                left = left.map(|n| n - 1);
            }
            spill(file, &mut walk, &parsed, left).map_err(during)
        })?,
    };
    let Some(next) = next else { return Ok(First::complete(page, persist)) };
    let continuation = Continuation { id, command, kind: Kind::Find, next }.encode();
    Ok(First { page: page.finish(id), continuation: Some(continuation), persist, id })
}

/// Fills a page. The result is the first document that did not go on it, `None` when there is none; `left` counts down
/// the documents that may still be given.
pub fn fill(
    page: &mut Page,
    walk: &mut Walk<'_>,
    p: &Parsed,
    left: &mut Option<i64>,
) -> Result<Option<Vec<u8>>> {
    while *left != Some(0) {
        let Some(document) = walk.next()? else { return Ok(None) };
        let shown = p.show(document)?;
        if !page.push(&shown) {
            return Ok(Some(shown.into_owned()));
        }
        *left = left.map(|n| n - 1);
    }
    Ok(None)
}

/// Writes the documents that are left to a file.
pub fn spill(file: &mut spool::Writer, walk: &mut Walk<'_>, p: &Parsed, mut left: Option<i64>) -> Result<()> {
    while left != Some(0)
        && let Some(document) = walk.next()?
    {
        file.put(&p.show(document)?)?;
        left = left.map(|n| n - 1);
    }
    Ok(())
}

/// The `_id` of a find that asks for one document by it and for nothing else.
fn point<'a>(f: &Find<'a>) -> Option<Val<'a>> {
    let mut it = f.filter.iter();
    let (first, second) = (it.next()?, it.next());
    let scalar =
        !matches!(first.val.ty, ty::DOCUMENT | ty::ARRAY | ty::REGEX | ty::UNDEFINED | ty::DB_POINTER);
    let plain = f.sort.is_empty() && f.projection.is_empty() && f.hint.is_none() && f.skip == 0;
    (second.is_none() && first.name_bytes() == b"_id" && scalar && plain).then_some(first.val)
}

/// The one document of this `_id`, straight from the primary key.
fn by_id(c: &Collection, id: Val<'_>, page: &mut Page) -> Result<()> {
    let table = Table::open(c, Access::Read)?;
    let mut scan = Scan::primary_key(&table, &[Key::equal(id)], true)?;
    if let Some(row) = scan.next() {
        page.push(row.document);
    }
    Ok(())
}
