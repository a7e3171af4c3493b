// Plays the scenario in the MongoDB shell, which waits for promises by itself. `scenarioFile` and `scenarioDatabase` are set
// before. Prints the results as one line of Extended JSON.
const scenarioSteps = EJSON.parse(fs.readFileSync(scenarioFile, "utf8"));
const target = db.getSiblingDB(scenarioDatabase);
const things = target.getCollection("things");

// The shell calls the new id of an upsert insertedId.
function updated(r) {
  return { matched: r.matchedCount, modified: r.modifiedCount, upserted: r.insertedId ?? null };
}

const operations = {
  hello: () => {
    const r = target.hello();
    return { isWritablePrimary: r.isWritablePrimary, maxWireVersion: r.maxWireVersion, readOnly: r.readOnly };
  },
  ping: () => target.runCommand({ ping: 1 }).ok,
  createCollection: (s) => (target.createCollection(s.collection), s.collection),
  insertOne: (s) => things.insertOne(s.document).insertedId,
  insertMany: (s) => Object.keys(things.insertMany(s.documents, { ordered: s.ordered ?? true }).insertedIds).length,
  findOne: (s) => things.findOne(s.filter),
  find: (s) => {
    let cursor = target.getCollection(s.collection ?? "things").find(s.filter, s.projection ?? {});
    if (s.sort) cursor = cursor.sort(s.sort);
    if (s.skip) cursor = cursor.skip(s.skip);
    if (s.limit) cursor = cursor.limit(s.limit);
    if (s.batchSize) cursor = cursor.batchSize(s.batchSize);
    if (s.hint) cursor = cursor.hint(s.hint);
    return cursor.toArray();
  },
  countDocuments: (s) => things.countDocuments(s.filter),
  estimatedDocumentCount: () => things.estimatedDocumentCount(),
  distinct: (s) => things.distinct(s.field, s.filter),
  updateOne: (s) => {
    const options = { upsert: s.upsert ?? false };
    if (s.arrayFilters) options.arrayFilters = s.arrayFilters;
    return updated(things.updateOne(s.filter, s.update, options));
  },
  updateMany: (s) => updated(things.updateMany(s.filter, s.update)),
  replaceOne: (s) => updated(things.replaceOne(s.filter, s.replacement)),
  findOneAndUpdate: (s) => things.findOneAndUpdate(s.filter, s.update, { returnDocument: s.after ? "after" : "before" }),
  findOneAndReplace: (s) => things.findOneAndReplace(s.filter, s.replacement, { returnDocument: s.after ? "after" : "before" }),
  findOneAndDelete: (s) => things.findOneAndDelete(s.filter),
  createIndex: (s) => things.createIndex(s.keys, { unique: s.unique ?? false, sparse: s.sparse ?? false }),
  listIndexes: () => things.getIndexes().map((i) => i.name).sort(),
  dropIndex: (s) => (things.dropIndex(s.name), true),
  aggregate: (s) => things.aggregate(s.pipeline).toArray(),
  bulkWrite: (s) => {
    const r = things.bulkWrite(s.models);
    return { inserted: r.insertedCount, modified: r.modifiedCount, deleted: r.deletedCount };
  },
  manyDocuments: (s) => {
    const documents = Array.from({ length: s.count }, (_, i) => ({ _id: i, text: "x".repeat(100) }));
    return Object.keys(target.getCollection("many").insertMany(documents).insertedIds).length;
  },
  readMany: (s) => target.getCollection("many").find().batchSize(s.batchSize).toArray().length,
  largeDocument: (s) => {
    target.getCollection("large").insertOne({ _id: 1, text: "ü".repeat(s.bytes / 2) });
    return Buffer.byteLength(target.getCollection("large").findOne({ _id: 1 }).text);
  },
  deleteOne: (s) => things.deleteOne(s.filter).deletedCount,
  deleteMany: (s) => things.deleteMany(s.filter).deletedCount,
  listCollections: () => target.getCollectionNames().sort(),
  renameCollection: (s) => target.getCollection(s.from).renameCollection(s.to).ok === 1,
  dropCollection: (s) => target.getCollection(s.collection).drop(),
  listDatabases: () => db.getMongo().getDBNames().includes(scenarioDatabase),
  runCommand: (s) => {
    const r = target.runCommand(s.command);
    return r[s.field];
  },
  session: (s) => {
    const session = db.getMongo().startSession();
    const count = session.getDatabase(scenarioDatabase).getCollection("things").find(s.filter).batchSize(2).toArray().length;
    session.endSession();
    return count;
  },
  explain: (s) => "queryPlanner" in things.find(s.filter).explain(),
  dropDatabase: () => target.dropDatabase().ok === 1,
};

const scenarioResults = [];
for (const step of scenarioSteps) {
  let result;
  try {
    result = operations[step.op](step);
  } catch (error) {
    if (error.code === undefined) throw error;
    result = { code: error.code };
  }
  scenarioResults.push(result ?? null);
}
print("RESULTS " + EJSON.stringify(scenarioResults, { relaxed: true }));
