//! What an index covers: kept as the parameter `spec` of its operator class, so it travels with the index definition.

use core::ffi::{CStr, c_char};
use core::mem::offset_of;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use engine::key::{Extracted, KeySpec};
use engine::query::{ParseContext, Place, Query};
use engine::{Doc, DocWriter};
use pgrx::pg_sys::{self, Datum, Oid};

use crate::error::{Error, Result, internal};

/// As PostgreSQL keeps the operator class's parameters.
#[repr(C)]
struct Stored {
    vl_len: i32,
    /// Offset of the text from the start of this struct; 0 when not given.
    spec: i32,
}

/// The definition of one index.
pub struct Definition {
    text: Vec<u8>,
    /// Key pattern and the like.
    pub spec: KeySpec,
    /// Only documents that match have entries.
    pub partial: Option<Query>,
}

impl Definition {
    /// Entries of a document.
    pub fn entries(&self, doc: &[u8]) -> Result<Extracted> {
        let doc = Doc::trusted(doc);
        if let Some(filter) = &self.partial
            && !filter.matches(doc)?
        {
            return Ok(Extracted::default());
        }
        Ok(self.spec.extract(doc)?)
    }
}

/// The parameter's text for an index: hexadecimal BSON, since key patterns may hold any character. It begins with a digit: what
/// begins with a letter is written to a dump without quotes, as a name, and names are cut off when they are read.
pub fn option_text(
    key: &[u8],
    sparse: bool,
    unique: bool,
    partial: Option<&[u8]>,
    wildcard: Option<&[u8]>,
    options: Option<&[u8]>,
) -> String {
    let mut w = DocWriter::new();
    w.put_doc("key", Doc::trusted(key));
    w.put("sparse", &engine::Value::Bool(sparse));
    w.put("unique", &engine::Value::Bool(unique));
    if let Some(p) = partial {
        w.put_doc("partial", Doc::trusted(p));
    }
    if let Some(p) = wildcard {
        w.put_doc("wildcardProjection", Doc::trusted(p));
    }
    // The order of strings, the square of a `2d` index, the weights and languages of a text index.
    const PASSED: [&str; 7] =
        ["bits", "min", "max", "collation", "weights", "default_language", "language_override"];
    for e in options.map(Doc::trusted).into_iter().flatten() {
        if PASSED.contains(&e.name()) {
            w.put_elem(&e);
        }
    }
    let digits: String = w.finish().iter().map(|b| format!("{b:02x}")).collect();
    format!("{PREFIX}{digits}")
}

/// What the parameter's text begins with.
const PREFIX: &str = "0x";

thread_local! {
    static KNOWN: RefCell<HashMap<Oid, Rc<Definition>>> = RefCell::default();
}

/// The definition of an open index.
///
/// # Safety
/// `index` is an open index of this access method.
pub unsafe fn definition(index: pg_sys::Relation) -> Result<Rc<Definition>> {
    // SAFETY: the relation is open, and so are its parameters, which live with its cache entry.
    let (oid, text) = unsafe {
        let mut options = (*index).rd_opcoptions;
        if options.is_null() {
            options = pg_sys::RelationGetIndexAttOptions(index, false);
        }
        let stored =
            if options.is_null() { core::ptr::null() } else { (*options).cast::<Stored>().cast_const() };
        if stored.is_null() || (*stored).spec == 0 {
            return Err(internal("an index without a key pattern"));
        }
        let start = stored.cast::<c_char>().add((*stored).spec as usize);
        ((*index).rd_id, CStr::from_ptr(start).to_bytes())
    };
    // The text is compared, so a dropped index whose oid is used again can't be mistaken for its successor.
    if let Some(d) = KNOWN.with_borrow(|k| k.get(&oid).filter(|d| d.text == text).cloned()) {
        return Ok(d);
    }
    let parsed = Rc::new(parse(text)?);
    KNOWN.with_borrow_mut(|k| k.insert(oid, parsed.clone()));
    Ok(parsed)
}

fn parse(text: &[u8]) -> Result<Definition> {
    let bad = || Error::native(b"22023", "the parameter spec of a bson_btree index is not valid");
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let digits = text.strip_prefix(PREFIX.as_bytes()).unwrap_or(text);
    let bytes: Option<Vec<u8>> =
        digits.chunks(2).map(|p| Some(digit(*p.first()?)? << 4 | digit(*p.get(1)?)?)).collect();
    let bytes = bytes.ok_or_else(bad)?;
    let doc = Doc::new(&bytes).map_err(|_| bad())?;
    let spec = KeySpec::parse(doc)?;
    let partial = match doc.get("partial").and_then(|v| v.as_doc()) {
        Some(filter) => {
            let collation = Some(&spec.collation);
            let cx = ParseContext { place: Place::PartialIndex, collation, ..ParseContext::default() };
            Some(Query::parse(filter, &cx)?)
        }
        None => None,
    };
    Ok(Definition { text: text.to_vec(), spec, partial })
}

pgfn! {
    /// The operator class's parameters.
    fn bson_btree_options(call) {
        let Some(options) = call.arg(0) else { return Err(internal("no options")) };
        let (name, about) = (c"spec".as_ptr(), c"key pattern and options as hexadecimal BSON".as_ptr());
        // SAFETY: PostgreSQL hands over its own structure; names and descriptions are static.
        unsafe {
            let options = options.cast_mut_ptr::<pg_sys::local_relopts>();
            pg_sys::init_local_reloptions(options, size_of::<Stored>());
            let at = offset_of!(Stored, spec) as i32;
            pg_sys::add_local_string_reloption(options, name, about, core::ptr::null(), None, None, at);
        }
        Ok(Datum::null())
    }
}
