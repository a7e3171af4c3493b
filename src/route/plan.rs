//! The one place that decides which node a request goes to.
//!
//! Standalone rules (clients.md 2.3): the secondary endpoint runs reads without looking at the read preference and
//! refuses writes other than those of a pipeline; on the primary endpoint the read preference decides where reads go.
use super::read_pref;
use crate::command::Request;
use crate::command::spec::Kind;
use crate::config::Endpoint;
use crate::error::{CommandError, Result, codes};
use crate::pool::Pick;

/// Which node a request may be sent to.
///
/// `read_only`: no node takes writes, by what the deployment is.
///
/// # Errors
/// 20 for a write where none are taken; a malformed read preference.
pub fn plan(request: &Request<'_>, endpoint: Endpoint, read_only: bool) -> Result<Pick> {
    let preferred = request.common.read_preference.map(read_pref::parse).transpose()?.flatten();
    decide(request.spec.kind, request.writes(), endpoint, read_only, preferred)
}

fn decide(
    kind: Kind,
    writes: bool,
    endpoint: Endpoint,
    read_only: bool,
    preferred: Option<Pick>,
) -> Result<Pick> {
    if writes {
        // A pipeline that ends in $out or $merge may be sent to a secondary; MongoDB's carries the writes to the
        // primary (clients.md, D11).
        let taken = endpoint == Endpoint::Primary || kind == Kind::Read;
        return if taken && !read_only { Ok(Pick::Primary) } else { Err(read_only_mode()) };
    }
    Ok(match (kind, endpoint) {
        // What any node can tell: better the other kind of node than no answer.
        (Kind::Any | Kind::Local, Endpoint::Primary) => Pick::PrimaryPreferred,
        (Kind::Any | Kind::Local, Endpoint::Secondary) => Pick::StandbyPreferred,
        (_, Endpoint::Secondary) => Pick::Standby,
        (_, Endpoint::Primary) => preferred.unwrap_or(Pick::Primary),
    })
}

/// 20, and never 10107: on that a driver would forget the only server it knows.
fn read_only_mode() -> CommandError {
    CommandError::client(codes::ILLEGAL_OPERATION, "Cannot execute a write operation in read-only mode")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Endpoint::{Primary, Secondary};

    #[test]
    fn the_whole_table() {
        use Pick::{Nearest, PrimaryPreferred, Standby, StandbyPreferred};
        let refused = None;
        #[rustfmt::skip]
        let rows = [
            // kind, writes, endpoint, read-only, preference -> where
            (Kind::Read,  false, Primary,   false, None,                   Some(Pick::Primary)),
            (Kind::Read,  false, Primary,   false, Some(Standby),          Some(Standby)),
            (Kind::Read,  false, Primary,   false, Some(StandbyPreferred), Some(StandbyPreferred)),
            (Kind::Read,  false, Primary,   false, Some(PrimaryPreferred), Some(PrimaryPreferred)),
            (Kind::Read,  false, Primary,   false, Some(Nearest),          Some(Nearest)),
            (Kind::Read,  false, Primary,   true,  None,                   Some(Pick::Primary)),
            (Kind::Read,  false, Secondary, false, None,                   Some(Standby)),
            (Kind::Read,  false, Secondary, false, Some(PrimaryPreferred), Some(Standby)),
            (Kind::Read,  true,  Primary,   false, Some(Standby),          Some(Pick::Primary)),
            (Kind::Read,  true,  Secondary, false, None,                   Some(Pick::Primary)),
            (Kind::Read,  true,  Secondary, true,  None,                   refused),
            (Kind::Write, true,  Primary,   false, Some(Nearest),          Some(Pick::Primary)),
            (Kind::Write, true,  Primary,   true,  None,                   refused),
            (Kind::Write, true,  Secondary, false, None,                   refused),
            (Kind::Admin, true,  Primary,   false, None,                   Some(Pick::Primary)),
            (Kind::Admin, true,  Secondary, false, Some(Standby),          refused),
            (Kind::Any,   false, Primary,   false, None,                   Some(PrimaryPreferred)),
            (Kind::Any,   false, Secondary, false, None,                   Some(StandbyPreferred)),
            (Kind::Local, false, Secondary, true,  None,                   Some(StandbyPreferred)),
        ];
        for (kind, writes, endpoint, read_only, preferred, want) in rows {
            let got = decide(kind, writes, endpoint, read_only, preferred);
            match (want, got) {
                (Some(want), Ok(got)) => assert_eq!(got, want, "{kind:?} {endpoint:?} {preferred:?}"),
                (None, Err(error)) => assert_eq!(error.code, codes::ILLEGAL_OPERATION),
                (want, got) => panic!("{kind:?} {endpoint:?}: want {want:?}, got {got:?}"),
            }
        }
    }
}
