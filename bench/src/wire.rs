//! Frames: commands out, documents in, plain or compressed.

use crate::error::Error;
use bson::RawDocument;
use bytes::{Bytes, BytesMut};
use std::io::Read;

/// Bytes of a message header.
pub(crate) const HEADER: usize = 16;
const OP_COMPRESSED: i32 = 2012;
const OP_MSG: i32 = 2013;
/// Flags and the section kind byte stand in front of the body.
const BODY_AT: usize = 5;

/// A way to compress messages, by its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compressor {
    /// `snappy`
    Snappy = 1,
    /// `zlib`
    Zlib = 2,
    /// `zstd`
    Zstd = 3,
}

impl Compressor {
    /// By the name that hello uses.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "snappy" => Some(Self::Snappy),
            "zlib" => Some(Self::Zlib),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The name that hello uses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Snappy => "snappy",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
        }
    }

    fn compress(self, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let bad = |e: &dyn std::fmt::Display| Error::answer(format!("compressing: {e}"));
        match self {
            Self::Snappy => snap::raw::Encoder::new().compress_vec(plain).map_err(|e| bad(&e)),
            Self::Zlib => {
                let mut out = Vec::new();
                let mut encoder = flate2::read::ZlibEncoder::new(plain, flate2::Compression::default());
                encoder.read_to_end(&mut out).map_err(|e| bad(&e))?;
                Ok(out)
            }
            Self::Zstd => zstd::bulk::compress(plain, 3).map_err(|e| bad(&e)),
        }
    }

    fn decompress(number: u8, bytes: &[u8], size: usize) -> Result<Vec<u8>, Error> {
        let bad = |e: &dyn std::fmt::Display| Error::answer(format!("decompressing: {e}"));
        match number {
            1 => snap::raw::Decoder::new().decompress_vec(bytes).map_err(|e| bad(&e)),
            2 => {
                let mut out = Vec::with_capacity(size);
                flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut out).map_err(|e| bad(&e))?;
                Ok(out)
            }
            3 => zstd::bulk::decompress(bytes, size).map_err(|e| bad(&e)),
            other => Err(Error::answer(format!("compressor {other} was not offered"))),
        }
    }
}

/// Appends an OP_MSG with the command `body`, to which `$db` is added, and a document sequence.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    request_id: i32,
    database: &str,
    body: &RawDocument,
    sequence: Option<(&str, &[u8])>,
    compressor: Option<Compressor>,
) -> Result<(), Error> {
    let begin = out.len();
    for field in [0, request_id, 0, OP_MSG, 0] {
        out.extend_from_slice(&i32::to_le_bytes(field));
    }
    out.push(0);
    // The body with `$db` appended, written in place.
    let start = out.len();
    let bytes = body.as_bytes();
    out.extend_from_slice(bytes.get(..bytes.len() - 1).unwrap_or_default());
    out.extend_from_slice(b"\x02$db\0");
    out.extend_from_slice(&length(database.len() + 1)?);
    out.extend_from_slice(database.as_bytes());
    out.extend_from_slice(&[0, 0]);
    let size = length(out.len() - start)?;
    patch(out, start, size);
    if let Some((name, documents)) = sequence {
        out.push(1);
        out.extend_from_slice(&length(documents.len() + name.len() + 5)?);
        out.extend_from_slice(name.as_bytes());
        out.push(0);
        out.extend_from_slice(documents);
    }
    if let Some(compressor) = compressor {
        let plain = out.get(begin + HEADER..).unwrap_or_default();
        let (size, packed) = (length(plain.len())?, compressor.compress(plain)?);
        out.truncate(begin + HEADER);
        patch(out, begin + 12, OP_COMPRESSED.to_le_bytes());
        out.extend_from_slice(&OP_MSG.to_le_bytes());
        out.extend_from_slice(&size);
        out.push(compressor as u8);
        out.extend_from_slice(&packed);
    }
    let total = length(out.len() - begin)?;
    patch(out, begin, total);
    Ok(())
}

/// How long the message at the front of a buffer is, once its length is there.
pub(crate) fn wanted(buffer: &[u8]) -> usize {
    buffer.first_chunk::<4>().map_or(HEADER, |size| number(*size).max(HEADER))
}

/// The document of a whole message.
pub(crate) fn document(message: BytesMut) -> Result<Bytes, Error> {
    let short = || Error::answer("a message is cut short");
    let opcode = message.get(12..).and_then(|m| m.first_chunk::<4>()).map(|op| i32::from_le_bytes(*op));
    let mut payload = message.freeze();
    let mut payload = payload.split_off(HEADER.min(payload.len()));
    if opcode == Some(OP_COMPRESSED) {
        let head = payload.first_chunk::<9>().ok_or_else(short)?;
        let size = i32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let size = usize::try_from(size).map_err(|_| short())?;
        payload = Compressor::decompress(head[8], payload.get(9..).unwrap_or_default(), size)?.into();
    }
    if payload.len() < BODY_AT {
        return Err(short());
    }
    let mut body = payload.split_off(BODY_AT);
    let size = body.first_chunk::<4>().map_or(0, |size| number(*size));
    body.truncate(size);
    Ok(body)
}

fn number(bytes: [u8; 4]) -> usize {
    usize::try_from(i32::from_le_bytes(bytes)).unwrap_or(0)
}

fn length(n: usize) -> Result<[u8; 4], Error> {
    i32::try_from(n).map(i32::to_le_bytes).map_err(|_| Error::answer("a frame beyond 2 GiB"))
}

fn patch(out: &mut [u8], at: usize, value: [u8; 4]) {
    if let Some(slot) = out.get_mut(at..at + 4) {
        slot.copy_from_slice(&value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::rawdoc;

    #[test]
    fn what_is_encoded_comes_back() {
        let body = rawdoc! { "ping": 1, "x": "y".repeat(500) };
        for compressor in [None, Some(Compressor::Snappy), Some(Compressor::Zlib), Some(Compressor::Zstd)] {
            let mut out = Vec::new();
            encode(&mut out, 7, "db", &body, None, compressor).unwrap();
            assert_eq!(wanted(&out), out.len());
            let back = document(BytesMut::from(&out[..])).unwrap();
            let want = rawdoc! { "ping": 1, "x": "y".repeat(500), "$db": "db" };
            assert_eq!(back, want.as_bytes(), "{compressor:?}");
        }
    }
}
