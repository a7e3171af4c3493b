//! A Unix socket over which a test in another language kills and starts the servers of a cluster.
//!
//! One request a connection, one line each way: `kill NODE`, `stop NODE`, `start NODE` or `sql NODE STATEMENTS`
//! (as superuser, with `;;` between them) or `promote NODE`, answered by `ok` or by the
//! sentence of an error.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use crate::cluster::Cluster;
use crate::error::{Context, Error, Result};
use crate::node::Stop;

/// What ends [`Control::serve`].
const END: &str = "end";

/// The listening socket.
pub(crate) struct Control {
    listener: UnixListener,
}

impl Control {
    pub(crate) fn listen(path: &Path) -> Result<Self> {
        let listener = UnixListener::bind(path).context(|| format!("listen on {}", path.display()))?;
        Ok(Self { listener })
    }

    /// Answers requests until [`Control::end`].
    pub(crate) fn serve(&self, cluster: &Cluster) {
        for stream in self.listener.incoming().flatten() {
            let mut line = String::new();
            // Who hangs up early asks for nothing.
            let _ = BufReader::new(&stream).read_line(&mut line);
            if line.trim() == END {
                return;
            }
            let answer = request(cluster, line.trim()).map_or_else(|e| e.to_string(), |()| "ok".into());
            let _ = writeln!(&stream, "{answer}");
        }
    }

    /// Ends the service at `path`.
    pub(crate) fn end(path: &Path) -> Result<()> {
        let stream = UnixStream::connect(path).context(|| format!("connect to {}", path.display()))?;
        writeln!(&stream, "{END}").context(|| format!("write to {}", path.display()))
    }
}

fn request(cluster: &Cluster, line: &str) -> Result<()> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (name, statements) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut nodes = std::iter::once(cluster.primary()).chain(cluster.standbys());
    let node =
        nodes.find(|node| node.name() == name).ok_or_else(|| Error::new(format!("no node {name:?}")))?;
    match verb {
        "kill" => node.kill(),
        "stop" => node.stop(Stop::Fast),
        "start" => node.start(),
        "promote" => node.promote(),
        "sql" => {
            statements.split(";;").filter(|one| !one.trim().is_empty()).try_for_each(|one| node.execute(one))
        }
        _ => Err(Error::new(format!("no request {verb:?}"))),
    }
}
