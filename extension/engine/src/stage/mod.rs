//! Aggregation pipelines: parsing the stages, running them over an iterator of documents (MongoDB manual,
//! "Aggregation Stages").
//!
//! A [`Pipeline`] is parsed once and run any number of times. Stages are iterators over encoded documents;
//! those that need everything before they can answer (`$sort`, `$group`, …) collect up to
//! [`MEMORY_LIMIT`] bytes, up to [`DISK_USE_LIMIT`] when the command allows disk use. What lies outside of the
//! documents (other collections, writes, statistics, interrupts) is reached through [`Host`].

mod bucket;
mod densify;
mod documents;
mod facet;
mod fill;
mod geo_near;
mod granularity;
mod graph;
mod group;
mod host;
mod lookup;
mod optimize;
mod output;
mod parse;
mod redact;
mod shape;
mod simple;
mod sort;
#[cfg(test)]
mod tests;
mod union;
mod unwind;
mod window;

pub use geo_near::GeoNear;
use host::Interruptible;
pub use host::{
    Docs, Host, MatchedAction, NoHost, NotMatchedAction, Output, Sorting, Statistics, Target, Wanted,
};
pub use parse::{ParseContext, is_known};

use crate::error::{Error, Result};
use crate::meta::{self, Known};
use crate::raw::{Doc, Val, ty};
use crate::sort::SortSpec;
use crate::value::{ArrayWriter, DocWriter, Value};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

/// Bytes a blocking stage may hold when the command says `allowDiskUse: false` (MongoDB's limit).
pub const MEMORY_LIMIT: usize = 100 * 1024 * 1024;
/// Bytes a blocking stage may hold otherwise: memory stands in for MongoDB's files.
pub const DISK_USE_LIMIT: usize = 1024 * 1024 * 1024;
/// Most stages in one pipeline (MongoDB's `internalPipelineLengthLimit`).
pub const MAX_STAGES: usize = 1000;

/// What running stages share.
#[derive(Clone, Copy)]
pub(crate) struct Run<'h> {
    pub host: &'h dyn Host,
    /// Bytes a blocking stage may hold.
    pub memory: usize,
}

impl Run<'_> {
    /// The command did not say `allowDiskUse: false`.
    fn may_spill(&self) -> bool {
        self.memory > MEMORY_LIMIT
    }
}

/// One stage, ready to run.
pub(crate) trait Stage: fmt::Debug {
    /// The documents after the stage.
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, cx: Run<'h>) -> Docs<'h>;

    /// Keeps documents in order, one at a time, without state: may resume anywhere (sql-api.md 1.2).
    fn streams(&self) -> bool {
        false
    }

    /// The filter, for `$match`.
    fn filter(&self) -> Option<Doc<'_>> {
        None
    }

    /// The sort specification as it is written and as it was read, for `$sort`.
    fn order(&self) -> Option<(Doc<'_>, &SortSpec)> {
        None
    }

    /// How many documents pass, for `$limit`.
    fn at_most(&self) -> Option<u64> {
        None
    }

    /// How many documents are left out, for `$skip`.
    fn skips(&self) -> Option<u64> {
        None
    }

    /// The value of this field of the top level is the same in a document before and after the stage, and whether
    /// a document passes depends on no other: a filter on it may come before the stage.
    fn keeps_field(&self, _name: &str) -> bool {
        false
    }

    /// Makes one document of each, in their order: a limit may come before the stage.
    fn keeps_count(&self) -> bool {
        false
    }

    /// What is in the documents makes no difference to what comes out, only how many there are.
    fn counts(&self) -> bool {
        false
    }

    /// Where the stage writes, for `$out` and `$merge`.
    fn output(&self) -> Option<&Output> {
        None
    }

    /// Makes its documents itself instead of reading the collection.
    fn is_source(&self) -> bool {
        false
    }

    /// The options, for `$geoNear`.
    fn geo_near(&self) -> Option<&GeoNear> {
        None
    }

    /// Other collections the stage reads.
    fn reads(&self, _names: &mut Vec<String>) {}
}

/// A stage in its place.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub name: &'static str,
    pub stage: Rc<dyn Stage>,
}

/// A parsed pipeline.
#[derive(Clone, Debug)]
pub struct Pipeline {
    stages: Vec<Step>,
    memory: usize,
    /// What documents carry from the first stage on; they are shown without it.
    known: Known,
}

impl Pipeline {
    /// Parses an array of stages.
    ///
    /// # Errors
    /// MongoDB's code and message for unknown stages, wrong options, stages in a place where they may not stand.
    pub fn parse(stages: Doc<'_>, cx: &ParseContext) -> Result<Self> {
        parse::pipeline(stages, cx)
    }

    /// Runs over `source`, the documents of the collection in order.
    pub fn run<'h>(&self, source: Docs<'h>, host: &'h dyn Host) -> Docs<'h> {
        self.run_in(source, Run { host, memory: self.memory })
    }

    pub(crate) fn run_in<'h>(&self, source: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        let known = self.known;
        let checked: Docs<'h> = Box::new(Interruptible::new(source, cx.host));
        let shown = self.stages.iter().enumerate().fold(checked, |docs, (i, step)| {
            // A sort before a limit keeps only the documents that can still be answered.
            if let (Some((_, spec)), Some(n)) = (step.stage.order(), self.first_after(i)) {
                return sort::top(Ok(spec.clone()), n, docs, cx);
            }
            // A stage may make many documents of one.
            Box::new(Interruptible::new(Rc::clone(&step.stage).run(docs, cx), cx.host))
        });
        if !known.any() {
            return shown;
        }
        Box::new(shown.map(|d| d.map(|d| meta::strip(Doc::trusted(&d)))))
    }

    /// What documents are to carry, for the stages that ask for it by `$meta`.
    #[must_use]
    pub fn known(&self) -> Known {
        self.known
    }

    /// How many documents the limit behind stage `i` lets pass, and a skip between them leaves out.
    fn first_after(&self, i: usize) -> Option<u64> {
        let next = |n: usize| self.stages.get(i + n).map(|s| &s.stage);
        let skip = next(1)?.skips();
        let limit = next(if skip.is_some() { 2 } else { 1 })?.at_most()?;
        skip.unwrap_or(0).checked_add(limit)
    }

    /// The names of the stages.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.stages.iter().map(|s| s.name)
    }

    /// How many stages it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stages.len()
    }

    /// Has no stage.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Splits off the leading `$match` stages: one filter for all of them, and the pipeline after them. Who
    /// applies the filter (by an index or a scan) runs the rest over what matched.
    #[must_use]
    pub fn split_match(&self) -> (Option<Vec<u8>>, Pipeline) {
        let filters: Vec<Doc<'_>> = self.stages.iter().map_while(|s| s.stage.filter()).collect();
        let rest = self.without_first(filters.len());
        (conjunction(&filters), rest)
    }

    /// The sort specification when `$sort` is the first stage: an index may give that order.
    #[must_use]
    pub fn leading_sort(&self) -> Option<Doc<'_>> {
        self.stages.first().and_then(|s| s.stage.order()).map(|(spec, _)| spec)
    }

    /// How many documents of the order of [`Pipeline::leading_sort`] are looked at, where a limit says so.
    #[must_use]
    pub fn leading_limit(&self) -> Option<u64> {
        self.first_after(0)
    }

    /// The options of `$geoNear` when it is the first stage: who opens the collection does what it asks for.
    #[must_use]
    pub fn leading_geo_near(&self) -> Option<&GeoNear> {
        self.stages.first().and_then(|s| s.stage.geo_near())
    }

    /// A pipeline without stages.
    pub(crate) fn nothing(cx: &ParseContext) -> Pipeline {
        Pipeline { stages: Vec::new(), memory: cx.memory(), known: Known::default() }
    }

    /// The pipeline with a `$match` before the stage at `at`.
    pub(crate) fn with_match(&self, at: usize, filter: Doc<'_>, cx: &ParseContext) -> Result<Pipeline> {
        let mut stages = self.stages.clone();
        let stage = simple::matching(Val { ty: ty::DOCUMENT, bytes: filter.bytes() }, cx)?;
        stages.insert(at.min(stages.len()), Step { name: "$match", stage });
        Ok(Pipeline { stages, ..*self })
    }

    /// The pipeline without its first `n` stages.
    #[must_use]
    pub fn without_first(&self, n: usize) -> Pipeline {
        Pipeline { stages: self.stages.iter().skip(n).cloned().collect(), ..*self }
    }

    /// Each result comes from one stored document, in their order: a cursor over it may be continued by
    /// position (sql-api.md 1.2, kind Streamable).
    #[must_use]
    pub fn is_streamable(&self) -> bool {
        self.stages.iter().all(|s| s.stage.streams())
    }

    /// What is in the documents makes no difference: the first stages count them.
    #[must_use]
    pub fn only_counts(&self) -> bool {
        let cuts = |s: &&Step| s.stage.at_most().is_some() || s.stage.skips().is_some();
        let first = self.stages.iter().find(|s| !cuts(s));
        !self.known.any() && first.is_some_and(|s| s.stage.counts())
    }

    /// Where the pipeline writes: its last stage is `$out` or `$merge`.
    #[must_use]
    pub fn output(&self) -> Option<&Output> {
        self.stages.last().and_then(|s| s.stage.output())
    }

    /// The first stage makes the documents; the collection is not read.
    #[must_use]
    pub fn is_source(&self) -> bool {
        self.stages.first().is_some_and(|s| s.stage.is_source())
    }

    /// Names of the other collections the pipeline reads.
    #[must_use]
    pub fn reads(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.collect_reads(&mut names);
        names
    }

    pub(crate) fn collect_reads(&self, names: &mut Vec<String>) {
        for s in &self.stages {
            s.stage.reads(names);
        }
    }
}

/// One filter for all of these.
fn conjunction(filters: &[Doc<'_>]) -> Option<Vec<u8>> {
    match filters {
        [] => None,
        [one] => Some(one.bytes().to_vec()),
        many => {
            let mut list = ArrayWriter::new();
            for f in many {
                list.push_val(Val { ty: ty::DOCUMENT, bytes: f.bytes() });
            }
            let mut doc = DocWriter::new();
            doc.put("$and", &Value::Array(list.finish()));
            Some(doc.finish())
        }
    }
}

/// Documents that are there already.
pub(crate) fn ready<'h>(docs: impl IntoIterator<Item = Vec<u8>, IntoIter: 'h>) -> Docs<'h> {
    Box::new(docs.into_iter().map(Ok))
}

/// One error instead of documents.
pub(crate) fn failed<'h>(e: Error) -> Docs<'h> {
    Box::new(std::iter::once(Err(e)))
}

/// A stage that computes everything when the first document is asked for.
pub(crate) fn blocking<'h>(f: impl FnOnce() -> Result<VecDeque<Vec<u8>>> + 'h) -> Docs<'h> {
    deferred(move || f().map(ready))
}

/// A stage that opens its documents when the first is asked for.
pub(crate) fn deferred<'h>(f: impl FnOnce() -> Result<Docs<'h>> + 'h) -> Docs<'h> {
    let mut start = Some(f);
    let mut open: Option<Docs<'h>> = None;
    Box::new(std::iter::from_fn(move || {
        if let Some(f) = start.take() {
            open = Some(f().unwrap_or_else(failed));
        }
        open.as_mut()?.next()
    }))
}

/// Bytes held by one blocking stage.
#[derive(Debug)]
pub(crate) struct Budget {
    stage: &'static str,
    used: usize,
    limit: usize,
}

impl Budget {
    pub(crate) fn new(stage: &'static str, cx: Run<'_>) -> Self {
        Self { stage, used: 0, limit: cx.memory }
    }

    /// Counts `bytes` more.
    ///
    /// # Errors
    /// `ExceededMemoryLimit` beyond the limit.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<()> {
        // Every held document costs its bytes and about this much bookkeeping.
        const OVERHEAD: usize = 48;
        self.used = self.used.saturating_add(bytes + OVERHEAD);
        if self.used > self.limit {
            crate::bail!(
                crate::codes::EXCEEDED_MEMORY_LIMIT,
                "{} exceeded memory limit of {} bytes",
                self.stage,
                self.limit
            );
        }
        Ok(())
    }

    /// Collects a whole stream.
    ///
    /// # Errors
    /// The stream's, and `ExceededMemoryLimit`.
    pub(crate) fn collect(&mut self, input: Docs<'_>) -> Result<Vec<Vec<u8>>> {
        let mut docs = Vec::new();
        for doc in input {
            let doc = doc?;
            self.take(doc.len())?;
            docs.push(doc);
        }
        Ok(docs)
    }
}
