// Plays the scenario with a Node driver: node node.js PACKAGE URI DATABASE. Prints the results as one line of Extended JSON.
const fs = require("fs");
const path = require("path");

const [name, uri, database] = process.argv.slice(2);
const { MongoClient } = require(name);
// Each driver understands the types of its own BSON library alone.
const { EJSON } = require(require.resolve("bson", { paths: [path.dirname(require.resolve(name))] }));

const updated = (r) => ({ matched: r.matchedCount, modified: r.modifiedCount, upserted: r.upsertedId });

const operations = {
  hello: async ({ db }) => {
    const { isWritablePrimary, maxWireVersion, readOnly } = await db.command({ hello: 1 });
    return { isWritablePrimary, maxWireVersion, readOnly };
  },
  ping: async ({ db }) => (await db.command({ ping: 1 })).ok,
  createCollection: async ({ db }, s) => (await db.createCollection(s.collection)).collectionName,
  insertOne: async ({ c }, s) => (await c.insertOne(s.document)).insertedId,
  insertMany: async ({ c }, s) => (await c.insertMany(s.documents, { ordered: s.ordered ?? true })).insertedCount,
  findOne: async ({ c }, s) => c.findOne(s.filter),
  find: async ({ db, c }, s) => {
    const { sort, skip, limit, projection, batchSize, hint } = s;
    const options = Object.fromEntries(Object.entries({ sort, skip, limit, projection, batchSize, hint }).filter(([, v]) => v !== undefined));
    return (s.collection ? db.collection(s.collection) : c).find(s.filter, options).toArray();
  },
  countDocuments: async ({ c }, s) => c.countDocuments(s.filter),
  estimatedDocumentCount: async ({ c }) => c.estimatedDocumentCount(),
  distinct: async ({ c }, s) => c.distinct(s.field, s.filter),
  updateOne: async ({ c }, s) => updated(await c.updateOne(s.filter, s.update, { upsert: s.upsert ?? false, ...(s.arrayFilters && { arrayFilters: s.arrayFilters }) })),
  updateMany: async ({ c }, s) => updated(await c.updateMany(s.filter, s.update)),
  replaceOne: async ({ c }, s) => updated(await c.replaceOne(s.filter, s.replacement)),
  findOneAndUpdate: async ({ c }, s) => c.findOneAndUpdate(s.filter, s.update, { returnDocument: s.after ? "after" : "before", includeResultMetadata: false }),
  findOneAndReplace: async ({ c }, s) => c.findOneAndReplace(s.filter, s.replacement, { returnDocument: s.after ? "after" : "before", includeResultMetadata: false }),
  findOneAndDelete: async ({ c }, s) => c.findOneAndDelete(s.filter, { includeResultMetadata: false }),
  createIndex: async ({ c }, s) => c.createIndex(s.keys, { unique: s.unique ?? false, sparse: s.sparse ?? false }),
  listIndexes: async ({ c }) => (await c.listIndexes().toArray()).map((i) => i.name).sort(),
  dropIndex: async ({ c }, s) => (await c.dropIndex(s.name), true),
  aggregate: async ({ c }, s) => c.aggregate(s.pipeline).toArray(),
  bulkWrite: async ({ c }, s) => {
    const r = await c.bulkWrite(s.models);
    return { inserted: r.insertedCount, modified: r.modifiedCount, deleted: r.deletedCount };
  },
  manyDocuments: async ({ db }, s) => {
    const documents = Array.from({ length: s.count }, (_, i) => ({ _id: i, text: "x".repeat(100) }));
    return (await db.collection("many").insertMany(documents)).insertedCount;
  },
  readMany: async ({ db }, s) => {
    let count = 0;
    for await (const document of db.collection("many").find({}, { batchSize: s.batchSize })) count += document.text.length / 100;
    return count;
  },
  largeDocument: async ({ db }, s) => {
    await db.collection("large").insertOne({ _id: 1, text: "ü".repeat(s.bytes / 2) });
    return Buffer.byteLength((await db.collection("large").findOne({ _id: 1 })).text);
  },
  deleteOne: async ({ c }, s) => (await c.deleteOne(s.filter)).deletedCount,
  deleteMany: async ({ c }, s) => (await c.deleteMany(s.filter)).deletedCount,
  listCollections: async ({ db }) => (await db.listCollections().toArray()).map((c) => c.name).sort(),
  renameCollection: async ({ db }, s) => (await db.renameCollection(s.from, s.to), true),
  dropCollection: async ({ db }, s) => db.dropCollection(s.collection),
  listDatabases: async ({ client, db }) => (await client.db("admin").admin().listDatabases()).databases.some((d) => d.name === db.databaseName),
  runCommand: async ({ db }, s) => (await db.command(s.command))[s.field],
  session: async ({ client, c }, s) => {
    const session = client.startSession();
    const found = await c.find(s.filter, { session, batchSize: 2 }).toArray();
    await session.endSession();
    return found.length;
  },
  explain: async ({ c }, s) => "queryPlanner" in (await c.find(s.filter).explain()),
  dropDatabase: async ({ db }) => db.dropDatabase(),
};

async function main() {
  const steps = EJSON.parse(fs.readFileSync(path.join(__dirname, "scenario.json"), "utf8"));
  const client = new MongoClient(uri);
  const db = client.db(database);
  const context = { client, db, c: db.collection("things") };
  const results = [];
  for (const step of steps) {
    try {
      results.push((await operations[step.op](context, step)) ?? null);
    } catch (error) {
      if (error.code === undefined) throw error;
      results.push({ code: error.code });
    }
  }
  await client.close();
  console.log(EJSON.stringify(results, { relaxed: true }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
