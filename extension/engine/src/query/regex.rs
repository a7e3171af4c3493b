//! Regular expressions: PCRE2 with MongoDB's options and with limits.

use crate::error::{Error, Result};
use crate::raw::{Val, View};
use crate::{bail, codes};
use pcre2::bytes::{Regex as Pcre, RegexBuilder};
use std::fmt;

/// Longest pattern MongoDB accepts, in bytes.
const MAX_PATTERN: usize = 16384;

/// Steps and depth of backtracking after which a match fails instead of running on, as PCRE2 counts them
/// (pcre2pattern, "Setting match resource limits").
pub(crate) const LIMITS: &str = "(*LIMIT_MATCH=10000000)(*LIMIT_DEPTH=250000)(*LIMIT_HEAP=65536)";

/// Stack of compiled patterns in bytes. The default of 32 KiB fails on patterns that are not unusual.
const JIT_STACK: usize = 4 << 20;

/// A compiled pattern and what it was compiled from.
pub struct Regex {
    pattern: Box<str>,
    options: Box<str>,
    code: Pcre,
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}", self.pattern, self.options)
    }
}

impl Regex {
    /// Compiles `pattern` with MongoDB's options: `i` (any case), `m` (`^` and `$` at lines), `s` (dot matches
    /// newlines), `x` (white space and comments in the pattern), `u` (accepted: patterns are always UTF-8).
    ///
    /// # Errors
    /// 51108 for another option, 51091 for a pattern PCRE2 refuses, `BadValue` when it is too long.
    pub fn new(pattern: &str, options: &str) -> Result<Self> {
        if pattern.len() > MAX_PATTERN {
            bail!(
                codes::LOCATION51091,
                "Regular expression is invalid: pattern string is longer than the limit"
            );
        }
        let mut builder = RegexBuilder::new();
        builder.utf(true).jit_if_available(true).max_jit_stack_size(Some(JIT_STACK));
        for flag in options.chars() {
            match flag {
                'i' => builder.caseless(true),
                'm' => builder.multi_line(true),
                's' => builder.dotall(true),
                'x' => builder.extended(true),
                'u' => &mut builder,
                _ => bail!(codes::LOCATION51108, " invalid flag in regex options: {flag}"),
            };
        }
        let code = builder.build(&format!("{LIMITS}{pattern}")).map_err(|e| {
            let text = e.to_string();
            // "PCRE2: error compiling pattern at offset N: reason"; the offset would count our limits, too.
            let reason = text.rsplit_once(": ").map_or(text.as_str(), |(_, reason)| reason);
            Error::new(codes::LOCATION51091, format!("Regular expression is invalid: {reason}"))
        })?;
        Ok(Self { pattern: pattern.into(), options: options.into(), code })
    }

    /// The pattern as written.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The options as written.
    #[must_use]
    pub fn options(&self) -> &str {
        &self.options
    }

    /// Does the text match?
    ///
    /// # Errors
    /// 51156 when the pattern needs more steps or memory than the limits allow.
    pub fn matches_text(&self, text: &[u8]) -> Result<bool> {
        self.code.is_match(text).map_err(|e| {
            let text = e.to_string();
            let reason = text.rsplit_once(": ").map_or(text.as_str(), |(_, reason)| reason);
            Error::new(
                codes::LOCATION51156,
                format!("Error occurred while executing regular expression: {reason}"),
            )
        })
    }

    /// Does the value match: a string in which the pattern is found, or the same regular expression?
    ///
    /// # Errors
    /// As [`Regex::matches_text`].
    pub fn matches(&self, v: Option<Val<'_>>) -> Result<bool> {
        let Some(v) = v else { return Ok(false) };
        match v.view() {
            View::String(s) => self.matches_text(s.as_bytes()),
            View::Regex { pattern, options } => Ok(pattern == &*self.pattern && options == &*self.options),
            _ => Ok(false),
        }
    }
}
