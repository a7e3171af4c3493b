//! CPU time of processes, from `/proc`.

use crate::error::Error;

/// A process named on the command line; its children count with it.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// Name in the report.
    pub(crate) name: String,
    pid: u32,
}

impl std::str::FromStr for Watched {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once('=').and_then(|(name, pid)| Some((name, pid.parse().ok()?)));
        let (name, pid) =
            parsed.ok_or_else(|| Error::Usage(format!("a process is NAME=PID, not '{text}'")))?;
        Ok(Self { name: name.to_owned(), pid })
    }
}

/// The kernel's clock ticks per second, fixed for user space on Linux (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;

/// Parent, CPU ticks (ended children included) of a process.
fn stat(pid: u32) -> Option<(u32, f64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, so fields count from behind it.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok());
    let parent = fields.get(1)?.parse().ok()?;
    Some((parent, number(11)? + number(12)? + number(13)? + number(14)?))
}

impl Watched {
    /// Its files, in number.
    pub(crate) fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid)).map_or(0, Iterator::count)
    }

    /// Its threads, in number.
    pub(crate) fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.pid)).map_or(0, Iterator::count)
    }

    /// Its direct children, in number: for a PostgreSQL server, its backends and helpers.
    pub(crate) fn children(&self) -> usize {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let parents = processes.filter_map(|entry| Some(stat(entry.file_name().to_str()?.parse().ok()?)?.0));
        parents.filter(|parent| *parent == self.pid).count()
    }

    /// Its resident memory in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kilobytes.unwrap_or(0) * 1024
    }

    /// A process by its id.
    pub(crate) fn new(name: String, pid: u32) -> Self {
        Self { name, pid }
    }

    /// This process.
    pub(crate) fn from_own() -> Self {
        Self { name: "client".to_owned(), pid: std::process::id() }
    }

    /// Seconds of CPU time so far, of the process and its children.
    pub(crate) fn seconds(&self) -> f64 {
        let children = std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let (parent, ticks) = stat(pid)?;
            (parent == self.pid).then_some(ticks)
        });
        let own = stat(self.pid).map_or(0.0, |(_, ticks)| ticks);
        (own + children.sum::<f64>()) / TICKS
    }
}
