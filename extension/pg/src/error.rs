//! One error type, and the two ways it leaves: raised to PostgreSQL, or packed into `writeErrors`.
//!
//! Rust code returns [`Result`]. PostgreSQL's own ERRORs travel as panics (pgrx turns longjmp into unwinding) and are
//! met again either at [`boundary`], which raises them anew, or in [`caught`], which makes a value of them.

use core::ffi::{c_char, c_int};
use std::cell::RefCell;
use std::panic::AssertUnwindSafe;

use engine::Doc;
use pgrx::pg_sys::Datum;
use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};

/// What went wrong, with everything PostgreSQL can say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Five characters: the extension's own class `M…`, or one of PostgreSQL's.
    pub sqlstate: [u8; 5],
    /// Text for the client.
    pub message: String,
    /// PostgreSQL's detail, if the error is PostgreSQL's.
    pub detail: Option<String>,
    /// Advice, if there is any.
    pub hint: Option<String>,
}

/// How the text form of a document begins.
const INFO: &str = "BSONHEX";

/// The result of everything that can fail here.
pub type Result<T, E = Error> = core::result::Result<T, E>;

impl Error {
    /// An error with one of PostgreSQL's own states, e.g. `b"25006"`.
    pub fn native(sqlstate: &[u8; 5], message: impl Into<String>) -> Self {
        Error { sqlstate: *sqlstate, message: message.into(), detail: None, hint: None }
    }

    /// The same error of MongoDB's with what was going on in front, as MongoDB's `addContext` puts it; PostgreSQL's are left alone, and a
    /// duplicate key, whose words the caller makes.
    pub fn during(mut self, what: &str) -> Self {
        if self.sqlstate.starts_with(b"M") && !self.is(b"M001C") {
            self.message = format!("{what} :: caused by :: {}", self.message);
        }
        self
    }

    /// The SQLSTATE as one integer, as PostgreSQL keeps it and `writeErrors[].code` carries it (sql-api.md 4.3).
    pub fn packed(&self) -> i32 {
        pack(&self.sqlstate)
    }

    /// With what MongoDB adds to this error as `errInfo`: it travels as the text form of a document in the detail.
    pub fn with_info(self, info: &[u8]) -> Self {
        Error { detail: Some(engine::extjson::to_hex(info)), ..self }
    }

    /// What [`Error::with_info`] added.
    pub fn info(&self) -> Option<Vec<u8>> {
        let digits = self.detail.as_deref()?.strip_prefix(INFO).filter(|_| self.sqlstate[0] == b'M')?;
        let info = engine::extjson::from_hex(digits).ok()?;
        Doc::new(&info).is_ok().then_some(info)
    }

    /// True for this state.
    pub fn is(&self, sqlstate: &[u8; 5]) -> bool {
        &self.sqlstate == sqlstate
    }
}

/// A state as one integer: six bits a character, the first in the lowest bits.
pub const fn pack(s: &[u8; 5]) -> i32 {
    let mut n = 0;
    let mut i = 5;
    while i > 0 {
        i -= 1;
        n = n << 6 | ((s[i] as i32 - b'0' as i32) & 0x3F);
    }
    n
}

/// The inverse of [`pack`].
pub const fn unpack(n: i32) -> [u8; 5] {
    let mut s = [0; 5];
    let mut i = 0;
    while i < 5 {
        s[i] = ((n >> (6 * i)) & 0x3F) as u8 + b'0';
        i += 1;
    }
    s
}

/// Something that cannot happen unless there is a defect here: XX000.
pub fn internal(message: impl Into<String>) -> Error {
    Error::native(b"XX000", message)
}

impl From<engine::Error> for Error {
    fn from(e: engine::Error) -> Self {
        Error {
            sqlstate: *e.code.sqlstate.as_bytes().first_chunk().unwrap_or(b"XX000"),
            message: e.message,
            detail: None,
            hint: None,
        }
    }
}

// === states that pgrx does not know ===
//
// pgrx keeps an ERROR's state as one of PostgreSQL's own codes and folds all others to XX000. An error of class M that
// crosses C code (an access method called by PostgreSQL called by us) would lose its state there, so the last one raised
// is remembered and recognised by its text.

thread_local! {
    static LAST_RAISED: RefCell<Option<Error>> = const { RefCell::new(None) };
}

impl From<ErrorReportWithLevel> for Error {
    fn from(e: ErrorReportWithLevel) -> Self {
        let own = |s: Option<&str>| s.map(str::to_owned);
        let mut sqlstate = unpack(e.sql_error_code() as i32);
        if &sqlstate == b"XX000" {
            LAST_RAISED.with_borrow(|last| {
                if let Some(last) = last
                    && last.message == e.message()
                {
                    sqlstate = last.sqlstate;
                }
            });
        }
        Error { sqlstate, message: e.message().to_owned(), detail: own(e.detail()), hint: own(e.hint()) }
    }
}

/// Runs `f`; whatever it fails with, PostgreSQL's ERROR and panics included, becomes a value.
///
/// The caller must leave the transaction in order: after a PostgreSQL ERROR only rolling back a subtransaction that was
/// opened around it (see [`crate::xact::subtransaction`]) or raising again are allowed.
pub fn caught<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    pgrx::PgTryBuilder::new(AssertUnwindSafe(f))
        .catch_others(|e| {
            Err(match e {
                CaughtError::PostgresError(e) | CaughtError::ErrorReport(e) => e.into(),
                CaughtError::RustPanic { ereport, .. } => ereport.into(),
            })
        })
        .execute()
}

/// The outermost frame of every call from PostgreSQL: runs `f` and raises what it fails with.
///
/// # Safety
/// To be called directly from a function that PostgreSQL called, which owns nothing with a destructor.
pub unsafe fn boundary(f: impl FnOnce() -> Result<Datum>) -> Datum {
    // SAFETY: the caller's promise.
    unsafe { boundary_as(f) }
}

/// [`boundary`] for callbacks with other results (access methods). `T` must not need dropping.
///
/// # Safety
/// As for [`boundary`].
pub unsafe fn boundary_as<T>(f: impl FnOnce() -> Result<T>) -> T {
    match caught(f) {
        Ok(v) => v,
        // SAFETY: no destructor is pending in this frame nor, by promise, in the caller's.
        Err(e) => unsafe { raise(e) },
    }
}

unsafe extern "C-unwind" {
    fn errstart(elevel: c_int, domain: *const c_char) -> bool;
    fn errcode(sqlerrcode: c_int) -> c_int;
    fn errmsg(fmt: *const c_char, ...) -> c_int;
    fn errdetail(fmt: *const c_char, ...) -> c_int;
    fn errdetail_log(fmt: *const c_char, ...) -> c_int;
    fn errhint(fmt: *const c_char, ...) -> c_int;
    fn errfinish(file: *const c_char, line: c_int, func: *const c_char);
}

/// A copy of `s` as PostgreSQL wants it; a NUL inside ends it.
fn pg_cstr(s: &str) -> *const c_char {
    crate::sys::cstring(s).cast_mut_ptr::<c_char>()
}

/// # Safety
/// Jumps out of this and the calling frames: they must own nothing with a destructor.
unsafe fn raise(e: Error) -> ! {
    let (code, message) = (e.packed(), pg_cstr(&e.message));
    let private = e.info().is_some();
    let detail = e.detail.as_deref().map_or(core::ptr::null(), pg_cstr);
    let hint = e.hint.as_deref().map_or(core::ptr::null(), pg_cstr);
    LAST_RAISED.with_borrow_mut(|last| *last = Some(e));
    // SAFETY: all strings are NUL-terminated, in PostgreSQL's memory; nothing here has a destructor any more.
    unsafe {
        errstart(pgrx::PgLogLevel::ERROR as c_int, core::ptr::null());
        errcode(code);
        errmsg(c"%s".as_ptr(), message);
        if !detail.is_null() {
            errdetail(c"%s".as_ptr(), detail);
            if private {
                errdetail_log(c"not logged: it tells of a document".as_ptr());
            }
        }
        if !hint.is_null() {
            errhint(c"%s".as_ptr(), hint);
        }
        errfinish(c"ermine".as_ptr(), 0, core::ptr::null());
        core::hint::unreachable_unchecked()
    }
}
