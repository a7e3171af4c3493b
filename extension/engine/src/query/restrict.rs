//! What is not allowed everywhere: operators that a partial index or a validator refuses.

use super::context::{ParseContext, Place};
use super::node::Node;
use super::predicate::Predicate;
use crate::error::Result;
use crate::{bail, codes, display};

/// Checks a parsed filter for its place.
pub(super) fn place(node: &Node, cx: &ParseContext<'_>) -> Result<()> {
    if cx.place == Place::PartialIndex {
        return partial(node);
    }
    texts(node)?;
    near(node)
}

/// `$near` and its kin sort the result: one at most, and it must hold for every document.
fn near(root: &Node) -> Result<()> {
    let is_near = |n: &&Node| matches!(n, Node::At(_, Predicate::Near(_)));
    let top = match root {
        Node::And(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    let (above, all) = (top.iter().filter(is_near).count(), count_near(root));
    if all > 1 {
        bail!(codes::BAD_VALUE, "Too many geoNear expressions");
    }
    if all > above {
        bail!(codes::BAD_VALUE, "geoNear must be top-level expr");
    }
    Ok(())
}

/// At most one `$text`, and not where it would say what a document lacks.
fn texts(node: &Node) -> Result<()> {
    if node.texts().len() > 1 {
        bail!(codes::BAD_VALUE, "Too many text expressions");
    }
    let denied = |n: &Node| matches!(n, Node::Nor(_) | Node::Not(_)) && !n.texts().is_empty();
    let list = match node {
        Node::And(list) | Node::Or(list) => list.as_slice(),
        _ => &[],
    };
    if denied(node) {
        bail!(codes::BAD_VALUE, "text expression not allowed in nor");
    }
    list.iter().try_for_each(texts)?;
    Ok(())
}

fn count_near(node: &Node) -> usize {
    match node {
        Node::And(list) | Node::Or(list) | Node::Nor(list) => list.iter().map(count_near).sum(),
        Node::Not(one) => count_near(one),
        Node::At(_, p) => count_near_in(p),
        _ => 0,
    }
}

fn count_near_in(p: &Predicate) -> usize {
    match p {
        Predicate::Near(_) => 1,
        Predicate::Not(p) => count_near_in(p),
        Predicate::All(list) | Predicate::ElemMatchValue(list) => list.iter().map(count_near_in).sum(),
        Predicate::ElemMatchObject(node) => count_near(node),
        _ => 0,
    }
}

/// A partial index takes comparisons with constants, `$exists: true`, `$type`, `$in`, `$and` and `$or`.
fn partial(node: &Node) -> Result<()> {
    match node {
        Node::True => Ok(()),
        Node::And(list) | Node::Or(list) => list.iter().try_for_each(partial),
        Node::At(
            _,
            Predicate::Eq(_)
            | Predicate::Compare(..)
            | Predicate::Exists
            | Predicate::Type(_)
            | Predicate::Geo(_),
        ) => Ok(()),
        Node::At(_, Predicate::In(_, regexes)) if regexes.is_empty() => Ok(()),
        other => bail!(
            codes::CANNOT_CREATE_INDEX,
            "unsupported expression in partial index: {}\n",
            describe(other)
        ),
    }
}

fn describe(node: &Node) -> String {
    match node {
        Node::Not(inner) => match &**inner {
            Node::At(path, Predicate::Eq(o)) => format!("{} $ne {}", path.as_str(), display::value(o.val())),
            Node::At(path, Predicate::Exists) => format!("{} $exists false", path.as_str()),
            Node::At(path, Predicate::In(..)) => format!("{} $nin", path.as_str()),
            inner => format!("$not {}", describe(inner)),
        },
        Node::At(path, predicate) => match predicate {
            Predicate::Regex(r) => format!("{} $regex \"{}\"", path.as_str(), r.pattern()),
            Predicate::In(..) => format!("{} $in", path.as_str()),
            Predicate::Mod(_) => format!("{} $mod", path.as_str()),
            Predicate::Size(n) => format!("{} $size {n}", path.as_str()),
            Predicate::ElemMatchValue(_) | Predicate::ElemMatchObject(_) => {
                format!("{} $elemMatch", path.as_str())
            }
            Predicate::Geo(g) => format!("{} {}", path.as_str(), g.name()),
            _ => path.as_str().to_owned(),
        },
        Node::Nor(_) => "$nor".into(),
        Node::Expr(_) => "$expr".into(),
        Node::Schema(_) => "$jsonSchema".into(),
        Node::Sample(_) => "$sampleRate".into(),
        Node::Text(_) => "$text".into(),
        _ => "$alwaysFalse".into(),
    }
}
