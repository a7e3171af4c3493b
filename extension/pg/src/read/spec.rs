//! Reading the commands of this folder: their fields, in one pass.

use engine::{Doc, Error, Val, codes};

use crate::error::Result;
use crate::spec::{document, integer, is_common, max_time_ms, optional_bool, safe_bool, string, wrong_types};
use crate::{guc, xact};

/// The `find` command.
#[derive(Clone, Copy)]
pub struct Find<'a> {
    /// Collection.
    pub collection: &'a str,
    /// Filter.
    pub filter: Doc<'a>,
    /// Sort; empty for none.
    pub sort: Doc<'a>,
    /// Projection; empty for none.
    pub projection: Doc<'a>,
    /// Documents to leave out.
    pub skip: i64,
    /// Most documents; 0 for all.
    pub limit: i64,
    /// Documents of the first page, if given.
    pub batch: Option<usize>,
    /// No cursor is to be opened.
    pub single: bool,
    /// Hint.
    pub hint: Option<Val<'a>>,
    /// Where the walk along the hinted index begins.
    pub min: Option<Doc<'a>>,
    /// Where it ends.
    pub max: Option<Doc<'a>>,
    /// Variables.
    pub variables: Option<Doc<'a>>,
    /// How strings compare, if given.
    pub collation: Option<Doc<'a>>,
    /// The cursor stays open at the end of a capped collection.
    pub tailable: bool,
    /// Its further pages wait for documents. The waiting is the caller's; here it is only known.
    pub awaits: bool,
}

impl<'a> Find<'a> {
    /// Everything, of no collection.
    pub const EMPTY: Find<'static> = Find {
        collection: "",
        filter: Doc::EMPTY,
        sort: Doc::EMPTY,
        projection: Doc::EMPTY,
        skip: 0,
        limit: 0,
        batch: None,
        single: false,
        hint: None,
        min: None,
        max: None,
        variables: None,
        collation: None,
        tailable: false,
        awaits: false,
    };

    /// Reads the command.
    ///
    /// # Errors
    /// MongoDB's for missing, unknown and badly typed fields.
    pub fn parse(command: Doc<'a>) -> Result<Find<'a>> {
        let mut f = Find::EMPTY;
        let mut named = false;
        for e in command {
            let v = e.val;
            let path = |name: &str| format!("FindCommandRequest.{name}");
            match e.name() {
                "skip" | "limit" | "batchSize" | "singleBatch" | "let" | "collation" | "min" | "max"
                | "returnKey" | "showRecordId"
                    if v.is_nullish() => {}
                "find" => {
                    named = true;
                    f.collection = non_empty(string("find", v)?)?;
                }
                "filter" => f.filter = owned("filter", v)?,
                "sort" => f.sort = owned("sort", v)?,
                "projection" => f.projection = owned("projection", v)?,
                "skip" => f.skip = skip(&path("skip"), v)?,
                "limit" => f.limit = limit(&path("limit"), v)?,
                "batchSize" => f.batch = Some(batch_size(&path("batchSize"), v)?),
                "ntoreturn" => f.batch = Some(batch_size("ntoreturn", v)?),
                "tailable" => f.tailable = optional_bool("tailable", v)?,
                "awaitData" => f.awaits = optional_bool("awaitData", v)?,
                "singleBatch" => f.single = optional_bool("singleBatch", v)?,
                "hint" => f.hint = Some(v),
                "let" => f.variables = Some(document(&path("let"), v)?),
                "collation" => {
                    owned("collation", v)?;
                    f.collation = collation(v)?;
                }
                "maxTimeMS" => xact::limit_time(max_time_ms("find", v)?),
                name @ ("returnKey" | "showRecordId") => {
                    if optional_bool(name, v)? {
                        return Err(refuse(format!("key {name} is not supported yet")));
                    }
                }
                name @ ("allowDiskUse" | "allowPartialResults" | "noCursorTimeout") => {
                    optional_bool(name, v)?;
                }
                "min" => f.min = Some(owned("min", v)?).filter(|d| !d.is_empty()),
                "max" => f.max = Some(owned("max", v)?).filter(|d| !d.is_empty()),
                name if is_common(name) => {}
                name => return Err(unknown(name)),
            }
        }
        if !named {
            return Err(required("find"));
        }
        f.check_tailable()?;
        if f.limit < 0 {
            // Old drivers' way to ask for one batch; the batch size decides here, as it does officially.
            f.limit = f.limit.checked_neg().unwrap_or(i64::MAX);
        }
        Ok(f)
    }
}

impl Find<'_> {
    /// What can't go with `tailable`.
    fn check_tailable(&self) -> Result<()> {
        let bad = |code, text: &str| Err(Error::new(code, text).into());
        if self.awaits && !self.tailable {
            return bad(codes::FAILED_TO_PARSE, "Cannot set 'awaitData' without also setting 'tailable'");
        }
        if !self.tailable {
            return Ok(());
        }
        let natural = self.sort.first().is_some_and(|e| e.name() == "$natural" && integer(e.val) == Some(1));
        let other = !natural || self.sort.iter().nth(1).is_some();
        if !self.sort.is_empty() && other {
            let text = "cannot use tailable option with a sort other than {$natural: 1}";
            return bad(codes::BAD_VALUE, text);
        }
        if self.single {
            return bad(codes::BAD_VALUE, "cannot use tailable option with the 'singleBatch' option");
        }
        Ok(())
    }
}

/// The `aggregate` command.
#[derive(Clone, Copy)]
pub struct Aggregate<'a> {
    /// Collection; `None` for `{aggregate: 1}`.
    pub collection: Option<&'a str>,
    /// Stages.
    pub pipeline: Doc<'a>,
    /// Documents of the first page, if given.
    pub batch: Option<usize>,
    /// Hint.
    pub hint: Option<Val<'a>>,
    /// Variables.
    pub variables: Option<Doc<'a>>,
    /// As given.
    pub allow_disk_use: Option<bool>,
    /// How strings compare, if given.
    pub collation: Option<Doc<'a>>,
    /// `bypassDocumentValidation`, for what is written.
    pub bypass: bool,
}

impl<'a> Aggregate<'a> {
    /// Reads the command. `cursor`: the command needs that field.
    ///
    /// # Errors
    /// MongoDB's for missing, unknown and badly typed fields.
    pub fn parse(command: Doc<'a>, cursor: bool) -> Result<Aggregate<'a>> {
        let mut a = Aggregate {
            collection: None,
            pipeline: Doc::EMPTY,
            batch: None,
            hint: None,
            variables: None,
            allow_disk_use: None,
            collation: None,
            bypass: false,
        };
        let (mut named, mut piped, mut cursor_given, mut explain) = (false, false, false, false);
        for e in command {
            let v = e.val;
            match e.name() {
                "aggregate" => {
                    named = true;
                    let one = v.is_number() && engine::number::exact_i64(v) == Some(1);
                    a.collection = if one { None } else { Some(string("aggregate", v)?) };
                    named &= a.collection != Some("");
                }
                "pipeline" => {
                    piped = true;
                    a.pipeline = crate::spec::array("pipeline", v)?;
                }
                "cursor" => {
                    cursor_given = true;
                    a.batch = cursor_batch(v)?;
                }
                "hint" => a.hint = Some(v),
                "let" => a.variables = Some(document("let", v)?),
                "collation" => a.collation = crate::spec::collation("aggregate.collation", v)?,
                "allowDiskUse" => a.allow_disk_use = Some(optional_bool("allowDiskUse", v)?),
                "bypassDocumentValidation" => {
                    a.bypass = safe_bool("aggregate.bypassDocumentValidation", v)?;
                }
                "explain" => explain = safe_bool("aggregate.explain", v)?,
                "maxTimeMS" => xact::limit_time(max_time_ms("aggregate", v)?),
                "collectionUUID" => return Err(refuse("key collectionUUID is not supported yet".to_owned())),
                name if is_common(name) => {}
                name => return Err(unknown(name)),
            }
        }
        let bad = |text: &str| crate::error::Error::from(Error::new(codes::BAD_VALUE, text));
        if !named {
            return Err(bad("Required variables aggregate must be valid"));
        }
        if !piped {
            return Err(bad("Required variable pipeline must be valid"));
        }
        if cursor && !cursor_given && !explain {
            let text = "The 'cursor' option is required, except for aggregate with explain";
            return Err(Error::new(codes::FAILED_TO_PARSE, text).into());
        }
        let most = usize::try_from(guc::number(c"documentdb.aggregation_stages_limit")).unwrap_or(1000);
        if a.pipeline.iter().count() > most {
            let text = format!("Pipeline length must be no longer than {most} stages.");
            return Err(Error::new(codes::LOCATION7749501, text).into());
        }
        Ok(a)
    }
}

/// `cursor: {batchSize}`
fn cursor_batch(v: Val<'_>) -> Result<Option<usize>> {
    let mut batch = None;
    for e in document("cursor", v)? {
        match e.name() {
            "batchSize" => batch = Some(batch_size("cursor.batchSize", e.val)?),
            name => {
                let text = format!("Unrecognized field: {name}");
                return Err(Error::new(codes::FAILED_TO_PARSE, text).into());
            }
        }
    }
    Ok(batch)
}

/// Documents of a first page when the command does not say.
pub fn default_batch() -> usize {
    usize::try_from(guc::number(c"documentdb.defaultCursorFirstPageBatchSize")).unwrap_or(101)
}

fn refuse(message: String) -> crate::error::Error {
    Error::new(codes::COMMAND_NOT_SUPPORTED, message).into()
}

/// `collation` of find, count and distinct.
///
/// # Errors
/// MongoDB's for what is no collation.
pub fn collation<'a>(v: Val<'a>) -> Result<Option<Doc<'a>>> {
    let d = document("collation", v)?;
    let wrong = |mut e: crate::error::Error| {
        e.message = format!("unable to parse collation :: caused by :: {}", e.message);
        e
    };
    crate::spec::collation("collation", v).map_err(wrong)?;
    Ok((!d.is_empty()).then_some(d))
}

/// A field nobody knows.
pub fn unknown(name: &str) -> crate::error::Error {
    Error::new(codes::BAD_VALUE, format!("{name} is an unknown field")).into()
}

/// A field that must be there.
pub fn required(name: &str) -> crate::error::Error {
    Error::new(codes::FAILED_TO_PARSE, format!("Required element \"{name}\" missing.")).into()
}

/// A collection's name.
pub fn non_empty(name: &str) -> Result<&str> {
    if name.is_empty() {
        return Err(Error::new(codes::INVALID_NAMESPACE, "Collection name can't be empty.").into());
    }
    Ok(name)
}

/// `batchSize`.
pub fn batch_size(path: &str, v: Val<'_>) -> Result<usize> {
    let n = count(path, v)?;
    usize::try_from(n).map_err(|_| negative("batchSize", n))
}

/// `limit`; negative ones are returned as they are.
pub fn limit(path: &str, v: Val<'_>) -> Result<i64> {
    count(path, v)
}

/// `skip`.
pub fn skip(path: &str, v: Val<'_>) -> Result<i64> {
    match count(path, v)? {
        n if n < 0 => Err(negative("skip", n)),
        n => Ok(n),
    }
}

/// A number of documents: any number, its fraction cut off.
fn count(path: &str, v: Val<'_>) -> Result<i64> {
    integer(v).ok_or_else(|| wrong_types(path, v, "long, int, decimal, double"))
}

fn negative(field: &str, n: i64) -> crate::error::Error {
    let text = format!("BSON field '{field}' value must be >= 0, actual value '{n}'");
    Error::new(codes::LOCATION51024, text).into()
}

/// A document. The words are MongoDB's, without the space.
fn owned<'a>(name: &str, v: Val<'a>) -> Result<Doc<'a>> {
    let wrong = || Error::new(codes::TYPE_MISMATCH, format!("Expected field {name}to be of type object"));
    Ok(v.as_doc().ok_or_else(wrong)?)
}
