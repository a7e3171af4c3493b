//! Text and binary forms: raw bytes on the wire, `BSONHEX…` or Extended JSON as text.

use pgrx::pg_sys::{self, Datum};

use super::{check, invalid, sequence};
use crate::error::Result;
use crate::guc;
use crate::sys::{Call, cstring, varlena};

const HEX: &str = "BSONHEX";

pgfn! {
    /// Text input of bson: `BSONHEX` and hex digits, or Extended JSON.
    fn bson_in(call) { Ok(varlena(&parse(call.cstring(0)?)?)) }
}
pgfn! {
    /// Text output of bson. Never raises: PostgreSQL calls it while it reports a duplicate key.
    fn bson_out(call) { Ok(cstring(&print(call.bytes(0)?))) }
}
pgfn! {
    /// Binary input of bson: one document.
    fn bson_recv(call) { receive(call, check) }
}
pgfn! {
    /// Binary output of bson and bsonsequence: the bytes as they are.
    fn bson_send(call) { Ok(varlena(call.bytes(0)?)) }
}
pgfn! {
    /// The cast from bytea: as the binary input.
    fn bson_from_bytea(call) {
        check(call.bytes(0)?)?;
        call.arg(0).ok_or_else(invalid)
    }
}
pgfn! {
    /// The cast to bytea: the same bytes under another type.
    fn bson_to_bytea(call) { call.arg(0).ok_or_else(invalid) }
}
pgfn! {
    /// Extended JSON, always.
    fn bson_to_json_string(call) { Ok(cstring(&json(call.bytes(0)?))) }
}
pgfn! {
    /// Extended JSON (text) to bson.
    fn bson_json_to_bson(call) { Ok(varlena(&parse_json(call.text(0)?)?)) }
}
pgfn! {
    /// `BSONHEX…`, always.
    fn bson_to_bson_hex(call) { Ok(cstring(&hex(call.bytes(0)?))) }
}
pgfn! {
    /// `BSONHEX…` to bson.
    fn bson_hex_to_bson(call) {
        let bytes = unhex(call.cstring(0)?)?;
        check(&bytes)?;
        Ok(varlena(&bytes))
    }
}
pgfn! {
    /// Text input of bsonsequence: hex digits of documents one after the other, one JSON document or an array of them.
    fn bsonsequence_in(call) {
        let text = call.cstring(0)?;
        let bytes = if text.trim_start().starts_with(HEX) { unhex(text)? } else { sequence::from_json(text)? };
        sequence::check(&bytes)?;
        Ok(varlena(&bytes))
    }
}
pgfn! {
    /// Text output of bsonsequence.
    fn bsonsequence_out(call) {
        let bytes = call.bytes(0)?;
        if !guc::flag(c"documentdb_core.bsonUseEJson") {
            return Ok(cstring(&hex(bytes)));
        }
        let all: Vec<String> = sequence::documents(bytes).map(json).collect();
        Ok(cstring(&format!("[{}]", all.join(", "))))
    }
}
pgfn! {
    /// Binary input of bsonsequence: documents one after the other, as in a wire message.
    fn bsonsequence_recv(call) { receive(call, sequence::check) }
}
pgfn! {
    /// The cast from bytea: as the binary input.
    fn bsonsequence_from_bytea(call) {
        sequence::check(call.bytes(0)?)?;
        call.arg(0).ok_or_else(invalid)
    }
}

fn receive(call: Call<'_>, check: fn(&[u8]) -> Result<()>) -> Result<Datum> {
    let buffer = call.arg(0).ok_or_else(invalid)?.cast_mut_ptr::<pg_sys::StringInfoData>();
    // SAFETY: a receive function is called with a message buffer; the bytes live until the call ends.
    let bytes = unsafe {
        let n = (*buffer).len - (*buffer).cursor;
        let p = pg_sys::pq_getmsgbytes(buffer, n) as *const u8;
        core::slice::from_raw_parts(p, n as usize)
    };
    check(bytes)?;
    Ok(varlena(bytes))
}

fn parse(text: &str) -> Result<Vec<u8>> {
    if text.starts_with(HEX) {
        let bytes = unhex(text)?;
        check(&bytes)?;
        return Ok(bytes);
    }
    parse_json(text)
}

/// One document (or an array, kept as a document of its positions) in Extended JSON.
pub fn parse_json(text: &str) -> Result<Vec<u8>> {
    let bytes = super::json::parse(text)?;
    check(&bytes)?;
    Ok(bytes)
}

fn print(bytes: &[u8]) -> String {
    if guc::flag(c"documentdb_core.bsonUseEJson") { json(bytes) } else { hex(bytes) }
}

fn json(bytes: &[u8]) -> String {
    super::json::document(engine::Doc::trusted(bytes))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut s = String::with_capacity(HEX.len() + 2 * bytes.len());
    s.push_str(HEX);
    for b in bytes {
        s.push(DIGITS[usize::from(b >> 4)] as char);
        s.push(DIGITS[usize::from(b & 15)] as char);
    }
    s
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    let digits = text.trim().strip_prefix(HEX).unwrap_or(text.trim()).as_bytes();
    let digit = |c: u8| (c as char).to_digit(16).map(|d| d as u8);
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(invalid());
    }
    pairs.map(|p| Some(digit(p[0])? << 4 | digit(p[1])?)).collect::<Option<Vec<u8>>>().ok_or_else(invalid)
}
