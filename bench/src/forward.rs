//! A plain TCP forwarder, the cheapest thing that can stand between two programs: it reads into a buffer and writes it on.

use crate::cpu::Watched;
use crate::error::Error;
use crate::target::{Address, Target};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

/// As large as what Ermine's driver reads at once, or larger.
const BUFFER: usize = 64 * 1024;

/// Serves on a port of its own, which it tells on standard output, until the process is killed.
pub(crate) fn serve(to: &str) -> Result<(), Error> {
    let io = |e| Error::Io(to.to_owned(), e);
    let listener = TcpListener::bind("127.0.0.1:0").map_err(io)?;
    crate::report::line(&listener.local_addr().map_err(io)?.port().to_string());
    for client in listener.incoming() {
        let client = client.map_err(io)?;
        let server = TcpStream::connect(to).map_err(io)?;
        for socket in [&client, &server] {
            socket.set_nodelay(true).map_err(io)?;
        }
        let (back, forth) = (client.try_clone().map_err(io)?, server.try_clone().map_err(io)?);
        std::thread::spawn(move || pass(client, forth));
        std::thread::spawn(move || pass(server, back));
    }
    Ok(())
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let Some(bytes) = buffer.get(..read) else { break };
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// A forwarder in a process of its own; its end ends it.
#[derive(Debug)]
pub(crate) struct Forwarder {
    child: Child,
    port: u16,
}

impl Forwarder {
    /// Starts one in front of a PostgreSQL server.
    pub(crate) fn start(to: &Target) -> Result<(Self, Target, Watched), Error> {
        let io = |e| Error::Io("forwarder".to_owned(), e);
        let Address::Postgres(config) = &to.address else {
            return Err(Error::Usage("the forwarder stands in front of a postgresql:// target".to_owned()));
        };
        let host = match config.get_hosts().first() {
            Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
            _ => "127.0.0.1".to_owned(),
        };
        let address = format!("{host}:{}", config.get_ports().first().copied().unwrap_or(5432));
        let program = std::env::current_exe().map_err(io)?;
        let mut child = Command::new(program)
            .args(["--serve-forward", &address])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(io)?;
        let mut line = String::new();
        if let Some(out) = child.stdout.as_mut() {
            BufReader::new(out).read_line(&mut line).map_err(io)?;
        }
        let name = "forward".to_owned();
        // From here on its drop ends the process.
        let mut forwarder = Self { child, port: 0 };
        forwarder.port = line.trim().parse().map_err(|_| Error::answer("the forwarder did not start"))?;
        let mut through = tokio_postgres::Config::new();
        through.host("127.0.0.1").port(forwarder.port);
        if let Some(user) = config.get_user() {
            through.user(user);
        }
        if let Some(password) = config.get_password() {
            through.password(password);
        }
        if let Some(name) = config.get_dbname() {
            through.dbname(name);
        }
        let watched = Watched::new(name.clone(), forwarder.child.id());
        let target = Target { name, address: Address::Postgres(Box::new(through)) };
        Ok((forwarder, target, watched))
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
