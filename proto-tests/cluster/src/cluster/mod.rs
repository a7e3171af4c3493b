//! A primary, its standbys, and the extension in them.

mod builder;
mod files;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub use builder::{Builder, Login};
use files::json_string;
pub(crate) use files::{random_word, write_secret};

use crate::error::{Context, Error, Result};
use crate::install::Extension;
use crate::node::{Node, Site, Stop};
use crate::ports::free_port;
use crate::watchdog::Watchdog;

/// How long a standby may take to catch up before it counts as broken.
const REPLAY_PATIENCE: Duration = Duration::from_secs(60);

/// The role the proxy connects as: it may create users and act as DocumentDB's administrator, no more.
const SERVICE_ROLE: &str = "ermine_service";

/// A running primary with its standbys. Dropping it stops them and removes what is not to be kept; a watchdog
/// does the same when the process ends without that.
#[derive(Debug)]
pub struct Cluster {
    primary: Node,
    standbys: Vec<Node>,
    site: Site,
    base: PathBuf,
    run: PathBuf,
    durable: bool,
    watchdog: Watchdog,
    options: Builder,
}

impl Cluster {
    /// A throw-away cluster of one primary and one standby, to be changed before it is started.
    pub fn builder() -> Builder {
        let login = Some(Login { user: "ermine".into(), password: "Ermine-test-1".into() });
        let (settings, log_statements) = (Vec::new(), false);
        Builder { directory: None, standbys: 1, extension: None, login, settings, log_statements }
    }

    /// The node that was made as primary.
    pub fn primary(&self) -> &Node {
        &self.primary
    }

    /// The nodes that were made as standbys, in order.
    pub fn standbys(&self) -> &[Node] {
        &self.standbys
    }

    /// The first standby.
    ///
    /// # Panics
    /// When the cluster was made without one.
    pub fn standby(&self) -> &Node {
        &self.standbys[0]
    }

    /// The first MongoDB user, when there is one.
    pub fn login(&self) -> Option<&Login> {
        self.options.login.as_ref()
    }

    /// The directory everything lies in.
    pub fn directory(&self) -> &Path {
        &self.base
    }

    /// Waits until every running standby has replayed what the primary has committed.
    ///
    /// # Errors
    /// When a standby does not get there within a minute.
    pub fn wait_replayed(&self) -> Result<()> {
        let standbys: Vec<_> = self.standbys.iter().filter(|node| node.is_running()).collect();
        let Some(target) = self.primary.query("SELECT pg_current_wal_flush_lsn()")? else { return Ok(()) };
        for standby in standbys {
            wait_replayed(standby, &target)?;
        }
        Ok(())
    }

    /// Stops all nodes, the standbys first.
    ///
    /// # Errors
    /// When one does not stop.
    pub fn stop(&self) -> Result<()> {
        self.standbys.iter().chain([&self.primary]).try_for_each(|node| node.stop(Stop::Fast))
    }

    /// From whatever lies in the directory to a running cluster.
    fn bring_up(&mut self) -> Result<()> {
        let new = !self.made_file().exists();
        if new {
            self.remove_half_made()?;
            self.init_primary()?;
        }
        let port = self.primary.port();
        self.primary = Node::new("primary", &self.base, port, self.settings(port, None), self.site.clone());
        self.primary.spawn()?;
        for number in 1..=self.options.standbys {
            let (name, port) = (format!("standby{number}"), free_port()?);
            let node =
                Node::new(&name, &self.base, port, self.settings(port, Some(&name)), self.site.clone());
            self.standbys.push(node);
        }
        // Those that exist start beside the primary.
        let (old, fresh): (Vec<_>, Vec<_>) =
            self.standbys.iter().partition(|node| node.data().join("standby.signal").exists());
        old.iter().try_for_each(|node| node.spawn())?;
        self.primary.wait_ready()?;
        if new {
            self.create_database()?;
        }
        self.check_extension(new)?;
        for node in &fresh {
            self.copy_primary(node)?;
        }
        for node in old {
            self.await_standby(node)?;
        }
        fresh.into_iter().try_for_each(|node| self.await_standby(node))
    }

    /// Waits until a started standby streams. One that cannot, because the primary no longer has what it
    /// needs, is made anew.
    fn await_standby(&self, node: &Node) -> Result<()> {
        if node.wait_ready().is_ok() && self.streams(node) {
            return Ok(());
        }
        node.stop(Stop::Immediate)?;
        self.copy_primary(node)?;
        node.wait_ready()?;
        if self.streams(node) { Ok(()) } else { Err(Error::new(format!("{} does not stream", node.name()))) }
    }

    /// Whether the standby is connected to the primary, after some seconds at most.
    fn streams(&self, node: &Node) -> bool {
        let sql = format!(
            "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND application_name = '{}'",
            node.name()
        );
        // One that is made for this run has all it needs: it is only slow.
        let patience = Duration::from_secs(if self.durable { 5 } else { 60 });
        until(patience, || self.primary.query(&sql).ok().flatten())
    }

    /// Removes what a start that was interrupted has left.
    fn remove_half_made(&self) -> Result<()> {
        for entry in fs::read_dir(&self.base).context(|| format!("read {}", self.base.display()))?.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if (name == "primary" || name.starts_with("standby")) && entry.path().is_dir() {
                fs::remove_dir_all(entry.path()).context(|| format!("remove {}", entry.path().display()))?;
            }
        }
        Ok(())
    }

    fn init_primary(&self) -> Result<()> {
        let mut command = self.site.account.command(&self.site.install.bin.join("initdb"));
        command.arg("-D").arg(self.primary.data()).args([
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
        ]);
        command.args([
            "--locale=C.UTF-8",
            "--no-instructions",
            if self.durable { "--data-checksums" } else { "--no-sync" },
        ]);
        run(command, "initdb")?;
        // Only those who can enter the sockets' directory need no password.
        let hba =
            "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        let file = self.primary.data().join("pg_hba.conf");
        fs::write(&file, hba).context(|| format!("write {}", file.display()))
    }

    /// Creates the database, the extension, the service role and the first user.
    fn create_database(&self) -> Result<()> {
        let database = &self.site.database;
        self.primary.query_in("postgres", &format!("CREATE DATABASE {database}"))?;
        let (role, password) = &self.site.service;
        if self.options.extension.is_none() {
            return self
                .primary
                .execute(&format!("CREATE ROLE {role} LOGIN CREATEROLE PASSWORD '{password}'"));
        }
        self.primary.execute("CREATE EXTENSION ermine CASCADE")?;
        self.primary.execute(&format!(
            "CREATE ROLE {role} LOGIN CREATEROLE PASSWORD '{password}' IN ROLE documentdb_admin_role"
        ))?;
        let Some(Login { user, password }) = &self.options.login else { return Ok(()) };
        let roles = r#"[{"role":"clusterAdmin","db":"admin"},{"role":"readWriteAnyDatabase","db":"admin"}]"#;
        let spec = format!(
            r#"{{"createUser":{},"pwd":{},"roles":{roles}}}"#,
            json_string(user),
            json_string(password)
        );
        let literal = spec.replace('\'', "''");
        self.primary
            .query(&format!("SELECT documentdb_api.create_user('{literal}'::documentdb_core.bson)"))?;
        Ok(())
    }

    /// The file that says the data is complete, and by which scripts of the extension it was made.
    fn made_file(&self) -> PathBuf {
        self.base.join("made")
    }

    /// Data made by other scripts of the extension than today's may lack functions: better said than met.
    fn check_extension(&self, new: bool) -> Result<()> {
        let (file, extension) = (self.made_file(), self.options.extension.as_ref());
        let now = extension.map(Extension::sql_text).transpose()?.unwrap_or_default();
        if new {
            return fs::write(&file, now).context(|| format!("write {}", file.display()));
        }
        match fs::read_to_string(&file) {
            Ok(then) if then == now => Ok(()),
            _ => Err(Error::new(format!(
                "the data in {} was made by another version of the extension: run `make clean-data` to start afresh",
                self.base.display()
            ))),
        }
    }

    /// Makes a standby from a copy of the primary, with a slot that keeps the WAL it needs, and starts it.
    fn copy_primary(&self, node: &Node) -> Result<()> {
        if node.data().exists() {
            fs::remove_dir_all(node.data()).context(|| format!("remove {}", node.data().display()))?;
        }
        let slot = node.name();
        self.primary.query(&format!(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{slot}'"
        ))?;
        let mut command = self.site.account.command(&self.site.install.bin.join("pg_basebackup"));
        command.arg("-D").arg(node.data()).arg("-h").arg(&self.site.sockets);
        command.args([
            "-p",
            &self.primary.port().to_string(),
            "-U",
            "postgres",
            "-c",
            "fast",
            "-C",
            "-S",
            slot,
            "-R",
        ]);
        if !self.durable {
            command.arg("--no-sync");
        }
        run(command, "pg_basebackup")?;
        node.spawn()
    }

    /// The settings of a node; `standby` is the name of its slot.
    fn settings(&self, port: u16, standby: Option<&str>) -> Vec<String> {
        let mut settings: Vec<String> = vec![
            format!("port={port}"),
            "listen_addresses=127.0.0.1".into(),
            format!("unix_socket_directories={}", self.site.sockets.display()),
            "password_encryption=scram-sha-256".into(),
            "timezone=Etc/UTC".into(),
            "log_timezone=Etc/UTC".into(),
            "log_line_prefix=%m [%p] %q%u ".into(),
            "max_connections=200".into(),
            "jit=off".into(),
            "hot_standby_feedback=on".into(),
            "wal_receiver_status_interval=1s".into(),
            "wal_retrieve_retry_interval=500ms".into(),
            "max_slot_wal_keep_size=4GB".into(),
        ];
        if let Some(slot) = standby {
            let (sockets, primary) = (self.site.sockets.display(), self.primary.port());
            settings.push(format!("primary_slot_name={slot}"));
            settings.push(format!(
                "primary_conninfo=host={sockets} port={primary} user=postgres application_name={slot}"
            ));
        }
        if !self.durable {
            // Still commit by commit: the standby gets a commit when it is flushed, and no later.
            settings.extend(["fsync=off", "full_page_writes=off", "shared_buffers=64MB"].map(String::from));
        }
        if self.options.log_statements {
            settings.extend(["log_statement=all", "log_min_error_statement=panic"].map(String::from));
        }
        settings.extend(self.options.settings.iter().cloned());
        settings
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = if self.durable { self.stop() } else { self.stop_at_once() };
        if stopped.is_ok() && fs::remove_dir_all(&self.run).is_ok() {
            self.watchdog.dismiss();
        }
    }
}

impl Cluster {
    fn stop_at_once(&self) -> Result<()> {
        self.standbys.iter().chain([&self.primary]).try_for_each(|node| node.stop(Stop::Immediate))
    }
}

/// Waits until `standby` has replayed the WAL up to `target`.
fn wait_replayed(standby: &Node, target: &str) -> Result<()> {
    let sql =
        format!("SELECT 1 WHERE pg_last_wal_replay_lsn() >= '{target}'::pg_lsn OR NOT pg_is_in_recovery()");
    if until(REPLAY_PATIENCE, || standby.query(&sql).ok().flatten()) {
        return Ok(());
    }
    Err(Error::new(format!("{} has not replayed {target} within {REPLAY_PATIENCE:?}", standby.name())))
}

/// Asks until there is an answer; false when there is none in time.
fn until<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> bool {
    let give_up = Instant::now() + patience;
    loop {
        if ask().is_some() {
            return true;
        }
        if Instant::now() > give_up {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs a program to its end and quotes its last words when it fails.
fn run(mut command: Command, name: &str) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().context(|| format!("run {name}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(format!("{name} failed: {}", words.trim().replace('\n', "; "))))
}
