//! The specification document: its fields, their defaults, the collator they stand for.

use super::Collator;
use super::locale::{Locale, nearest};
use crate::error::{Error, Result};
use crate::number::{self, Truncated};
use crate::raw::{Doc, Val};
use crate::value::{DocWriter, Value};
use crate::{bail, codes, display};
use icu_collator::options::{AlternateHandling, CaseLevel, CollatorOptions, MaxVariable, Strength};
use icu_collator::preferences::{CollationCaseFirst, CollationNumericOrdering};
use icu_collator::{CollatorBorrowed, CollatorPreferences};

/// The version MongoDB 8 gives its collations, ICU's; specifications may name it, and no other.
pub const VERSION: &str = "57.1";

/// The fields as far as they are given.
#[derive(Default)]
struct Fields<'a> {
    locale: Option<&'a str>,
    case_level: Option<bool>,
    case_first: Option<&'a str>,
    strength: Option<i32>,
    numeric: Option<bool>,
    alternate: Option<&'a str>,
    max_variable: Option<&'a str>,
    normalization: Option<bool>,
    backwards: Option<bool>,
    version: Option<&'a str>,
}

fn wrong_type(name: &str, v: Val<'_>, expected: &str) -> Error {
    let got = v.type_name();
    let text = format!("BSON field 'collation.{name}' is the wrong type '{got}', expected {expected}");
    Error::new(codes::TYPE_MISMATCH, text)
}

fn text<'a>(name: &str, v: Val<'a>) -> Result<&'a str> {
    v.as_str().ok_or_else(|| wrong_type(name, v, "type 'string'"))
}

fn flag(name: &str, v: Val<'_>) -> Result<bool> {
    v.as_bool().ok_or_else(|| wrong_type(name, v, "type 'bool'"))
}

fn choice<'a>(name: &str, v: Val<'a>, choices: &[&str]) -> Result<&'a str> {
    let s = text(name, v)?;
    if choices.contains(&s) {
        return Ok(s);
    }
    bail!(codes::BAD_VALUE, "Enumeration value '{s}' for field 'collation.{name}' is not a valid value.")
}

/// 1 to 5; fractions are cut off.
fn strength(v: Val<'_>) -> Result<i32> {
    let n = match number::truncate_i64(v) {
        Some(Truncated::Int(n)) => n,
        Some(Truncated::OutOfRange) => i64::from(i32::MAX),
        Some(_) => 0,
        None => return Err(wrong_type("strength", v, "types '[long, int, decimal, double]'")),
    };
    let n = i32::try_from(n).unwrap_or(if n < 0 { i32::MIN } else { i32::MAX });
    match n {
        1..=5 => Ok(n),
        0 => bail!(
            codes::BAD_VALUE,
            "Enumeration value '0' for field 'collation.strength' is not a valid value."
        ),
        _ => {
            let limit = if n < 0 { ">= 0" } else { "<= 5" };
            bail!(codes::LOCATION51024, "BSON field 'strength' value must be {limit}, actual value '{n}'")
        }
    }
}

impl<'a> Fields<'a> {
    fn read(spec: Doc<'a>) -> Result<Self> {
        let mut f = Self::default();
        for e in spec {
            let (name, v) = (e.name(), e.val);
            // Null stands for a field that is not given.
            if v.is_nullish() && name != "backwards" {
                continue;
            }
            match name {
                "locale" => f.locale = Some(text(name, v)?),
                "caseLevel" => f.case_level = Some(flag(name, v)?),
                "caseFirst" => f.case_first = Some(choice(name, v, &["upper", "lower", "off"])?),
                "strength" => f.strength = Some(strength(v)?),
                "numericOrdering" => f.numeric = Some(flag(name, v)?),
                "alternate" => f.alternate = Some(choice(name, v, &["non-ignorable", "shifted"])?),
                "maxVariable" => f.max_variable = Some(choice(name, v, &["punct", "space"])?),
                "normalization" => f.normalization = Some(flag(name, v)?),
                "backwards" => match v.as_bool() {
                    Some(b) => f.backwards = Some(b),
                    None => bail!(
                        codes::TYPE_MISMATCH,
                        "Field 'backwards' should be a boolean value, but found: {}",
                        v.type_name()
                    ),
                },
                "version" => f.version = Some(text(name, v)?),
                _ => bail!(codes::LOCATION40415, "BSON field 'collation.{name}' is an unknown field."),
            }
        }
        Ok(f)
    }

    fn locale(&self) -> Result<&'a str> {
        match self.locale {
            Some(l) => Ok(l),
            None => {
                bail!(codes::LOCATION40414, "BSON field 'collation.locale' is missing but a required field")
            }
        }
    }
}

/// What `create` makes of a specification before it is read: fields that are not given get the values that hold for
/// every language, not those of the locale.
///
/// # Errors
/// Those of [`super::Collation::parse`] for the fields.
pub fn with_defaults(spec: Doc<'_>) -> Result<Vec<u8>> {
    let f = Fields::read(spec)?;
    let mut w = DocWriter::new();
    w.put_str("locale", f.locale()?);
    w.put("caseLevel", &Value::Bool(f.case_level.unwrap_or(false)));
    w.put_str("caseFirst", f.case_first.unwrap_or("off"));
    w.put("strength", &Value::Int32(f.strength.unwrap_or(3)));
    w.put("numericOrdering", &Value::Bool(f.numeric.unwrap_or(false)));
    w.put_str("alternate", f.alternate.unwrap_or("non-ignorable"));
    w.put_str("maxVariable", f.max_variable.unwrap_or("punct"));
    w.put("normalization", &Value::Bool(f.normalization.unwrap_or(false)));
    if let Some(b) = f.backwards {
        w.put("backwards", &Value::Bool(b));
    }
    if let Some(version) = f.version {
        w.put_str("version", version);
    }
    Ok(w.finish())
}

/// Reads a specification; `None` for the simple collation.
pub(super) fn parse(spec: Doc<'_>) -> Result<Option<Collator>> {
    let f = Fields::read(spec)?;
    let name = f.locale()?;
    let shown = || display::document(spec);
    if name == "simple" {
        return Ok(None);
    }
    if name.contains('\0') {
        bail!(codes::BAD_VALUE, "Field 'locale' cannot contain null byte. Collation spec: {}", shown());
    }
    if name.is_empty() {
        bail!(codes::BAD_VALUE, "Field 'locale' cannot be the empty string in: {}", shown());
    }
    let Some(locale) = Locale::find(name) else {
        let hint = nearest(name).map(|n| format!(". Did you mean '{n}'?")).unwrap_or_default();
        bail!(codes::BAD_VALUE, "Field 'locale' is invalid in: {}{hint}", shown())
    };
    if let Some(version) = f.version.filter(|v| *v != VERSION) {
        bail!(
            codes::INCOMPATIBLE_COLLATION_VERSION,
            "Requested collation version {version} but the only available collator version was {VERSION}. \
             Requested collation spec: {}",
            shown()
        );
    }
    let strength = f.strength.unwrap_or(3);
    if f.backwards == Some(true) && strength == 1 {
        bail!(codes::BAD_VALUE, "'backwards' is invalid with 'strength' of 1 in: {}", shown());
    }
    let ordered = f.case_first.is_some_and(|c| c != "off");
    if ordered && !f.case_level.unwrap_or(false) && strength < 3 {
        bail!(
            codes::BAD_VALUE,
            "'caseFirst' is invalid unless 'caseLevel' is on or 'strength' is greater than 2 in: {}",
            shown()
        );
    }
    if let Some(variant) = locale.without_rules() {
        bail!(codes::COMMAND_NOT_SUPPORTED, "collation variant '{variant}' is not supported");
    }
    let backwards = f.backwards.unwrap_or(locale.is_backwards());
    let Some(base) = locale.with_backwards(backwards) else {
        bail!(
            codes::COMMAND_NOT_SUPPORTED,
            "collation option 'backwards' with value {backwards} is not supported for locale '{name}'"
        )
    };
    let rules = rules(base, &f)?;
    let spec = full(&f, name, backwards, &rules);
    Ok(Some(Collator { rules, spec }))
}

fn rules(locale: Locale<'_>, f: &Fields<'_>) -> Result<CollatorBorrowed<'static>> {
    let tag = locale.tag();
    let unknown = || Error::new(codes::INTERNAL_ERROR, format!("no collation rules for the locale {tag}"));
    let parsed: icu_locale_core::Locale = tag.parse().map_err(|_| unknown())?;
    let mut preferences = CollatorPreferences::from(&parsed);
    preferences.numeric_ordering =
        f.numeric.map(|on| if on { CollationNumericOrdering::True } else { CollationNumericOrdering::False });
    preferences.case_first = f.case_first.map(|c| match c {
        "upper" => CollationCaseFirst::Upper,
        "lower" => CollationCaseFirst::Lower,
        _ => CollationCaseFirst::False,
    });
    let mut options = CollatorOptions::default();
    options.strength = Some(match f.strength.unwrap_or(3) {
        1 => Strength::Primary,
        2 => Strength::Secondary,
        3 => Strength::Tertiary,
        4 => Strength::Quaternary,
        _ => Strength::Identical,
    });
    options.case_level = f.case_level.map(|on| if on { CaseLevel::On } else { CaseLevel::Off });
    options.alternate_handling = f.alternate.map(|a| match a {
        "shifted" => AlternateHandling::Shifted,
        _ => AlternateHandling::NonIgnorable,
    });
    options.max_variable = f.max_variable.map(|m| match m {
        "space" => MaxVariable::Space,
        _ => MaxVariable::Punctuation,
    });
    CollatorBorrowed::try_new(preferences, options).map_err(|_| unknown())
}

/// All fields; those that were not given have the locale's values.
fn full(f: &Fields<'_>, locale: &str, backwards: bool, rules: &CollatorBorrowed<'_>) -> Vec<u8> {
    let resolved = rules.resolved_options();
    let case_first = match resolved.case_first {
        CollationCaseFirst::Upper => "upper",
        CollationCaseFirst::Lower => "lower",
        _ => "off",
    };
    let shifted = resolved.alternate_handling == AlternateHandling::Shifted;
    let space = resolved.max_variable == MaxVariable::Space;
    let mut w = DocWriter::new();
    w.put_str("locale", locale);
    w.put("caseLevel", &Value::Bool(resolved.case_level == CaseLevel::On));
    w.put_str("caseFirst", case_first);
    w.put("strength", &Value::Int32(f.strength.unwrap_or(3)));
    w.put("numericOrdering", &Value::Bool(resolved.numeric == CollationNumericOrdering::True));
    w.put_str("alternate", if shifted { "shifted" } else { "non-ignorable" });
    w.put_str("maxVariable", if space { "space" } else { "punct" });
    w.put("normalization", &Value::Bool(f.normalization.unwrap_or(false)));
    w.put("backwards", &Value::Bool(backwards));
    w.put_str("version", VERSION);
    w.finish()
}
