//! Stands between the proxy and PostgreSQL, and does to what passes what networks and signals do at the worst moment.
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use ermine_cluster::Node;

/// The codes of what a connection may begin with (PostgreSQL manual, 55.7).
const SSL_REQUEST: u32 = 80_877_103;
const CANCEL_REQUEST: u32 = 80_877_102;

/// A running forwarder. Dropped, it takes no more connections; those that are open go on.
#[derive(Debug)]
pub struct Forwarder {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: AtomicU16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ended: bool,
    refuses: bool,
    holds_cancels: bool,
    holds_answers: bool,
    fail: Option<String>,
    cancels: Cancels,
}

/// Requests to cancel a statement that came here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Cancels {
    /// All of them.
    pub seen: usize,
    /// Those that the server was told of, and has obeyed.
    pub obeyed: usize,
}

impl Forwarder {
    /// Starts one in front of this node.
    pub fn start(node: &Node) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared =
            Arc::new(Shared { server: node.port().into(), state: Mutex::default(), changed: Condvar::new() });
        let all = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (ended, refuses) = {
                    let state = all.lock();
                    (state.ended, state.refuses)
                };
                if ended {
                    return;
                }
                if let (Ok(client), false) = (client, refuses) {
                    let shared = Arc::clone(&all);
                    // Its end is that of one of both sides.
                    std::thread::spawn(move || shared.forward(client));
                }
            }
        });
        Self { address, shared }
    }

    /// The node's URL by way of the forwarder.
    pub fn url(&self, node: &Node) -> String {
        let url = node.url();
        let (direct, own) = (format!("@127.0.0.1:{}/", node.port()), format!("@{}/", self.address));
        assert!(url.contains(&direct), "{url}");
        url.replace(&direct, &own)
    }

    /// New connections lead to another node.
    pub fn lead_to(&self, node: &Node) {
        self.shared.server.store(node.port(), Ordering::Release);
    }

    /// Requests to cancel something wait here, until they are let through.
    pub fn hold_cancels(&self, hold: bool) {
        self.shared.set(|state| state.holds_cancels = hold);
    }

    /// What has come of requests to cancel something.
    pub fn cancels(&self) -> Cancels {
        self.shared.lock().cancels
    }

    /// What the server says waits here, until it is let through.
    pub fn hold_answers(&self, hold: bool) {
        self.shared.set(|state| state.holds_answers = hold);
    }

    /// New connections are closed at once.
    pub fn refuse(&self, refuse: bool) {
        self.shared.set(|state| state.refuses = refuse);
    }

    /// The next simple query that begins so does not reach the server: it ends as if a cancel had met it before its first
    /// statement, outside of any transaction.
    pub fn cancel_next(&self, text: &str) {
        self.shared.set(|state| state.fail = Some(text.to_owned()));
    }

    /// Such a query came.
    pub fn cancelled_it(&self) -> bool {
        self.shared.lock().fail.is_none()
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.shared.set(|state| *state = State { ended: true, ..State::default() });
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn wait_while(&self, condition: impl Fn(&State) -> bool) {
        let state = self.lock();
        drop(
            self.changed.wait_while(state, |state| condition(state)).unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// One connection, until one of both sides ends it.
    fn forward(self: Arc<Self>, mut client: TcpStream) -> Option<()> {
        let mut server = TcpStream::connect(("127.0.0.1", self.server.load(Ordering::Acquire))).ok()?;
        for stream in [&client, &server] {
            stream.set_nodelay(true).ok()?;
        }
        loop {
            let packet = packet(&mut client, Vec::new())?;
            let code = u32::from_be_bytes(*packet.get(4..)?.first_chunk()?);
            if code == CANCEL_REQUEST {
                self.set(|state| state.cancels.seen += 1);
                self.wait_while(|state| state.holds_cancels);
                server.write_all(&packet).ok()?;
                // The server closes once the signal is sent.
                let _ = server.read(&mut [0]);
                self.set(|state| state.cancels.obeyed += 1);
                return None;
            }
            server.write_all(&packet).ok()?;
            if code != SSL_REQUEST {
                break;
            }
            let mut answer = [0];
            server.read_exact(&mut answer).ok()?;
            assert_eq!(answer, *b"N", "what is encrypted cannot be looked at");
            client.write_all(&answer).ok()?;
        }
        let (mut from, mut to) = (server.try_clone().ok()?, client.try_clone().ok()?);
        let shared = Arc::clone(&self);
        std::thread::spawn(move || {
            let mut bytes = vec![0; 1 << 16];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                shared.wait_while(|state| state.holds_answers);
                if to.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
        });
        self.requests(&mut client, &mut server);
        let _ = server.shutdown(Shutdown::Both);
        Some(())
    }

    fn requests(&self, client: &mut TcpStream, server: &mut TcpStream) -> Option<()> {
        loop {
            let mut kind = vec![0];
            client.read_exact(&mut kind).ok()?;
            let message = packet(client, kind)?;
            let fails = {
                let mut state = self.lock();
                let text = state.fail.as_ref().map(String::as_bytes);
                let fails = text.is_some_and(|text| {
                    message[0] == b'Q' && message.get(5..).is_some_and(|q| q.starts_with(text))
                });
                if fails {
                    state.fail = None;
                }
                fails
            };
            if fails {
                client.write_all(&cancelled()).ok()?;
            } else {
                server.write_all(&message).ok()?;
            }
        }
    }
}

/// What follows `begun`: four bytes of length, which count themselves, and the rest.
fn packet(stream: &mut TcpStream, mut begun: Vec<u8>) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    begun.extend(length);
    let at = begun.len();
    begun.resize(at + usize::try_from(u32::from_be_bytes(length)).ok()?.checked_sub(4)?, 0);
    stream.read_exact(&mut begun[at..]).ok()?;
    Some(begun)
}

/// How PostgreSQL ends a simple query that was cancelled outside of a transaction.
fn cancelled() -> Vec<u8> {
    let fields = b"SERROR\0VERROR\0C57014\0Mcanceling statement due to user request\0\0";
    let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
    [&b"E"[..], &length, fields, b"Z", &5u32.to_be_bytes(), b"I"].concat()
}
