//! The two ways in which a message can be wrong: fatal for the connection, or only for the request.
use bson::RawDocumentBuf;
use bytes::Bytes;

/// The stream can't be trusted any more: log once, close, never read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The header's length is below its own size or above the limit.
    #[error("message length {0} is outside 16..=48000000")]
    Length(i32),
    /// A message that is too long for a client that has not logged in.
    #[error("a message of {0} bytes before the login")]
    Early(usize),
    /// An opcode that is no request, or one that MongoDB removed without a reply.
    #[error("opcode {0} is not served")]
    Opcode(i32),
    /// A length or a terminator inside the message contradicts the message's own length.
    #[error("the message ends within {0}")]
    Truncated(&'static str),
    /// Bytes are left after the last field.
    #[error("{0} bytes are left at the end of the message")]
    Trailing(usize),
    /// A required flag bit that nobody defined. MongoDB's code 223 IllegalOpMsgFlag, which closes.
    #[error("illegal OP_MSG flag bits {0:#x}")]
    Flags(u32),
    /// CRC-32C differs. MongoDB's code 288 ChecksumMismatch, which closes.
    #[error("OP_MSG checksum does not match")]
    Checksum,
    /// A section that is neither body nor sequence.
    #[error("unknown OP_MSG section kind {0}")]
    SectionKind(u8),
    /// The compressor id is unknown.
    #[error("unknown compressor id {0}")]
    Compressor(u8),
    /// The compressed bytes do not give the promised number of bytes.
    #[error("compressed message: {0}")]
    Compressed(&'static str),
    /// The client speaks HTTP; it gets [`super::HTTP_HINT`] before the close.
    #[error("the client speaks HTTP")]
    Http,
}

/// An intact message with unacceptable content: the client gets an error reply, the connection lives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A document breaks the BSON format.
    #[error("{0}")]
    InvalidBson(#[from] BsonFault),
    /// A document is larger than [`super::MAX_DOCUMENT`].
    #[error("BSONObj size: {0} (0x{0:X}) is invalid. Size must be between 0 and 16793600(16MB)")]
    TooLarge(i32),
    /// A document nests deeper than [`super::MAX_NESTING`].
    #[error("BSONObj exceeds maximum nested object depth")]
    TooDeep,
    /// Two kind-0 sections.
    #[error("Multiple body sections in message")]
    TwoBodies,
    /// No kind-0 section.
    #[error("OP_MSG messages must have a body")]
    NoBody,
    /// Two sequences for one field.
    #[error("Duplicate document sequence: {0}")]
    DuplicateSequence(String),
    /// A field is given in the body and as a sequence.
    #[error("Duplicate field between body and document sequence {0}")]
    DuplicateField(String),
    /// More than [`super::MAX_SEQUENCES`].
    #[error("Too many document sequences in OP_MSG")]
    TooManySequences,
    /// An operation that only servers before 5.1 know, with its name: OP_QUERY, OP_GET_MORE.
    #[error(
        "{0} is no longer supported. The client driver may require an upgrade. For more details see \
         https://dochub.mongodb.org/core/legacy-opcode-removal"
    )]
    LegacyOpcode(&'static str),
}

impl Refusal {
    /// MongoDB's error code and its name.
    pub fn code(&self) -> (i32, &'static str) {
        match self {
            Self::InvalidBson(_) => (22, "InvalidBSON"),
            Self::TooLarge(_) => (10334, "BSONObjectTooLarge"),
            Self::TooDeep => (15, "Overflow"),
            Self::TwoBodies => (40430, "Location40430"),
            Self::NoBody => (40587, "Location40587"),
            Self::DuplicateSequence(_) => (40431, "Location40431"),
            Self::DuplicateField(_) => (40433, "Location40433"),
            Self::TooManySequences => (233, "TooManyDocumentSequences"),
            Self::LegacyOpcode(_) => (5_739_101, "Location5739101"),
        }
    }

    /// The document of the error reply. Legacy operations get the field their old drivers look for, `$err`.
    pub fn reply_body(&self) -> Bytes {
        let (code, name) = self.code();
        let mut body = RawDocumentBuf::new();
        let mut add = |key: &bson::raw::CStr, value: bson::raw::RawBson| body.append(key, value);
        match self {
            Self::LegacyOpcode(_) => {
                add(bson::raw::cstr!("$err"), self.to_string().into());
                add(bson::raw::cstr!("code"), code.into());
                add(bson::raw::cstr!("ok"), 0.0.into());
            }
            _ => {
                add(bson::raw::cstr!("ok"), 0.0.into());
                add(bson::raw::cstr!("errmsg"), self.to_string().into());
                add(bson::raw::cstr!("code"), code.into());
                add(bson::raw::cstr!("codeName"), name.into());
            }
        }
        body.into_bytes().into()
    }
}

/// What is wrong with a document, in MongoDB's words where it has some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BsonFault {
    /// The length in front does not fit the bytes.
    #[error("incorrect BSON length")]
    Length,
    /// The document does not end with its NUL, or ends before its length says.
    #[error("BSON object not terminated with EOO")]
    Terminator,
    /// A field name or regular expression has no NUL before the end.
    #[error("not null terminated string")]
    CString,
    /// A string's length does not lead to its NUL.
    #[error("not null terminated string")]
    String,
    /// A value reaches beyond its document.
    #[error("not enough bytes for a BSON value")]
    Value,
    /// An element type that BSON has not.
    #[error("Unrecognized BSON type {0}")]
    Type(u8),
    /// A boolean that is neither 0 nor 1.
    #[error("BSON bool is neither false nor true")]
    Bool,
    /// The parts of a code with scope contradict its length.
    #[error("incorrect BSON length of a code with scope")]
    CodeWithScope,
}
