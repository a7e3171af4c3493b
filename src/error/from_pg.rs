//! The map from PostgreSQL's SQLSTATEs to MongoDB's errors.
//!
//! States of class `M` are raised by the extension with messages written for MongoDB clients, so those pass.
//! Every other message is PostgreSQL's own and is replaced by MongoDB's words (sql-api.md 4, clients.md 4.4).
use std::borrow::Cow;

use bson::{RawDocumentBuf, rawdoc};
use tokio_postgres::error::DbError;

use super::{Code, CommandError, Label, Owner, Retry, codes};

/// One of PostgreSQL's own states and what a client is told.
struct Native {
    state: &'static str,
    code: Code,
    message: &'static str,
    owner: Owner,
    retry: Retry,
}

const fn native(
    state: &'static str,
    code: Code,
    owner: Owner,
    retry: Retry,
    message: &'static str,
) -> Native {
    Native { state, code, message, owner, retry }
}

/// What a lost race is called; MongoDB's words.
const WRITE_CONFLICT: &str = "WriteConflict error: this operation conflicted with another operation. Please retry your operation or \
     multi-document transaction.";
const DUPLICATE: &str = "E11000 duplicate key error";
const INTERNAL: &str = "An internal error occurred while the command ran";
/// The node takes no writes.
pub const NOT_PRIMARY: &str = "not primary";
/// The same for clients that do not know `hello`; old drivers look for these words.
const NOT_MASTER: &str = "not master";
const STEPPED_DOWN: &str = "operation was interrupted";
/// The user's role lacks a right, or there is no such role any more. Told in better words where the command is known.
pub const DENIED: &str = "not authorized to execute this command on the storage";
const BAD_VALUE: &str = "A value of the command is out of the range that can be stored or computed";

/// PostgreSQL's states that mean more than an internal error, sorted.
const NATIVE: &[Native] = &[
    native(
        "08000",
        codes::HOST_UNREACHABLE,
        Owner::Postgres,
        Retry::IfReused,
        "connection to the storage lost",
    ),
    native(
        "08003",
        codes::HOST_UNREACHABLE,
        Owner::Postgres,
        Retry::IfReused,
        "connection to the storage lost",
    ),
    native(
        "08006",
        codes::HOST_UNREACHABLE,
        Owner::Postgres,
        Retry::IfReused,
        "connection to the storage lost",
    ),
    native(
        "0A000",
        codes::COMMAND_NOT_SUPPORTED,
        Owner::Client,
        Retry::Never,
        "The command or one of its options is not supported",
    ),
    native("21000", codes::INTERNAL_ERROR, Owner::Postgres, Retry::Never, INTERNAL),
    native("22003", codes::BAD_VALUE, Owner::Client, Retry::Never, BAD_VALUE),
    native("22016", codes::BAD_VALUE, Owner::Client, Retry::Never, BAD_VALUE),
    native(
        "22021",
        codes::BAD_VALUE,
        Owner::Client,
        Retry::Never,
        "A string of the command is not valid UTF-8",
    ),
    native("22023", codes::BAD_VALUE, Owner::Client, Retry::Never, BAD_VALUE),
    native("22P02", codes::BAD_VALUE, Owner::Client, Retry::Never, BAD_VALUE),
    native("23505", codes::DUPLICATE_KEY, Owner::Client, Retry::Never, DUPLICATE),
    native("23P01", codes::DUPLICATE_KEY, Owner::Client, Retry::Never, DUPLICATE),
    native("25006", codes::NOT_WRITABLE_PRIMARY, Owner::Postgres, Retry::Never, NOT_PRIMARY),
    native("25P02", codes::NO_SUCH_TRANSACTION, Owner::Client, Retry::Never, "Transaction has been aborted."),
    native(
        "28000",
        codes::HOST_UNREACHABLE,
        Owner::Postgres,
        Retry::BeforeSend,
        "login to the storage failed",
    ),
    native(
        "28P01",
        codes::HOST_UNREACHABLE,
        Owner::Postgres,
        Retry::BeforeSend,
        "login to the storage failed",
    ),
    native(
        "3D000",
        codes::HOST_UNREACHABLE,
        Owner::Postgres,
        Retry::BeforeSend,
        "the storage has no such database",
    ),
    native(
        "3F000",
        codes::COMMAND_NOT_SUPPORTED,
        Owner::Postgres,
        Retry::Never,
        "The DocumentDB extension is not installed in the storage's database",
    ),
    native("40001", codes::WRITE_CONFLICT, Owner::Postgres, Retry::RolledBack, WRITE_CONFLICT),
    native("40P01", codes::WRITE_CONFLICT, Owner::Postgres, Retry::RolledBack, WRITE_CONFLICT),
    native("42501", codes::UNAUTHORIZED, Owner::Client, Retry::Never, DENIED),
    // Users are roles: these are the only objects that the surface creates and drops by name.
    native("42704", codes::USER_NOT_FOUND, Owner::Client, Retry::Never, "User not found"),
    native("42710", Code(51003), Owner::Client, Retry::Never, "User already exists"),
    native(
        "42883",
        codes::COMMAND_NOT_SUPPORTED,
        Owner::Postgres,
        Retry::Never,
        "The installed storage extension does not offer this command",
    ),
    // A collection that was dropped while the statement waited for it: the next look finds none, as MongoDB's would.
    native("42P01", codes::NAMESPACE_NOT_FOUND, Owner::Client, Retry::RolledBack, "ns not found"),
    native(
        "53100",
        codes::OUT_OF_DISK_SPACE,
        Owner::Postgres,
        Retry::Never,
        "The storage is out of disk space",
    ),
    native(
        "53200",
        codes::EXCEEDED_MEMORY_LIMIT,
        Owner::Postgres,
        Retry::Never,
        "The storage is out of memory",
    ),
    native(
        "53300",
        codes::INGRESS_REQUEST_RATE_LIMIT_EXCEEDED,
        Owner::Postgres,
        Retry::BeforeSend,
        "The storage has no free connection",
    ),
    native(
        "54000",
        codes::EXCEEDED_MEMORY_LIMIT,
        Owner::Client,
        Retry::Never,
        "The command exceeds a limit of the storage",
    ),
    native(
        "54001",
        codes::OVERFLOW,
        Owner::Client,
        Retry::Never,
        "The command is nested more deeply than the storage allows",
    ),
    // The only thing with columns that a client can ask for is an index.
    native("54011", Code(13103), Owner::Client, Retry::Never, "too many compound keys"),
    native(
        "55000",
        codes::INVALID_OPTIONS,
        Owner::Client,
        Retry::Never,
        "The command is not possible in the present state of its object",
    ),
    native("55006", codes::LOCK_BUSY, Owner::Postgres, Retry::RolledBack, "The object is in use"),
    native("55P03", codes::WRITE_CONFLICT, Owner::Postgres, Retry::RolledBack, WRITE_CONFLICT),
    native("57014", codes::MAX_TIME_MS_EXPIRED, Owner::Client, Retry::Never, "operation exceeded time limit"),
    native(
        "57P01",
        codes::INTERRUPTED_DUE_TO_REPL_STATE_CHANGE,
        Owner::Postgres,
        Retry::IfReused,
        STEPPED_DOWN,
    ),
    native(
        "57P02",
        codes::INTERRUPTED_DUE_TO_REPL_STATE_CHANGE,
        Owner::Postgres,
        Retry::IfReused,
        STEPPED_DOWN,
    ),
    native(
        "57P03",
        codes::NOT_PRIMARY_OR_SECONDARY,
        Owner::Postgres,
        Retry::BeforeSend,
        "node is recovering",
    ),
];

/// The error as a client is told that never said it knows `hello` (clients.md 1.2).
pub fn in_old_words(error: CommandError) -> CommandError {
    if error.code == codes::NOT_WRITABLE_PRIMARY {
        return CommandError { message: NOT_MASTER.into(), ..error };
    }
    error
}

/// Labels of a refusal that any driver may repeat (clients.md 4.2).
pub const OVERLOADED: &[Label] = &[Label::SystemOverloaded, Label::Retryable];

/// The error that a SQLSTATE with its message stands for; also used for the codes inside successful replies.
pub fn sqlstate(state: &str, message: &str) -> CommandError {
    if state.starts_with('M') {
        return extension(state, message);
    }
    let Some(row) = NATIVE.binary_search_by(|row| row.state.cmp(state)).ok().and_then(|at| NATIVE.get(at))
    else {
        return CommandError::postgres(codes::INTERNAL_ERROR, INTERNAL)
            .because(format!("{state}: {message}"));
    };
    let error = CommandError { owner: row.owner, ..CommandError::client(row.code, row.message) };
    let labels = if row.state == "53300" { OVERLOADED } else { &[] };
    error.retry(row.retry).labels(labels).because(format!("{state}: {message}"))
}

/// PostgreSQL refuses what the user wants.
pub fn denied() -> CommandError {
    CommandError::client(codes::UNAUTHORIZED, DENIED)
}

/// A write lost against another operation, and did nothing.
pub fn conflict() -> CommandError {
    CommandError::postgres(codes::WRITE_CONFLICT, WRITE_CONFLICT).retry(Retry::RolledBack)
}

/// An error raised by PostgreSQL.
pub fn db_error(error: &DbError) -> CommandError {
    let mapped = sqlstate(error.code().code(), error.message());
    if let Some(info) = info(error.code().code(), error.detail()) {
        return mapped.extra(rawdoc! { "errInfo": info });
    }
    match error.detail().or(error.hint()) {
        Some(more) if mapped.source.is_some() => {
            let state = error.code().code();
            mapped.because(format!("{state}: {} ({more})", error.message()))
        }
        _ => mapped,
    }
}

/// What an error of the extension adds as `errInfo`: a document in its text form as the detail.
fn info(state: &str, detail: Option<&str>) -> Option<RawDocumentBuf> {
    let digits = detail.filter(|_| state.starts_with('M'))?.strip_prefix("BSONHEX")?.as_bytes();
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let bytes = digits.chunks(2).map(|pair| match pair {
        &[high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    RawDocumentBuf::from_bytes(bytes.collect::<Option<Vec<u8>>>()?).ok()
}

/// The connection ended under a statement: its outcome is unknown.
pub fn connection_lost(error: tokio_postgres::Error) -> CommandError {
    outcome_unknown().because(error)
}

/// Nobody knows whether PostgreSQL did what it was sent.
pub fn outcome_unknown() -> CommandError {
    CommandError::postgres(codes::INTERRUPTED_DUE_TO_REPL_STATE_CHANGE, STEPPED_DOWN).retry(Retry::IfReused)
}

/// An error of the extension's own class.
fn extension(state: &str, message: &str) -> CommandError {
    let code = match state {
        // Raised with PostgreSQL's number as code; MongoDB calls it Unauthorized.
        "M00E7" => codes::UNAUTHORIZED,
        "M00E8" => codes::NOT_WRITABLE_PRIMARY,
        // A newer extension may know states that this table does not.
        _ => Code::of_extension_state(state).unwrap_or(codes::UNKNOWN_ERROR),
    };
    let owner = if code == codes::INTERNAL_ERROR { Owner::Postgres } else { Owner::Client };
    CommandError { owner, ..CommandError::client(code, clean(code, message)) }
}

/// Messages that name the SQL surface are not for clients: a shell that reads them calls the server by that name.
fn clean(code: Code, message: &str) -> Cow<'static, str> {
    const INNER_NAMES: [&str; 4] = ["documentdb_api", "documentdb_core", "documentdb_data", "pg_catalog"];
    if INNER_NAMES.iter().any(|name| message.contains(name)) || message.is_empty() {
        return Cow::Owned(format!("The command failed: {}", code.name()));
    }
    Cow::Owned(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(NATIVE.windows(2).all(|w| w[0].state < w[1].state));
    }

    #[test]
    fn every_row() {
        for (state, code) in [
            ("M0001", 2),
            ("M000E", 43),
            ("M00E7", 13),
            ("M00E8", 10107),
            ("MZZZZ", 8),
            ("0A000", 115),
            ("22003", 2),
            ("23505", 11000),
            ("23P01", 11000),
            ("25006", 10107),
            ("40001", 112),
            ("40P01", 112),
            ("55P03", 112),
            ("42501", 13),
            ("42704", 11),
            ("42710", 51003),
            ("42883", 115),
            ("42P01", 26),
            ("53100", 14031),
            ("53300", 462),
            ("54011", 13103),
            ("57014", 50),
            ("57P01", 11602),
            ("57P03", 13436),
            ("XX000", 1),
            ("99999", 1),
        ] {
            assert_eq!(sqlstate(state, "text").code, Code(code), "{state}");
        }
    }

    #[test]
    fn only_the_extensions_words_pass() {
        assert_eq!(sqlstate("M0001", "limit value must be positive").message, "limit value must be positive");
        assert!(!sqlstate("M0001", "function documentdb_api.x failed").message.contains("documentdb"));
        for row in NATIVE {
            let error = sqlstate(row.state, "relation \"documents_7\" secret");
            assert!(!error.message.contains("secret"), "{}", row.state);
        }
        assert!(!sqlstate("XX000", "secret").message.contains("secret"));
    }

    #[test]
    fn documents_travel_in_the_detail() {
        let document = rawdoc! { "failingDocumentId": 1 };
        let digits: String = document.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("BSONHEX{digits}");
        assert_eq!(info("M00CO", Some(&text)), Some(document));
        for (state, detail) in [
            ("23505", Some(text.as_str())),
            ("M00CO", None),
            ("M00CO", Some("BSONHEX05")),
            ("M00CO", Some("x")),
        ] {
            assert_eq!(info(state, detail), None, "{state} {detail:?}");
        }
    }

    #[test]
    fn a_write_that_may_have_happened_is_never_sent_again() {
        assert_eq!(sqlstate("25006", "").retry, Retry::Never);
        assert_eq!(sqlstate("57P01", "").retry, Retry::IfReused);
        assert_eq!(sqlstate("40P01", "").retry, Retry::RolledBack);
        assert_eq!(sqlstate("42P01", "").retry, Retry::RolledBack);
    }
}
