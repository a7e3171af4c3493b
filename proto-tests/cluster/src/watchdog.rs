//! Stops the servers and removes a throw-away directory however the process that made them ends.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::error::{Context, Error, Result};

/// Reads its standard input to the end, which comes when our process is gone. A process is only stopped when
/// its command line or environment names our directory: a process id in a left-over file may be somebody
/// else's by then.
const SCRIPT: &str = r#"
word=$(cat)
[ "$word" = done ] && exit
ours() { pid=$(head -n 1 "$1" 2>/dev/null) && cat "/proc/$pid/cmdline" "/proc/$pid/environ" 2>/dev/null | grep -qaF "$base"; }
base=$1
pids=
for file in "$base"/*.pid; do ours "$file" && kill -TERM "$pid" && pids="$pids $pid"; done
for file in "$base"/*/postmaster.pid; do ours "$file" && kill -"$2" "$pid" && pids="$pids $pid"; done
for pid in $pids; do while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done; done
rm -rf "$3"
"#;

/// A small shell that outlives us by a moment.
#[derive(Debug)]
pub(crate) struct Watchdog {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Watchdog {
    /// Watches the servers below `base`. At the end they are stopped with `signal` (`INT` shuts down cleanly,
    /// `QUIT` at once), then `remove` is removed.
    pub(crate) fn start(base: &Path, signal: &str, remove: &Path) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(SCRIPT).arg("ermine-watchdog").arg(base).arg(signal).arg(remove);
        // Its own process group: Ctrl-C at the terminal is for us, and we stop the servers in order.
        command.process_group(0).current_dir("/").env_clear().env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().context(|| "start /bin/sh".into())?;
        let stdin = Some(child.stdin.take().ok_or_else(|| Error::new("the watchdog has no input"))?);
        Ok(Self { child, stdin })
    }

    /// Ends the watchdog when the servers are stopped and the directories removed already.
    pub(crate) fn dismiss(&mut self) {
        if let Some(mut stdin) = self.stdin.take() {
            // A watchdog that is gone needs no dismissal.
            let _ = stdin.write_all(b"done");
            drop(stdin);
            let _ = self.child.wait();
        }
    }
}
