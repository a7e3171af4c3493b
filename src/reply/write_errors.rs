//! The outcome of insert, update and delete: read from the extension's reply, put together, in MongoDB's shape.
use bson::raw::{RawBsonRef, cstr};
use bson::{RawArrayBuf, RawBson, RawDocument, RawDocumentBuf, rawdoc};

use crate::error::{Code, CommandError, Owner, Result, codes, from_pg, unpack_sqlstate};

/// What a batch of writes did.
#[derive(Debug, Default)]
pub struct WriteOutcome {
    n: i32,
    /// Only updates count these.
    n_modified: Option<i32>,
    /// Position in the batch and the new `_id`.
    upserted: Vec<(i32, RawBson)>,
    /// What failed, in the order of the batch.
    pub errors: Vec<WriteError>,
}

/// One write that failed.
#[derive(Debug)]
pub struct WriteError {
    /// Position in the batch.
    pub index: i32,
    code: Code,
    message: String,
    /// `keyPattern` and `keyValue`.
    extra: Option<RawDocumentBuf>,
}

impl WriteOutcome {
    /// Reads the reply of the extension. Its codes are packed SQLSTATEs, and its messages may be PostgreSQL's.
    ///
    /// # Errors
    /// A failure that concerns the whole command, such as a time limit, wherever the extension put it; a reply
    /// that is no such document.
    pub fn read(reply: &RawDocument) -> Result<Self> {
        let mut out = Self::default();
        for element in reply {
            match element? {
                (key, value) if key == "n" => out.n = count(value)?,
                (key, value) if key == "nModified" => out.n_modified = Some(count(value)?),
                (key, RawBsonRef::Array(list)) if key == "upserted" => {
                    for entry in list {
                        let entry = document(entry?)?;
                        let id = entry.get("_id")?.ok_or_else(|| unexpected("upserted without _id"))?;
                        let index =
                            entry.get("index")?.ok_or_else(|| unexpected("upserted without index"))?;
                        out.upserted.push((count(index)?, id.into()));
                    }
                }
                (key, RawBsonRef::Array(list)) if key == "writeErrors" => {
                    for entry in list {
                        out.errors.push(WriteError::read(document(entry?)?)?);
                    }
                }
                _ => {}
            }
        }
        Ok(out)
    }

    /// Adds the outcome of a later part of the same batch, whose positions began at `offset`.
    pub fn add(&mut self, later: Self, offset: i32) {
        self.n = self.n.saturating_add(later.n);
        self.n_modified = match (self.n_modified, later.n_modified) {
            (Some(before), Some(more)) => Some(before.saturating_add(more)),
            (before, more) => before.or(more),
        };
        let moved = later.upserted.into_iter().map(|(index, id)| (index.saturating_add(offset), id));
        self.upserted.extend(moved);
        let moved = later
            .errors
            .into_iter()
            .map(|error| WriteError { index: error.index.saturating_add(offset), ..error });
        self.errors.extend(moved);
    }

    /// The positions of the writes that may run again, because they lost against other operations and did nothing: those
    /// alone, and in an ordered batch all behind them, which did not run. `count`: how many there are in all.
    pub fn to_repeat(&self, ordered: bool, count: usize) -> Vec<i32> {
        let mut lost = self.errors.iter().filter(|error| error.lost()).map(|error| error.index);
        match lost.next() {
            Some(first) if ordered => (first..i32::try_from(count).unwrap_or(i32::MAX)).collect(),
            Some(first) => std::iter::once(first).chain(lost).collect(),
            None => Vec::new(),
        }
    }

    /// Puts what came of a second run of these writes in the place of what they had come to.
    pub fn replace(&mut self, again: Self, positions: &[i32]) {
        let at = |index: i32| usize::try_from(index).ok().and_then(|at| positions.get(at)).copied();
        self.errors.retain(|error| !(error.lost() && positions.contains(&error.index)));
        let Self { n, n_modified, upserted, errors } = again;
        self.add(Self { n, n_modified, ..Self::default() }, 0);
        self.upserted.extend(upserted.into_iter().map(|(index, id)| (at(index).unwrap_or(index), id)));
        let moved = errors
            .into_iter()
            .map(|error| WriteError { index: at(error.index).unwrap_or(error.index), ..error });
        self.errors.extend(moved);
        self.upserted.sort_by_key(|(index, _)| *index);
        self.errors.sort_by_key(|error| error.index);
    }

    /// Nothing but a write that failed.
    pub fn failed(error: WriteError) -> Self {
        Self { errors: vec![error], ..Self::default() }
    }

    /// How many documents were written, or matched.
    pub fn n(&self) -> i32 {
        self.n
    }

    /// How many documents updates changed.
    pub fn n_modified(&self) -> i32 {
        self.n_modified.unwrap_or(0)
    }

    /// Positions and new `_id`s of upserts.
    pub fn upserted(&self) -> &[(i32, RawBson)] {
        &self.upserted
    }

    /// The reply in MongoDB's order of fields.
    pub fn write(self) -> RawDocumentBuf {
        let mut out = rawdoc! { "n": self.n };
        if !self.upserted.is_empty() {
            let mut list = RawArrayBuf::new();
            for (index, id) in self.upserted {
                list.push(rawdoc! { "index": index, "_id": id });
            }
            out.append(cstr!("upserted"), list);
        }
        if let Some(n_modified) = self.n_modified {
            out.append(cstr!("nModified"), n_modified);
        }
        if !self.errors.is_empty() {
            let mut list = RawArrayBuf::new();
            for error in self.errors {
                list.push(error.write());
            }
            out.append(cstr!("writeErrors"), list);
        }
        out.append(cstr!("ok"), 1.0);
        out
    }
}

impl WriteError {
    fn read(entry: &RawDocument) -> Result<Self> {
        let packed = entry.get("code")?.map(count).transpose()?.unwrap_or(codes::INTERNAL_ERROR.0);
        let message = entry.get_str("errmsg").unwrap_or_default();
        let index = entry.get("index")?.map(count).transpose()?.unwrap_or(0);
        let info = entry.get("errInfo")?.and_then(|info| info.as_document());
        let extra = info.map(|info| rawdoc! { "errInfo": info.to_owned() });
        let (code, message) = match mapped(packed, message) {
            Some(error) if concerns_the_command(error.code) => return Err(error),
            Some(error) => (error.code, error.message.into_owned()),
            None => (Code(packed), message.to_owned()),
        };
        Ok(Self { index, code, message, extra })
    }

    /// It lost against another operation: it has done nothing and may run again.
    pub fn lost(&self) -> bool {
        self.code == codes::WRITE_CONFLICT
    }

    /// The index whose key was there already, if that is what failed.
    pub fn duplicate_index(&self) -> Option<&str> {
        (self.code == codes::DUPLICATE_KEY).then(|| index_name(&self.message)).flatten()
    }

    /// Words the error as MongoDB does.
    pub fn describe_duplicate(&mut self, duplicate: Duplicate) {
        self.message = duplicate.message;
        self.extra = Some(duplicate.fields);
    }

    /// The error as bulkWrite tells it, at its position in the whole.
    pub fn result(self, position: i32, updates: bool) -> RawDocumentBuf {
        let mut out = rawdoc! { "ok": 0.0, "idx": position, "code": self.code.0 };
        for (key, value) in self.extra.iter().flat_map(|extra| extra.iter().flatten()) {
            out.append(key, value);
        }
        out.append(cstr!("errmsg"), self.message.as_str());
        out.append(cstr!("n"), 0);
        if updates {
            out.append(cstr!("nModified"), 0);
        }
        out
    }

    fn write(self) -> RawDocumentBuf {
        let mut out = rawdoc! { "index": self.index, "code": self.code.0 };
        for (key, value) in self.extra.iter().flat_map(|extra| extra.iter().flatten()) {
            out.append(key, value);
        }
        out.append(cstr!("errmsg"), self.message.as_str());
        out
    }
}

impl From<CommandError> for WriteError {
    /// A command with one write, which failed as a whole.
    fn from(error: CommandError) -> Self {
        let extra = error.extra.map(|extra| *extra);
        Self { index: 0, code: error.code, message: error.message.into_owned(), extra }
    }
}

/// A duplicate key, told as MongoDB tells it.
#[derive(Debug)]
pub struct Duplicate {
    /// `E11000 duplicate key error collection: db.c index: a_1 dup key: { a: 1 }`.
    pub message: String,
    /// `keyPattern`, and `keyValue` where it is known.
    pub fields: RawDocumentBuf,
}

impl Duplicate {
    /// `pattern` is the index key, `value` the key that was there already, where that is known.
    pub fn new(ns: &str, index: &str, pattern: &RawDocument, value: Option<&RawDocument>) -> Self {
        let mut message = format!("E11000 duplicate key error collection: {ns} index: {index}");
        let mut fields = rawdoc! { "keyPattern": pattern.to_owned() };
        if let Some(value) = value {
            message.push_str(" dup key: ");
            message.push_str(&super::text::document(value));
            fields.append(cstr!("keyValue"), value);
        }
        Self { message, fields }
    }
}

/// The index that a duplicate-key message of the extension names.
pub fn index_name(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("Index '")?;
    let (name, _) = rest.rsplit_once('\'')?;
    Some(name)
}

/// The error that a code inside a reply stands for; None if it is a MongoDB code already.
pub fn mapped(packed: i32, message: &str) -> Option<CommandError> {
    /// The extension packs a bare MongoDB code into this range (sql-api.md 4.3).
    const BARE: std::ops::Range<i32> = 687_865_856..696_254_464;
    if BARE.contains(&packed) {
        let code = Code(packed - BARE.start);
        return Some(CommandError { owner: Owner::Client, ..CommandError::client(code, message.to_owned()) });
    }
    let state = unpack_sqlstate(packed)?;
    Some(from_pg::sqlstate(std::str::from_utf8(&state).ok()?, message))
}

/// The command cannot go on after this error of some of its writes, all of which it undid.
pub fn ends_the_command(error: &CommandError) -> bool {
    error.code != codes::WRITE_CONFLICT && (error.owner != Owner::Client || concerns_the_command(error.code))
}

/// Failures that MongoDB never lists among the writes: it ends the command with them. A lost race is none of them: the
/// other writes of the batch are done, and who is told to try again would do them twice.
fn concerns_the_command(code: Code) -> bool {
    const WHOLE: [Code; 7] = [
        codes::UNAUTHORIZED,
        codes::MAX_TIME_MS_EXPIRED,
        codes::INTERRUPTED,
        codes::INTERRUPTED_DUE_TO_REPL_STATE_CHANGE,
        codes::NOT_WRITABLE_PRIMARY,
        codes::NOT_PRIMARY_OR_SECONDARY,
        codes::OUT_OF_DISK_SPACE,
    ];
    WHOLE.contains(&code)
}

fn count(value: RawBsonRef<'_>) -> Result<i32> {
    match value {
        RawBsonRef::Int32(value) => Some(value),
        RawBsonRef::Int64(value) => i32::try_from(value).ok(),
        #[expect(clippy::cast_possible_truncation, reason = "counts of at most 100000, and as saturates")]
        RawBsonRef::Double(value) => Some(value as i32),
        _ => None,
    }
    .ok_or_else(|| unexpected("a count is no number"))
}

fn document(value: RawBsonRef<'_>) -> Result<&RawDocument> {
    value.as_document().ok_or_else(|| unexpected("an entry of a write reply is no document"))
}

fn unexpected(what: &'static str) -> CommandError {
    CommandError::unexpected(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUPLICATE: i32 = 319_029_277;

    fn with_error(index: i32, code: i32, message: &str) -> RawDocumentBuf {
        rawdoc! { "n": 0, "ok": 1.0, "writeErrors": [{ "index": index, "code": code, "errmsg": message }] }
    }

    #[test]
    fn packed_codes_become_mongodbs() {
        let outcome = WriteOutcome::read(&with_error(0, 486_539_293, "immutable")).unwrap();
        let want = rawdoc! {
            "n": 0, "writeErrors": [{ "index": 0, "code": 66, "errmsg": "immutable" }], "ok": 1.0,
        };
        assert_eq!(outcome.write(), want);
    }

    #[test]
    fn what_failed_validation_is_told() {
        let reply = rawdoc! { "n": 0, "writeErrors": [{
            "index": 0, "code": 525_074_461, "errInfo": { "failingDocumentId": 1 }, "errmsg": "Document failed validation",
        }] };
        let want = rawdoc! { "n": 0, "writeErrors": [{
            "index": 0, "code": 121, "errInfo": { "failingDocumentId": 1 }, "errmsg": "Document failed validation",
        }], "ok": 1.0 };
        assert_eq!(WriteOutcome::read(&reply).unwrap().write(), want);
    }

    #[test]
    fn duplicates_are_told_in_mongodbs_words() {
        let text = "Duplicate key violation on the requested collection: Index '_id_'";
        let mut outcome = WriteOutcome::read(&with_error(2, DUPLICATE, text)).unwrap();
        assert_eq!(outcome.errors[0].duplicate_index(), Some("_id_"));
        let (pattern, value) = (rawdoc! { "_id": 1 }, rawdoc! { "_id": 7 });
        outcome.errors[0].describe_duplicate(Duplicate::new("db.c", "_id_", &pattern, Some(&value)));
        let want = rawdoc! { "n": 0, "writeErrors": [{
            "index": 2, "code": 11000, "keyPattern": { "_id": 1 }, "keyValue": { "_id": 7 },
            "errmsg": "E11000 duplicate key error collection: db.c index: _id_ dup key: { _id: 7 }",
        }], "ok": 1.0 };
        assert_eq!(outcome.write(), want);
    }

    #[test]
    fn lost_races_are_told_at_their_place_and_may_be_run_again() {
        let reply = |at: &[i32]| {
            let errors =
                at.iter().map(|index| rawdoc! { "index": *index, "code": 16_908_292, "errmsg": "deadlock" });
            rawdoc! { "n": 2, "nModified": 2, "ok": 1.0, "writeErrors": RawArrayBuf::from_iter(errors) }
        };
        for packed in [16_777_220, 16_908_292, 50_463_045] {
            let outcome = WriteOutcome::read(&with_error(0, packed, "could not serialize access")).unwrap();
            assert!(outcome.errors[0].lost() && !outcome.errors[0].message.contains("serialize"));
        }
        let unordered = WriteOutcome::read(&reply(&[1, 3])).unwrap();
        assert_eq!(unordered.to_repeat(false, 5), [1, 3]);
        assert_eq!(WriteOutcome::read(&reply(&[2])).unwrap().to_repeat(true, 5), [2, 3, 4]);
        assert!(WriteOutcome::default().to_repeat(true, 5).is_empty());
        // One wins, with an upsert, the other one loses again and is told.
        let mut whole = unordered;
        let again = rawdoc! {
            "n": 1, "nModified": 0, "upserted": [{ "index": 0, "_id": "a" }], "ok": 1.0,
            "writeErrors": [{ "index": 1, "code": 16_908_292, "errmsg": "deadlock" }],
        };
        whole.replace(WriteOutcome::read(&again).unwrap(), &[1, 3]);
        assert_eq!(whole.to_repeat(false, 5), [3]);
        let told = whole.write();
        let error = rawdoc! { "index": 3, "code": 112, "errmsg": from_pg::conflict().message.as_ref() };
        let want = rawdoc! {
            "n": 3, "upserted": [{ "index": 1, "_id": "a" }], "nModified": 2, "writeErrors": [error], "ok": 1.0,
        };
        assert_eq!(told, want);
    }

    #[test]
    fn what_concerns_the_command_ends_it() {
        let reply = with_error(0, 100_663_618, "cannot execute in a read-only transaction");
        let error = WriteOutcome::read(&reply).unwrap_err();
        assert_eq!(error.code, codes::NOT_WRITABLE_PRIMARY);
        assert!(!error.message.contains("transaction"));
    }

    #[test]
    fn parts_of_a_batch_add_up() {
        let mut first = WriteOutcome::read(&rawdoc! {
            "ok": 1.0, "nModified": 1, "n": 2, "upserted": [{ "index": 1, "_id": "a" }],
        })
        .unwrap();
        let second = WriteOutcome::read(&rawdoc! {
            "ok": 1.0, "nModified": 2, "n": 3, "upserted": [{ "index": 0, "_id": "b" }],
            "writeErrors": [{ "index": 4, "code": 16_777_245, "errmsg": "bad" }],
        })
        .unwrap();
        first.add(second, 100);
        let want = rawdoc! {
            "n": 5, "upserted": [{ "index": 1, "_id": "a" }, { "index": 100, "_id": "b" }], "nModified": 3,
            "writeErrors": [{ "index": 104, "code": 2, "errmsg": "bad" }], "ok": 1.0,
        };
        assert_eq!(first.write(), want);
    }

    #[test]
    fn plain_codes_stay() {
        assert!(mapped(11000, "").is_none());
        assert_eq!(mapped(687_865_856 + 66, "x").unwrap().code, Code(66));
    }
}
