//! A client that speaks OP_MSG over a plain socket, and logs in with SCRAM-SHA-256 of its own.
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bson::spec::BinarySubtype;
use bson::{Binary, Document, doc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

const OP_MSG: i32 = 2013;
/// The reply is the first of several, or none is wanted.
const MORE_TO_COME: u32 = 1 << 1;
/// Several replies are welcome.
const EXHAUST_ALLOWED: u32 = 1 << 16;
/// No reply takes longer than this.
const DEADLINE: Duration = Duration::from_secs(300);

/// One connection to the proxy.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    request_id: i32,
}

/// A request to be sent: a command, and what OP_MSG can add to it.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// The command.
    pub body: Document,
    /// Document sequences by field.
    pub sequences: Vec<(String, Vec<Document>)>,
    /// OP_MSG's flag bits.
    pub flags: u32,
}

impl Client {
    /// Opens a connection.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the proxy listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a time limit");
        stream.set_nodelay(true).expect("no delay");
        Self { stream, request_id: 0 }
    }

    /// The socket, for those who speak frames themselves.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Runs a command and returns the reply, whether it says ok or not.
    pub fn run(&mut self, command: Document) -> Document {
        self.send(&Message { body: command, ..Message::default() });
        self.receive().expect("a reply").0
    }

    /// Runs a command given as bytes.
    pub fn run_raw(&mut self, command: &bson::RawDocument) -> Document {
        self.send_bytes(0, command.as_bytes(), &[]);
        self.receive().expect("a reply").0
    }

    /// Runs a command that has to succeed.
    pub fn ok(&mut self, command: Document) -> Document {
        let reply = self.run(command.clone());
        assert_eq!(reply.get_f64("ok").ok(), Some(1.0), "{command} failed: {reply}");
        reply
    }

    /// Runs a command that has to fail, and returns the code.
    pub fn code(&mut self, command: Document) -> i32 {
        let reply = self.run(command.clone());
        assert_eq!(reply.get_f64("ok").ok(), Some(0.0), "{command} did not fail: {reply}");
        reply.get_i32("code").expect("an error has a code")
    }

    /// Sends a message and does not wait.
    pub fn send(&mut self, message: &Message) {
        let body = bson::serialize_to_vec(&message.body).expect("BSON");
        self.send_bytes(message.flags, &body, &message.sequences);
    }

    fn send_bytes(&mut self, flags: u32, command: &[u8], sequences: &[(String, Vec<Document>)]) {
        self.request_id += 1;
        let mut body = flags.to_le_bytes().to_vec();
        body.push(0);
        body.extend(command);
        for (field, documents) in sequences {
            let mut section = field.clone().into_bytes();
            section.push(0);
            for document in documents {
                section.extend(bson::serialize_to_vec(document).expect("BSON"));
            }
            body.push(1);
            body.extend(length(section.len() + 4));
            body.extend(section);
        }
        let mut frame = length(body.len() + 16).to_vec();
        for number in [self.request_id, 0, OP_MSG] {
            frame.extend(number.to_le_bytes());
        }
        frame.extend(body);
        self.stream.write_all(&frame).expect("the proxy reads");
    }

    /// The next reply and whether another one follows by itself; None when the proxy closed the connection.
    pub fn receive(&mut self) -> Option<(Document, bool)> {
        let mut header = [0u8; 16];
        self.stream.read_exact(&mut header).ok()?;
        let size = i32::from_le_bytes(header[..4].try_into().expect("four bytes"));
        let mut body = vec![0; usize::try_from(size - 16).expect("a length")];
        self.stream.read_exact(&mut body).ok()?;
        let flags = u32::from_le_bytes(body[..4].try_into().expect("four bytes"));
        let document = bson::deserialize_from_slice(&body[5..]).expect("BSON");
        Some((document, flags & MORE_TO_COME != 0))
    }

    /// Sends a message that wants no reply.
    pub fn tell(&mut self, command: Document) {
        self.send(&Message { body: command, flags: MORE_TO_COME, ..Message::default() });
    }

    /// Sends a message that welcomes several replies.
    pub fn stream(&mut self, command: Document) {
        self.send(&Message { body: command, flags: EXHAUST_ALLOWED, ..Message::default() });
    }

    /// Logs in.
    #[must_use]
    pub fn logged_in(mut self, user: &str, password: &str) -> Self {
        let reply = self.log_in(user, password);
        assert_eq!(reply.get_bool("done").ok(), Some(true), "login failed: {reply}");
        self
    }

    /// Logs in; the last reply, or the first that is an error.
    pub fn log_in(&mut self, user: &str, password: &str) -> Document {
        let mut scram = Scram::new(user, "r0pr-NGfwEbeRWgbNEkqO");
        let reply = self.run(doc! {
            "saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": binary(scram.first().as_bytes()),
            "options": { "skipEmptyExchange": true }, "$db": "admin",
        });
        let Ok(server_first) = reply.get_binary_generic("payload") else { return reply };
        let last = scram.last(&String::from_utf8_lossy(server_first), password);
        let reply = self.run(doc! {
            "saslContinue": 1, "conversationId": 1, "payload": binary(last.as_bytes()), "$db": "admin",
        });
        if let Ok(payload) = reply.get_binary_generic("payload") {
            assert_eq!(String::from_utf8_lossy(payload), scram.server_final(), "the server proves itself");
        }
        reply
    }
}

fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes).expect("small").to_le_bytes()
}

/// A binary value of the generic subtype.
pub fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

/// The client's side of SCRAM-SHA-256.
#[derive(Debug)]
pub struct Scram {
    bare: String,
    server_signature: String,
}

impl Scram {
    /// Begins with a nonce.
    pub fn new(user: &str, nonce: &str) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self { bare: format!("n={user},r={nonce}"), server_signature: String::new() }
    }

    /// The first message.
    pub fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// The last message, from what the server said.
    pub fn last(&mut self, server_first: &str, password: &str) -> String {
        let field = |key: &str| {
            let found = server_first.split(',').find_map(|field| field.strip_prefix(key));
            found.expect("a field of the server's message").to_owned()
        };
        let (nonce, salt, iterations) = (field("r="), field("s="), field("i="));
        let salt = BASE64_STANDARD.decode(salt).expect("base64");
        let salted = pbkdf2(password.as_bytes(), &salt, iterations.parse().expect("a number"));
        let client_key = hmac(&salted, b"Client Key");
        let stored_key: [u8; 32] = Sha256::digest(client_key).into();
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{server_first},{without_proof}", self.bare);
        let signature = hmac(&stored_key, signed.as_bytes());
        let mut proof = client_key;
        for (byte, mask) in proof.iter_mut().zip(signature) {
            *byte ^= mask;
        }
        let server_key = hmac(&salted, b"Server Key");
        self.server_signature = BASE64_STANDARD.encode(hmac(&server_key, signed.as_bytes()));
        format!("{without_proof},p={}", BASE64_STANDARD.encode(proof))
    }

    /// What the server has to answer at the end.
    pub fn server_final(&self) -> String {
        format!("v={}", self.server_signature)
    }
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.chain_update(text).finalize().into_bytes().into()
}

fn pbkdf2(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut block = hmac(password, &[salt, &[0, 0, 0, 1]].concat());
    let mut out = block;
    for _ in 1..iterations {
        block = hmac(password, &block);
        for (byte, more) in out.iter_mut().zip(block) {
            *byte ^= more;
        }
    }
    out
}
