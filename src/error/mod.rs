//! What can go wrong with a command, and the only tables that turn PostgreSQL's errors into MongoDB's.
//!
//! An error here is always a reply; the connection lives on. `message` is written for the client, `source` is
//! for logs only.
mod code;
pub mod codes;
pub mod from_pg;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use bson::RawDocumentBuf;

pub use code::{Code, unpack_sqlstate};

/// The result of everything that a command does.
pub type Result<T> = std::result::Result<T, CommandError>;

/// Whose fault an error is. Sets the log level and the metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The client asked for something wrong.
    Client,
    /// Our own limits or a defect of ours.
    Proxy,
    /// PostgreSQL is away, refuses or failed.
    Postgres,
}

/// Whether the proxy may run the statement once more. Set where the error is born.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The outcome is known, or a second run could do harm.
    Never,
    /// Nothing was sent to PostgreSQL: another node or connection may be tried.
    BeforeSend,
    /// The connection died under the statement: a read may be tried again if the connection was a reused one.
    IfReused,
    /// PostgreSQL rolled the whole statement back because of a conflict: it may run again.
    RolledBack,
}

/// Labels that drivers act on (clients.md 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Refused by our own limits before execution.
    SystemOverloaded,
    /// Any command may be tried again.
    Retryable,
}

impl Label {
    /// The label as drivers know it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SystemOverloaded => "SystemOverloadedError",
            Self::Retryable => "RetryableError",
        }
    }
}

/// An error that becomes the reply `{ok: 0, errmsg, code, codeName}`.
#[derive(Debug)]
pub struct CommandError {
    /// MongoDB's code.
    pub code: Code,
    /// MongoDB's words. Never PostgreSQL's, never a secret.
    pub message: Cow<'static, str>,
    /// Whose fault it is.
    pub owner: Owner,
    /// Whether the statement may run again.
    pub retry: Retry,
    /// `errorLabels`.
    pub labels: &'static [Label],
    /// Fields that MongoDB adds to this error, such as `keyPattern`.
    pub extra: Option<Box<RawDocumentBuf>>,
    /// What lies behind it, for logs only.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl CommandError {
    /// A mistake of the client.
    pub fn client(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code, Owner::Client, message)
    }

    /// A limit or defect of the proxy.
    pub fn proxy(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code, Owner::Proxy, message)
    }

    /// PostgreSQL is away or failed.
    pub fn postgres(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code, Owner::Postgres, message)
    }

    /// An answer of PostgreSQL that the contract of sql-api.md does not allow.
    pub fn unexpected(what: &'static str) -> Self {
        Self::postgres(codes::INTERNAL_ERROR, "The server's storage gave an unexpected answer").because(what)
    }

    fn new(code: Code, owner: Owner, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self { code, message, owner, retry: Retry::Never, labels: &[], extra: None, source: None }
    }

    /// Sets whether the statement may run again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sets the labels.
    #[must_use]
    pub fn labels(mut self, labels: &'static [Label]) -> Self {
        self.labels = labels;
        self
    }

    /// Adds fields to the reply.
    #[must_use]
    pub fn extra(mut self, fields: RawDocumentBuf) -> Self {
        self.extra = Some(Box::new(fields));
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code.0, self.code.name(), self.message)?;
        if let Some(source) = &self.source {
            write!(f, " [{source}]")?;
        }
        Ok(())
    }
}

impl StdError for CommandError {}

impl From<bson::error::Error> for CommandError {
    /// A field of a command or reply that is not what its type byte says.
    fn from(error: bson::error::Error) -> Self {
        Self::client(codes::INVALID_BSON, "The command holds a malformed BSON value").because(error)
    }
}

#[cfg(test)]
mod generated {
    //! `codes.rs` is written from the two tables beside it; run with `ERMINE_BLESS=1` to write it again.
    use std::collections::BTreeMap;
    use std::fmt::Write as _;

    const EXTENSION: &str = include_str!("codes.csv");
    const MONGODB: &str = include_str!("mongodb_codes.csv");
    const GENERATED: &str = include_str!("codes.rs");

    fn constant_name(name: &str) -> String {
        let chars: Vec<char> = name.chars().collect();
        let mut out = String::new();
        for (i, c) in chars.iter().enumerate() {
            let after_lower = i > 0 && (chars[i - 1].is_lowercase() || chars[i - 1].is_ascii_digit());
            let acronym_ends =
                i > 0 && chars[i - 1].is_uppercase() && chars.get(i + 1).is_some_and(|n| n.is_lowercase());
            if c.is_uppercase() && (after_lower || acronym_ends) {
                out.push('_');
            }
            out.push(c.to_ascii_uppercase());
        }
        out
    }

    fn render() -> String {
        let mut names: BTreeMap<i32, &str> = BTreeMap::new();
        let mut states: BTreeMap<&str, i32> = BTreeMap::new();
        for line in EXTENSION.lines().skip(1) {
            let [state, code, name] = line.split(',').collect::<Vec<_>>()[..] else {
                panic!("bad row {line}")
            };
            let code: i32 = code.parse().unwrap();
            assert!(states.insert(state, code).is_none(), "{state} twice");
            if !name.starts_with("Location") {
                names.insert(code, name);
            }
        }
        // MongoDB's own names win where the extension calls a code differently.
        for line in MONGODB.lines().skip(1) {
            let (code, name) = line.split_once(',').unwrap();
            names.insert(code.parse().unwrap(), name);
        }
        let mut out = String::from(
            "//! MongoDB's error codes. Generated from `codes.csv` and `mongodb_codes.csv`; a test guards it.\nuse super::Code;\n\n",
        );
        for (code, name) in &names {
            writeln!(out, "/// {name}.\npub const {}: Code = Code({code});", constant_name(name)).unwrap();
        }
        out.push_str(
            "\n/// Code and name, sorted by code. Codes that are absent are called `LocationNNNNN`.\n",
        );
        out.push_str("#[rustfmt::skip]\npub const NAMES: &[(i32, &str)] = &[\n");
        for (code, name) in &names {
            writeln!(out, "    ({code}, \"{name}\"),").unwrap();
        }
        out.push_str("];\n\n/// The extension's own SQLSTATEs, sorted, with the code each one means.\n");
        out.push_str("#[rustfmt::skip]\npub const SQLSTATES: &[(&str, i32)] = &[\n");
        for (state, code) in &states {
            writeln!(out, "    (\"{state}\", {code}),").unwrap();
        }
        out.push_str("];\n");
        out
    }

    #[test]
    fn codes_rs_is_up_to_date() {
        let want = render();
        if std::env::var_os("ERMINE_BLESS").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/error/codes.rs"), &want).unwrap();
            return;
        }
        assert!(GENERATED == want, "run: ERMINE_BLESS=1 cargo test -p ermine codes_rs");
    }
}
