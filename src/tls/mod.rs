//! TLS towards clients: certificate and key from files, loaded again when the files change.
mod client;
mod files;
mod postgres;
pub mod subject;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use tokio_util::sync::CancellationToken;

use crate::config::TlsFiles;
pub use client::{own_client, wants_certificate, web_client};
use files::Material;
pub use files::TlsError;
pub use postgres::PgConnector;

/// How often the files are looked at. Mounted secrets change by an exchanged symlink, which no watch on a file sees.
const LOOK: Duration = Duration::from_secs(2);
/// A certificate that ends within this time is worth a warning.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);
/// Between two such warnings.
const REMIND: Duration = Duration::from_secs(24 * 3600);

/// What the TLS listeners present, always from the latest usable files.
pub struct ServerTls {
    files: TlsFiles,
    current: RwLock<Current>,
}

#[derive(Clone)]
struct Current {
    config: Arc<ServerConfig>,
    material: Arc<Material>,
    not_after: SystemTime,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// The one provider of cryptography in the process.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file can't be used, and why.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let current = Current::of(&files, Material::read(&files)?)?;
        Ok(Self { files, current: RwLock::new(current) })
    }

    /// For the next handshake.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.current().config
    }

    /// When the certificate that is presented now ends.
    pub fn not_after(&self) -> SystemTime {
        self.current().not_after
    }

    fn current(&self) -> Current {
        // Whoever panicked with the lock held has not changed anything by halves: the value is assigned whole.
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes up changed files until `stopping`. Files that can't be used are reported, and the last good ones stay.
    pub async fn watch(self: Arc<Self>, stopping: CancellationToken) {
        let mut refused: Option<Material> = None;
        let mut reminded = None;
        loop {
            remind(self.not_after(), &mut reminded);
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let tls = Arc::clone(&self);
            // Reading a file may block.
            let Ok(read) = tokio::task::spawn_blocking(move || Material::read(&tls.files)).await else {
                return;
            };
            match read {
                Ok(material) if *self.current().material == material => refused = None,
                Ok(material) if refused.as_ref() == Some(&material) => {}
                Ok(material) => match Current::of(&self.files, material.clone()) {
                    Ok(current) => {
                        tracing::info!(not_after = %seconds(current.not_after), "TLS certificate reloaded");
                        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
                        (refused, reminded) = (None, None);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "changed TLS files are not usable, the old certificate stays");
                        refused = Some(material);
                    }
                },
                // While files are exchanged one of them may be missing.
                Err(error) => tracing::debug!(%error, "TLS files can't be read"),
            }
        }
    }
}

impl Current {
    fn of(files: &TlsFiles, material: Material) -> Result<Self, TlsError> {
        let (config, not_after) = material.server(files)?;
        Ok(Self { config: Arc::new(config), material: Arc::new(material), not_after })
    }
}

fn remind(not_after: SystemTime, reminded: &mut Option<SystemTime>) {
    let now = SystemTime::now();
    let again = reminded.is_none_or(|then| now.duration_since(then).is_ok_and(|past| past >= REMIND));
    if !again {
        return;
    }
    match not_after.duration_since(now) {
        Ok(left) if left > SOON => return,
        Ok(left) => tracing::warn!(hours = left.as_secs() / 3600, "the TLS certificate expires soon"),
        Err(_) => tracing::warn!("the TLS certificate has expired"),
    }
    *reminded = Some(now);
}

/// Seconds since 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |past| past.as_secs())
}
