//! Certificates and keys from PEM files.
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::provider;
use crate::config::{ClientCertificates, TlsFiles};

/// A file of a certificate, a key or an authority that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("TLS {what} file {}: {reason}", path.display())]
pub struct TlsError {
    what: &'static str,
    path: PathBuf,
    reason: String,
}

impl TlsError {
    pub(super) fn certificate(files: &TlsFiles, reason: impl ToString) -> Self {
        Self::new("certificate", &files.cert, reason)
    }

    fn new(what: &'static str, path: &Path, reason: impl ToString) -> Self {
        Self { what, path: path.to_owned(), reason: reason.to_string() }
    }
}

/// The contents of the files. No Debug: the key is among them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Material {
    cert: Vec<u8>,
    key: Vec<u8>,
    ca: Option<Vec<u8>>,
}

impl Material {
    pub(super) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let read = |what, path: &Path| fs::read(path).map_err(|error| TlsError::new(what, path, error));
        Ok(Self {
            cert: read("certificate", &files.cert)?,
            key: read("key", &files.key)?,
            ca: files.ca.as_deref().map(|path| read("CA", path)).transpose()?,
        })
    }

    /// The chain, the server's own certificate first, and its key in PKCS#1, PKCS#8 or SEC1 form.
    pub(super) fn identity(
        &self,
        files: &TlsFiles,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let chain = certificates("certificate", &files.cert, &self.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| {
            let encrypted = self.key.windows(9).any(|word| word == b"ENCRYPTED");
            match error {
                pem::Error::NoItemsFound if encrypted => {
                    TlsError::new("key", &files.key, "the key is encrypted, which is not supported")
                }
                pem::Error::NoItemsFound => {
                    TlsError::new("key", &files.key, "holds no private key in PEM form")
                }
                _ => TlsError::new("key", &files.key, "is not in PEM form"),
            }
        })?;
        Ok((chain, key))
    }

    /// What the server presents and asks for, and when its certificate ends.
    pub(super) fn server(&self, files: &TlsFiles) -> Result<(ServerConfig, SystemTime), TlsError> {
        let (chain, key) = self.identity(files)?;
        let not_after = chain.first().map(|leaf| end(&files.cert, leaf)).transpose()?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::new("certificate", &files.cert, error))?;
        let builder = match (&files.ca, &self.ca) {
            (Some(path), Some(ca)) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates("CA", path, ca)? {
                    roots.add(certificate).map_err(|error| TlsError::new("CA", path, error))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
                let verifier = match files.client_certificates {
                    ClientCertificates::Required => verifier,
                    ClientCertificates::Requested => verifier.allow_unauthenticated(),
                };
                let verifier = verifier.build().map_err(|error| TlsError::new("CA", path, error))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let config = builder.with_single_cert(chain, key);
        let config = config.map_err(|error| TlsError::new("key", &files.key, error))?;
        Ok((config, not_after.unwrap_or(SystemTime::UNIX_EPOCH)))
    }
}

fn certificates(
    what: &'static str,
    path: &Path,
    text: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match all {
        Ok(all) if all.is_empty() => Err(TlsError::new(what, path, "holds no certificate in PEM form")),
        Ok(all) => Ok(all),
        Err(_) => Err(TlsError::new(what, path, "is not in PEM form")),
    }
}

/// When a certificate ends.
fn end(path: &Path, certificate: &CertificateDer<'_>) -> Result<SystemTime, TlsError> {
    let (_, certificate) = X509Certificate::from_der(certificate)
        .map_err(|_| TlsError::new("certificate", path, "is not an X.509 certificate"))?;
    let seconds = certificate.validity().not_after.timestamp();
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}
