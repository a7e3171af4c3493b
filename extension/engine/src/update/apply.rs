//! Applying operators: paths made concrete, then changed one after the other in MongoDB's order.

use super::filters::ArrayFilters;
use super::op::{Op, OpContext};
use super::paths::{self, Step, UpdatePath};
use super::tree::Node;
use super::{Clock, Outcome, store, text};
use crate::error::Result;
use crate::path::array_index;
use crate::raw::{Doc, Val, ty};
use crate::{bail, codes};
use std::borrow::Cow;

/// Components of a path of one document.
type Concrete<'d> = Vec<Cow<'d, str>>;

/// One operator at one path.
#[derive(Debug)]
pub struct Operation {
    path: UpdatePath,
    op: Op,
}

impl Operation {
    /// `op` at `path`.
    #[must_use]
    pub fn new(path: UpdatePath, op: Op) -> Self {
        Self { path, op }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.path.as_str().split('.')
    }
}

/// The operators of one update.
#[derive(Debug)]
pub struct Operators {
    /// In the order of application.
    operations: Vec<Operation>,
    filters: ArrayFilters,
    dynamic: bool,
}

impl Operators {
    /// Sorts the operations.
    #[must_use]
    pub fn new(mut operations: Vec<Operation>, filters: ArrayFilters) -> Self {
        operations.sort_by(|a, b| paths::compare(a.names(), b.names()));
        let dynamic = operations.iter().any(|o| o.path.is_dynamic());
        Self { operations, filters, dynamic }
    }

    /// A path has the positional `$`.
    #[must_use]
    pub fn is_positional(&self) -> bool {
        self.operations.iter().any(|o| o.path.is_positional())
    }

    /// Is `path` at, above or below the path of an operation? Array positions in an operation's path are skipped,
    /// as an index path does not name them.
    #[must_use]
    pub fn may_change(&self, path: &str) -> bool {
        self.operations
            .iter()
            .any(|o| touches(&o.path, path) || matches!(&o.op, Op::Rename { from } if touches(from, path)))
    }

    /// Changes `doc`. `matched` is the position for `$`; `insert` is true for a document an upsert makes.
    ///
    /// # Errors
    /// Those of the operators.
    pub fn apply(&self, doc: Doc<'_>, matched: Option<usize>, insert: bool, clock: Clock) -> Result<Outcome> {
        let cx = OpContext { doc, clock };
        let mut run = Run { root: Node::root(doc), cx, has_id: doc.get("_id").is_some() };
        let mut changed = false;
        for (path, op) in self.concrete(doc, matched, insert)? {
            changed |= run.one(&path, op)?;
        }
        if !changed {
            return Ok(Outcome::NoOp);
        }
        let mut bytes = Vec::with_capacity(doc.bytes().len() + 64);
        run.root.encode(&mut bytes);
        Ok(Outcome::Changed(bytes))
    }

    fn concrete<'d>(
        &'d self,
        doc: Doc<'d>,
        matched: Option<usize>,
        insert: bool,
    ) -> Result<Vec<(Concrete<'d>, &'d Op)>> {
        let active = self.operations.iter().filter(|o| insert || !matches!(o.op, Op::SetOnInsert(_)));
        if !self.dynamic {
            return Ok(active.map(|o| (o.names().map(Cow::Borrowed).collect(), &o.op)).collect());
        }
        let mut all = Vec::new();
        for o in active {
            let mut walk = Expansion { matched, filters: &self.filters, found: Vec::new() };
            walk.step(o.path.steps(), &mut Vec::new(), Some(Val { ty: ty::DOCUMENT, bytes: doc.bytes() }))?;
            all.extend(walk.found.into_iter().map(|path| (path, &o.op)));
        }
        all.sort_by(|(a, _), (b, _)| paths::compare(a.iter().map(|s| &**s), b.iter().map(|s| &**s)));
        // In this order a path that continues another one follows it directly or after such ones.
        for pair in all.windows(2) {
            if let [(a, _), (b, _)] = pair
                && b.starts_with(a)
            {
                bail!(codes::CONFLICTING_UPDATE_OPERATORS, "Update created a conflict at '{}'", a.join("."));
            }
        }
        Ok(all)
    }
}

fn touches(update: &UpdatePath, index: &str) -> bool {
    let named =
        |s: &&Step| !matches!(s, Step::Name(n) if array_index(n).is_some()) && matches!(s, Step::Name(_));
    let mut update = update.steps().iter().filter(named);
    let mut index = index.split('.').filter(|n| array_index(n).is_none());
    loop {
        match (update.next(), index.next()) {
            (Some(Step::Name(a)), Some(b)) if **a == *b => {}
            (Some(_), Some(_)) => return false,
            _ => return true,
        }
    }
}

/// Turns `$`, `$[]` and `$[identifier]` into positions of one document.
struct Expansion<'d> {
    matched: Option<usize>,
    filters: &'d ArrayFilters,
    found: Vec<Concrete<'d>>,
}

impl<'d> Expansion<'d> {
    fn step(&mut self, steps: &'d [Step], path: &mut Concrete<'d>, at: Option<Val<'d>>) -> Result<()> {
        let Some((step, rest)) = steps.split_first() else {
            self.found.push(path.clone());
            return Ok(());
        };
        match step {
            Step::Name(name) => self.enter(Cow::Borrowed(name), rest, path, at.and_then(|v| member(v, name))),
            Step::Matched => {
                let Some(position) = self.matched else {
                    bail!(
                        codes::BAD_VALUE,
                        "The positional operator did not find the match needed from the query."
                    );
                };
                let name = position.to_string();
                let next = at.and_then(|v| member(v, &name));
                self.enter(Cow::Owned(name), rest, path, next)
            }
            Step::All => self.elements(None, rest, path, at),
            Step::Filtered(id) => self.elements(Some(id), rest, path, at),
        }
    }

    fn enter(
        &mut self,
        name: Cow<'d, str>,
        rest: &'d [Step],
        path: &mut Concrete<'d>,
        at: Option<Val<'d>>,
    ) -> Result<()> {
        path.push(name);
        let result = self.step(rest, path, at);
        path.pop();
        result
    }

    fn elements(
        &mut self,
        filter: Option<&str>,
        rest: &'d [Step],
        path: &mut Concrete<'d>,
        at: Option<Val<'d>>,
    ) -> Result<()> {
        let Some(v) = at else {
            bail!(
                codes::BAD_VALUE,
                "The path '{}' must exist in the document in order to apply array updates.",
                path.join(".")
            );
        };
        let Some(array) = v.as_array() else {
            bail!(
                codes::BAD_VALUE,
                "Cannot apply array updates to non-array element {}",
                text::field(path.last().map_or("", |n| n), v)
            );
        };
        for (i, element) in array.values().enumerate() {
            let chosen = match filter {
                Some(id) => self.filters.matches(id, element)?,
                None => true,
            };
            if chosen {
                self.enter(Cow::Owned(i.to_string()), rest, path, Some(element))?;
            }
        }
        Ok(())
    }
}

fn member<'v>(v: Val<'v>, name: &str) -> Option<Val<'v>> {
    match v.ty {
        ty::DOCUMENT => Doc::trusted(v.bytes).get(name),
        ty::ARRAY => array_index(name).and_then(|i| Doc::trusted(v.bytes).values().nth(i)),
        _ => None,
    }
}

/// One document's update under way.
struct Run<'d> {
    root: Node<'d>,
    cx: OpContext<'d>,
    /// The document had an `_id` before; it can't be changed then.
    has_id: bool,
}

impl<'d> Run<'d> {
    fn one(&mut self, path: &[Cow<'d, str>], op: &'d Op) -> Result<bool> {
        match op {
            Op::Unset => self.unset(path),
            Op::Rename { from } => self.rename(from, path),
            _ => self.change(path, op),
        }
    }

    fn change(&mut self, path: &[Cow<'d, str>], op: &'d Op) -> Result<bool> {
        let immutable = self.immutable(path);
        store::check_depth(path.len() + op.depth())?;
        let (node, depth) = self.root.find(path);
        let Some(left) = path.get(depth..).filter(|l| !l.is_empty()) else {
            let changed = op.update(node, &path.join("."), &self.cx)?;
            if changed {
                immutable.map_or(Ok(()), Err)?;
                store::check_dollar(path)?;
            }
            return Ok(changed);
        };
        if !op.creates() {
            return viable(node, path, depth).map(|()| false);
        }
        if let Some(e) = immutable {
            return Err(e);
        }
        let Some(value) = op.create(&self.cx)? else { return Ok(false) };
        create(node, path, left, value)?;
        store::check_dollar(path).map(|()| true)
    }

    fn unset(&mut self, path: &[Cow<'d, str>]) -> Result<bool> {
        let Some((last, parents)) = path.split_last() else { return Ok(false) };
        let immutable = self.immutable(path);
        let (parent, depth) = self.root.find(parents);
        if depth < parents.len() || !parent.remove(last) {
            return Ok(false);
        }
        immutable.map_or(Ok(true), Err)
    }

    fn rename(&mut self, from: &'d UpdatePath, to: &[Cow<'d, str>]) -> Result<bool> {
        let source: Vec<Cow<'d, str>> = from.as_str().split('.').map(Cow::Borrowed).collect();
        let (node, depth) = self.root.find(&source);
        if depth < source.len() {
            return viable(node, &source, depth).map(|()| false);
        }
        let value = node.clone();
        let levels = value.with_val(super::operand::depth);
        for (which, path) in [("source", &source[..]), ("destination", to)] {
            if let Some(array) = self.through_array(path) {
                bail!(
                    codes::BAD_VALUE,
                    "The {which} field cannot be an array element, '{}' in doc with {} has an array field called \
                     '{array}'",
                    path.join("."),
                    text::id(self.cx.doc)
                );
            }
        }
        if let Some(e) = self.immutable(&source).or_else(|| self.immutable(to)) {
            return Err(e);
        }
        store::check_depth(to.len() + levels)?;
        store::check_dollar(to)?;
        self.unset(&source)?;
        let (node, depth) = self.root.find(to);
        match to.get(depth..).filter(|l| !l.is_empty()) {
            None => *node = value,
            Some(left) => {
                create(node, to, left, value)?;
            }
        }
        Ok(true)
    }

    /// The name of the array the path leads through, if it does.
    fn through_array(&mut self, path: &[Cow<'d, str>]) -> Option<String> {
        let end = (1..path.len()).find(|n| {
            let Some(prefix) = path.get(..*n) else { return false };
            let (node, depth) = self.root.find(prefix);
            depth == *n && node.ty() == ty::ARRAY
        })?;
        path.get(end - 1).map(ToString::to_string)
    }

    /// The error a change at `path` is, when it is one.
    fn immutable(&self, path: &[Cow<'d, str>]) -> Option<crate::Error> {
        if !self.has_id || path.first().is_none_or(|n| n != "_id") {
            return None;
        }
        Some(crate::Error::new(
            codes::IMMUTABLE_FIELD,
            format!(
                "Performing an update on the path '{}' would modify the immutable field '_id'",
                path.join(".")
            ),
        ))
    }
}

/// Puts `value` below `node`, the deepest value on `path` that exists; `left` are the components to create.
pub(super) fn create<'d>(
    node: &mut Node<'d>,
    path: &[Cow<'d, str>],
    left: &[Cow<'d, str>],
    value: Node<'d>,
) -> Result<bool> {
    let Some((first, below)) = left.split_first() else { return Ok(false) };
    let nested = below.iter().rev().fold(value, |v, name| Node::Doc(vec![(name.clone(), v)]));
    if node.insert(first.clone(), nested)? {
        return Ok(true);
    }
    let name = path.len().checked_sub(left.len() + 1).and_then(|i| path.get(i)).map_or("", |n| n);
    bail!(
        codes::PATH_NOT_VIABLE,
        "Cannot create field '{first}' in element {{{}}}",
        node.with_val(|v| text::field(name, v))
    )
}

/// An operator that creates nothing still refuses to look for a field in a scalar.
fn viable(node: &Node<'_>, path: &[Cow<'_, str>], depth: usize) -> Result<()> {
    let Some(next) = path.get(depth) else { return Ok(()) };
    match node.ty() {
        ty::DOCUMENT => Ok(()),
        ty::ARRAY if array_index(next).is_some() => Ok(()),
        _ => bail!(
            codes::PATH_NOT_VIABLE,
            "Cannot use the part ({next}) of ({}) to traverse the element ({{{}}})",
            path.join("."),
            node.with_val(|v| text::field(
                depth.checked_sub(1).and_then(|i| path.get(i)).map_or("", |n| n),
                v
            ))
        ),
    }
}
