//! `p_transaction_id`: a command of a single operation is remembered with its reply, and answered from memory once
//! (sql-api.md 5). The memory is the table `documentdb_data.retry_<collection>`, made when it is first needed.

use pgrx::pg_sys;

use crate::catalog::{Collection, relation};
use crate::ddl::AsAdmin;
use crate::error::Result;
use crate::spi::{self, Cell, Param};
use crate::xact::{Snapshot, subtransaction};

/// Runs a command, or gives the reply it had before. A remembered reply is given once; replies with errors are not kept.
pub fn remembered(
    collection: Option<&Collection>,
    transaction: Option<&str>,
    run: impl FnOnce() -> Result<(Vec<u8>, bool)>,
) -> Result<(Vec<u8>, bool)> {
    let (Some(c), Some(id)) = (collection, transaction) else { return run() };
    table(c.id)?;
    if let Some(reply) = take(c.id, id)? {
        return Ok((reply, true));
    }
    let (reply, success) = run()?;
    if success {
        keep(c.id, id, &reply)?;
    }
    Ok((reply, success))
}

fn table(id: i64) -> Result<()> {
    let exists = || {
        Ok::<_, crate::error::Error>(
            relation(c"documentdb_data", &format!("retry_{id}"))? != pg_sys::InvalidOid,
        )
    };
    if exists()? {
        return Ok(());
    }
    let made = subtransaction(|| {
        let _admin = AsAdmin::new()?;
        spi::run(
            &format!(
                "CREATE TABLE documentdb_data.retry_{id} (
                     shard_key_value bigint NOT NULL, transaction_id text NOT NULL, object_id documentdb_core.bson,
                     rows_affected boolean NOT NULL, write_time timestamptz DEFAULT pg_catalog.now(),
                     result_document documentdb_core.bson, PRIMARY KEY (shard_key_value, transaction_id))"
            ),
            &[],
        )
    });
    match made {
        Ok(_) => Ok(()),
        // Another backend was faster.
        Err(_) if exists()? => Ok(()),
        Err(e) => Err(e),
    }
}

fn take(id: i64, transaction: &str) -> Result<Option<Vec<u8>>> {
    let _admin = AsAdmin::new()?;
    let _snapshot = Snapshot::fresh();
    let rows = spi::run_returning(
        &format!(
            "DELETE FROM documentdb_data.retry_{id}
             WHERE shard_key_value OPERATOR(pg_catalog.=) $1 AND transaction_id OPERATOR(pg_catalog.=) $2 RETURNING result_document"
        ),
        &[Param::Int8(id), Param::Text(Some(transaction))],
    )?;
    Ok(rows.first().and_then(|r| r.first()).and_then(Cell::bytes).map(<[u8]>::to_vec))
}

fn keep(id: i64, transaction: &str, reply: &[u8]) -> Result<()> {
    let _admin = AsAdmin::new()?;
    spi::run(
        &format!(
            "INSERT INTO documentdb_data.retry_{id} (shard_key_value, transaction_id, rows_affected, result_document)
             VALUES ($1, $2, true, $3)"
        ),
        &[Param::Int8(id), Param::Text(Some(transaction)), Param::Bytes(Some(reply))],
    )?;
    Ok(())
}
