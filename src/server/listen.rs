//! Listening sockets.
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpListener, UnixListener};

use super::secure::Secure;
use crate::config::{Address, Endpoint, Listener};
use crate::tls::ServerTls;

/// Connections that wait for `accept`, as many as the kernel allows by default.
const BACKLOG: i32 = 4096;

/// A socket that listens.
#[derive(Debug)]
pub struct Bound {
    /// What its clients get.
    pub endpoint: Endpoint,
    pub(super) socket: Socket,
    pub(super) secure: Secure,
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// Removes the file of a Unix socket when the listener ends.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "can't remove the socket file");
        }
    }
}

/// A listener of the configuration can't be opened.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}: {reason}")]
pub struct ListenError {
    address: String,
    reason: String,
}

impl Bound {
    /// A socket that the caller has opened, for tests.
    pub fn tcp(endpoint: Endpoint, listener: TcpListener) -> Self {
        Self { endpoint, socket: Socket::Tcp(listener), secure: Secure::Off }
    }

    /// Where clients connect, with the port the system chose if it was 0. None for Unix sockets.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix(..) => None,
        }
    }

    /// For logs.
    pub fn describe(&self) -> String {
        match &self.socket {
            Socket::Tcp(_) => self.local_addr().map_or_else(|| "closed".to_owned(), |addr| addr.to_string()),
            Socket::Unix(_, SocketFile(path)) => path.display().to_string(),
        }
    }
}

/// Opens all listeners of the configuration; those for TLS present what `tls` holds. A name can have several addresses, so that there may be more
/// sockets than listeners.
///
/// # Errors
/// The first listener that can't be opened.
pub async fn bind(listeners: &[Listener], tls: Option<&Arc<ServerTls>>) -> Result<Vec<Bound>, ListenError> {
    let mut bound = Vec::with_capacity(listeners.len());
    for listener in listeners {
        let sockets = match &listener.address {
            Address::Tcp { host, port } => bind_tcp(host, *port).await,
            Address::Unix(path) => bind_unix(path).await.map(|socket| vec![socket]),
        };
        let sockets = sockets.map_err(|error| explain(&listener.address, &error))?;
        let secure = Secure::new(listener.tls, tls);
        bound.extend(sockets.into_iter().map(|socket| Bound {
            endpoint: listener.endpoint,
            socket,
            secure: secure.clone(),
        }));
    }
    Ok(bound)
}

/// Opens an address for something else than clients.
///
/// # Errors
/// Why it can't be opened.
pub async fn open(address: &Address) -> Result<Vec<TcpListener>, ListenError> {
    let sockets = match address {
        Address::Tcp { host, port } => bind_tcp(host, *port).await,
        Address::Unix(_) => Ok(Vec::new()),
    };
    let sockets = sockets.map_err(|error| explain(address, &error))?;
    Ok(sockets
        .into_iter()
        .filter_map(|socket| match socket {
            Socket::Tcp(listener) => Some(listener),
            Socket::Unix(..) => None,
        })
        .collect())
}

fn explain(address: &Address, error: &io::Error) -> ListenError {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there".to_owned(),
        io::ErrorKind::PermissionDenied => "not permitted".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        _ => error.to_string(),
    };
    ListenError { address: address.to_string(), reason }
}

async fn bind_tcp(host: &str, port: u16) -> io::Result<Vec<Socket>> {
    let open = |addr| open_tcp(addr).map(Socket::Tcp);
    if host.is_empty() {
        // One socket for both families, unless the machine has no IPv6.
        let socket = open((Ipv6Addr::UNSPECIFIED, port).into());
        return match socket {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                Ok(vec![open((Ipv4Addr::UNSPECIFIED, port).into())?])
            }
            socket => Ok(vec![socket?]),
        };
    }
    let mut sockets = Vec::new();
    let mut missing = None;
    for addr in tokio::net::lookup_host((host, port)).await? {
        match open(addr) {
            Ok(socket) => sockets.push(socket),
            // `localhost` also names ::1 on machines without IPv6.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => missing = Some(error),
            Err(error) => return Err(error),
        }
        if port == 0 {
            break;
        }
    }
    if sockets.is_empty() {
        return Err(missing.unwrap_or_else(|| io::Error::other("the name has no address")));
    }
    Ok(sockets)
}

fn open_tcp(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// A socket file that nobody answers on is left over from a process that was killed.
async fn bind_unix(path: &Path) -> io::Result<Socket> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let answer = tokio::net::UnixStream::connect(path).await;
            if answer.is_ok_and(|_| true) {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        listener => listener?,
    };
    Ok(Socket::Unix(listener, SocketFile(path.to_owned())))
}
