//! currentOp.
use bson::RawDocumentBuf;
use bson::raw::cstr;

use super::Call;
use super::options::COMMON;
use crate::error::Result;
use crate::reply::Reply;
use crate::sql::{Param, calls, run};

/// currentOp: every field that is not a field of all commands is a filter, so those are taken out.
pub(super) async fn current_op(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let mut spec = RawDocumentBuf::new();
    for element in request.body.iter_elements() {
        let element = element?;
        if !COMMON.iter().any(|option| option.name == element.key().as_str()) {
            spec.append(element.key(), element.value()?);
        }
    }
    spec.append(cstr!("$db"), request.db);
    let spec = spec.as_bytes();
    let params: [Param<'_>; 1] = [&spec];
    let (row, _lease) = call.read(&calls::CURRENT_OP, &params).await?;
    Ok(Reply::ready(run::document(&row, 0)?))
}
