//! The fields that every command may carry, and what is checked of them: sessions, concerns, API version.
//!
//! The rules are those of a standalone server (clients.md 3).
use bson::RawDocument;
use bson::raw::RawBsonRef;
use bson::spec::{BinarySubtype, ElementType};

use super::request::Request;
use super::spec::{Opt, ignored, pass, used};
use crate::error::{CommandError, Result, codes};
use crate::session::cursor::SessionId;

/// Fields of any command.
pub static COMMON: &[Opt] = &[
    used("$db"),
    used("lsid"),
    used("$readPreference"),
    used("maxTimeMS"),
    used("readConcern"),
    used("writeConcern"),
    used("txnNumber"),
    used("autocommit"),
    used("startTransaction"),
    used("apiVersion"),
    used("apiStrict"),
    used("apiDeprecationErrors"),
    pass("comment"),
    ignored("$clusterTime", "a standalone server has no cluster time"),
    ignored("$queryOptions", "sent by old shells beside the read preference"),
    ignored("maxTimeMSOpOnly", "only servers send it to one another"),
    ignored("$client", "only routers send it"),
    ignored("$audit", "only routers send it"),
    ignored("$configServerState", "only routers send it"),
    ignored("clientOperationKey", "only routers send it"),
    ignored("mayBypassWriteBlocking", "only servers send it to one another"),
];

/// The fields of [`COMMON`] that have a meaning to the proxy, as they were sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Common<'a> {
    /// `$db`.
    pub db: Option<RawBsonRef<'a>>,
    /// `lsid`.
    pub lsid: Option<RawBsonRef<'a>>,
    /// `$readPreference`.
    pub read_preference: Option<RawBsonRef<'a>>,
    /// `maxTimeMS`.
    pub max_time_ms: Option<RawBsonRef<'a>>,
    /// `readConcern`.
    pub read_concern: Option<RawBsonRef<'a>>,
    /// `writeConcern`.
    pub write_concern: Option<RawBsonRef<'a>>,
    /// `txnNumber`.
    pub txn_number: Option<RawBsonRef<'a>>,
    /// `autocommit`.
    pub autocommit: Option<RawBsonRef<'a>>,
    /// `startTransaction`.
    pub start_transaction: Option<RawBsonRef<'a>>,
    /// `apiVersion`.
    pub api_version: Option<RawBsonRef<'a>>,
    /// `apiStrict`.
    pub api_strict: Option<RawBsonRef<'a>>,
    /// `apiDeprecationErrors`.
    pub api_deprecation_errors: Option<RawBsonRef<'a>>,
}

impl<'a> Common<'a> {
    /// Keeps the value if the proxy acts on the field.
    pub(super) fn set(&mut self, name: &str, value: RawBsonRef<'a>) {
        let slot = match name {
            "$db" => &mut self.db,
            "lsid" => &mut self.lsid,
            "$readPreference" => &mut self.read_preference,
            "maxTimeMS" => &mut self.max_time_ms,
            "readConcern" => &mut self.read_concern,
            "writeConcern" => &mut self.write_concern,
            "txnNumber" => &mut self.txn_number,
            "autocommit" => &mut self.autocommit,
            "startTransaction" => &mut self.start_transaction,
            "apiVersion" => &mut self.api_version,
            "apiStrict" => &mut self.api_strict,
            "apiDeprecationErrors" => &mut self.api_deprecation_errors,
            _ => return,
        };
        *slot = Some(value);
    }

    /// The session's id.
    ///
    /// # Errors
    /// 14, 207 or 40414 for anything but `{id: UUID}`.
    pub fn session_id(&self) -> Result<Option<SessionId>> {
        match self.lsid {
            None => Ok(None),
            Some(RawBsonRef::Document(lsid)) => session_id(lsid).map(Some),
            Some(other) => Err(wrong_type("OperationSessionInfo.lsid", other, "object")),
        }
    }

    /// `maxTimeMS` in milliseconds; None for no limit.
    ///
    /// # Errors
    /// 2 for anything but a whole number in range.
    pub fn max_time(&self) -> Result<Option<u32>> {
        let bad = |message: String| Err(CommandError::client(codes::BAD_VALUE, message));
        let value = match self.max_time_ms {
            None => return Ok(None),
            Some(RawBsonRef::Int32(value)) => i64::from(value),
            Some(RawBsonRef::Int64(value)) => value,
            Some(RawBsonRef::Double(value)) if value.fract() != 0.0 => {
                return bad("maxTimeMS has non-integral value".to_owned());
            }
            #[expect(
                clippy::cast_possible_truncation,
                reason = "as saturates, and the range is checked below"
            )]
            Some(RawBsonRef::Double(value)) => value as i64,
            Some(RawBsonRef::Decimal128(value)) => match value.to_string().parse() {
                Ok(value) => value,
                Err(_) => return bad("maxTimeMS has non-integral value".to_owned()),
            },
            Some(_) => return bad("maxTimeMS must be a number".to_owned()),
        };
        match i32::try_from(value).ok().and_then(|value| u32::try_from(value).ok()) {
            Some(0) => Ok(None),
            Some(value) => Ok(Some(value)),
            None => bad(format!("{value} value for maxTimeMS is out of range [0, 2147483647]")),
        }
    }

    /// Checks what a standalone server refuses: transactions, and concerns that need a replica set.
    ///
    /// # Errors
    /// 20, 72, 123, 2 or 9 in MongoDB's words.
    pub fn check(&self, request: &Request<'_>) -> Result<()> {
        self.check_api(request)?;
        self.check_transaction()?;
        self.check_read_concern()?;
        self.check_write_concern()
    }

    fn check_transaction(&self) -> Result<()> {
        let invalid = |message| Err(CommandError::client(codes::INVALID_OPTIONS, message));
        if self.txn_number.is_some() {
            if self.lsid.is_none() {
                return invalid("Transaction number requires a session ID to also be specified");
            }
            return Err(CommandError::client(
                codes::ILLEGAL_OPERATION,
                "Transaction numbers are only allowed on a replica set member or mongos",
            ));
        }
        if self.autocommit.is_some() {
            return invalid("'autocommit' field requires a transaction number to also be specified");
        }
        if self.start_transaction.is_some() {
            return invalid("'startTransaction' field requires a transaction number to also be specified");
        }
        Ok(())
    }

    fn check_read_concern(&self) -> Result<()> {
        let concern = match self.read_concern {
            None => return Ok(()),
            Some(RawBsonRef::Document(concern)) => concern,
            Some(other) => return Err(wrong_type("readConcern", other, "object")),
        };
        for element in concern {
            let (key, value) = element?;
            match key.as_str() {
                "level" => check_level(value)?,
                "afterClusterTime" | "atClusterTime" => {
                    return Err(CommandError::client(
                        codes::ILLEGAL_OPERATION,
                        format!("Cannot specify {} readConcern without replication enabled", key.as_str()),
                    ));
                }
                "provenance" => {}
                other => return Err(unknown_field("readConcern", other)),
            }
        }
        Ok(())
    }

    fn check_write_concern(&self) -> Result<()> {
        let concern = match self.write_concern {
            None => return Ok(()),
            Some(RawBsonRef::Document(concern)) => concern,
            Some(other) => return Err(wrong_type("writeConcern", other, "object")),
        };
        let parse = |message: &'static str| Err(CommandError::client(codes::FAILED_TO_PARSE, message));
        let (mut journal, mut fsync) = (false, false);
        for element in concern {
            let (key, value) = element?;
            match key.as_str() {
                "w" => check_w(value)?,
                "j" => journal = flag(value, "j must be numeric or a boolean value")?,
                "fsync" => fsync = flag(value, "fsync must be numeric or a boolean value")?,
                "wtimeout" if number(value).is_none() => return parse("wtimeout must be a number"),
                // `getLastError` is what old drivers put first.
                "wtimeout" | "provenance" | "getLastError" => {}
                other => return Err(unknown_field("writeConcern", other)),
            }
        }
        if journal && fsync {
            return parse("fsync and j options cannot be used together");
        }
        Ok(())
    }

    /// True for `w: 0`: the client does not want to know.
    pub fn unacknowledged(&self) -> bool {
        let concern = self.write_concern.and_then(|concern| concern.as_document());
        let w = concern.and_then(|concern| concern.get("w").ok().flatten());
        w.and_then(number) == Some(0.0)
    }

    fn check_api(&self, request: &Request<'_>) -> Result<()> {
        let error = |message: &'static str| Err(CommandError::client(codes::API_VERSION_ERROR, message));
        match self.api_version {
            None if self.api_strict.is_some() || self.api_deprecation_errors.is_some() => {
                error("Provided apiStrict and/or apiDeprecationErrors without passing apiVersion")
            }
            None => Ok(()),
            Some(RawBsonRef::String("1")) => {
                let strict = self.api_strict.is_some_and(crate::reply::ok::is_true);
                if strict && !request.spec.api_v1 {
                    let message = format!(
                        "Provided apiStrict:true, but the command {} is not in API Version 1. Information on \
                         supported commands and migrations in API Version 1 can be found at \
                         https://dochub.mongodb.org/core/manual-versioned-api",
                        request.spec.name
                    );
                    return Err(CommandError::client(codes::API_STRICT_ERROR, message));
                }
                Ok(())
            }
            Some(RawBsonRef::String(_)) => error("API version must be \"1\""),
            Some(other) => Err(wrong_type("apiVersion", other, "string")),
        }
    }
}

fn check_level(level: RawBsonRef<'_>) -> Result<()> {
    let RawBsonRef::String(level) = level else {
        return Err(wrong_type("readConcern.level", level, "string"));
    };
    match level {
        "local" | "available" | "majority" => Ok(()),
        "linearizable" | "snapshot" => Err(CommandError::client(
            codes::NOT_A_REPLICA_SET,
            "node needs to be a replica set member to use read concern",
        )),
        other => Err(CommandError::client(
            codes::BAD_VALUE,
            format!("Enumeration value '{other}' for field 'readConcern.level' is not a valid value."),
        )),
    }
}

fn check_w(w: RawBsonRef<'_>) -> Result<()> {
    let bad = |message: String| Err(CommandError::client(codes::BAD_VALUE, message));
    match w {
        RawBsonRef::String("majority" | "") => Ok(()),
        RawBsonRef::String(mode) => bad(format!(
            "cannot use non-majority 'w' mode {mode} when a host is not a member of a replica set"
        )),
        RawBsonRef::Document(_) => {
            bad("cannot use tag-based 'w' when a host is not a member of a replica set".to_owned())
        }
        other => match number(other) {
            Some(nodes) if !(0.0..=50.0).contains(&nodes) => Err(CommandError::client(
                codes::FAILED_TO_PARSE,
                "w has to be a non-negative number and not greater than 50",
            )),
            Some(nodes) if nodes > 1.0 => bad("cannot use 'w' > 1 when a host is not replicated".to_owned()),
            Some(_) => Ok(()),
            None => {
                Err(CommandError::client(codes::FAILED_TO_PARSE, "w has to be a number, string, or object"))
            }
        },
    }
}

/// `{id: UUID}` and nothing that is unknown.
///
/// # Errors
/// 40414 without id, 207 for an id that is no UUID, 40415 for another field.
pub fn session_id(lsid: &RawDocument) -> Result<SessionId> {
    let mut id = None;
    for element in lsid {
        let (key, value) = element?;
        match (key.as_str(), value) {
            ("id", RawBsonRef::Binary(uuid)) if uuid.subtype == BinarySubtype::Uuid => {
                id = Some(SessionId::try_from(uuid.bytes).map_err(|_| {
                    CommandError::client(
                        codes::INVALID_UUID,
                        "uuid must be a 16-byte binary field with UUID (4) subtype",
                    )
                })?);
            }
            ("id", other) => return Err(wrong_type("OperationSessionInfo.lsid.id", other, "binData")),
            // The digest of the user, which only servers send.
            ("uid" | "txnNumber" | "txnUUID", _) => {}
            (other, _) => return Err(unknown_field("OperationSessionInfo.lsid", other)),
        }
    }
    id.ok_or_else(|| missing("OperationSessionInfo.lsid", "id"))
}

fn flag(value: RawBsonRef<'_>, otherwise: &'static str) -> Result<bool> {
    match value {
        RawBsonRef::Boolean(value) => Ok(value),
        other => number(other)
            .map(|number| number != 0.0)
            .ok_or_else(|| CommandError::client(codes::FAILED_TO_PARSE, otherwise)),
    }
}

/// The value of any numeric type, as far as a double holds it.
#[expect(clippy::cast_precision_loss, reason = "used for small settings and comparisons only")]
pub fn number(value: RawBsonRef<'_>) -> Option<f64> {
    match value {
        RawBsonRef::Int32(value) => Some(f64::from(value)),
        RawBsonRef::Int64(value) => Some(value as f64),
        RawBsonRef::Double(value) => Some(value),
        RawBsonRef::Decimal128(value) => value.to_string().parse().ok(),
        _ => None,
    }
}

/// 14 in MongoDB's words.
pub fn wrong_type(field: &str, value: RawBsonRef<'_>, expected: &str) -> CommandError {
    let message = format!(
        "BSON field '{field}' is the wrong type '{}', expected type '{expected}'",
        type_name(value.element_type())
    );
    CommandError::client(codes::TYPE_MISMATCH, message)
}

/// 14 in MongoDB's words for what is no number; the place of the last quote is MongoDB's.
pub fn not_a_number(field: &str, value: RawBsonRef<'_>) -> CommandError {
    let message = format!(
        "BSON field '{field}' is the wrong type '{}', expected types '[long, int, decimal, double']",
        type_name(value.element_type())
    );
    CommandError::client(codes::TYPE_MISMATCH, message)
}

/// 40415 in MongoDB's words.
pub fn unknown_field(of: &str, field: &str) -> CommandError {
    CommandError::client(crate::error::Code(40415), format!("BSON field '{of}.{field}' is an unknown field."))
}

/// 40414 in MongoDB's words.
pub fn missing(of: &str, field: &str) -> CommandError {
    let message = format!("BSON field '{of}.{field}' is missing but a required field");
    CommandError::client(crate::error::Code(40414), message)
}

/// MongoDB's name of a BSON type.
pub fn type_name(kind: ElementType) -> &'static str {
    match kind {
        ElementType::Double => "double",
        ElementType::String => "string",
        ElementType::EmbeddedDocument => "object",
        ElementType::Array => "array",
        ElementType::Binary => "binData",
        ElementType::Undefined => "undefined",
        ElementType::ObjectId => "objectId",
        ElementType::Boolean => "bool",
        ElementType::DateTime => "date",
        ElementType::Null => "null",
        ElementType::RegularExpression => "regex",
        ElementType::DbPointer => "dbPointer",
        ElementType::JavaScriptCode => "javascript",
        ElementType::Symbol => "symbol",
        ElementType::JavaScriptCodeWithScope => "javascriptWithScope",
        ElementType::Int32 => "int",
        ElementType::Timestamp => "timestamp",
        ElementType::Int64 => "long",
        ElementType::Decimal128 => "decimal",
        ElementType::MinKey => "minKey",
        ElementType::MaxKey => "maxKey",
    }
}
