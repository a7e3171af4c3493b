//! Runs a statement on the nodes that the route allows, and decides what is tried again.
//!
//! A read may run again on another connection or node. A write runs again only when nothing was sent, or when
//! PostgreSQL said that it rolled the statement back.
use tokio::time::{Duration, Instant};
use tokio_postgres::Row;

use super::Call;
use crate::error::{CommandError, Result, Retry, codes};
use crate::pool::{Lease, Role};
use crate::sql::{Param, SqlCall, run};

/// How often a statement that PostgreSQL rolled back runs in all.
pub(super) const ATTEMPTS: u32 = 6;
/// A connection to PostgreSQL that sent more bytes than this in one request is not kept: opening another one costs less
/// than sending that much does.
const LARGE: usize = 4 * 1024 * 1024;
/// The first pause before such a statement runs again; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(4);

impl Call<'_> {
    /// Runs a statement where the route says, reading or writing.
    ///
    /// # Errors
    /// What PostgreSQL raised or why no node could be asked.
    pub(super) async fn run(&self, sql: &'static SqlCall, params: &[Param<'_>]) -> Result<(Row, Lease)> {
        if self.request.writes() { self.write(sql, params).await } else { self.read(sql, params).await }
    }

    /// Runs a reading statement on the first node that answers.
    ///
    /// # Errors
    /// The last node's error, or the statement's own.
    pub(super) async fn read(&self, sql: &'static SqlCall, params: &[Param<'_>]) -> Result<(Row, Lease)> {
        let budget = self.request.budget;
        let mut last = None;
        for node in self.services.pools.readers(self.pick)? {
            let mut attempt = 0;
            loop {
                attempt += 1;
                let mut lease = match node.checkout(self.session.role(), budget.deadline).await {
                    Ok(lease) => self.unless_large(lease),
                    Err(error) if error.retry == Retry::BeforeSend => {
                        last = Some(error);
                        break;
                    }
                    Err(error) => return Err(error),
                };
                let error = match run::row(&mut lease, budget, sql, params).await {
                    Ok(row) => return Ok((row, lease)),
                    Err(error) => error,
                };
                match error.retry {
                    Retry::IfReused if lease.reused() && attempt == 1 => node.count_retry(),
                    Retry::RolledBack if attempt < 3 => {
                        node.count_retry();
                        pause(attempt, budget.deadline).await?;
                    }
                    Retry::IfReused | Retry::RolledBack | Retry::BeforeSend => {
                        last = Some(unavailable(error, node.role()));
                        break;
                    }
                    Retry::Never => return Err(error),
                }
            }
        }
        Err(last.unwrap_or_else(|| CommandError::unexpected("no node was tried")))
    }

    /// Runs a writing statement on the primary.
    ///
    /// # Errors
    /// The statement's own, or why the primary could not be asked.
    pub(super) async fn write(&self, sql: &'static SqlCall, params: &[Param<'_>]) -> Result<(Row, Lease)> {
        let mut lease = self.writer().await?;
        let row = self.write_on(&mut lease, sql, params).await?;
        Ok((row, lease))
    }

    /// A connection to the primary.
    ///
    /// # Errors
    /// Why there is none. Nothing was sent.
    pub(super) async fn writer(&self) -> Result<Lease> {
        Ok(self.unless_large(self.current_writer().await?))
    }

    /// Marks a connection that is about to send much: the driver's buffer of it never shrinks again.
    fn unless_large(&self, mut lease: Lease) -> Lease {
        if self.request.length() > LARGE {
            lease.taint();
        }
        lease
    }

    async fn current_writer(&self) -> Result<Lease> {
        let deadline = self.request.budget.deadline;
        let pools = &self.services.pools;
        let first = pools.writer()?;
        let role = self.session.role();
        match first.checkout_writable(role, deadline).await {
            // What was known of the node is outdated; another one may be the primary by now.
            Err(error) if error.code == codes::NOT_WRITABLE_PRIMARY => match pools.writer() {
                Ok(other) => other.checkout_writable(role, deadline).await,
                Err(_) => Err(error),
            },
            outcome => outcome,
        }
    }

    /// Runs a writing statement on a connection to the primary, again as long as PostgreSQL rolls it back.
    ///
    /// # Errors
    /// The statement's own.
    pub(super) async fn write_on(
        &self,
        lease: &mut Lease,
        sql: &'static SqlCall,
        params: &[Param<'_>],
    ) -> Result<Row> {
        let budget = self.request.budget;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match run::row(lease, budget, sql, params).await {
                Err(error) if error.retry == Retry::RolledBack && attempt < ATTEMPTS => {
                    lease.node().count_retry();
                    pause(attempt, budget.deadline).await?;
                }
                outcome => return outcome,
            }
        }
    }
}

/// A read that a standby gave up because of what it has to replay is not the client's conflict.
fn unavailable(error: CommandError, role: Role) -> CommandError {
    if error.retry == Retry::RolledBack && role == Role::Standby {
        return CommandError {
            code: codes::HOST_UNREACHABLE,
            message: "the standby gave the read up".into(),
            ..error
        };
    }
    error
}

pub(super) async fn pause(attempt: u32, deadline: Option<Instant>) -> Result<()> {
    let until = Instant::now() + FIRST_PAUSE * 2u32.saturating_pow(attempt - 1);
    if deadline.is_some_and(|deadline| deadline < until) {
        return Err(CommandError::client(codes::MAX_TIME_MS_EXPIRED, "operation exceeded time limit"));
    }
    tokio::time::sleep_until(until).await;
    Ok(())
}
