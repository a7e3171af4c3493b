//! The client's side of SCRAM-SHA-256 (RFC 5802), enough to log in.

use crate::error::Error;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Salted passwords by salt and iterations.
type Salted = HashMap<(Vec<u8>, u32), [u8; 32]>;

/// A user, and what its password becomes under the salts seen so far: as drivers do, so that the client's own work does
/// not limit how fast connections open.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    user: String,
    password: String,
    salted: Arc<Mutex<Salted>>,
}

impl Login {
    /// A user and its password.
    pub(crate) fn new(user: String, password: String) -> Self {
        Self { user, password, salted: Arc::default() }
    }

    fn salted(&self, salt: Vec<u8>, rounds: u32) -> [u8; 32] {
        let mut known = self.salted.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry((salt, rounds)).or_insert_with_key(|(salt, rounds)| {
            let mut salted = [0u8; 32];
            pbkdf2::pbkdf2_hmac::<Sha256>(self.password.as_bytes(), salt, *rounds, &mut salted);
            salted
        })
    }
}

/// An exchange under way.
pub(crate) struct Exchange<'a> {
    login: &'a Login,
    user: String,
    nonce: String,
}

fn hmac(key: &[u8], message: &[u8]) -> Result<Vec<u8>, Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|e| Error::answer(e.to_string()))?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().to_vec())
}

impl<'a> Exchange<'a> {
    /// Starts an exchange; the second value is the first message.
    pub(crate) fn start(login: &'a Login) -> (Self, String) {
        let nonce = BASE64.encode(rand::random::<[u8; 24]>());
        let user = login.user.replace('=', "=3D").replace(',', "=2C");
        let first = format!("n,,n={user},r={nonce}");
        (Self { login, user, nonce }, first)
    }

    /// The answer to the server's challenge.
    pub(crate) fn answer(&self, challenge: &str) -> Result<String, Error> {
        let field = |key: &str| challenge.split(',').find_map(|part| part.strip_prefix(key));
        let bad = || Error::answer("the server's SCRAM challenge is not one");
        let (nonce, salt) = (field("r=").ok_or_else(bad)?, field("s=").ok_or_else(bad)?);
        let rounds: u32 = field("i=").and_then(|i| i.parse().ok()).ok_or_else(bad)?;
        let salt = BASE64.decode(salt).map_err(|_| bad())?;
        let salted = self.login.salted(salt, rounds);
        let client_key = hmac(&salted, b"Client Key")?;
        let without_proof = format!("c=biws,r={nonce}");
        let message = format!("n={},r={},{challenge},{without_proof}", self.user, self.nonce);
        let signature = hmac(&Sha256::digest(&client_key), message.as_bytes())?;
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(k, s)| k ^ s).collect();
        Ok(format!("{without_proof},p={}", BASE64.encode(proof)))
    }
}
