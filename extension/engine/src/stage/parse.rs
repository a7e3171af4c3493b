//! From BSON to stages: the table of stages and where each may stand.

use super::{DISK_USE_LIMIT, MAX_STAGES, MEMORY_LIMIT, Pipeline, Stage, Step, optimize};
use super::{
    bucket, densify, documents, facet, fill, geo_near, graph, group, lookup, output, redact, shape, simple,
    sort, union, unwind, window,
};
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::{self, Variables};
use crate::meta::{self, Known};
use crate::raw::{Doc, Val};
use crate::{bail, codes, query};
use std::rc::Rc;

/// What parsing a pipeline needs to know beyond it.
#[derive(Clone, Debug, Default)]
pub struct ParseContext {
    /// The command's `let` variables.
    pub variables: Variables,
    /// `$$NOW` in milliseconds since 1970.
    pub now: i64,
    /// The command's `allowDiskUse`; not given means allowed, as in MongoDB 6 and later.
    pub allow_disk_use: Option<bool>,
    /// `{aggregate: 1}`: the first stage must make its documents itself.
    pub collectionless: bool,
    /// How strings compare.
    pub collation: Collation,
    /// What documents carry, for `$meta`.
    pub(crate) known: Known,
    /// Where the pipeline stands.
    pub(crate) place: Place,
    /// Levels of sub-pipelines.
    pub(crate) depth: usize,
}

/// The kinds of pipelines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    #[default]
    Command,
    Facet,
    Lookup,
    Union,
}

/// Deepest nesting of sub-pipelines (MongoDB's limit).
const MAX_DEPTH: usize = 20;

impl ParseContext {
    /// For a command's pipeline; the other fields have their defaults and may be set.
    #[must_use]
    pub fn new(variables: Variables, now: i64) -> Self {
        Self { variables, now, ..Self::default() }
    }

    /// For the expressions of a stage.
    pub(crate) fn expr(&self) -> expr::ParseContext {
        expr::ParseContext {
            variables: self.variables.clone(),
            now: self.now,
            redact: false,
            windows: false,
            collation: self.collation.clone(),
            known: self.known,
        }
    }

    /// For the filter of a stage.
    #[must_use]
    pub fn query(&self) -> query::ParseContext<'_> {
        query::ParseContext {
            place: query::Place::Match,
            variables: Some(&self.variables),
            now: self.now,
            collation: Some(&self.collation),
            known: self.known,
        }
    }

    /// For a sub-pipeline at `place`.
    pub(crate) fn inside(&self, place: Place) -> Result<Self> {
        if self.depth >= MAX_DEPTH {
            bail!(
                codes::MAX_SUB_PIPELINE_DEPTH_EXCEEDED,
                "Maximum number of nested sub-pipelines exceeded. Limit is {MAX_DEPTH}"
            );
        }
        let known = if place == Place::Facet { self.known } else { Known::default() };
        Ok(Self { place, depth: self.depth + 1, collectionless: false, known, ..self.clone() })
    }

    pub(crate) fn memory(&self) -> usize {
        if self.allow_disk_use == Some(false) { MEMORY_LIMIT } else { DISK_USE_LIMIT }
    }
}

type ParseStage = fn(Val<'_>, &ParseContext) -> Result<Rc<dyn Stage>>;

/// One row of the table.
pub(super) struct Entry {
    pub name: &'static str,
    pub parse: ParseStage,
    /// Must be the first stage; the error when it is not.
    first: Option<(crate::Code, &'static str)>,
    /// Must be the last stage.
    last: bool,
    /// May stand in `$facet`.
    facet: bool,
    /// May stand in `$lookup` and `$unionWith`.
    sub: bool,
    /// Makes its documents itself.
    source: bool,
}

const fn stage(name: &'static str, parse: ParseStage) -> Entry {
    Entry { name, parse, first: None, last: false, facet: true, sub: true, source: false }
}

const fn source(name: &'static str, parse: ParseStage, code: crate::Code, text: &'static str) -> Entry {
    Entry { first: Some((code, text)), facet: false, source: true, ..stage(name, parse) }
}

const fn writer(name: &'static str, parse: ParseStage) -> Entry {
    Entry { last: true, facet: false, sub: false, ..stage(name, parse) }
}

/// Every stage.
pub(super) static STAGES: &[Entry] = &[
    stage("$addFields", shape::add_fields),
    stage("$bucket", bucket::bucket),
    stage("$bucketAuto", bucket::bucket_auto),
    source(
        "$collStats",
        documents::coll_stats,
        codes::LOCATION40602,
        "$collStats is only valid as the first stage in the pipeline.",
    ),
    stage("$count", simple::count),
    source(
        "$currentOp",
        documents::current_op,
        codes::LOCATION40602,
        "$currentOp is only valid as the first stage in the pipeline.",
    ),
    source(
        "$documents",
        documents::documents,
        codes::BAD_VALUE,
        "$documents is only valid as the first stage in a pipeline",
    ),
    stage("$densify", densify::densify),
    Entry { facet: false, ..stage("$facet", facet::facet) },
    stage("$fill", fill::fill),
    Entry {
        first: Some((codes::LOCATION40603, "$geoNear was not the first stage in the pipeline.")),
        facet: false,
        ..stage("$geoNear", geo_near::geo_near)
    },
    stage("$graphLookup", graph::graph_lookup),
    stage("$group", group::group),
    source(
        "$indexStats",
        documents::index_stats,
        codes::LOCATION40602,
        "$indexStats is only valid as the first stage in the pipeline.",
    ),
    stage("$limit", simple::limit),
    stage("$lookup", lookup::lookup),
    stage("$match", simple::matching),
    writer("$merge", output::merge),
    writer("$out", output::out),
    stage("$project", shape::project),
    stage("$redact", redact::redact),
    stage("$replaceRoot", simple::replace_root),
    stage("$replaceWith", simple::replace_with),
    stage("$sample", simple::sample),
    stage("$set", shape::add_fields),
    stage("$setWindowFields", window::set_window_fields),
    stage("$skip", simple::skip),
    stage("$sort", sort::sort),
    stage("$sortByCount", group::sort_by_count),
    stage("$unionWith", union::union_with),
    stage("$unset", shape::unset),
    stage("$unwind", unwind::unwind),
];

/// Stages of MongoDB that are refused by name.
const REFUSED: &[&str] = &[
    "$changeStreamSplitLargeEvent",
    "$listLocalSessions",
    "$listSampledQueries",
    "$listSearchIndexes",
    "$listSessions",
    "$search",
    "$searchMeta",
    "$shardedDataDistribution",
    "$vectorSearch",
];

/// Is there such a stage, here or in MongoDB?
#[must_use]
pub fn is_known(name: &str) -> bool {
    STAGES.iter().any(|e| e.name == name) || REFUSED.contains(&name)
}

fn find(name: &str) -> Result<&'static Entry> {
    if let Some(e) = STAGES.iter().find(|e| e.name == name) {
        return Ok(e);
    }
    if name == "$changeStream" {
        // There is no replica set to clients, so there is no oplog either.
        bail!(codes::LOCATION40573, "The $changeStream stage is only supported on replica sets");
    }
    if REFUSED.contains(&name) {
        bail!(codes::COMMAND_NOT_SUPPORTED, "Stage {name} is not supported yet in native pipeline");
    }
    bail!(codes::LOCATION40324, "Unrecognized pipeline stage name: '{name}'")
}

pub(super) fn pipeline(list: Doc<'_>, cx: &ParseContext) -> Result<Pipeline> {
    let count = list.values().count();
    if count > MAX_STAGES {
        bail!(codes::LOCATION7749501, "Pipeline length must be no longer than {MAX_STAGES} stages.");
    }
    let own = with_known(list, cx);
    let cx = own.as_ref().unwrap_or(cx);
    let mut stages: Vec<Step> = Vec::with_capacity(count);
    for (i, v) in list.values().enumerate() {
        let Some(d) = v.as_doc() else {
            bail!(codes::TYPE_MISMATCH, "Each element of the 'pipeline' array must be an object")
        };
        let mut fields = d.iter();
        let (Some(e), None) = (fields.next(), fields.next()) else {
            bail!(
                codes::LOCATION40323,
                "A pipeline stage specification object must contain exactly one field."
            )
        };
        // The name of a stage without effect, which MongoDB's own tools send.
        if e.name() == "$_internalInhibitOptimization" {
            continue;
        }
        let entry = find(e.name())?;
        check_place(entry, i, count, cx)?;
        if e.name() == "$match" && e.val.as_doc().is_some_and(has_text) {
            check_text(i, cx)?;
        }
        stages.push(Step { name: entry.name, stage: (entry.parse)(e.val, cx)? });
    }
    if cx.collectionless && !stages.first().is_some_and(|s| s.stage.is_source()) {
        bail!(codes::INVALID_NAMESPACE, "{{aggregate: 1}} is not valid for an empty pipeline.");
    }
    let known = cx.known;
    Ok(Pipeline { stages: optimize::optimized(stages, cx)?, memory: cx.memory(), known })
}

/// The context of a pipeline whose first stage finds something that a later one asks for by `$meta`.
fn with_known(list: Doc<'_>, cx: &ParseContext) -> Option<ParseContext> {
    let mut stages = list.values().filter_map(Val::as_doc);
    let first = stages.next()?.first()?;
    let known = Known {
        text: first.name() == "$match" && first.val.as_doc().is_some_and(has_text),
        near: first.name() == "$geoNear",
    };
    let asked = known.any() && stages.any(meta::is_asked);
    asked.then(|| ParseContext { known, ..cx.clone() })
}

/// A filter has a `$text`, as far as it may have one.
fn has_text(filter: Doc<'_>) -> bool {
    fn within(filter: Doc<'_>, depth: usize) -> bool {
        filter.iter().any(|e| match e.name() {
            "$text" => true,
            "$and" | "$or" | "$nor" if depth < MAX_DEPTH => {
                let list = e.val.as_array().unwrap_or(Doc::EMPTY);
                list.values().filter_map(Val::as_doc).any(|d| within(d, depth + 1))
            }
            _ => false,
        })
    }
    within(filter, 0)
}

fn check_text(i: usize, cx: &ParseContext) -> Result<()> {
    if cx.place == Place::Facet {
        bail!(codes::LOCATION40600, "$match with $text is not allowed to be used within a $facet stage");
    }
    if i > 0 {
        bail!(codes::LOCATION17313, "$match with $text is only allowed as the first pipeline stage");
    }
    Ok(())
}

fn check_place(entry: &Entry, i: usize, count: usize, cx: &ParseContext) -> Result<()> {
    let name = entry.name;
    match cx.place {
        Place::Facet if !entry.facet => {
            bail!(codes::LOCATION40600, "{name} is not allowed to be used within a $facet stage")
        }
        Place::Lookup if !entry.sub => {
            bail!(codes::LOCATION51047, "{name} is not allowed within a $lookup's sub-pipeline")
        }
        Place::Union if !entry.sub => {
            bail!(codes::LOCATION31441, "{name} is not allowed within a $unionWith's sub-pipeline")
        }
        _ => {}
    }
    if let Some((code, text)) = entry.first.filter(|_| i > 0) {
        bail!(code, "{text}");
    }
    if entry.last && i + 1 != count {
        bail!(codes::LOCATION40601, "{name} can only be the final stage in the pipeline");
    }
    if cx.collectionless && i == 0 && !entry.source {
        bail!(
            codes::INVALID_NAMESPACE,
            "{{aggregate: 1}} is not valid for '{name}'; a collection is required."
        );
    }
    if name == "$documents" && cx.place == Place::Command && !cx.collectionless {
        bail!(codes::BAD_VALUE, "$documents is only valid as the first stage in a pipeline");
    }
    Ok(())
}
