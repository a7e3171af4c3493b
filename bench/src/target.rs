//! A server under measurement.

use crate::driver::Driver;
use crate::error::Error;
use crate::floor::Floor;
use crate::mongo::Mongo;
use crate::scram::Login;
use crate::wire::Compressor;
use crate::workload::{Moved, Operation};
use futures_util::future::try_join_all;
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// Name and address of a server.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Name in the report.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) address: Address,
}

/// How to reach a server.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    /// MongoDB's protocol as raw frames.
    Mongo(Endpoint),
    /// MongoDB's protocol through the official driver; the URI is its own.
    Driver(String),
    /// PostgreSQL, whose calls are the floor.
    Postgres(Box<tokio_postgres::Config>),
}

/// Where and how raw frames are spoken.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// `host:port`
    pub(crate) address: String,
    /// Logs in with SCRAM-SHA-256.
    pub(crate) login: Option<Login>,
    /// Speaks TLS.
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
    /// Compresses requests, and asks for compressed replies.
    pub(crate) compressor: Option<Compressor>,
}

impl std::str::FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, uri) = text
            .split_once('=')
            .ok_or_else(|| Error::Usage(format!("a target is NAME=URI, not '{text}'")))?;
        let address = if let Some(rest) = uri.strip_prefix("driver+") {
            Address::Driver(rest.to_owned())
        } else if let Some(rest) = uri.strip_prefix("mongodb://") {
            Address::Mongo(endpoint(rest)?)
        } else {
            Address::Postgres(Box::new(uri.parse()?))
        };
        Ok(Self { name: name.to_owned(), address })
    }
}

/// Reads what follows `mongodb://`. Options that a raw client has no use for are the driver's and passed over.
fn endpoint(rest: &str) -> Result<Endpoint, Error> {
    let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
    let rest = rest.split('/').next().unwrap_or(rest);
    let decoded = |s: &str| percent_decode_str(s).decode_utf8_lossy().into_owned();
    let (login, address) = match rest.rsplit_once('@') {
        Some((login, address)) => {
            let (user, password) = login
                .split_once(':')
                .ok_or_else(|| Error::Usage("a URI with a user needs a password".to_owned()))?;
            (Some(Login::new(decoded(user), decoded(password))), address)
        }
        None => (None, rest),
    };
    let option = |wanted: &str| {
        let mut all = options.split('&').filter_map(|option| option.split_once('='));
        all.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| decoded(value))
    };
    let tls = option("tls").or_else(|| option("ssl")).is_some_and(|value| value == "true");
    let tls = if tls { Some(crate::tls::config(option("tlsCAFile").as_deref())?) } else { None };
    let compressor = match option("compressors") {
        Some(name) => Some(
            Compressor::named(&name)
                .ok_or_else(|| Error::Usage(format!("one of snappy, zlib, zstd, not '{name}'")))?,
        ),
        None => None,
    };
    Ok(Endpoint { address: address.to_owned(), login, tls, compressor })
}

/// One open connection.
pub(crate) enum Connection {
    /// Raw frames.
    Mongo(Mongo),
    /// The official driver.
    Driver(Driver),
    /// Prepared, binary SQL calls.
    Floor(Box<Floor>),
}

impl Target {
    /// Opens a connection, authenticated and ready.
    pub(crate) async fn connect(&self) -> Result<Connection, Error> {
        Ok(match &self.address {
            Address::Mongo(endpoint) => Connection::Mongo(Mongo::connect(endpoint).await?),
            Address::Driver(uri) => Connection::Driver(Driver::connect(uri).await?),
            Address::Postgres(config) => Connection::Floor(Box::new(Floor::connect(config).await?)),
        })
    }

    /// Opens so many.
    pub(crate) async fn connect_all(&self, count: usize) -> Result<Vec<Connection>, Error> {
        let mut open = Vec::with_capacity(count);
        if matches!(self.address, Address::Driver(_)) {
            // One client for all: a driver has a pool of its own.
            if let Connection::Driver(driver) = self.connect().await? {
                open.extend((0..count).map(|_| Connection::Driver(driver.clone())));
            }
            return Ok(open);
        }
        while open.len() < count {
            let some = (count - open.len()).min(32);
            open.extend(try_join_all((0..some).map(|_| self.connect())).await?);
        }
        Ok(open)
    }
}

impl Connection {
    /// Runs operations that are sent together, each to its end, further batches included, and checks the answers.
    pub(crate) async fn run(&mut self, database: &str, operations: &[Operation]) -> Result<Moved, Error> {
        match self {
            Connection::Mongo(c) => c.run(database, operations).await,
            Connection::Driver(c) => {
                let each = operations.iter().map(|operation| c.run(database, operation));
                Ok(try_join_all(each).await?.into_iter().sum())
            }
            Connection::Floor(c) => match operations {
                [one] => c.run(database, one).await,
                _ => {
                    let each = operations.iter().map(|operation| c.run(database, operation));
                    Ok(try_join_all(each).await?.into_iter().sum())
                }
            },
        }
    }
}
