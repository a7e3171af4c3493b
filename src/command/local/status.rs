//! serverStatus: what this process counts. Sections that it has no numbers for are absent rather than zero.
use std::sync::atomic::Ordering;

use bson::raw::{CString, RawBsonRef};
use bson::{RawDocument, RawDocumentBuf, rawdoc};

use super::super::Call;
use super::super::options::number;
use super::server::proc_kilobytes;
use super::{host_name, now};
use crate::error::Result;
use crate::reply::Reply;

/// serverStatus.
pub(in super::super) fn run(call: Call<'_>) -> Result<Reply> {
    let services = call.services;
    let counters = &services.counters;
    let up = services.started.elapsed();
    let current = counters.connections.load(Ordering::Relaxed);
    let limit = i64::try_from(services.config.limits.max_client_connections.get()).unwrap_or(i64::MAX);
    let created = i64::try_from(counters.connections_total.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
    let connections = rawdoc! {
        "current": int32(current),
        "available": int32(limit.saturating_sub(current)),
        "active": int32(counters.running.iter().map(|slot| slot.load(Ordering::Relaxed)).sum()),
        "totalCreated": int32(created),
    };
    let (mut operations, mut commands, mut errors) = (Operations::default(), RawDocumentBuf::new(), 0i64);
    for (name, total, failed) in counters.commands.iter() {
        let (total, failed) = (int64(total), int64(failed));
        errors = errors.saturating_add(failed);
        operations.add(name, total);
        commands.append(CString::try_from(name)?, rawdoc! { "failed": failed, "total": total });
    }
    let cursors = rawdoc! {
        "open": {
            "pinned": int64(services.cursors.pinned() as u64),
            "total": int64(services.cursors.open() as u64),
        },
    };
    let mut nodes = RawDocumentBuf::new();
    let (mut active, mut queued) = (0i64, 0i64);
    for node in services.pools.nodes() {
        active = active.saturating_add(int64(node.connections().0 as u64));
        queued = queued.saturating_add(int64(node.waiting() as u64));
        let state = rawdoc! { "role": format!("{:?}", node.role()).to_lowercase() };
        nodes.append(CString::try_from(node.name())?, state);
    }
    let resident = proc_kilobytes("/proc/self/status", "VmRSS:").unwrap_or(0) / 1024;
    let virtual_size = proc_kilobytes("/proc/self/status", "VmSize:").unwrap_or(0) / 1024;
    let load = |slot: &std::sync::atomic::AtomicI64| slot.load(Ordering::Relaxed);
    let [reading, writing] = &counters.running;
    let (readers, writers) = (load(reading), load(writing));
    let [reads, writes, others] = counters.commands.latencies().map(|(seconds, ops)| {
        #[expect(clippy::cast_possible_truncation, reason = "microseconds, and as saturates")]
        let micros = (seconds * 1e6) as i64;
        rawdoc! { "latency": micros, "ops": int64(ops) }
    });
    let whole = rawdoc! {
        "host": host_name(),
        "version": services.config.server_version.text(),
        "process": "ermine",
        "pid": i64::from(std::process::id()),
        "uptime": up.as_secs_f64(),
        "uptimeMillis": int64(u64::try_from(up.as_millis()).unwrap_or(u64::MAX)),
        "uptimeEstimate": int64(up.as_secs()),
        "localTime": now(),
        "asserts": { "regular": 0, "warning": 0, "msg": 0, "user": errors, "tripwire": 0, "rollovers": 0 },
        "connections": connections,
        "extra_info": { "note": "fields vary by platform", "page_faults": page_faults() },
        "globalLock": {
            "totalTime": int64(u64::try_from(up.as_micros()).unwrap_or(u64::MAX)),
            "currentQueue": { "total": queued },
            "activeClients": { "total": active, "readers": readers, "writers": writers },
        },
        "network": {
            "bytesIn": int64(counters.bytes_in.load(Ordering::Relaxed)),
            "bytesOut": int64(counters.bytes_out.load(Ordering::Relaxed)),
            "numRequests": int64(counters.requests.load(Ordering::Relaxed)),
        },
        "opLatencies": { "reads": reads, "writes": writes, "commands": others },
        "opcounters": operations.document(),
        "storageEngine": {
            "name": "documentdb",
            "supportsCommittedReads": true,
            "persistent": true,
        },
        "mem": { "bits": 64, "resident": int32(resident), "virtual": int32(virtual_size), "supported": true },
        "metrics": { "commands": commands, "cursor": cursors },
        "nodes": nodes,
        "ok": 1.0,
    };
    asked_for(&call, &whole)
}

/// Without the sections that the command turns off, as in `{serverStatus: 1, metrics: 0}`. What says who answers stays.
fn asked_for(call: &Call<'_>, whole: &RawDocument) -> Result<Reply> {
    let mut off = Vec::new();
    for element in call.request.body.iter_elements().skip(1) {
        let element = element?;
        let value = element.value()?;
        if matches!(number(value), Some(0.0)) || value == RawBsonRef::Boolean(false) {
            off.push(element.key().as_str());
        }
    }
    let mut out = RawDocumentBuf::new();
    for element in whole.iter_elements() {
        let element = element?;
        let value = element.value()?;
        let section = value.as_document().is_some();
        if !section || !off.contains(&element.key().as_str()) {
            out.append(element.key(), value);
        }
    }
    Ok(out.into())
}

/// Pages that this process had to wait for (proc(5), `majflt`).
fn page_faults() -> i64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold anything, so fields count from behind it.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    after.split_whitespace().nth(9).and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// `opcounters`.
#[derive(Default)]
struct Operations {
    insert: i64,
    query: i64,
    update: i64,
    delete: i64,
    getmore: i64,
    command: i64,
}

impl Operations {
    fn add(&mut self, name: &str, total: i64) {
        let slot = match name {
            "insert" => &mut self.insert,
            "find" => &mut self.query,
            "update" => &mut self.update,
            "delete" => &mut self.delete,
            "getMore" => &mut self.getmore,
            _ => &mut self.command,
        };
        *slot = slot.saturating_add(total);
    }

    fn document(&self) -> RawDocumentBuf {
        rawdoc! {
            "insert": self.insert,
            "query": self.query,
            "update": self.update,
            "delete": self.delete,
            "getmore": self.getmore,
            "command": self.command,
        }
    }
}

fn int32(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn int64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
