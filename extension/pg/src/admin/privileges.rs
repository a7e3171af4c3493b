//! The built-in roles a user may have, and what MongoDB says they allow.

use engine::{ArrayWriter, Doc, DocWriter, Value};

/// The two kinds of users the SQL surface knows (sql-api.md 1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `clusterAdmin` and `readWriteAnyDatabase`: a member of `documentdb_admin_role`.
    Admin,
    /// `readAnyDatabase`: a member of `documentdb_readonly_role`.
    ReadOnly,
}

const READ: &[&str] =
    &["changeStream", "collStats", "dbStats", "find", "killCursors", "listCollections", "listIndexes"];

const READ_WRITE: &[&str] = &[
    "analyzeShardKey",
    "changeStream",
    "collStats",
    "createCollection",
    "createIndex",
    "dbStats",
    "dropCollection",
    "dropDatabase",
    "dropIndex",
    "enableSharding",
    "find",
    "getDatabaseVersion",
    "getShardVersion",
    "indexStats",
    "insert",
    "killCursors",
    "listCollections",
    "listIndexes",
    "remove",
    "reshardCollection",
    "splitVector",
    "unshardCollection",
    "update",
];

const CLUSTER: &[&str] = &[
    "compact",
    "connPoolStats",
    "dropConnections",
    "getChangeStreamState",
    "getClusterParameter",
    "getCmdLineOpts",
    "getDefaultRWConcern",
    "getLog",
    "getParameter",
    "getShardMap",
    "hostInfo",
    "killAnyCursor",
    "killAnySession",
    "killop",
    "listDatabases",
    "listSessions",
    "listShards",
    "serverStatus",
    "setChangeStreamState",
];

impl Kind {
    /// MongoDB's role names, in the order they are reported.
    pub fn role_names(self) -> &'static [&'static str] {
        match self {
            Kind::Admin => &["readWriteAnyDatabase", "clusterAdmin"],
            Kind::ReadOnly => &["readAnyDatabase"],
        }
    }

    /// The array `[{role, db: "admin"}, …]`.
    pub fn roles(self) -> Vec<u8> {
        let mut roles = ArrayWriter::new();
        for name in self.role_names() {
            let mut role = DocWriter::new();
            role.put_str("role", name).put_str("db", "admin");
            roles.push(&Value::Document(role.finish()));
        }
        roles.finish()
    }

    /// The array of `{resource, actions}` documents.
    pub fn privileges(self) -> Vec<u8> {
        let (data, cluster): (_, &[&str]) = match self {
            Kind::Admin => (READ_WRITE, CLUSTER),
            Kind::ReadOnly => (READ, &["listDatabases"]),
        };
        let mut any = DocWriter::new();
        any.put_str("db", "").put_str("collection", "");
        let mut whole = DocWriter::new();
        whole.put("cluster", &Value::Bool(true));
        let mut out = ArrayWriter::new();
        for (resource, actions) in [(any, data), (whole, cluster)] {
            let mut names = ArrayWriter::new();
            for action in actions {
                names.push(&Value::String((*action).to_owned()));
            }
            let mut privilege = DocWriter::new();
            privilege.put_doc("resource", Doc::trusted(&resource.finish()));
            privilege.put_array("actions", Doc::trusted(&names.finish()));
            out.push(&Value::Document(privilege.finish()));
        }
        out.finish()
    }
}
