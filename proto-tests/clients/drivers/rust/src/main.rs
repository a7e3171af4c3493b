//! Plays the scenario with the Rust driver: `ermine-driver-scenario URI DATABASE`. Prints the results as one line of
//! Extended JSON.
#![expect(clippy::print_stdout, reason = "its output is the result")]
use std::error::Error;

use futures_util::TryStreamExt;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::{IndexOptions, ReturnDocument, UpdateModifications};
use mongodb::results::UpdateResult;
use mongodb::{Client, Collection, Database, IndexModel};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Player {
    client: Client,
    db: Database,
}

fn text<'a>(step: &'a Document, field: &str) -> Result<&'a str> {
    Ok(step.get_str(field)?)
}

fn filter(step: &Document) -> Result<Document> {
    Ok(step.get_document("filter")?.clone())
}

fn documents(step: &Document, field: &str) -> Result<Vec<Document>> {
    let list = step.get_array(field)?.iter();
    list.map(|item| item.as_document().cloned().ok_or_else(|| "no document".into())).collect()
}

fn update(step: &Document) -> Result<UpdateModifications> {
    Ok(match step.get("update") {
        Some(Bson::Array(_)) => UpdateModifications::Pipeline(documents(step, "update")?),
        _ => UpdateModifications::Document(step.get_document("update")?.clone()),
    })
}

fn number(value: u64) -> Result<Bson> {
    Ok(Bson::Int64(i64::try_from(value)?))
}

fn updated(result: UpdateResult) -> Result<Bson> {
    Ok(Bson::Document(doc! {
        "matched": number(result.matched_count)?,
        "modified": number(result.modified_count)?,
        "upserted": result.upserted_id.unwrap_or(Bson::Null),
    }))
}

fn names(mut names: Vec<String>) -> Bson {
    names.sort();
    Bson::Array(names.into_iter().map(Bson::String).collect())
}

fn which(step: &Document) -> ReturnDocument {
    if step.get_bool("after").unwrap_or(false) { ReturnDocument::After } else { ReturnDocument::Before }
}

fn found(document: Option<Document>) -> Bson {
    document.map_or(Bson::Null, Bson::Document)
}

fn all(documents: Vec<Document>) -> Bson {
    Bson::Array(documents.into_iter().map(Bson::Document).collect())
}

impl Player {
    fn things(&self) -> Collection<Document> {
        self.db.collection("things")
    }

    async fn play(&self, step: &Document) -> Result<Bson> {
        let c = self.things();
        Ok(match text(step, "op")? {
            "hello" => {
                let reply = self.db.run_command(doc! { "hello": 1 }).await?;
                let of = |name: &str| reply.get(name).cloned().unwrap_or(Bson::Null);
                let names = ["isWritablePrimary", "maxWireVersion", "readOnly"];
                Bson::Document(names.iter().map(|name| ((*name).to_owned(), of(name))).collect())
            }
            "ping" => Bson::Double(self.db.run_command(doc! { "ping": 1 }).await?.get_f64("ok")?),
            "createCollection" => {
                self.db.create_collection(text(step, "collection")?).await?;
                Bson::String(text(step, "collection")?.to_owned())
            }
            "insertOne" => c.insert_one(step.get_document("document")?).await?.inserted_id,
            "insertMany" => {
                let ordered = step.get_bool("ordered").unwrap_or(true);
                let result = c.insert_many(documents(step, "documents")?).ordered(ordered).await?;
                number(u64::try_from(result.inserted_ids.len())?)?
            }
            "findOne" => found(c.find_one(filter(step)?).await?),
            "find" => self.find(step).await?,
            "countDocuments" => number(c.count_documents(filter(step)?).await?)?,
            "estimatedDocumentCount" => number(c.estimated_document_count().await?)?,
            "distinct" => Bson::Array(c.distinct(text(step, "field")?, filter(step)?).await?),
            "updateOne" => {
                let mut action = c.update_one(filter(step)?, update(step)?);
                action = action.upsert(step.get_bool("upsert").unwrap_or(false));
                if step.contains_key("arrayFilters") {
                    action = action.array_filters(documents(step, "arrayFilters")?);
                }
                updated(action.await?)?
            }
            "updateMany" => updated(c.update_many(filter(step)?, update(step)?).await?)?,
            "replaceOne" => updated(c.replace_one(filter(step)?, step.get_document("replacement")?).await?)?,
            "deleteOne" => number(c.delete_one(filter(step)?).await?.deleted_count)?,
            "deleteMany" => number(c.delete_many(filter(step)?).await?.deleted_count)?,
            "findOneAndUpdate" => {
                found(c.find_one_and_update(filter(step)?, update(step)?).return_document(which(step)).await?)
            }
            "findOneAndReplace" => {
                let replacement = step.get_document("replacement")?;
                found(c.find_one_and_replace(filter(step)?, replacement).return_document(which(step)).await?)
            }
            "findOneAndDelete" => found(c.find_one_and_delete(filter(step)?).await?),
            "aggregate" => {
                all(c.aggregate(documents(step, "pipeline")?).await?.try_collect::<Vec<Document>>().await?)
            }
            "createIndex" => {
                let flag = |name: &str| step.get_bool(name).unwrap_or(false);
                let options = IndexOptions::builder().unique(flag("unique")).sparse(flag("sparse")).build();
                let keys = step.get_document("keys")?.clone();
                let model = IndexModel::builder().keys(keys).options(options).build();
                Bson::String(c.create_index(model).await?.index_name)
            }
            "listIndexes" => names(c.list_index_names().await?),
            "dropIndex" => {
                c.drop_index(text(step, "name")?).await?;
                Bson::Boolean(true)
            }
            _ => self.play_more(step).await?,
        })
    }

    async fn find(&self, step: &Document) -> Result<Bson> {
        let collection = self.db.collection::<Document>(step.get_str("collection").unwrap_or("things"));
        let mut action = collection.find(filter(step)?);
        if let Ok(sort) = step.get_document("sort") {
            action = action.sort(sort.clone());
        }
        if let Ok(projection) = step.get_document("projection") {
            action = action.projection(projection.clone());
        }
        if let Ok(hint) = step.get_document("hint") {
            action = action.hint(mongodb::options::Hint::Keys(hint.clone()));
        }
        if let Ok(skip) = step.get_i32("skip") {
            action = action.skip(u64::try_from(skip)?);
        }
        if let Ok(limit) = step.get_i32("limit") {
            action = action.limit(i64::from(limit));
        }
        if let Ok(size) = step.get_i32("batchSize") {
            action = action.batch_size(u32::try_from(size)?);
        }
        Ok(all(action.await?.try_collect().await?))
    }

    async fn play_more(&self, step: &Document) -> Result<Bson> {
        let c = self.things();
        Ok(match text(step, "op")? {
            "bulkWrite" => self.bulk_write(step).await?,
            "manyDocuments" => {
                let many = (0..step.get_i32("count")?).map(|n| doc! { "_id": n, "text": "x".repeat(100) });
                let result = self.db.collection("many").insert_many(many).await?;
                number(u64::try_from(result.inserted_ids.len())?)?
            }
            "readMany" => {
                let size = u32::try_from(step.get_i32("batchSize")?)?;
                let many = self.db.collection::<Document>("many").find(doc! {}).batch_size(size).await?;
                number(u64::try_from(many.try_collect::<Vec<_>>().await?.len())?)?
            }
            "largeDocument" => {
                let large = self.db.collection::<Document>("large");
                let long = "ü".repeat(usize::try_from(step.get_i32("bytes")?)? / 2);
                large.insert_one(doc! { "_id": 1, "text": long }).await?;
                let document = large.find_one(doc! { "_id": 1 }).await?.ok_or("gone")?;
                number(u64::try_from(document.get_str("text")?.len())?)?
            }
            "listCollections" => names(self.db.list_collection_names().await?),
            "renameCollection" => {
                let of = |name: &str| format!("{}.{name}", self.db.name());
                let (from, to) = (of(text(step, "from")?), of(text(step, "to")?));
                let command = doc! { "renameCollection": from, "to": to };
                self.client.database("admin").run_command(command).await?;
                Bson::Boolean(true)
            }
            "dropCollection" => {
                self.db.collection::<Document>(text(step, "collection")?).drop().await?;
                Bson::Boolean(true)
            }
            "listDatabases" => {
                let all = self.client.list_database_names().await?;
                Bson::Boolean(all.iter().any(|name| name == self.db.name()))
            }
            "runCommand" => {
                let reply = self.db.run_command(step.get_document("command")?.clone()).await?;
                reply.get(text(step, "field")?).cloned().unwrap_or(Bson::Null)
            }
            "session" => {
                let mut session = self.client.start_session().await?;
                let mut cursor = c.find(filter(step)?).batch_size(2).session(&mut session).await?;
                let found: Vec<_> = cursor.stream(&mut session).try_collect().await?;
                number(u64::try_from(found.len())?)?
            }
            "explain" => {
                let command = doc! { "explain": { "find": "things", "filter": filter(step)? } };
                Bson::Boolean(self.db.run_command(command).await?.contains_key("queryPlanner"))
            }
            "dropDatabase" => {
                self.db.drop().await?;
                Bson::Boolean(true)
            }
            other => return Err(format!("an unknown step: {other}").into()),
        })
    }

    /// This driver's bulkWrite is the command of MongoDB 8, whatever the collection.
    async fn bulk_write(&self, step: &Document) -> Result<Bson> {
        use mongodb::options::{DeleteOneModel, InsertOneModel, UpdateOneModel, WriteModel};
        let namespace = self.things().namespace();
        let mut models: Vec<WriteModel> = Vec::new();
        for model in documents(step, "models")? {
            let (kind, body) = model.iter().next().ok_or("an empty model")?;
            let body = body.as_document().ok_or("no document")?;
            let ns = namespace.clone();
            models.push(match kind.as_str() {
                "insertOne" => InsertOneModel::builder().namespace(ns).document(body.clone()).build().into(),
                "updateOne" => {
                    let (filter, change) = (filter(body)?, body.get_document("update")?.clone());
                    UpdateOneModel::builder().namespace(ns).filter(filter).update(change).build().into()
                }
                _ => DeleteOneModel::builder().namespace(ns).filter(filter(body)?).build().into(),
            });
        }
        let result = self.client.bulk_write(models).await?;
        Ok(Bson::Document(doc! {
            "inserted": result.inserted_count, "modified": result.modified_count, "deleted": result.deleted_count,
        }))
    }
}

/// The code that the server gave.
fn code(error: &(dyn Error + 'static)) -> Option<i32> {
    match &*error.downcast_ref::<mongodb::error::Error>()?.kind {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(mongodb::error::WriteFailure::WriteError(error)) => Some(error.code),
        ErrorKind::InsertMany(error) => error.write_errors.as_ref()?.first().map(|error| error.code),
        _ => None,
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let (Some(uri), Some(database)) = (words.next(), words.next()) else { return Err("URI DATABASE".into()) };
    let scenario: serde_json::Value = serde_json::from_str(include_str!("../../scenario.json"))?;
    let client = Client::with_uri_str(uri).await?;
    let db = client.database(&database);
    let player = Player { client, db };
    let mut results = Vec::new();
    for step in scenario.as_array().ok_or("no list")? {
        let Bson::Document(step) = Bson::try_from(step.clone())? else { return Err("no document".into()) };
        let result = match player.play(&step).await {
            Ok(result) => result,
            Err(error) => Bson::Document(doc! { "code": code(&*error).ok_or(error)? }),
        };
        results.push(result.into_relaxed_extjson());
    }
    println!("{}", serde_json::Value::Array(results));
    Ok(())
}
