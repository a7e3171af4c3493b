//! The program and its signals.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use bson::RawDocumentBuf;
use bytes::BytesMut;
use ermine::wire::{Frame, Op, OpMsg, request};

/// How long a stop is waited for. The promise is four seconds, of which the program counts 3.5 itself; the rest is for a
/// machine that has other things to do. Without its count it would take the hour that the requests may wait.
const STOP: Duration = Duration::from_secs(20);

struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    /// Starts the program on a free port and learns from its log which one.
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ermine"))
            .env_clear()
            .env("ERMINE_DEBUG_ADDR", "-")
            .args(["--listen-addr", "127.0.0.1:0", "--log-format", "json", "--no-auth"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("\"listening\"") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the program ended");
        }
        let (_, rest) = line.split_once("\"address\":\"").unwrap();
        let address = rest.split_once('"').unwrap().0.parse().unwrap();
        // Somebody has to read on, or the program blocks.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, address }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn wait(&mut self, limit: Duration) -> ExitStatus {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "still running after {limit:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn encode(body: RawDocumentBuf) -> Vec<u8> {
    let body = body.into_bytes().into();
    let op = OpMsg { more_to_come: false, exhaust_allowed: false, checksum: false, body, sequences: vec![] };
    request::encode(&Frame { request_id: 1, op: Op::Msg(op) }, None).unwrap().to_vec()
}

/// A client whose insert the program has read: hello and insert arrive in one piece, and hello was answered.
fn busy_client(address: SocketAddr) -> (TcpStream, BytesMut) {
    let mut stream = connect(address);
    let hello = encode(bson::rawdoc! { "hello": 1, "$db": "admin" });
    let insert = encode(bson::rawdoc! { "insert": "c", "documents": [{ "a": 1 }], "$db": "d" });
    stream.write_all(&[hello, insert].concat()).unwrap();
    let mut buffer = BytesMut::new();
    assert_eq!(read_reply(&mut stream, &mut buffer).get_f64("ok").unwrap(), 1.0);
    (stream, buffer)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// A PostgreSQL that accepts and never answers: whoever asks it stays busy.
fn black_hole() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u@{}/d", listener.local_addr().unwrap());
    (listener, url)
}

#[test]
fn a_running_request_gets_its_reply_before_the_stop() {
    let (_hole, url) = black_hole();
    let arguments =
        ["--postgresql-url", &url, "--pool-wait-timeout", "700ms", "--pool-connect-timeout", "700ms"];
    let mut program = Program::start(&arguments);
    let (mut stream, mut buffer) = busy_client(program.address);
    program.signal("TERM");
    let reply = read_reply(&mut stream, &mut buffer);
    assert_eq!(reply.get_f64("ok").unwrap(), 0.0);
    assert!(program.wait(STOP).success());
}

fn read_reply(stream: &mut TcpStream, buffer: &mut BytesMut) -> RawDocumentBuf {
    loop {
        if let Some(reply) = request::decode_reply(buffer).unwrap() {
            return RawDocumentBuf::from_bytes(reply.body.to_vec()).unwrap();
        }
        let mut room = [0; 4096];
        let read = stream.read(&mut room).unwrap();
        assert!(read > 0, "closed instead of a reply");
        buffer.extend_from_slice(&room[..read]);
    }
}

#[test]
fn a_request_that_never_ends_does_not_hold_the_stop_up() {
    let (_hole, url) = black_hole();
    let arguments = ["--postgresql-url", &url, "--pool-wait-timeout", "1h", "--pool-connect-timeout", "1h"];
    for signal in ["TERM", "INT"] {
        let mut program = Program::start(&arguments);
        let _client = busy_client(program.address);
        program.signal(signal);
        // Left unfinished, and the exit code says so.
        assert_eq!(program.wait(STOP).code(), Some(1), "{signal}");
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let (_hole, url) = black_hole();
    let arguments = ["--postgresql-url", &url, "--pool-wait-timeout", "1h", "--pool-connect-timeout", "1h"];
    let mut program = Program::start(&arguments);
    let _client = busy_client(program.address);
    program.signal("TERM");
    // The first one has arrived when new clients are turned away.
    let end = Instant::now() + STOP;
    while TcpStream::connect(program.address).is_ok() {
        assert!(Instant::now() < end, "still accepting");
    }
    program.signal("TERM");
    program.wait(Duration::from_secs(3));
}

#[test]
fn ping_asks_the_running_program() {
    let mut program = Program::start(&["--postgresql-url", "postgres://u@127.0.0.1:1/d"]);
    let address = program.address.to_string();
    let ping = Command::new(env!("CARGO_BIN_EXE_ermine"))
        .env("ERMINE_DEBUG_ADDR", "-")
        .env_clear()
        .args(["ping", "--listen-addr", &address, "--postgresql-url", "postgres://u@h"])
        .output()
        .unwrap();
    assert!(ping.status.success(), "{}", String::from_utf8_lossy(&ping.stderr));
    program.signal("TERM");
    assert!(program.wait(STOP).success());
}
