//! What EXPLAIN says of a command: the way to the documents in PostgreSQL's own words.

use engine::Doc;

use crate::access::{Ids, Way};
use crate::catalog;
use crate::error::Result;
use crate::read::{Aggregate, Find, Opened, Parsed, distinct_parts, parse_count, run_of, run_of_find};

/// A step, with the one that it reads from.
pub struct Node {
    /// PostgreSQL's name of such a node.
    pub kind: &'static str,
    /// Index, as MongoDB knows it.
    pub index: Option<String>,
    /// From the end.
    pub backward: bool,
    /// What it reads from.
    pub below: Vec<Node>,
    /// It is where documents are found: what was looked at is counted here.
    pub finds: bool,
}

impl Node {
    fn new(kind: &'static str, below: Vec<Node>) -> Node {
        Node { kind, index: None, backward: false, finds: false, below }
    }

    fn over(self, kind: &'static str) -> Node {
        Node::new(kind, vec![self])
    }
}

/// The query functions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Find,
    Pipeline,
    Count,
    Distinct,
}

impl Command {
    /// By the name of its function.
    pub fn of(function: &str) -> Option<Command> {
        Some(match function {
            "bson_aggregation_find" => Command::Find,
            "bson_aggregation_pipeline" => Command::Pipeline,
            "bson_aggregation_count" => Command::Count,
            "bson_aggregation_distinct" => Command::Distinct,
            _ => return None,
        })
    }

    /// Plans the command.
    ///
    /// # Errors
    /// Those of the command.
    pub fn plan(self, db: &str, spec: Doc<'_>) -> Result<Node> {
        match self {
            Command::Find => find(db, &Find::parse(spec)?, false),
            Command::Count => Ok(find(db, &parse_count(spec)?, true)?.over("Aggregate")),
            Command::Distinct => Ok(find(db, &distinct_parts(spec)?, false)?.over("Aggregate")),
            Command::Pipeline => pipeline(&run_of(db, &Aggregate::parse(spec, false)?)?),
        }
    }
}

/// `counts`: only the number of documents is wanted.
fn find(db: &str, f: &Find<'_>, counts: bool) -> Result<Node> {
    let found = catalog::find(db, f.collection)?;
    let parsed = Parsed::new(f, found.as_deref())?;
    let Some(c) = found else { return Ok(Node::new("Result", Vec::new())) };
    if c.view.is_some() {
        return pipeline(&run_of_find(db, f)?);
    }
    let opened = Opened::new(c, f, &parsed)?;
    let mut node = scan(&opened, opened.deciding(&parsed).filter(|_| counts));
    if opened.blocks(&parsed) {
        node = node.over("Sort");
    }
    if f.limit > 0 || f.skip > 0 {
        node = node.over("Limit");
    }
    Ok(node)
}

fn pipeline(run: &crate::read::Run) -> Result<Node> {
    let Some(outline) = run.outline()? else { return Ok(Node::new("Result", Vec::new())) };
    let mut node = scan(&outline.opened, outline.deciding.as_deref());
    for stage in outline.rest {
        let kind = match stage {
            "$sort" => "Sort",
            "$limit" | "$skip" => "Limit",
            "$group" | "$count" | "$bucket" | "$bucketAuto" | "$sortByCount" => "Aggregate",
            "$lookup" | "$graphLookup" => "Nested Loop",
            "$unionWith" => "Append",
            // What passes documents on, one by one.
            _ => "Subquery Scan",
        };
        node = node.over(kind);
    }
    Ok(node)
}

/// `deciding`: the index whose entries are enough.
fn scan(opened: &Opened, deciding: Option<&str>) -> Node {
    if let Some(index) = deciding {
        let scan = Node::new("Index Only Scan", Vec::new());
        return Node { index: Some(index.to_owned()), finds: true, ..scan };
    }
    if let Way::Or(choices) = opened.taken() {
        let each = choices.iter().map(|p| Node { finds: false, kind: "Bitmap Index Scan", ..of(&p.way) });
        let found = Node::new("BitmapOr", each.collect()).over("Bitmap Heap Scan");
        return Node { finds: true, ..found };
    }
    of(opened.taken())
}

fn of(way: &Way) -> Node {
    let (kind, index, backward) = match way {
        Way::Heap { backward } | Way::Order { backward } => ("Seq Scan", None, *backward),
        Way::Or(_) => ("Append", None, false),
        // All of the primary key, in its order.
        Way::Id { ids: Ids::All | Ids::Range(_) | Ids::Points(_), backward } => {
            ("Index Scan", Some("_id_".to_owned()), *backward)
        }
        // PostgreSQL has no such node: the names are MongoDB's in its manner.
        Way::Near(way) if way.stage() == "GEO_NEAR_2D" => ("Geo Near 2d", Some(way.name.clone()), false),
        Way::Near(way) => ("Geo Near 2dsphere", Some(way.name.clone()), false),
        Way::Index { name, backward, .. } => ("Index Scan", Some(name.clone()), *backward),
    };
    Node { kind, index, backward, below: Vec::new(), finds: true }
}
