//! `$regexMatch`, `$regexFind`, `$regexFindAll`: `[input, regex, options]`.

use super::{is_null, null};
use crate::bail;
use crate::codes;
use crate::error::{Error, Result};
use crate::expr::Computed;
use crate::interrupt;
use crate::query::REGEX_LIMITS;
use crate::value::{ArrayWriter, DocWriter, Value};
use pcre2::bytes::{Regex, RegexBuilder};

/// The compiled pattern; `None` when input or pattern is null.
fn compile(name: &str, args: &[Computed]) -> Result<Option<Regex>> {
    let (input, regex) = (super::arg(args, 0), super::arg(args, 1));
    if !is_null(input) && !matches!(input, Some(Value::String(_))) {
        bail!(codes::LOCATION51104, "{name} needs 'input' to be of type string");
    }
    let (pattern, mut options) = match regex {
        Some(Value::Regex { pattern, options }) => (pattern.as_str(), options.as_str()),
        Some(Value::String(s)) => (s.as_str(), ""),
        v if is_null(v) => ("", ""),
        _ => bail!(codes::LOCATION51105, "{name} needs 'regex' to be of type string or regex"),
    };
    match super::arg(args, 2) {
        v if is_null(v) => {}
        Some(Value::String(s)) => {
            if !options.is_empty() {
                bail!(
                    codes::LOCATION51107,
                    "{name} found regex option(s) specified in both 'regex' and 'option' fields"
                );
            }
            options = s;
        }
        _ => bail!(codes::LOCATION51106, "{name} needs 'options' to be of type string"),
    }
    if pattern.contains('\0') {
        bail!(codes::LOCATION51109, "{name}: regular expression cannot contain an embedded null byte");
    }
    if options.contains('\0') {
        bail!(
            codes::LOCATION51110,
            "{name}: regular expression options cannot contain an embedded null byte"
        );
    }
    if is_null(input) || is_null(regex) {
        return Ok(None);
    }
    let mut builder = RegexBuilder::new();
    builder.utf(true).jit_if_available(true);
    for flag in options.chars() {
        match flag {
            'i' => builder.caseless(true),
            'm' => builder.multi_line(true),
            's' => builder.dotall(true),
            'x' => builder.extended(true),
            'u' => &mut builder,
            _ => bail!(codes::LOCATION51108, "{name} invalid flag in regex options: {options}"),
        };
    }
    builder.build(&format!("{REGEX_LIMITS}{pattern}")).map(Some).map_err(|e| {
        let text = e.to_string();
        let reason = text.rsplit_once(": ").map_or(text.as_str(), |(_, r)| r);
        Error::new(codes::LOCATION51111, format!("Invalid Regex in {name}: {reason}"))
    })
}

fn ran<T>(r: std::result::Result<T, pcre2::Error>) -> Result<T> {
    r.map_err(|e| {
        Error::new(codes::LOCATION51156, format!("Error occurred while executing regular expression: {e}"))
    })
}

/// One match as MongoDB shows it: the text, where it begins in code points, the groups.
fn found(text: &str, from: usize, re: &Regex) -> Result<Option<(Value, usize, usize)>> {
    let mut at = re.capture_locations();
    let Some(m) = ran(re.captures_read_at(&mut at, text.as_bytes(), from))? else { return Ok(None) };
    let before = text.get(..m.start()).unwrap_or("").chars().count();
    let mut groups = ArrayWriter::new();
    for i in 1..at.len() {
        let group = at.get(i).and_then(|(a, b)| text.get(a..b));
        groups.push(&group.map_or(Value::Null, |g| Value::String(g.into())));
    }
    let mut out = DocWriter::new();
    out.put_str("match", text.get(m.start()..m.end()).unwrap_or(""));
    out.put("idx", &Value::Int32(i32::try_from(before).unwrap_or(i32::MAX)));
    out.put("captures", &Value::Array(groups.finish()));
    Ok(Some((Value::Document(out.finish()), m.start(), m.end())))
}

fn input(args: &[Computed]) -> &str {
    match super::arg(args, 0) {
        Some(Value::String(s)) => s,
        _ => "",
    }
}

pub(in crate::expr) fn matches(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some(re) = compile(name, args)? else { return Ok(Some(Value::Bool(false))) };
    Ok(Some(Value::Bool(ran(re.is_match(input(args).as_bytes()))?)))
}

pub(in crate::expr) fn find(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some(re) = compile(name, args)? else { return null() };
    Ok(Some(found(input(args), 0, &re)?.map_or(Value::Null, |(v, ..)| v)))
}

pub(in crate::expr) fn find_all(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let mut out = ArrayWriter::new();
    if let Some(re) = compile(name, args)? {
        let text = input(args);
        let mut from = 0;
        // Not behind the last character, but for an empty text: MongoDB looks once at least.
        loop {
            interrupt::check();
            let Some((v, start, end)) = found(text, from, &re)? else { break };
            out.push(&v);
            // After an empty match go on with the next character, or it would be found for ever.
            from = if end > start {
                end
            } else {
                text.get(end..).and_then(|t| t.chars().next()).map_or(text.len(), |c| end + c.len_utf8())
            };
            if from >= text.len() {
                break;
            }
        }
    }
    Ok(Some(Value::Array(out.finish())))
}
