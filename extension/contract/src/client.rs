//! A PostgreSQL connection that shows what the usual drivers hide: the command tag, and values as text.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::IsNull;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{ErrorResponseBody, Message};
use postgres_protocol::message::frontend;

/// A server that says nothing for so long has lost the call.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where and as whom to connect.
#[derive(Clone, Debug)]
pub struct Address {
    /// A socket directory (begins with `/`) or a host name.
    pub host: String,
    /// The port, which also names the socket.
    pub port: u16,
    /// The role.
    pub user: String,
    /// The password, where one is asked for.
    pub password: String,
    /// The database.
    pub database: String,
}

/// One argument of a call; binary ones are BSON.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "text and binary format of the protocol")]
pub enum Argument {
    Text(String),
    Binary(Vec<u8>),
    Null,
}

/// What the server answered to one statement.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "names of the protocol")]
pub enum Answer {
    Rows { columns: Vec<Column>, rows: Vec<Vec<Option<String>>>, tag: String },
    Error { sqlstate: String, message: String, detail: String },
}

/// Name and type of a result column.
#[derive(Clone, Debug)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The type's number in `pg_type`.
    pub oid: u32,
}

/// Why no answer came.
#[derive(Debug)]
pub enum Lost {
    /// The connection broke or could not be made: the server is down, or a backend died.
    Connection(String),
    /// The server refused the connection in an orderly way.
    Refused(String),
}

impl From<io::Error> for Lost {
    fn from(e: io::Error) -> Self {
        Self::Connection(e.to_string())
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// One connection.
pub struct Client {
    stream: Box<dyn Stream>,
    input: BytesMut,
    output: BytesMut,
}

impl Client {
    /// Connects and logs in.
    pub fn connect(address: &Address) -> Result<Self, Lost> {
        let stream: Box<dyn Stream> = if address.host.starts_with('/') {
            let path = PathBuf::from(&address.host).join(format!(".s.PGSQL.{}", address.port));
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Box::new(stream)
        } else {
            let stream = TcpStream::connect((address.host.as_str(), address.port))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        };
        let mut client = Self { stream, input: BytesMut::new(), output: BytesMut::new() };
        client.log_in(address)?;
        Ok(client)
    }

    fn log_in(&mut self, address: &Address) -> Result<(), Lost> {
        let parameters = [
            ("user", address.user.as_str()),
            ("database", address.database.as_str()),
            ("client_encoding", "UTF8"),
            ("timezone", "Etc/UTC"),
        ];
        frontend::startup_message(parameters, &mut self.output)?;
        self.flush()?;
        let mut scram: Option<ScramSha256> = None;
        loop {
            match self.receive()? {
                Message::AuthenticationCleartextPassword => {
                    frontend::password_message(address.password.as_bytes(), &mut self.output)?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let (user, password) = (address.user.as_bytes(), address.password.as_bytes());
                    let hash = postgres_protocol::authentication::md5_hash(user, password, body.salt());
                    frontend::password_message(hash.as_bytes(), &mut self.output)?;
                }
                Message::AuthenticationSasl(_) => {
                    let sasl = ScramSha256::new(address.password.as_bytes(), ChannelBinding::unsupported());
                    frontend::sasl_initial_response(SCRAM_SHA_256, sasl.message(), &mut self.output)?;
                    scram = Some(sasl);
                }
                Message::AuthenticationSaslContinue(body) => {
                    let sasl = scram.as_mut().ok_or_else(|| Lost::Refused("SCRAM out of turn".into()))?;
                    sasl.update(body.data())?;
                    frontend::sasl_response(sasl.message(), &mut self.output)?;
                }
                Message::AuthenticationSaslFinal(body) => {
                    let sasl = scram.as_mut().ok_or_else(|| Lost::Refused("SCRAM out of turn".into()))?;
                    sasl.finish(body.data())?;
                }
                Message::ErrorResponse(body) => {
                    let (sqlstate, message, _) = error_fields(&body)?;
                    return Err(Lost::Refused(format!("{message} ({sqlstate})")));
                }
                Message::ReadyForQuery(_) => return Ok(()),
                _ => {}
            }
            self.flush()?;
        }
    }

    /// Runs a call with arguments by the extended protocol. All results are asked for as text.
    pub fn call(&mut self, sql: &str, arguments: &[Argument]) -> Result<Answer, Lost> {
        let formats = arguments.iter().map(|argument| i16::from(matches!(argument, Argument::Binary(_))));
        let write = |argument: &Argument, out: &mut BytesMut| {
            Ok(match argument {
                Argument::Text(text) => {
                    out.extend_from_slice(text.as_bytes());
                    IsNull::No
                }
                Argument::Binary(bytes) => {
                    out.extend_from_slice(bytes);
                    IsNull::No
                }
                Argument::Null => IsNull::Yes,
            })
        };
        frontend::parse("", sql, [], &mut self.output)?;
        frontend::bind("", "", formats, arguments, write, [0], &mut self.output).map_err(|e| match e {
            frontend::BindError::Conversion(e) => Lost::Refused(e.to_string()),
            frontend::BindError::Serialization(e) => Lost::from(e),
        })?;
        frontend::describe(b'P', "", &mut self.output)?;
        frontend::execute("", 0, &mut self.output)?;
        frontend::sync(&mut self.output);
        self.answer()
    }

    /// Runs a statement by the simple protocol.
    pub fn statement(&mut self, sql: &str) -> Result<Answer, Lost> {
        frontend::query(sql, &mut self.output)?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Answer, Lost> {
        self.flush()?;
        let (mut columns, mut rows, mut tag, mut error) = (Vec::new(), Vec::new(), String::new(), None);
        loop {
            match self.receive()? {
                Message::RowDescription(body) => {
                    columns = body
                        .fields()
                        .map(|f| Ok(Column { name: f.name().into(), oid: f.type_oid() }))
                        .collect()?;
                }
                Message::DataRow(body) => {
                    let buffer = body.buffer();
                    let text =
                        |range: std::ops::Range<usize>| String::from_utf8_lossy(&buffer[range]).into_owned();
                    rows.push(body.ranges().map(|range| Ok(range.map(text))).collect()?);
                }
                Message::CommandComplete(body) => tag = body.tag()?.into(),
                Message::ErrorResponse(body) => error = Some(error_fields(&body)?),
                Message::ReadyForQuery(_) => {
                    return Ok(match error {
                        Some((sqlstate, message, detail)) => Answer::Error { sqlstate, message, detail },
                        None => Answer::Rows { columns, rows, tag },
                    });
                }
                _ => {}
            }
        }
    }

    fn flush(&mut self) -> Result<(), Lost> {
        self.stream.write_all(&self.output)?;
        self.output.clear();
        Ok(())
    }

    fn receive(&mut self) -> Result<Message, Lost> {
        loop {
            if let Some(message) = Message::parse(&mut self.input)? {
                return Ok(message);
            }
            let mut chunk = [0; 65536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(Lost::Connection("the server closed the connection".into())),
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    return Err(Lost::Refused(format!("no answer within {PATIENCE:?}")));
                }
                // A read with a time limit is not taken up again by the kernel after a signal (signal(7)).
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.output.clear();
        frontend::terminate(&mut self.output);
        // The server notices a broken connection as well.
        let _ = self.flush();
    }
}

fn error_fields(body: &ErrorResponseBody) -> io::Result<(String, String, String)> {
    let (mut sqlstate, mut message, mut detail) = (String::new(), String::new(), String::new());
    let mut fields = body.fields();
    while let Some(field) = fields.next()? {
        let text = || String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => sqlstate = text(),
            b'M' => message = text(),
            b'D' => detail = text(),
            _ => {}
        }
    }
    Ok((sqlstate, message, detail))
}
