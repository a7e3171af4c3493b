//! What ends a run.

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A socket failed.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    /// PostgreSQL answered with an error.
    #[error("PostgreSQL: {0}")]
    Postgres(#[from] tokio_postgres::Error),
    /// The endpoint answered something else than success.
    #[error("{0}")]
    Answer(String),
}

impl Error {
    /// An answer that makes the measurement worthless.
    pub(crate) fn answer(what: impl Into<String>) -> Self {
        Error::Answer(what.into())
    }
}
