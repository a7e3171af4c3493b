//! What the world outside of the documents offers to a pipeline.

use super::{GeoNear, ParseContext};
use crate::error::Result;
use crate::expr::{Binding, EvalContext, Expr, Variables};
use crate::raw::Doc;
use crate::sort::SortSpec;
use crate::{bail, codes};

/// A stream of encoded documents.
pub type Docs<'a> = Box<dyn Iterator<Item = Result<Vec<u8>>> + 'a>;

/// A collection by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Database; `None` is that of the command.
    pub db: Option<String>,
    /// Collection.
    pub collection: String,
}

/// What `$merge` does with a document that is there already.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the option's values")]
pub enum MatchedAction {
    Replace,
    KeepExisting,
    Merge,
    Fail,
    /// An update pipeline (encoded array).
    Pipeline {
        stages: Vec<u8>,
        /// The stage's `let`, to be evaluated on the document that came.
        variables: Vec<(String, Expr)>,
        /// The command's `let`.
        outer: Variables,
    },
}

impl MatchedAction {
    /// The variables of the pipeline for the document that came.
    ///
    /// # Errors
    /// Those of the expressions.
    pub fn bind(&self, document: Doc<'_>) -> Result<Variables> {
        let MatchedAction::Pipeline { variables, outer, .. } = self else { return Ok(Variables::new()) };
        let mut bound = outer.clone();
        for (name, e) in variables {
            bound.set(name.as_str(), Binding::Value(e.eval(&EvalContext::new(document))?));
        }
        Ok(bound)
    }
}

/// What `$merge` does with a document that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the option's values")]
pub enum NotMatchedAction {
    Insert,
    Discard,
    Fail,
}

/// Where and how a pipeline writes.
#[derive(Clone, Debug)]
pub enum Output {
    /// `$out`: the collection is replaced.
    Out {
        /// The collection.
        target: Target,
    },
    /// `$merge`.
    Merge {
        /// The collection.
        target: Target,
        /// Fields that identify a document.
        on: Vec<String>,
        /// For a document that is there.
        matched: MatchedAction,
        /// For one that is not.
        not_matched: NotMatchedAction,
    },
}

/// A stage that reports on the server instead of reading documents.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Statistics<'a> {
    /// `$collStats` with its options.
    Collection(Doc<'a>),
    /// `$indexStats`
    Indexes,
    /// `$currentOp` with its options.
    Operations(Doc<'a>),
}

/// What a stage wants of another collection.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Database; `None` is that of the command.
    pub db: Option<&'a str>,
    /// Collection or view.
    pub collection: &'a str,
    /// Only what matches; everything without.
    pub filter: Option<Doc<'a>>,
    /// What the filter is parsed with: variables, collation.
    pub cx: &'a ParseContext,
}

/// A sort that keeps what does not fit into memory somewhere else.
pub trait Sorting<'h> {
    /// Adds a document.
    ///
    /// # Errors
    /// Those of the keys, and of what keeps the documents.
    fn put(&mut self, document: &[u8]) -> Result<()>;

    /// All documents in order; equal ones as they came.
    fn sorted(self: Box<Self>) -> Docs<'h>;
}

/// What the glue implements for stages that reach beyond the stream. Everything but reading refuses by default.
pub trait Host {
    /// The documents of a collection or view that match the filter, in natural order; none for a collection that
    /// does not exist.
    ///
    /// # Errors
    /// Those of reading.
    fn open(&self, wanted: &Wanted<'_>) -> Result<Docs<'_>>;

    /// The documents of a collection as `$geoNear` wants them, distances included.
    ///
    /// # Errors
    /// Those of reading, and when no index can tell distances.
    fn open_near(&self, _wanted: &Wanted<'_>, _near: &GeoNear) -> Result<Docs<'_>> {
        bail!(codes::COMMAND_NOT_SUPPORTED, "$geoNear is not supported in this context")
    }

    /// Writes the stream to its target.
    ///
    /// # Errors
    /// Those of writing, or a refusal where nothing can be written.
    fn write(&self, _output: &Output, _documents: Docs<'_>) -> Result<()> {
        bail!(codes::COMMAND_NOT_SUPPORTED, "$out and $merge are not supported in this context")
    }

    /// The documents of a statistics stage.
    ///
    /// # Errors
    /// A refusal by name where the host has none.
    fn statistics(&self, what: Statistics<'_>) -> Result<Docs<'_>> {
        let name = match what {
            Statistics::Collection(_) => "$collStats",
            Statistics::Indexes => "$indexStats",
            Statistics::Operations(_) => "$currentOp",
        };
        bail!(codes::COMMAND_NOT_SUPPORTED, "{name} is not supported in this context")
    }

    /// An index makes [`Host::open`] read little more than what matches: stages that look things up then ask for each
    /// document instead of reading the collection once.
    fn narrows(&self, _wanted: &Wanted<'_>) -> bool {
        false
    }

    /// A sort for more documents than memory is meant for; `None` where there is no such place.
    fn sorter(&self, _spec: &SortSpec) -> Option<Box<dyn Sorting<'_> + '_>> {
        None
    }

    /// Called now and then in long loops.
    ///
    /// # Errors
    /// When the statement was cancelled.
    fn check_interrupts(&self) -> Result<()> {
        Ok(())
    }
}

/// A host without collections: for pipelines that stay within their stream (updates, `$documents`).
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

impl Host for NoHost {
    fn open(&self, wanted: &Wanted<'_>) -> Result<Docs<'_>> {
        let collection = wanted.collection;
        bail!(codes::COMMAND_NOT_SUPPORTED, "collection '{collection}' cannot be read in this context")
    }
}

/// Asks the host now and then whether the statement was cancelled.
pub(super) struct Interruptible<'h> {
    inner: Docs<'h>,
    host: &'h dyn Host,
    count: u32,
}

impl<'h> Interruptible<'h> {
    pub(super) fn new(inner: Docs<'h>, host: &'h dyn Host) -> Self {
        Self { inner, host, count: 0 }
    }
}

impl Iterator for Interruptible<'_> {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.wrapping_add(1);
        if self.count.is_multiple_of(64)
            && let Err(e) = self.host.check_interrupts()
        {
            return Some(Err(e));
        }
        self.inner.next()
    }
}
