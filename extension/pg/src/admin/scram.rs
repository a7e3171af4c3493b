//! SCRAM-SHA-256 (RFC 5802, RFC 7677) against the verifier that PostgreSQL stores for a role.
//!
//! A proxy authenticates its clients with the two functions below and never sees a password: it asks for salt
//! and iterations, passes the exchange on, and hands the client's proof back for checking (sql-api.md 1.7).

use crate::error::{Result, internal};
use crate::sys::varlena;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use engine::{DocWriter, Value};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// PostgreSQL's default iteration count, and the official extension's.
const ITERATIONS: u32 = 4096;
/// Length of a new salt in bytes: MongoDB's SCRAM-SHA-256 salts are as long (sql-api.md 1.6).
const SALT_LEN: usize = 28;

/// What is stored of a password: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
struct Verifier {
    iterations: u32,
    salt: String,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so the error case does not exist.
    Hmac::<Sha256>::new_from_slice(key).map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        },
    )
}

impl Verifier {
    fn parse(stored: &str) -> Option<Self> {
        let rest = stored.strip_prefix("SCRAM-SHA-256$")?;
        let (head, keys) = rest.split_once('$')?;
        let (iterations, salt) = head.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        Some(Self {
            iterations: iterations.parse().ok()?,
            salt: salt.to_owned(),
            stored_key: BASE64.decode(stored_key).ok()?,
            server_key: BASE64.decode(server_key).ok()?,
        })
    }

    /// The server's signature when the client's proof is right.
    fn check(&self, auth_message: &str, proof: &str) -> Option<String> {
        let proof = BASE64.decode(proof).ok()?;
        let signature = hmac(&self.stored_key, auth_message.as_bytes());
        if proof.len() != signature.len() {
            return None;
        }
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(p, s)| p ^ s).collect();
        let derived = Sha256::digest(&client_key);
        // The mismatch is gathered over all bytes, so the time does not tell how many agree.
        let differs = derived.iter().zip(&self.stored_key).fold(0, |acc, (a, b)| acc | (a ^ b));
        (differs == 0 && derived.len() == self.stored_key.len())
            .then(|| BASE64.encode(hmac(&self.server_key, auth_message.as_bytes())))
    }
}

/// The verifier to store for a password, with a fresh salt.
pub fn verifier(password: &str) -> Result<String> {
    let mut salt = [0u8; SALT_LEN];
    getrandom::fill(&mut salt).map_err(|e| internal(format!("no randomness for a salt: {e}")))?;
    // Passwords that SASLprep refuses are used as they are: PostgreSQL does the same.
    let prepared = stringprep::saslprep(password).unwrap_or(std::borrow::Cow::Borrowed(password));
    let mut salted = [0u8; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(prepared.as_bytes(), &salt, ITERATIONS, &mut salted);
    let stored_key = Sha256::digest(hmac(&salted, b"Client Key"));
    let server_key = hmac(&salted, b"Server Key");
    Ok(format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        BASE64.encode(salt),
        BASE64.encode(stored_key),
        BASE64.encode(server_key)
    ))
}

pgfn! {
    /// `scram_challenge(verifier text)`: salt and iterations; `ok: 0` for no verifier or one of another kind.
    fn scram_challenge(call) {
        let mut reply = DocWriter::new();
        match call.opt_text(0)?.and_then(Verifier::parse) {
            Some(v) => reply
                .put("ok", &Value::Int32(1))
                .put("iterations", &Value::Int32(v.iterations.cast_signed()))
                .put_str("salt", &v.salt),
            None => reply.put("ok", &Value::Int32(0)).put("iterations", &Value::Int32(0)).put_str("salt", ""),
        };
        Ok(varlena(&reply.finish()))
    }
}

pgfn! {
    /// `scram_verify(verifier text, auth_message text, client_proof text)`: the server's signature for a right proof.
    fn scram_verify(call) {
        let (message, proof) = (call.opt_text(1)?.unwrap_or(""), call.opt_text(2)?.unwrap_or(""));
        let signature = call.opt_text(0)?.and_then(Verifier::parse).and_then(|v| v.check(message, proof));
        let mut reply = DocWriter::new();
        reply
            .put("ok", &Value::Int32(i32::from(signature.is_some())))
            .put_str("ServerSignature", signature.as_deref().unwrap_or(""));
        Ok(varlena(&reply.finish()))
    }
}
