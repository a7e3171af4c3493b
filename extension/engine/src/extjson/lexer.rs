//! JSON's tokens.

use crate::error::{Error, Result};
use crate::{bail, codes};

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    OpenObject,
    CloseObject,
    OpenArray,
    CloseArray,
    Colon,
    Comma,
    String(String),
    /// A number as written.
    Number(String),
    True,
    False,
    Null,
    End,
}

/// Cuts text into tokens.
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

/// The error of the official extension's text input.
pub(super) fn syntax(message: &str) -> Error {
    Error::new(
        codes::BAD_VALUE,
        format!("invalid input syntax JSON for BSON: Code: '1', Message '{message}'"),
    )
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The error for something unexpected at the current position.
    pub(super) fn unexpected(&self, what: &str) -> Error {
        let at = self.at.min(self.text.len());
        let rest: String = self.text.get(at..).unwrap_or("").chars().take(20).collect();
        syntax(&format!("Got parse error at \"{rest}\", position {at}: \"{what}\""))
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// Is there nothing but white space left?
    pub(super) fn at_end(&self) -> bool {
        self.rest().trim_ascii_start().is_empty()
    }

    /// Looks at the next token without taking it.
    pub(super) fn peek(&mut self) -> Result<Token> {
        let at = self.at;
        let token = self.next();
        self.at = at;
        token
    }

    pub(super) fn next(&mut self) -> Result<Token> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_ascii_start().len();
        let Some(c) = self.rest().chars().next() else { return Ok(Token::End) };
        let simple = match c {
            '{' => Token::OpenObject,
            '}' => Token::CloseObject,
            '[' => Token::OpenArray,
            ']' => Token::CloseArray,
            ':' => Token::Colon,
            ',' => Token::Comma,
            '"' => return self.string(),
            '-' | '0'..='9' => return self.number(),
            _ => {
                for (word, token) in [("true", Token::True), ("false", Token::False), ("null", Token::Null)] {
                    if self.rest().starts_with(word) {
                        self.at += word.len();
                        return Ok(token);
                    }
                }
                return Err(self.unexpected("SPECIAL_EXPECTED"));
            }
        };
        self.at += 1;
        Ok(simple)
    }

    fn number(&mut self) -> Result<Token> {
        let rest = self.rest();
        let len = rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E')))
            .unwrap_or(rest.len());
        let text = rest.get(..len).unwrap_or("");
        // Rust's parser also takes what JSON does not: a leading '+', "1." and ".5".
        let digits = text.strip_prefix('-').unwrap_or(text);
        let whole = digits.split(['.', 'e', 'E']).next().unwrap_or("");
        let fraction_ok =
            digits.split_once('.').is_none_or(|(_, f)| f.starts_with(|c: char| c.is_ascii_digit()));
        let whole_ok = !whole.is_empty() && (whole.len() == 1 || !whole.starts_with('0'));
        if !whole_ok || !fraction_ok || text.parse::<f64>().is_err() {
            return Err(self.unexpected("NUMBER_EXPECTED"));
        }
        self.at += len;
        Ok(Token::Number(text.to_owned()))
    }

    fn string(&mut self) -> Result<Token> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let Some(stop) = rest.find(['"', '\\']) else {
                return Err(syntax("Incomplete JSON"));
            };
            let (plain, tail) = rest.split_at(stop);
            if let Some(bad) = plain.find(|c: char| c < ' ') {
                self.at += bad;
                return Err(self.unexpected("WEIRD_WHITE_SPACE"));
            }
            out.push_str(plain);
            self.at += stop + 1;
            if tail.starts_with('"') {
                return Ok(Token::String(out));
            }
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char> {
        let Some(c) = self.rest().chars().next() else {
            return Err(syntax("Incomplete JSON"));
        };
        self.at += c.len_utf8();
        Ok(match c {
            '"' | '\\' | '/' => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.unit()?;
                if !(0xD800..0xDC00).contains(&first) {
                    return char::from_u32(first).ok_or_else(|| self.unexpected("UNESCAPED_SURROGATE"));
                }
                if !self.rest().starts_with("\\u") {
                    bail!(codes::BAD_VALUE, "{}", self.unexpected("UNESCAPED_SURROGATE").message);
                }
                self.at += 2;
                let second = self.unit()?;
                let low = second.checked_sub(0xDC00).filter(|low| *low < 0x400);
                low.and_then(|low| char::from_u32(0x10000 + ((first - 0xD800) << 10) + low))
                    .ok_or_else(|| self.unexpected("UNESCAPED_SURROGATE"))?
            }
            _ => return Err(self.unexpected("ESCAPE_EXPECTED")),
        })
    }

    fn unit(&mut self) -> Result<u32> {
        let digits = self.rest().get(..4).filter(|d| d.bytes().all(|c| c.is_ascii_hexdigit()));
        let unit = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
        let unit = unit.ok_or_else(|| self.unexpected("HEX_EXPECTED"))?;
        self.at += 4;
        Ok(unit)
    }
}
