//! Reading a projection document.

use super::slice::Slice;
use super::tree::{Branch, Leaf};
use super::{Kind, Mode, Projection, path};
use crate::error::{Error, Result};
use crate::expr::{self, Expr};
use crate::query::{ParseContext, Place, Query};
use crate::raw::{Doc, Val, View};
use crate::value::DocWriter;
use crate::{bail, codes, display};

/// See [`Projection::parse`].
pub fn projection(spec: Doc<'_>, kind: Kind, cx: &ParseContext<'_>) -> Result<Projection> {
    let mut parser = Parser::new(kind, cx);
    parser.document(spec, &mut Vec::new())?;
    Ok(parser.finish())
}

/// See [`Projection::add_fields`].
pub fn add_fields(spec: Doc<'_>, cx: &ParseContext<'_>) -> Result<Projection> {
    let expressions = expression_context(cx);
    let mut root = Branch::default();
    computed_fields(spec, &mut Vec::new(), &expressions, &mut root)?;
    Ok(Projection { mode: Mode::Add, root, positional: false, scored: false })
}

/// See [`Projection::unset`].
pub fn unset<'p>(paths: impl IntoIterator<Item = &'p str>) -> Result<Projection> {
    let mut root = Branch::default();
    for p in paths {
        root.insert(&path::split(p)?, Leaf::Exclude)?;
    }
    Ok(Projection { mode: Mode::Exclude, root, positional: false, scored: false })
}

fn expression_context(cx: &ParseContext<'_>) -> expr::ParseContext {
    expr::ParseContext {
        variables: cx.variables.cloned().unwrap_or_default(),
        now: cx.now,
        redact: false,
        windows: false,
        known: cx.known,
        collation: cx.strings().clone(),
    }
}

/// The fields of `$addFields`: nested documents name fields below, everything else is an expression.
fn computed_fields<'s>(
    spec: Doc<'s>,
    above: &mut Vec<&'s str>,
    cx: &expr::ParseContext,
    root: &mut Branch,
) -> Result<()> {
    for e in spec {
        let depth = above.len();
        above.extend(path::split(e.name())?);
        match e.val.as_doc() {
            Some(d) if !d.is_empty() && !is_operator(d) => {
                check_fields(d)?;
                computed_fields(d, above, cx, root)?;
            }
            operator => {
                if let Some(d) = operator.filter(|d| is_operator(*d)) {
                    check_call(d)?;
                }
                root.insert(above, Leaf::Compute(Expr::parse(e.val, cx)?))?;
            }
        }
        above.truncate(depth);
    }
    Ok(())
}

/// The first field begins with a dollar sign.
fn is_operator(d: Doc<'_>) -> bool {
    d.first().is_some_and(|e| e.name().starts_with('$'))
}

/// A field of `$addFields` is one expression, of an operator that there is.
fn check_call(d: Doc<'_>) -> Result<()> {
    if d.iter().nth(1).is_some() {
        bail!(
            codes::LOCATION40181,
            "Invalid $addFields :: caused by :: an expression specification must contain exactly one field, the name of the expression. Found {} fields in {}",
            d.iter().count(),
            crate::extjson::canonical(d)
        );
    }
    match d.first() {
        Some(e) if !expr::is_operator(e.name()) => bail!(
            codes::INVALID_PIPELINE_OPERATOR,
            "Invalid $addFields :: caused by :: Unrecognized expression '{}'",
            e.name()
        ),
        _ => Ok(()),
    }
}

/// What `$addFields` does not take as names of fields below a field.
fn check_fields(d: Doc<'_>) -> Result<()> {
    for e in d {
        if e.name().starts_with('$') {
            bail!(
                codes::LOCATION40181,
                "Invalid $addFields :: caused by :: an expression specification must contain exactly one field, the name of the expression. Found {} fields in {}",
                d.iter().count(),
                crate::extjson::canonical(d)
            );
        }
        if e.name().contains('.') {
            bail!(
                codes::LOCATION40183,
                "Invalid $addFields :: caused by :: cannot use dotted field name '{}' in a sub object",
                e.name()
            );
        }
    }
    Ok(())
}

/// The operator of a field itself is refused in other words than one inside an expression.
fn check_operator(d: Doc<'_>) -> Result<()> {
    match d.first() {
        Some(e) if !expr::is_operator(e.name()) => {
            bail!(codes::LOCATION31325, "Unknown expression {}", e.name())
        }
        _ => Ok(()),
    }
}

/// A projection being read.
struct Parser<'c> {
    kind: Kind,
    cx: &'c ParseContext<'c>,
    expressions: expr::ParseContext,
    root: Branch,
    /// Decided by the first field that is shown, computed or left out; `_id` does not count.
    mode: Option<Mode>,
    /// What the specification says of `_id` itself.
    id: Option<bool>,
    positional: bool,
    elem_match: bool,
    /// The score of `$text` is shown.
    scored: bool,
}

impl<'c> Parser<'c> {
    fn new(kind: Kind, cx: &'c ParseContext<'c>) -> Self {
        Self {
            kind,
            cx,
            expressions: expression_context(cx),
            root: Branch::default(),
            mode: None,
            id: None,
            positional: false,
            elem_match: false,
            scored: false,
        }
    }

    fn finish(mut self) -> Projection {
        let mode = self.mode.unwrap_or(match self.id {
            Some(true) => Mode::Include,
            _ if self.elem_match => Mode::Include,
            _ => Mode::Exclude,
        });
        let leaf = match (mode, self.id) {
            (Mode::Include, None | Some(true)) => Some(Leaf::Include),
            (Mode::Exclude, Some(false)) => Some(Leaf::Exclude),
            _ => None,
        };
        if let Some(leaf) = leaf
            && self.root.get(b"_id").is_none()
        {
            // The place is free, so this can't collide.
            let _ = self.root.insert(&["_id"], leaf);
        }
        // A find shows nothing of what documents carry, a stage passes it on. Nobody can have named it.
        for field in self.cx.known.fields() {
            let leaf = match (mode, self.kind) {
                (Mode::Exclude, Kind::Find) => Leaf::Exclude,
                (Mode::Include, Kind::Aggregate) => Leaf::Include,
                _ => continue,
            };
            let _ = self.root.insert(&[field], leaf);
        }
        Projection { mode, root: self.root, positional: self.positional, scored: self.scored }
    }

    fn document<'s>(&mut self, spec: Doc<'s>, above: &mut Vec<&'s str>) -> Result<()> {
        for e in spec {
            let depth = above.len();
            let name = match e.name().strip_suffix(".$") {
                Some(name) if self.kind == Kind::Find && !name.is_empty() => {
                    above.extend(path::split(name)?);
                    self.positional(above, e.val)?;
                    above.truncate(depth);
                    continue;
                }
                _ => e.name(),
            };
            above.extend(path::split(name)?);
            self.field(above, e.val)?;
            above.truncate(depth);
        }
        Ok(())
    }

    fn field<'s>(&mut self, at: &mut Vec<&'s str>, v: Val<'s>) -> Result<()> {
        match v.view() {
            View::Bool(shown) => self.shown(at, shown),
            _ if v.is_number() => self.shown(at, crate::number::to_f64(v) != 0.0),
            View::Document(d) if d.is_empty() => bail!(
                codes::LOCATION51270,
                "An empty sub-projection is not a valid value. Found empty object at path {}",
                at.join(".")
            ),
            View::Document(d) if is_operator(d) && d.iter().nth(1).is_none() => self.operator(at, d, v),
            View::Document(d) => self.document(d, at),
            _ => self.computed(at, v),
        }
    }

    fn shown(&mut self, at: &[&str], shown: bool) -> Result<()> {
        if at == ["_id"] {
            if self.id.is_some() || self.root.get(b"_id").is_some() {
                bail!(codes::LOCATION31250, "Path collision at _id");
            }
            self.id = Some(shown);
            return Ok(());
        }
        self.decide(at, if shown { Mode::Include } else { Mode::Exclude })?;
        self.insert(at, if shown { Leaf::Include } else { Leaf::Exclude })
    }

    fn computed(&mut self, at: &[&str], v: Val<'_>) -> Result<()> {
        let excludes = self.mode == Some(Mode::Exclude);
        if excludes && v.as_doc().is_some() {
            bail!(codes::LOCATION31252, "Cannot use expression other than $meta in exclusion projection");
        }
        if excludes {
            let name = at.last().unwrap_or(&"");
            bail!(
                codes::LOCATION31310,
                "Cannot use an expression {name}: {} in an exclusion projection",
                display::value(v)
            );
        }
        self.mode = Some(Mode::Include);
        let e = Expr::parse(v, &self.expressions)?;
        self.insert(at, Leaf::Compute(e))
    }

    fn insert(&mut self, at: &[&str], leaf: Leaf) -> Result<()> {
        if at.first() == Some(&"_id") && self.id.is_some() {
            bail!(codes::LOCATION31250, "Path collision at {}", at.join("."));
        }
        self.root.insert(at, leaf)
    }

    fn decide(&mut self, at: &[&str], mode: Mode) -> Result<()> {
        match self.mode {
            None => self.mode = Some(mode),
            Some(Mode::Exclude) if mode == Mode::Include => bail!(
                codes::LOCATION31253,
                "Cannot do inclusion on field {} in exclusion projection",
                at.join(".")
            ),
            Some(decided) if decided != mode => bail!(
                codes::LOCATION31254,
                "Cannot do exclusion on field {} in inclusion projection",
                at.join(".")
            ),
            Some(_) => {}
        }
        Ok(())
    }

    fn positional(&mut self, at: &[&str], v: Val<'_>) -> Result<()> {
        let shown = match v.view() {
            View::Bool(shown) => shown,
            _ if v.is_number() => crate::number::to_f64(v) != 0.0,
            View::Document(_) => bail!(
                codes::LOCATION31271,
                "positional projection cannot be used with an expression or sub object"
            ),
            _ => bail!(codes::LOCATION31308, "positional projection cannot be used with a literal"),
        };
        if !shown {
            bail!(codes::LOCATION31395, "positional projection cannot be used with exclusion");
        }
        if self.positional {
            bail!(codes::LOCATION31276, "Cannot specify more than one positional projection per query.");
        }
        if self.elem_match {
            bail!(codes::LOCATION31256, "Cannot specify positional operator and $elemMatch.");
        }
        self.positional = true;
        self.decide(at, Mode::Include)?;
        self.insert(at, Leaf::Positional)
    }

    fn operator(&mut self, at: &[&str], d: Doc<'_>, v: Val<'_>) -> Result<()> {
        let Some(e) = d.first() else { return Ok(()) };
        match (e.name(), self.kind) {
            ("$slice", Kind::Find) => match Slice::parse(e.val) {
                Ok(slice) => self.insert(at, Leaf::Slice(slice)),
                // Only what the expression's parser refuses is told so; the values of constants come later.
                Err(why) => self.computed(at, v).map_err(|e| {
                    if e.code != codes::LOCATION28667 {
                        return e;
                    }
                    let text = format!(
                        "Invalid $slice syntax. The given syntax {} did not match the find() syntax because :: {why} :: \
                         The given syntax did not match the expression $slice syntax. :: caused by :: {}",
                        display::document(d),
                        e.message
                    );
                    Error::new(e.code, text)
                }),
            },
            ("$elemMatch", Kind::Find) => {
                let query = self.elem_match(at, e.val)?;
                self.insert(at, Leaf::ElemMatch(query))
            }
            ("$meta", _) if e.val.as_str().and_then(|k| self.cx.known.field(k)).is_some() => {
                self.scored = true;
                self.insert(at, Leaf::Compute(Expr::parse(v, &self.expressions)?))
            }
            ("$meta", _) => meta(e.val),
            _ => {
                check_operator(d)?;
                self.computed(at, v)
            }
        }
    }

    fn elem_match(&mut self, at: &[&str], v: Val<'_>) -> Result<Query> {
        if v.as_doc().is_none() {
            bail!(
                codes::LOCATION31274,
                "elemMatch: Invalid argument, object required, but got {}",
                v.type_name()
            );
        }
        if self.positional {
            bail!(codes::LOCATION31255, "Cannot specify positional operator and $elemMatch.");
        }
        if at.len() > 1 {
            bail!(codes::LOCATION31275, "Cannot use $elemMatch projection on a nested field.");
        }
        self.elem_match = true;
        let mut condition = DocWriter::new();
        condition.put_val("$elemMatch", v);
        let mut filter = DocWriter::new();
        filter.put_doc("", Doc::trusted(&condition.finish()));
        let cx = ParseContext { place: Place::Element, ..*self.cx };
        Query::parse(Doc::trusted(&filter.finish()), &cx)
    }
}

/// `$meta` needs what only an index or a text search knows.
fn meta(v: Val<'_>) -> Result<()> {
    match v.as_str() {
        Some("textScore") => {
            bail!(codes::LOCATION40218, "query requires text score metadata, but it is not available")
        }
        Some(
            known @ ("indexKey" | "recordId" | "sortKey" | "randVal" | "geoNearDistance" | "geoNearPoint"
            | "searchScore" | "searchHighlights"),
        ) => bail!(codes::COMMAND_NOT_SUPPORTED, "Returning {known} for $meta not supported"),
        Some(other) => bail!(codes::LOCATION17308, "Unsupported argument to $meta: {other}"),
        None => bail!(codes::LOCATION17307, "$meta only supports string arguments"),
    }
}
