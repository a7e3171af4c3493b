//! What a filter says about single paths, as sets of key components.
//!
//! A [`Predicate`] holds for every document the filter matches: one of the document's keys for `path` lies in
//! `set`. The set may be wider than the filter (the filter is checked again on each document); it is never
//! narrower. Parts of a filter that say nothing of that kind are left out.

use super::{EMPTY_ARRAY, NULL, encode_by};
use crate::collation::Collation;
use crate::compare::{bracket, has_string};
use crate::query::is_nan;
use crate::raw::{Doc, Val, View, ty};

/// Keys between two prefixes. A bound that is included includes every key that starts with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Lower prefix.
    pub lo: Vec<u8>,
    /// Keys starting with `lo` belong to it.
    pub lo_in: bool,
    /// Upper prefix.
    pub hi: Vec<u8>,
    /// Keys starting with `hi` belong to it.
    pub hi_in: bool,
}

/// A condition on one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicate {
    /// Dotted path.
    pub path: String,
    /// Disjoint, ascending.
    pub set: Vec<Interval>,
    /// The set is exactly what the condition matches.
    pub exact: bool,
}

impl Interval {
    fn point(key: Vec<u8>) -> Self {
        Self { lo: key.clone(), lo_in: true, hi: key, hi_in: true }
    }

    /// Every key that starts with `lo`: more than one value.
    pub(super) fn prefix(lo: Vec<u8>) -> Self {
        let hi = after(&lo);
        Self { lo, lo_in: true, hi, hi_in: false }
    }

    /// Holds one value only.
    #[must_use]
    pub fn is_point(&self) -> bool {
        self.lo_in && self.hi_in && self.lo == self.hi
    }

    /// Smallest byte string that is not below the interval.
    pub(super) fn start(&self) -> Vec<u8> {
        if self.lo_in { self.lo.clone() } else { after(&self.lo) }
    }

    /// Smallest byte string above the interval.
    pub(super) fn end(&self) -> Vec<u8> {
        if self.hi_in { after(&self.hi) } else { self.hi.clone() }
    }
}

/// The set of exactly these components.
#[must_use]
pub fn points(components: Vec<Vec<u8>>) -> Vec<Interval> {
    normalize(components.into_iter().map(Interval::point).collect())
}

/// The smallest byte string above every string that starts with `prefix`. Encodings never consist of FF alone.
pub(super) fn after(prefix: &[u8]) -> Vec<u8> {
    let mut p = prefix.to_vec();
    while p.last() == Some(&0xFF) {
        p.pop();
    }
    if let Some(last) = p.last_mut() {
        *last += 1;
    }
    p
}

/// Sorts the intervals and joins those that touch.
pub(super) fn normalize(mut set: Vec<Interval>) -> Vec<Interval> {
    set.retain(|i| i.start() < i.end());
    set.sort_by_cached_key(|i| (i.start(), i.end()));
    let mut out: Vec<Interval> = Vec::with_capacity(set.len());
    for i in set {
        match out.last_mut() {
            Some(last) if i.start() < last.end() => {
                if i.end() > last.end() {
                    (last.hi, last.hi_in) = (i.hi, i.hi_in);
                }
            }
            _ => out.push(i),
        }
    }
    out
}

/// Keys in both sets.
pub(super) fn intersect(a: &[Interval], b: &[Interval]) -> Vec<Interval> {
    let mut out = Vec::new();
    for x in a {
        for y in b {
            let (lo, lo_in) = if x.start() >= y.start() { (&x.lo, x.lo_in) } else { (&y.lo, y.lo_in) };
            let (hi, hi_in) = if x.end() <= y.end() { (&x.hi, x.hi_in) } else { (&y.hi, y.hi_in) };
            out.push(Interval { lo: lo.clone(), lo_in, hi: hi.clone(), hi_in });
        }
    }
    normalize(out)
}

/// Every key in `a` is in `b`.
pub(super) fn within(a: &[Interval], b: &[Interval]) -> bool {
    a.iter().all(|x| b.iter().any(|y| y.start() <= x.start() && x.end() <= y.end()))
}

/// How the strings of a filter stand to those of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strings<'c> {
    /// Both have this collation: a string of the filter is found by its key.
    Alike(&'c Collation),
    /// The collations differ: keys say nothing about conditions with strings in them.
    Apart {
        /// The index has strings as they are, in which a regular expression's prefix can be looked up.
        plain: bool,
    },
}

impl<'c> Strings<'c> {
    /// For a filter under `filter` and an index under `index`.
    #[must_use]
    pub fn of(filter: &'c Collation, index: &Collation) -> Self {
        if filter == index { Strings::Alike(filter) } else { Strings::Apart { plain: index.is_simple() } }
    }

    /// The key of an operand; `None` when keys can't tell.
    fn key(self, v: Val<'_>) -> Option<Vec<u8>> {
        let collation = match self {
            Strings::Alike(c) => c,
            Strings::Apart { .. } if has_string(v) => return None,
            Strings::Apart { .. } => &Collation::SIMPLE,
        };
        let mut key = Vec::new();
        encode_by(&mut key, v, collation);
        Some(key)
    }

    fn point(self, v: Val<'_>) -> Option<Interval> {
        self.key(v).map(Interval::point)
    }

    fn are_plain(self) -> bool {
        match self {
            Strings::Alike(c) => c.is_simple(),
            Strings::Apart { plain } => plain,
        }
    }
}

/// The conditions that hold together in every document `filter` matches.
#[must_use]
pub fn predicates(filter: Doc<'_>, strings: Strings<'_>) -> Vec<Predicate> {
    let mut out = Vec::new();
    top(filter, "", strings, &mut out);
    out
}

fn top(filter: Doc<'_>, prefix: &str, strings: Strings<'_>, out: &mut Vec<Predicate>) {
    for e in filter {
        match e.name() {
            "$and" => {
                for d in e.val.as_array().into_iter().flat_map(Doc::values).filter_map(Val::as_doc) {
                    top(d, prefix, strings, out);
                }
            }
            name if name.starts_with('$') => {}
            name => {
                let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
                field(&path, e.val, strings, out);
            }
        }
    }
}

/// Starts with an operator, as opposed to being a document to compare with.
pub(super) fn operators(v: Val<'_>) -> Option<Doc<'_>> {
    let d = v.as_doc()?;
    let name = d.first()?.name();
    (name.starts_with('$') && !matches!(name, "$ref" | "$id" | "$db")).then_some(d)
}

fn field(path: &str, v: Val<'_>, strings: Strings<'_>, out: &mut Vec<Predicate>) {
    let Some(ops) = operators(v) else {
        return add(path, equal(v, strings), out);
    };
    for e in ops {
        match e.name() {
            "$elemMatch" => elem_match(path, e.val, strings, out),
            "$all" => {
                for x in e.val.as_array().into_iter().flat_map(Doc::values) {
                    if operators(x).is_none() {
                        add(path, equal(x, strings), out);
                    }
                }
            }
            "$regex" => {
                let options = ops.get("$options").and_then(Val::as_str).unwrap_or("");
                let set = match e.val.view() {
                    View::String(p) => regex(p, options, strings),
                    View::Regex { pattern, options: own } if options.is_empty() => {
                        regex(pattern, own, strings)
                    }
                    _ => None,
                };
                add(path, set.map(|s| (s, false)), out);
            }
            name => add(path, operator(name, e.val, strings), out),
        }
    }
}

fn add(path: &str, set: Option<(Vec<Interval>, bool)>, out: &mut Vec<Predicate>) {
    if let Some((set, exact)) = set {
        out.push(Predicate { path: path.to_owned(), set: normalize(set), exact });
    }
}

/// `$elemMatch`: all conditions hold for one array element. Conditions on the element itself therefore intersect;
/// conditions on its fields are conditions on longer paths.
fn elem_match(path: &str, v: Val<'_>, strings: Strings<'_>, out: &mut Vec<Predicate>) {
    let Some(d) = v.as_doc() else { return };
    let Some(first) = d.first() else { return };
    if !first.name().starts_with('$') {
        return top(d, path, strings, out);
    }
    let mut joined: Option<Vec<Interval>> = None;
    for e in d {
        // Inside `$elemMatch` an array element that is an array is compared as a whole: it is a key itself.
        if e.name() == "$eq" && e.val.as_array().is_some() {
            continue;
        }
        let Some((set, _)) = operator(e.name(), e.val, strings) else { continue };
        let set = normalize(set);
        joined = Some(match joined {
            None => set,
            Some(j) => intersect(&j, &set),
        });
    }
    add(path, joined.map(|s| (s, false)), out);
}

pub(super) fn operator(name: &str, v: Val<'_>, strings: Strings<'_>) -> Option<(Vec<Interval>, bool)> {
    match name {
        "$eq" if v.ty == ty::REGEX => Some((vec![strings.point(v)?], false)),
        "$eq" => equal(v, strings),
        "$in" => {
            let mut set = Vec::new();
            let mut exact = true;
            for x in v.as_array()?.values() {
                let (s, e) = equal(x, strings)?;
                set.extend(s);
                exact &= e;
            }
            Some((set, exact))
        }
        "$exists" if !truthy(v) => Some((vec![Interval::point(vec![NULL])], false)),
        "$gt" | "$gte" | "$lt" | "$lte" => range(name, v, strings),
        _ => None,
    }
}

/// What a value counts as where a bool is wanted: `$exists` takes anything that is not false, null or zero as true.
pub fn truthy(v: Val<'_>) -> bool {
    match v.view() {
        View::Bool(b) => b,
        View::Null | View::Undefined => false,
        _ if v.is_number() => crate::compare::values(v, Val::ZERO).is_ne(),
        _ => true,
    }
}

fn equal(v: Val<'_>, strings: Strings<'_>) -> Option<(Vec<Interval>, bool)> {
    Some(match v.view() {
        View::Undefined => return None,
        View::Null => {
            let undefined = Interval::point(vec![bracket(ty::UNDEFINED)]);
            (vec![undefined, Interval::point(vec![NULL])], false)
        }
        View::Regex { pattern, options } => {
            let mut set = regex(pattern, options, strings)?;
            set.push(strings.point(v)?);
            (set, false)
        }
        // The document's array is this one (its first element is a key), or has this one as an element.
        View::Array(a) => {
            let first = match a.values().next() {
                Some(v) => strings.point(v)?,
                None => Interval::point(vec![EMPTY_ARRAY]),
            };
            (vec![first, strings.point(v)?], false)
        }
        _ => (vec![strings.point(v)?], true),
    })
}

fn range(name: &str, v: Val<'_>, strings: Strings<'_>) -> Option<(Vec<Interval>, bool)> {
    if matches!(v.ty, ty::ARRAY | ty::MIN_KEY | ty::MAX_KEY | ty::UNDEFINED | ty::REGEX) {
        return None;
    }
    if v.ty == ty::NULL {
        return equal(v, strings);
    }
    let key = strings.key(v)?;
    let rank = vec![bracket(v.ty)];
    let inclusive = name.ends_with('e');
    Some(if name.starts_with("$g") {
        // No number is more than NaN.
        (vec![Interval { lo: key, lo_in: inclusive, hi: rank, hi_in: true }], !is_nan(v))
    } else {
        // NaN sorts below all numbers but is less than none of them.
        let (lo, lo_in) = if v.is_number() && !is_nan(v) {
            let mut nan = Vec::new();
            super::encode(&mut nan, Val { ty: ty::DOUBLE, bytes: &f64::NAN.to_le_bytes() });
            (nan, false)
        } else {
            (rank, true)
        };
        (vec![Interval { lo, lo_in, hi: key, hi_in: inclusive }], true)
    })
}

/// What an anchored pattern can match: strings with its literal prefix, and regular expression values. Other patterns
/// restrict too little to walk an index for.
fn regex(pattern: &str, options: &str, strings: Strings<'_>) -> Option<Vec<Interval>> {
    let prefix = literal_prefix(pattern);
    if !options.is_empty() || prefix.is_empty() || !strings.are_plain() {
        return None;
    }
    let low = [&[bracket(ty::STRING)], prefix.as_bytes()].concat();
    Some([low, vec![bracket(ty::REGEX)]].map(Interval::prefix).into())
}

/// The text every match of an anchored pattern starts with; empty when there is none that is plain to see.
fn literal_prefix(pattern: &str) -> &str {
    let Some(rest) = pattern.strip_prefix('^') else { return "" };
    let special =
        |c: char| !(c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '/' | ':' | '@' | ',' | '#' | '%'));
    if rest.contains('|') {
        return "";
    }
    let end = rest.find(special).unwrap_or(rest.len());
    let quantified = matches!(rest[end..].chars().next(), Some('*' | '?' | '+' | '{'));
    // A quantifier belongs to the character before it.
    let keep = if quantified { rest[..end].char_indices().next_back().map_or(0, |(i, _)| i) } else { end };
    &rest[..keep]
}
