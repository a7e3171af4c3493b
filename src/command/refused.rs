//! MongoDB's commands that are not served, each with MongoDB's answer for a server that lacks the feature. A command of
//! neither table does not exist: 59 CommandNotFound, as a standalone mongod answers for a router's commands.
use crate::error::{Code, CommandError, codes};

/// A command that is known and refused.
#[derive(Debug)]
pub struct Refused {
    /// As MongoDB writes it.
    pub name: &'static str,
    /// The error's code.
    pub code: Code,
    /// What the client is told.
    pub message: &'static str,
}

impl Refused {
    /// As the reply to a client.
    pub fn error(&self) -> CommandError {
        CommandError::client(self.code, self.message)
    }
}

/// The entry of this name.
pub fn find(name: &str) -> Option<&'static Refused> {
    REFUSED.binary_search_by(|refused| refused.name.cmp(name)).ok().and_then(|at| REFUSED.get(at))
}

const fn no(name: &'static str, message: &'static str) -> Refused {
    Refused { name, code: codes::COMMAND_NOT_SUPPORTED, message }
}

const fn replication(name: &'static str) -> Refused {
    Refused { name, code: codes::NO_REPLICATION_ENABLED, message: "not running with --replSet" }
}

const fn standalone(name: &'static str, message: &'static str) -> Refused {
    Refused { name, code: codes::ILLEGAL_OPERATION, message }
}

const fn search(name: &'static str) -> Refused {
    Refused {
        name,
        code: Code(31_082),
        message: "Search index commands are only supported with a search server, and there is none",
    }
}

const JAVASCRIPT: &str = "JavaScript is not supported";
const FINE_ROLES: &str = "a role is changed as a whole, where the extension has roles";
const STORAGE: &str = "PostgreSQL keeps the data; it is told by its own means";
const PROCESS: &str = "the process is told by signals and its configuration";
const ENCRYPTION: &str = "encrypted collections are not supported";
const CONCERN: Code = Code(51_300);

/// All of them, sorted by name.
pub static REFUSED: &[Refused] = &[
    standalone("analyzeShardKey", "analyzeShardKey command is not supported on a standalone mongod"),
    Refused {
        name: "appendOplogNote",
        code: codes::NO_REPLICATION_ENABLED,
        message: "Must have replication set up to run \"appendOplogNote\"",
    },
    no("applyOps", "there is no oplog"),
    no("autoCompact", STORAGE),
    no("cleanupStructuredEncryptionData", ENCRYPTION),
    no("compactStructuredEncryptionData", ENCRYPTION),
    standalone(
        "configureQueryAnalyzer",
        "configureQueryAnalyzer command is not supported on a standalone mongod",
    ),
    search("createSearchIndexes"),
    no("dropConnections", "connections belong to the pools of this process"),
    search("dropSearchIndex"),
    no("fsync", STORAGE),
    standalone("fsyncUnlock", "fsyncUnlock called when not locked"),
    no("getAuditConfig", "auditing is not supported"),
    no("getClusterParameter", "there are no cluster parameters"),
    Refused {
        name: "getDefaultRWConcern",
        code: CONCERN,
        message: "'getDefaultRWConcern' is not supported on standalone nodes.",
    },
    no("getDiagnosticData", "the metrics of this process are served over HTTP"),
    no("grantPrivilegesToRole", FINE_ROLES),
    no("grantRolesToRole", FINE_ROLES),
    search("listSearchIndexes"),
    no("lockInfo", STORAGE),
    no("logApplicationMessage", PROCESS),
    no("mapReduce", JAVASCRIPT),
    no("mapreduce", JAVASCRIPT),
    no("oidReset", "object ids are made by clients"),
    no("planCacheSetFilter", "the storage chooses its indexes itself"),
    no("removeQuerySettings", "query settings are not supported"),
    replication("replSetAbortPrimaryCatchUp"),
    replication("replSetFreeze"),
    replication("replSetGetConfig"),
    replication("replSetGetRBID"),
    replication("replSetGetStatus"),
    Refused {
        name: "replSetInitiate",
        code: codes::NO_REPLICATION_ENABLED,
        message: "This node was not started with replication enabled.",
    },
    replication("replSetMaintenance"),
    replication("replSetReconfig"),
    replication("replSetResizeOplog"),
    replication("replSetStepDown"),
    replication("replSetStepUp"),
    replication("replSetSyncFrom"),
    no("revokePrivilegesFromRole", FINE_ROLES),
    no("revokeRolesFromRole", FINE_ROLES),
    no("rotateCertificates", "certificates are read again when their files change"),
    no("setAuditConfig", "auditing is not supported"),
    no("setClusterParameter", "there are no cluster parameters"),
    Refused {
        name: "setDefaultRWConcern",
        code: CONCERN,
        message: "'setDefaultRWConcern' is not supported on standalone nodes.",
    },
    no("setFeatureCompatibilityVersion", "the version is that of the storage"),
    no("setIndexCommitQuorum", "there is one node that builds indexes"),
    no("setQuerySettings", "query settings are not supported"),
    standalone("setUserWriteBlockMode", "setUserWriteBlockMode cannot be run on standalones"),
    no("shutdown", PROCESS),
    search("updateSearchIndex"),
];

#[cfg(test)]
mod tests {
    use super::super::registry;
    use super::*;

    #[test]
    fn sorted_unique_and_in_one_table_only() {
        assert!(REFUSED.windows(2).all(|pair| pair[0].name < pair[1].name));
        for refused in REFUSED {
            assert!(registry::find(refused.name).is_none(), "{}", refused.name);
            assert!(find(refused.name).is_some());
        }
    }
}
