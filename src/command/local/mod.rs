//! Commands that the proxy answers by itself.
pub(super) mod hello;
pub(super) mod parameters;
pub(super) mod server;
pub(super) mod status;

/// The version of MongoDB whose behaviour is offered, as clients compare it.
pub(super) const VERSION: &str = "7.0.28";
/// The same in numbers.
pub(super) const VERSION_ARRAY: [i32; 4] = [7, 0, 28, 0];
/// `featureCompatibilityVersion`.
pub(super) const FEATURE_VERSION: &str = "7.0";
/// The wire version of MongoDB 7.0.
pub(super) const MAX_WIRE_VERSION: i32 = 21;

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
pub(super) fn server_info() -> bson::RawDocumentBuf {
    bson::rawdoc! {
        "host": host_name(),
        "port": 27017,
        "version": VERSION,
        "gitVersion": option_env!("ERMINE_GIT_VERSION").unwrap_or("unknown"),
    }
}
