//! What the world outside of the documents offers to a pipeline.

use super::GeoNear;
use crate::error::Result;
use crate::raw::Doc;
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
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are the option's values")]
pub enum MatchedAction {
    Replace,
    KeepExisting,
    Merge,
    Fail,
    /// An update pipeline (encoded array) with its `let` document; `$$new` is the document that came.
    Pipeline {
        stages: Vec<u8>,
        variables: Option<Vec<u8>>,
    },
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
#[derive(Clone, Debug, PartialEq)]
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
        /// Fields that identify a document; empty means `_id`.
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

/// What the glue implements for stages that reach beyond the stream. Everything but reading refuses by default.
pub trait Host {
    /// The documents of a collection or view of the command's database (`db` names another one), in natural
    /// order; none for a collection that does not exist. `filter` may be used to return fewer documents: the
    /// caller checks it again.
    ///
    /// # Errors
    /// Those of reading.
    fn open(&self, db: Option<&str>, collection: &str, filter: Option<Doc<'_>>) -> Result<Docs<'_>>;

    /// The documents of a collection as `$geoNear` wants them, distances included.
    ///
    /// # Errors
    /// Those of reading, and when no index can tell distances.
    fn open_near(&self, _db: Option<&str>, _collection: &str, _near: &GeoNear) -> Result<Docs<'_>> {
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

    /// An index makes `open` with an equality on `field` cheap: `$lookup` then asks per document instead of
    /// reading the collection once.
    fn finds_by(&self, _db: Option<&str>, _collection: &str, _field: &str) -> bool {
        false
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
    fn open(&self, _: Option<&str>, collection: &str, _: Option<Doc<'_>>) -> Result<Docs<'_>> {
        bail!(codes::COMMAND_NOT_SUPPORTED, "collection '{collection}' cannot be read in this context")
    }
}
