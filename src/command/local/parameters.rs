//! getParameter: the parameters that drivers, shells and test harnesses ask for.
use bson::raw::{CString, RawBsonRef};
use bson::{RawBson, RawDocumentBuf, rawdoc};

use super::super::Call;
use super::super::options::COMMON;
use crate::config::{Limits, ServerVersion, X509Users};
use crate::error::{CommandError, Result, codes};
use crate::reply::Reply;
use crate::reply::ok::is_true;
use crate::session::auth::{MECHANISM, X509};

/// Name, value, and whether it may change at run time. Sorted by name.
fn all(version: ServerVersion, limits: &Limits, certificates: bool) -> Vec<(&'static str, RawBson)> {
    let whole = |number: u128| i64::try_from(number).unwrap_or(i64::MAX);
    let mechanisms: &[&str] = if certificates { &[MECHANISM, X509] } else { &[MECHANISM] };
    vec![
        ("acceptApiVersion2", RawBson::Boolean(false)),
        ("authSchemaVersion", RawBson::Int32(5)),
        (
            "authenticationMechanisms",
            RawBson::Array(bson::RawArrayBuf::from_iter(mechanisms.iter().copied())),
        ),
        ("cursorTimeoutMillis", RawBson::Int64(whole(limits.cursor_timeout.as_millis()))),
        ("enableTestCommands", RawBson::Boolean(false)),
        (
            "featureCompatibilityVersion",
            RawBson::Document(rawdoc! { "version": version.feature_compatibility() }),
        ),
        (
            "localLogicalSessionTimeoutMinutes",
            RawBson::Int64(whole(u128::from(limits.session_timeout.as_secs() / 60))),
        ),
        ("logLevel", RawBson::Int32(0)),
        ("quiet", RawBson::Boolean(false)),
        ("requireApiVersion", RawBson::Boolean(false)),
    ]
}

/// True for a parameter that [`get`] tells.
pub(in super::super) fn is_known(name: &str, limits: &Limits) -> bool {
    // Which there are does not depend on their values.
    all(ServerVersion::V8, limits, false).iter().any(|(known, _)| *known == name)
}

/// getParameter.
pub(in super::super) fn get(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let (mut everything, mut details) = (false, false);
    match request.target {
        RawBsonRef::String("*") => everything = true,
        RawBsonRef::Document(wish) => {
            everything = wish.get("allParameters")?.is_some_and(is_true);
            details = wish.get("showDetails")?.is_some_and(is_true);
        }
        _ => {}
    }
    let mut asked = Vec::new();
    for element in request.body.iter_elements().skip(1) {
        let name = element?.key().as_str();
        if !COMMON.iter().any(|option| option.name == name) {
            asked.push(name);
        }
    }
    let certificates = call.services.config.x509_users != X509Users::Off;
    let mut out = RawDocumentBuf::new();
    for (name, value) in all(call.services.config.server_version, &call.services.config.limits, certificates)
    {
        if !everything && !asked.contains(&name) {
            continue;
        }
        let value = if details {
            RawBson::Document(
                rawdoc! { "value": value, "settableAtRuntime": false, "settableAtStartup": false },
            )
        } else {
            value
        };
        out.append(CString::try_from(name)?, value);
    }
    if out.is_empty() {
        return Err(CommandError::client(codes::INVALID_OPTIONS, "no option found to get"));
    }
    out.append(bson::raw::cstr!("ok"), 1.0);
    Ok(out.into())
}
