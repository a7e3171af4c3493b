//! One PostgreSQL server of a cluster.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postgres::NoTls;

use crate::account::Account;
use crate::error::{Context, Error, Result};
use crate::install::Install;
use crate::log::LogMark;

/// How long a server may take to start or stop before it counts as broken.
const PATIENCE: Duration = Duration::from_secs(180);

/// Between two looks at a condition.
const STEP: Duration = Duration::from_millis(5);

/// What every node of a cluster has in common.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) account: Account,
    pub(crate) install: Install,
    /// Where the nodes' Unix sockets are.
    pub(crate) sockets: PathBuf,
    /// The database with the extension.
    pub(crate) database: String,
    /// The service role's name and password.
    pub(crate) service: (String, String),
}

/// How to end a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Roll back what runs, write a checkpoint, end.
    Fast,
    /// End at once, with crash recovery at the next start.
    Immediate,
}

/// A started server, and where its log began.
#[derive(Debug)]
struct Process {
    child: Child,
    log: LogMark,
}

/// One PostgreSQL server: its directory, its port, its process.
#[derive(Debug)]
pub struct Node {
    name: String,
    data: PathBuf,
    log: PathBuf,
    port: u16,
    /// `-c name=value` for the server's command line.
    settings: Vec<String>,
    site: Site,
    process: Mutex<Option<Process>>,
}

impl Node {
    pub(crate) fn new(name: &str, base: &Path, port: u16, settings: Vec<String>, site: Site) -> Self {
        let (data, log) = (base.join(name), base.join(format!("{name}.log")));
        Self { name: name.into(), data, log, port, settings, site, process: Mutex::new(None) }
    }

    /// The name: `primary`, `standby1`, ….
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port on 127.0.0.1, which stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The directory of the Unix socket, over which every role is let in without a password.
    pub fn socket_dir(&self) -> &Path {
        &self.site.sockets
    }

    /// The address of the database over TCP for the service role, which is not a superuser and which the
    /// proxy connects as.
    pub fn url(&self) -> String {
        let (user, password) = &self.site.service;
        format!("postgresql://{user}:{password}@127.0.0.1:{}/{}", self.port, self.site.database)
    }

    /// The process id of the server, when it was started and not stopped since.
    pub fn pid(&self) -> Option<u32> {
        self.lock().as_ref().map(|process| process.child.id())
    }

    /// Starts the server and waits until it takes connections.
    ///
    /// # Errors
    /// When it ends again or is not ready within a minute; the sentence quotes the last lines of its log.
    pub fn start(&self) -> Result<()> {
        self.spawn()?;
        self.wait_ready()
    }

    /// Starts the server; [`Node::wait_ready`] waits for it. Several nodes start side by side that way.
    pub(crate) fn spawn(&self) -> Result<()> {
        let mut process = self.lock();
        if let Some(Process { child, .. }) = process.as_mut()
            && matches!(child.try_wait(), Ok(None))
        {
            return Err(Error::new(format!("{} runs already", self.name)));
        }
        *process = Some(self.spawn_process()?);
        Ok(())
    }

    fn spawn_process(&self) -> Result<Process> {
        let mark = LogMark::end_of(&self.log);
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.context(|| format!("write {}", self.log.display()))?;
        let errors = log.try_clone().context(|| "duplicate a file handle".into())?;
        let mut command = self.site.account.command(&self.site.install.postgres);
        command.arg("-D").arg(&self.data);
        for setting in &self.settings {
            command.arg("-c").arg(setting);
        }
        // Its own process group: Ctrl-C at the terminal reaches us, and we stop the servers in order.
        command.process_group(0).stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn().context(|| format!("start {}", self.site.install.postgres.display()))?;
        Ok(Process { child, log: mark })
    }

    /// Waits until the server takes connections. A server whose predecessor was killed is refused its shared
    /// memory until the last of the old processes is gone, and is started again.
    pub(crate) fn wait_ready(&self) -> Result<()> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let mut slot = self.lock();
            let Some(process) = slot.as_mut() else {
                return Err(Error::new(format!("{} was stopped while it started", self.name)));
            };
            if self.says_ready(process.child.id()) {
                return Ok(());
            }
            let late = Instant::now() > give_up;
            if !matches!(process.child.try_wait(), Ok(None)) {
                let log = process.log.text();
                let held = log.contains("is still in use")
                    || log.contains("lock file \"postmaster.pid\" already exists");
                if late || !held {
                    let fatal = log.lines().find(|line| line.contains("FATAL") || line.contains("could not"));
                    let (name, why) = (&self.name, fatal.unwrap_or("its log is empty"));
                    let error = format!("{name} did not start: {why} (see {})", self.log.display());
                    *slot = None;
                    return Err(Error::new(error));
                }
                *process = self.spawn_process()?;
            }
            drop(slot);
            if late {
                return Err(Error::new(format!(
                    "{} is not ready after {PATIENCE:?} (see {})",
                    self.name,
                    self.log.display()
                )));
            }
            std::thread::sleep(STEP);
        }
    }

    /// Whether the server's own file says that it takes connections.
    fn says_ready(&self, pid: u32) -> bool {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines();
        lines.next() == Some(pid.to_string().as_str())
            && lines.nth(6).is_some_and(|status| status.trim() == "ready")
    }

    /// Stops the server and waits for its end. A server that does not run is left as it is.
    ///
    /// # Errors
    /// When it has not ended within a minute.
    pub fn stop(&self, how: Stop) -> Result<()> {
        self.end(match how {
            Stop::Fast => Signal::SIGINT,
            Stop::Immediate => Signal::SIGQUIT,
        })
    }

    /// Kills the server as a crash does: nothing is written, the clients' connections break.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn kill(&self) -> Result<()> {
        self.end(Signal::SIGKILL)
    }

    /// Kills the server with every process of it, as a machine that loses its power does: not one of them can write
    /// anything more.
    ///
    /// # Errors
    /// When a process cannot be signalled.
    pub fn kill_all(&self) -> Result<()> {
        let Some(server) = self.pid() else { return Ok(()) };
        // A stopped server starts no process that the list lacks.
        signal_one(server, Signal::SIGSTOP)?;
        for child in children(server) {
            signal_one(child, Signal::SIGKILL)?;
        }
        self.end(Signal::SIGKILL)
    }

    /// Kills one process of the server (`pg_stat_activity` knows their ids). The server then ends all others and
    /// recovers by itself.
    ///
    /// # Errors
    /// When the server has no such process.
    pub fn kill_process(&self, pid: u32) -> Result<()> {
        self.signal_process(pid, Signal::SIGKILL)
    }

    /// Halts one process of the server where it is, or has a halted one go on.
    ///
    /// # Errors
    /// When the server has no such process.
    pub fn halt_process(&self, pid: u32, halt: bool) -> Result<()> {
        self.signal_process(pid, if halt { Signal::SIGSTOP } else { Signal::SIGCONT })
    }

    fn signal_process(&self, pid: u32, signal: Signal) -> Result<()> {
        if !self.pid().is_some_and(|server| children(server).contains(&pid)) {
            return Err(Error::new(format!("{pid} is no process of {}", self.name)));
        }
        signal_one(pid, signal)
    }

    /// Stops and starts the server.
    ///
    /// # Errors
    /// As [`Node::stop`] and [`Node::start`].
    pub fn restart(&self, how: Stop) -> Result<()> {
        self.stop(how)?;
        self.start()
    }

    fn end(&self, signal: Signal) -> Result<()> {
        let mut process = self.lock();
        let Some(Process { child, .. }) = process.as_mut() else { return Ok(()) };
        let pid = i32::try_from(child.id()).map_err(|_| Error::new("a process id is not a number"))?;
        if matches!(child.try_wait(), Ok(None)) {
            kill(Pid::from_raw(pid), signal)
                .map_err(|e| Error::new(format!("cannot signal {}: {e}", self.name)))?;
        }
        let give_up = Instant::now() + PATIENCE;
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() > give_up {
                return Err(Error::new(format!("{} has not stopped within {PATIENCE:?}", self.name)));
            }
            std::thread::sleep(STEP);
        }
        *process = None;
        Ok(())
    }

    /// Whether the server's process runs.
    pub fn is_running(&self) -> bool {
        self.lock().as_mut().is_some_and(|process| matches!(process.child.try_wait(), Ok(None)))
    }

    /// Makes a standby a primary and waits until it is one.
    ///
    /// # Errors
    /// When it is not a standby or does not get there.
    pub fn promote(&self) -> Result<()> {
        match self.query("SELECT pg_promote(true, 60)")?.as_deref() {
            Some("t") => Ok(()),
            _ => Err(Error::new(format!("{} was not promoted", self.name))),
        }
    }

    /// Runs statements as superuser in the database with the extension.
    ///
    /// # Errors
    /// The server's.
    pub fn execute(&self, sql: &str) -> Result<()> {
        self.with_client(&self.site.database, |client| client.batch_execute(sql))
    }

    /// Runs one statement as superuser and gives the first column of its first row as text.
    ///
    /// # Errors
    /// The server's.
    pub fn query(&self, sql: &str) -> Result<Option<String>> {
        self.query_in(&self.site.database, sql)
    }

    pub(crate) fn query_in(&self, database: &str, sql: &str) -> Result<Option<String>> {
        let messages = self.with_client(database, |client| client.simple_query(sql))?;
        Ok(messages.iter().find_map(|message| match message {
            postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    }

    /// Runs `work` on a connection of the superuser over the socket, on a thread of its own: the client blocks
    /// on a runtime inside, which is not allowed on a thread of another runtime.
    pub(crate) fn with_client<T: Send>(
        &self,
        database: &str,
        work: impl FnOnce(&mut postgres::Client) -> std::result::Result<T, postgres::Error> + Send,
    ) -> Result<T> {
        let mut config = postgres::Config::new();
        config.host_path(&self.site.sockets).port(self.port).user("postgres").dbname(database);
        config.connect_timeout(Duration::from_secs(60));
        let run = move || config.connect(NoTls).and_then(|mut client| work(&mut client));
        let result = std::thread::scope(|scope| scope.spawn(run).join());
        result.map_err(|_| Error::new("a database client panicked"))?.map_err(Error::from)
    }

    /// The present end of the server's log, to read later what was logged since.
    pub fn log_mark(&self) -> LogMark {
        LogMark::end_of(&self.log)
    }

    /// The server's log file.
    pub fn log_file(&self) -> &Path {
        &self.log
    }

    fn lock(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The watchdog has a second try at a server that does not stop.
        let _ = self.stop(Stop::Fast);
    }
}

/// The processes whose parent is `pid`.
fn children(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&child: &u32| {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        // Behind the name, which may hold anything, come the state and the parent.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        parent == Some(pid.to_string().as_str())
    })
    .collect()
}

/// Signals a process; one that is gone already needs none.
fn signal_one(pid: u32, signal: Signal) -> Result<()> {
    let raw = i32::try_from(pid).map_err(|_| Error::new("a process id is not a number"))?;
    match kill(Pid::from_raw(raw), signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(e) => Err(Error::new(format!("cannot signal process {pid}: {e}"))),
    }
}
