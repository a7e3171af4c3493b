//! The server under test: a cluster of our own with the extension of this tree, or any server by its address.

use ermine_cluster::{Cluster, Extension, build_extension};

use crate::client::{Address, Client, Lost};
use crate::tree::Result;

/// Makes our extension hold sorted results in one backend, as the official one does. The corpus was recorded
/// with that behaviour, which a proxy can see (`persistconnection`).
const OFFICIAL_CURSORS: &str = "SET ermine.official_cursors = on";

/// The server under test.
#[derive(Debug)]
pub struct Target {
    /// Kept for its end: dropping it stops the servers.
    cluster: Option<Cluster>,
    primary: Address,
    standby: Option<Address>,
}

impl Target {
    /// The server named by `CONTRACT_URI` (and its standby by `CONTRACT_STANDBY_URI`), else a new cluster.
    pub fn open() -> Result<Self> {
        if let Ok(uri) = std::env::var("CONTRACT_URI") {
            let standby = std::env::var("CONTRACT_STANDBY_URI").ok().map(|uri| address(&uri)).transpose()?;
            return Ok(Self { cluster: None, primary: address(&uri)?, standby });
        }
        build_extension().map_err(|e| e.to_string())?;
        let extension = Extension::of_this_tree().map_err(|e| e.to_string())?;
        let cluster =
            Cluster::builder().extension(extension).without_login().start().map_err(|e| e.to_string())?;
        let at = |node: &ermine_cluster::Node| Address {
            host: node.socket_dir().display().to_string(),
            port: node.port(),
            user: "ermine_service".into(),
            password: String::new(),
            database: "ermine".into(),
        };
        let (primary, standby) = (at(cluster.primary()), Some(at(cluster.standby())));
        Ok(Self { cluster: Some(cluster), primary, standby })
    }

    /// Whether it is our own extension, which may follow MongoDB where the official one does not.
    pub fn is_ours(&self) -> bool {
        self.cluster.is_some()
    }

    /// Whether cases of a standby can run.
    pub fn has_standby(&self) -> bool {
        self.standby.is_some()
    }

    /// Whether our extension knows the setting for the official cursor behaviour.
    pub fn knows_official_cursors(&self) -> bool {
        let known = "SELECT 1 FROM pg_settings WHERE name = 'ermine.official_cursors'";
        let Ok(mut client) = Client::connect(&self.primary) else { return false };
        // The settings of a library appear with the first call into it.
        let _ = client.statement("SELECT documentdb_api.binary_version()");
        matches!(client.statement(known), Ok(crate::client::Answer::Rows { rows, .. }) if !rows.is_empty())
    }

    /// A new connection to the primary or the standby, as the role the corpus was recorded with or another.
    pub fn connect(&self, standby: bool, user: Option<&str>) -> std::result::Result<Client, Lost> {
        let node = if standby { self.standby.as_ref() } else { Some(&self.primary) };
        let node = node.ok_or_else(|| Lost::Refused("there is no standby".into()))?;
        let mut address = node.clone();
        if let Some(user) = user {
            address.user = user.into();
        }
        let mut client = Client::connect(&address)?;
        if self.is_ours() {
            client.statement(OFFICIAL_CURSORS)?;
        }
        Ok(client)
    }
}

/// Reads `postgresql://user:password@host:port/database`.
fn address(uri: &str) -> Result<Address> {
    let bad = || format!("{uri:?} is not like postgresql://user:password@host:port/database");
    let rest = uri.split_once("://").ok_or_else(bad)?.1;
    let (credentials, place) = rest.rsplit_once('@').ok_or_else(bad)?;
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let (authority, database) = place.split_once('/').ok_or_else(bad)?;
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "5432"));
    Ok(Address {
        // A socket directory is written with %2F for its slashes.
        host: host.replace("%2F", "/"),
        port: port.parse().map_err(|_| bad())?,
        user: user.into(),
        password: password.into(),
        database: database.split('?').next().unwrap_or_default().into(),
    })
}
