//! Logging in with SCRAM-SHA-256. PostgreSQL keeps the verifier and checks the proof; the proxy only passes the
//! messages on and never learns a password, unless a client chooses to send it (PLAIN, over TLS).
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bson::RawDocument;
use hmac::{Hmac, KeyInit, Mac};
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use rand::RngExt as _;
use sha2::{Digest, Sha256};

use super::scram::{ClientFinal, ClientFirst, server_first};
use crate::config::Config;
use crate::error::{CommandError, Result, codes};
use crate::pool::Lease;
use crate::reply::ok::is_true;
use crate::sql::{Budget, calls, run};

/// The mechanism that everybody may use.
pub const MECHANISM: &str = "SCRAM-SHA-256";
/// The password itself; on TLS connections only.
pub const PLAIN: &str = "PLAIN";

/// The client's certificate; on TLS connections only, and where a setting says so.
pub const X509: &str = "MONGODB-X509";
/// The database of users who log in without a password of ours.
pub const EXTERNAL: &str = "$external";

/// Bytes of randomness in our part of the nonce.
const NONCE_BYTES: usize = 24;
/// What a stored verifier of the extension has; a made-up one must look the same.
const FAKE_SALT_BYTES: usize = 28;
const FAKE_ITERATIONS: i32 = 4096;

/// A login that has begun.
#[derive(Debug)]
pub struct Login {
    /// The database of the first message.
    pub db: Box<str>,
    /// The client does without the empty exchange at the end.
    pub skip_empty_exchange: bool,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// We sent salt and nonce; the proof comes next.
    Proof { first: ClientFirst, nonce: String, server_first: String, known: bool },
    /// The proof was right; the client still has to send an empty message.
    Empty { user: String },
}

/// What a step of the exchange leads to.
#[derive(Debug)]
pub struct Progress {
    /// For the client.
    pub payload: Vec<u8>,
    /// Set at the end: who logged in.
    pub user: Option<String>,
}

/// Gives unknown users a salt that is the same at every attempt, so that they look like known ones.
#[derive(Debug)]
pub struct FakeSalts {
    key: [u8; 32],
}

impl FakeSalts {
    /// The key comes from the storage's password, which all proxies of a deployment share and clients don't know;
    /// without one it is random.
    pub fn new(config: &Config) -> Self {
        let secret =
            config.primary.iter().chain(&config.standbys).find_map(|target| target.postgres.get_password());
        let key = match secret {
            Some(secret) => Sha256::new()
                .chain_update(b"ermine salts of unknown users")
                .chain_update(secret)
                .finalize()
                .into(),
            None => {
                let mut key = [0; 32];
                rand::rng().fill(&mut key[..]);
                key
            }
        };
        Self { key }
    }

    fn salt(&self, user: &str) -> Result<String> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.key)
            .map_err(|error| CommandError::unexpected("a key of the wrong length").because(error))?;
        let bytes = mac.chain_update(user.as_bytes()).finalize().into_bytes();
        Ok(BASE64_STANDARD.encode(bytes.get(..FAKE_SALT_BYTES).unwrap_or(&bytes)))
    }
}

/// The one answer to every wrong login: it does not tell what was wrong.
pub fn failed() -> CommandError {
    CommandError::client(codes::AUTHENTICATION_FAILED, "Authentication failed.")
}

impl Login {
    /// Takes the client's first message and answers with salt and nonce.
    ///
    /// # Errors
    /// 18 for a malformed message, or what PostgreSQL failed with. An unknown user is no error here.
    pub async fn start(
        db: &str,
        skip_empty_exchange: bool,
        message: &[u8],
        lease: &mut Lease,
        fakes: &FakeSalts,
    ) -> Result<(Self, Progress)> {
        let first = ClientFirst::parse(message).map_err(|why| failed().because(why))?;
        Self::challenge(db, skip_empty_exchange, first, lease, fakes).await
    }

    async fn challenge(
        db: &str,
        skip_empty_exchange: bool,
        first: ClientFirst,
        lease: &mut Lease,
        fakes: &FakeSalts,
    ) -> Result<(Self, Progress)> {
        let row = run::row(lease, Budget::default(), &calls::SCRAM_SALT, &[&first.user.as_str()]).await?;
        let answer = run::document(&row, 0)?;
        let (salt, iterations, known) = match stored(&answer)? {
            Some((salt, iterations)) => (salt, iterations, true),
            None => (fakes.salt(&first.user)?, FAKE_ITERATIONS, false),
        };
        let mut random = [0u8; NONCE_BYTES];
        rand::rng().fill(&mut random[..]);
        let nonce = format!("{}{}", first.nonce, BASE64_STANDARD.encode(random));
        let server_first = server_first(&nonce, &salt, iterations);
        let payload = server_first.clone().into_bytes();
        let step = Step::Proof { first, nonce, server_first, known };
        Ok((Self { db: db.into(), skip_empty_exchange, step }, Progress { payload, user: None }))
    }

    /// Takes a later message. Some login is returned while more messages are expected.
    ///
    /// # Errors
    /// 18 for anything that does not prove the password.
    pub async fn next(self, message: &[u8], lease: Option<&mut Lease>) -> Result<(Option<Self>, Progress)> {
        match (self.step, lease) {
            (Step::Proof { first, nonce, server_first, known }, Some(lease)) => {
                let last = ClientFinal::parse(message).map_err(|why| failed().because(why))?;
                if last.header != first.header.as_bytes() || last.nonce != nonce {
                    return Err(failed().because("the final message does not belong to this exchange"));
                }
                let signed = format!("{},{server_first},{}", first.bare, last.without_proof);
                // Asked for unknown users too, so that they take as long.
                let user = first.user.as_str();
                let row =
                    run::row(lease, Budget::default(), &calls::SCRAM_PROOF, &[&user, &signed, &last.proof])
                        .await?;
                let signature = match verified(&run::document(&row, 0)?)? {
                    Some(signature) if known => signature,
                    _ => {
                        tell_md5(lease, user).await;
                        return Err(failed());
                    }
                };
                let payload = format!("v={signature}").into_bytes();
                if self.skip_empty_exchange {
                    return Ok((None, Progress { payload, user: Some(first.user) }));
                }
                let step = Step::Empty { user: first.user };
                Ok((Some(Self { step, ..self }), Progress { payload, user: None }))
            }
            (Step::Empty { user }, _) if message.is_empty() => {
                Ok((None, Progress { payload: Vec::new(), user: Some(user) }))
            }
            _ => Err(failed()),
        }
    }

    /// Checks a password that came as it is (RFC 4616), by proving it to PostgreSQL as a client with SCRAM would.
    /// Returns the user.
    ///
    /// # Errors
    /// 18 for a malformed message or a wrong password, or what PostgreSQL failed with.
    pub async fn plain(message: &[u8], lease: &mut Lease, fakes: &FakeSalts) -> Result<String> {
        let text = std::str::from_utf8(message).map_err(|why| failed().because(why))?;
        let parts: Vec<&str> = text.split('\0').collect();
        let (user, password) = match parts[..] {
            [authorize, user, password] if authorize.is_empty() || authorize == user => (user, password),
            _ => return Err(failed().because("the message has not the three parts of PLAIN")),
        };
        let mut client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        let hello = String::from_utf8_lossy(client.message()).into_owned();
        let bare = hello.strip_prefix("n,,").unwrap_or(&hello).to_owned();
        let nonce = bare.split_once(",r=").map_or("", |(_, nonce)| nonce).to_owned();
        let first = ClientFirst { user: user.to_owned(), nonce, header: "n,,".to_owned(), bare };
        let (login, progress) = Self::challenge("", true, first, lease, fakes).await?;
        // Thousands of hashes: not among the tasks that serve other clients.
        let proof = tokio::task::spawn_blocking(move || {
            client.update(&progress.payload).map(|()| client.message().to_vec())
        });
        let proof = proof.await.map_err(|error| CommandError::unexpected("a hash").because(error))?;
        let proof = proof.map_err(|why| failed().because(why))?;
        let (_, done) = login.next(&proof, Some(lease)).await?;
        done.user.ok_or_else(failed)
    }

    /// True if the next step asks PostgreSQL.
    pub fn needs_postgres(&self) -> bool {
        matches!(self.step, Step::Proof { .. })
    }
}

/// Tells the log, and nobody else, where a password can't be right because of how PostgreSQL keeps it. Asked for unknown
/// users too, so that they take as long.
async fn tell_md5(lease: &mut Lease, user: &str) {
    if let Ok(row) = run::row(lease, Budget::default(), &calls::MD5_PASSWORD, &[&user]).await
        && run::flag(&row, 0).unwrap_or(false)
    {
        tracing::warn!(
            user,
            "the password of this role is kept as md5, which SCRAM can't check: set it again with \
             password_encryption = 'scram-sha-256'"
        );
    }
}

/// Salt and iterations; None for an unknown user.
fn stored(answer: &[u8]) -> Result<Option<(String, i32)>> {
    let answer = RawDocument::from_bytes(answer)?;
    if !answer.get("ok")?.is_some_and(is_true) {
        return Ok(None);
    }
    match (answer.get_str("salt"), answer.get_i32("iterations")) {
        (Ok(salt), Ok(iterations)) if iterations > 0 && !salt.is_empty() => {
            Ok(Some((salt.to_owned(), iterations)))
        }
        _ => Err(CommandError::unexpected("a verifier without salt or iterations")),
    }
}

/// The server's signature; None if the proof is wrong.
fn verified(answer: &[u8]) -> Result<Option<String>> {
    let answer = RawDocument::from_bytes(answer)?;
    if !answer.get("ok")?.is_some_and(is_true) {
        return Ok(None);
    }
    let signature = answer.get_str("ServerSignature");
    signature
        .map(|text| Some(text.to_owned()))
        .map_err(|error| CommandError::unexpected("a verified proof without a signature").because(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::rawdoc;

    #[test]
    fn unknown_users_keep_their_salt() {
        let fakes = FakeSalts { key: [7; 32] };
        let salt = fakes.salt("nobody").unwrap();
        assert_eq!(salt, fakes.salt("nobody").unwrap());
        assert_ne!(salt, fakes.salt("somebody").unwrap());
        assert_ne!(salt, FakeSalts { key: [8; 32] }.salt("nobody").unwrap());
        assert_eq!(BASE64_STANDARD.decode(&salt).unwrap().len(), FAKE_SALT_BYTES);
    }

    #[test]
    fn answers_of_the_two_functions() {
        let known = rawdoc! { "ok": 1, "iterations": 4096, "salt": "c2FsdA==" };
        assert_eq!(stored(known.as_bytes()).unwrap(), Some(("c2FsdA==".to_owned(), 4096)));
        assert_eq!(stored(rawdoc! { "ok": 0 }.as_bytes()).unwrap(), None);
        assert!(stored(rawdoc! { "ok": 1 }.as_bytes()).is_err());
        assert_eq!(
            verified(rawdoc! { "ok": 1, "ServerSignature": "x" }.as_bytes()).unwrap(),
            Some("x".to_owned())
        );
        assert_eq!(verified(rawdoc! { "ok": 0 }.as_bytes()).unwrap(), None);
    }
}
