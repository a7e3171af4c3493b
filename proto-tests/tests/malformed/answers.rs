//! What comes back, and whether it may.
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bson::{RawDocument, RawDocumentBuf};
use proto_tests::raw::{OP_COMPRESSED, OP_MSG, OP_REPLY};

/// No answer takes longer than this, and no connection stays open longer without one.
const DEADLINE: Duration = Duration::from_secs(30);
/// A message that hides that it wants no reply is found out after this.
const SILENCE: Duration = Duration::from_secs(1);

/// What became of a message.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub messages: usize,
    pub answers: usize,
    pub errors: usize,
    pub silent: usize,
}

/// True if the message is whole by its own length and, as far as can be seen from outside, wants a reply.
fn wants_reply(message: &[u8]) -> bool {
    let field =
        |at: usize| message.get(at..at + 4).map(|bytes| i32::from_le_bytes(bytes.try_into().unwrap()));
    let whole = field(0).is_some_and(|length| usize::try_from(length) == Ok(message.len()));
    whole && (field(12) != Some(OP_MSG) || field(16).is_some_and(|flags| flags & 2 == 0))
}

/// Sends a message on a connection of its own and reads what comes until the server closes.
pub(crate) fn exchange(address: SocketAddr, message: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    let closed = |error: &std::io::Error| {
        matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected)
    };
    let sent = stream.write_all(message);
    assert!(sent.as_ref().is_ok() || sent.as_ref().is_err_and(closed), "{sent:?}");
    let mut bytes = Vec::new();
    if wants_reply(message) {
        // A client that says it has nothing more to send is taken for gone, and its request is cancelled.
        let mut first = [0; 4096];
        match stream.read(&mut first) {
            Ok(length) => bytes.extend_from_slice(&first[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => assert!(closed(&error), "{error:?}"),
        }
    }
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let _ = stream.shutdown(Shutdown::Write);
    let read = stream.read_to_end(&mut bytes);
    assert!(read.is_ok() || read.as_ref().is_err_and(closed), "neither answered nor closed: {read:?}");
    bytes
}

/// The body of a reply, decompressed.
fn body(opcode: i32, payload: &[u8]) -> RawDocumentBuf {
    match opcode {
        OP_MSG => RawDocumentBuf::from_bytes(payload[5..].to_vec())
            // A checksum was asked for.
            .or_else(|_| RawDocumentBuf::from_bytes(payload[5..payload.len() - 4].to_vec()))
            .expect("a reply is BSON"),
        OP_REPLY => RawDocumentBuf::from_bytes(payload[20..].to_vec()).expect("a reply is BSON"),
        OP_COMPRESSED => {
            let inner = i32::from_le_bytes(payload[..4].try_into().unwrap());
            let size = usize::try_from(i32::from_le_bytes(payload[4..8].try_into().unwrap())).unwrap();
            let packed = &payload[9..];
            let plain = match payload[8] {
                0 => packed.to_vec(),
                1 => snap::raw::Decoder::new().decompress_vec(packed).unwrap(),
                2 => {
                    let mut plain = Vec::new();
                    flate2::read::ZlibDecoder::new(packed).read_to_end(&mut plain).unwrap();
                    plain
                }
                _ => zstd::bulk::decompress(packed, size).unwrap(),
            };
            assert_eq!(plain.len(), size);
            body(inner, &plain)
        }
        other => panic!("a reply with opcode {other}"),
    }
}

/// Every reply is whole, is BSON, says ok or why not, and tells nothing of what is behind the proxy.
pub(crate) fn check(message: &[u8], mut bytes: &[u8], tally: &mut Tally) {
    tally.messages += 1;
    tally.silent += usize::from(bytes.is_empty());
    while !bytes.is_empty() {
        let length = usize::try_from(i32::from_le_bytes(bytes[..4].try_into().unwrap())).unwrap();
        let opcode = i32::from_le_bytes(bytes[12..16].try_into().unwrap());
        let reply = body(opcode, &bytes[16..length]);
        tally.answers += 1;
        tally.errors += usize::from(is_error(message, &reply));
        bytes = &bytes[length..];
    }
}

fn is_error(message: &[u8], reply: &RawDocument) -> bool {
    if reply.get_f64("ok").is_ok_and(|ok| ok == 1.0) {
        return false;
    }
    let code = reply.get_i32("code").expect("an error has a code");
    let text = reply.get_str("errmsg").or_else(|_| reply.get_str("$err")).expect("an error has a message");
    assert_ne!(code, 1, "an internal error: {text}; message {message:02x?}");
    for word in ["postgres", "documentdb", "sqlstate", "panicked"] {
        assert!(!text.to_lowercase().contains(word), "{text}; message {message:02x?}");
    }
    true
}
