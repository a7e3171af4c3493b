//! What listeners speak, and the files they need for it.
use std::path::PathBuf;

/// What the clients of one listener speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// No TLS.
    Off,
    /// As they like; the first byte tells.
    Accepted,
    /// TLS.
    Required,
}

/// The files of the server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and its chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities for client certificates; None asks for none.
    pub ca: Option<PathBuf>,
    /// Counts with `ca` alone.
    pub client_certificates: ClientCertificates,
}

/// Which user a client certificate stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum X509Users {
    /// None: nobody logs in with one.
    Off,
    /// The one that is called as its whole subject.
    Subject,
    /// The one that is called as its common name.
    CommonName,
}

/// What becomes of clients without a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are refused.
    Required,
    /// They are let in. A certificate that is shown has to be good.
    Requested,
}
