//! `$out`, `$merge`: the last stage writes through the host.

use super::{
    Docs, MatchedAction, NotMatchedAction, Output, ParseContext, Pipeline, Run, Stage, Target, deferred,
    ready,
};
use crate::error::Result;
use crate::expr::{Binding, Expr, Variables, check_name};
use crate::raw::{Doc, Val, View};
use crate::value::Value;
use crate::{bail, codes};
use std::rc::Rc;

#[derive(Debug)]
struct Write(Output);

impl Stage for Write {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        deferred(move || {
            cx.host.write(&self.0, input)?;
            Ok(ready(Vec::new()))
        })
    }

    fn output(&self) -> Option<&Output> {
        Some(&self.0)
    }
}

pub(super) fn out(v: Val<'_>, _: &ParseContext) -> Result<Rc<dyn Stage>> {
    let target = match v.view() {
        View::String(s) => Target { db: None, collection: s.to_owned() },
        View::Document(d) => {
            let (mut db, mut collection) = (None, None);
            for e in d {
                match (e.name(), e.val.as_str()) {
                    ("db", Some(s)) => db = Some(s.to_owned()),
                    ("coll", Some(s)) => collection = Some(s.to_owned()),
                    _ => bail!(
                        codes::LOCATION16990,
                        "If an object is passed to $out it must have exactly 2 fields: 'db' and 'coll'"
                    ),
                }
            }
            let (Some(db), Some(collection)) = (db, collection) else {
                bail!(
                    codes::LOCATION16994,
                    "If an object is passed to $out it must have exactly 2 fields: 'db' and 'coll'"
                )
            };
            Target { db: Some(db), collection }
        }
        _ => bail!(
            codes::LOCATION16990,
            "$out only supports a string or object argument, but found {}",
            v.type_name()
        ),
    };
    if let Some(db) = internal(&target) {
        bail!(codes::LOCATION31321, "Can't $out to internal database: {db}");
    }
    if target.collection.starts_with("system.") {
        bail!(codes::LOCATION17385, " Can't $out to special collection: {}", target.collection);
    }
    Ok(Rc::new(Write(Output::Out { target })))
}

/// The database of a target, if it is one of the server's own.
fn internal(target: &Target) -> Option<&str> {
    target.db.as_deref().filter(|db| matches!(*db, "admin" | "config" | "local"))
}

pub(super) fn merge(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let (mut target, mut on, mut variables) = (None, vec!["_id".to_owned()], None);
    let (mut matched, mut not_matched) = (MatchedAction::Merge, NotMatchedAction::Insert);
    match v.view() {
        View::String(s) => target = Some(Target { db: None, collection: s.to_owned() }),
        View::Document(d) => {
            for e in d {
                match e.name() {
                    "into" => target = Some(into(e.val)?),
                    "on" => on = fields(e.val)?,
                    "let" => match e.val.as_doc() {
                        Some(d) => variables = Some(d),
                        None => bail!(
                            codes::TYPE_MISMATCH,
                            "BSON field '$merge.let' is the wrong type '{}', expected type 'object'",
                            e.val.type_name()
                        ),
                    },
                    "whenMatched" => matched = when_matched(e.val)?,
                    "whenNotMatched" => not_matched = when_not_matched(e.val)?,
                    other => {
                        bail!(codes::LOCATION40415, "BSON field '$merge.{other}' is an unknown field.")
                    }
                }
            }
        }
        _ => bail!(
            codes::TYPE_MISMATCH,
            "$merge requires a string or object argument, but found {}",
            v.type_name()
        ),
    }
    let Some(target) = target else {
        bail!(codes::LOCATION40414, "BSON field '$merge.into' is missing but a required field")
    };
    if let Some(db) = internal(&target) {
        bail!(codes::LOCATION31320, "Can't $merge to internal database: {db}");
    }
    if target.collection.starts_with("system.") {
        bail!(codes::LOCATION31319, " Can't $merge to special collection: {}", target.collection);
    }
    let whens = (name_of(&matched), not_matched);
    if matches!(whens, ("fail" | "keepExisting", NotMatchedAction::Discard | NotMatchedAction::Fail)) {
        let other = if not_matched == NotMatchedAction::Fail { "fail" } else { "discard" };
        bail!(
            codes::LOCATION51181,
            "Combination of $merge modes 'whenMatched: {}' and 'whenNotMatched: {other}' is not supported",
            whens.0
        );
    }
    match &mut matched {
        MatchedAction::Pipeline { stages, variables: bound, outer } => {
            (*bound, *outer) = (own_variables(variables, not_matched, cx)?, cx.variables.clone());
            let mut known = cx.variables.clone();
            for (name, _) in &*bound {
                known.set(name.as_str(), Binding::Unknown);
            }
            // Checked now, and parsed again for each document, when the variables have values.
            Pipeline::parse(Doc::trusted(stages), &ParseContext { variables: known, ..cx.clone() })?;
        }
        other if variables.is_some() => {
            let mode = name_of(other);
            bail!(codes::LOCATION51199, "Cannot use 'let' variables with 'whenMatched: {mode}' mode")
        }
        _ => {}
    }
    Ok(Rc::new(Write(Output::Merge { target, on, matched, not_matched })))
}

/// The stage's `let`: `$$new` is the document that came, unless variables are given and it is not needed.
fn own_variables(
    given: Option<Doc<'_>>,
    not_matched: NotMatchedAction,
    cx: &ParseContext,
) -> Result<Vec<(String, Expr)>> {
    let scope = cx.expr();
    let mut out = Vec::new();
    for e in given.into_iter().flatten() {
        check_name(e.name(), true)?;
        if e.name() == "new" && e.val.as_str() != Some("$$ROOT") {
            bail!(
                codes::LOCATION51273,
                "'let' may not define a value for the reserved 'new' variable other than '$$ROOT'"
            );
        }
        out.push((e.name().to_owned(), Expr::parse(e.val, &scope)?));
    }
    let has_new = out.iter().any(|(n, _)| n == "new");
    if !has_new && (given.is_none() || not_matched == NotMatchedAction::Insert) {
        let root = Value::String("$$ROOT".to_owned()).with_val(|v| Expr::parse(v, &scope))?;
        out.push(("new".to_owned(), root));
    }
    Ok(out)
}

fn name_of(matched: &MatchedAction) -> &'static str {
    match matched {
        MatchedAction::Replace => "replace",
        MatchedAction::KeepExisting => "keepExisting",
        MatchedAction::Merge => "merge",
        MatchedAction::Fail => "fail",
        MatchedAction::Pipeline { .. } => "pipeline",
    }
}

fn into(v: Val<'_>) -> Result<Target> {
    match v.view() {
        View::String("") => bail!(codes::LOCATION5786800, "$merge 'into' field cannot be an empty string"),
        View::String(s) => Ok(Target { db: None, collection: s.to_owned() }),
        View::Document(d) => {
            let mut target = Target::default();
            for e in d {
                match (e.name(), e.val.as_str()) {
                    ("db", Some(s)) => target.db = Some(s.to_owned()),
                    ("coll", Some(s)) => s.clone_into(&mut target.collection),
                    _ => bail!(codes::LOCATION40415, "BSON field 'into.{}' is an unknown field.", e.name()),
                }
            }
            if target.collection.is_empty() {
                bail!(
                    codes::LOCATION5786801,
                    "$merge 'into' field must specify a 'coll' that is not empty, null or undefined"
                );
            }
            Ok(target)
        }
        _ => bail!(
            codes::LOCATION51178,
            "$merge 'into' field  must be either a string or an object, but found {}",
            v.type_name()
        ),
    }
}

fn fields(v: Val<'_>) -> Result<Vec<String>> {
    let list: Vec<Val<'_>> = match v.view() {
        View::String(_) => vec![v],
        View::Array(a) => a.values().collect(),
        _ => bail!(
            codes::LOCATION51186,
            "$merge 'on' field  must be either a string or an array of strings, but found {}",
            v.type_name()
        ),
    };
    if list.is_empty() {
        bail!(codes::LOCATION51187, "If explicitly specifying $merge 'on', must include at least one field");
    }
    let mut out: Vec<String> = Vec::new();
    for f in list {
        match f.as_str() {
            Some(s) if out.iter().any(|x| x == s) => {
                bail!(codes::LOCATION31465, "Found a duplicate field '{s}'")
            }
            Some(s) => out.push(s.to_owned()),
            None => bail!(
                codes::LOCATION51134,
                "$merge 'on' array elements must be strings, but found {}",
                f.type_name()
            ),
        }
    }
    Ok(out)
}

fn when_matched(v: Val<'_>) -> Result<MatchedAction> {
    if let Some(list) = v.as_array() {
        for stage in list.values() {
            let Some(stage) = stage.as_doc() else {
                bail!(codes::TYPE_MISMATCH, "Each element of the 'pipeline' array must be an object")
            };
            let name = stage.first().map_or("", |e| e.name());
            if !matches!(
                name,
                "$addFields" | "$set" | "$project" | "$unset" | "$replaceRoot" | "$replaceWith"
            ) {
                bail!(codes::INVALID_OPTIONS, "{name} is not allowed to be used within an update");
            }
        }
        return Ok(MatchedAction::Pipeline {
            stages: list.bytes().to_vec(),
            variables: Vec::new(),
            outer: Variables::new(),
        });
    }
    Ok(match v.as_str() {
        Some("replace") => MatchedAction::Replace,
        Some("keepExisting") => MatchedAction::KeepExisting,
        Some("merge") => MatchedAction::Merge,
        Some("fail") => MatchedAction::Fail,
        Some(other) => bail!(
            codes::BAD_VALUE,
            "Enumeration value '{other}' for field 'whenMatched' is not a valid value."
        ),
        None => bail!(
            codes::LOCATION51191,
            "$merge 'whenMatched' field  must be either a string or an array, but found {}",
            v.type_name()
        ),
    })
}

fn when_not_matched(v: Val<'_>) -> Result<NotMatchedAction> {
    Ok(match v.as_str() {
        Some("insert") => NotMatchedAction::Insert,
        Some("discard") => NotMatchedAction::Discard,
        Some("fail") => NotMatchedAction::Fail,
        Some(other) => bail!(
            codes::BAD_VALUE,
            "Enumeration value '{other}' for field '$merge.whenNotMatched' is not a valid value"
        ),
        None => bail!(
            codes::TYPE_MISMATCH,
            "BSON field '$merge.whenNotMatched' is the wrong type '{}', expected type 'string'",
            v.type_name()
        ),
    })
}
