//! `aggregate_cursor_first_page`, and the finds that are aggregations because they are on views.

use engine::collation::Collation;
use engine::stage::{Docs, ParseContext};
use engine::{ArrayWriter, Doc, DocWriter, Val, Value};

use super::cursor::{self, Continuation, Keeping, Kind, Next, Stream};
use super::find::First;
use super::host::Server;
use super::page::Page;
use super::pipeline::{Run, Whereabouts, variables};
use super::spec::{Aggregate, Find, default_batch};
use super::walk::Parsed;
use super::{gone, held, spool};
use crate::error::Result;
use crate::{catalog, spec};

pgfn! {
    /// `aggregate_cursor_first_page(database, commandSpec, cursorId)`
    fn command_aggregate_cursor_first_page(call) {
        let (db, command) = (call.text(0)?, Doc::trusted(call.doc(1)?));
        let given = if call.count() > 2 { call.i64(2)? } else { 0 };
        let a = Aggregate::parse(command, true)?;
        first_page(db, command, &a, given)?.record(call)
    }
}

/// How a command on this collection or view compares strings.
fn collation(db: &str, name: Option<&str>, given: Option<Doc<'_>>) -> Result<Collation> {
    let found = name.map(|name| catalog::find(db, name)).transpose()?.flatten();
    spec::effective(given, found.as_deref())
}

/// The pipeline of a command.
pub fn run_of(db: &str, a: &Aggregate<'_>) -> Result<Run> {
    let mut cx = ParseContext::default();
    cx.collation = collation(db, a.collection, a.collation)?;
    cx.variables = variables(a.variables, &cx.collation)?;
    cx.allow_disk_use = a.allow_disk_use;
    cx.collectionless = a.collection.is_none();
    Run::new(db, a.collection, a.pipeline, cx, a.hint)
}

fn first_page(db: &str, command: Doc<'_>, a: &Aggregate<'_>, given: i64) -> Result<First> {
    let run = run_of(db, a)?;
    let mut host = Server::new(db, a.collection, run.collation());
    host.bypass = a.bypass;
    let batch = a.batch.unwrap_or_else(default_batch);
    let name = a.collection.unwrap_or("$cmd.aggregate");
    let page = Page::new(&[db, ".", name], "firstBatch", batch);
    if run.pipeline.output().is_some() {
        let (mut docs, _) = run.start(&host, None)?;
        for d in docs.by_ref() {
            d.map_err(|e| host.land(e))?;
        }
        return Ok(First::complete(page, false));
    }
    // A variable that has to be computed is computed once for the whole cursor, as the official extension has it.
    let streams =
        run.pipeline.is_streamable() && !run.pipeline.is_source() && !a.variables.is_some_and(computes);
    let (docs, place) = run.start(&host, None)?;
    let mut rows = Rows { docs, place, host: &host, shown: None };
    let ask = Ask { command, kind: Kind::Aggregate, given, batch, single: false, streams };
    answer(&ask, page, &mut rows)
}

/// A `let` with an operator.
fn computes(variables: Doc<'_>) -> bool {
    let operator = |v: Val<'_>| v.as_doc().and_then(Doc::first).is_some_and(|e| e.name().starts_with('$'));
    variables.values().any(operator)
}

/// Results of a pipeline.
pub struct Rows<'h> {
    docs: Docs<'h>,
    place: Option<Whereabouts>,
    host: &'h Server,
    /// A find's projection, applied to what the pipeline gives.
    shown: Option<&'h Parsed>,
}

impl<'h> Rows<'h> {
    /// Results as they come.
    pub fn new(
        docs: Docs<'h>,
        place: Option<Whereabouts>,
        host: &'h Server,
        shown: Option<&'h Parsed>,
    ) -> Rows<'h> {
        Rows { docs, place, host, shown }
    }

    /// The next result.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(d) = self.docs.next() else { return Ok(None) };
        let d = d.map_err(|e| self.host.land(e))?;
        Ok(Some(match self.shown {
            Some(p) => p.show(&d)?.into_owned(),
            None => d,
        }))
    }

    /// Fills a page; the first result that did not go on it.
    pub fn fill(&mut self, page: &mut Page) -> Result<Option<Vec<u8>>> {
        while let Some(d) = self.next()? {
            if !page.push(&d) {
                return Ok(Some(d));
            }
        }
        Ok(None)
    }

    /// Writes what is left to a file.
    pub fn spill(&mut self, file: &mut spool::Writer) -> Result<()> {
        while let Some(d) = self.next()? {
            file.put(&d)?;
        }
        Ok(())
    }

    /// Where the document of the last result was found.
    pub fn stream(&self) -> Option<Stream> {
        self.place.as_ref().and_then(|p| p.borrow().stream())
    }
}

/// What a first page is asked for.
struct Ask<'a> {
    command: Doc<'a>,
    kind: Kind,
    given: i64,
    batch: usize,
    single: bool,
    /// Each result comes from one stored document, in their order.
    streams: bool,
}

fn answer(ask: &Ask<'_>, mut page: Page, rows: &mut Rows<'_>) -> Result<First> {
    let keeping = cursor::keeping();
    let persist = keeping == Keeping::Backend && !ask.single && !ask.streams;
    if persist {
        held::close();
    }
    let persist = persist && !held::in_transaction();
    let beginning = rows.place.as_ref().map(|p| p.borrow().beginning());
    let more = rows.fill(&mut page)?;
    if ask.single || (more.is_none() && ask.batch > 0) {
        return Ok(First::complete(page, persist));
    }
    let id = cursor::new_id(ask.given)?;
    let streamed = if ask.streams { if ask.batch == 0 { beginning } else { rows.stream() } } else { None };
    let next = match streamed {
        Some(stream) => Some(Next::Stream(stream)),
        None => cursor::keep(id, keeping, |file| {
            if let Some(d) = &more {
                file.put(d)?;
            }
            rows.spill(file)
        })?,
    };
    let Some(next) = next else { return Ok(First::complete(page, persist)) };
    let continuation = Continuation { id, command: ask.command, kind: ask.kind, next }.encode();
    Ok(First { page: page.finish(id), continuation: Some(continuation), persist, id })
}

/// Goes on with a stream.
pub fn stream(db: &str, command: Doc<'_>, s: &Stream, page: &mut Page) -> Result<Option<Next>> {
    let a = Aggregate::parse(command, true)?;
    let run = run_of(db, &a)?;
    go_on(db, a.collection, &run, s, page, None)
}

/// Goes on with a stream of a find on a view.
pub fn stream_view(db: &str, f: &Find<'_>, p: &Parsed, s: &Stream, page: &mut Page) -> Result<Option<Next>> {
    let run = run_of_find(db, f)?;
    go_on(db, Some(f.collection), &run, s, page, Some(p))
}

fn go_on(
    db: &str,
    name: Option<&str>,
    run: &Run,
    s: &Stream,
    page: &mut Page,
    shown: Option<&Parsed>,
) -> Result<Option<Next>> {
    if run.collection.as_ref().is_none_or(|c| c.id != s.collection) {
        return Err(gone::error(db, s)?);
    }
    if page.is_full() {
        return Ok(Some(Next::Stream(s.clone())));
    }
    let host = Server::new(db, name, run.collation());
    let (docs, place) = run.start(&host, Some(s))?;
    let mut rows = Rows::new(docs, place, &host, shown);
    if rows.fill(page)?.is_none() {
        return Ok(None);
    }
    Ok(rows.stream().map(Next::Stream))
}

/// A find on a view as a pipeline; its projection is applied to the results.
pub fn run_of_find(db: &str, f: &Find<'_>) -> Result<Run> {
    let mut stages = ArrayWriter::new();
    let mut stage = |name: &str, v: Val<'_>| {
        let mut w = DocWriter::new();
        w.put_val(name, v);
        stages.push(&Value::Document(w.finish()));
    };
    let doc = |d: Doc<'_>| Value::Document(d.bytes().to_vec());
    if !f.filter.is_empty() {
        doc(f.filter).with_val(|v| stage("$match", v));
    }
    if !f.sort.is_empty() && f.sort.get("$natural").is_none() {
        doc(f.sort).with_val(|v| stage("$sort", v));
    }
    if f.skip > 0 {
        Value::Int64(f.skip).with_val(|v| stage("$skip", v));
    }
    if f.limit > 0 {
        Value::Int64(f.limit).with_val(|v| stage("$limit", v));
    }
    let stages = stages.finish();
    let mut cx = ParseContext::default();
    cx.collation = collation(db, Some(f.collection), f.collation)?;
    cx.variables = variables(f.variables, &cx.collation)?;
    Run::new(db, Some(f.collection), Doc::trusted(&stages), cx, f.hint)
}

/// The first page of a find on a view.
pub fn find_on_view(
    db: &str,
    command: Doc<'_>,
    f: &Find<'_>,
    p: &Parsed,
    page: Page,
    given: i64,
) -> Result<First> {
    let run = run_of_find(db, f)?;
    let host = Server::new(db, Some(f.collection), run.collation());
    let streams = f.sort.is_empty() && f.skip == 0 && f.limit <= 1 && run.pipeline.is_streamable();
    let (docs, place) = run.start(&host, None)?;
    let mut rows = Rows::new(docs, place, &host, Some(p));
    let batch = f.batch.unwrap_or_else(default_batch);
    let ask = Ask { command, kind: Kind::Find, given, batch, single: f.single, streams };
    answer(&ask, page, &mut rows)
}

/// Every document of a view that matches, one after the other.
pub fn each_of_view(db: &str, f: &Find<'_>, mut each: impl FnMut(&[u8])) -> Result<()> {
    let run = run_of_find(db, f)?;
    let host = Server::new(db, Some(f.collection), run.collation());
    let (docs, _) = run.start(&host, None)?;
    for d in docs {
        each(&d.map_err(|e| host.land(e))?);
    }
    Ok(())
}
