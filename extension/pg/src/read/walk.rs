//! The documents of a collection as a find wants them.

use std::borrow::Cow;
use std::rc::Rc;

use engine::expr::Variables;
use engine::meta::{self, Known};
use engine::project::{Kind, Projection};
use engine::query::{ParseContext, Place, Query};
use engine::sort::SortSpec;
use engine::{Doc, DocWriter, Error, Value, codes};

use super::cursor::Stream;
use super::sorter::Sorter;
use super::spec::Find;
use crate::access::{Ends, Entries, Hint, NearWay, Plan, Position, Reader, Want, Way, deciding, plan};
use crate::catalog::Collection;
use crate::error::Result;
use crate::spec;
use crate::storage::{Access, Table};

/// The parsed parts of a find that need no collection.
pub struct Parsed {
    /// Filter.
    pub query: Query,
    /// Order.
    pub sort: SortSpec,
    /// What is shown; `None` for all of it.
    pub projection: Option<Projection>,
    /// `min` and `max`.
    ends: [Option<Vec<u8>>; 2],
    /// Until they are shown, documents carry what `$meta` asks for: the score of the filter's `$text`, what its `$near` measured.
    pub scored: bool,
}

impl Parsed {
    /// Parses them, so that a bad filter fails on a missing collection too. `c` has the collation where the find has none.
    pub fn new(f: &Find<'_>, c: Option<&Collection>) -> Result<Parsed> {
        Hint::check(f.hint)?;
        check_ends(f)?;
        let now = now();
        let collation = spec::effective(f.collation, c)?;
        let variables = f.variables.map(|v| Variables::from_let(v, now, &collation)).transpose()?;
        let cx = ParseContext {
            place: Place::Find,
            variables: variables.as_ref(),
            now,
            collation: Some(&collation),
            known: Known::default(),
        };
        let query = Query::parse(f.filter, &cx)?;
        let known = Known { text: query.text().is_some(), near: query.near().is_some() };
        check_company(f, known)?;
        let cx = ParseContext { known, ..cx };
        let (sort, by_score) = meta::sort(f.sort, Known { near: false, ..known });
        let projection = Projection::parse(f.projection, Kind::Find, &cx)?;
        Ok(Parsed {
            query,
            sort: SortSpec::parse(Doc::trusted(&sort))?.collated(&collation),
            scored: by_score || projection.is_scored(),
            projection: (!f.projection.is_empty() && !projection.is_identity()).then_some(projection),
            ends: [f.min, f.max].map(|d| d.map(|d| d.bytes().to_vec())),
        })
    }

    /// Everything that matches, whole and in any order.
    pub fn of_query(query: Query) -> Result<Parsed> {
        Ok(Parsed {
            query,
            sort: SortSpec::parse(Doc::EMPTY)?,
            projection: None,
            ends: [None, None],
            scored: false,
        })
    }

    fn ends(&self) -> Ends<'_> {
        let [min, max] = self.ends.each_ref().map(|d| d.as_deref().map(Doc::trusted));
        Ends { min, max }
    }

    /// A found document as it is shown.
    pub fn show<'d>(&self, document: &'d [u8]) -> Result<Cow<'d, [u8]>> {
        Ok(match &self.projection {
            None if self.scored => Cow::Owned(meta::strip(Doc::trusted(document))),
            None => Cow::Borrowed(document),
            Some(p) => Cow::Owned(p.apply(Doc::trusted(document), Some(&self.query))?),
        })
    }
}

/// Parses a filter of count and the like.
pub fn query(filter: Doc<'_>) -> Result<Query> {
    let cx = ParseContext { place: Place::Find, now: now(), ..ParseContext::default() };
    Ok(Query::parse(filter, &cx)?)
}

/// `$$NOW`: the time the statement began, in milliseconds since 1970.
pub fn now() -> i64 {
    /// PostgreSQL counts microseconds from 2000-01-01.
    const EPOCH: i64 = 946_684_800_000;
    // SAFETY: reads the backend's state.
    unsafe { pgrx::pg_sys::GetCurrentStatementStartTimestamp() / 1000 + EPOCH }
}

/// Documents one after the other.
pub enum Walk<'a> {
    /// As they are found.
    Found(Reader<'a>),
    /// As they are found, with what they carry.
    Scored(Reader<'a>, &'a Query, Vec<u8>),
    /// Sorted.
    Sorted(Sorter<&'a SortSpec>),
    /// Only how many there are: an empty document for each.
    Counted(Entries<'a>),
}

impl Walk<'_> {
    /// The next document.
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        Ok(match self {
            Walk::Found(r) => r.next()?.map(|hit| hit.document),
            Walk::Scored(r, query, last) => match r.next()? {
                Some(hit) => {
                    *last = carrying(hit.document, query)?;
                    Some(last)
                }
                None => None,
            },
            Walk::Sorted(s) => s.next(),
            Walk::Counted(entries) => entries.next().then_some(Doc::EMPTY.bytes()),
        })
    }

    /// The place of the last document, where walking on is possible.
    pub fn position(&self) -> Option<Position> {
        if let Walk::Found(r) | Walk::Scored(r, ..) = self { Some(r.position()) } else { None }
    }
}

/// A collection open for reading with the plan for one find.
pub struct Opened {
    /// Collection.
    pub collection: Rc<Collection>,
    table: Table,
    plan: Plan,
}

impl Opened {
    /// Opens and plans.
    pub fn new(collection: Rc<Collection>, f: &Find<'_>, p: &Parsed) -> Result<Opened> {
        let hint = match Hint::parse(&collection, f.hint)? {
            _ if f.tailable => Hint::Natural { backward: false },
            hint => hint,
        };
        let few = f.limit > 0 && f.limit <= 1000;
        Self::with_hint(collection, p, hint, few)
    }

    /// Opens and plans with a hint that was read before.
    pub fn with_hint(collection: Rc<Collection>, p: &Parsed, hint: Hint, few: bool) -> Result<Opened> {
        let table = Table::open(&collection, Access::Read)?;
        let sort = index_order(&p.sort);
        let hint = p.sort.natural().map_or(hint, |forward| Hint::Natural { backward: !forward });
        let want = Want { sort: &sort, few, hint, ends: p.ends() };
        let plan = plan(&table, &collection, &p.query, &want)?;
        Ok(Opened { collection, table, plan })
    }

    /// Opens and plans again for a stream that goes on.
    ///
    /// # Errors
    /// QueryPlanKilled 175 when its way is gone, or the rows are elsewhere than its position says.
    pub fn again(collection: Rc<Collection>, p: &Parsed, s: &Stream) -> Result<Opened> {
        let way = s.way;
        let killed =
            || Error::new(codes::QUERY_PLAN_KILLED, "the index this cursor reads was dropped or changed");
        let hint = match way {
            0 => Hint::Natural { backward: false },
            -2 => Hint::Natural { backward: true },
            -1 => Hint::Id,
            several if several <= SEVERAL => Hint::None,
            id => {
                let at = collection.indexes.iter().position(|i| i64::from(i.id) == id);
                Hint::Index(at.ok_or_else(killed)?)
            }
        };
        let opened = Self::with_hint(collection, p, hint, false)?;
        if opened.way() != way || opened.blocks(p) {
            return Err(killed().into());
        }
        if s.position.is_of_rows() && s.file.is_some_and(|file| file != opened.table.file()) {
            let text =
                "the collection this cursor reads was rewritten, and its documents are in other places";
            return Err(Error::new(codes::QUERY_PLAN_KILLED, text).into());
        }
        Ok(opened)
    }

    /// A stream that goes on from a position of this.
    pub fn stream(&self, position: Position, left: Option<i64>) -> Stream {
        let file = position.is_of_rows().then(|| self.table.file());
        let c = &self.collection;
        Stream { collection: c.id, name: c.name.clone(), uuid: c.uuid, way: self.way(), position, left, file }
    }

    /// Number of the way, for [`Opened::again`].
    pub fn way(&self) -> i64 {
        match &self.plan.way {
            Way::Or(choices) => {
                let mix = |sum: i64, p: &Plan| (sum * 31 + number(&p.way)) & 0xFFFF_FFFF;
                SEVERAL - choices.iter().fold(7, mix)
            }
            one => number(one),
        }
    }

    /// The way to the documents.
    pub fn taken(&self) -> &Way {
        &self.plan.way
    }

    /// The plan in words.
    pub fn describe(&self) -> String {
        self.plan.describe()
    }

    /// All documents have to be found before the first can be given.
    pub fn blocks(&self, p: &Parsed) -> bool {
        p.sort.natural().is_none() && !p.sort.is_empty() && !self.plan.sorted
    }

    /// The index that tells how many documents match without looking at them, if one does.
    pub fn deciding(&self, p: &Parsed) -> Option<&str> {
        if self.blocks(p) || p.scored { None } else { deciding(&self.table, &p.query, &self.plan) }
    }

    /// A walk from which only the number of matching documents is wanted.
    pub fn count<'a>(&'a self, p: &'a Parsed) -> Result<Walk<'a>> {
        if self.deciding(p).is_some()
            && let Some(entries) = Entries::open(&self.table, &p.query, &self.plan)?
        {
            return Ok(Walk::Counted(entries));
        }
        self.walk(p, &Position::Start, None)
    }

    /// The matching documents in order, from a place on. `bound`: so many are wanted at most.
    pub fn walk<'a>(&'a self, p: &'a Parsed, from: &Position, bound: Option<i64>) -> Result<Walk<'a>> {
        let reader = Reader::open(&self.table, &p.query, &self.plan, from)?;
        let gone =
            || Error::new(codes::QUERY_PLAN_KILLED, "the index this cursor reads was dropped or changed");
        let mut reader = reader.ok_or_else(gone)?;
        if !self.blocks(p) {
            let scored = |reader| Walk::Scored(reader, &p.query, Vec::new());
            return Ok(if p.scored { scored(reader) } else { Walk::Found(reader) });
        }
        let mut sorter = Sorter::new(&p.sort, bound);
        while let Some(hit) = reader.next()? {
            if p.scored {
                sorter.put(&carrying(hit.document, &p.query)?)?;
            } else {
                sorter.put(hit.document)?;
            }
        }
        sorter.sort();
        Ok(Walk::Sorted(sorter))
    }
}

/// Numbers of ways up to this one stand for several ways at once.
const SEVERAL: i64 = -(1 << 40);

/// Number of a single way: of an index its own.
fn number(way: &Way) -> i64 {
    match way {
        Way::Heap { backward: false } | Way::Order { backward: false } => 0,
        Way::Heap { backward: true } | Way::Order { backward: true } => -2,
        Way::Id { .. } | Way::Or(_) => -1,
        Way::Index { id, .. } | Way::Near(NearWay { id, .. }) => i64::from(*id),
    }
}

/// What can be said of `min` and `max` without looking at indexes.
///
/// # Errors
/// 51173 without a hint, 51176 when they name different fields.
fn check_ends(f: &Find<'_>) -> Result<()> {
    if f.min.is_none() && f.max.is_none() {
        return Ok(());
    }
    if let (Some(min), Some(max)) = (f.min, f.max)
        && !min.iter().map(|e| e.name()).eq(max.iter().map(|e| e.name()))
    {
        return Err(Error::new(codes::LOCATION51176, "min and max must have the same field names").into());
    }
    let none = f.hint.is_none_or(|v| v.as_doc().is_some_and(Doc::is_empty));
    if none {
        let text = "When using min()/max() a hint of which index to use must be provided";
        return Err(Error::new(codes::LOCATION51173, text).into());
    }
    Ok(())
}

/// What cannot stand beside a `$text`, a `$near` or a sort by `$natural`.
///
/// # Errors
/// BadValue in MongoDB's words.
fn check_company(f: &Find<'_>, known: Known) -> Result<()> {
    let hint = f.hint.filter(|v| v.as_doc().is_none_or(|d| !d.is_empty()));
    let hint_natural = hint.and_then(|v| v.as_doc()).and_then(|d| d.get("$natural"));
    let sort_natural = f.sort.get("$natural");
    let against = |sort, hint| engine::number::exact_i64(sort) != engine::number::exact_i64(hint);
    let text = match (sort_natural, hint_natural) {
        (Some(_), _) if known.near => "geoNear expression not allowed with $natural sort order",
        (_, Some(_)) if known.near => "geoNear expression not allowed with $natural hint",
        _ if known.text && known.near => "text and geoNear not allowed in same query",
        (Some(_), _) if known.text => "text expression not allowed with $natural sort order",
        _ if known.text && hint.is_some() => "text and hint not allowed in same query",
        _ if known.text && f.tailable => "text and tailable cursor not allowed in same query",
        _ if known.near && f.tailable => "Tailable cursors and geo $near cannot be used together",
        (Some(_), None) if hint.is_some() => "index hint not allowed with $natural sort order",
        (Some(sort), Some(hint)) if against(sort, hint) => {
            "$natural hint must be in the same direction as $natural sort order"
        }
        _ => return Ok(()),
    };
    Err(Error::new(codes::BAD_VALUE, text).into())
}

/// The document with what it carries behind its own fields.
fn carrying(document: &[u8], query: &Query) -> Result<Vec<u8>> {
    let d = Doc::trusted(document);
    let mut w = DocWriter::new();
    w.put_elements(d.elements());
    if let Some(score) = query.text_score(d)? {
        w.put(meta::SCORE, &Value::Double(score));
    }
    if let Some((path, near)) = query.near()
        && let Some((distance, place)) = near.measure(path, d)?
    {
        w.put(meta::DISTANCE, &Value::Double(distance)).put_val(meta::POINT, place);
    }
    Ok(w.finish())
}

/// The order an index would have to give; empty when none can.
fn index_order(sort: &SortSpec) -> Vec<(String, bool)> {
    let paths = sort.paths().unwrap_or_default();
    paths.into_iter().map(|(p, d)| (p.to_owned(), d)).collect()
}
