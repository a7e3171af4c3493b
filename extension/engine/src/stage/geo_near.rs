//! `$geoNear` (MongoDB manual, "$geoNear"): the documents of a collection by their distance from a point.
//!
//! Who opens the collection finds the documents ([`GeoNear::query`]) and writes the distances ([`GeoNear::annotate`]);
//! the stage itself then lets them pass.

use super::unwind::with_value;
use super::{Docs, ParseContext, Run, Stage};
use crate::error::Result;
use crate::expr::{EvalContext, Expr, FieldPath};
use crate::geo::near::Near;
use crate::number;
use crate::path::Path;
use crate::query::{self, Query};
use crate::raw::{Doc, Val, View};
use crate::value::{DocWriter, Value};
use crate::{bail, codes, meta};
use std::rc::Rc;

/// The stage's options.
#[derive(Clone, Debug)]
pub struct GeoNear {
    near: Near,
    key: Option<String>,
    filter: Vec<u8>,
    distance: FieldPath,
    place: Option<FieldPath>,
    multiplier: f64,
    /// Documents are to carry distance and place.
    carries: bool,
}

impl GeoNear {
    /// The field to measure at, if the stage names one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The stage as a filter that measures at `path`.
    ///
    /// # Errors
    /// Those of the option `query`.
    pub fn query(&self, path: &str, cx: &query::ParseContext<'_>) -> Result<Query> {
        Ok(Query::parse(Doc::trusted(&self.filter), cx)?.with_near(path, self.near.clone()))
    }

    /// A found document with its distance, and the place that was measured if that is wanted.
    ///
    /// # Errors
    /// None of its own.
    pub fn annotate(&self, path: &Path, doc: &[u8]) -> Result<Vec<u8>> {
        let doc = Doc::trusted(doc);
        let Some((distance, place)) = self.near.measure(path, doc)? else { return Ok(doc.bytes().to_vec()) };
        let measured = Value::Double(distance * self.multiplier);
        let out = with_value(doc, self.distance.parts(), Some(&measured));
        let mut out = match &self.place {
            Some(field) => with_value(Doc::trusted(&out), field.parts(), Some(&Value::from(place))),
            None => out,
        };
        if self.carries {
            let mut w = DocWriter::new();
            w.put_elements(Doc::trusted(&out).elements()).put(meta::DISTANCE, &Value::Double(distance));
            w.put_val(meta::POINT, place);
            out = w.finish();
        }
        Ok(out)
    }
}

#[derive(Debug)]
struct Source(GeoNear);

impl Stage for Source {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, _: Run<'h>) -> Docs<'h> {
        input
    }

    fn geo_near(&self) -> Option<&GeoNear> {
        Some(&self.0)
    }
}

pub(super) fn geo_near(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(codes::LOCATION10065, "invalid parameter: expected an object ($geoNear)");
    };
    for (name, code, text) in [
        (
            "collation",
            codes::LOCATION40227,
            "$geoNear does not accept the 'collation' parameter. Instead, specify a collation for the entire \
             aggregation command.",
        ),
        (
            "limit",
            codes::LOCATION50858,
            "$geoNear no longer supports the 'limit' parameter. Use a $limit stage instead.",
        ),
        (
            "num",
            codes::LOCATION50857,
            "$geoNear no longer supports the 'num' parameter. Use a $limit stage instead.",
        ),
        ("start", codes::LOCATION50856, "$geoNear no longer supports the 'start' argument."),
    ] {
        if spec.get(name).is_some() {
            bail!(code, "{text}");
        }
    }
    let Some(near) = spec.get("near") else {
        bail!(codes::LOCATION5860400, "$geoNear requires a 'near' argument");
    };
    let (mut key, mut filter, mut distance, mut place) = (None, Doc::EMPTY, None, None);
    let (mut multiplier, mut spherical) = (1.0, false);
    for e in spec {
        match e.name() {
            "near" | "minDistance" | "maxDistance" | "uniqueDocs" => {}
            "distanceField" => match e.val.as_str() {
                Some(s) => distance = Some(FieldPath::parse(s)?),
                None => bail!(
                    codes::LOCATION16606,
                    "$geoNear requires that the 'distanceField' option is a String"
                ),
            },
            "includeLocs" => match e.val.as_str() {
                Some(s) => place = Some(FieldPath::parse(s)?),
                None => {
                    bail!(codes::LOCATION16607, "$geoNear requires that 'includeLocs' option is a String")
                }
            },
            "distanceMultiplier" => {
                if !e.val.is_number() {
                    bail!(codes::TYPE_MISMATCH, "distanceMultiplier must be a number");
                }
                multiplier = number::to_f64(e.val);
                if multiplier.is_nan() || multiplier < 0.0 {
                    bail!(codes::BAD_VALUE, "distanceMultiplier must be nonnegative");
                }
            }
            "query" => match e.val.as_doc() {
                Some(d) => filter = d,
                None => bail!(codes::TYPE_MISMATCH, "query must be an object"),
            },
            "spherical" => spherical = crate::key::truthy(e.val),
            "key" => key = Some(field(e.val)?),
            name => bail!(codes::BAD_VALUE, "Unknown argument to $geoNear: {name}"),
        }
    }
    let Some(distance) = distance else {
        bail!(codes::LOCATION16606, "$geoNear requires a 'distanceField' option as a String");
    };
    // Checked now, and again with the place.
    Query::parse(filter, &cx.query())?;
    let mut operators = DocWriter::new();
    let point = constant(near, cx)?;
    if point.as_doc().is_none() && point.as_array().is_none() {
        bail!(
            codes::LOCATION5860401,
            "$geoNear requires near argument to be a GeoJSON object or a legacy point(array)"
        );
    }
    operators.put(if spherical { "$nearSphere" } else { "$near" }, &point);
    for name in ["minDistance", "maxDistance"] {
        if let Some(v) = spec.get(name) {
            let v = constant(v, cx)?;
            operators.put(&format!("${name}"), &v.with_val(|v| bound(name, v))?);
        }
    }
    let near = Near::parse(Doc::trusted(&operators.finish()))?;
    let filter = filter.bytes().to_vec();
    Ok(Rc::new(Source(GeoNear { near, key, filter, distance, place, multiplier, carries: cx.known.near })))
}

fn field(v: Val<'_>) -> Result<String> {
    match v.view() {
        View::String("") => bail!(codes::BAD_VALUE, "$geoNear parameter 'key' cannot be the empty string"),
        View::String(s) => Ok(s.to_owned()),
        _ => bail!(
            codes::TYPE_MISMATCH,
            "$geoNear parameter 'key' must be of type string but found type: {}",
            v.type_name()
        ),
    }
}

fn bound(name: &str, v: Val<'_>) -> Result<Value> {
    if !v.is_number() {
        bail!(codes::TYPE_MISMATCH, "$geoNear requires ${name} to evaluate to a number");
    }
    let n = number::to_f64(v);
    if n.is_nan() || n < 0.0 {
        bail!(codes::BAD_VALUE, "{name} must be nonnegative");
    }
    Ok(Value::Double(n))
}

/// The value of an expression that reads no document.
fn constant(v: Val<'_>, cx: &ParseContext) -> Result<Value> {
    Ok(Expr::parse(v, &cx.expr())?.eval(&EvalContext::new(Doc::EMPTY))?.unwrap_or(Value::Null))
}
