//! The floor: the SQL calls an operation comes down to, prepared once and binary, straight to PostgreSQL.

use crate::error::Error;
use crate::workload::{Call, Moved, Operation};
use bson::{RawDocument, rawdoc};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls, Statement};

const NOTHING: &str = "SELECT 1";
const FIND: &str = "SELECT cursorpage::bytea, continuation::bytea, persistconnection, cursorid \
     FROM documentdb_api.find_cursor_first_page($1, $2)";
const FIND_ONE: &str = "SELECT (documentdb_api.find_cursor_first_page($1, $2)).cursorpage::bytea";
const AGGREGATE: &str = "SELECT cursorpage::bytea, continuation::bytea, persistconnection, cursorid \
     FROM documentdb_api.aggregate_cursor_first_page($1, $2)";
const MORE: &str =
    "SELECT cursorpage::bytea, continuation::bytea FROM documentdb_api.cursor_get_more($1, $2, $3)";
const COUNT: &str = "SELECT documentdb_api.count_query($1, $2)::bytea";
const INSERT: &str = "SELECT (documentdb_api.insert($1, $2, $3, NULL)).p_result::bytea";
const UPDATE: &str = "SELECT (documentdb_api.update($1, $2, $3, NULL)).p_result::bytea";

/// One connection with its prepared calls.
pub(crate) struct Floor {
    client: Client,
    nothing: Statement,
    find: Statement,
    find_one: Statement,
    aggregate: Statement,
    more: Statement,
    count: Statement,
    insert: Statement,
    update: Statement,
}

impl Floor {
    /// Connects and prepares every call.
    #[allow(clippy::disallowed_methods, reason = "a load generator has no task tracker to stop")]
    pub(crate) async fn connect(config: &tokio_postgres::Config) -> Result<Self, Error> {
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        let two = [Type::TEXT, Type::BYTEA];
        let three = [Type::TEXT, Type::BYTEA, Type::BYTEA];
        Ok(Self {
            nothing: client.prepare(NOTHING).await?,
            find: client.prepare_typed(FIND, &two).await?,
            find_one: client.prepare_typed(FIND_ONE, &two).await?,
            aggregate: client.prepare_typed(AGGREGATE, &two).await?,
            more: client.prepare_typed(MORE, &three).await?,
            count: client.prepare_typed(COUNT, &two).await?,
            insert: client.prepare_typed(INSERT, &three).await?,
            update: client.prepare_typed(UPDATE, &three).await?,
            client,
        })
    }

    /// Runs one operation to its end.
    pub(crate) async fn run(&self, database: &str, operation: &Operation) -> Result<Moved, Error> {
        let body = operation.body.as_bytes();
        let mut moved = body.len();
        let seen = match operation.call {
            Call::Nothing => {
                self.client.query_one(&self.nothing, &[]).await?;
                0
            }
            Call::Count => {
                self.client.query_one(&self.count, &[&database, &body]).await?;
                0
            }
            Call::Find if operation.body.get_bool("singleBatch").unwrap_or(false) => {
                let row = self.client.query_one(&self.find_one, &[&database, &body]).await?;
                documents(row.get(0), "firstBatch", &mut moved)?
            }
            Call::Find => self.pages(&self.find, database, operation, &mut moved).await?,
            Call::Aggregate => self.pages(&self.aggregate, database, operation, &mut moved).await?,
            Call::Insert => self.write(&self.insert, database, operation, &mut moved).await?,
            Call::Update => self.write(&self.update, database, operation, &mut moved).await?,
        };
        if seen < operation.expect {
            return Err(Error::answer(format!("{} documents instead of {}", seen, operation.expect)));
        }
        Ok(moved)
    }

    async fn pages(
        &self,
        first: &Statement,
        database: &str,
        operation: &Operation,
        moved: &mut Moved,
    ) -> Result<usize, Error> {
        let row = self.client.query_one(first, &[&database, &operation.body.as_bytes()]).await?;
        let id: i64 = row.get(3);
        let mut seen = documents(row.get(0), "firstBatch", moved)?;
        let mut continuation: Option<Vec<u8>> = row.get(1);
        while let Some(at) = continuation {
            let more = rawdoc! { "getMore": id, "collection": operation.collection, "batchSize": 1000_i32 };
            let row = self.client.query_one(&self.more, &[&database, &more.as_bytes(), &at]).await?;
            seen += documents(row.get(0), "nextBatch", moved)?;
            continuation = row.get(1);
        }
        Ok(seen)
    }

    async fn write(
        &self,
        call: &Statement,
        database: &str,
        operation: &Operation,
        moved: &mut Moved,
    ) -> Result<usize, Error> {
        let sequence = operation.sequence.as_ref().map(|(_, documents)| &**documents);
        *moved += sequence.map_or(0, <[u8]>::len);
        let row = self.client.query_one(call, &[&database, &operation.body.as_bytes(), &sequence]).await?;
        let reply = parse(row.get(0))?;
        if reply.get_array("writeErrors").is_ok() {
            return Err(Error::answer(format!("the call answered {reply:?}")));
        }
        Ok(usize::try_from(reply.get_i32("n").unwrap_or(0)).unwrap_or(0))
    }
}

fn parse(bytes: &[u8]) -> Result<&RawDocument, Error> {
    RawDocument::from_bytes(bytes).map_err(|e| Error::answer(e.to_string()))
}

fn documents(page: &[u8], batch: &str, moved: &mut Moved) -> Result<usize, Error> {
    *moved += page.len();
    let cursor = parse(page)?.get_document("cursor").map_err(|e| Error::answer(e.to_string()))?;
    Ok(cursor.get_array(batch).map_or(0, |b| b.into_iter().count()))
}
