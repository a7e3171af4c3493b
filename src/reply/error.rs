//! The reply that an error becomes.
use bson::oid::ObjectId;
use bson::raw::cstr;
use bson::{RawArrayBuf, RawDocumentBuf, rawdoc};

use super::Reply;
use crate::error::{CommandError, codes};

/// What `topologyVersion` tells: which process, and how often its nodes have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopologyVersion {
    /// New at every start of the process.
    pub process_id: ObjectId,
    /// Grows with each change.
    pub counter: i64,
}

impl TopologyVersion {
    /// `{processId, counter}`.
    pub fn document(self) -> RawDocumentBuf {
        rawdoc! { "processId": self.process_id, "counter": self.counter }
    }
}

/// Codes on which a driver looks at the node's state anew; they carry the state they were born in.
const STATE_CHANGES: [crate::error::Code; 8] = [
    codes::SHUTDOWN_IN_PROGRESS,
    codes::PRIMARY_STEPPED_DOWN,
    codes::NOT_WRITABLE_PRIMARY,
    codes::LEGACY_NOT_PRIMARY,
    codes::INTERRUPTED_AT_SHUTDOWN,
    codes::INTERRUPTED_DUE_TO_REPL_STATE_CHANGE,
    codes::NOT_PRIMARY_NO_SECONDARY_OK,
    codes::NOT_PRIMARY_OR_SECONDARY,
];

/// True if the node is no longer what the client takes it for.
pub fn primary_changed(error: &CommandError) -> bool {
    STATE_CHANGES.contains(&error.code)
}

/// `{ok: 0, errmsg, code, codeName, …}`.
pub fn reply(error: &CommandError, topology: TopologyVersion) -> Reply {
    let mut out: RawDocumentBuf = rawdoc! {
        "ok": 0.0,
        "errmsg": error.message.as_ref(),
        "code": error.code.0,
        "codeName": error.code.name().as_ref(),
    };
    if let Some(extra) = &error.extra {
        for element in extra.iter_elements().flatten() {
            if let Ok(value) = element.value() {
                out.append(element.key(), value);
            }
        }
    }
    if !error.labels.is_empty() {
        let mut labels = RawArrayBuf::new();
        for label in error.labels {
            labels.push(label.as_str());
        }
        out.append(cstr!("errorLabels"), labels);
    }
    if primary_changed(error) {
        out.append(cstr!("topologyVersion"), topology.document());
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::from_pg;

    #[test]
    fn field_order_and_labels() {
        let topology = TopologyVersion { process_id: ObjectId::new(), counter: 3 };
        let error = CommandError::client(codes::BAD_VALUE, "bad").labels(from_pg::OVERLOADED);
        let body = reply(&error, topology).body;
        let want = rawdoc! {
            "ok": 0.0, "errmsg": "bad", "code": 2, "codeName": "BadValue",
            "errorLabels": ["SystemOverloadedError", "RetryableError"],
        };
        assert_eq!(body, want.into_bytes());
    }

    #[test]
    fn state_changes_carry_the_topology_version() {
        let topology = TopologyVersion { process_id: ObjectId::new(), counter: 3 };
        let body = reply(&CommandError::client(codes::NOT_WRITABLE_PRIMARY, "not primary"), topology).body;
        let document = bson::RawDocument::from_bytes(&body).unwrap();
        assert!(document.get_document("topologyVersion").unwrap().get_i64("counter").is_ok());
    }
}
