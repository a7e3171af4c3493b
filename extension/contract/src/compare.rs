//! Judges an answer against what is expected: exact, but for masks, declared lack of order and declared tolerance.

use serde_json::{Map, Value};

use crate::bytes::decode;
use crate::case::Expected;
use crate::client::{Answer, Column};
use crate::tree::{Bson, decimal_text, from_hex};

/// Relative difference that an `approximate` case allows.
const TOLERANCE: f64 = 1e-12;

/// What two answers differ in: a path and a sentence.
pub type Difference = String;

/// Compares; `Err` is the first difference.
pub fn compare(expected: Expected<'_>, answer: &Answer, approximate: bool) -> Result<(), Difference> {
    let judge = Judge { masked: expected.masked(), unordered: expected.unordered(), approximate };
    let result = expected.result;
    if let Some(sqlstate) = result.get("sqlstate").and_then(Value::as_str) {
        return judge.error(sqlstate, result["message"].as_str().unwrap_or_default(), answer);
    }
    let (columns, rows, tag) = match answer {
        Answer::Rows { columns, rows, tag } => (columns, rows, tag),
        Answer::Error { .. } => return Err(format!("expected a result, got {}", describe(answer))),
    };
    if let Some(command) = result.get("command").and_then(Value::as_str) {
        return same(command, tag).map_err(|d| format!("command tag: {d}"));
    }
    let wanted: Vec<&Map<String, Value>> = match (result.get("columns"), result.get("rows")) {
        (Some(Value::Object(row)), _) => vec![row],
        (_, Some(Value::Array(rows))) => rows.iter().filter_map(Value::as_object).collect(),
        _ => return Err("the case expects nothing this program knows".into()),
    };
    if wanted.len() != rows.len() {
        return Err(format!("expected {} rows, got {}", wanted.len(), rows.len()));
    }
    wanted.iter().zip(rows).try_for_each(|(wanted, row)| judge.row(wanted, columns, row))
}

/// An answer on one line.
pub fn describe(answer: &Answer) -> String {
    match answer {
        Answer::Error { sqlstate, message, detail } if detail.is_empty() => {
            format!("error {sqlstate} {message:?}")
        }
        Answer::Error { sqlstate, message, detail } => {
            format!("error {sqlstate} {message:?} (detail: {detail:?})")
        }
        Answer::Rows { columns, rows, tag } if columns.is_empty() => format!("{tag} ({} rows)", rows.len()),
        Answer::Rows { columns, rows, .. } => {
            let row = |row: &Vec<Option<String>>| {
                let cells = columns.iter().zip(row).map(|(column, cell)| {
                    let text = cell.as_deref().map_or("NULL".into(), readable);
                    format!("{}: {text}", column.name)
                });
                cells.collect::<Vec<_>>().join("\n            ")
            };
            rows.iter().map(row).collect::<Vec<_>>().join("\n          | ")
        }
    }
}

/// BSON as Extended JSON, anything else as it is.
fn readable(text: &str) -> String {
    bson_of(text).map_or_else(|_| text.to_owned(), |bson| format!("{bson:#}"))
}

/// The document behind the text form of a `bson` column.
pub fn bson_of(text: &str) -> Result<Bson, Difference> {
    let hex = text.strip_prefix("BSONHEX").ok_or("not a BSON document")?;
    decode(&from_hex(hex).ok_or("BSONHEX without hexadecimal digits")?).map(Bson::Document)
}

/// A path of field names and indexes on its way down.
type Path<'p> = Vec<String>;

struct Judge<'a> {
    masked: Vec<Vec<&'a str>>,
    unordered: Vec<Vec<&'a str>>,
    approximate: bool,
}

impl Judge<'_> {
    fn error(&self, sqlstate: &str, message: &str, answer: &Answer) -> Result<(), Difference> {
        let Answer::Error { sqlstate: state, message: text, .. } = answer else {
            return Err(format!("expected error {sqlstate} {message:?}, got a result"));
        };
        let masked = self.masked.iter().any(|path| path == &["message"]);
        let equal = match message.split_once("<<uuid>>").filter(|_| masked) {
            Some((before, after)) => matches_uuid(before, after, text),
            None if masked => matches_numbers(message, text),
            None => message == text,
        };
        if state == sqlstate && equal {
            return Ok(());
        }
        Err(format!("expected error {sqlstate} {message:?}, got {}", describe(answer)))
    }

    fn row(
        &self,
        wanted: &Map<String, Value>,
        columns: &[Column],
        row: &[Option<String>],
    ) -> Result<(), Difference> {
        let names = |names: &mut dyn Iterator<Item = &str>| names.collect::<Vec<_>>().join(", ");
        let expected = names(&mut wanted.keys().map(String::as_str));
        let got = names(&mut columns.iter().map(|column| column.name.as_str()));
        same(&expected, &got).map_err(|d| format!("columns: {d}"))?;
        for ((name, wanted), (column, cell)) in wanted.iter().zip(columns.iter().zip(row)) {
            let mut path = vec![name.clone()];
            self.cell(wanted, column, cell.as_deref(), &mut path)?;
        }
        Ok(())
    }

    fn cell(
        &self,
        wanted: &Value,
        column: &Column,
        cell: Option<&str>,
        path: &mut Path<'_>,
    ) -> Result<(), Difference> {
        let differ = |got: &str| format!("{}: expected {wanted}, got {got}", path.join("."));
        let Some(text) = cell else {
            return if wanted.is_null() { Ok(()) } else { Err(differ("NULL")) };
        };
        let equal = match wanted {
            // PostgreSQL sends the empty text for void.
            Value::Null => column.oid == oid::VOID,
            Value::Bool(b) => column.oid == oid::BOOL && text == if *b { "t" } else { "f" },
            Value::Number(n) if oid::NUMBERS.contains(&column.oid) => {
                n.to_string() == text || (n.as_f64() == text.parse().ok() && !n.is_i64())
            }
            Value::String(mask) if self.is_masked(path) => match mask.as_str() {
                "<<opaque>>" => bson_of(text).is_ok(),
                "<<int32>>" | "<<int64>>" | "<<double>>" => text.parse::<i64>().is_ok(),
                "<<uuid>>" => column.oid == oid::UUID,
                "<<string>>" => !oid::NUMBERS.contains(&column.oid) && column.oid != oid::BOOL,
                partly => matches_numbers(partly, text),
            },
            Value::String(s) => ![oid::BOOL, oid::VOID].contains(&column.oid) && s == text,
            Value::Object(_) => {
                let wanted = Bson::from_json(wanted, &|path| Err(format!("@ref {path} in a result")))?;
                let got = bson_of(text).map_err(|e| differ(&format!("{text:.80} ({e})")))?;
                return self.value(&wanted, &got, path);
            }
            _ => false,
        };
        if equal { Ok(()) } else { Err(differ(&readable(text))) }
    }

    fn value(&self, wanted: &Bson, got: &Bson, path: &mut Path<'_>) -> Result<(), Difference> {
        if let Bson::String(mask) = wanted
            && self.is_masked(path)
            && let Some(accepted) = accepts(mask, got)
        {
            return if accepted { Ok(()) } else { Err(differ(wanted, got, path)) };
        }
        match (wanted, got) {
            (Bson::Document(wanted), Bson::Document(fields)) => {
                let names = |fields: &[(String, Bson)]| {
                    fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
                };
                if !wanted.iter().map(|(name, _)| name).eq(fields.iter().map(|(name, _)| name)) {
                    let (wanted, got) = (names(wanted), names(fields));
                    return Err(format!("{}: expected fields [{wanted}], got [{got}]", path.join(".")));
                }
                wanted.iter().zip(fields).try_for_each(|((name, wanted), (_, got))| {
                    self.below(name.clone(), path, |path| self.value(wanted, got, path))
                })
            }
            (Bson::Array(wanted), Bson::Array(items)) => {
                if wanted.len() != items.len() {
                    let (path, wanted, got) = (path.join("."), wanted.len(), items.len());
                    return Err(format!("{path}: expected {wanted} elements, got {got}"));
                }
                if self.unordered.iter().any(|pattern| fits(pattern, path)) {
                    return self.multiset(wanted, items, path);
                }
                wanted.iter().zip(items).enumerate().try_for_each(|(i, (wanted, got))| {
                    self.below(i.to_string(), path, |path| self.value(wanted, got, path))
                })
            }
            (Bson::CodeWithScope(code, wanted), Bson::CodeWithScope(text, scope)) if code == text => {
                let (wanted, scope) = (Bson::Document(wanted.clone()), Bson::Document(scope.clone()));
                self.below("$scope".into(), path, |path| self.value(&wanted, &scope, path))
            }
            _ if self.same_scalar(wanted, got) => Ok(()),
            _ => Err(differ(wanted, got, path)),
        }
    }

    fn below(
        &self,
        name: String,
        path: &mut Path<'_>,
        work: impl FnOnce(&mut Path<'_>) -> Result<(), Difference>,
    ) -> Result<(), Difference> {
        path.push(name);
        let result = work(path);
        path.pop();
        result
    }

    /// Every expected element is found once, wherever it stands.
    fn multiset(&self, wanted: &[Bson], got: &[Bson], path: &mut Path<'_>) -> Result<(), Difference> {
        let mut left: Vec<&Bson> = got.iter().collect();
        for (i, wanted) in wanted.iter().enumerate() {
            let mut equal =
                |got: &&Bson| self.below(i.to_string(), path, |path| self.value(wanted, got, path)).is_ok();
            match left.iter().position(&mut equal) {
                Some(found) => drop(left.swap_remove(found)),
                None => {
                    return Err(format!("{}: expected an element {wanted:#} in any place", path.join(".")));
                }
            }
        }
        Ok(())
    }

    fn same_scalar(&self, wanted: &Bson, got: &Bson) -> bool {
        match (wanted, got) {
            (Bson::Double(a), Bson::Double(b))
                if a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()) =>
            {
                true
            }
            // One number has several encodings when it is not finite; the digits are what counts.
            (Bson::Decimal(a), Bson::Decimal(b)) if decimal_text(*a) == decimal_text(*b) => true,
            (Bson::Double(_), Bson::Double(_)) | (Bson::Decimal(_), Bson::Decimal(_)) if self.approximate => {
                wanted
                    .as_f64()
                    .zip(got.as_f64())
                    .is_some_and(|(a, b)| (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()))
            }
            (Bson::Double(_), Bson::Double(_)) => false,
            _ => wanted == got,
        }
    }

    fn is_masked(&self, path: &[String]) -> bool {
        self.masked.iter().any(|pattern| fits(pattern, path))
    }
}

/// Whether a masked value accepts what came; nothing when the placeholder is not one of the whole-value kind
/// and the text holds no `<<number>>`.
fn accepts(mask: &str, got: &Bson) -> Option<bool> {
    Some(match mask {
        "<<opaque>>" => matches!(got, Bson::Document(_)),
        "<<objectId>>" => matches!(got, Bson::ObjectId(_)),
        "<<date>>" => matches!(got, Bson::Date(_)),
        "<<timestamp>>" => matches!(got, Bson::Timestamp(..)),
        "<<uuid>>" => matches!(got, Bson::Binary(4, bytes) if bytes.len() == 16),
        "<<string>>" => matches!(got, Bson::String(_)),
        "<<int32>>" | "<<int64>>" | "<<double>>" => {
            matches!(got, Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) | Bson::Decimal(_))
        }
        text if text.contains("<<number>>") => matches!(got, Bson::String(got) if matches_numbers(text, got)),
        _ => return None,
    })
}

fn differ(wanted: &Bson, got: &Bson, path: &[String]) -> Difference {
    format!("{}: expected {wanted:#}, got {got:#}", path.join("."))
}

fn same(expected: &str, got: &str) -> Result<(), Difference> {
    if expected == got { Ok(()) } else { Err(format!("expected {expected:?}, got {got:?}")) }
}

/// Whether a path is the one of the pattern, in which `*` stands for any one step.
pub(crate) fn fits(pattern: &[&str], path: &[String]) -> bool {
    pattern.len() == path.len()
        && pattern.iter().zip(path).all(|(wanted, step)| *wanted == "*" || wanted == step)
}

/// Whether `text` is a UUID between two texts.
fn matches_uuid(before: &str, after: &str, text: &str) -> bool {
    let uuid = text.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).unwrap_or_default();
    let lengths = uuid.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && uuid.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// Whether `text` is `pattern` with digits for every `<<number>>`.
fn matches_numbers(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split("<<number>>");
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    for part in parts {
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        if digits.len() == rest.len() {
            return false;
        }
        match digits.strip_prefix(part) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

/// Numbers of PostgreSQL's types.
pub(crate) mod oid {
    pub(crate) const BOOL: u32 = 16;
    pub(crate) const VOID: u32 = 2278;
    pub(crate) const UUID: u32 = 2950;
    /// int8, int2, int4, float4, float8, numeric.
    pub(crate) const NUMBERS: [u32; 6] = [20, 21, 23, 700, 701, 1700];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;

    /// The verdict about one `bson` column named `d` with the fields of `got`.
    fn verdict(rest: &str, wanted: &str, got: &str) -> Result<(), Difference> {
        let line = format!(r#"{{"name":"n","call":{{}},"result":{{"columns":{{"d":{wanted}}}}}{rest}}}"#);
        let case = Case::parse(&line).unwrap();
        let got: Value = serde_json::from_str(got).unwrap();
        let got = Bson::from_json(&got, &|_| Err("no".into())).unwrap();
        let hex: String =
            crate::bytes::encode(got.fields().unwrap()).iter().map(|b| format!("{b:02x}")).collect();
        let columns = vec![Column { name: "d".into(), oid: 99 }];
        let answer =
            Answer::Rows { columns, rows: vec![vec![Some(format!("BSONHEX{hex}"))]], tag: "SELECT 1".into() };
        let (_, expected) = case.calls().next().unwrap();
        compare(expected, &answer, case.approximate())
    }

    #[test]
    fn types_order_and_bits_count() {
        let same = r#"{"a":{"$numberInt":"1"},"b":[null,{"$numberDouble":"-0.0"},{"$minKey":1}]}"#;
        verdict("", same, same).unwrap();
        for other in [
            r#"{"b":[null,{"$numberDouble":"-0.0"},{"$minKey":1}],"a":{"$numberInt":"1"}}"#,
            r#"{"a":{"$numberLong":"1"},"b":[null,{"$numberDouble":"-0.0"},{"$minKey":1}]}"#,
            r#"{"a":{"$numberInt":"1"},"b":[null,{"$numberDouble":"0.0"},{"$minKey":1}]}"#,
            r#"{"a":{"$numberInt":"1"},"b":[{"$undefined":true},{"$numberDouble":"-0.0"},{"$minKey":1}]}"#,
            r#"{"a":{"$numberInt":"1"},"b":[null,{"$numberDouble":"-0.0"}]}"#,
        ] {
            verdict("", same, other).unwrap_err();
        }
        verdict("", r#"{"a":{"$numberDecimal":"1.0"}}"#, r#"{"a":{"$numberDecimal":"1.00"}}"#).unwrap_err();
        verdict("", r#"{"a":{"$numberDouble":"NaN"}}"#, r#"{"a":{"$numberDouble":"NaN"}}"#).unwrap();
        // Operators are documents, never regular expression values.
        verdict(
            "",
            r#"{"a":{"$regex":"x"}}"#,
            r#"{"a":{"$regularExpression":{"pattern":"x","options":""}}}"#,
        )
        .unwrap_err();
    }

    #[test]
    fn masks_count_only_where_they_are_declared() {
        let (wanted, oid) = (r#"{"a":["<<objectId>>"]}"#, r#"{"a":[{"$oid":"000000000000000000000000"}]}"#);
        verdict(r#","masked":["d.a.*"]"#, wanted, oid).unwrap();
        verdict("", wanted, oid).unwrap_err();
        verdict(r#","masked":["d.a.*"]"#, wanted, r#"{"a":[null]}"#).unwrap_err();
        let table = r#"{"a":"documents_<<number>>_x"}"#;
        verdict(r#","masked":["d.a"]"#, table, r#"{"a":"documents_12_x"}"#).unwrap();
        verdict(r#","masked":["d.a"]"#, table, r#"{"a":"documents__x"}"#).unwrap_err();
    }

    #[test]
    fn order_and_precision_are_loosened_where_declared() {
        let (wanted, got) = (r#"{"a":["x","y","y"]}"#, r#"{"a":["y","x","y"]}"#);
        verdict(r#","unordered_paths":["d.a"]"#, wanted, got).unwrap();
        verdict(r#","unordered_paths":["d.a"]"#, wanted, r#"{"a":["y","x","x"]}"#).unwrap_err();
        verdict("", wanted, got).unwrap_err();
        let (wanted, got) =
            (r#"{"a":{"$numberDouble":"0.3"}}"#, r#"{"a":{"$numberDouble":"0.30000000000000004"}}"#);
        verdict(r#","approximate":true"#, wanted, got).unwrap();
        for decimal in ["NaN", "Infinity", "1.0"] {
            let document = format!(r#"{{"a":{{"$numberDecimal":"{decimal}"}}}}"#);
            verdict(r#","approximate":true"#, &document, &document).unwrap();
        }
        verdict("", wanted, got).unwrap_err();
    }
}
