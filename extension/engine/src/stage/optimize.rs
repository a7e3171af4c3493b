//! Pipelines that do less: filters and limits as early as they give the same answer (MongoDB manual, "Aggregation
//! Pipeline Optimization").

use super::{ParseContext, Step, simple};
use crate::error::Result;
use crate::raw::{Doc, Val, ty};
use crate::value::DocWriter;

/// Moves filters before stages that leave the fields they look at as they are, and limits before stages that make one
/// document of each.
///
/// # Errors
/// None that parsing the stages did not have.
pub(super) fn optimized(mut stages: Vec<Step>, cx: &ParseContext) -> Result<Vec<Step>> {
    let mut at = 1;
    while at < stages.len() {
        if stages.get(at).is_some_and(|s| s.stage.filter().is_some()) {
            stages = filter_forward(stages, at, cx)?;
        } else if stages.get(at).is_some_and(|s| s.stage.at_most().is_some() || s.stage.skips().is_some()) {
            cut_forward(&mut stages, at);
        }
        at += 1;
    }
    Ok(stages)
}

/// A limit or skip before the stages in front of it that neither add nor drop documents.
fn cut_forward(stages: &mut [Step], at: usize) {
    let mut to = at;
    while to.checked_sub(1).and_then(|i| stages.get(i)).is_some_and(|s| s.stage.keeps_count()) {
        to -= 1;
    }
    if let Some(part) = stages.get_mut(to..=at) {
        part.rotate_right(1);
    }
}

/// One condition of a filter's top level.
struct Condition {
    element: Vec<u8>,
    /// The fields of the top level it looks at.
    fields: Vec<String>,
}

fn filter_forward(mut stages: Vec<Step>, at: usize, cx: &ParseContext) -> Result<Vec<Step>> {
    let Some(moving) = stages.get(at).and_then(|s| s.stage.filter()).and_then(conditions) else {
        return Ok(stages);
    };
    let mut moving = moving;
    let mut to = at;
    let mut left: Vec<(usize, Vec<Condition>)> = Vec::new();
    while let Some(before) = to.checked_sub(1).and_then(|i| stages.get(i)) {
        let passes = |c: &Condition| c.fields.iter().all(|f| before.stage.keeps_field(f));
        let (go, stay): (Vec<_>, Vec<_>) = moving.into_iter().partition(passes);
        moving = go;
        if !stay.is_empty() {
            left.push((to, stay));
        }
        if moving.is_empty() {
            break;
        }
        to -= 1;
    }
    if to == at {
        return Ok(stages);
    }
    stages.remove(at);
    // From the last place to the first, so that the earlier places stay what they are.
    for (place, stay) in left {
        stages.insert(place, filter_of(&stay, cx)?);
    }
    if !moving.is_empty() {
        stages.insert(to, filter_of(&moving, cx)?);
    }
    Ok(stages)
}

fn filter_of(conditions: &[Condition], cx: &ParseContext) -> Result<Step> {
    let mut w = DocWriter::new();
    if let [one] = conditions {
        w.put_elements(Doc::trusted(&one.element).elements());
    } else {
        let mut list = crate::value::ArrayWriter::new();
        for c in conditions {
            list.push_val(Val { ty: ty::DOCUMENT, bytes: &c.element });
        }
        w.put_array("$and", Doc::trusted(&list.finish()));
    }
    let filter = w.finish();
    let stage = simple::matching(Val { ty: ty::DOCUMENT, bytes: &filter }, cx)?;
    Ok(Step { name: "$match", stage })
}

/// The conditions, where all of them are about fields.
fn conditions(filter: Doc<'_>) -> Option<Vec<Condition>> {
    let mut out = Vec::new();
    for e in filter {
        if e.name() == "$and" {
            for d in e.val.as_array()?.values() {
                out.extend(conditions(d.as_doc()?)?);
            }
            continue;
        }
        let mut w = DocWriter::new();
        w.put_elem(&e);
        let element = w.finish();
        let mut fields = Vec::new();
        collect(Doc::trusted(&element), &mut fields)?;
        out.push(Condition { element, fields });
    }
    Some(out)
}

/// The top-level fields a filter looks at; `None` for an operator that looks at documents as a whole.
fn collect(filter: Doc<'_>, fields: &mut Vec<String>) -> Option<()> {
    for e in filter {
        match e.name() {
            "$and" | "$or" | "$nor" => {
                for d in e.val.as_array()?.values() {
                    collect(d.as_doc()?, fields)?;
                }
            }
            "$comment" => {}
            name if name.starts_with('$') => return None,
            name => fields.push(name.split('.').next().unwrap_or(name).to_owned()),
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use crate::extjson;
    use crate::raw::{Doc, Val};
    use crate::stage::{ParseContext, Pipeline};

    fn names(stages: &str) -> String {
        let doc = extjson::parse(&format!(r#"{{"l":{stages}}}"#)).expect("a list");
        let list = Doc::trusted(&doc).get("l").and_then(Val::as_array).expect("a list");
        let p = Pipeline::parse(list, &ParseContext::default()).expect("a pipeline");
        p.stages
            .iter()
            .map(|s| match s.stage.filter() {
                Some(f) => extjson::relaxed(f).replace([' ', '"'], ""),
                None => s.name.to_owned(),
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn filters_and_limits_move_where_the_answer_is_the_same() {
        for (stages, want) in [
            (r#"[{"$sort":{"a":1}},{"$match":{"b":1}}]"#, "{b:1} $sort"),
            (r#"[{"$project":{"a":1}},{"$match":{"a.x":1}}]"#, "{a.x:1} $project"),
            (r#"[{"$project":{"a":1}},{"$match":{"b":1}}]"#, "$project {b:1}"),
            (r#"[{"$project":{"a":1}},{"$match":{"_id":1}}]"#, "{_id:1} $project"),
            (r#"[{"$project":{"a.b":1}},{"$match":{"a.b":1}}]"#, "$project {a.b:1}"),
            (r#"[{"$project":{"a":0}},{"$match":{"a":1,"b":1}}]"#, "{b:1} $project {a:1}"),
            (
                r#"[{"$addFields":{"a":1}},{"$match":{"a":1,"b":1,"c":1}}]"#,
                "{$and:[{b:1},{c:1}]} $addFields {a:1}",
            ),
            (r#"[{"$addFields":{"a.x":1}},{"$match":{"a":1}}]"#, "$addFields {a:1}"),
            (r#"[{"$unset":"a"},{"$match":{"$or":[{"b":1},{"c":1}]}}]"#, "{$or:[{b:1},{c:1}]} $unset"),
            (r#"[{"$unwind":"$t"},{"$match":{"t":1,"b":1}}]"#, "{b:1} $unwind {t:1}"),
            (r#"[{"$unwind":{"path":"$t","includeArrayIndex":"i"}},{"$match":{"i":1}}]"#, "$unwind {i:1}"),
            (
                r#"[{"$lookup":{"from":"d","localField":"a","foreignField":"b","as":"r"}},{"$match":{"r.x":1,"a":1}}]"#,
                "{a:1} $lookup {r.x:1}",
            ),
            (r#"[{"$group":{"_id":"$a"}},{"$match":{"_id":1}}]"#, "$group {_id:1}"),
            (r#"[{"$limit":5},{"$match":{"a":1}}]"#, "$limit {a:1}"),
            (
                r#"[{"$addFields":{"a":1}},{"$match":{"$expr":{"$eq":["$b",1]}}}]"#,
                "$addFields {$expr:{$eq:[$b,1]}}",
            ),
            (
                r#"[{"$sort":{"a":1}},{"$addFields":{"x":1}},{"$unwind":"$t"},{"$match":{"x":1,"b":1,"t":1}}]"#,
                "{b:1} $sort $addFields {x:1} $unwind {t:1}",
            ),
            (r#"[{"$sort":{"a":1}},{"$project":{"a":1}},{"$limit":5}]"#, "$sort $limit $project"),
            (
                r#"[{"$sort":{"a":1}},{"$addFields":{"x":1}},{"$skip":2},{"$limit":5}]"#,
                "$sort $skip $limit $addFields",
            ),
            (r#"[{"$unwind":"$t"},{"$limit":5}]"#, "$unwind $limit"),
        ] {
            assert_eq!(names(stages), want, "{stages}");
        }
    }
}
