//! A server under measurement.

use crate::error::Error;
use crate::floor::Floor;
use crate::mongo::Mongo;
use crate::scram::Login;
use crate::workload::Operation;
use percent_encoding::percent_decode_str;

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
    /// MongoDB's protocol at `host:port`, with SCRAM-SHA-256 when a user is given.
    Mongo { endpoint: String, login: Option<Login> },
    /// PostgreSQL, whose calls are the floor.
    Postgres(Box<tokio_postgres::Config>),
}

impl std::str::FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let usage = || Error::Usage(format!("a target is NAME=URI, not '{text}'"));
        let (name, uri) = text.split_once('=').ok_or_else(usage)?;
        let address = if let Some(rest) = uri.strip_prefix("mongodb://") {
            let rest = rest.split(['/', '?']).next().unwrap_or(rest);
            let decoded = |s: &str| percent_decode_str(s).decode_utf8_lossy().into_owned();
            match rest.rsplit_once('@') {
                Some((login, endpoint)) => {
                    let (user, password) = login.split_once(':').ok_or_else(usage)?;
                    Address::Mongo {
                        endpoint: endpoint.to_owned(),
                        login: Some(Login::new(decoded(user), decoded(password))),
                    }
                }
                None => Address::Mongo { endpoint: rest.to_owned(), login: None },
            }
        } else {
            Address::Postgres(Box::new(uri.parse()?))
        };
        Ok(Self { name: name.to_owned(), address })
    }
}

/// One open connection.
pub(crate) enum Connection {
    /// Raw frames.
    Mongo(Mongo),
    /// Prepared, binary SQL calls.
    Floor(Floor),
}

impl Target {
    /// Opens a connection, authenticated and ready.
    pub(crate) async fn connect(&self) -> Result<Connection, Error> {
        Ok(match &self.address {
            Address::Mongo { endpoint, login } => {
                Connection::Mongo(Mongo::connect(endpoint, login.as_ref()).await?)
            }
            Address::Postgres(config) => Connection::Floor(Floor::connect(config).await?),
        })
    }
}

impl Connection {
    /// Runs one operation to its end, further batches included, and checks its answer.
    pub(crate) async fn run(&mut self, database: &str, operation: &Operation) -> Result<(), Error> {
        match self {
            Connection::Mongo(c) => c.run(database, operation).await,
            Connection::Floor(c) => c.run(database, operation).await,
        }
    }
}
