//! The keys of one document.

use super::spec::{KeySpec, position};
use super::{EMPTY_ARRAY, MAX_KEY, NULL, encode_by, path_marker};
use crate::raw::{Doc, Val, ty};
use crate::{Result, bail, codes};
use sha2::{Digest, Sha256};

/// Number of the marker that stands for "some key was cut at [`MAX_KEY`]".
pub const TRUNCATED: u8 = 0xFF;

/// Bytes of hash appended to a cut key, so that two long values stay different under a unique index.
const HASH: usize = 16;

/// The entries one document has in an index.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Keys, ascending, each once; empty when the index skips the document.
    pub keys: Vec<Vec<u8>>,
    /// Bodies of the markers the document needs: the number of a component for which it has several keys, [`TRUNCATED`], a
    /// [`path_marker`].
    pub markers: Vec<Vec<u8>>,
}

/// The key that announces a property (a component with several values in one document, or [`TRUNCATED`])
/// somewhere in the index. It sorts before every other key. `row` keeps markers apart in a unique index.
#[must_use]
pub fn marker(body: &[u8], row: Option<[u8; 6]>) -> Vec<u8> {
    let mut key = vec![0];
    key.extend_from_slice(body);
    key.extend(row.into_iter().flatten());
    key
}

/// Cuts a complete key to the stored form; says whether it had to.
#[must_use]
pub fn finish(mut key: Vec<u8>) -> (Vec<u8>, bool) {
    if key.len() <= MAX_KEY {
        return (key, false);
    }
    let hash = Sha256::digest(&key);
    key.truncate(MAX_KEY - HASH);
    key.extend_from_slice(&hash[..HASH]);
    (key, true)
}

/// Where one component's path has got to.
#[derive(Clone, Copy)]
enum At<'a> {
    /// In this document, before path component `.1`.
    Doc(Doc<'a>, usize),
    /// In this array; `.1` components are consumed.
    Array(Doc<'a>, usize),
    /// The path's value.
    Value(Val<'a>),
    Missing,
    EmptyArray,
}

impl KeySpec {
    /// Entries of `doc`, which go through arrays as MongoDB's multikey indexes do.
    ///
    /// # Errors
    /// `CannotIndexParallelArrays` when two components go through different arrays, `Location16746` when a numeric
    /// component could mean both an array position and a field.
    pub fn extract(&self, doc: Doc<'_>) -> Result<Extracted> {
        let (mut out, multi) = self.walk(doc, false)?;
        out.keys.sort_unstable();
        out.keys.dedup();
        if out.keys.len() > 1 {
            out.markers.extend((0u8..).zip(multi).filter(|(_, m)| *m).map(|(i, _)| vec![i]));
        }
        Ok(out)
    }

    /// The least key of `doc`, uncut: what a sort by these components compares.
    ///
    /// # Errors
    /// As [`KeySpec::extract`].
    pub fn least(&self, doc: Doc<'_>) -> Result<Vec<u8>> {
        let (out, _) = self.walk(doc, true)?;
        Ok(out.keys.into_iter().min().unwrap_or_default())
    }

    fn walk(&self, doc: Doc<'_>, whole: bool) -> Result<(Extracted, Vec<bool>)> {
        let multi = vec![false; self.fields.len()];
        let mut walk = Walk { spec: self, out: Extracted::default(), multi, whole, wild: Vec::new() };
        let mut at = vec![At::Doc(doc, 0); self.fields.len()];
        if let Some(w) = &self.wildcard {
            at[w.at] = At::Missing;
            let (components, several) = w.components(doc, self.fields[w.at].descending, &self.collation);
            walk.wild = components;
            walk.out.markers.extend(several.iter().map(|p| path_marker(p)));
            if walk.wild.is_empty() {
                if self.fields.len() == 1 {
                    return Ok((walk.out, walk.multi));
                }
                walk.wild.push(vec![NULL]);
            }
        }
        if let Some(t) = &self.text {
            at[t.at] = At::Missing;
            walk.wild = t.terms(doc)?.keys().map(|term| super::text_component(term)).collect();
        }
        walk.go(at).map_err(|e| self.about(e, doc))?;
        Ok((walk.out, walk.multi))
    }
}

struct Walk<'s> {
    spec: &'s KeySpec,
    out: Extracted,
    multi: Vec<bool>,
    /// Keys are given uncut.
    whole: bool,
    /// The components of the spec's wildcard or text.
    wild: Vec<Vec<u8>>,
}

impl<'s> Walk<'s> {
    /// Follows every component until it ends or meets an array, then goes through that array's elements.
    fn go(&mut self, mut at: Vec<At<'_>>) -> Result<()> {
        let mut array: Option<(Doc<'_>, usize)> = None;
        for (i, a) in at.iter_mut().enumerate() {
            let parts = &self.spec.fields[i].parts;
            *a = descend(*a, parts)?;
            let At::Array(d, used) = *a else { continue };
            // A pair of coordinates is one value.
            if self.spec.fields[i].geo.is_some() && used == parts.len() {
                *a = At::Value(Val { ty: ty::ARRAY, bytes: d.bytes() });
                continue;
            }
            if self.spec.fields[i].hashed {
                bail!(
                    codes::LOCATION16766,
                    "hashed indexes do not currently support array values. Found array at path: {}",
                    self.spec.fields[i].path
                );
            }
            match array {
                None => array = Some((d, i)),
                Some((other, _)) if std::ptr::eq(other.bytes(), d.bytes()) => {}
                // Gone through after the first one.
                Some(_) if self.spec.is_geo() => {}
                Some((_, first)) => bail!(
                    codes::CANNOT_INDEX_PARALLEL_ARRAYS,
                    "cannot index parallel arrays [{}] [{}]",
                    parts.last().map_or("", String::as_str),
                    self.spec.fields[first].parts.last().map_or("", String::as_str)
                ),
            }
        }
        let Some((array, _)) = array else { return self.emit(&at) };
        let several = array.iter().nth(1).is_some();
        let mut elements = array.values().peekable();
        if elements.peek().is_none() {
            for (i, a) in at.iter_mut().enumerate() {
                if let At::Array(d, used) = *a
                    && std::ptr::eq(d.bytes(), array.bytes())
                {
                    *a = if used == self.spec.fields[i].parts.len() { At::EmptyArray } else { At::Missing };
                }
            }
            return self.go(at);
        }
        for v in elements {
            let mut next = at.clone();
            for (i, a) in next.iter_mut().enumerate() {
                let At::Array(d, used) = *a else { continue };
                if !std::ptr::eq(d.bytes(), array.bytes()) {
                    continue;
                }
                self.multi[i] |= several;
                *a = if used == self.spec.fields[i].parts.len() {
                    At::Value(v)
                } else {
                    v.as_doc().map_or(At::Missing, |d| At::Doc(d, used))
                };
            }
            self.go(next)?;
        }
        Ok(())
    }

    fn emit(&mut self, at: &[At<'_>]) -> Result<()> {
        if self.spec.sparse && at.iter().all(|a| matches!(a, At::Missing)) {
            return Ok(());
        }
        if self.spec.is_geo() {
            return self.emit_geo(at);
        }
        let mut key = Vec::with_capacity(16 * at.len());
        let mut wild = 0;
        let special = self.spec.wildcard.as_ref().map(|w| w.at).or(self.spec.text.as_ref().map(|t| t.at));
        for (i, (a, field)) in at.iter().zip(&self.spec.fields).enumerate() {
            let start = key.len();
            if special == Some(i) {
                wild = start;
                continue;
            }
            match a {
                At::Value(v) => encode_by(&mut key, *v, &self.spec.collation),
                At::EmptyArray => key.push(EMPTY_ARRAY),
                _ => key.push(NULL),
            }
            if field.descending {
                key[start..].iter_mut().for_each(|b| *b = !*b);
            }
        }
        if special.is_none() {
            self.add(key);
            return Ok(());
        }
        let (before, behind) = key.split_at(wild);
        for component in std::mem::take(&mut self.wild) {
            self.add([before, &component, behind].concat());
            self.wild.push(component);
        }
        Ok(())
    }

    /// Entries with geometries: one for each combination of their cells. A document without any has none.
    fn emit_geo(&mut self, at: &[At<'_>]) -> Result<()> {
        let mut keys = vec![Vec::new()];
        let mut located = false;
        for (i, (a, field)) in at.iter().zip(&self.spec.fields).enumerate() {
            let parts: Vec<Vec<u8>> = match (a, &field.geo) {
                (At::Value(v), Some(kind)) => kind.components(*v, &field.path)?,
                (At::Value(v), None) => {
                    let mut part = Vec::new();
                    encode_by(&mut part, *v, &self.spec.collation);
                    vec![part]
                }
                (At::EmptyArray, None) => vec![vec![EMPTY_ARRAY]],
                _ => Vec::new(),
            };
            located |= field.geo.is_some() && !parts.is_empty();
            self.multi[i] |= parts.len() > 1;
            let mut parts = if parts.is_empty() { vec![vec![NULL]] } else { parts };
            if field.descending {
                parts.iter_mut().flatten().for_each(|b| *b = !*b);
            }
            keys = keys.iter().flat_map(|k| parts.iter().map(move |p| [k.as_slice(), p].concat())).collect();
        }
        if located {
            keys.into_iter().for_each(|key| self.add(key));
        }
        Ok(())
    }

    fn add(&mut self, key: Vec<u8>) {
        let (key, cut) = if self.whole { (key, false) } else { finish(key) };
        if cut && !self.out.markers.iter().any(|m| *m == [TRUNCATED]) {
            self.out.markers.push(vec![TRUNCATED]);
        }
        self.out.keys.push(key);
    }
}

/// Follows documents and array positions; stops at an array to go through, at the value or where the path ends.
fn descend<'a>(mut at: At<'a>, parts: &[String]) -> Result<At<'a>> {
    loop {
        let At::Doc(d, used) = at else { return Ok(at) };
        let Some(part) = parts.get(used) else {
            return Ok(At::Value(Val { ty: ty::DOCUMENT, bytes: d.bytes() }));
        };
        at = match d.get(part) {
            Some(v) => step(v, used + 1, parts)?,
            None => At::Missing,
        };
    }
}

fn step<'a>(v: Val<'a>, used: usize, parts: &[String]) -> Result<At<'a>> {
    let Some(array) = v.as_array() else {
        return Ok(match v.as_doc() {
            Some(d) if used < parts.len() => At::Doc(d, used),
            _ if used == parts.len() => At::Value(v),
            _ => At::Missing,
        });
    };
    let Some(part) = parts.get(used) else { return Ok(At::Array(array, used)) };
    let Some(index) = position(part) else { return Ok(At::Array(array, used)) };
    let named = array.values().any(|v| v.as_doc().is_some_and(|d| d.get(part).is_some()));
    match array.values().nth(index) {
        Some(_) if named => bail!(
            codes::LOCATION16746,
            "Ambiguous field name found in array (do not use numeric field names in embedded elements in an array), field: '{part}'"
        ),
        Some(v) => step(v, used + 1, parts),
        None => Ok(At::Array(array, used)),
    }
}
