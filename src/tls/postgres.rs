//! TLS towards PostgreSQL, with the modes of libpq (PostgreSQL manual, "SSL Support"). The files are read for every new
//! connection, so that exchanged ones count from then on.
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres::Socket;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::provider;
use crate::config::{PgTls, PgTlsMode};

/// Makes the TLS side of connections to one node.
#[derive(Debug, Clone)]
pub struct PgConnector(Arc<PgTls>);

impl PgConnector {
    /// With the mode and files of a URL.
    pub fn new(tls: PgTls) -> Self {
        Self(Arc::new(tls))
    }
}

impl MakeTlsConnect<Socket> for PgConnector {
    type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
    type TlsConnect = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Self::TlsConnect, Self::Error> {
        let config = client(&self.0)?;
        MakeTlsConnect::<Socket>::make_tls_connect(&mut MakeRustlsConnect::new(config), domain)
            .map_err(Into::into)
    }
}

fn client(tls: &PgTls) -> io::Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier(tls)?);
    match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(cert)?).collect();
            let chain = chain.map_err(|_| named(cert, "is not in PEM form"))?;
            let secret = PrivateKeyDer::from_pem_slice(&read(key)?)
                .map_err(|_| named(key, "holds no private key in PEM form that is not encrypted"))?;
            builder.with_client_auth_cert(chain, secret).map_err(|error| named(key, error))
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn verifier(tls: &PgTls) -> io::Result<Arc<dyn ServerCertVerifier>> {
    // A root certificate makes `require` check the chain, too: libpq does so for old times' sake.
    let checks_chain =
        tls.mode >= PgTlsMode::VerifyCa || (tls.mode == PgTlsMode::Require && tls.root.is_some());
    if !checks_chain {
        return Ok(Arc::new(Trusting { chain: None, provider: provider() }));
    }
    let mut roots = RootCertStore::empty();
    match &tls.root {
        Some(path) if path.as_os_str() != "system" => {
            for certificate in CertificateDer::pem_slice_iter(&read(path)?) {
                let certificate = certificate.map_err(|_| named(path, "is not in PEM form"))?;
                roots.add(certificate).map_err(|error| named(path, error))?;
            }
        }
        _ => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
    }
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    let chain = chain.map_err(|error| match &tls.root {
        Some(path) => named(path, error),
        None => io::Error::other(format!("the system's root certificates: {error}")),
    })?;
    if tls.mode == PgTlsMode::VerifyFull {
        return Ok(chain);
    }
    Ok(Arc::new(Trusting { chain: Some(chain), provider: provider() }))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path).map_err(|error| named(path, error))
}

fn named(path: &Path, reason: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {reason}", path.display()))
}

/// Accepts every name; with `chain`, only certificates of known authorities.
#[derive(Debug)]
struct Trusting {
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(certificate, between, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
