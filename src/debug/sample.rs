//! The gauges, read off when somebody looks.
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use prometheus::proto::MetricFamily;

use crate::command::Services;
use crate::obs::metrics::UP_LABELS;
use crate::pool::{Role, Storage};
use crate::tls::ServerTls;

/// Every role has a line, so that a change shows as two.
const ROLES: [(Role, &str); 4] = [
    (Role::Unknown, "unknown"),
    (Role::Primary, "primary"),
    (Role::Standby, "standby"),
    (Role::Down, "down"),
];

/// All metrics as text.
pub(super) fn text(services: &Services, tls: Option<&ServerTls>) -> prometheus::Result<Vec<u8>> {
    read_off(services, tls);
    services.metrics.text()
}

/// All metrics.
pub(super) fn families(services: &Services, tls: Option<&ServerTls>) -> Vec<MetricFamily> {
    read_off(services, tls);
    services.metrics.families()
}

fn read_off(services: &Services, tls: Option<&ServerTls>) {
    let gauges = services.metrics.gauges();
    let none: [&str; 0] = [];
    // The versions may have changed since: one line at a time.
    gauges.up.reset();
    let storage = services.pools.nodes().iter().find_map(|node| node.storage());
    gauges.up.with_label_values(&up(storage.as_ref())).set(1);
    gauges.connections.with_label_values(&none).set(services.counters.connections.load(Ordering::Relaxed));
    gauges.tasks.with_label_values(&none).set(int(services.tasks.running()));
    let (open, pinned) = (services.cursors.open(), services.cursors.pinned());
    gauges.cursors.with_label_values(&["persistent"]).set(int(pinned));
    gauges.cursors.with_label_values(&["normal"]).set(int(open.saturating_sub(pinned)));
    let mut all = [0; 5];
    for node in services.pools.nodes() {
        let name = node.name();
        let (used, idle, limit) = node.connections();
        for (state, count) in [("used", used), ("idle", idle), ("max", limit)] {
            gauges.node_connections.with_label_values(&[name, state]).set(int(count));
        }
        for (sum, count) in all.iter_mut().zip([used, 0, idle, limit, used + idle]) {
            *sum += int(count);
        }
        for (role, word) in ROLES {
            gauges.role.with_label_values(&[name, word]).set(i64::from(node.role() == role));
        }
        match node.lag() {
            Some(lag) => {
                gauges.lag_seconds.with_label_values(&[name]).set(lag.time.as_secs_f64());
                #[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
                gauges.lag_bytes.with_label_values(&[name]).set(lag.bytes as f64);
            }
            // A node that is no standby has no lag, which is not the same as none.
            None => {
                let _ = gauges.lag_seconds.remove_label_values(&[name]);
                let _ = gauges.lag_bytes.remove_label_values(&[name]);
            }
        }
    }
    for (gauge, sum) in gauges.pool.iter().zip(all) {
        gauge.with_label_values(&none).set(sum);
    }
    if let Some(tls) = tls {
        let end =
            tls.not_after().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |past| past.as_secs_f64());
        gauges.certificate_end.with_label_values(&none).set(end);
    }
}

/// The values of `ferretdb_up`; what this program has no equal of is empty, as FerretDB leaves what it does not know.
fn up(storage: Option<&Storage>) -> [&str; 10] {
    UP_LABELS.map(|label| match label {
        "postgresql" => storage.map_or("", |storage| &storage.postgresql),
        "documentdb" => storage.map_or("", |storage| &storage.extension),
        "version" => env!("CARGO_PKG_VERSION"),
        "package" => "ermine",
        "dirty" | "dev" | "update_available" => "false",
        "telemetry" => "disabled",
        _ => "",
    })
}

fn int(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
