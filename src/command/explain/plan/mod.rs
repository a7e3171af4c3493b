//! PostgreSQL's plan (`EXPLAIN (FORMAT JSON)`) as MongoDB's tree of stages.
use bson::raw::cstr;
use bson::{RawArrayBuf, RawBson, RawDocumentBuf, rawdoc};
use serde_json::Value;

use crate::reply::ok::is_true;

/// What a writing command does with the documents it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writes {
    Update,
    Delete,
}

/// What a command does with the documents that PostgreSQL's plan has no word for, or another one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Words {
    /// It changes them: the limit of one that a find of them has is no stage.
    pub writes: Option<Writes>,
    /// It only counts them.
    pub counts: bool,
    /// It gathers values of theirs, which is no stage of MongoDB's.
    pub distinct: bool,
    /// It leaves some out at the beginning.
    pub skips: bool,
    /// It ends before the last.
    pub limits: bool,
    /// It shows them in another form: the stage's name.
    pub projection: Option<&'static str>,
}

/// A whole plan.
#[derive(Debug)]
pub(super) struct Plan {
    root: Stage,
    /// Of the execution; 0 if it was not executed.
    millis: f64,
}

/// One stage with those it reads from.
#[derive(Debug, Default)]
struct Stage {
    name: String,
    index: Option<Index>,
    /// An index is read from its end.
    backward: bool,
    inputs: Vec<Stage>,
    /// Not told for what lies between the scan and the end of some plans.
    returned: Option<i64>,
    keys: i64,
    documents: i64,
    millis: f64,
}

/// An index that is read.
#[derive(Debug)]
struct Index {
    name: String,
    /// As listIndexes shows it; None where it is not known.
    spec: Option<RawDocumentBuf>,
}

/// Nodes of PostgreSQL that only pass rows on: MongoDB has no word for them.
const TRANSPARENT: &[&str] = &[
    "Custom Scan",
    "Gather",
    "Gather Merge",
    "Materialize",
    "Memoize",
    "ProjectSet",
    "Result",
    "Subquery Scan",
];

impl Plan {
    /// None if it is not of the form that PostgreSQL documents.
    pub(super) fn read(explained: &Value) -> Option<Self> {
        let first = explained.as_array()?.first()?;
        let root = Stage::read(first.get("Plan")?)?;
        Some(Self { root, millis: first.get("Execution Time").and_then(Value::as_f64).unwrap_or(0.0) })
    }

    /// The plan in the words of the command.
    pub(super) fn worded(mut self, words: Words) -> Self {
        let named = |stage: &Stage, name: &str| stage.name == name;
        if words.counts && named(&self.root, "GROUP") {
            self.root.name = "COUNT".to_owned();
        }
        let extra = (words.distinct && named(&self.root, "GROUP"))
            || (words.writes.is_some() && named(&self.root, "LIMIT"));
        if extra && let Some(below) = self.root.inputs.pop() {
            self.root = below;
        }
        if !words.distinct {
            self.root.count_by_index();
        }
        let cuts = named(&self.root, "LIMIT");
        if cuts && words.skips && words.limits {
            let returned = self.root.returned;
            let skip =
                Stage { name: "SKIP".to_owned(), returned, millis: self.root.millis, ..Stage::default() };
            let inputs = std::mem::take(&mut self.root.inputs);
            self.root.inputs = vec![Stage { inputs, ..skip }];
        } else if cuts && words.skips {
            self.root.name = "SKIP".to_owned();
        }
        if let Some(projection) = words.projection {
            self.root.project(projection);
        }
        self
    }

    /// True if [`Plan::describe`] has something to say.
    pub(super) fn uses_indexes(&self) -> bool {
        self.root.uses_indexes()
    }

    /// Adds what the indexes of the command's collection are, as listIndexes shows them.
    pub(super) fn describe(&mut self, indexes: &[RawDocumentBuf]) {
        self.root.describe(indexes);
    }

    /// `winningPlan`.
    pub(super) fn winning(&self, writes: Option<Writes>) -> RawDocumentBuf {
        let plan = self.root.document(false);
        match writes {
            None => plan,
            Some(writes) => rawdoc! { "stage": writes.stage(), "inputStage": plan },
        }
    }

    /// `executionStats`.
    pub(super) fn stats(&self, writes: Option<Writes>) -> RawDocumentBuf {
        let found = self.root.returned.unwrap_or(0);
        let stages = self.root.document(true);
        let stages = match writes {
            None => stages,
            Some(Writes::Update) => rawdoc! {
                "stage": "UPDATE", "nReturned": 0, "nMatched": found, "nWouldModify": found, "nWouldUpsert": 0,
                "inputStage": stages,
            },
            Some(Writes::Delete) => {
                rawdoc! { "stage": "DELETE", "nReturned": 0, "nWouldDelete": found, "inputStage": stages }
            }
        };
        rawdoc! {
            "executionSuccess": true,
            "nReturned": if writes.is_some() { 0 } else { found },
            "executionTimeMillis": whole(self.millis),
            "totalKeysExamined": self.root.sum(|stage| stage.keys),
            "totalDocsExamined": self.root.sum(|stage| stage.documents),
            "executionStages": stages,
        }
    }
}

impl Writes {
    fn stage(self) -> &'static str {
        match self {
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

impl Stage {
    fn read(node: &Value) -> Option<Self> {
        let kind = node.get("Node Type")?.as_str()?;
        // Sub-plans and init-plans compute values beside the rows.
        let below = node.get("Plans").and_then(Value::as_array).into_iter().flatten();
        let mut inputs: Vec<Self> = below
            .filter(|node| {
                let relation = node.get("Parent Relationship").and_then(Value::as_str);
                !matches!(relation, Some("InitPlan" | "SubPlan"))
            })
            .map(Self::read)
            .collect::<Option<_>>()?;
        if TRANSPARENT.contains(&kind) && inputs.len() == 1 {
            return inputs.pop();
        }
        let number = |name: &str| node.get(name).and_then(Value::as_f64).unwrap_or(0.0);
        let loops = number("Actual Loops").max(1.0);
        let told = node.get("Actual Rows").and_then(Value::as_f64).map(|rows| whole(rows * loops));
        let rows = told.unwrap_or(0);
        let dropped = number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
        let seen = rows.saturating_add(whole(dropped * loops));
        let base = Self {
            index: node
                .get("Index Name")
                .and_then(Value::as_str)
                .map(|name| Index { name: name.to_owned(), spec: None }),
            backward: node.get("Scan Direction").and_then(Value::as_str) == Some("Backward"),
            returned: told,
            millis: number("Actual Total Time") * loops,
            ..Self::default()
        };
        let named = |name: &str| name.to_owned();
        Some(match kind {
            "Seq Scan" | "Sample Scan" | "Tid Scan" | "Tid Range Scan" => {
                Self { name: named("COLLSCAN"), documents: seen, ..base }
            }
            "Index Scan" => {
                let (millis, returned) = (base.millis, base.returned);
                let keys = Self { name: named("IXSCAN"), keys: seen, returned: told.map(|_| seen), ..base };
                Self {
                    name: named("FETCH"),
                    inputs: vec![keys],
                    documents: seen,
                    returned,
                    millis,
                    ..Self::default()
                }
            }
            "Index Only Scan" | "Bitmap Index Scan" => Self { name: named("IXSCAN"), keys: rows, ..base },
            "Bitmap Heap Scan" => Self { name: named("FETCH"), documents: seen, inputs, ..base },
            "BitmapOr" => Self { name: named("OR"), inputs, ..base },
            "BitmapAnd" => Self { name: named("AND_SORTED"), inputs, ..base },
            "Append" | "Merge Append" if inputs.len() > 1 => Self { name: named("OR"), inputs, ..base },
            "Sort" | "Incremental Sort" => Self { name: named("SORT"), inputs, ..base },
            "Limit" => Self { name: named("LIMIT"), inputs, ..base },
            "Aggregate" | "Group" => Self { name: named("GROUP"), inputs, ..base },
            "Result" if inputs.is_empty() => Self { name: named("EOF"), ..base },
            "Nested Loop" | "Hash Join" | "Merge Join" => Self { name: named("EQ_LOOKUP"), inputs, ..base },
            other => Self { name: other.to_uppercase().replace(' ', "_"), inputs, ..base },
        })
    }

    fn document(&self, executed: bool) -> RawDocumentBuf {
        let mut out = rawdoc! { "stage": self.name.as_str() };
        if executed {
            if let Some(returned) = self.returned {
                out.append(cstr!("nReturned"), returned);
            }
            out.append(cstr!("executionTimeMillisEstimate"), whole(self.millis));
        }
        if let Some(index) = &self.index {
            index.tell(&mut out);
        }
        if matches!(self.name.as_str(), "COLLSCAN" | "IXSCAN") {
            out.append(cstr!("direction"), if self.backward { "backward" } else { "forward" });
        }
        if executed && matches!(self.name.as_str(), "IXSCAN" | "COUNT_SCAN") {
            out.append(cstr!("keysExamined"), self.keys);
        }
        if executed && matches!(self.name.as_str(), "COLLSCAN" | "FETCH") {
            out.append(cstr!("docsExamined"), self.documents);
        }
        match self.inputs.as_slice() {
            [] => {}
            [input] => out.append(cstr!("inputStage"), input.document(executed)),
            inputs => {
                let mut list = RawArrayBuf::new();
                for input in inputs {
                    list.push(input.document(executed));
                }
                out.append(cstr!("inputStages"), list);
            }
        }
        out
    }

    fn uses_indexes(&self) -> bool {
        self.index.is_some() || self.inputs.iter().any(Self::uses_indexes)
    }

    fn describe(&mut self, indexes: &[RawDocumentBuf]) {
        if let Some(index) = &mut self.index {
            let mine = |spec: &&RawDocumentBuf| spec.get_str("name").is_ok_and(|name| name == index.name);
            index.spec = indexes.iter().find(mine).cloned();
        }
        // What is looked up lies in another collection, whose indexes may have the same names.
        let own = if self.name == "EQ_LOOKUP" { 1 } else { self.inputs.len() };
        for input in self.inputs.iter_mut().take(own) {
            input.describe(indexes);
        }
    }

    /// Below what counts, an index whose documents are not fetched has another name.
    fn count_by_index(&mut self) {
        let counts = matches!(self.name.as_str(), "COUNT" | "GROUP");
        if let [below] = self.inputs.as_mut_slice() {
            let mut at = &mut *below;
            while counts && at.name == "LIMIT" && at.inputs.len() == 1 {
                at = &mut at.inputs[0];
            }
            if counts && at.name == "IXSCAN" {
                at.name = "COUNT_SCAN".to_owned();
            }
            below.count_by_index();
        }
    }

    /// Puts a projection below what only cuts the result.
    fn project(&mut self, name: &str) {
        if matches!(self.name.as_str(), "LIMIT" | "SKIP")
            && let [below] = self.inputs.as_mut_slice()
        {
            return below.project(name);
        }
        if self.name != "EOF" {
            let (returned, millis) = (self.returned, self.millis);
            let below = std::mem::take(self);
            *self = Self { name: name.to_owned(), inputs: vec![below], returned, millis, ..Self::default() };
        }
    }

    fn sum(&self, of: fn(&Self) -> i64) -> i64 {
        self.inputs.iter().fold(of(self), |sum, input| sum.saturating_add(input.sum(of)))
    }
}

impl Index {
    fn tell(&self, out: &mut RawDocumentBuf) {
        let Some(spec) = &self.spec else {
            return out.append(cstr!("indexName"), self.name.as_str());
        };
        let is = |name: &str| spec.get(name).ok().flatten().is_some_and(is_true);
        let is_id = self.name == "_id_";
        if let Ok(key) = spec.get_document("key") {
            out.append(cstr!("keyPattern"), key.to_owned());
        }
        out.append(cstr!("indexName"), self.name.as_str());
        out.append(cstr!("isUnique"), is_id || is("unique"));
        out.append(cstr!("isSparse"), is("sparse"));
        out.append(cstr!("isPartial"), spec.get_document("partialFilterExpression").is_ok());
        if let Ok(Some(version)) = spec.get("v") {
            out.append(cstr!("indexVersion"), RawBson::from(version));
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a count or a time, and as saturates")]
fn whole(number: f64) -> i64 {
    number as i64
}

#[cfg(test)]
mod tests;
