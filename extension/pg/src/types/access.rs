//! Reading bson from SQL: `->`, `->>`, keys, rows to documents, sequences to rows.

use engine::{Doc, DocWriter, Elem, Val, Value};
use pgrx::pg_sys::{self, Datum};

use super::sequence;
use crate::error::{Result, internal};
use crate::sys::{payload, varlena};

/// The element at a dotted path; positions in arrays count as names.
fn at_path<'a>(bytes: &'a [u8], path: &str) -> Option<Elem<'a>> {
    let mut doc = Doc::trusted(bytes);
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        let e = doc.iter().find(|e| e.name_bytes() == part.as_bytes())?;
        if parts.peek().is_none() {
            return Some(e);
        }
        doc = e.val.as_doc().or(e.val.as_array())?;
    }
    None
}

/// `{"": value}`, the form in which a single value is a bson.
pub fn wrap(v: Val<'_>) -> Vec<u8> {
    let mut w = DocWriter::with_capacity(v.bytes.len() + 7);
    w.put_val("", v);
    w.finish()
}

pgfn! {
    /// `->`: the value at a path as `{"": value}`, NULL if there is none.
    fn bson_get_value(call) {
        Ok(match at_path(call.bytes(0)?, call.text(1)?) {
            Some(e) => varlena(&wrap(e.val)),
            None => call.null(),
        })
    }
}
pgfn! {
    /// `->>`: the value at a path as text: strings as they are, everything else as relaxed Extended JSON.
    fn bson_get_value_text(call) {
        let Some(e) = at_path(call.bytes(0)?, call.text(1)?) else { return Ok(call.null()) };
        Ok(match e.val.as_str() {
            Some(s) => varlena(s.as_bytes()),
            None => varlena(super::json::value(e.val).as_bytes()),
        })
    }
}
pgfn! {
    /// The names of a document's fields, as text[] (the SQL side unnests it).
    fn bson_object_keys_array(call) {
        let keys = Doc::trusted(call.bytes(0)?).iter().map(|e| varlena(e.name_bytes())).collect();
        array(keys, pg_sys::TEXTOID)
    }
}
pgfn! {
    /// The documents of a sequence as bytea[] (the SQL side unnests it).
    fn bsonsequence_documents(call) {
        array(sequence::documents(call.bytes(0)?).map(varlena).collect(), pg_sys::BYTEAOID)
    }
}
pgfn! {
    /// A document with one field for each column of a row.
    fn row_get_bson(call) { row(call.arg(0).ok_or_else(|| internal("a row cannot be NULL here"))?) }
}

/// An array of varlena elements.
fn array(mut elements: Vec<Datum>, element_type: pg_sys::Oid) -> Result<Datum> {
    let n = i32::try_from(elements.len()).map_err(|_| internal("too many elements"))?;
    // SAFETY: the elements are varlenas in the current memory context, of a type with alignment int4.
    Ok(Datum::from(unsafe {
        pg_sys::construct_array(elements.as_mut_ptr(), n, element_type, -1, false, b'i' as _)
    }))
}

fn row(record: Datum) -> Result<Datum> {
    let mut w = DocWriter::new();
    // SAFETY: the argument is declared record; its header names its row type; indices stay below natts.
    unsafe {
        let header = pg_sys::pg_detoast_datum(record.cast_mut_ptr()) as pg_sys::HeapTupleHeader;
        let desc = pg_sys::lookup_rowtype_tupdesc(
            pgrx::heap_tuple_header_get_type_id(header),
            pgrx::heap_tuple_header_get_typmod(header),
        );
        let natts = (*desc).natts as usize;
        let mut tuple = pg_sys::HeapTupleData {
            t_len: pgrx::heap_tuple_header_get_datum_length(header) as u32,
            t_data: header,
            ..Default::default()
        };
        let mut values = vec![Datum::null(); natts];
        let mut nulls = vec![true; natts];
        pg_sys::heap_deform_tuple(&mut tuple, desc, values.as_mut_ptr(), nulls.as_mut_ptr());
        for i in 0..natts {
            let att = &*(*desc).attrs.as_ptr().add(i);
            if att.attisdropped {
                continue;
            }
            let name = core::ffi::CStr::from_ptr(att.attname.data.as_ptr()).to_string_lossy();
            if nulls[i] {
                w.put(&name, &Value::Null);
            } else {
                column(&mut w, &name, values[i], att.atttypid);
            }
        }
        pg_sys::DecrTupleDescRefCount(desc);
    }
    Ok(varlena(&w.finish()))
}

/// # Safety
/// `d` is a value of type `t`.
unsafe fn column(w: &mut DocWriter, name: &str, d: Datum, t: pg_sys::Oid) {
    // SAFETY: the caller's promise.
    unsafe {
        match t {
            pg_sys::BOOLOID => w.put(name, &Value::Bool(d.value() & 0xFF != 0)),
            pg_sys::INT2OID => w.put(name, &Value::Int32(i32::from(d.value() as i16))),
            pg_sys::INT4OID => w.put(name, &Value::Int32(d.value() as i32)),
            pg_sys::INT8OID => w.put(name, &Value::Int64(d.value() as i64)),
            pg_sys::FLOAT4OID => w.put(name, &Value::Double(f64::from(f32::from_bits(d.value() as u32)))),
            pg_sys::FLOAT8OID => w.put(name, &Value::Double(f64::from_bits(d.value() as u64))),
            pg_sys::TEXTOID | pg_sys::VARCHAROID => w.put_str(name, &String::from_utf8_lossy(payload(d).0)),
            t if t == bson_type() => {
                let doc = Doc::trusted(payload(d).0);
                match doc.first() {
                    // A single value in its wrapping is that value.
                    Some(e) if e.name_bytes().is_empty() && doc.iter().count() == 1 => w.put_val(name, e.val),
                    _ => w.put_doc(name, doc),
                }
            }
            t => {
                let (mut output, mut varlena_type) = (pg_sys::InvalidOid, false);
                pg_sys::getTypeOutputInfo(t, &mut output, &mut varlena_type);
                let text = pg_sys::OidOutputFunctionCall(output, d);
                w.put_str(name, &core::ffi::CStr::from_ptr(text).to_string_lossy())
            }
        };
    }
}

/// The oid of bson, from PostgreSQL's cache.
pub fn bson_type() -> pg_sys::Oid {
    // SAFETY: cache look-ups with C strings and oids of the right kinds.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"documentdb_core".as_ptr(), false);
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::TYPENAMENSP as i32,
            pg_sys::Anum_pg_type_oid as i16,
            Datum::from(c"bson".as_ptr()),
            Datum::from(schema),
            Datum::null(),
            Datum::null(),
        )
    }
}
