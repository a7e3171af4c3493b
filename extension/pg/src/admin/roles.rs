//! Role commands: the SQL surface has the four functions, and refuses them by name (sql-api.md 1.6).

use crate::error::Result;
use engine::{Error, codes};
use pgrx::pg_sys::Datum;

fn refuse(message: &str) -> Result<Datum> {
    Err(Error::new(codes::COMMAND_NOT_SUPPORTED, message).into())
}

pgfn! { fn create_role(_call) { refuse("CreateRole command is not supported.") }}
pgfn! { fn drop_role(_call) { refuse("DropRole command is not supported in preview.") }}
pgfn! { fn update_role(_call) { refuse("UpdateRole command is not supported in preview.") }}
pgfn! { fn roles_info(_call) { refuse("RolesInfo command is not supported in preview.") }}
