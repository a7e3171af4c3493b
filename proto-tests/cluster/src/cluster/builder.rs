//! What a cluster is to be, and the start of it.

use std::path::PathBuf;

use super::files::{durable_directory, scratch_directory, service_password};
use super::{Cluster, SERVICE_ROLE};
use crate::account::Account;
use crate::error::Result;
use crate::install::{Extension, Install};
use crate::node::{Node, Site};
use crate::ports::free_port;
use crate::watchdog::Watchdog;

/// A name and a password.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The password, in clear.
    pub password: String,
}

/// What a cluster is to be; made by [`Cluster::builder`], ended by [`Builder::start`].
#[derive(Clone, Debug)]
pub struct Builder {
    pub(super) directory: Option<PathBuf>,
    pub(super) standbys: usize,
    pub(super) extension: Option<Extension>,
    pub(super) login: Option<Login>,
    pub(super) settings: Vec<String>,
    pub(super) log_statements: bool,
}

impl Builder {
    /// Keeps the data in `directory`, which is created, or started again as it was left. Without this the
    /// cluster is thrown away at the end, and does not wait for the disk.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The number of standbys; 1 unless said otherwise.
    pub fn standbys(mut self, standbys: usize) -> Self {
        self.standbys = standbys;
        self
    }

    /// The extension to install and create; without it the cluster is plain PostgreSQL with no MongoDB user.
    pub fn extension(mut self, extension: Extension) -> Self {
        self.extension = Some(extension);
        self
    }

    /// The first MongoDB user, created by `documentdb_api.create_user` when the data is new.
    pub fn login(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.login = Some(Login { user: user.into(), password: password.into() });
        self
    }

    /// Creates no MongoDB user.
    pub fn without_login(mut self) -> Self {
        self.login = None;
        self
    }

    /// A setting of every node, for example `("shared_preload_libraries", "ermine")`.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push(format!("{name}={value}"));
        self
    }

    /// Every node logs every statement with its parameters, for
    /// [`LogMark::statements`](crate::LogMark::statements).
    pub fn log_statements(mut self) -> Self {
        self.log_statements = true;
        self
    }

    /// Makes the cluster and waits until the standbys stream.
    ///
    /// # Errors
    /// A sentence that says which step failed and why.
    pub fn start(self) -> Result<Cluster> {
        let account = Account::choose()?;
        let durable = self.directory.is_some();
        // Servers' sockets have short names only; a data directory may lie deep.
        let run = scratch_directory(&account)?;
        let base = match &self.directory {
            Some(directory) => durable_directory(directory, &account)?,
            None => run.clone(),
        };
        let watchdog = Watchdog::start(&base, if durable { "INT" } else { "QUIT" }, &run)?;
        let install = Install::lay(&base.join("root"), self.extension.as_ref(), &account)?;
        let password = service_password(&base, &account)?;
        let site = Site {
            account,
            install,
            sockets: run.clone(),
            database: "ermine".into(),
            service: (SERVICE_ROLE.into(), password),
        };
        let primary = Node::new("primary", &base, free_port()?, Vec::new(), site.clone());
        let mut cluster =
            Cluster { primary, standbys: Vec::new(), site, base, run, durable, watchdog, options: self };
        cluster.bring_up()?;
        Ok(cluster)
    }
}
