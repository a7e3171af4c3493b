//! One constant per function of the SQL surface (sql-api.md 1).
//!
//! Parameters are declared by type and BSON goes in and out as `bytea`, so that no connection ever has to look up
//! the extension's types.
//!
//! Here stands also as which role each one runs. What documents are read or changed with runs as the user. As the URL's role
//! run, for these reasons:
//!
//! - the two SCRAM functions: nobody has logged in yet;
//! - the commands on users and roles: `CREATE ROLE` wants CREATEROLE, and on PostgreSQL 16 the right to grant the extension's
//!   roles. Neither extension gives that to MongoDB's administrators (FerretDB makes them superusers instead);
//! - the queue of index builds, dropIndexes and compact: the official extension runs them over a connection to itself that it
//!   opens as the current role, without a password, which only the URL's role can be counted on to be let in with;
//! - killOp and currentOp: the backends belong to the URL's role, and only that one sees and cancels them.
//!
//! Those that change something are guarded: before them PostgreSQL is asked whether the user's own role may write, or
//! administers.
use tokio_postgres::types::Type;

use crate::pool::RunsAs;

/// A statement that is prepared once per connection.
#[derive(Debug)]
pub struct SqlCall {
    /// The function, for logs and metrics.
    pub name: &'static str,
    /// The statement.
    pub text: &'static str,
    /// The types of `$1`, `$2`, …
    pub params: &'static [Type],
    /// The role that it runs as.
    pub runs_as: RunsAs,
    /// It runs as another role than the user's, who must have this right.
    pub guard: Guard,
}

/// What PostgreSQL is asked of the user's own role before a statement that runs as another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Nothing.
    None,
    /// May it write?
    Writer,
    /// Is it an administrator's?
    Admin,
}

/// True in SQL if the role may act as one of these, of which an extension need not have all. Later versions of the official
/// extension have a role for `readWriteAnyDatabase` alone and one for `root`.
macro_rules! member {
    ($role:literal, admin) => { member!(@ $role, "'documentdb_admin_role', 'documentdb_root_role'") };
    ($role:literal, write) => {
        member!(@ $role, "'documentdb_admin_role', 'documentdb_root_role', 'documentdb_readwrite_role'")
    };
    ($role:literal, read) => {
        member!(@ $role, "'documentdb_admin_role', 'documentdb_root_role', 'documentdb_readwrite_role', 'documentdb_readonly_role'")
    };
    (@ $role:literal, $names:literal) => {
        concat!(
            "(", $role, ".rolsuper OR EXISTS (SELECT FROM pg_catalog.pg_roles g WHERE g.rolname IN (", $names,
            ") AND pg_catalog.pg_has_role(", $role, ".oid, g.oid, 'member')))"
        )
    };
}

macro_rules! calls {
    ($($(#[$doc:meta])* $constant:ident = $name:literal $(as $role:ident)?, [$($param:ident),*], $text:expr;)*) => {
        $($(#[$doc])* pub static $constant: SqlCall = {
            let (runs_as, guard) = calls!(@ $($role)?);
            SqlCall { name: $name, text: $text, params: &[$(Type::$param),*], runs_as, guard }
        };)*

        /// Every call, for the tests of the table.
        pub static ALL: &[&SqlCall] = &[$(&$constant),*];
    };
    (@) => { (RunsAs::User, Guard::None) };
    (@ Admin) => { (RunsAs::Url, Guard::Admin) };
    (@ Writer) => { (RunsAs::Url, Guard::Writer) };
    (@ $role:ident) => { (RunsAs::$role, Guard::None) };
}

/// `CALL documentdb_api.drop_indexes`, whose statement is made of literals.
pub static DROP_INDEXES: SqlCall =
    SqlCall { name: "drop_indexes", text: "", params: &[], runs_as: RunsAs::Url, guard: Guard::Writer };
/// Changes of memberships, whose names stand in the text.
pub static CHANGE_ROLES: SqlCall =
    SqlCall { name: "grant", text: "", params: &[], runs_as: RunsAs::Url, guard: Guard::Admin };
/// `REINDEX TABLE`, whose table stands in the text.
pub static REINDEX: SqlCall =
    SqlCall { name: "reindex", text: "", params: &[], runs_as: RunsAs::Url, guard: Guard::Writer };
/// All that follows on the connection sees the same.
pub static BEGIN_SNAPSHOT: SqlCall = SqlCall {
    name: "begin",
    text: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    params: &[],
    runs_as: RunsAs::User,
    guard: Guard::None,
};
/// Ends every cursor of a connection, which belongs to one user.
pub static CLOSE_ALL: SqlCall =
    SqlCall { name: "close", text: "CLOSE ALL", params: &[], runs_as: RunsAs::Any, guard: Guard::None };
/// Answers where the extension is installed.
pub static VERSION: SqlCall = SqlCall {
    name: "binary_version",
    text: "SELECT documentdb_api.binary_version()",
    params: &[],
    runs_as: RunsAs::Url,
    guard: Guard::None,
};

calls! {
    /// First page of a find.
    FIND = "find_cursor_first_page", [TEXT, BYTEA],
        "SELECT cursorpage::bytea, continuation::bytea, persistconnection, cursorid \
         FROM documentdb_api.find_cursor_first_page($1, $2::bytea)";
    /// The whole answer of a find that leaves no cursor. One column of a function in the select list costs PostgreSQL less
    /// than the function in FROM, whose rows it stores before it gives them.
    FIND_ONE = "find_cursor_first_page", [TEXT, BYTEA],
        "SELECT (documentdb_api.find_cursor_first_page($1, $2::bytea)).cursorpage::bytea";
    /// First page of an aggregation.
    AGGREGATE = "aggregate_cursor_first_page", [TEXT, BYTEA],
        "SELECT cursorpage::bytea, continuation::bytea, persistconnection, cursorid \
         FROM documentdb_api.aggregate_cursor_first_page($1, $2::bytea)";
    /// First page of the collections of a database.
    LIST_COLLECTIONS = "list_collections_cursor_first_page", [TEXT, BYTEA],
        "SELECT cursorpage::bytea, continuation::bytea, persistconnection, cursorid \
         FROM documentdb_api.list_collections_cursor_first_page($1, $2::bytea)";
    /// First page of the indexes of a collection.
    LIST_INDEXES = "list_indexes_cursor_first_page", [TEXT, BYTEA],
        "SELECT cursorpage::bytea, continuation::bytea, persistconnection, cursorid \
         FROM documentdb_api.list_indexes_cursor_first_page($1, $2::bytea)";
    /// The next page of any cursor: database, getMore command, continuation.
    GET_MORE = "cursor_get_more", [TEXT, BYTEA, BYTEA],
        "SELECT cursorpage::bytea, continuation::bytea \
         FROM documentdb_api.cursor_get_more($1, $2::bytea, $3::bytea)";
    /// Drops what the server keeps for cursors by id.
    DELETE_CURSORS = "delete_cursors", [INT8_ARRAY],
        "SELECT documentdb_api_internal.delete_cursors($1)::bytea";
    /// Inserts: database, command, documents or NULL.
    INSERT = "insert", [TEXT, BYTEA, BYTEA],
        "SELECT (documentdb_api.insert($1, $2::bytea, $3::bytea, NULL)).p_result::bytea";
    /// Updates: database, command, updates or NULL.
    UPDATE = "update", [TEXT, BYTEA, BYTEA],
        "SELECT (documentdb_api.update($1, $2::bytea, $3::bytea, NULL)).p_result::bytea";
    /// Deletes: database, command, deletes or NULL.
    DELETE = "delete", [TEXT, BYTEA, BYTEA],
        "SELECT (documentdb_api.delete($1, $2::bytea, $3::bytea, NULL)).p_result::bytea";
    /// findAndModify.
    FIND_AND_MODIFY = "find_and_modify", [TEXT, BYTEA],
        "SELECT (documentdb_api.find_and_modify($1, $2::bytea, NULL)).p_result::bytea";
    /// count.
    COUNT = "count_query", [TEXT, BYTEA],
        "SELECT documentdb_api.count_query($1, $2::bytea)::bytea";
    /// distinct.
    DISTINCT = "distinct_query", [TEXT, BYTEA],
        "SELECT documentdb_api.distinct_query($1, $2::bytea)::bytea";
    /// create, with all options.
    CREATE = "create_collection_view", [TEXT, BYTEA],
        "SELECT documentdb_api.create_collection_view($1, $2::bytea)::bytea";
    /// drop: how many indexes there were, and whether there was a collection or view.
    DROP = "drop_collection", [TEXT, TEXT],
        "SELECT (SELECT count(*) FROM documentdb_api_catalog.collection_indexes i \
                 JOIN documentdb_api_catalog.collections c ON c.collection_id = i.collection_id \
                 WHERE c.database_name = $1 AND c.collection_name = $2), \
                documentdb_api.drop_collection($1, $2)";
    /// dropDatabase: whether there was one.
    DROP_DATABASE = "drop_database", [TEXT],
        "SELECT EXISTS (SELECT FROM documentdb_api_catalog.collections WHERE database_name = $1), \
                documentdb_api.drop_database($1)::text";
    /// renameCollection within a database.
    RENAME = "rename_collection", [TEXT, TEXT, TEXT, BOOL],
        "SELECT documentdb_api.rename_collection($1, $2, $3, $4)::text";
    /// renameCollection from one database to another.
    RENAME_ACROSS = "rename_collection", [BYTEA],
        "SELECT documentdb_api.rename_collection($1::bytea)::text";
    /// cloneCollectionAsCapped: database, source, target, bytes. The official extension has no such function.
    CLONE_AS_CAPPED = "clone_collection_as_capped", [TEXT, TEXT, TEXT, INT8],
        "SELECT documentdb_api_internal.clone_collection_as_capped($1, $2, $3, $4)::text";
    /// convertToCapped: database, collection, bytes. The official extension has no such function.
    CONVERT_TO_CAPPED = "convert_to_capped", [TEXT, TEXT, INT8],
        "SELECT documentdb_api_internal.convert_to_capped($1, $2, $3)::text";
    /// collMod.
    COLL_MOD = "coll_mod", [TEXT, TEXT, BYTEA],
        "SELECT documentdb_api.coll_mod($1, $2, $3::bytea)::bytea";
    /// collStats with a scale.
    COLL_STATS = "coll_stats", [TEXT, TEXT, FLOAT8],
        "SELECT documentdb_api.coll_stats($1, $2, $3)::bytea";
    /// dbStats with a scale.
    DB_STATS = "db_stats", [TEXT, FLOAT8, BOOL],
        "SELECT documentdb_api.db_stats($1, $2, $3)::bytea";
    /// validate.
    VALIDATE = "validate", [TEXT, BYTEA],
        "SELECT document::bytea FROM documentdb_api.validate($1, $2::bytea)";
    /// listDatabases.
    LIST_DATABASES = "list_databases", [BYTEA],
        "SELECT documentdb_api.list_databases($1::bytea)::bytea";
    /// createIndexes, queued: the server builds them beside the writers.
    CREATE_INDEXES = "create_indexes_background" as Writer, [TEXT, BYTEA],
        "SELECT retval::bytea, ok, requests::bytea \
         FROM documentdb_api.create_indexes_background($1, $2::bytea)";
    /// createIndexes at once, under a lock.
    CREATE_INDEXES_NOW = "create_indexes_non_concurrently", [TEXT, BYTEA],
        "SELECT documentdb_api_internal.create_indexes_non_concurrently($1, $2::bytea, true)::bytea";
    /// How far queued indexes are.
    INDEX_STATUS = "check_build_index_status" as Url, [BYTEA],
        "SELECT retval::bytea, ok, complete \
         FROM documentdb_api_internal.check_build_index_status($1::bytea)";
    /// Gives up queued indexes. The official extension has no such function.
    ABORT_INDEX_BUILD = "abort_index_build" as Writer, [BYTEA],
        "SELECT documentdb_api_internal.abort_index_build($1::bytea)";
    /// The key of an index by name.
    INDEX_KEY = "collection_indexes", [TEXT, TEXT, TEXT],
        "SELECT ((i.index_spec).index_key)::bytea FROM documentdb_api_catalog.collection_indexes i \
         JOIN documentdb_api_catalog.collections c ON c.collection_id = i.collection_id \
         WHERE c.database_name = $1 AND c.collection_name = $2 AND (i.index_spec).index_name = $3";
    /// createUser.
    CREATE_USER = "create_user" as Admin, [BYTEA], "SELECT documentdb_api.create_user($1::bytea)::bytea";
    /// updateUser.
    UPDATE_USER = "update_user" as Admin, [BYTEA], "SELECT documentdb_api.update_user($1::bytea)::bytea";
    /// dropUser.
    DROP_USER = "drop_user" as Admin, [BYTEA], "SELECT documentdb_api.drop_user($1::bytea)::bytea";
    /// usersInfo.
    USERS_INFO = "users_info", [BYTEA], "SELECT documentdb_api.users_info($1::bytea)::bytea";
    /// Which of the roles of users a role has: the administrator's, the writer's, the reader's; whether there is one of writers;
    /// whether the URL's role is a superuser, and the same role; and which attributes it has. No row: there is no such user.
    MEMBERSHIPS = "pg_auth_members" as Any, [TEXT],
        "SELECT COALESCE(bool_or(g.rolname = 'documentdb_admin_role'), false), \
         COALESCE(bool_or(g.rolname = 'documentdb_readwrite_role'), false), \
         COALESCE(bool_or(g.rolname = 'documentdb_readonly_role'), false), \
         pg_catalog.to_regrole('documentdb_readwrite_role') IS NOT NULL, \
         bool_or(s.rolsuper), bool_or(s.oid = r.oid), bool_or(r.rolsuper), bool_or(r.rolcreaterole), bool_or(r.rolcreatedb), \
         bool_or(r.rolreplication), bool_or(r.rolbypassrls) \
         FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_roles s ON s.rolname = session_user \
         LEFT JOIN pg_catalog.pg_auth_members m ON m.member = r.oid LEFT JOIN pg_catalog.pg_roles g ON g.oid = m.roleid \
         WHERE r.rolname = $1 AND r.rolcanlogin AND NOT pg_catalog.starts_with(r.rolname::text, 'documentdb_') GROUP BY r.oid";
    /// The number of a collection, which names its table; null for a view. No row: there is no such collection.
    COLLECTION_ID = "collections" as Any, [TEXT, TEXT],
        "SELECT CASE WHEN view_definition IS NULL THEN collection_id END FROM documentdb_api_catalog.collections \
         WHERE database_name = $1 AND collection_name = $2";
    /// currentOp.
    CURRENT_OP = "current_op_command" as Url, [BYTEA],
        "SELECT document::bytea FROM documentdb_api.current_op_command($1::bytea)";
    /// Which of these processes wait for a lock.
    LOCKED = "pg_stat_activity" as Url, [INT4_ARRAY],
        "SELECT COALESCE(pg_catalog.array_agg(pid), '{}'::int4[]) FROM pg_catalog.pg_stat_activity \
         WHERE wait_event_type = 'Lock' AND pid = ANY($1)";
    /// Salt and iterations of a user.
    SCRAM_SALT = "scram_sha256_get_salt_and_iterations" as Url, [TEXT],
        "SELECT documentdb_api_internal.scram_sha256_get_salt_and_iterations($1)::bytea";
    /// The plan of a query, not executed.
    EXPLAIN_FIND = "bson_aggregation_find", [TEXT, BYTEA],
        "EXPLAIN (FORMAT JSON) SELECT document FROM documentdb_api_catalog.bson_aggregation_find($1, $2::bytea)";
    /// The plan of a query, and what its execution took.
    ANALYZE_FIND = "bson_aggregation_find", [TEXT, BYTEA],
        "EXPLAIN (FORMAT JSON, ANALYZE) SELECT document FROM documentdb_api_catalog.bson_aggregation_find($1, $2::bytea)";
    /// The plan of a query, not executed.
    EXPLAIN_AGGREGATE = "bson_aggregation_pipeline", [TEXT, BYTEA],
        "EXPLAIN (FORMAT JSON) SELECT document FROM documentdb_api_catalog.bson_aggregation_pipeline($1, $2::bytea)";
    /// The plan of a query, and what its execution took.
    ANALYZE_AGGREGATE = "bson_aggregation_pipeline", [TEXT, BYTEA],
        "EXPLAIN (FORMAT JSON, ANALYZE) SELECT document FROM documentdb_api_catalog.bson_aggregation_pipeline($1, $2::bytea)";
    /// The plan of a query, not executed.
    EXPLAIN_COUNT = "bson_aggregation_count", [TEXT, BYTEA],
        "EXPLAIN (FORMAT JSON) SELECT document FROM documentdb_api_catalog.bson_aggregation_count($1, $2::bytea)";
    /// The plan of a query, and what its execution took.
    ANALYZE_COUNT = "bson_aggregation_count", [TEXT, BYTEA],
        "EXPLAIN (FORMAT JSON, ANALYZE) SELECT document FROM documentdb_api_catalog.bson_aggregation_count($1, $2::bytea)";
    /// The plan of a query, not executed.
    EXPLAIN_DISTINCT = "bson_aggregation_distinct", [TEXT, BYTEA],
        "EXPLAIN (FORMAT JSON) SELECT document FROM documentdb_api_catalog.bson_aggregation_distinct($1, $2::bytea)";
    /// The plan of a query, and what its execution took.
    ANALYZE_DISTINCT = "bson_aggregation_distinct", [TEXT, BYTEA],
        "EXPLAIN (FORMAT JSON, ANALYZE) SELECT document FROM documentdb_api_catalog.bson_aggregation_distinct($1, $2::bytea)";
    /// Rewrites a collection.
    COMPACT = "compact" as Writer, [BYTEA],
        "SELECT documentdb_api.compact($1::bytea)::bytea";
    /// Makes a role.
    CREATE_ROLE = "create_role" as Admin, [BYTEA],
        "SELECT documentdb_api.create_role($1::bytea)::bytea";
    /// Changes a role.
    UPDATE_ROLE = "update_role" as Admin, [BYTEA],
        "SELECT documentdb_api.update_role($1::bytea)::bytea";
    /// Drops a role.
    DROP_ROLE = "drop_role" as Admin, [BYTEA],
        "SELECT documentdb_api.drop_role($1::bytea)::bytea";
    /// Tells roles.
    ROLES_INFO = "roles_info", [BYTEA],
        "SELECT documentdb_api.roles_info($1::bytea)::bytea";
    /// Cancels an operation.
    KILL_OP = "kill_op" as Admin, [BYTEA],
        "SELECT documentdb_api.kill_op($1::bytea)::bytea";
    /// What a user's role may do: administer, write, read; and its OID. No row: there is no such role. A superuser may do all.
    RIGHTS = "pg_roles" as Any, [TEXT],
        concat!("SELECT ", member!("r", admin), ", ", member!("r", write), ", ", member!("r", read),
            ", r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = $1");
    /// Does a collection keep a collation of its own? Where the extension has no place for one it would forget it in silence.
    KEEPS_COLLATION = "pg_attribute" as Any, [],
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attname = 'default_collation' \
         AND attrelid = pg_catalog.to_regclass('documentdb_api_catalog.collections'))";
    /// Can collections be capped or clustered? Where the extension has no place for that it would ignore what goes with it.
    KEEPS_STORAGE_OPTIONS = "pg_attribute" as Any, [],
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attname = 'storage_options' \
         AND attrelid = pg_catalog.to_regclass('documentdb_api_catalog.collections'))";
    /// Does a find keep within `min` and `max`? Where the extension does not know them it reads over them.
    OBEYS_INDEX_BOUNDS = "obeys_index_bounds" as Any, [],
        "SELECT pg_catalog.to_regprocedure('documentdb_api_internal.obeys_index_bounds()') IS NOT NULL";
    /// May the role of this OID write, and is it an administrator's? No row: there is no such role.
    GUARD = "pg_has_role" as Any, [OID],
        concat!("SELECT ", member!("r", write), ", ", member!("r", admin), " FROM pg_catalog.pg_roles r WHERE r.oid = $1");
    /// Is the role of this name a user of MongoDB, and may the role of this OID change it: nobody gets more by another's
    /// password than it has. No row: there is no such role. The extension's own roles are nobody's users.
    MAY_CHANGE = "rolsuper" as Any, [OID, TEXT],
        concat!("SELECT t.rolcanlogin AND NOT pg_catalog.starts_with(t.rolname::text, 'documentdb_') AND ", member!("t", read),
            ", a.oid = t.oid OR a.rolsuper OR NOT (t.rolsuper OR t.rolcreaterole > a.rolcreaterole OR t.rolcreatedb > a.rolcreatedb \
             OR t.rolreplication > a.rolreplication OR t.rolbypassrls > a.rolbypassrls) \
             FROM pg_catalog.pg_roles a JOIN pg_catalog.pg_roles t ON t.rolname = $2 WHERE a.oid = $1");
    /// May somebody log in as the role of this name?
    CAN_LOG_IN = "rolcanlogin" as Any, [TEXT],
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1 AND rolcanlogin \
         AND (rolvaliduntil IS NULL OR rolvaliduntil > pg_catalog.now()))";
    /// Is the password of the role of this name kept in a form that no login with SCRAM can use? Only who may read it knows.
    MD5_PASSWORD = "pg_authid" as Url, [TEXT],
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_authid WHERE rolname = $1 AND rolpassword LIKE 'md5%')";
    /// Checks a client's proof: user, the exchange so far, the proof in base64.
    SCRAM_PROOF = "authenticate_with_scram_sha256" as Url, [TEXT, TEXT, TEXT],
        "SELECT documentdb_api_internal.authenticate_with_scram_sha256($1, $2, $3)::bytea";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_their_types_agree() {
        for call in ALL {
            for number in 1..=call.params.len() {
                assert!(call.text.contains(&format!("${number}")), "{}: ${number} is not used", call.name);
            }
            let beyond = format!("${}", call.params.len() + 1);
            assert!(!call.text.contains(&beyond), "{}: {beyond} has no type", call.name);
        }
    }

    #[test]
    fn whoever_changes_as_the_url_is_asked_about_first() {
        for call in ALL.iter().chain(&[&DROP_INDEXES, &CHANGE_ROLES, &REINDEX]) {
            let guarded = call.guard != Guard::None;
            assert!(!guarded || call.runs_as == RunsAs::Url, "{}", call.name);
            let reads = ["current_op_command", "check_build_index_status", "pg_stat_activity", "pg_authid"]
                .contains(&call.name);
            let logs_in = call.name.contains("scram");
            assert_eq!(call.runs_as == RunsAs::Url, guarded || reads || logs_in, "{}", call.name);
        }
    }

    #[test]
    fn every_bson_leaves_as_bytea() {
        for call in ALL {
            assert!(call.text.contains(call.name), "{}", call.name);
            let selects_bson = call.text.contains("page") || call.text.contains("document ");
            assert!(!selects_bson || call.text.contains("::bytea"), "{}", call.name);
        }
    }
}
