//! Running an aggregation over a collection or view.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use engine::collation::Collation;
use engine::expr::Variables;
use engine::query::{ParseContext as FilterContext, Query};
use engine::sort::SortSpec;
use engine::stage::{Docs, GeoNear, ParseContext, Pipeline};
use engine::{ArrayWriter, Doc, Error, Val, codes};

use super::cursor::Stream;
use super::host::Server;
use super::walk::{Opened, Parsed, Walk, now};
use crate::access::{Hint, Position, only_field};
use crate::catalog::{self, Collection};
use crate::error::Result;

/// Most views on top of each other.
const MAX_VIEWS: usize = 20;

/// A pipeline over what it reads, views resolved.
pub struct Run {
    /// The collection below all views; `None` when it does not exist or none is read.
    pub collection: Option<Rc<Collection>>,
    /// The whole pipeline.
    pub pipeline: Pipeline,
    context: ParseContext,
    hint: Option<Vec<u8>>,
    hint_type: u8,
}

/// A run as EXPLAIN tells it.
pub struct Outline {
    /// The way to the documents.
    pub opened: Opened,
    /// The index that counts them alone, where only their number is wanted.
    pub deciding: Option<String>,
    /// Names of the stages that are left to do behind it.
    pub rest: Vec<&'static str>,
}

/// Where a run's source is, for cursors that go on from there.
pub type Whereabouts = Rc<RefCell<Owned>>;

impl Run {
    /// Resolves views and parses. `name` is `None` for `{aggregate: 1}`.
    pub fn new(
        db: &str,
        name: Option<&str>,
        stages: Doc<'_>,
        mut cx: ParseContext,
        hint: Option<Val<'_>>,
    ) -> Result<Run> {
        cx.now = now();
        let mut list: Vec<Vec<u8>> = stages_of(stages);
        let mut found = None;
        if let Some(name) = name {
            // The command's own stages are checked before any of a view's are.
            Pipeline::parse(stages, &cx)?;
            let mut name = name.to_owned();
            for depth in 0.. {
                let Some(c) = catalog::find(db, &name)? else { break };
                let Some(view) = &c.view else {
                    found = Some(c);
                    break;
                };
                if depth >= MAX_VIEWS {
                    let text =
                        format!("View depth too deep or view cycle detected; maximum depth is {MAX_VIEWS}");
                    return Err(Error::new(codes::VIEW_DEPTH_LIMIT_EXCEEDED, text).into());
                }
                let view = Doc::trusted(view);
                let mut below =
                    view.get("pipeline").and_then(Val::as_array).map(stages_of).unwrap_or_default();
                below.append(&mut list);
                list = below;
                name = view.get("viewOn").and_then(Val::as_str).unwrap_or("").to_owned();
            }
        }
        let mut all = ArrayWriter::new();
        for stage in &list {
            all.push_val(Val { ty: engine::raw::ty::DOCUMENT, bytes: stage });
        }
        let all = all.finish();
        let pipeline = Pipeline::parse(Doc::trusted(&all), &cx)?;
        Hint::check(hint)?;
        let (hint, hint_type) = hint.map_or((None, 0), |v| (Some(v.bytes.to_vec()), v.ty));
        Ok(Run { collection: found, pipeline, context: cx, hint, hint_type })
    }

    /// How the pipeline compares strings.
    pub fn collation(&self) -> &Collation {
        &self.context.collation
    }

    /// Runs from the beginning, or goes on with a stream. The second value tells the place, when a collection is read.
    pub fn start<'h>(
        &self,
        host: &'h Server,
        from: Option<&Stream>,
    ) -> Result<(Docs<'h>, Option<Whereabouts>)> {
        let Some(c) = self.collection.as_ref().filter(|_| !self.pipeline.is_source()) else {
            return Ok((self.pipeline.run(Box::new(std::iter::empty()), host), None));
        };
        let position = from.map_or(Position::Start, |s| s.position.clone());
        let (opened, parsed, rest) = self.open(c, from)?;
        let measured = measured(&self.pipeline, &parsed);
        let owned = match &rest {
            counting if from.is_none() && measured.is_none() && counting.only_counts() => {
                Owned::counting(opened, parsed)?
            }
            _ => Owned::new(opened, parsed, &position)?,
        };
        let owned = Rc::new(RefCell::new(owned));
        let source = Source { owned: owned.clone(), host };
        Ok((rest.run(annotated(Box::new(source), measured), host), Some(owned)))
    }

    /// How the documents are come by; `None` when no collection is read.
    pub fn outline(&self) -> Result<Option<Outline>> {
        let Some(c) = self.collection.as_ref().filter(|_| !self.pipeline.is_source()) else {
            return Ok(None);
        };
        let (opened, parsed, rest) = self.open(c, None)?;
        let counting = rest.only_counts() && self.pipeline.leading_geo_near().is_none();
        let deciding = opened.deciding(&parsed).filter(|_| counting).map(str::to_owned);
        Ok(Some(Outline { opened, deciding, rest: rest.names().collect() }))
    }

    /// Opens the collection; what of the pipeline is left to do behind it.
    fn open(&self, c: &Rc<Collection>, from: Option<&Stream>) -> Result<(Opened, Parsed, Pipeline)> {
        if let Some(near) = self.pipeline.leading_geo_near() {
            let cx = self.context.query();
            let (opened, parsed) = open_near(c, near, &cx)?;
            return Ok((opened, parsed, self.pipeline.without_first(1)));
        }
        let (filter, rest) = self.pipeline.split_match();
        let filter = filter.unwrap_or_else(|| Doc::EMPTY.bytes().to_vec());
        let cx = self.context.query();
        let query = Query::parse(Doc::trusted(&filter), &cx)?;
        let sort = rest.leading_sort().map(SortSpec::parse).transpose()?;
        let sort = sort.map(|s| s.collated(&self.context.collation));
        let sorts = sort.is_some();
        let few = sorts && rest.leading_limit().is_some_and(|n| n <= 1000);
        let mut parsed = Parsed::of_query(query)?;
        parsed.scored = self.pipeline.known().text;
        if let Some(sort) = sort {
            parsed.sort = sort;
        }
        let hint = self.hint.as_deref().map(|bytes| Val { ty: self.hint_type, bytes });
        let hint = Hint::parse(c, hint)?;
        let position = from.map_or(Position::Start, |s| s.position.clone());
        let mut opened = match (&position, from) {
            (Position::Start, _) | (_, None) => Opened::with_hint(c.clone(), &parsed, hint, few)?,
            (_, Some(s)) => Opened::again(c.clone(), &parsed, s)?,
        };
        // An order that the way does not give is left to the stage, which knows about limits behind it.
        let rest = if sorts && !opened.blocks(&parsed) { rest.without_first(1) } else { rest };
        if opened.blocks(&parsed) {
            parsed.sort = SortSpec::parse(Doc::EMPTY)?;
            opened = Opened::with_hint(c.clone(), &parsed, hint, false)?;
        }
        Ok((opened, parsed, rest))
    }
}

/// Opens a collection as `$geoNear` wants it.
fn open_near(c: &Rc<Collection>, near: &GeoNear, cx: &FilterContext<'_>) -> Result<(Opened, Parsed)> {
    let path = match near.key() {
        Some(key) => key.to_owned(),
        None => only_field(c)?,
    };
    let parsed = Parsed::of_query(near.query(&path, cx)?)?;
    Ok((Opened::with_hint(c.clone(), &parsed, Hint::None, false)?, parsed))
}

/// What `$geoNear` writes into the documents that are found.
type Measured = Option<(GeoNear, engine::path::Path)>;

fn measured(pipeline: &Pipeline, parsed: &Parsed) -> Measured {
    let near = pipeline.leading_geo_near()?;
    let (path, _) = parsed.query.near()?;
    Some((near.clone(), path.clone()))
}

fn annotated(docs: Docs<'_>, measured: Measured) -> Docs<'_> {
    match measured {
        None => docs,
        Some((near, path)) => Box::new(docs.map(move |d| near.annotate(&path, &d?))),
    }
}

/// The documents of a collection of another stage's pipeline that begins with `$geoNear`.
pub fn documents_near<'h>(
    host: &'h Server,
    c: &Rc<Collection>,
    near: &GeoNear,
    cx: &FilterContext<'_>,
) -> Result<Docs<'h>> {
    let (opened, parsed) = open_near(c, near, cx)?;
    let measured = parsed.query.near().map(|(path, _)| (near.clone(), path.clone()));
    let owned = Rc::new(RefCell::new(Owned::new(opened, parsed, &Position::Start)?));
    Ok(annotated(Box::new(Source { owned, host }), measured))
}

fn stages_of(list: Doc<'_>) -> Vec<Vec<u8>> {
    list.values().filter_map(Val::as_doc).map(|d| d.bytes().to_vec()).collect()
}

/// Variables of a `let`.
pub fn variables(spec: Option<Doc<'_>>, collation: &Collation) -> Result<Variables> {
    Ok(match spec {
        Some(d) => Variables::from_let(d, now(), collation)?,
        None => Variables::new(),
    })
}

/// A walk together with what it walks on.
pub struct Owned {
    /// Dropped first: it borrows from the two below.
    walk: ManuallyDrop<Walk<'static>>,
    opened: Box<Opened>,
    parsed: Box<Parsed>,
}

impl Owned {
    /// Begins a walk.
    pub fn new(opened: Opened, parsed: Parsed, from: &Position) -> Result<Owned> {
        Self::begin(opened, parsed, |opened, parsed| opened.walk(parsed, from, None))
    }

    /// Begins a walk from which only the number of documents is wanted.
    pub fn counting(opened: Opened, parsed: Parsed) -> Result<Owned> {
        Self::begin(opened, parsed, |opened, parsed| opened.count(parsed))
    }

    fn begin(
        opened: Opened,
        parsed: Parsed,
        walk: impl for<'a> Fn(&'a Opened, &'a Parsed) -> Result<Walk<'a>>,
    ) -> Result<Owned> {
        let (opened, parsed) = (Box::new(opened), Box::new(parsed));
        let walk = walk(&opened, &parsed)?;
        // SAFETY: the walk borrows from the two boxes, whose contents do not move and which are dropped after it.
        let walk = unsafe { core::mem::transmute::<Walk<'_>, Walk<'static>>(walk) };
        Ok(Owned { walk: ManuallyDrop::new(walk), opened, parsed })
    }

    /// The next document.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.walk.next()?.map(<[u8]>::to_vec))
    }

    /// The place of the document given last, as a stream of this collection goes on from it.
    pub fn stream(&self) -> Option<Stream> {
        Some(self.opened.stream(self.walk.position()?, None))
    }

    /// The beginning, for a cursor that was opened without reading.
    pub fn beginning(&self) -> Stream {
        let _ = &self.parsed;
        self.opened.stream(Position::Start, None)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: dropped once, here, before the boxes.
        unsafe { ManuallyDrop::drop(&mut self.walk) };
    }
}

/// The documents of a walk as a pipeline's source.
struct Source<'h> {
    owned: Whereabouts,
    host: &'h Server,
}

impl Iterator for Source<'_> {
    type Item = engine::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.owned.borrow_mut().next().map_err(|e| self.host.carry(e)).transpose()
    }
}
