//! A client of bytes: what it sends is built here, by hand, so that a mistake in the proxy's own encoder is seen.
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bson::RawDocumentBuf;

/// OP_MSG.
pub const OP_MSG: i32 = 2013;
/// OP_QUERY.
pub const OP_QUERY: i32 = 2004;
/// OP_REPLY.
pub const OP_REPLY: i32 = 1;
/// OP_COMPRESSED.
pub const OP_COMPRESSED: i32 = 2012;

/// How long a reply may take before the test fails.
const DEADLINE: Duration = Duration::from_secs(120);

/// A message with a right length: header, then the parts.
pub fn message(request_id: i32, opcode: i32, parts: &[&[u8]]) -> Vec<u8> {
    let payload = parts.concat();
    let length = i32::try_from(16 + payload.len()).unwrap();
    let header = [length, request_id, 0, opcode].map(i32::to_le_bytes).concat();
    [header, payload].concat()
}

/// An OP_MSG with a body alone.
pub fn op_msg(request_id: i32, flags: u32, body: &RawDocumentBuf) -> Vec<u8> {
    message(request_id, OP_MSG, &[&flags.to_le_bytes(), &[0], body.as_bytes()])
}

/// An OP_QUERY on `admin.$cmd`.
pub fn op_query(request_id: i32, collection: &str, body: &RawDocumentBuf) -> Vec<u8> {
    let counts = [0i32.to_le_bytes(), (-1i32).to_le_bytes()].concat();
    let parts = [&4i32.to_le_bytes()[..], collection.as_bytes(), &[0], &counts, body.as_bytes()];
    message(request_id, OP_QUERY, &parts)
}

/// A message from the server, in its parts.
#[derive(Debug, Clone)]
pub struct Received {
    /// All bytes.
    pub bytes: Vec<u8>,
    /// The server's number for it.
    pub request_id: i32,
    /// The number it answers.
    pub response_to: i32,
    /// What it is.
    pub opcode: i32,
}

impl Received {
    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap())
    }

    /// The flags of OP_MSG or OP_REPLY.
    pub fn flags(&self) -> u32 {
        self.word(16)
    }

    /// The document in it.
    pub fn document(&self) -> RawDocumentBuf {
        let at = match self.opcode {
            OP_MSG => {
                assert_eq!(self.bytes[20], 0, "the first section is the body");
                21
            }
            OP_REPLY => {
                assert_eq!((self.word(20), self.word(24), self.word(28), self.word(32)), (0, 0, 0, 1));
                36
            }
            other => panic!("a reply with opcode {other}"),
        };
        let length = usize::try_from(self.word(at)).unwrap();
        let checksum = if self.opcode == OP_MSG && self.flags() & 1 != 0 { 4 } else { 0 };
        assert_eq!(at + length + checksum, self.bytes.len(), "the document fills the message");
        RawDocumentBuf::from_bytes(self.bytes[at..at + length].to_vec()).unwrap()
    }

    /// The field `ok`.
    pub fn ok(&self) -> f64 {
        self.document().get_f64("ok").unwrap()
    }

    /// Code and codeName of an error.
    pub fn error(&self) -> (i32, String) {
        let document = self.document();
        assert_eq!(document.get_f64("ok").unwrap(), 0.0, "{document:?}");
        (document.get_i32("code").unwrap(), document.get_str("codeName").unwrap().to_owned())
    }
}

/// A connection.
#[derive(Debug)]
pub struct Raw(TcpStream);

impl Raw {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Sends bytes in one write.
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Says that nothing more will be sent.
    pub fn half_close(&mut self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }

    /// Receives one message.
    pub fn receive(&mut self) -> Received {
        let mut bytes = vec![0; 16];
        self.0.read_exact(&mut bytes).expect("a reply");
        let field = |n: usize| i32::from_le_bytes(bytes[n * 4..n * 4 + 4].try_into().unwrap());
        let (length, request_id, response_to, opcode) = (field(0), field(1), field(2), field(3));
        bytes.resize(usize::try_from(length).unwrap(), 0);
        self.0.read_exact(&mut bytes[16..]).expect("the whole reply");
        Received { bytes, request_id, response_to, opcode }
    }

    /// Sends a message and receives the reply to it.
    pub fn ask(&mut self, message: &[u8]) -> Received {
        self.send(message);
        let received = self.receive();
        assert_eq!(received.response_to.to_le_bytes(), message[4..8], "the reply answers the request");
        received
    }

    /// Runs a command.
    pub fn command(&mut self, body: &RawDocumentBuf) -> Received {
        self.ask(&op_msg(1, 0, body))
    }

    /// All that comes until the server closes.
    pub fn until_closed(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Ok(_) => {}
            // Bytes that the server did not read make its close a reset.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("not closed: {error}"),
        }
        bytes
    }
}
