//! The sharding commands: refused, there is one node.

use engine::codes;
use pgrx::pg_sys::Datum;

use super::fail;
use crate::guard;

pgfn! {
    /// `shard_collection`, `reshard_collection`, `unshard_collection` in all their forms.
    fn command_shard_refused(_call) {
        guard::write()?;
        let no = fail(codes::COMMAND_NOT_SUPPORTED, "sharding is not supported: a collection is one table on one server");
        Err::<Datum, _>(no)
    }
}
