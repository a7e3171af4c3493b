//! The span that a client says its command belongs to. Drivers have no field for it, so it stands in the `comment`:
//! as W3C's `traceparent`, in a document, as JSON or as a comment in SQL's manner, or as FerretDB's JSON
//! (peers.md A2.3, B4.2). Whatever else a comment says is none of our business.
use bson::raw::RawBsonRef;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Longer comments are read by people.
const LONGEST: usize = 1024;

/// The parent that a comment names.
pub(super) fn of(comment: RawBsonRef<'_>) -> Option<SpanContext> {
    match comment {
        RawBsonRef::Document(comment) => traceparent(comment.get_str("traceparent").ok()?),
        RawBsonRef::String(comment) if comment.len() <= LONGEST => text(comment),
        _ => None,
    }
}

fn text(comment: &str) -> Option<SpanContext> {
    let comment = comment.trim();
    if comment.starts_with('{') {
        let json: serde_json::Value = serde_json::from_str(comment).ok()?;
        if let Some(theirs) = json.get("ferretDB") {
            let id = |key: &str| theirs.get(key).and_then(serde_json::Value::as_str);
            return context(id("traceID")?, id("spanID")?, TraceFlags::SAMPLED);
        }
        return traceparent(json.get("traceparent")?.as_str()?);
    }
    let value = match comment.split_once("traceparent=") {
        Some((_, rest)) => rest.trim_start_matches('\'').get(..55)?,
        None => comment,
    };
    traceparent(value)
}

/// `version-trace-span-flags` in hexadecimal (W3C Trace Context, section 3.2).
fn traceparent(text: &str) -> Option<SpanContext> {
    let mut fields = text.trim().split('-');
    let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let byte = |text: &str| (text.len() == 2).then(|| u8::from_str_radix(text, 16).ok()).flatten();
    // A later version may add fields; 255 is forbidden, and version 0 has these four.
    let known = byte(version).is_some_and(|version| match version {
        0 => fields.next().is_none(),
        other => other != 255,
    });
    known.then(|| context(trace, span, TraceFlags::new(byte(flags)?) & TraceFlags::SAMPLED)).flatten()
}

fn context(trace: &str, span: &str, flags: TraceFlags) -> Option<SpanContext> {
    let hex = |text: &str, length: usize| text.len() == length && text.bytes().all(|c| c.is_ascii_hexdigit());
    if !hex(trace, 32) || !hex(span, 16) {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn ids(comment: RawBsonRef<'_>) -> Option<(String, String, bool)> {
        of(comment).map(|of| (of.trace_id().to_string(), of.span_id().to_string(), of.is_sampled()))
    }

    #[test]
    fn every_form() {
        let want = |sampled| {
            Some(("4bf92f3577b34da6a3ce929d0e0e4736".to_owned(), "00f067aa0ba902b7".to_owned(), sampled))
        };
        let document = rawdoc! { "traceparent": PARENT };
        assert_eq!(ids(RawBsonRef::Document(&document)), want(true));
        let ferret =
            r#"{"ferretDB":{"traceID":"4bf92f3577b34da6a3ce929d0e0e4736","spanID":"00f067aa0ba902b7"}}"#;
        for text in [
            PARENT,
            ferret,
            &format!(r#"{{"traceparent": "{PARENT}"}}"#),
            &format!("application='shop',traceparent='{PARENT}'"),
        ] {
            assert_eq!(ids(RawBsonRef::String(text)), want(true), "{text}");
        }
        let not_sampled = PARENT.replace("b7-01", "b7-00");
        assert_eq!(ids(RawBsonRef::String(&not_sampled)), want(false));
    }

    #[test]
    fn other_comments_name_none() {
        let zero = PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
        for text in [
            "",
            "nightly report",
            "{",
            "{}",
            r#"{"ferretDB":1}"#,
            "traceparent=",
            "traceparent='é",
            "00-xyz-1-01",
            &zero,
            &format!("{PARENT}-more"),
            &PARENT.replacen("00", "ff", 1),
            &format!("{}{PARENT}", " ".repeat(LONGEST)),
        ] {
            assert_eq!(ids(RawBsonRef::String(text)), None, "{text}");
        }
        assert_eq!(ids(RawBsonRef::Int32(1)), None);
    }
}
