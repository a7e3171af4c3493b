//! From a frame to a request: one pass over the command's top-level fields, nothing copied.
mod wishes;

use std::borrow::Cow;

use bson::raw::RawBsonRef;
use bson::{RawDocument, RawDocumentBuf};
use bytes::Bytes;
use tokio::time::{Duration, Instant};

use super::options::{COMMON, Common, missing, number, type_name, unknown_field, wrong_type};
use super::spec::{Command, Harmless, Kind, Policy, TOLERATED, Target};
use super::{refused as refusals, registry};
use crate::error::{Code, CommandError, Result, codes};
use crate::session::cursor::SessionId;
use crate::sql::Budget;
use crate::wire::{Frame, Op, Sequence};
pub use wishes::{Tail, Wishes};

/// Longer names cannot be stored.
const MAX_DATABASE_NAME: usize = 63;

/// A command as it was understood. Borrows the frame.
#[derive(Debug)]
pub struct Request<'a> {
    /// The entry of the table.
    pub spec: &'static Command,
    /// The name the client used.
    pub name: &'a str,
    /// The value of the first field: usually the collection.
    pub target: RawBsonRef<'a>,
    /// The database.
    pub db: &'a str,
    /// The whole command.
    pub body: &'a RawDocument,
    /// The command as the extension gets it: without the fields that mean nothing here and that it would refuse.
    pub forward: Cow<'a, RawDocument>,
    /// The array field that may be long, if it is in the body.
    pub batch: Option<RawBsonRef<'a>>,
    /// Document sequences beside the body.
    pub sequences: &'a [Sequence],
    /// The fields that any command may carry.
    pub common: Common<'a>,
    /// What a read asks for that the proxy has to know of.
    pub wishes: Wishes,
    /// The session.
    pub session: Option<SessionId>,
    /// How long it may take.
    pub budget: Budget,
    /// It came as OP_QUERY.
    pub legacy: bool,
    /// The client accepts a stream of replies.
    pub exhaust_allowed: bool,
}

/// The entry of the table and the name the client used; found first, so that later errors can be counted by it.
///
/// # Errors
/// 59 for an unknown command, 352 for one that OP_QUERY does not serve.
pub fn identify(frame: &Frame) -> Result<(&'static Command, &str)> {
    let body = RawDocument::from_bytes(frame.body())?;
    let first = body.iter_elements().next().transpose()?;
    let name = first.map_or("", |element| element.key().as_str());
    let Some(spec) = registry::find(name) else {
        if let Some(refused) = refusals::find(name) {
            return Err(refused.error());
        }
        return Err(CommandError::client(codes::COMMAND_NOT_FOUND, format!("no such command: '{name}'")));
    };
    if matches!(frame.op, Op::Query(_)) && !registry::LEGACY.contains(&spec.name) {
        return Err(CommandError::client(
            codes::UNSUPPORTED_OP_QUERY_COMMAND,
            format!(
                "Unsupported OP_QUERY command: {name}. The client driver may require an upgrade. For more details see \
                 https://dochub.mongodb.org/core/legacy-opcode-removal"
            ),
        ));
    }
    Ok((spec, name))
}

impl<'a> Request<'a> {
    /// Reads the fields and applies the option policies of the table.
    ///
    /// # Errors
    /// MongoDB's error for an unknown, repeated, missing or malformed field; 115 for an option that is refused.
    pub fn parse(spec: &'static Command, name: &'a str, frame: &'a Frame, arrival: Instant) -> Result<Self> {
        let body = RawDocument::from_bytes(frame.body())?;
        let (sequences, exhaust_allowed) = match &frame.op {
            Op::Msg(message) => (message.sequences.as_slice(), message.exhaust_allowed),
            Op::Query(_) => (&[][..], false),
        };
        let mut request = Self {
            spec,
            name,
            target: RawBsonRef::Null,
            db: "",
            body,
            forward: Cow::Borrowed(body),
            batch: None,
            sequences,
            common: Common::default(),
            wishes: Wishes::default(),
            session: None,
            budget: Budget::default(),
            legacy: matches!(frame.op, Op::Query(_)),
            exhaust_allowed,
        };
        request.read_fields()?;
        request.read_sequences()?;
        request.db = match &frame.op {
            Op::Msg(_) => request.database()?,
            Op::Query(query) => legacy_database(&query.collection)?,
        };
        check_database(request.db)?;
        if spec.admin_only && request.db != "admin" {
            let message = format!("{} may only be run against the admin database.", spec.name);
            return Err(CommandError::client(codes::UNAUTHORIZED, message));
        }
        request.check_target()?;
        request.wishes.check_counts()?;
        request.common.check(&request)?;
        request.session = request.common.session_id()?;
        if let Some(milliseconds) = request.common.max_time()? {
            request.budget.deadline = Some(arrival + Duration::from_millis(u64::from(milliseconds)));
        }
        Ok(request)
    }

    fn read_fields(&mut self) -> Result<()> {
        // One bit for each known field, to notice a repeated one.
        let mut seen: u128 = 0;
        let mut stripped = false;
        for (position, element) in self.body.iter_elements().enumerate() {
            let element = element?;
            let name = element.key().as_str();
            if position == 0 {
                self.target = element.value()?;
                continue;
            }
            let (bit, policy) = self.policy(name)?;
            if let Some(bit) = bit {
                let mask = 1u128.checked_shl(bit).unwrap_or(0);
                if seen & mask != 0 {
                    return Err(repeated(self.spec.name, name));
                }
                seen |= mask;
            }
            self.apply(name, policy, element)?;
            stripped |= is_stripped(name, policy);
        }
        if stripped {
            self.forward = Cow::Owned(self.without_stripped()?);
        }
        Ok(())
    }

    fn without_stripped(&self) -> Result<RawDocumentBuf> {
        let mut out = RawDocumentBuf::new();
        for (position, element) in self.body.iter_elements().enumerate() {
            let element = element?;
            let name = element.key();
            if position == 0 || !is_stripped(name.as_str(), self.policy(name.as_str())?.1) {
                out.append(name, element.value()?);
            }
        }
        Ok(out)
    }

    /// The place of the field in the lists and what to do with it.
    fn policy(&self, name: &str) -> Result<(Option<u32>, Policy)> {
        let mut bit = 0u32;
        let mut wildcard = None;
        for list in self.spec.options.iter().copied().chain([COMMON]) {
            for option in list {
                if option.name == name {
                    return Ok((Some(bit), option.policy));
                }
                if option.name == "*" {
                    wildcard = Some(option.policy);
                }
                bit += 1;
            }
        }
        wildcard.map(|policy| (None, policy)).ok_or_else(|| unknown_field(type_of(self.spec.name), name))
    }

    fn apply(&mut self, name: &'a str, policy: Policy, element: bson::raw::RawElement<'a>) -> Result<()> {
        match policy {
            Policy::Pass if self.spec.batch() == Some(name) => self.batch = Some(element.value()?),
            Policy::Noted => self.wishes.set(name, element.value()?)?,
            Policy::Used => self.common.set(name, element.value()?),
            Policy::Pass | Policy::Ignored(_) => {}
            Policy::Rejected => return Err(refused(self.spec.name, name, None)),
            Policy::RefusedUnless(harmless, code, message) => {
                if !harmless.covers(element.value()?) {
                    return Err(CommandError::client(code, message));
                }
            }
            Policy::RejectedUnless(harmless) => {
                if !harmless.covers(element.value()?) {
                    return Err(refused(self.spec.name, name, Some(harmless)));
                }
            }
        }
        Ok(())
    }

    fn read_sequences(&self) -> Result<()> {
        for sequence in self.sequences {
            let identifier = String::from_utf8_lossy(&sequence.identifier);
            if !self.spec.sequences.contains(&identifier.as_ref()) {
                return Err(unknown_field(self.spec.name, &identifier));
            }
            if self.body.get(identifier.as_ref())?.is_some() {
                return Err(repeated(self.spec.name, &identifier));
            }
        }
        Ok(())
    }

    fn database(&self) -> Result<&'a str> {
        match self.common.db {
            Some(RawBsonRef::String(db)) => Ok(db),
            Some(other) => Err(wrong_type("$db", other, "string")),
            None => Err(CommandError::client(Code(40414), "OP_MSG requests require a $db argument")),
        }
    }

    fn check_target(&self) -> Result<()> {
        match self.spec.target {
            Target::Any => Ok(()),
            Target::Collection => self.collection().map(drop),
            Target::CollectionOrDatabase => match number(self.target) {
                Some(1.0) => Ok(()),
                Some(_) => Err(CommandError::client(
                    codes::FAILED_TO_PARSE,
                    format!(
                        "Invalid command format: the '{}' field must specify a collection name or 1",
                        self.spec.name
                    ),
                )),
                None => self.collection().map(drop),
            },
        }
    }

    /// The collection that the command names first.
    ///
    /// # Errors
    /// 73 if it is no string, or empty.
    pub fn collection(&self) -> Result<&'a str> {
        match self.target {
            RawBsonRef::String("") => Err(CommandError::client(
                codes::INVALID_NAMESPACE,
                format!("Invalid namespace specified '{}.'", self.db),
            )),
            RawBsonRef::String(name) if name.contains('\0') => Err(CommandError::client(
                codes::INVALID_NAMESPACE,
                "namespaces cannot have embedded null characters",
            )),
            RawBsonRef::String(name) => Ok(name),
            other => Err(CommandError::client(
                codes::INVALID_NAMESPACE,
                format!("collection name has invalid type {}", type_name(other.element_type())),
            )),
        }
    }

    /// The value of a field of the command.
    ///
    /// # Errors
    /// A malformed value on the way to it.
    pub fn get(&self, name: &str) -> Result<Option<RawBsonRef<'a>>> {
        Ok(self.body.get(name)?)
    }

    /// The bytes of the command and its sequences.
    pub fn length(&self) -> usize {
        self.sequences
            .iter()
            .fold(self.body.as_bytes().len(), |sum, one| sum.saturating_add(one.documents.len()))
    }

    /// True if the request changes something, so that only the primary will do.
    pub fn writes(&self) -> bool {
        matches!(self.spec.kind, Kind::Write | Kind::Admin)
            || (self.spec.kind == Kind::Read && self.spec.writes_if.is_some_and(|writes| writes(self)))
    }
}

/// True for a field without meaning here (every other one was refused before) that the extension does not know either:
/// it would refuse the whole command for it.
fn is_stripped(name: &str, policy: Policy) -> bool {
    let meaningless =
        matches!(policy, Policy::Ignored(_) | Policy::RejectedUnless(_) | Policy::RefusedUnless(..));
    meaningless && TOLERATED.binary_search(&name).is_err()
}

fn legacy_database(collection: &Bytes) -> Result<&str> {
    let name = std::str::from_utf8(collection).ok().and_then(|name| name.strip_suffix(".$cmd"));
    name.ok_or_else(|| {
        CommandError::client(
            Code(5_739_101),
            "OP_QUERY is no longer supported. The client driver may require an upgrade. For more details see \
             https://dochub.mongodb.org/core/legacy-opcode-removal",
        )
    })
}

/// Checks a database's name.
///
/// # Errors
/// 73 in MongoDB's words.
pub fn check_database(name: &str) -> Result<()> {
    let forbidden =
        |c: char| matches!(c, '/' | '\\' | '.' | ' ' | '"' | '\0') || (c == '$' && name != "$external");
    if name.is_empty() || name.len() > MAX_DATABASE_NAME || name.contains(forbidden) {
        let message = format!("Invalid database name: '{name}'");
        return Err(CommandError::client(codes::INVALID_NAMESPACE, message));
    }
    Ok(())
}

/// What MongoDB calls a command where it speaks of its fields.
fn type_of(command: &str) -> &str {
    if command == "find" { "FindCommandRequest" } else { command }
}

fn repeated(command: &str, field: &str) -> CommandError {
    CommandError::client(
        Code(40413),
        format!("BSON field '{}.{field}' is a duplicate field", type_of(command)),
    )
}

fn refused(command: &str, field: &str, unless: Option<Harmless>) -> CommandError {
    let rest = unless.map_or(String::new(), |value| format!(" other than {}", value.as_str()));
    let message = format!("The option '{field}' of the command '{command}'{rest} is not supported");
    CommandError::client(codes::COMMAND_NOT_SUPPORTED, message)
}

/// The value of a field that must be a string.
///
/// # Errors
/// 40414 when absent, 14 for another type.
pub fn required_str<'a>(request: &Request<'a>, field: &str) -> Result<&'a str> {
    match request.get(field)? {
        Some(RawBsonRef::String(value)) => Ok(value),
        Some(other) => Err(wrong_type(&format!("{}.{field}", request.spec.name), other, "string")),
        None => Err(missing(request.spec.name, field)),
    }
}

#[cfg(test)]
mod tests;
