//! BSON as a tree that keeps every type and the order of fields: from canonical Extended JSON, to and from bytes.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

/// Field names and values in order. Names may repeat.
pub type Fields = Vec<(String, Bson)>;

/// One BSON value.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the BSON types by their usual names")]
pub enum Bson {
    Double(f64),
    String(String),
    Document(Fields),
    Array(Vec<Bson>),
    Binary(u8, Vec<u8>),
    Undefined,
    ObjectId([u8; 12]),
    Bool(bool),
    Date(i64),
    Null,
    Regex(String, String),
    DbPointer(String, [u8; 12]),
    Code(String),
    Symbol(String),
    CodeWithScope(String, Fields),
    Int32(i32),
    Timestamp(u32, u32),
    Int64(i64),
    Decimal([u8; 16]),
    MinKey,
    MaxKey,
}

/// A sentence about what could not be read.
pub type Result<T> = std::result::Result<T, String>;

impl Bson {
    /// Reads a value of a case: canonical Extended JSON and the wrappers that begin with `@`, of which `@ref` is
    /// looked up with `refs`.
    pub fn from_json(json: &Value, refs: &dyn Fn(&str) -> Result<Self>) -> Result<Self> {
        Reader { refs, index: None }.value(json)
    }

    /// The fields of a document.
    pub fn fields(&self) -> Option<&Fields> {
        match self {
            Self::Document(fields) => Some(fields),
            _ => None,
        }
    }

    /// The value at a path of field names and array indexes.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        match self {
            Self::Document(fields) => fields.iter().find(|(name, _)| name == first)?.1.at(rest),
            Self::Array(items) => items.get(first.parse::<usize>().ok()?)?.at(rest),
            _ => None,
        }
    }

    /// The value as a number, when it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Double(d) => Some(*d),
            Self::Int32(i) => Some(f64::from(*i)),
            #[allow(clippy::cast_precision_loss, reason = "used to compare within a tolerance only")]
            Self::Int64(i) => Some(*i as f64),
            Self::Decimal(bytes) => decimal_text(*bytes).parse().ok(),
            _ => None,
        }
    }
}

/// Reads JSON; inside a template of `@documents` it knows the running index.
struct Reader<'a> {
    refs: &'a dyn Fn(&str) -> Result<Bson>,
    index: Option<i64>,
}

impl Reader<'_> {
    fn value(&self, json: &Value) -> Result<Bson> {
        Ok(match json {
            Value::Null => Bson::Null,
            Value::Bool(b) => Bson::Bool(*b),
            Value::String(s) => Bson::String(s.clone()),
            Value::Array(items) => {
                Bson::Array(items.iter().map(|item| self.value(item)).collect::<Result<_>>()?)
            }
            Value::Number(n) => return Err(format!("a bare number in BSON: {n}")),
            Value::Object(map) => match self.wrapper(map)? {
                Some(value) => value,
                None => Bson::Document(self.fields(map)?),
            },
        })
    }

    fn fields(&self, map: &Map<String, Value>) -> Result<Fields> {
        map.iter().map(|(name, value)| Ok((name.clone(), self.value(value)?))).collect()
    }

    /// A wrapper has exactly the fields and types of its kind; everything else is a plain document.
    fn wrapper(&self, map: &Map<String, Value>) -> Result<Option<Bson>> {
        let mut entries = map.iter();
        let Some((name, value)) = entries.next() else { return Ok(None) };
        if name == "$code" && map.len() == 2 {
            let (Value::String(code), Some(Value::Object(scope))) = (value, map.get("$scope")) else {
                return Ok(None);
            };
            return Ok(Some(Bson::CodeWithScope(code.clone(), self.fields(scope)?)));
        }
        if map.len() != 1 {
            return Ok(None);
        }
        match (name.as_str(), value) {
            ("@ref", Value::String(path)) => (self.refs)(path).map(Some),
            ("@string", Value::Object(spec)) => repeated(spec).map(|s| Some(Bson::String(s))),
            ("@documents", Value::Object(spec)) => self.documents(spec).map(Some),
            ("@i", Value::Object(spec)) => self.index_value(spec).map(Some),
            (name, _) if name.starts_with('@') => Err(format!("unknown wrapper {name}")),
            (name, Value::String(text)) => string_wrapper(name, text),
            (name, Value::Object(inner)) => Ok(object_wrapper(name, inner)),
            ("$undefined", Value::Bool(true)) => Ok(Some(Bson::Undefined)),
            ("$minKey", Value::Number(n)) if n.as_i64() == Some(1) => Ok(Some(Bson::MinKey)),
            ("$maxKey", Value::Number(n)) if n.as_i64() == Some(1) => Ok(Some(Bson::MaxKey)),
            _ => Ok(None),
        }
    }

    fn documents(&self, spec: &Map<String, Value>) -> Result<Bson> {
        let template = spec.get("template").ok_or("@documents without template")?;
        let (from, to) = (integer(spec, "from", 0)?, integer(spec, "to", 0)?);
        let item = |i| Reader { refs: self.refs, index: Some(i) }.value(template);
        Ok(Bson::Array((from..to).map(item).collect::<Result<_>>()?))
    }

    fn index_value(&self, spec: &Map<String, Value>) -> Result<Bson> {
        let i = self.index.ok_or("@i outside of @documents")?;
        let value = i * integer(spec, "mul", 1)? + integer(spec, "add", 0)?;
        let modulus = integer(spec, "mod", i64::MAX)?;
        i32::try_from(value % modulus)
            .map(|v| Some(Bson::Int32(v)))
            .map_err(|e| e.to_string())?
            .ok_or_else(String::new)
    }
}

/// The text of an `@string` wrapper.
fn repeated(spec: &Map<String, Value>) -> Result<String> {
    let text = spec.get("repeat").and_then(Value::as_str).ok_or("@string without repeat")?;
    let times = usize::try_from(integer(spec, "times", 1)?).map_err(|e| e.to_string())?;
    Ok(text.repeat(times))
}

fn integer(spec: &Map<String, Value>, name: &str, default: i64) -> Result<i64> {
    match spec.get(name) {
        None => Ok(default),
        Some(value) => value.as_i64().ok_or_else(|| format!("{name} is not an integer")),
    }
}

fn string_wrapper(name: &str, text: &str) -> Result<Option<Bson>> {
    let bad = || format!("{{\"{name}\": \"{text}\"}} cannot be read");
    Ok(Some(match name {
        "$numberInt" => Bson::Int32(text.parse().map_err(|_| bad())?),
        "$numberLong" => Bson::Int64(text.parse().map_err(|_| bad())?),
        "$numberDouble" => Bson::Double(text.parse().map_err(|_| bad())?),
        "$numberDecimal" => Bson::Decimal(bson::Decimal128::from_str(text).map_err(|_| bad())?.bytes()),
        "$oid" => Bson::ObjectId(object_id(text).ok_or_else(bad)?),
        "$code" => Bson::Code(text.into()),
        "$symbol" => Bson::Symbol(text.into()),
        _ => return Ok(None),
    }))
}

fn object_wrapper(name: &str, inner: &Map<String, Value>) -> Option<Bson> {
    let text = |field: &str| inner.get(field).and_then(Value::as_str);
    let number = |field: &str| inner.get(field).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    match (name, inner.len()) {
        ("$date", 1) => Some(Bson::Date(text("$numberLong")?.parse().ok()?)),
        ("$timestamp", 2) => Some(Bson::Timestamp(number("t")?, number("i")?)),
        ("$regularExpression", 2) => Some(Bson::Regex(text("pattern")?.into(), text("options")?.into())),
        ("$binary", 2) => {
            let subtype = u8::from_str_radix(text("subType")?, 16).ok()?;
            Some(Bson::Binary(subtype, BASE64.decode(text("base64")?).ok()?))
        }
        ("$dbPointer", 2) => {
            let id = inner.get("$id")?.get("$oid")?.as_str()?;
            Some(Bson::DbPointer(text("$ref")?.into(), object_id(id)?))
        }
        _ => None,
    }
}

fn object_id(hex: &str) -> Option<[u8; 12]> {
    from_hex(hex).and_then(|bytes| bytes.try_into().ok())
}

/// Bytes written as pairs of hexadecimal digits.
pub fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let pair = |pair: &[u8]| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?);
    hex.as_bytes().chunks(2).map(pair).collect()
}

/// The usual text of a decimal.
pub fn decimal_text(bytes: [u8; 16]) -> String {
    bson::Decimal128::from_bytes(bytes).to_string()
}

/// Writes canonical Extended JSON; with `{:#}` what is long is shortened.
impl fmt::Display for Bson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = f.alternate();
        let clipped = |s: &str| if short { shortened(s) } else { s.to_owned() };
        let quoted = |s: &str| Value::from(clipped(s)).to_string();
        match self {
            Self::Double(d) if d.is_infinite() => {
                write!(f, "{{\"$numberDouble\":\"{}Infinity\"}}", if *d < 0.0 { "-" } else { "" })
            }
            Self::Double(d) => write!(f, "{{\"$numberDouble\":\"{d:?}\"}}"),
            Self::String(s) => f.write_str(&quoted(s)),
            Self::Document(fields) => write_fields(f, fields),
            Self::Array(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "," })?;
                    fmt::Display::fmt(item, f)?;
                }
                f.write_str("]")
            }
            Self::Binary(subtype, bytes) => {
                let base64 = clipped(&BASE64.encode(bytes));
                write!(f, "{{\"$binary\":{{\"base64\":\"{base64}\",\"subType\":\"{subtype:02x}\"}}}}")
            }
            Self::Undefined => f.write_str("{\"$undefined\":true}"),
            Self::ObjectId(id) => write!(f, "{{\"$oid\":\"{}\"}}", hex(id)),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Date(ms) => write!(f, "{{\"$date\":{{\"$numberLong\":\"{ms}\"}}}}"),
            Self::Null => f.write_str("null"),
            Self::Regex(pattern, options) => {
                let (pattern, options) = (quoted(pattern), quoted(options));
                write!(f, "{{\"$regularExpression\":{{\"pattern\":{pattern},\"options\":{options}}}}}")
            }
            Self::DbPointer(name, id) => {
                write!(
                    f,
                    "{{\"$dbPointer\":{{\"$ref\":{},\"$id\":{{\"$oid\":\"{}\"}}}}}}",
                    quoted(name),
                    hex(id)
                )
            }
            Self::Code(code) => write!(f, "{{\"$code\":{}}}", quoted(code)),
            Self::Symbol(symbol) => write!(f, "{{\"$symbol\":{}}}", quoted(symbol)),
            Self::CodeWithScope(code, scope) => {
                write!(f, "{{\"$code\":{},\"$scope\":", quoted(code))?;
                write_fields(f, scope)?;
                f.write_str("}")
            }
            Self::Int32(i) => write!(f, "{{\"$numberInt\":\"{i}\"}}"),
            Self::Timestamp(t, i) => write!(f, "{{\"$timestamp\":{{\"t\":{t},\"i\":{i}}}}}"),
            Self::Int64(i) => write!(f, "{{\"$numberLong\":\"{i}\"}}"),
            Self::Decimal(bytes) => write!(f, "{{\"$numberDecimal\":\"{}\"}}", decimal_text(*bytes)),
            Self::MinKey => f.write_str("{\"$minKey\":1}"),
            Self::MaxKey => f.write_str("{\"$maxKey\":1}"),
        }
    }
}

fn write_fields(f: &mut fmt::Formatter<'_>, fields: &Fields) -> fmt::Result {
    f.write_str("{")?;
    for (i, (name, value)) in fields.iter().enumerate() {
        let name = Value::from(if f.alternate() { shortened(name) } else { name.clone() });
        write!(f, "{}{name}:", if i == 0 { "" } else { "," })?;
        fmt::Display::fmt(value, f)?;
    }
    f.write_str("}")
}

fn shortened(text: &str) -> String {
    let count = text.chars().count();
    if count <= 400 {
        return text.into();
    }
    let head: String = text.chars().take(40).collect();
    format!("{head}… ({count} characters)")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
