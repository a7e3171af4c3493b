//! Calls from SQL into Rust: the `pgfn!` macro, arguments, results, varlena values without copies.

use core::ffi::CStr;
use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::pg_sys::{self, Datum};

use crate::error::{Error, Result, internal};

/// Defines a function that SQL can call: `NAME` and `pg_finfo_NAME`.
///
/// The body gets a [`Call`] and returns `Result<Datum>`. Errors, PostgreSQL's own ERRORs and panics all leave through
/// [`crate::error::boundary`], with destructors run.
macro_rules! pgfn {
    ($(#[$doc:meta])* fn $name:ident($call:ident) $body:block) => {
        $(#[$doc])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(fcinfo: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
            // SAFETY: PostgreSQL hands over a call frame that lives as long as the call.
            let $call = unsafe { $crate::sys::Call::new(fcinfo) };
            let body = move || -> $crate::error::Result<pgrx::pg_sys::Datum> { $body };
            // SAFETY: called by PostgreSQL; nothing here has a destructor.
            unsafe { $crate::error::boundary(body) }
        }
        const _: () = {
            #[unsafe(export_name = concat!("pg_finfo_", stringify!($name)))]
            extern "C" fn finfo() -> &'static pgrx::pg_sys::Pg_finfo_record {
                const V1: pgrx::pg_sys::Pg_finfo_record = pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
                &V1
            }
        };
    };
}

/// One call from SQL. References it gives out live until the function returns (PostgreSQL frees the arguments then).
#[derive(Clone, Copy)]
pub struct Call<'a> {
    fcinfo: pg_sys::FunctionCallInfo,
    frame: core::marker::PhantomData<&'a ()>,
}

impl<'a> Call<'a> {
    /// # Safety
    /// `fcinfo` is the frame of the running call.
    pub unsafe fn new(fcinfo: pg_sys::FunctionCallInfo) -> Self {
        Call { fcinfo, frame: core::marker::PhantomData }
    }

    /// The raw frame, for what this type does not cover.
    pub fn raw(&self) -> pg_sys::FunctionCallInfo {
        self.fcinfo
    }

    /// How many arguments the call has.
    pub fn count(&self) -> usize {
        // SAFETY: the frame is live, see `new`.
        unsafe { (*self.fcinfo).nargs as usize }
    }

    /// Argument `n`, `None` for SQL NULL and for arguments the caller did not declare.
    pub fn arg(&self, n: usize) -> Option<Datum> {
        if n >= self.count() {
            return None;
        }
        // SAFETY: n is below nargs, and PostgreSQL fills all of them.
        let a = unsafe { &*(*self.fcinfo).args.as_ptr().add(n) };
        (!a.isnull).then_some(a.value)
    }

    /// An argument that the SQL declaration promises (STRICT) or that was checked before.
    fn required(&self, n: usize) -> Result<Datum> {
        self.arg(n).ok_or_else(|| internal(format!("argument {} cannot be NULL", n + 1)))
    }

    /// Bytes of a varlena argument (bson, bytea, text), not copied unless stored compressed or out of line.
    pub fn bytes(&self, n: usize) -> Result<&'a [u8]> {
        let d = self.required(n)?;
        // SAFETY: the SQL script declares this argument with a varlena type.
        Ok(unsafe { payload(d) }.0)
    }

    /// Like [`Call::bytes`], `None` for NULL.
    pub fn opt_bytes(&self, n: usize) -> Option<&'a [u8]> {
        // SAFETY: the SQL script declares this argument with a varlena type.
        self.arg(n).map(|d| unsafe { payload(d) }.0)
    }

    /// A text argument. The server's encoding is UTF-8; anything else is refused.
    pub fn text(&self, n: usize) -> Result<&'a str> {
        utf8(self.bytes(n)?)
    }

    /// Like [`Call::text`], `None` for NULL.
    pub fn opt_text(&self, n: usize) -> Result<Option<&'a str>> {
        self.opt_bytes(n).map(utf8).transpose()
    }

    /// A bson argument. Values of this type are well-formed, whatever way they were made.
    pub fn doc(&self, n: usize) -> Result<&'a [u8]> {
        self.bytes(n)
    }

    /// An int8 argument.
    pub fn i64(&self, n: usize) -> Result<i64> {
        Ok(self.required(n)?.value() as i64)
    }

    /// A float8 argument.
    pub fn f64(&self, n: usize) -> Result<f64> {
        Ok(f64::from_bits(self.required(n)?.value() as u64))
    }

    /// A boolean argument.
    pub fn bool(&self, n: usize) -> Result<bool> {
        Ok(self.required(n)?.value() & 0xFF != 0)
    }

    /// A cstring argument (type input functions).
    pub fn cstring(&self, n: usize) -> Result<&'a str> {
        let d = self.required(n)?;
        // SAFETY: the SQL script declares this argument as cstring: NUL-terminated.
        utf8(unsafe { CStr::from_ptr(d.cast_mut_ptr()) }.to_bytes())
    }

    /// Returns SQL NULL.
    pub fn null(&self) -> Datum {
        // SAFETY: the frame is live, see `new`.
        unsafe { (*self.fcinfo).isnull = true };
        Datum::null()
    }

    /// Returns the row of the function's OUT parameters; `None` is NULL.
    pub fn record(&self, columns: &[Option<Datum>]) -> Result<Datum> {
        let mut values: Vec<Datum> = columns.iter().map(|c| c.unwrap_or(Datum::null())).collect();
        let mut nulls: Vec<bool> = columns.iter().map(Option::is_none).collect();
        // SAFETY: the frame is live; values and nulls have as many entries as is checked against the descriptor.
        unsafe {
            let desc = self.row_type(columns.len())?;
            let tuple = pg_sys::heap_form_tuple(desc, values.as_mut_ptr(), nulls.as_mut_ptr());
            Ok(pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data))
        }
    }

    /// The row type of the function's OUT parameters. It is read from the catalog once in a backend: what a function
    /// returns can't be changed without dropping it.
    ///
    /// # Safety
    /// As for [`Call::new`].
    unsafe fn row_type(&self, columns: usize) -> Result<pg_sys::TupleDesc> {
        // SAFETY: the frame is live; what is kept is a copy in memory that lives as long as the backend.
        unsafe {
            let function = (*(*self.fcinfo).flinfo).fn_oid;
            let known = ROW_TYPES.with_borrow(|types| types.get(&function).copied());
            if let Some(desc) = known.filter(|desc| (**desc).natts as usize == columns) {
                return Ok(desc);
            }
            let mut found: pg_sys::TupleDesc = core::ptr::null_mut();
            let class = pg_sys::get_call_result_type(self.fcinfo, core::ptr::null_mut(), &mut found);
            if class != pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE || (*found).natts as usize != columns {
                return Err(internal("the function's declaration does not fit its result"));
            }
            let before = pg_sys::MemoryContextSwitchTo(pg_sys::CacheMemoryContext);
            let desc = pg_sys::BlessTupleDesc(pg_sys::CreateTupleDescCopy(found));
            pg_sys::MemoryContextSwitchTo(before);
            ROW_TYPES.with_borrow_mut(|types| types.insert(function, desc));
            Ok(desc)
        }
    }
}

thread_local! {
    /// Row types of functions, by the functions' oids.
    static ROW_TYPES: RefCell<HashMap<pg_sys::Oid, pg_sys::TupleDesc>> = RefCell::default();
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    core::str::from_utf8(bytes).map_err(|_| Error::native(b"22021", "text is not valid UTF-8"))
}

/// Bytes of a varlena value. The pointer is the detoasted copy if one had to be made, else null.
///
/// # Safety
/// `d` is a live varlena datum; the result must not outlive it (or the current memory context, if detoasted).
#[inline]
pub unsafe fn payload<'a>(d: Datum) -> (&'a [u8], *mut core::ffi::c_void) {
    // SAFETY: the caller's promise; pg_detoast_datum_packed gives a plain varlena.
    unsafe {
        let mut p = d.cast_mut_ptr::<pg_sys::varlena>();
        let mut copy = core::ptr::null_mut();
        if pgrx::varatt_is_1b_e(p) || pgrx::varatt_is_4b_c(p) {
            p = pg_sys::pg_detoast_datum_packed(p);
            copy = p.cast();
        }
        (core::slice::from_raw_parts(pgrx::vardata_any(p).cast(), pgrx::varsize_any_exhdr(p)), copy)
    }
}

/// A new varlena value in the current memory context: bson, bytea or text, by what the declaration says.
pub fn varlena(bytes: &[u8]) -> Datum {
    // SAFETY: palloc gives len + 4 writable bytes, or raises.
    unsafe {
        let p = pg_sys::palloc(bytes.len() + 4) as *mut pg_sys::varlena;
        pgrx::set_varsize_4b(p, (bytes.len() + 4) as i32);
        core::ptr::copy_nonoverlapping(bytes.as_ptr(), (p as *mut u8).add(4), bytes.len());
        Datum::from(p)
    }
}

/// A new cstring in the current memory context (type output functions). A NUL inside ends it.
pub fn cstring(s: &str) -> Datum {
    // SAFETY: palloc gives len + 1 writable bytes, or raises.
    unsafe {
        let p = pg_sys::palloc(s.len() + 1) as *mut u8;
        core::ptr::copy_nonoverlapping(s.as_ptr(), p, s.len());
        *p.add(s.len()) = 0;
        Datum::from(p)
    }
}

/// Calls a function pointer that PostgreSQL gave us (table and index access methods), ERRORs turned into unwinding.
///
/// # Safety
/// `f` does nothing but the call, and owns nothing with a destructor.
#[inline(always)]
pub unsafe fn guarded<T>(f: impl FnOnce() -> T) -> T {
    // SAFETY: the caller's promise is the one asked for.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(f) }
}
