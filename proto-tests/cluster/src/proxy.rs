//! The proxy's process, in front of a cluster.

use std::fs::{self, OpenOptions};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::Cluster;
use crate::error::{Context, Error, Result};

/// How long the proxy may take to listen, and to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at the process.
const STEP: Duration = Duration::from_millis(20);

/// The proxy's process. Dropping it stops it.
#[derive(Debug)]
pub struct Proxy {
    child: Child,
    /// By this file the watchdog finds the process when we are gone.
    pid_file: PathBuf,
    log: PathBuf,
    ports: [u16; 2],
}

impl Proxy {
    /// Starts `program` with a primary endpoint on the first port of 127.0.0.1 and a secondary one on the second.
    /// Its log lies in the cluster's directory. `settings` are variables beside those of every cluster.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(
        program: &Path,
        cluster: &Cluster,
        ports: [u16; 2],
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let data = cluster.directory();
        let log = data.join("ermine.log");
        let file = OpenOptions::new().create(true).append(true).open(&log);
        let file = file.context(|| format!("write {}", log.display()))?;
        let errors = file.try_clone().context(|| "duplicate a file handle".into())?;
        let [primary, secondary] = ports.map(|port| format!("127.0.0.1:{port}"));
        let standbys: Vec<_> = cluster.standbys().iter().map(crate::Node::url).collect();
        let mut command = Command::new(program);
        command
            .env("ERMINE_LISTEN_ADDR", primary)
            .env("ERMINE_SECONDARY_LISTEN_ADDR", secondary)
            .env("ERMINE_POSTGRESQL_URL", cluster.primary().url())
            .env("ERMINE_POSTGRESQL_STANDBY_URL", standbys.join(" "))
            // Several of us may run on one machine.
            .env("ERMINE_DEBUG_ADDR", std::env::var_os("ERMINE_DEBUG_ADDR").unwrap_or_else(|| "-".into()))
            .envs(settings.iter().copied())
            // By this the watchdog knows the process as ours.
            .env("CLUSTER_OF_THIS_PROXY", data);
        // These are for us; the proxy refuses settings it does not know.
        for ours in ["ERMINE_DATA", "ERMINE_EXTENSION_LIB", "ERMINE_PRIMARY_URI", "ERMINE_SECONDARY_URI"] {
            command.env_remove(ours);
        }
        command.process_group(0).stdin(Stdio::null()).stdout(file).stderr(errors);
        let child = command.spawn().context(|| format!("start {}", program.display()))?;
        let pid_file = data.join("ermine.pid");
        fs::write(&pid_file, format!("{}\n", child.id()))
            .context(|| format!("write {}", pid_file.display()))?;
        Ok(Self { child, pid_file, log, ports })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Whether the process runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until both endpoints take connections, or `stop` is set.
    ///
    /// # Errors
    /// When the process ends or does not listen in time; the sentence quotes its last line.
    pub fn await_listening(&mut self, stop: &AtomicBool) -> Result<()> {
        let give_up = Instant::now() + PATIENCE;
        while !self.ports.iter().all(|&port| TcpStream::connect(("127.0.0.1", port)).is_ok()) {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if !self.is_running() || Instant::now() > give_up {
                let text = fs::read_to_string(&self.log).unwrap_or_default();
                let last = text.lines().last().unwrap_or("its log is empty");
                return Err(Error::new(format!(
                    "Ermine does not start: {last} (log: {})",
                    self.log.display()
                )));
            }
            std::thread::sleep(STEP);
        }
        Ok(())
    }

    /// Asks the process to end, and ends it when it does not.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn stop(&mut self) -> Result<()> {
        let give_up = Instant::now() + PATIENCE;
        if self.is_running() {
            let pid =
                i32::try_from(self.child.id()).map_err(|_| Error::new("a process id is not a number"))?;
            kill(Pid::from_raw(pid), Signal::SIGTERM)
                .map_err(|e| Error::new(format!("cannot stop Ermine: {e}")))?;
        }
        while self.is_running() {
            if Instant::now() > give_up {
                self.child.kill().context(|| "kill Ermine".into())?;
            }
            std::thread::sleep(STEP);
        }
        fs::remove_file(&self.pid_file).or_else(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(Error::new(format!("cannot remove {}: {e}", self.pid_file.display()))),
        })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The watchdog has a second try.
        let _ = self.stop();
    }
}
