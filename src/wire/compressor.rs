//! The compressors of OP_COMPRESSED: bytes in, bytes out, the size known and checked.
use std::io::Read;

use bytes::Bytes;

use super::error::FrameError;

/// A way to compress messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compressor {
    /// As it is. Never negotiated, but it has an id.
    Noop,
    /// Raw snappy, without the framing format.
    Snappy,
    /// zlib.
    Zlib,
    /// Zstandard.
    Zstd,
}

/// A snappy copy element makes at most 64 bytes out of three; rounded up to be safe.
const SNAPPY_MAX_RATIO: usize = 32;

impl Compressor {
    /// Those a hello can negotiate, best first, by the names that hello uses.
    pub const NEGOTIABLE: [(&'static str, Self); 3] =
        [("zstd", Self::Zstd), ("snappy", Self::Snappy), ("zlib", Self::Zlib)];

    /// By the id on the wire.
    pub fn from_id(id: u8) -> Option<Self> {
        [Self::Noop, Self::Snappy, Self::Zlib, Self::Zstd]
            .into_iter()
            .find(|compressor| compressor.id() == id)
    }

    /// The id on the wire.
    pub fn id(self) -> u8 {
        match self {
            Self::Noop => 0,
            Self::Snappy => 1,
            Self::Zlib => 2,
            Self::Zstd => 3,
        }
    }

    /// Gives exactly `size` bytes, or the error that closes the connection. Never allocates much more than the
    /// bytes really give: a small message can't claim a large buffer.
    pub(super) fn decompress(self, bytes: &Bytes, size: usize) -> Result<Bytes, FrameError> {
        let plain = match self {
            Self::Noop => bytes.clone(),
            Self::Snappy => {
                let claimed = snap::raw::decompress_len(bytes).map_err(|_| BROKEN)?;
                if claimed != size || size > bytes.len().saturating_mul(SNAPPY_MAX_RATIO) {
                    return Err(SIZE);
                }
                snap::raw::Decoder::new().decompress_vec(bytes).map_err(|_| BROKEN)?.into()
            }
            Self::Zlib => read_bounded(flate2::read::ZlibDecoder::new(&**bytes), size)?,
            Self::Zstd => {
                read_bounded(zstd::stream::read::Decoder::new(&**bytes).map_err(|_| BROKEN)?, size)?
            }
        };
        if plain.len() == size { Ok(plain) } else { Err(SIZE) }
    }

    /// None if the library fails, which it has no reason to.
    pub(super) fn compress(self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Noop => Some(bytes.to_vec()),
            Self::Snappy => snap::raw::Encoder::new().compress_vec(bytes).ok(),
            Self::Zlib => {
                let mut compressed = Vec::new();
                let mut encoder = flate2::read::ZlibEncoder::new(bytes, flate2::Compression::default());
                encoder.read_to_end(&mut compressed).ok()?;
                Some(compressed)
            }
            Self::Zstd => zstd::bulk::compress(bytes, zstd::DEFAULT_COMPRESSION_LEVEL).ok(),
        }
    }
}

const BROKEN: FrameError = FrameError::Compressed("the compressed bytes are broken");
const SIZE: FrameError = FrameError::Compressed("the uncompressed size is wrong");

/// Reads one byte more than allowed at most, so that a longer result is seen and not believed.
fn read_bounded(reader: impl Read, size: usize) -> Result<Bytes, FrameError> {
    let mut plain = Vec::new();
    let limit = u64::try_from(size).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(limit).read_to_end(&mut plain).map_err(|_| BROKEN)?;
    Ok(plain.into())
}
