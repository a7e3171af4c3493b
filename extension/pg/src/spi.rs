//! SQL from Rust, for the rare paths: catalog look-ups that miss the cache, and DDL.

use core::ffi::CStr;
use std::ffi::CString;

use pgrx::pg_sys::{self, Datum, Oid};

use crate::error::{Result, internal};
use crate::sys::{payload, varlena};

/// A parameter of a statement.
#[derive(Clone, Copy, Debug)]
pub enum Param<'a> {
    /// text, `None` is NULL
    Text(Option<&'a str>),
    /// bytea (cast it to bson in the statement), `None` is NULL
    Bytes(Option<&'a [u8]>),
    /// int8
    Int8(i64),
    /// int4, `None` is NULL
    Int4(Option<i32>),
    /// boolean
    Bool(bool),
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// SQL NULL
    Null,
    /// text, name, and every type not named here, in its text form
    Text(String),
    /// bytea, bson, uuid
    Bytes(Vec<u8>),
    /// int2, int4, int8, oid
    Int(i64),
    /// float8
    Float(f64),
    /// boolean
    Bool(bool),
}

impl Cell {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        if let Cell::Text(s) = self { Some(s) } else { None }
    }
    /// The bytes, if they are.
    pub fn bytes(&self) -> Option<&[u8]> {
        if let Cell::Bytes(b) = self { Some(b) } else { None }
    }
    /// The integer, if it is one.
    pub fn int(&self) -> Option<i64> {
        if let Cell::Int(i) = self { Some(*i) } else { None }
    }
    /// The boolean, if it is one.
    pub fn bool(&self) -> Option<bool> {
        if let Cell::Bool(b) = self { Some(*b) } else { None }
    }
}

/// Runs a statement that changes something; its effects are visible to what follows. Gives the number of rows.
pub fn run(sql: &str, params: &[Param<'_>]) -> Result<u64> {
    let n = execute(sql, params, false, |_, _| ())?.0;
    // SAFETY: a plain call inside a transaction.
    unsafe { pg_sys::CommandCounterIncrement() };
    Ok(n)
}

/// Runs a statement that changes something and returns rows.
pub fn run_returning(sql: &str, params: &[Param<'_>]) -> Result<Vec<Vec<Cell>>> {
    let rows = execute(sql, params, false, row)?.1;
    // SAFETY: a plain call inside a transaction.
    unsafe { pg_sys::CommandCounterIncrement() };
    Ok(rows)
}

/// Runs a query under the active snapshot.
pub fn query(sql: &str, params: &[Param<'_>]) -> Result<Vec<Vec<Cell>>> {
    Ok(execute(sql, params, true, row)?.1)
}

fn execute<T>(
    sql: &str,
    params: &[Param<'_>],
    read_only: bool,
    mut each: impl FnMut(pg_sys::HeapTuple, pg_sys::TupleDesc) -> T,
) -> Result<(u64, Vec<T>)> {
    let sql = CString::new(sql).map_err(|_| internal("NUL in a statement"))?;
    let (mut types, mut values, mut nulls) = (vec![], vec![], vec![]);
    for p in params {
        let (t, v) = datum(*p);
        types.push(t);
        values.push(v.unwrap_or(Datum::null()));
        nulls.push(if v.is_some() { b' ' } else { b'n' } as core::ffi::c_char);
    }
    // SAFETY: the arrays have one entry a parameter and outlive the call; the tuple table lives until SPI_finish. After
    // an ERROR the (sub)transaction's end cleans up.
    unsafe {
        if pg_sys::SPI_connect() != pg_sys::SPI_OK_CONNECT as i32 {
            return Err(internal("SPI_connect failed"));
        }
        let n = params.len() as i32;
        let code = pg_sys::SPI_execute_with_args(
            sql.as_ptr(),
            n,
            types.as_mut_ptr(),
            values.as_mut_ptr(),
            nulls.as_ptr(),
            read_only,
            0,
        );
        if code < 0 {
            return Err(internal(format!("SPI gave {code}")));
        }
        let processed = pg_sys::SPI_processed;
        let mut rows = vec![];
        if let Some(table) = pg_sys::SPI_tuptable.as_ref() {
            for i in 0..table.numvals as usize {
                rows.push(each(*table.vals.add(i), table.tupdesc));
            }
        }
        pg_sys::SPI_finish();
        Ok((processed, rows))
    }
}

fn datum(p: Param<'_>) -> (Oid, Option<Datum>) {
    match p {
        Param::Text(s) => (pg_sys::TEXTOID, s.map(|s| varlena(s.as_bytes()))),
        Param::Bytes(b) => (pg_sys::BYTEAOID, b.map(varlena)),
        Param::Int8(i) => (pg_sys::INT8OID, Some(Datum::from(i))),
        Param::Int4(i) => (pg_sys::INT4OID, i.map(Datum::from)),
        Param::Bool(b) => (pg_sys::BOOLOID, Some(Datum::from(b))),
    }
}

fn row(tuple: pg_sys::HeapTuple, desc: pg_sys::TupleDesc) -> Vec<Cell> {
    // SAFETY: tuple and descriptor belong together; column numbers run from 1 to natts.
    unsafe {
        (1..=(*desc).natts)
            .map(|i| {
                let mut null = false;
                let d = pg_sys::SPI_getbinval(tuple, desc, i, &mut null);
                if null { Cell::Null } else { cell(d, pg_sys::SPI_gettypeid(desc, i)) }
            })
            .collect()
    }
}

/// # Safety
/// `d` is a value of type `t`.
unsafe fn cell(d: Datum, t: Oid) -> Cell {
    // SAFETY: the caller's promise.
    unsafe {
        match t {
            pg_sys::BOOLOID => Cell::Bool(d.value() & 0xFF != 0),
            pg_sys::INT2OID => Cell::Int(i64::from(d.value() as i16)),
            pg_sys::INT4OID => Cell::Int(i64::from(d.value() as i32)),
            pg_sys::OIDOID => Cell::Int(i64::from(d.value() as u32)),
            pg_sys::INT8OID => Cell::Int(d.value() as i64),
            pg_sys::FLOAT8OID => Cell::Float(f64::from_bits(d.value() as u64)),
            pg_sys::UUIDOID => Cell::Bytes(core::slice::from_raw_parts(d.cast_mut_ptr::<u8>(), 16).to_vec()),
            pg_sys::TEXTOID => Cell::Text(String::from_utf8_lossy(payload(d).0).into_owned()),
            pg_sys::BYTEAOID => Cell::Bytes(payload(d).0.to_vec()),
            t if t == crate::types::bson_type() => Cell::Bytes(payload(d).0.to_vec()),
            t => {
                let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
                pg_sys::getTypeOutputInfo(t, &mut output, &mut is_varlena);
                Cell::Text(
                    CStr::from_ptr(pg_sys::OidOutputFunctionCall(output, d)).to_string_lossy().into_owned(),
                )
            }
        }
    }
}
