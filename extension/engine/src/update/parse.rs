//! Reading `{$operator: {path: argument, …}, …}`.

use super::apply::{Operation, Operators};
use super::array::{self, Pull, Push};
use super::bits::BitOps;
use super::filters::ArrayFilters;
use super::op::Op;
use super::operand::Operand;
use super::paths::{Conflicts, Step, UpdatePath};
use super::{arith, text};
use crate::error::Result;
use crate::query::ParseContext;
use crate::raw::{Doc, Elem, Val, View};
use crate::{bail, codes};
use std::cmp::Ordering;
use std::collections::HashSet;

/// Parses the operators with their array filters.
///
/// # Errors
/// MongoDB's code and message for what is wrong first.
pub fn operators(u: Doc<'_>, array_filters: Option<Doc<'_>>, cx: &ParseContext<'_>) -> Result<Operators> {
    let filters = array_filters.map(|f| ArrayFilters::parse(f, cx)).transpose()?.unwrap_or_default();
    let mut conflicts = Conflicts::default();
    let mut used = HashSet::new();
    let mut operations = Vec::new();
    for modifier in u {
        let parser = Parser::of(modifier.name())?;
        let Some(fields) = modifier.val.as_doc() else {
            bail!(
                codes::FAILED_TO_PARSE,
                "Modifiers operate on fields but we found type {} instead. For example: {{$mod: {{<field>: ...}}}} \
                 not {{{}}}",
                modifier.val.type_name(),
                text::field(modifier.name(), modifier.val)
            );
        };
        for field in fields {
            let (path, op) = if parser == Parser::Rename {
                rename(&field, &mut conflicts)?
            } else {
                let path = UpdatePath::parse(field.name())?;
                let op = parser.argument(&field, cx)?;
                (path, op)
            };
            use_filters(&path, &filters, &mut used)?;
            if parser != Parser::Rename {
                conflicts.add(field.name(), &path)?;
            }
            operations.push(Operation::new(path, op));
        }
    }
    if let Some(unused) = filters.identifiers().find(|id| !used.contains(*id)) {
        bail!(
            codes::FAILED_TO_PARSE,
            "The array filter for identifier '{unused}' was not used in the update {}",
            text::document(u)
        );
    }
    Ok(Operators::new(operations, filters))
}

fn use_filters(path: &UpdatePath, filters: &ArrayFilters, used: &mut HashSet<String>) -> Result<()> {
    for step in path.steps() {
        if let Step::Filtered(id) = step {
            if !filters.contains(id) {
                bail!(
                    codes::BAD_VALUE,
                    "No array filter found for identifier '{id}' in path '{}'",
                    path.as_str()
                );
            }
            used.insert(id.to_string());
        }
    }
    Ok(())
}

/// `from: "to"`: the operation stands at the target, the source only takes part in conflicts.
fn rename<'u>(field: &Elem<'u>, conflicts: &mut Conflicts<'u>) -> Result<(UpdatePath, Op)> {
    let Some(target) = field.val.as_str() else {
        bail!(
            codes::BAD_VALUE,
            "The 'to' field for $rename must be a string: {}",
            text::field(field.name(), field.val)
        );
    };
    if target.contains('\0') {
        bail!(codes::BAD_VALUE, "The 'to' field for $rename cannot contain an embedded null byte");
    }
    let (from, to) = (UpdatePath::parse(field.name())?, UpdatePath::parse(target)?);
    let shown = || text::field(field.name(), field.val);
    if field.name() == target {
        bail!(codes::BAD_VALUE, "The source and target field for $rename must differ: {}", shown());
    }
    let continues = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.starts_with('.'));
    if continues(target, field.name()) || continues(field.name(), target) {
        bail!(
            codes::BAD_VALUE,
            "The source and target field for $rename must not be on the same path: {}",
            shown()
        );
    }
    if from.is_dynamic() {
        bail!(codes::BAD_VALUE, "The source field for $rename may not be dynamic: {}", from.as_str());
    }
    if to.is_dynamic() {
        bail!(codes::BAD_VALUE, "The destination field for $rename may not be dynamic: {}", to.as_str());
    }
    conflicts.add(field.name(), &from)?;
    conflicts.add(target, &to)?;
    Ok((to, Op::Rename { from }))
}

/// The operators, before their arguments are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parser {
    Set,
    SetOnInsert,
    Unset,
    Arithmetic(arith::Kind),
    Bound(Ordering),
    CurrentDate,
    Rename,
    Push,
    AddToSet,
    Pop,
    Pull,
    PullAll,
    Bit,
}

impl Parser {
    fn of(name: &str) -> Result<Self> {
        Ok(match name {
            "$set" => Parser::Set,
            "$setOnInsert" => Parser::SetOnInsert,
            "$unset" => Parser::Unset,
            "$inc" => Parser::Arithmetic(arith::Kind::Add),
            "$mul" => Parser::Arithmetic(arith::Kind::Multiply),
            "$min" => Parser::Bound(Ordering::Less),
            "$max" => Parser::Bound(Ordering::Greater),
            "$currentDate" => Parser::CurrentDate,
            "$rename" => Parser::Rename,
            "$push" => Parser::Push,
            "$addToSet" => Parser::AddToSet,
            "$pop" => Parser::Pop,
            "$pull" => Parser::Pull,
            "$pullAll" => Parser::PullAll,
            "$bit" => Parser::Bit,
            other => bail!(
                codes::FAILED_TO_PARSE,
                "Unknown modifier: {other}. Expected a valid update modifier or pipeline-style update specified as \
                 an array"
            ),
        })
    }

    fn argument(self, field: &Elem<'_>, cx: &ParseContext<'_>) -> Result<Op> {
        let v = field.val;
        let strings = || cx.strings().clone();
        Ok(match self {
            Parser::Set => Op::Set(v.into()),
            Parser::SetOnInsert => Op::SetOnInsert(v.into()),
            Parser::Unset | Parser::Rename => Op::Unset,
            Parser::Arithmetic(kind) => {
                arith::check_argument(kind, field.name(), v)?;
                Op::Arithmetic(kind, v.into())
            }
            Parser::Bound(wins) => Op::Bound(wins, v.into(), strings()),
            Parser::CurrentDate => Op::CurrentDate { timestamp: current_date(v)? },
            Parser::Push => Op::Push(Push::parse(v, cx.strings())?),
            Parser::AddToSet => Op::AddToSet(array::parse_add_to_set(v, cx.strings())?, strings()),
            Parser::Pop => Op::Pop { first: pop(field)? },
            Parser::Pull => Op::Pull(Pull::parse(v, cx)?),
            Parser::PullAll => match v.as_array() {
                Some(values) => Op::PullAll(values.values().map(Operand::from).collect(), strings()),
                None => bail!(
                    codes::BAD_VALUE,
                    "$pullAll requires an array argument but was given a {}",
                    v.type_name()
                ),
            },
            Parser::Bit => Op::Bit(BitOps::parse(v)?),
        })
    }
}

/// A bool, or `{$type: "date"}`, or `{$type: "timestamp"}`: is a timestamp wanted?
fn current_date(v: Val<'_>) -> Result<bool> {
    let options = match v.view() {
        View::Bool(_) => return Ok(false),
        View::Document(d) => d,
        _ => bail!(
            codes::BAD_VALUE,
            "{} is not valid type for $currentDate. Please use a boolean ('true') or a $type expression ({{$type: \
             'timestamp/date'}}).",
            v.type_name()
        ),
    };
    let mut wanted = None;
    for e in options {
        if e.name() != "$type" {
            bail!(codes::BAD_VALUE, "Unrecognized $currentDate option: {}", e.name());
        }
        wanted = match e.val.as_str() {
            Some("date") => Some(false),
            Some("timestamp") => Some(true),
            _ => None,
        };
    }
    match wanted {
        Some(timestamp) => Ok(timestamp),
        None => bail!(
            codes::BAD_VALUE,
            "The '$type' string field is required to be 'date' or 'timestamp': {{$currentDate: {{field : {{$type: \
             'date'}}}}}}"
        ),
    }
}

/// 1 or -1: does the first element go?
fn pop(field: &Elem<'_>) -> Result<bool> {
    match crate::operand::integer(field.name(), field.val)? {
        1 => Ok(false),
        -1 => Ok(true),
        other => bail!(codes::FAILED_TO_PARSE, "$pop expects 1 or -1, found: {other}"),
    }
}
