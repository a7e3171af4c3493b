//! explain: PostgreSQL explains the query function of a command, and its plan is told in MongoDB's words.
//!
//! A writing command is explained by the query that finds its documents; nothing is written, whatever the verbosity
//! (MongoDB manual, explain).
mod plan;

use bson::raw::{RawBsonRef, cstr};
use bson::{RawBson, RawDocument, RawDocumentBuf, rawdoc};
use tokio_postgres::types::Json;

use super::crud::{all, has_out_or_merge, require_abilities};
use super::local::server_info;
use super::options::{missing, wrong_type};
use super::request::Request;
use super::{Call, request};
use crate::error::{Code, CommandError, Result, codes};
use crate::reply::Reply;
use crate::sql::{Param, SqlCall, calls};
use crate::wire::{Frame, Op, OpMsg};
use plan::{Plan, Words, Writes};

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verbosity {
    QueryPlanner,
    ExecutionStats,
    AllPlansExecution,
}

/// explain as a command of its own.
pub(super) async fn run(call: Call<'_>) -> Result<Reply> {
    let RawBsonRef::Document(inner) = call.request.target else {
        return Err(wrong_type("explain.explain", call.request.target, "object"));
    };
    let verbosity = match call.request.get("verbosity")? {
        None => Verbosity::AllPlansExecution,
        Some(RawBsonRef::String("queryPlanner")) => Verbosity::QueryPlanner,
        Some(RawBsonRef::String("executionStats")) => Verbosity::ExecutionStats,
        Some(RawBsonRef::String("allPlansExecution")) => Verbosity::AllPlansExecution,
        Some(RawBsonRef::String(other)) => {
            let message =
                format!("Enumeration value '{other}' for field 'explain.verbosity' is not a valid value.");
            return Err(CommandError::client(codes::BAD_VALUE, message));
        }
        Some(other) => return Err(wrong_type("explain.verbosity", other, "string")),
    };
    if let Some(db) = inner.get("$db")? {
        let same = db.as_str() == Some(call.request.db);
        if !same {
            return Err(CommandError::client(
                codes::INVALID_NAMESPACE,
                "Mismatched $db in explain command. Expected the database of the explain command itself",
            ));
        }
    }
    of(&call, inner, verbosity).await
}

/// aggregate with `explain: true`.
pub(super) async fn aggregate(call: Call<'_>) -> Result<Reply> {
    let inner = crate::reply::ok::without(call.request.body, &["explain", "$db", "lsid", "$readPreference"])?;
    of(&call, &inner, Verbosity::QueryPlanner).await
}

/// What is asked of PostgreSQL.
struct Subject {
    sql: [&'static SqlCall; 2],
    spec: RawDocumentBuf,
    filter: RawDocumentBuf,
    words: Words,
}

async fn of(call: &Call<'_>, inner: &RawDocument, verbosity: Verbosity) -> Result<Reply> {
    let db = call.request.db;
    let mut whole = crate::reply::ok::without(inner, &["$db"])?;
    whole.append(cstr!("$db"), db);
    // The inner command is checked as if it had come by itself.
    let frame = Frame {
        request_id: 0,
        op: Op::Msg(OpMsg {
            more_to_come: false,
            exhaust_allowed: false,
            checksum: false,
            body: whole.clone().into_bytes().into(),
            sequences: Vec::new(),
        }),
    };
    let (spec, name) = request::identify(&frame)?;
    let asked = Request::parse(spec, name, &frame, tokio::time::Instant::now())?;
    let subject = subject(&asked)?;
    if asked.wishes.bound.is_some() {
        Box::pin(require_abilities(call, &asked.wishes)).await?;
    }
    let executes = verbosity >= Verbosity::ExecutionStats;
    if executes && asked.spec.name == "aggregate" && has_out_or_merge(&asked) {
        // Executing it would write.
        let message = "A pipeline with $out or $merge can be explained with verbosity 'queryPlanner' alone";
        return Err(CommandError::client(Code(51029), message));
    }
    let bytes = subject.spec.as_bytes();
    let params: [Param<'_>; 2] = [&db, &bytes];
    let [plain, analyzed] = subject.sql;
    let (row, lease) = call.read(if executes { analyzed } else { plain }, &params).await?;
    drop(lease);
    let Json(explained): Json<serde_json::Value> =
        row.try_get(0).map_err(|error| CommandError::unexpected("a plan that is no JSON").because(error))?;
    let plan = Plan::read(&explained).ok_or_else(|| CommandError::unexpected("a plan of an unknown form"))?;
    let mut plan = plan.worded(subject.words);
    if plan.uses_indexes()
        && let Ok(collection) = asked.collection()
    {
        let list = rawdoc! { "listIndexes": collection, "$db": db };
        match all(call, db, &calls::LIST_INDEXES, &list).await {
            Ok(indexes) => plan.describe(&indexes),
            // Dropped meanwhile, or a view.
            Err(error)
                if matches!(
                    error.code,
                    codes::NAMESPACE_NOT_FOUND | codes::COMMAND_NOT_SUPPORTED_ON_VIEW
                ) => {}
            Err(error) => return Err(error),
        }
    }
    let ns =
        asked.collection().map_or_else(|_| format!("{db}.$cmd.aggregate"), |name| format!("{db}.{name}"));
    let mut out = rawdoc! {
        "explainVersion": "1",
        "queryPlanner": {
            "namespace": ns,
            "parsedQuery": subject.filter,
            "indexFilterSet": false,
            "maxIndexedOrSolutionsReached": false,
            "maxIndexedAndSolutionsReached": false,
            "maxScansToExplodeReached": false,
            "winningPlan": plan.winning(subject.words.writes),
            "rejectedPlans": [],
        },
    };
    if executes {
        let mut stats = plan.stats(subject.words.writes);
        if verbosity == Verbosity::AllPlansExecution {
            stats.append(cstr!("allPlansExecution"), bson::RawArrayBuf::new());
        }
        out.append(cstr!("executionStats"), stats);
    }
    out.append(cstr!("command"), whole);
    out.append(cstr!("serverInfo"), server_info(call.services.config.server_version));
    out.append(cstr!("ok"), 1.0);
    Ok(out.into())
}

fn subject(asked: &Request<'_>) -> Result<Subject> {
    let document = |value: Option<RawBsonRef<'_>>| match value {
        Some(RawBsonRef::Document(document)) => document.to_owned(),
        _ => RawDocumentBuf::new(),
    };
    let passed = || asked.forward.clone().into_owned();
    Ok(match asked.spec.name {
        "find" => Subject {
            sql: [&calls::EXPLAIN_FIND, &calls::ANALYZE_FIND],
            spec: passed(),
            filter: document(asked.get("filter")?),
            words: words_of_find(asked)?,
        },
        "aggregate" => Subject {
            sql: [&calls::EXPLAIN_AGGREGATE, &calls::ANALYZE_AGGREGATE],
            spec: with_cursor(asked)?,
            filter: first_match(asked)?,
            words: Words::default(),
        },
        "count" => Subject {
            sql: [&calls::EXPLAIN_COUNT, &calls::ANALYZE_COUNT],
            spec: passed(),
            filter: document(asked.get("query")?),
            words: Words { counts: true, ..Words::default() },
        },
        "distinct" => Subject {
            sql: [&calls::EXPLAIN_DISTINCT, &calls::ANALYZE_DISTINCT],
            spec: passed(),
            filter: document(asked.get("query")?),
            words: Words { distinct: true, ..Words::default() },
        },
        "update" => of_write(asked, only(asked, "updates")?, Writes::Update)?,
        "delete" => of_write(asked, only(asked, "deletes")?, Writes::Delete)?,
        "findAndModify" => {
            let removes = asked.get("remove")?.is_some_and(crate::reply::ok::is_true);
            let mut spec =
                rawdoc! { "find": asked.collection()?, "filter": document(asked.get("query")?), "limit": 1 };
            copy(
                asked.body,
                &[("sort", cstr!("sort")), ("hint", cstr!("hint")), ("let", cstr!("let"))],
                &mut spec,
            )?;
            let filter = document(asked.get("query")?);
            let writes = Some(if removes { Writes::Delete } else { Writes::Update });
            let words = Words { writes, ..Words::default() };
            Subject { sql: [&calls::EXPLAIN_FIND, &calls::ANALYZE_FIND], spec, filter, words }
        }
        other => {
            let message = format!("Explain failed due to unknown command: {other}");
            return Err(CommandError::client(codes::COMMAND_NOT_FOUND, message));
        }
    })
}

/// A find of what one statement of update or delete would change.
fn of_write(asked: &Request<'_>, statement: &RawDocument, writes: Writes) -> Result<Subject> {
    let filter = match statement.get("q")? {
        Some(RawBsonRef::Document(filter)) => filter.to_owned(),
        _ => return Err(missing(&format!("{}s", asked.spec.name), "q")),
    };
    let many = match writes {
        Writes::Update => statement.get("multi")?.is_some_and(crate::reply::ok::is_true),
        Writes::Delete => statement.get("limit")?.and_then(super::options::number) == Some(0.0),
    };
    let mut spec = rawdoc! { "find": asked.collection()?, "filter": filter.clone() };
    if !many {
        spec.append(cstr!("limit"), 1);
    }
    copy(statement, &[("hint", cstr!("hint")), ("sort", cstr!("sort"))], &mut spec)?;
    copy(asked.body, &[("let", cstr!("let"))], &mut spec)?;
    let words = Words { writes: Some(writes), ..Words::default() };
    Ok(Subject { sql: [&calls::EXPLAIN_FIND, &calls::ANALYZE_FIND], spec, filter, words })
}

/// What a find does besides finding.
fn words_of_find(asked: &Request<'_>) -> Result<Words> {
    let some = |name: &str| -> Result<bool> {
        Ok(asked.get(name)?.and_then(super::options::number).is_some_and(|number| number != 0.0))
    };
    let projection = match asked.get("projection")? {
        Some(RawBsonRef::Document(shown)) => projection(shown)?,
        _ => None,
    };
    Ok(Words { skips: some("skip")?, limits: some("limit")?, projection, ..Words::default() })
}

/// The stage of a projection: one that only takes or leaves fields of the document itself is a simple one.
fn projection(shown: &RawDocument) -> Result<Option<&'static str>> {
    let mut name = None;
    for element in shown {
        let (field, value) = element?;
        let plain = matches!(value, RawBsonRef::Boolean(_)) || super::options::number(value).is_some();
        let simple = plain && !field.as_str().contains('.') && name != Some("PROJECTION_DEFAULT");
        name = Some(if simple { "PROJECTION_SIMPLE" } else { "PROJECTION_DEFAULT" });
    }
    Ok(name)
}

fn copy(from: &RawDocument, names: &[(&str, &bson::raw::CStr)], to: &mut RawDocumentBuf) -> Result<()> {
    for (name, key) in names {
        if let Some(value) = from.get(name)? {
            to.append(*key, RawBson::from(value));
        }
    }
    Ok(())
}

/// The one statement of a writing command. MongoDB explains no more than one.
fn only<'a>(asked: &Request<'a>, field: &str) -> Result<&'a RawDocument>
where
    Request<'a>: 'a,
{
    let list = match asked.get(field)? {
        Some(RawBsonRef::Array(list)) => list,
        _ => return Err(missing(asked.spec.name, field)),
    };
    let mut statements = list.into_iter();
    match (statements.next().transpose()?, statements.next()) {
        (Some(RawBsonRef::Document(statement)), None) => Ok(statement),
        _ => Err(CommandError::client(codes::INVALID_LENGTH, "explained write batches must be of size 1")),
    }
}

/// The extension wants `cursor` also where MongoDB does without.
fn with_cursor(asked: &Request<'_>) -> Result<RawDocumentBuf> {
    let mut spec = asked.forward.clone().into_owned();
    if asked.get("cursor")?.is_none() {
        spec.append(cstr!("cursor"), RawDocumentBuf::new());
    }
    Ok(spec)
}

/// What MongoDB would push down: the first stage, if it is a `$match`.
fn first_match(asked: &Request<'_>) -> Result<RawDocumentBuf> {
    let Some(RawBsonRef::Array(pipeline)) = asked.get("pipeline")? else {
        return Err(missing("aggregate", "pipeline"));
    };
    let first = pipeline.into_iter().next().transpose()?.and_then(|stage| stage.as_document());
    let filter =
        first.and_then(|stage| stage.get("$match").ok().flatten()).and_then(|filter| filter.as_document());
    Ok(filter.map_or_else(RawDocumentBuf::new, RawDocument::to_owned))
}
