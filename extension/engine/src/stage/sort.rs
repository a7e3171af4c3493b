//! `$sort`.

use super::{Budget, Docs, ParseContext, Run, Stage, blocking, deferred, ready};
use crate::error::Result;
use crate::raw::{Doc, Val};
use crate::sort::{SortKey, SortSpec};
use crate::{bail, codes, meta};
use std::collections::BinaryHeap;
use std::rc::Rc;

#[derive(Debug)]
struct Sort {
    source: Vec<u8>,
    spec: SortSpec,
}

/// Bytes of documents and keys that are sorted in memory where the host has a sort for more.
const IN_MEMORY: usize = 32 * 1024 * 1024;

impl Sort {
    fn sorted<'h>(&self, mut input: Docs<'h>, cx: Run<'h>) -> Result<Docs<'h>> {
        let mut budget = Budget::new("Sort", cx);
        let mut rows: Vec<(SortKey, Vec<u8>)> = Vec::new();
        let mut size = 0usize;
        while let Some(doc) = input.next().transpose()? {
            let key = self.spec.key(Doc::trusted(&doc))?;
            budget.take(doc.len() + key.0.len())?;
            size = size.saturating_add(doc.len() + key.0.len());
            rows.push((key, doc));
            if size > IN_MEMORY
                && cx.may_spill()
                && let Some(mut sorter) = cx.host.sorter(&self.spec)
            {
                for (_, doc) in rows {
                    sorter.put(&doc)?;
                }
                for doc in input {
                    sorter.put(&doc?)?;
                }
                return Ok(sorter.sorted());
            }
        }
        // Stable: documents with equal keys keep the order they came in.
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(ready(rows.into_iter().map(|(_, d)| d)))
    }
}

impl Stage for Sort {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        deferred(move || self.sorted(input, cx))
    }

    fn keeps_field(&self, _: &str) -> bool {
        true
    }

    fn order(&self) -> Option<(Doc<'_>, &SortSpec)> {
        Some((Doc::trusted(&self.source), &self.spec))
    }
}

pub(super) fn sort(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(d) = v.as_doc() else {
        bail!(codes::LOCATION15973, "the $sort key specification must be an object")
    };
    if d.is_empty() {
        bail!(codes::LOCATION15976, "$sort stage must have at least one sort key");
    }
    let (source, _) = meta::sort(d, cx.known);
    let spec = SortSpec::parse(Doc::trusted(&source))?.collated(&cx.collation);
    Ok(Rc::new(Sort { source, spec }))
}

/// The first `n` documents of the order `spec`: a heap holds no more than these.
pub(super) fn top<'h>(spec: Result<SortSpec>, n: u64, input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
    blocking(move || {
        let spec = spec?;
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        let mut budget = Budget::new("Sort", cx);
        // The arrival number makes equal keys keep their order.
        let mut heap: BinaryHeap<(SortKey, usize, Vec<u8>)> = BinaryHeap::new();
        for (i, doc) in input.enumerate() {
            let doc = doc?;
            let key = spec.key(Doc::trusted(&doc))?;
            if heap.len() < n {
                budget.take(doc.len() + key.0.len())?;
            } else if heap.peek().is_some_and(|worst| worst.0 <= key) {
                continue;
            } else {
                heap.pop();
            }
            heap.push((key, i, doc));
        }
        Ok(heap.into_sorted_vec().into_iter().map(|(_, _, d)| d).collect())
    })
}
