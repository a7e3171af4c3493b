//! A MongoDB connection that sends frames made beforehand and looks at as little of the answer as it must.

use crate::error::Error;
use crate::scram::{Exchange, Login};
use crate::workload::Operation;
use bson::spec::BinarySubtype;
use bson::{Binary, RawDocument, RawDocumentBuf, rawdoc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const OP_MSG: i32 = 2013;
const HEADER: usize = 16;
/// Header, flags and the section kind byte in front of the body.
const BODY_AT: usize = HEADER + 5;

/// One connection.
pub(crate) struct Mongo {
    socket: TcpStream,
    out: Vec<u8>,
    answer: Vec<u8>,
    request_id: i32,
}

impl Mongo {
    /// Connects and, with a login, authenticates.
    pub(crate) async fn connect(endpoint: &str, login: Option<&Login>) -> Result<Self, Error> {
        let io = |e| Error::Io(endpoint.to_owned(), e);
        let socket = TcpStream::connect(endpoint).await.map_err(io)?;
        socket.set_nodelay(true).map_err(io)?;
        let mut connection = Self { socket, out: Vec::new(), answer: Vec::new(), request_id: 0 };
        connection.command("admin", &rawdoc! { "hello": 1_i32 }).await?;
        if let Some(login) = login {
            connection.authenticate(login).await?;
        }
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
        let bad = |e: bson::error::Error| Error::answer(format!("saslStart: {e}"));
        let id = reply.get_i32("conversationId").map_err(bad)?;
        let challenge = String::from_utf8_lossy(reply.get_binary("payload").map_err(bad)?.bytes).into_owned();
        let answer = exchange.answer(&challenge)?;
        let proof = rawdoc! { "saslContinue": 1_i32, "conversationId": id, "payload": payload(answer) };
        let done = self.command("admin", &proof).await?.get_bool("done").unwrap_or(false);
        if done { Ok(()) } else { Err(Error::answer("the SCRAM exchange did not end")) }
    }

    /// Runs a command; anything but `ok: 1` is an error.
    pub(crate) async fn command(
        &mut self,
        database: &str,
        body: &RawDocumentBuf,
    ) -> Result<&RawDocument, Error> {
        self.send(database, body, None).await?;
        self.receive().await
    }

    /// Runs one operation and, for finds, everything up to the last batch.
    pub(crate) async fn run(&mut self, database: &str, operation: &Operation) -> Result<(), Error> {
        self.send(database, &operation.body, operation.sequence.as_ref().map(|(n, d)| (*n, &**d))).await?;
        let (mut seen, mut cursor) = count(self.receive().await?);
        while cursor != 0 {
            let more =
                rawdoc! { "getMore": cursor, "collection": crate::workload::READ, "batchSize": 1000_i32 };
            self.send(database, &more, None).await?;
            let (documents, next) = count(self.receive().await?);
            seen += documents;
            cursor = next;
        }
        if seen < operation.expect {
            return Err(Error::answer(format!("{} documents instead of {}", seen, operation.expect)));
        }
        Ok(())
    }

    async fn send(
        &mut self,
        database: &str,
        body: &RawDocumentBuf,
        sequence: Option<(&str, &[u8])>,
    ) -> Result<(), Error> {
        let out = &mut self.out;
        out.clear();
        self.request_id = self.request_id.wrapping_add(1);
        for field in [0, self.request_id, 0, OP_MSG, 0] {
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
        let total = length(out.len())?;
        patch(out, 0, total);
        self.socket.write_all(out).await.map_err(|e| Error::Io("send".to_owned(), e))
    }

    async fn receive(&mut self) -> Result<&RawDocument, Error> {
        let io = |e| Error::Io("receive".to_owned(), e);
        self.answer.clear();
        let mut wanted = HEADER;
        while self.answer.len() < wanted {
            if self.socket.read_buf(&mut self.answer).await.map_err(io)? == 0 {
                return Err(Error::answer("the server closed the connection"));
            }
            if let Some(size) = self.answer.first_chunk::<4>() {
                wanted = usize::try_from(i32::from_le_bytes(*size)).unwrap_or(HEADER).max(HEADER);
            }
        }
        let body = self.answer.get(BODY_AT..wanted).unwrap_or_default();
        let reply = RawDocument::from_bytes(body).map_err(|e| Error::answer(e.to_string()))?;
        let ok = reply.get("ok").ok().flatten().and_then(|v| v.as_f64().or(v.as_i32().map(f64::from)));
        if ok == Some(1.0) && reply.get("writeErrors").ok().flatten().is_none() {
            Ok(reply)
        } else {
            Err(Error::answer(format!("the server answered {reply:?}")))
        }
    }
}

fn length(n: usize) -> Result<[u8; 4], Error> {
    i32::try_from(n).map(i32::to_le_bytes).map_err(|_| Error::answer("a frame beyond 2 GiB"))
}

fn patch(out: &mut [u8], at: usize, value: [u8; 4]) {
    if let Some(slot) = out.get_mut(at..at + 4) {
        slot.copy_from_slice(&value);
    }
}

/// Documents in a batch (or documents written), and the cursor id.
fn count(reply: &RawDocument) -> (usize, i64) {
    if let Ok(cursor) = reply.get_document("cursor") {
        let batch = cursor.get_array("firstBatch").or_else(|_| cursor.get_array("nextBatch"));
        return (batch.map_or(0, |b| b.into_iter().count()), cursor.get_i64("id").unwrap_or(0));
    }
    (usize::try_from(reply.get_i32("n").unwrap_or(0)).unwrap_or(0), 0)
}
