//! A MongoDB connection that sends frames made beforehand and looks at as little of the answer as it must.

use crate::error::Error;
use crate::scram::{Exchange, Login};
use crate::target::Endpoint;
use crate::wire::{self, Compressor, HEADER};
use crate::workload::{Moved, Operation};
use bson::spec::BinarySubtype;
use bson::{Binary, RawArrayBuf, RawDocument, rawdoc};
use bytes::{Bytes, BytesMut};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One connection.
pub(crate) struct Mongo {
    stream: Box<dyn Stream>,
    compressor: Option<Compressor>,
    out: Vec<u8>,
    read: BytesMut,
    request_id: i32,
}

impl Mongo {
    /// Connects, with TLS and compression where wanted, and, with a login, authenticates.
    pub(crate) async fn connect(endpoint: &Endpoint) -> Result<Self, Error> {
        let io = |e| Error::Io(endpoint.address.clone(), e);
        let socket = TcpStream::connect(&endpoint.address).await.map_err(io)?;
        socket.set_nodelay(true).map_err(io)?;
        let stream: Box<dyn Stream> = match &endpoint.tls {
            None => Box::new(socket),
            Some(config) => {
                let host = endpoint.address.rsplit_once(':').map_or("", |(host, _)| host).to_owned();
                let name = ServerName::try_from(host).map_err(|e| Error::Usage(e.to_string()))?;
                let tls = tokio_rustls::TlsConnector::from(config.clone()).connect(name, socket).await;
                Box::new(tls.map_err(io)?)
            }
        };
        let mut connection =
            Self { stream, compressor: None, out: Vec::new(), read: BytesMut::new(), request_id: 0 };
        let mut names = RawArrayBuf::new();
        endpoint.compressor.iter().for_each(|c| names.push(c.name()));
        connection.command("admin", &rawdoc! { "hello": 1_i32, "compression": names }).await?;
        if let Some(login) = &endpoint.login {
            connection.authenticate(login).await?;
        }
        connection.compressor = endpoint.compressor;
        Ok(connection)
    }

    async fn authenticate(&mut self, login: &Login) -> Result<(), Error> {
        let payload = |text: String| Binary { subtype: BinarySubtype::Generic, bytes: text.into_bytes() };
        let (exchange, first) = Exchange::start(login);
        let start = rawdoc! {
            "saslStart": 1_i32, "mechanism": "SCRAM-SHA-256", "payload": payload(first),
            "options": { "skipEmptyExchange": true },
        };
        let reply = self.command("admin", &start).await?;
        let reply = parse(&reply)?;
        let bad = |e: bson::error::Error| Error::answer(format!("saslStart: {e}"));
        let id = reply.get_i32("conversationId").map_err(bad)?;
        let challenge = String::from_utf8_lossy(reply.get_binary("payload").map_err(bad)?.bytes).into_owned();
        let answer = exchange.answer(&challenge)?;
        let proof = rawdoc! { "saslContinue": 1_i32, "conversationId": id, "payload": payload(answer) };
        let done = self.command("admin", &proof).await?;
        let done = parse(&done)?.get_bool("done").unwrap_or(false);
        if done { Ok(()) } else { Err(Error::answer("the SCRAM exchange did not end")) }
    }

    /// Runs a command; anything but `ok: 1` is an error.
    pub(crate) async fn command(&mut self, database: &str, body: &RawDocument) -> Result<Bytes, Error> {
        self.add(database, body, None)?;
        self.send().await?;
        self.receive().await
    }

    /// Runs operations whose frames are sent together, each to its end.
    pub(crate) async fn run(&mut self, database: &str, operations: &[Operation]) -> Result<Moved, Error> {
        for operation in operations {
            self.add(database, &operation.body, operation.sequence.as_ref().map(|(n, d)| (*n, &**d)))?;
        }
        let mut moved = self.send().await?;
        for operation in operations {
            let reply = self.receive().await?;
            moved += reply.len();
            let (mut seen, mut cursor) = count(parse(&reply)?);
            while cursor != 0 {
                let more =
                    rawdoc! { "getMore": cursor, "collection": operation.collection, "batchSize": 1000_i32 };
                let reply = self.command(database, &more).await?;
                moved += reply.len();
                let (documents, next) = count(parse(&reply)?);
                seen += documents;
                cursor = next;
            }
            if seen < operation.expect {
                return Err(Error::answer(format!("{} documents instead of {}", seen, operation.expect)));
            }
        }
        Ok(moved)
    }

    fn add(
        &mut self,
        database: &str,
        body: &RawDocument,
        sequence: Option<(&str, &[u8])>,
    ) -> Result<(), Error> {
        self.request_id = self.request_id.wrapping_add(1);
        wire::encode(&mut self.out, self.request_id, database, body, sequence, self.compressor)
    }

    async fn send(&mut self) -> Result<Moved, Error> {
        let io = |e| Error::Io("send".to_owned(), e);
        self.stream.write_all(&self.out).await.map_err(io)?;
        self.stream.flush().await.map_err(io)?;
        let sent = self.out.len();
        self.out.clear();
        // What an idle connection holds is not to be the client's buffers.
        if self.out.capacity() > 1 << 16 {
            self.out = Vec::new();
        }
        Ok(sent)
    }

    async fn receive(&mut self) -> Result<Bytes, Error> {
        let io = |e| Error::Io("receive".to_owned(), e);
        loop {
            let wanted = wire::wanted(&self.read);
            if self.read.len() >= wanted.max(HEADER) {
                let body = wire::document(self.read.split_to(wanted))?;
                check(&body)?;
                return Ok(body);
            }
            self.read.reserve((wanted - self.read.len()).max(4096));
            if self.stream.read_buf(&mut self.read).await.map_err(io)? == 0 {
                return Err(Error::answer("the server closed the connection"));
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Result<&RawDocument, Error> {
    RawDocument::from_bytes(bytes).map_err(|e| Error::answer(e.to_string()))
}

fn check(body: &[u8]) -> Result<(), Error> {
    let reply = parse(body)?;
    let ok = reply.get("ok").ok().flatten().and_then(|v| v.as_f64().or(v.as_i32().map(f64::from)));
    if ok == Some(1.0) && reply.get("writeErrors").ok().flatten().is_none() {
        return Ok(());
    }
    Err(Error::answer(format!("the server answered {reply:?}")))
}

/// Documents in a batch (or documents written), and the cursor id.
fn count(reply: &RawDocument) -> (usize, i64) {
    if let Ok(cursor) = reply.get_document("cursor") {
        let batch = cursor.get_array("firstBatch").or_else(|_| cursor.get_array("nextBatch"));
        return (batch.map_or(0, |b| b.into_iter().count()), cursor.get_i64("id").unwrap_or(0));
    }
    (usize::try_from(reply.get_i32("n").unwrap_or(0)).unwrap_or(0), 0)
}
