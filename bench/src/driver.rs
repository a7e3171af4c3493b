//! The same operations through the official driver, with the calls an application would make.

use crate::error::Error;
use crate::workload::{Call, Moved, Operation};
use bson::{Document, RawDocument, RawDocumentBuf};
use futures_util::StreamExt;
use mongodb::Client;
use mongodb::options::ClientOptions;

/// A handle of a client; all connections of a target share its pool.
#[derive(Clone, Debug)]
pub(crate) struct Driver(Client);

fn failed(e: impl std::fmt::Display) -> Error {
    Error::answer(format!("driver: {e}"))
}

impl Driver {
    /// A client with a pool that is large enough for any number of connections.
    pub(crate) async fn connect(uri: &str) -> Result<Self, Error> {
        let mut options = ClientOptions::parse(uri).await.map_err(failed)?;
        options.max_pool_size = Some(4096);
        Ok(Self(Client::with_options(options).map_err(failed)?))
    }

    /// Runs one operation to its end.
    pub(crate) async fn run(&self, database: &str, operation: &Operation) -> Result<Moved, Error> {
        let db = self.0.database(database);
        let collection = db.collection::<RawDocumentBuf>(operation.collection);
        let body = &operation.body;
        let mut moved = body.as_bytes().len();
        let seen = match operation.call {
            Call::Nothing | Call::Count => {
                db.run_command(document(body)?).await.map_err(failed)?;
                operation.expect
            }
            Call::Find => {
                let filter = document(body.get_document("filter").map_err(failed)?)?;
                let find = collection.find(filter);
                let find = match body.get_i32("limit") {
                    Ok(limit) => find.limit(limit.into()),
                    Err(_) => find.batch_size(1000),
                };
                drain(find.await.map_err(failed)?, &mut moved).await?
            }
            Call::Aggregate => {
                let stages = body.get_array("pipeline").map_err(failed)?.into_iter();
                let pipeline = stages.map(|stage| {
                    document(stage.map_err(failed)?.as_document().ok_or_else(|| failed("a stage"))?)
                });
                let pipeline = pipeline.collect::<Result<Vec<_>, _>>()?;
                let aggregate = collection.aggregate(pipeline).with_type::<RawDocumentBuf>();
                drain(aggregate.await.map_err(failed)?, &mut moved).await?
            }
            Call::Insert => {
                let documents = operation.documents()?;
                moved += operation.sequence.as_ref().map_or(0, |(_, bytes)| bytes.len());
                collection.insert_many(documents).await.map_err(failed)?.inserted_ids.len()
            }
            Call::Update => {
                let statements = operation.documents()?;
                let statement = statements.first().ok_or_else(|| failed("no statement"))?;
                let part = |name| document(statement.get_document(name).map_err(failed)?);
                let done = collection.update_one(part("q")?, part("u")?).await.map_err(failed)?;
                usize::try_from(done.matched_count).unwrap_or(usize::MAX)
            }
        };
        if seen < operation.expect {
            return Err(Error::answer(format!("{} documents instead of {}", seen, operation.expect)));
        }
        Ok(moved)
    }
}

async fn drain(mut cursor: mongodb::Cursor<RawDocumentBuf>, moved: &mut Moved) -> Result<usize, Error> {
    let mut seen = 0;
    while let Some(next) = cursor.next().await {
        *moved += next.map_err(failed)?.as_bytes().len();
        seen += 1;
    }
    Ok(seen)
}

fn document(raw: &RawDocument) -> Result<Document, Error> {
    Document::try_from(raw).map_err(failed)
}
