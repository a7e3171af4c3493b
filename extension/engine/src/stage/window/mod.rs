//! `$setWindowFields`, and the parts of it that `$fill` uses.

mod bounds;
mod compute;
mod parse;
#[cfg(test)]
mod tests;

pub(super) use bounds::Bounds;
pub(super) use parse::{set_window_fields, sort_by};

use super::unwind::with_value;
use super::{Budget, Docs, Run, Stage, blocking};
use crate::accumulator::Accumulator;
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::{EvalContext, Expr, FieldPath, dec128};
use crate::raw::Doc;
use crate::sort::{SortKey, SortSpec};
use crate::value::Value;
use crate::{bail, codes};
use std::collections::VecDeque;
use std::rc::Rc;

/// One output field.
#[derive(Debug)]
pub(super) struct Output {
    pub path: FieldPath,
    pub function: Function,
    pub bounds: Bounds,
}

/// What is computed over a window or a partition.
#[derive(Debug)]
pub(super) enum Function {
    Accumulate(Accumulator),
    Rank,
    DenseRank,
    DocumentNumber,
    Shift {
        output: Expr,
        by: i64,
        default: Value,
    },
    /// Change per unit of the sort field; milliseconds of the unit.
    Derivative {
        input: Expr,
        unit: Option<i64>,
    },
    Integral {
        input: Expr,
        unit: Option<i64>,
    },
    ExpMovingAvg {
        input: Expr,
        alpha: dec128::D,
    },
    LinearFill(Expr),
    Locf(Expr),
    /// `$fill` with a value: where the field is null or missing.
    Constant(Expr),
}

/// The stage.
#[derive(Debug)]
pub(super) struct Windows {
    pub partition: Option<Expr>,
    pub sort: Option<SortSpec>,
    /// The only sort field, ascending or not.
    pub sort_field: Option<(FieldPath, bool)>,
    pub outputs: Vec<Output>,
    pub collation: Collation,
    /// `$fill` writes in a partition's order only where it must.
    pub name: &'static str,
}

/// A document and its place.
pub(super) struct Row {
    pub doc: Vec<u8>,
    pub key: SortKey,
}

impl Stage for Windows {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        blocking(move || {
            let mut budget = Budget::new(self.name, cx);
            let mut rows: Vec<(Vec<u8>, Row)> = Vec::new();
            for doc in input {
                let doc = doc?;
                let d = Doc::trusted(&doc);
                let partition = self.partition_of(d)?;
                let key = match &self.sort {
                    Some(s) => s.key(d)?,
                    None => SortKey(Vec::new()),
                };
                budget.take(doc.len() + partition.len() + key.0.len())?;
                rows.push((partition, Row { doc, key }));
            }
            // Partition keys order as their values do.
            rows.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.key.cmp(&b.1.key)));
            let mut out = VecDeque::with_capacity(rows.len());
            let mut rest = rows.into_iter().peekable();
            while let Some((partition, first)) = rest.next() {
                let mut group = vec![first];
                while let Some((_, row)) = rest.next_if(|(p, _)| *p == partition) {
                    group.push(row);
                }
                self.partition(group, cx, &mut out)?;
            }
            Ok(out)
        })
    }
}

impl Windows {
    fn partition_of(&self, d: Doc<'_>) -> Result<Vec<u8>> {
        let Some(e) = &self.partition else { return Ok(Vec::new()) };
        match e.eval(&EvalContext::new(d))? {
            Some(Value::Array(_)) => bail!(
                codes::TYPE_MISMATCH,
                "An expression used to partition cannot evaluate to value of type array"
            ),
            v => Ok(crate::accumulator::identity(&v.unwrap_or(Value::Null), &self.collation)),
        }
    }

    fn partition(&self, rows: Vec<Row>, cx: Run<'_>, out: &mut VecDeque<Vec<u8>>) -> Result<()> {
        let mut columns = Vec::with_capacity(self.outputs.len());
        for o in &self.outputs {
            columns.push(compute::column(self, o, &rows, cx)?.into_iter());
        }
        for row in rows {
            let mut doc = row.doc;
            for (o, column) in self.outputs.iter().zip(&mut columns) {
                if let Some(Some(v)) = column.next() {
                    doc = with_value(Doc::trusted(&doc), o.path.parts(), Some(&v));
                }
            }
            out.push_back(doc);
        }
        Ok(())
    }
}
