//! `$group`, `$sortByCount`.

use super::{Budget, Docs, ParseContext, Run, Stage, blocking, sort};
use crate::accumulator::{Accumulator, State, identity};
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::{EvalContext, Expr};
use crate::raw::{Doc, Val};
use crate::sort::SortSpec;
use crate::value::{DocWriter, Value};
use crate::{bail, codes};
use std::collections::HashMap;
use std::rc::Rc;

#[derive(Debug)]
struct Group {
    id: Expr,
    fields: Vec<(String, Accumulator)>,
    collation: Collation,
}

/// The accumulators of one group.
pub(super) struct Running {
    states: Vec<State>,
}

impl Running {
    pub(super) fn start(id: &Value, fields: &[(String, Accumulator)]) -> Result<Self> {
        let mut key = DocWriter::new();
        key.put("_id", id);
        let key = key.finish();
        let cx = EvalContext::new(Doc::trusted(&key));
        Ok(Self { states: fields.iter().map(|(_, a)| a.start(&cx)).collect::<Result<_>>()? })
    }

    pub(super) fn add(&mut self, fields: &[(String, Accumulator)], doc: Doc<'_>) -> Result<usize> {
        let mut grown = 0;
        for ((_, a), state) in fields.iter().zip(&mut self.states) {
            grown += a.add(state, doc)?;
        }
        Ok(grown)
    }

    pub(super) fn finish(self, id: &Value, fields: &[(String, Accumulator)]) -> Vec<u8> {
        let mut out = DocWriter::new();
        out.put("_id", id);
        for ((name, a), state) in fields.iter().zip(self.states) {
            out.put(name, &a.finish(state));
        }
        out.finish()
    }
}

impl Stage for Group {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        blocking(move || {
            let mut budget = Budget::new("$group", cx);
            let mut index: HashMap<Vec<u8>, usize> = HashMap::new();
            let mut groups: Vec<(Value, Running)> = Vec::new();
            for doc in input {
                let doc = doc?;
                let d = Doc::trusted(&doc);
                let id = self.id.eval(&EvalContext::new(d))?.unwrap_or(Value::Null);
                let key = identity(&id, &self.collation);
                let at = match index.get(&key) {
                    Some(at) => *at,
                    None => {
                        budget.take(2 * key.len())?;
                        groups.push((id.clone(), Running::start(&id, &self.fields)?));
                        index.insert(key, groups.len() - 1);
                        groups.len() - 1
                    }
                };
                if let Some((_, running)) = groups.get_mut(at) {
                    let grown = running.add(&self.fields, d)?;
                    if grown > 0 {
                        budget.take(grown)?;
                    }
                }
            }
            Ok(groups.into_iter().map(|(id, r)| r.finish(&id, &self.fields)).collect())
        })
    }

    fn counts(&self) -> bool {
        self.id.as_constant().is_some() && self.fields.iter().all(|(_, a)| a.counts())
    }
}

/// One output field: `{name: {$accumulator: …}}`.
pub(super) fn field(name: &str, v: Val<'_>, cx: &crate::expr::ParseContext) -> Result<Accumulator> {
    if name.contains('.') {
        bail!(codes::LOCATION40235, "The field name {name} cannot contain '.'");
    }
    if name.starts_with('$') {
        bail!(codes::LOCATION40236, "The field name {name} cannot be an operator name");
    }
    let Some(d) = v.as_doc() else {
        bail!(codes::LOCATION40234, "The field '{name}' must be an accumulator object")
    };
    let mut it = d.iter();
    let (Some(e), None) = (it.next(), it.next()) else {
        bail!(codes::LOCATION40238, "The field '{name}' must specify one accumulator")
    };
    if e.val.as_array().is_some() {
        bail!(codes::LOCATION40237, "The {} accumulator is a unary operator", e.name());
    }
    Accumulator::parse(e.name(), e.val, cx)
}

pub(super) fn group(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(codes::LOCATION15947, "a group's fields must be specified in an object")
    };
    let cx = cx.expr();
    let (mut id, mut fields) = (None, Vec::new());
    for e in spec {
        if e.name() == "_id" {
            if id.is_some() {
                bail!(codes::LOCATION15948, "a group's _id may only be specified once");
            }
            id = Some(Expr::parse(e.val, &cx)?);
        } else {
            fields.push((e.name().to_owned(), field(e.name(), e.val, &cx)?));
        }
    }
    match id {
        Some(id) => Ok(Rc::new(Group { id, fields, collation: cx.collation })),
        None => bail!(codes::LOCATION15955, "a group specification must include an _id"),
    }
}

/// `$sortByCount`: group by the expression, count, largest first.
#[derive(Debug)]
struct SortByCount(Rc<Group>);

impl Stage for SortByCount {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        let counted = Rc::clone(&self.0).run(input, cx);
        let mut by = DocWriter::new();
        by.put("count", &Value::Int32(-1));
        sort::top(SortSpec::parse(Doc::trusted(&by.finish())), u64::MAX, counted, cx)
    }
}

pub(super) fn sort_by_count(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let (expression, code) = match (v.as_str(), v.as_doc()) {
        (Some(s), _) => (s.starts_with('$'), codes::LOCATION40148),
        (_, Some(d)) => (d.first().is_some_and(|e| e.name().starts_with('$')), codes::LOCATION40147),
        _ => {
            bail!(codes::LOCATION40149, "the sortByCount field must be specified as a string or as an object")
        }
    };
    if !expression {
        bail!(
            code,
            "the sortByCount field must be defined as a $-prefixed path or an expression inside an object"
        );
    }
    let cx = cx.expr();
    let one = Value::Int32(1).with_val(|one| Accumulator::parse("$sum", one, &cx))?;
    let fields = vec![("count".to_owned(), one)];
    Ok(Rc::new(SortByCount(Rc::new(Group { id: Expr::parse(v, &cx)?, fields, collation: cx.collation }))))
}
