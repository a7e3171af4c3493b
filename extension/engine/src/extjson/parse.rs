//! From text to BSON.

use super::lexer::{Lexer, Token, syntax};
use super::wrapper;
use crate::error::{Error, Result};
use crate::raw::MAX_DEPTH;
use crate::value::{ArrayWriter, DocWriter, Value};
use crate::{bail, codes};

/// Reads one document in Extended JSON, relaxed or canonical, with the older forms of `$binary` and `$date`. An array
/// is read as the document of its positions.
///
/// # Errors
/// `BadValue` saying where the text is not what it should be.
pub fn parse(text: &str) -> Result<Vec<u8>> {
    let mut lexer = Lexer::new(text);
    if lexer.at_end() {
        bail!(codes::BAD_VALUE, "invalid input syntax JSON for BSON: Code: '2', Message 'Empty JSON string'");
    }
    let bytes = match lexer.next()? {
        Token::OpenObject => object(&mut lexer, 0)?,
        Token::OpenArray => array(&mut lexer, 0)?,
        _ => return Err(syntax("Incomplete JSON")),
    };
    if !lexer.at_end() {
        lexer.next()?;
        return Err(lexer.unexpected("SPECIAL_EXPECTED"));
    }
    Ok(bytes)
}

/// One value; an object that is a wrapper (`{"$numberLong": "5"}`) becomes what it wraps.
pub(super) fn value(lexer: &mut Lexer<'_>, depth: usize) -> Result<Value> {
    if depth > MAX_DEPTH {
        return Err(syntax("nested too deeply"));
    }
    Ok(match lexer.next()? {
        Token::String(s) => Value::String(s),
        Token::Number(n) => number(&n),
        Token::True => Value::Bool(true),
        Token::False => Value::Bool(false),
        Token::Null => Value::Null,
        Token::OpenArray => Value::Array(array(lexer, depth)?),
        Token::OpenObject => {
            let object = object(lexer, depth)?;
            wrapper::unwrap(&object)?.unwrap_or(Value::Document(object))
        }
        Token::End => return Err(syntax("Incomplete JSON")),
        _ => return Err(lexer.unexpected("SPECIAL_EXPECTED")),
    })
}

/// A number without fraction and exponent is the smallest integer type that holds it, else a double.
fn number(text: &str) -> Value {
    if let Ok(i) = text.parse::<i32>() {
        // "-0" is the double: int32 has no negative zero.
        return if text == "-0" { Value::Double(-0.0) } else { Value::Int32(i) };
    }
    match text.parse::<i64>() {
        Ok(i) => Value::Int64(i),
        Err(_) => Value::Double(text.parse().unwrap_or(f64::NAN)),
    }
}

/// The rest of an object, after its brace.
pub(super) fn object(lexer: &mut Lexer<'_>, depth: usize) -> Result<Vec<u8>> {
    let mut w = DocWriter::new();
    if lexer.peek()? == Token::CloseObject {
        lexer.next()?;
        return Ok(w.finish());
    }
    loop {
        let Token::String(name) = lexer.next()? else { return Err(unfinished(lexer, "STRING_EXPECTED")) };
        if name.contains('\0') {
            return Err(syntax("a field name contains a NUL"));
        }
        if lexer.next()? != Token::Colon {
            return Err(unfinished(lexer, "COLON_EXPECTED"));
        }
        let v = value(lexer, depth + 1)?;
        w.put(&name, &v);
        match lexer.next()? {
            Token::Comma => {}
            Token::CloseObject => return Ok(w.finish()),
            _ => return Err(unfinished(lexer, "COMMA_EXPECTED")),
        }
    }
}

fn array(lexer: &mut Lexer<'_>, depth: usize) -> Result<Vec<u8>> {
    let mut w = ArrayWriter::new();
    if lexer.peek()? == Token::CloseArray {
        lexer.next()?;
        return Ok(w.finish());
    }
    loop {
        w.push(&value(lexer, depth + 1)?);
        match lexer.next()? {
            Token::Comma => {}
            Token::CloseArray => return Ok(w.finish()),
            _ => return Err(unfinished(lexer, "COMMA_EXPECTED")),
        }
    }
}

fn unfinished(lexer: &Lexer<'_>, what: &str) -> Error {
    if lexer.at_end() { syntax("Incomplete JSON") } else { lexer.unexpected(what) }
}
