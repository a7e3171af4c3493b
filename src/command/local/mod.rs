//! Commands that the proxy answers by itself.
pub(super) mod hello;
pub(super) mod parameters;
pub(super) mod server;
pub(super) mod status;

use crate::config::ServerVersion;

/// Now, as a BSON date.
pub(super) fn now() -> bson::DateTime {
    bson::DateTime::now()
}

/// The machine's name.
pub(super) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

/// Who explained a plan.
pub(super) fn server_info(version: ServerVersion) -> bson::RawDocumentBuf {
    bson::rawdoc! {
        "host": host_name(),
        "port": 27017,
        "version": version.text(),
        "gitVersion": option_env!("ERMINE_GIT_VERSION").unwrap_or("unknown"),
    }
}
