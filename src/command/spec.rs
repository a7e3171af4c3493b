//! The types of the command table.
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bson::raw::RawBsonRef;

use super::Call;
use super::request::Request;
use crate::error::{Code, Result};
use crate::reply::Reply;
use crate::sql::SqlCall;

/// One command: everything that differs between commands, in one place.
#[derive(Debug)]
pub struct Command {
    /// Its name as MongoDB writes it.
    pub name: &'static str,
    /// Other names it answers to.
    pub aliases: &'static [&'static str],
    /// Where it may run.
    pub kind: Kind,
    /// Makes a reading command a writing one, depending on the request.
    pub writes_if: Option<fn(&Request<'_>) -> bool>,
    /// Who may run it.
    pub auth: Auth,
    /// What its first field names.
    pub target: Target,
    /// It runs on the database `admin` only.
    pub admin_only: bool,
    /// It belongs to version 1 of the stable API.
    pub api_v1: bool,
    /// The array fields that can also come as document sequences; the first is the long one.
    pub sequences: &'static [&'static str],
    /// What runs it.
    pub run: Run,
    /// What it makes of each of its fields. A field in none of the lists is unknown.
    pub options: &'static [&'static [Opt]],
    /// One sentence for `listCommands` and the README.
    pub help: &'static str,
}

impl Command {
    /// The array field that may be long.
    pub fn batch(&self) -> Option<&'static str> {
        self.sequences.first().copied()
    }
}

/// Where a command may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reads data: a standby will do.
    Read,
    /// Writes documents: primary only.
    Write,
    /// Changes collections, indexes or users: primary only.
    Admin,
    /// Asks PostgreSQL, but any node will do, or the session knows which one.
    Any,
    /// Does not need PostgreSQL.
    Local,
}

impl Kind {
    /// The word in the README's table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "administration",
            Self::Any => "session",
            Self::Local => "local",
        }
    }
}

/// What the value of a command's first field has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The name of a collection.
    Collection,
    /// The name of a collection, or 1 for the whole database.
    CollectionOrDatabase,
    /// Whatever the command makes of it.
    Any,
}

/// Who may run a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Everybody, also before the login.
    Open,
    /// Who has logged in, as far as the kind of the command goes with its roles.
    Required,
    /// Administrators, although nothing is written: it concerns what others do.
    Admin,
}

/// The future of a command's run.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<Reply>> + Send + 'a>>;

/// What runs a command.
#[derive(Clone, Copy)]
pub enum Run {
    /// Answers without PostgreSQL and without waiting.
    Local(fn(Call<'_>) -> Result<Reply>),
    /// One SQL function of database and command that answers with the reply.
    Sql(&'static SqlCall),
    /// One SQL function that answers with the first page of a cursor.
    Cursor(&'static SqlCall),
    /// Anything else.
    Flow(for<'a> fn(Call<'a>) -> Running<'a>),
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(_) => f.write_str("Local"),
            Self::Sql(call) => write!(f, "Sql({})", call.name),
            Self::Cursor(call) => write!(f, "Cursor({})", call.name),
            Self::Flow(_) => f.write_str("Flow"),
        }
    }
}

/// One field of a command.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// Its name; `*` stands for every field that is not named.
    pub name: &'static str,
    /// What happens to it.
    pub policy: Policy,
}

/// What happens to a field of a command. Nothing is dropped in silence.
#[derive(Debug, Clone, Copy)]
pub enum Policy {
    /// It stays in the command; the extension decides.
    Pass,
    /// It stays in the command, and the proxy takes note of it.
    Noted,
    /// The proxy acts on it.
    Used,
    /// It has no effect here, for this reason.
    Ignored(&'static str),
    /// Not supported: the command is refused.
    Rejected,
    /// Refused unless it has the value that means the same as its absence.
    RejectedUnless(Harmless),
    /// As `RejectedUnless`, with an error that MongoDB has for it.
    RefusedUnless(Harmless, Code, &'static str),
}

/// Fields that the extension reads over in every command, sorted (sql-api.md 0).
pub static TOLERATED: &[&str] = &[
    "$clusterTime",
    "$db",
    "$readPreference",
    "$sort",
    "allowDiskUse",
    "allowPartialResults",
    "apiDeprecationErrors",
    "apiStrict",
    "apiVersion",
    "autocommit",
    "awaitData",
    "batch_size",
    "bypassDocumentValidation",
    "bypassEmptyTsReplacement",
    "collation",
    "collstats",
    "comment",
    "commitQuorum",
    "db",
    "dbstats",
    "flags",
    "indexDetails",
    "let",
    "lsid",
    "maxTimeMS",
    "noCursorTimeout",
    "oplogReplay",
    "options",
    "p5date",
    "pipeline",
    "projection",
    "readConcern",
    "readPreference",
    "returnKey",
    "showRecordId",
    "snapshot",
    "startTransaction",
    "stmtId",
    "storageEngine",
    "symbol",
    "tailable",
    "timeseries",
    "txnNumber",
    "validationAction",
    "validationLevel",
    "validator",
    "viewOn",
    "writeConcern",
];

/// The value at which an unsupported field asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harmless {
    /// `false` (or 0).
    False,
    /// `true` (or any number but 0).
    True,
    /// An empty document.
    Empty,
}

impl Harmless {
    /// True if the value asks for nothing; null never does.
    pub fn covers(self, value: RawBsonRef<'_>) -> bool {
        if value == RawBsonRef::Null {
            return true;
        }
        match self {
            Self::False => {
                matches!(value, RawBsonRef::Boolean(false) | RawBsonRef::Int32(0) | RawBsonRef::Int64(0))
                    || matches!(value, RawBsonRef::Double(number) if number == 0.0)
            }
            Self::True => crate::reply::ok::is_true(value),
            Self::Empty => value.as_document().is_some_and(bson::RawDocument::is_empty),
        }
    }

    /// For the README's table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::False => "false",
            Self::True => "true",
            Self::Empty => "{}",
        }
    }
}

/// A field that stays in the command.
pub const fn pass(name: &'static str) -> Opt {
    Opt { name, policy: Policy::Pass }
}

/// A field that stays in the command and that the proxy has to know of.
pub const fn noted(name: &'static str) -> Opt {
    Opt { name, policy: Policy::Noted }
}

/// A field that the proxy acts on.
pub const fn used(name: &'static str) -> Opt {
    Opt { name, policy: Policy::Used }
}

/// A field without effect here.
pub const fn ignored(name: &'static str, why: &'static str) -> Opt {
    Opt { name, policy: Policy::Ignored(why) }
}

/// A field that is not supported.
pub const fn rejected(name: &'static str) -> Opt {
    Opt { name, policy: Policy::Rejected }
}

/// A field that is not supported beyond its default.
pub const fn unless(name: &'static str, harmless: Harmless) -> Opt {
    Opt { name, policy: Policy::RejectedUnless(harmless) }
}
