//! A value against a schema.

use super::equal::{equal, order};
use super::{Additional, Arrays, Dependency, Items, Limit, Numbers, Objects, Schema, Strings};
use crate::decimal::{self, Parts};
use crate::error::Result;
use crate::raw::{Doc, Val, View};
use std::cmp::Ordering;

impl Schema {
    pub(super) fn check(&self, v: Val<'_>) -> Result<bool> {
        if self.types.is_some_and(|t| !t.contains(v.ty)) {
            return Ok(false);
        }
        if self.one_of_values.as_ref().is_some_and(|values| !values.iter().any(|o| equal(o.val(), v))) {
            return Ok(false);
        }
        let own = match v.view() {
            View::String(s) => self.strings.check(s)?,
            View::Array(a) => self.arrays.check(a)?,
            View::Document(d) => self.objects.check(d)?,
            _ if v.is_number() => self.numbers.check(v),
            _ => true,
        };
        Ok(own && self.check_combined(v)?)
    }

    fn check_combined(&self, v: Val<'_>) -> Result<bool> {
        for s in &self.all_of {
            if !s.check(v)? {
                return Ok(false);
            }
        }
        if !self.any_of.is_empty() {
            let mut any = false;
            for s in &self.any_of {
                any = any || s.check(v)?;
            }
            if !any {
                return Ok(false);
            }
        }
        if !self.one_of.is_empty() {
            let mut count = 0;
            for s in &self.one_of {
                count += u32::from(s.check(v)?);
            }
            if count != 1 {
                return Ok(false);
            }
        }
        match &self.not {
            Some(s) => Ok(!s.check(v)?),
            None => Ok(true),
        }
    }
}

impl Numbers {
    fn check(&self, v: Val<'_>) -> bool {
        let within = |limit: &Option<Limit>, wrong: Ordering| {
            limit.as_ref().is_none_or(|l| {
                let order = l.value.order(Some(v));
                order.is_some_and(|o| o != wrong && !(l.exclusive && o == Ordering::Equal))
            })
        };
        within(&self.minimum, Ordering::Less)
            && within(&self.maximum, Ordering::Greater)
            && self.multiple_of.is_none_or(|m| {
                let value = match v.view() {
                    View::Double(d) => Some(decimal::from_f64_15(d)),
                    _ => decimal::of_value(v),
                };
                let rest = value.map(|value| decimal::rem(value, m));
                matches!(rest, Some(Parts::Finite { coefficient: 0, .. }))
            })
    }
}

fn within(n: usize, min: Option<u64>, max: Option<u64>) -> bool {
    let n = u64::try_from(n).unwrap_or(u64::MAX);
    min.is_none_or(|min| n >= min) && max.is_none_or(|max| n <= max)
}

impl Strings {
    fn check(&self, s: &str) -> Result<bool> {
        if (self.min_length.is_some() || self.max_length.is_some())
            && !within(s.chars().count(), self.min_length, self.max_length)
        {
            return Ok(false);
        }
        self.pattern.as_ref().map_or(Ok(true), |p| p.matches_text(s.as_bytes()))
    }
}

impl Arrays {
    fn check(&self, array: Doc<'_>) -> Result<bool> {
        if (self.min_items.is_some() || self.max_items.is_some())
            && !within(array.iter().count(), self.min_items, self.max_items)
        {
            return Ok(false);
        }
        if self.unique {
            let mut values: Vec<_> = array.values().collect();
            values.sort_by(|a, b| order(*a, *b));
            if values.windows(2).any(|w| matches!(w, [a, b] if equal(*a, *b))) {
                return Ok(false);
            }
        }
        for (i, v) in array.values().enumerate() {
            let fits = match &self.items {
                Items::Any => true,
                Items::Each(s) => s.check(v)?,
                Items::List(list) => match list.get(i) {
                    Some(s) => s.check(v)?,
                    None => self.additional.check(v)?,
                },
            };
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Additional {
    fn check(&self, v: Val<'_>) -> Result<bool> {
        match self {
            Additional::Allowed => Ok(true),
            Additional::Forbidden => Ok(false),
            Additional::Schema(s) => s.check(v),
        }
    }
}

impl Objects {
    fn check(&self, d: Doc<'_>) -> Result<bool> {
        if self.required.iter().any(|name| d.get(name).is_none()) {
            return Ok(false);
        }
        if (self.min_properties.is_some() || self.max_properties.is_some())
            && !within(d.iter().count(), self.min_properties, self.max_properties)
        {
            return Ok(false);
        }
        for (name, schema) in &self.properties {
            if let Some(v) = d.get(name)
                && !schema.check(v)?
            {
                return Ok(false);
            }
        }
        Ok(self.check_fields(d)? && self.check_dependencies(d)?)
    }

    fn check_fields(&self, d: Doc<'_>) -> Result<bool> {
        if self.patterns.is_empty() && matches!(self.additional, Additional::Allowed) {
            return Ok(true);
        }
        for e in d {
            let mut named = self.properties.iter().any(|(name, _)| name.as_bytes() == e.name_bytes());
            for (pattern, schema) in &self.patterns {
                if pattern.matches_text(e.name_bytes())? {
                    named = true;
                    if !schema.check(e.val)? {
                        return Ok(false);
                    }
                }
            }
            if !named && !self.additional.check(e.val)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn check_dependencies(&self, d: Doc<'_>) -> Result<bool> {
        for (name, dependency) in &self.dependencies {
            if d.get(name).is_none() {
                continue;
            }
            let holds = match dependency {
                Dependency::Fields(fields) => fields.iter().all(|f| d.get(f).is_some()),
                Dependency::Schema(s) => s.matches(d)?,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
