//! BSON bytes from and to a [`Bson`] tree, independent of the library the extension uses.

use crate::tree::{Bson, Fields, Result};

/// Encodes a document.
pub fn encode(fields: &Fields) -> Vec<u8> {
    let mut out = Vec::new();
    document(&mut out, fields.iter().map(|(name, value)| (name.clone(), value)));
    out
}

fn document<'a>(out: &mut Vec<u8>, fields: impl Iterator<Item = (String, &'a Bson)>) {
    let start = out.len();
    out.extend([0; 4]);
    for (name, value) in fields {
        let tag = out.len();
        out.push(0);
        out.extend(name.as_bytes());
        out.push(0);
        out[tag] = element(out, value);
    }
    out.push(0);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Writes a value and gives its type byte.
fn element(out: &mut Vec<u8>, value: &Bson) -> u8 {
    match value {
        Bson::Double(d) => put(out, 0x01, &d.to_le_bytes()),
        Bson::String(s) => string(out, 0x02, s),
        Bson::Document(fields) => {
            document(out, fields.iter().map(|(name, value)| (name.clone(), value)));
            0x03
        }
        Bson::Array(items) => {
            document(out, items.iter().enumerate().map(|(i, item)| (i.to_string(), item)));
            0x04
        }
        Bson::Binary(subtype, bytes) => {
            // Subtype 2 has its length twice.
            let old = *subtype == 2;
            let length = |extra| u32::try_from(bytes.len() + extra).unwrap_or(u32::MAX).to_le_bytes();
            out.extend(length(if old { 4 } else { 0 }));
            out.push(*subtype);
            if old {
                out.extend(length(0));
            }
            put(out, 0x05, bytes)
        }
        Bson::Undefined => 0x06,
        Bson::ObjectId(id) => put(out, 0x07, id),
        Bson::Bool(b) => put(out, 0x08, &[u8::from(*b)]),
        Bson::Date(ms) => put(out, 0x09, &ms.to_le_bytes()),
        Bson::Null => 0x0a,
        Bson::Regex(pattern, options) => {
            for text in [pattern, options] {
                out.extend(text.as_bytes());
                out.push(0);
            }
            0x0b
        }
        Bson::DbPointer(name, id) => {
            string(out, 0x0c, name);
            put(out, 0x0c, id)
        }
        Bson::Code(code) => string(out, 0x0d, code),
        Bson::Symbol(symbol) => string(out, 0x0e, symbol),
        Bson::CodeWithScope(code, scope) => {
            let start = out.len();
            out.extend([0; 4]);
            string(out, 0x0f, code);
            document(out, scope.iter().map(|(name, value)| (name.clone(), value)));
            let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
            out[start..start + 4].copy_from_slice(&length.to_le_bytes());
            0x0f
        }
        Bson::Int32(i) => put(out, 0x10, &i.to_le_bytes()),
        Bson::Timestamp(t, i) => {
            out.extend(i.to_le_bytes());
            put(out, 0x11, &t.to_le_bytes())
        }
        Bson::Int64(i) => put(out, 0x12, &i.to_le_bytes()),
        Bson::Decimal(bytes) => put(out, 0x13, bytes),
        Bson::MinKey => 0xff,
        Bson::MaxKey => 0x7f,
    }
}

fn put(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) -> u8 {
    out.extend(bytes);
    tag
}

fn string(out: &mut Vec<u8>, tag: u8, text: &str) -> u8 {
    out.extend(u32::try_from(text.len() + 1).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(text.as_bytes());
    out.push(0);
    tag
}

/// Decodes a document and insists that nothing follows it, that lengths agree, and that arrays count from 0.
pub fn decode(bytes: &[u8]) -> Result<Fields> {
    let mut input = Input { rest: bytes };
    let fields = input.document()?;
    if input.rest.is_empty() { Ok(fields) } else { Err("bytes after the end of a BSON document".into()) }
}

struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or("BSON ends too early")?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| "BSON ends too early".into())
    }

    fn length(&mut self) -> Result<usize> {
        usize::try_from(i32::from_le_bytes(self.array()?)).map_err(|_| "a negative length in BSON".into())
    }

    fn cstring(&mut self) -> Result<String> {
        let end = self.rest.iter().position(|&byte| byte == 0).ok_or("a name in BSON has no end")?;
        let text = utf8(self.take(end)?)?;
        self.take(1)?;
        Ok(text)
    }

    fn string(&mut self) -> Result<String> {
        let length = self.length()?;
        match self.take(length)?.split_last() {
            Some((0, text)) => utf8(text),
            _ => Err("a string in BSON does not end with NUL".into()),
        }
    }

    fn document(&mut self) -> Result<Fields> {
        let length = self.length()?;
        let mut body = Input { rest: self.take(length.checked_sub(4).ok_or("a BSON length below 5")?)? };
        let mut fields = Fields::new();
        loop {
            let [tag] = body.array()?;
            if tag == 0 {
                break;
            }
            let name = body.cstring()?;
            let value = body.element(tag)?;
            fields.push((name, value));
        }
        if body.rest.is_empty() {
            Ok(fields)
        } else {
            Err("a BSON document is longer than its fields".into())
        }
    }

    fn element(&mut self, tag: u8) -> Result<Bson> {
        Ok(match tag {
            0x01 => Bson::Double(f64::from_le_bytes(self.array()?)),
            0x02 => Bson::String(self.string()?),
            0x03 => Bson::Document(self.document()?),
            0x04 => {
                let fields = self.document()?;
                if let Some((_, (name, _))) =
                    fields.iter().enumerate().find(|(i, (name, _))| *name != i.to_string())
                {
                    return Err(format!("an array has the index {name:?} out of turn"));
                }
                Bson::Array(fields.into_iter().map(|(_, value)| value).collect())
            }
            0x05 => {
                let length = self.length()?;
                let [subtype] = self.array()?;
                let bytes = self.take(length)?;
                let bytes =
                    if subtype == 2 { bytes.get(4..).ok_or("a short binary of subtype 2")? } else { bytes };
                Bson::Binary(subtype, bytes.into())
            }
            0x06 => Bson::Undefined,
            0x07 => Bson::ObjectId(self.array()?),
            0x08 => match self.array()? {
                [0] => Bson::Bool(false),
                [1] => Bson::Bool(true),
                [other] => return Err(format!("a boolean in BSON is {other}")),
            },
            0x09 => Bson::Date(i64::from_le_bytes(self.array()?)),
            0x0a => Bson::Null,
            0x0b => Bson::Regex(self.cstring()?, self.cstring()?),
            0x0c => Bson::DbPointer(self.string()?, self.array()?),
            0x0d => Bson::Code(self.string()?),
            0x0e => Bson::Symbol(self.string()?),
            0x0f => {
                self.length()?;
                Bson::CodeWithScope(self.string()?, self.document()?)
            }
            0x10 => Bson::Int32(i32::from_le_bytes(self.array()?)),
            0x11 => {
                let increment = u32::from_le_bytes(self.array()?);
                Bson::Timestamp(u32::from_le_bytes(self.array()?), increment)
            }
            0x12 => Bson::Int64(i64::from_le_bytes(self.array()?)),
            0x13 => Bson::Decimal(self.array()?),
            0xff => Bson::MinKey,
            0x7f => Bson::MaxKey,
            other => return Err(format!("unknown BSON type 0x{other:02x}")),
        })
    }
}

fn utf8(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.into()).map_err(|_| "a string in BSON is not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every type, twice over: what is encoded is decoded to the same, and the library agrees on the bytes.
    #[test]
    fn bytes_agree_with_the_library() {
        let json = r#"{"a":{"$numberInt":"1"},"b":[{"$numberLong":"2"},{"$numberDouble":"-0.0"},null,true],
            "c":{"$numberDecimal":"1.50E+3"},"d":{"$oid":"0123456789abcdef01234567"},"e":{"$date":{"$numberLong":"-5"}},
            "f":{"$binary":{"base64":"AQID","subType":"02"}},"g":{"$binary":{"base64":"AQID","subType":"80"}},
            "h":{"$regularExpression":{"pattern":"^a","options":"i"}},"i":{"$timestamp":{"t":7,"i":8}},
            "j":{"$code":"x"},"k":{"$code":"x","$scope":{"y":{"$numberInt":"1"}}},"l":{"$symbol":"s"},
            "m":{"$undefined":true},"n":{"$dbPointer":{"$ref":"a.b","$id":{"$oid":"0123456789abcdef01234567"}}},
            "o":{"$minKey":1},"p":{"$maxKey":1},"q":{"$regex":"x"},"r":{},"s":[],"t":"\u00e9"}"#;
        let tree = Bson::from_json(&serde_json::from_str(json).unwrap(), &|_| Err("none".into())).unwrap();
        let bytes = encode(tree.fields().unwrap());
        assert_eq!(decode(&bytes).unwrap(), *tree.fields().unwrap());
        let library = bson::Document::from_reader(bytes.as_slice()).unwrap();
        let mut again = Vec::new();
        library.to_writer(&mut again).unwrap();
        assert_eq!(bytes, again);
        assert_eq!(library.len(), 20);
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
    }
}
