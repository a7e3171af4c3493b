//! What the server is and where it runs.
use bson::raw::RawBsonRef;
use bson::{RawArrayBuf, RawDocumentBuf, rawdoc};

use super::super::Call;
use super::super::options::wrong_type;
use super::super::registry::COMMANDS;
use super::super::spec::{Auth, Kind};
use super::{host_name, now};
use crate::error::{CommandError, Result, codes};
use crate::reply::{Reply, ok};

/// ping: the proxy answers, so PostgreSQL need not be there.
pub(in super::super) fn ping(_: Call<'_>) -> Result<Reply> {
    Ok(ok::plain())
}

/// buildInfo.
pub(in super::super) fn build_info(call: Call<'_>) -> Result<Reply> {
    let version = call.services.config.server_version;
    let environment = rawdoc! {
        "target_arch": std::env::consts::ARCH,
        "target_os": std::env::consts::OS,
    };
    Ok(rawdoc! {
        "version": version.text(),
        "gitVersion": option_env!("ERMINE_GIT_VERSION").unwrap_or("unknown"),
        "modules": [],
        "allocator": "system",
        "javascriptEngine": "none",
        "sysInfo": "deprecated",
        "versionArray": RawArrayBuf::from_iter(version.numbers()),
        "buildEnvironment": environment,
        "bits": i32::try_from(usize::BITS).unwrap_or(64),
        "debug": cfg!(debug_assertions),
        "maxBsonObjectSize": 16 * 1024 * 1024,
        "storageEngines": ["documentdb"],
        "ok": 1.0,
    }
    .into())
}

/// features.
pub(in super::super) fn features(_: Call<'_>) -> Result<Reply> {
    Ok(rawdoc! { "js": {}, "ok": 1.0 }.into())
}

/// hostInfo.
pub(in super::super) fn host_info(_: Call<'_>) -> Result<Reply> {
    let cores = std::thread::available_parallelism()
        .map_or(1, |cores| i32::try_from(cores.get()).unwrap_or(i32::MAX));
    let memory_mb = proc_kilobytes("/proc/meminfo", "MemTotal:").unwrap_or(0) / 1024;
    let system = rawdoc! {
        "currentTime": now(),
        "hostname": host_name(),
        "cpuAddrSize": i32::try_from(usize::BITS).unwrap_or(64),
        "memSizeMB": memory_mb,
        "numCores": cores,
        "cpuArch": std::env::consts::ARCH,
        "numaEnabled": false,
    };
    let (name, version) = os_release();
    let os = rawdoc! { "type": "Linux", "name": name, "version": version };
    Ok(rawdoc! { "system": system, "os": os, "extra": {}, "ok": 1.0 }.into())
}

/// A number of kilobytes out of a file of `/proc`.
pub(super) fn proc_kilobytes(file: &str, key: &str) -> Option<i64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

fn os_release() -> (String, String) {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let field = |key: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(key));
        value.unwrap_or("unknown").trim_matches('"').to_owned()
    };
    (field("NAME="), field("VERSION_ID="))
}

/// getLog: there are no warnings to show, and the log itself goes to standard error.
pub(in super::super) fn log(call: Call<'_>) -> Result<Reply> {
    let name = match call.request.target {
        RawBsonRef::String(name) => name,
        other => return Err(wrong_type("getLog.getLog", other, "string")),
    };
    match name {
        "*" => Ok(rawdoc! { "names": ["global", "startupWarnings"], "ok": 1.0 }.into()),
        "global" | "startupWarnings" => Ok(rawdoc! { "totalLinesWritten": 0, "log": [], "ok": 1.0 }.into()),
        other => {
            let message = format!("no RecentEntries named: {other}");
            Err(CommandError::client(codes::OPERATION_FAILED, message))
        }
    }
}

/// getCmdLineOpts: the program alone, because arguments may hold passwords.
pub(in super::super) fn cmd_line_opts(call: Call<'_>) -> Result<Reply> {
    let authorization = if call.services.config.auth { "enabled" } else { "disabled" };
    Ok(rawdoc! {
        "argv": ["ermine"],
        "parsed": { "security": { "authorization": authorization } },
        "ok": 1.0,
    }
    .into())
}

/// shardingState, as of a server that is no shard.
pub(in super::super) fn sharding_state(_: Call<'_>) -> Result<Reply> {
    Ok(rawdoc! { "enabled": false, "ok": 1.0 }.into())
}

/// whatsmyuri.
pub(in super::super) fn whats_my_uri(call: Call<'_>) -> Result<Reply> {
    let you = call.session.peer.map_or_else(|| "anonymous unix socket".to_owned(), |peer| peer.to_string());
    Ok(rawdoc! { "you": you, "ok": 1.0 }.into())
}

/// listCommands: the table.
pub(in super::super) fn list_commands(_: Call<'_>) -> Result<Reply> {
    let mut commands = RawDocumentBuf::new();
    for command in COMMANDS {
        let aliases = RawArrayBuf::from_iter(command.aliases.iter().copied());
        let reads = matches!(command.kind, Kind::Read | Kind::Any | Kind::Local);
        let entry = rawdoc! {
            "help": command.help,
            "aliases": aliases,
            "requiresAuth": command.auth != Auth::Open,
            "secondaryOk": reads,
            "adminOnly": command.admin_only,
            "apiVersions": if command.api_v1 { RawArrayBuf::from_iter(["1"]) } else { RawArrayBuf::new() },
        };
        let name = bson::raw::CString::try_from(command.name)?;
        commands.append(name, entry);
    }
    Ok(rawdoc! { "commands": commands, "ok": 1.0 }.into())
}
