//! From the conditions of a filter to ranges of an index's keys.

use super::filter::{Interval, Predicate, Strings, after, intersect, operators, truthy, within};
use super::{KeySpec, MAX_KEY, NULL, predicates};
use crate::compare::has_string;
use crate::raw::Doc;

/// Most ranges one plan may consist of; past it the components that multiply them are left to the filter.
const MAX_RANGES: usize = 1000;

/// Keys `k` with `lo <= k < hi`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// First key.
    pub lo: Vec<u8>,
    /// First key after the range.
    pub hi: Vec<u8>,
}

/// The part of an index a filter needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Disjoint ranges in key order.
    pub ranges: Vec<KeyRange>,
    /// Leading components that the filter fixes to one value.
    pub fixed: usize,
    /// Leading components the ranges restrict.
    pub used: usize,
    /// Some restricted component can't be null or missing, so a sparse index has every matching document.
    pub present: bool,
}

/// What [`super::marker`] entries tell about an index.
#[derive(Clone, Debug, Default)]
pub struct Traits {
    /// Per component: some document has several keys for it.
    pub multi: Vec<bool>,
    /// Some key was cut.
    pub truncated: bool,
}

impl KeyRange {
    /// Every key except markers.
    #[must_use]
    pub fn all() -> Self {
        Self { lo: vec![1], hi: vec![0xFF] }
    }

    /// The key lies in the range.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.lo.as_slice() <= key && key < self.hi.as_slice()
    }
}

impl Bounds {
    /// Bounds of `filter`'s conditions on an index.
    ///
    /// A component with several keys per document takes one condition only: two conditions may be met by different
    /// keys. For the same reason only one such component is restricted.
    #[must_use]
    pub fn of(spec: &KeySpec, traits: &Traits, conditions: &[Predicate]) -> Self {
        let mut prefixes: Vec<Vec<u8>> = vec![Vec::new()];
        let mut out = Self { ranges: Vec::new(), fixed: 0, used: 0, present: false };
        let mut multi_used = false;
        for (i, f) in spec.fields.iter().enumerate() {
            let multi = traits.multi.get(i).copied().unwrap_or(true);
            let mine = conditions.iter().filter(|p| p.path == f.path);
            if f.positional() || (multi && multi_used) {
                break;
            }
            let set = if multi {
                mine.min_by_key(|p| cost(&p.set)).map(|p| p.set.clone())
            } else {
                mine.map(|p| p.set.clone()).reduce(|a, b| intersect(&a, &b))
            };
            let Some(set) = set else { break };
            if prefixes.len().saturating_mul(set.len()) > MAX_RANGES {
                break;
            }
            multi_used |= multi;
            out.used = i + 1;
            out.present |=
                !set.iter().any(|s| s.start().as_slice() <= [NULL].as_slice() && s.end() > vec![NULL]);
            let set: Vec<Interval> =
                if f.descending { set.iter().rev().map(complement).collect() } else { set };
            let set: Vec<Interval> =
                if f.lead.is_empty() { set } else { set.iter().map(|s| behind(&f.lead, s)).collect() };
            if !set.iter().all(Interval::is_point) {
                out.ranges = disjoint(product(&prefixes, |p| set.iter().map(|s| range(p, s)).collect()));
                return out;
            }
            if set.len() == 1 && out.fixed == i {
                out.fixed = i + 1;
            }
            prefixes = product(&prefixes, |p| set.iter().map(|s| [p, &s.lo].concat()).collect());
        }
        out.ranges = if out.used == 0 {
            vec![KeyRange::all()]
        } else {
            disjoint(prefixes.iter().map(|p| cut(p.clone(), after(p))).collect())
        };
        out
    }

    /// From a key (included) up to another (excluded), as find's `min` and `max` give them; `None` is no end. `None` as
    /// the result: the first is not before the second.
    #[must_use]
    pub fn between(min: Option<Vec<u8>>, max: Option<Vec<u8>>) -> Option<Self> {
        let all = KeyRange::all();
        let (lo, hi) = (min.unwrap_or(all.lo), max.unwrap_or(all.hi));
        (lo < hi).then(|| Self { ranges: vec![cut(lo, hi)], fixed: 0, used: 1, present: true })
    }

    /// The range that contains `key`.
    #[must_use]
    pub fn covers(&self, key: &[u8]) -> bool {
        let at = self.ranges.partition_point(|r| r.hi.as_slice() <= key);
        self.ranges.get(at).is_some_and(|r| r.contains(key))
    }

    /// Scanning the ranges in order (or, for `Some(true)`, backwards) yields documents in the order of `sort`, a list
    /// of paths with a descending flag. `None` when it does not.
    #[must_use]
    pub fn order(&self, spec: &KeySpec, traits: &Traits, sort: &[(String, bool)]) -> Option<bool> {
        if traits.truncated || spec.sparse && !self.present {
            return None;
        }
        // A sort field with one value orders nothing.
        let fixed = |path: &str| {
            spec.fields
                .iter()
                .take(self.fixed)
                .enumerate()
                .any(|(i, f)| f.path == path && !traits.multi.get(i).copied().unwrap_or(true))
        };
        let sort: Vec<_> = sort.iter().filter(|(p, _)| !fixed(p)).collect();
        let rest = spec.fields.get(self.fixed..).unwrap_or(&[]);
        if sort.len() > rest.len() {
            return None;
        }
        let mut backward = None;
        for (i, (path, descending)) in sort.iter().enumerate() {
            let f = &rest[i];
            let multi = traits.multi.get(self.fixed + i).copied().unwrap_or(true);
            let reverse = *descending != f.descending;
            if f.path != *path || f.positional() || multi || backward.is_some_and(|b| b != reverse) {
                return None;
            }
            backward = Some(reverse);
        }
        Some(backward.unwrap_or(false))
    }
}

/// The filter of a partial index, which is under the index's collation, holds for every document that `filter`
/// matches.
#[must_use]
pub fn implies(filter: Doc<'_>, conditions: &[Predicate], partial: Doc<'_>, strings: Strings<'_>) -> bool {
    partial.iter().all(|e| {
        let alike = matches!(strings, Strings::Alike(_)) || !has_string(e.val);
        if alike
            && filter
                .iter()
                .any(|f| f.name() == e.name() && f.val.ty == e.val.ty && f.val.bytes == e.val.bytes)
        {
            return true;
        }
        if e.name() == "$and" {
            let parts = e.val.as_array().unwrap_or(Doc::EMPTY);
            return parts
                .values()
                .all(|v| v.as_doc().is_some_and(|d| implies(filter, conditions, d, strings)));
        }
        !e.name().starts_with('$') && implied_field(conditions, e.name(), e.val, strings)
    })
}

fn implied_field(
    conditions: &[Predicate],
    path: &str,
    wanted: crate::raw::Val<'_>,
    strings: Strings<'_>,
) -> bool {
    let mine: Vec<_> = conditions.iter().filter(|p| p.path == path).collect();
    let each = |name: &str, v: crate::raw::Val<'_>| {
        if name == "$exists" {
            return truthy(v)
                && mine
                    .iter()
                    .any(|p| !p.set.iter().any(|s| s.start() <= vec![NULL] && s.end() > vec![NULL]));
        }
        let mut w = crate::DocWriter::new();
        let mut inner = crate::DocWriter::new();
        inner.put_val(name, v);
        w.put_doc(path, Doc::trusted(&inner.finish()));
        match predicates(Doc::trusted(&w.finish()), strings).as_slice() {
            [p] if p.exact => mine.iter().any(|m| within(&m.set, &p.set)),
            _ => false,
        }
    };
    match operators(wanted) {
        Some(ops) => ops.iter().all(|e| each(e.name(), e.val)),
        None => each("$eq", wanted),
    }
}

/// Joins ranges that cutting has made overlap; they are in order.
fn disjoint(ranges: Vec<KeyRange>) -> Vec<KeyRange> {
    let mut out: Vec<KeyRange> = Vec::with_capacity(ranges.len());
    for r in ranges {
        match out.last_mut() {
            Some(last) if r.lo < last.hi => last.hi = r.hi.max(std::mem::take(&mut last.hi)),
            _ => out.push(r),
        }
    }
    out
}

/// Points before ranges, few before many.
fn cost(set: &[Interval]) -> (bool, usize) {
    (!set.iter().all(Interval::is_point), set.len())
}

fn product<T>(prefixes: &[Vec<u8>], f: impl Fn(&[u8]) -> Vec<T>) -> Vec<T> {
    prefixes.iter().flat_map(|p| f(p)).collect()
}

fn complement(s: &Interval) -> Interval {
    let not = |b: &[u8]| b.iter().map(|x| !x).collect();
    Interval { lo: not(&s.hi), lo_in: s.hi_in, hi: not(&s.lo), hi_in: s.lo_in }
}

/// The same interval among components that begin with `lead`.
fn behind(lead: &[u8], s: &Interval) -> Interval {
    Interval { lo: [lead, &s.lo].concat(), hi: [lead, &s.hi].concat(), ..*s }
}

fn range(prefix: &[u8], s: &Interval) -> KeyRange {
    cut([prefix, &s.start()].concat(), [prefix, &s.end()].concat())
}

/// Stored keys are cut at [`MAX_KEY`] and end in a hash then: bounds that long are cut wider.
fn cut(mut lo: Vec<u8>, hi: Vec<u8>) -> KeyRange {
    const KEEP: usize = MAX_KEY - 64;
    lo.truncate(KEEP);
    let hi = if hi.len() > KEEP { after(&hi[..KEEP]) } else { hi };
    KeyRange { lo, hi }
}
