//! Operators that stand where a field name could: `$and`, `$expr`, `$jsonSchema`, …

use super::super::context::Place;
use super::super::expr::ExprFilter;
use super::super::node::Node;
use super::super::sample::SampleRate;
use super::super::schema::Schema;
use super::{At, document};
use crate::error::Result;
use crate::raw::{Elem, Val};
use crate::text::{Language, TextFilter};
use crate::{bail, codes, number};

/// Is there such an operator on whole documents? Decides between the two forms of `$elemMatch`.
pub(super) fn exists(name: &str) -> bool {
    matches!(
        name,
        "$and"
            | "$or"
            | "$nor"
            | "$expr"
            | "$jsonSchema"
            | "$text"
            | "$where"
            | "$comment"
            | "$sampleRate"
            | "$alwaysTrue"
            | "$alwaysFalse"
    )
}

pub(super) fn operator(e: &Elem<'_>, at: At<'_>) -> Result<Node> {
    let name = e.name();
    if at.sub_document && matches!(name, "$expr" | "$jsonSchema" | "$text" | "$where") {
        bail!(codes::BAD_VALUE, "{name} can only be applied to the top-level document");
    }
    allowed(name, at.cx.place)?;
    Ok(match name {
        "$and" => super::and(flat(list(e, at)?)),
        "$or" => Node::Or(list(e, at)?),
        "$nor" => Node::Nor(list(e, at)?),
        "$comment" => Node::True,
        "$alwaysTrue" => {
            constant(e)?;
            Node::True
        }
        "$alwaysFalse" => {
            constant(e)?;
            Node::False
        }
        "$expr" => Node::Expr(Box::new(ExprFilter::parse(e.val, at.cx)?)),
        "$jsonSchema" => Node::Schema(Box::new(Schema::parse(e.val)?)),
        "$sampleRate" => sample_rate(e.val)?,
        "$text" => text(e.val)?,
        // What MongoDB says where server-side JavaScript is switched off.
        "$where" => bail!(codes::BAD_VALUE, "no globalScriptEngine in $where parsing"),
        "$not" => bail!(
            codes::BAD_VALUE,
            "unknown top level operator: $not. If you are trying to negate an entire expression, use $nor."
        ),
        _ => bail!(
            codes::BAD_VALUE,
            "unknown top level operator: {name}. If you have a field name that starts with a '$' symbol, \
             consider using $getField or $setField."
        ),
    })
}

/// Some operators are banned where MongoDB has neither an index nor a script at hand, and more of them where a filter
/// is about array elements (MongoDB's `AllowedFeatures`: validators have its default ones, update operators and
/// projections none).
fn allowed(name: &str, place: Place) -> Result<()> {
    let code = match (name, place) {
        ("$text" | "$where", Place::Validator | Place::Element) => codes::BAD_VALUE,
        ("$expr" | "$jsonSchema", Place::Element) => codes::QUERY_FEATURE_NOT_ALLOWED,
        _ => return Ok(()),
    };
    bail!(code, "{name} is not allowed in this context")
}

fn flat(list: Vec<Node>) -> Vec<Node> {
    let mut all = Vec::with_capacity(list.len());
    list.into_iter().for_each(|n| super::conjoin(&mut all, n));
    all
}

fn list(e: &Elem<'_>, at: At<'_>) -> Result<Vec<Node>> {
    let Some(array) = e.val.as_array() else {
        bail!(codes::BAD_VALUE, "{} must be an array", e.name());
    };
    if array.is_empty() {
        bail!(codes::BAD_VALUE, "$and/$or/$nor must be a nonempty array");
    }
    let one = |v: Val<'_>| match v.as_doc() {
        Some(d) => document(d, at),
        None => bail!(codes::BAD_VALUE, "$or/$and/$nor entries need to be full objects"),
    };
    array.values().map(one).collect()
}

fn constant(e: &Elem<'_>) -> Result<()> {
    if number::exact_i64(e.val) == Some(1) {
        return Ok(());
    }
    bail!(codes::FAILED_TO_PARSE, "{} must be an integer value of 1", e.name())
}

fn sample_rate(v: Val<'_>) -> Result<Node> {
    if !v.is_number() {
        bail!(codes::BAD_VALUE, "argument to $sampleRate must be a numeric type");
    }
    let rate = number::to_f64(v);
    if !(0.0..=1.0).contains(&rate) {
        bail!(codes::BAD_VALUE, "numeric argument to $sampleRate must be in [0, 1]");
    }
    Ok(match rate {
        0.0 => Node::False,
        1.0 => Node::True,
        rate => Node::Sample(SampleRate::new(rate)),
    })
}

/// The fields of `$text` with the names of their types, in the order MongoDB looks at them.
const TEXT_FIELDS: [(&str, &str); 4] = [
    ("$search", "string"),
    ("$language", "string"),
    ("$caseSensitive", "bool"),
    ("$diacriticSensitive", "bool"),
];

fn text(v: Val<'_>) -> Result<Node> {
    let Some(spec) = v.as_doc() else {
        bail!(codes::BAD_VALUE, "$text expects an object");
    };
    if spec.get("$search").is_none() {
        bail!(codes::NO_SUCH_KEY, "Missing expected field \"$search\"");
    }
    for (name, wanted) in TEXT_FIELDS {
        let found = spec.get(name).map_or(wanted, Val::type_name);
        if found != wanted {
            bail!(codes::TYPE_MISMATCH, "\"{name}\" had the wrong type. Expected {wanted}, found {found}");
        }
    }
    if spec.iter().any(|e| TEXT_FIELDS.iter().all(|(name, _)| *name != e.name())) {
        bail!(codes::BAD_VALUE, "extra fields in $text");
    }
    let flag = |name| spec.get(name).and_then(Val::as_bool).unwrap_or(false);
    let text = |name| spec.get(name).and_then(Val::as_str);
    let language = text("$language");
    if let Some(l) = language {
        Language::of(l)?;
    }
    let search = text("$search").unwrap_or("");
    Ok(Node::Text(Box::new(TextFilter::new(
        search,
        language,
        flag("$caseSensitive"),
        flag("$diacriticSensitive"),
    ))))
}
