//! THE command table. Dispatch, the login gate, routing, `listCommands`, the README's table and the test matrix are
//! read from it; a wish for `if name == …` elsewhere means a missing column here.
//!
//! The options are those that MongoDB 7 and 8 document. What each function of the extension does with a field that
//! passes is in sql-api.md 1.
use super::local;
use super::spec::Harmless::{Empty, False, True};
use super::spec::{
    Auth, Command, Kind, Opt, Policy, Run, Target, ignored, noted, pass, rejected, unless, used,
};
use super::{
    bulk_write, collections, create, crud, databases, explain, grants, hash, indexes, login, maintenance,
    metadata, operations, profile, rights, sessions, users, writes,
};
use crate::error::codes;
use crate::sql::calls;

/// The entry of this name, or of which this name is an alias.
pub fn find(name: &str) -> Option<&'static Command> {
    if let Ok(at) = COMMANDS.binary_search_by(|command| command.name.cmp(name)) {
        return COMMANDS.get(at);
    }
    COMMANDS.iter().find(|command| command.aliases.contains(&name))
}

/// What OP_QUERY still serves.
pub static LEGACY: &[&str] = &["authenticate", "buildInfo", "hello", "isMaster", "saslContinue", "saslStart"];

const NONE: &[Opt] = &[];
/// Commands that never refused a field they do not know.
const ANY: &[Opt] = &[Opt { name: "*", policy: Policy::Ignored("the command has no options") }];
/// Commands whose every field has a meaning to them.
const OWN: &[Opt] = &[Opt { name: "*", policy: Policy::Used }];

const DEFAULTS: Command = Command {
    name: "",
    aliases: &[],
    kind: Kind::Local,
    writes_if: None,
    auth: Auth::Required,
    target: Target::Any,
    admin_only: false,
    api_v1: false,
    sequences: &[],
    run: Run::Sql(&calls::FIND),
    options: &[],
    help: "",
};

const ROUTERS: &str = "only routers send it";
const PLANNER: &str = "the storage decides";
const STATISTICS: &str = "query statistics are not kept";

/// All commands, sorted by name.
pub static COMMANDS: &[Command] = &[
    Command {
        name: "abortTransaction",
        admin_only: true,
        api_v1: true,
        run: Run::Local(maintenance::no_transaction),
        options: &[&[ignored("recoveryToken", ROUTERS)]],
        help: "Answers that there is no transaction.",
        ..DEFAULTS
    },
    Command {
        name: "aggregate",
        target: Target::CollectionOrDatabase,
        kind: Kind::Read,
        writes_if: Some(crud::has_out_or_merge),
        api_v1: true,
        run: Run::Flow(|call| Box::pin(crud::aggregate(call))),
        options: &[&[
            pass("pipeline"),
            pass("cursor"),
            used("explain"),
            ignored("allowDiskUse", PLANNER),
            pass("bypassDocumentValidation"),
            pass("hint"),
            pass("let"),
            pass("collation"),
            pass("collectionUUID"),
            ignored("querySettings", PLANNER),
            ignored("includeQueryStatsMetrics", STATISTICS),
            ignored("fromMongos", ROUTERS),
            ignored("fromRouter", ROUTERS),
            unless("needsMerge", False),
            rejected("encryptionInformation"),
            unless("rawData", False),
        ]],
        help: "Runs an aggregation pipeline.",
        ..DEFAULTS
    },
    Command {
        name: "authenticate",
        kind: Kind::Any,
        auth: Auth::Open,
        run: Run::Flow(|call| Box::pin(login::authenticate(call))),
        options: &[&[used("mechanism"), used("user"), used("db")]],
        help: "Logs in with the certificate of the client.",
        ..DEFAULTS
    },
    Command {
        name: "buildInfo",
        aliases: &["buildinfo"],
        auth: Auth::Open,
        run: Run::Local(local::server::build_info),
        options: &[ANY],
        help: "Returns the version and the build.",
        ..DEFAULTS
    },
    Command {
        name: "bulkWrite",
        admin_only: true,
        kind: Kind::Write,
        api_v1: true,
        sequences: &["ops", "nsInfo"],
        run: Run::Flow(|call| Box::pin(bulk_write::run(call))),
        options: &[
            &[
                pass("ops"),
                pass("nsInfo"),
                pass("ordered"),
                pass("errorsOnly"),
                pass("cursor"),
                pass("let"),
                unless("rawData", False),
            ],
            WRITE_FIELDS,
        ],
        help: "Writes to several collections.",
        ..DEFAULTS
    },
    Command {
        name: "cloneCollectionAsCapped",
        target: Target::Collection,
        kind: Kind::Admin,
        run: Run::Flow(|call| Box::pin(collections::clone_as_capped(call))),
        options: &[&[used("toCollection"), used("size"), unless("temp", False)]],
        help: "Copies a collection to a capped one, where the extension has those.",
        ..DEFAULTS
    },
    Command {
        name: "collMod",
        target: Target::Collection,
        kind: Kind::Admin,
        api_v1: true,
        run: Run::Flow(|call| Box::pin(collections::modify(call))),
        options: &[&[
            pass("index"),
            pass("validator"),
            pass("validationLevel"),
            pass("validationAction"),
            pass("viewOn"),
            pass("pipeline"),
            pass("colocation"),
            pass("expireAfterSeconds"),
            rejected("timeseries"),
            unless("changeStreamPreAndPostImages", Empty),
            pass("cappedSize"),
            pass("cappedMax"),
            unless("dryRun", False),
            rejected("collectionUUID"),
        ]],
        help: "Changes options of a collection, a view or an index.",
        ..DEFAULTS
    },
    Command {
        name: "collStats",
        aliases: &["collstats"],
        target: Target::Collection,
        kind: Kind::Read,
        run: Run::Flow(|call| Box::pin(collections::stats(call))),
        options: &[&[
            used("scale"),
            ignored("waitForLock", "statistics never wait"),
            ignored("verbose", "old shells"),
        ]],
        help: "Returns sizes and counts of a collection.",
        ..DEFAULTS
    },
    Command {
        name: "commitTransaction",
        admin_only: true,
        api_v1: true,
        run: Run::Local(maintenance::no_transaction),
        options: &[&[ignored("recoveryToken", ROUTERS)]],
        help: "Answers that there is no transaction.",
        ..DEFAULTS
    },
    Command {
        name: "compact",
        target: Target::Collection,
        kind: Kind::Admin,
        run: Run::Flow(|call| Box::pin(maintenance::change(call, &calls::COMPACT))),
        options: &[&[pass("dryRun"), pass("force"), pass("freeSpaceTargetMB")]],
        help: "Gives the free space of a collection back.",
        ..DEFAULTS
    },
    Command {
        name: "connPoolStats",
        run: Run::Local(maintenance::pool_stats),
        options: &[ANY],
        help: "Returns the connections to PostgreSQL.",
        ..DEFAULTS
    },
    Command {
        name: "connectionStatus",
        kind: Kind::Any,
        auth: Auth::Open,
        run: Run::Flow(|call| Box::pin(login::connection_status(call))),
        options: &[&[used("showPrivileges")]],
        help: "Returns who is logged in on this connection.",
        ..DEFAULTS
    },
    Command {
        name: "convertToCapped",
        target: Target::Collection,
        kind: Kind::Admin,
        run: Run::Flow(|call| Box::pin(collections::convert_to_capped(call))),
        options: &[&[used("size")]],
        help: "Makes a collection a capped one, where the extension has those.",
        ..DEFAULTS
    },
    Command {
        name: "count",
        target: Target::Collection,
        kind: Kind::Read,
        api_v1: true,
        run: Run::Sql(&calls::COUNT),
        options: &[&[
            pass("query"),
            pass("limit"),
            noted("skip"),
            pass("hint"),
            pass("fields"),
            pass("collation"),
            rejected("encryptionInformation"),
            ignored("querySettings", PLANNER),
            unless("rawData", False),
        ]],
        help: "Counts documents matched by the query.",
        ..DEFAULTS
    },
    Command {
        name: "create",
        target: Target::Collection,
        kind: Kind::Admin,
        api_v1: true,
        run: Run::Flow(|call| Box::pin(create::run(call))),
        options: &[&[
            pass("capped"),
            pass("size"),
            pass("max"),
            pass("autoIndexId"),
            used("idIndex"),
            pass("validator"),
            pass("validationLevel"),
            pass("validationAction"),
            pass("viewOn"),
            pass("pipeline"),
            pass("timeseries"),
            pass("clusteredIndex"),
            pass("changeStreamPreAndPostImages"),
            pass("expireAfterSeconds"),
            pass("collation"),
            ignored("encryptedFields", "anything but null is refused, as a standalone server does"),
            ignored("storageEngine", "the storage has no settings per collection"),
            ignored("indexOptionDefaults", "the storage has no settings per collection"),
            ignored("flags", "obsolete"),
            Opt {
                name: "temp",
                policy: Policy::RefusedUnless(
                    False,
                    codes::INVALID_OPTIONS,
                    "the 'temp' field is an invalid option",
                ),
            },
        ]],
        help: "Creates a collection or a view.",
        ..DEFAULTS
    },
    Command {
        name: "createIndexes",
        aliases: &["createIndex"],
        target: Target::Collection,
        kind: Kind::Admin,
        api_v1: true,
        run: Run::Flow(|call| Box::pin(indexes::create(call))),
        options: &[&[
            pass("indexes"),
            ignored("commitQuorum", "indexes are replicated by the storage"),
            unless("ignoreUnknownIndexOptions", False),
            rejected("collectionUUID"),
            unless("rawData", False),
        ]],
        help: "Builds indexes of a collection.",
        ..DEFAULTS
    },
    Command {
        name: "createRole",
        kind: Kind::Admin,
        run: Run::Flow(|call| Box::pin(maintenance::change(call, &calls::CREATE_ROLE))),
        options: &[&[pass("privileges"), pass("roles"), rejected("authenticationRestrictions")]],
        help: "Makes a role, where the extension has roles.",
        ..DEFAULTS
    },
    Command {
        name: "createUser",
        kind: Kind::Admin,
        run: Run::Flow(|call| Box::pin(users::create(call))),
        options: &[USER_FIELDS],
        help: "Creates a user.",
        ..DEFAULTS
    },
    Command {
        name: "currentOp",
        kind: Kind::Read,
        admin_only: true,
        run: Run::Flow(|call| Box::pin(operations::current_op(call))),
        options: &[OWN],
        help: "Returns the operations in progress, and index builds.",
        ..DEFAULTS
    },
    Command {
        name: "dataSize",
        aliases: &["datasize"],
        kind: Kind::Read,
        run: Run::Flow(|call| Box::pin(maintenance::data_size(call))),
        options: &[&[
            rejected("keyPattern"),
            rejected("min"),
            rejected("max"),
            ignored("estimate", "what the storage knows is told"),
        ]],
        help: "Returns the size of a collection.",
        ..DEFAULTS
    },
    Command {
        name: "dbHash",
        aliases: &["dbhash"],
        kind: Kind::Read,
        run: Run::Flow(|call| Box::pin(hash::database(call))),
        options: &[&[
            used("collections"),
            ignored("skipTempCollections", "there are no temporary collections"),
            rejected("$_internalReadAtClusterTime"),
        ]],
        help: "Returns the MD5 of each collection and of the database.",
        ..DEFAULTS
    },
    Command {
        name: "dbStats",
        aliases: &["dbstats"],
        kind: Kind::Read,
        run: Run::Flow(|call| Box::pin(databases::stats(call))),
        options: &[&[used("scale"), used("freeStorage")]],
        help: "Returns sizes and counts of a database.",
        ..DEFAULTS
    },
    Command {
        name: "delete",
        target: Target::Collection,
        kind: Kind::Write,
        api_v1: true,
        sequences: &["deletes"],
        run: Run::Flow(|call| Box::pin(writes::run(call, &calls::DELETE))),
        options: &[&[pass("deletes"), pass("ordered"), pass("let"), unless("rawData", False)], WRITE_FIELDS],
        help: "Deletes documents.",
        ..DEFAULTS
    },
    Command {
        name: "distinct",
        target: Target::Collection,
        kind: Kind::Read,
        run: Run::Sql(&calls::DISTINCT),
        options: &[&[
            pass("key"),
            pass("query"),
            pass("hint"),
            pass("collation"),
            rejected("encryptionInformation"),
            ignored("querySettings", PLANNER),
            ignored("includeQueryStatsMetrics", STATISTICS),
            unless("rawData", False),
        ]],
        help: "Returns the distinct values of a field.",
        ..DEFAULTS
    },
    Command {
        name: "drop",
        target: Target::Collection,
        kind: Kind::Admin,
        api_v1: true,
        run: Run::Flow(|call| Box::pin(collections::drop(call))),
        options: &[&[rejected("collectionUUID"), unless("encryptedFields", Empty), unless("rawData", False)]],
        help: "Drops a collection or a view.",
        ..DEFAULTS
    },
    Command {
        name: "dropAllRolesFromDatabase",
        kind: Kind::Admin,
        run: Run::Flow(|call| Box::pin(grants::drop_all_roles(call))),
        options: &[NONE],
        help: "Drops all roles, where the extension has roles.",
        ..DEFAULTS
    },
    Command {
        name: "dropAllUsersFromDatabase",
        kind: Kind::Admin,
        run: Run::Flow(|call| Box::pin(maintenance::drop_all_users(call))),
        options: &[NONE],
        help: "Drops all users.",
        ..DEFAULTS
    },
    Command {
        name: "dropDatabase",
        kind: Kind::Admin,
        api_v1: true,
        run: Run::Flow(|call| Box::pin(databases::drop(call))),
        options: &[NONE],
        help: "Drops a database with its collections.",
        ..DEFAULTS
    },
    Command {
        name: "dropIndexes",
        aliases: &["deleteIndexes"],
        target: Target::Collection,
        kind: Kind::Admin,
        api_v1: true,
        run: Run::Flow(|call| Box::pin(indexes::drop(call))),
        options: &[&[pass("index"), rejected("collectionUUID"), unless("rawData", False)]],
        help: "Drops indexes of a collection.",
        ..DEFAULTS
    },
    Command {
        name: "dropRole",
        kind: Kind::Admin,
        run: Run::Flow(|call| Box::pin(maintenance::change(call, &calls::DROP_ROLE))),
        options: &[NONE],
        help: "Drops a role, where the extension has roles.",
        ..DEFAULTS
    },
    Command {
        name: "dropUser",
        kind: Kind::Admin,
        run: Run::Flow(|call| Box::pin(users::drop(call))),
        options: &[NONE],
        help: "Drops a user.",
        ..DEFAULTS
    },
    Command {
        name: "endSessions",
        auth: Auth::Open,
        api_v1: true,
        run: Run::Local(sessions::end),
        options: &[NONE],
        help: "Ends sessions and kills their cursors.",
        ..DEFAULTS
    },
    Command {
        name: "explain",
        kind: Kind::Read,
        api_v1: true,
        run: Run::Flow(|call| Box::pin(explain::run(call))),
        options: &[&[used("verbosity")]],
        help: "Returns how PostgreSQL runs a command.",
        ..DEFAULTS
    },
    Command {
        name: "features",
        run: Run::Local(local::server::features),
        options: &[ANY],
        help: "Returns what this build can do.",
        ..DEFAULTS
    },
    Command {
        name: "filemd5",
        kind: Kind::Read,
        run: Run::Flow(|call| Box::pin(hash::file(call))),
        options: &[&[used("root"), unless("partialOk", False), rejected("md5state")]],
        help: "Returns the MD5 of a file of GridFS.",
        ..DEFAULTS
    },
    Command {
        name: "find",
        target: Target::Collection,
        kind: Kind::Read,
        api_v1: true,
        run: Run::Cursor(&calls::FIND),
        options: &[&[
            pass("filter"),
            pass("projection"),
            pass("sort"),
            pass("hint"),
            noted("skip"),
            noted("limit"),
            noted("batchSize"),
            noted("singleBatch"),
            pass("let"),
            pass("returnKey"),
            pass("showRecordId"),
            noted("min"),
            noted("max"),
            pass("collation"),
            noted("tailable"),
            noted("awaitData"),
            noted("noCursorTimeout"),
            ignored("allowDiskUse", PLANNER),
            ignored("allowPartialResults", "there are no shards that could be missing"),
            ignored("oplogReplay", "obsolete, without effect in MongoDB too"),
            ignored("mirrored", "only servers send it to one another"),
            ignored("readOnce", "a hint to the storage's cache"),
            ignored("querySettings", PLANNER),
            ignored("includeQueryStatsMetrics", STATISTICS),
            rejected("encryptionInformation"),
            unless("$_requestResumeToken", False),
            rejected("$_resumeAfter"),
            rejected("$_startAt"),
            rejected("term"),
            unless("rawData", False),
        ]],
        help: "Returns the documents matched by the query.",
        ..DEFAULTS
    },
    Command {
        name: "findAndModify",
        aliases: &["findandmodify"],
        target: Target::Collection,
        kind: Kind::Write,
        api_v1: true,
        run: Run::Flow(|call| Box::pin(writes::find_and_modify(call))),
        options: &[
            &[
                pass("query"),
                pass("fields"),
                pass("sort"),
                pass("hint"),
                pass("remove"),
                pass("update"),
                pass("upsert"),
                pass("new"),
                pass("arrayFilters"),
                pass("let"),
                pass("collation"),
                unless("rawData", False),
            ],
            WRITE_FIELDS,
        ],
        help: "Changes or removes one document and returns it.",
        ..DEFAULTS
    },
    Command {
        name: "getCmdLineOpts",
        admin_only: true,
        run: Run::Local(local::server::cmd_line_opts),
        options: &[ANY],
        help: "Returns how the server was started.",
        ..DEFAULTS
    },
    Command {
        name: "getLog",
        admin_only: true,
        run: Run::Local(local::server::log),
        options: &[NONE],
        help: "Returns messages of the server for the shell.",
        ..DEFAULTS
    },
    Command {
        name: "getMore",
        kind: Kind::Any,
        api_v1: true,
        run: Run::Flow(|call| Box::pin(crud::get_more(call))),
        options: &[&[
            used("collection"),
            noted("batchSize"),
            ignored("term", "only servers send it to one another"),
            ignored("lastKnownCommittedOpTime", "only servers send it to one another"),
            ignored("includeQueryStatsMetrics", STATISTICS),
        ]],
        help: "Returns the next page of a cursor.",
        ..DEFAULTS
    },
    Command {
        name: "getParameter",
        admin_only: true,
        run: Run::Local(local::parameters::get),
        options: &[OWN],
        help: "Returns server parameters.",
        ..DEFAULTS
    },
    Command {
        name: "grantRolesToUser",
        kind: Kind::Admin,
        run: Run::Flow(|call| Box::pin(grants::change(call))),
        options: &[&[used("roles")]],
        help: "Gives a user roles.",
        ..DEFAULTS
    },
    Command {
        name: "hello",
        auth: Auth::Open,
        kind: Kind::Any,
        api_v1: true,
        run: Run::Flow(|call| Box::pin(local::hello::run(call))),
        options: &[OWN],
        help: "Returns what the server is, and starts a login if asked to.",
        ..DEFAULTS
    },
    Command {
        name: "hostInfo",
        admin_only: true,
        run: Run::Local(local::server::host_info),
        options: &[ANY],
        help: "Returns facts about the machine.",
        ..DEFAULTS
    },
    Command {
        name: "insert",
        target: Target::Collection,
        kind: Kind::Write,
        api_v1: true,
        sequences: &["documents"],
        run: Run::Flow(|call| Box::pin(writes::run(call, &calls::INSERT))),
        options: &[&[pass("documents"), pass("ordered"), unless("rawData", False)], WRITE_FIELDS],
        help: "Inserts documents.",
        ..DEFAULTS
    },
    Command {
        name: "invalidateUserCache",
        auth: Auth::Admin,
        admin_only: true,
        run: Run::Local(rights::invalidate),
        options: &[NONE],
        help: "Has what is known of users' rights asked anew.",
        ..DEFAULTS
    },
    Command {
        name: "isMaster",
        aliases: &["ismaster"],
        auth: Auth::Open,
        kind: Kind::Any,
        run: Run::Flow(|call| Box::pin(local::hello::run(call))),
        options: &[OWN],
        help: "The old name of hello, with the old names in its reply.",
        ..DEFAULTS
    },
    Command {
        name: "killAllSessions",
        auth: Auth::Admin,
        run: Run::Local(sessions::kill_all),
        options: &[NONE],
        help: "Kills the cursors of all sessions, or of the sessions of some users.",
        ..DEFAULTS
    },
    Command {
        name: "killAllSessionsByPattern",
        auth: Auth::Admin,
        run: Run::Local(maintenance::kill_by_pattern),
        options: &[NONE],
        help: "Closes the cursors of sessions.",
        ..DEFAULTS
    },
    Command {
        name: "killCursors",
        api_v1: true,
        run: Run::Local(sessions::kill_cursors),
        options: &[&[used("cursors")]],
        help: "Closes cursors.",
        ..DEFAULTS
    },
    Command {
        name: "killOp",
        kind: Kind::Any,
        admin_only: true,
        run: Run::Flow(|call| Box::pin(operations::kill_op(call))),
        options: &[&[used("op")]],
        help: "Ends an operation.",
        ..DEFAULTS
    },
    Command {
        name: "killSessions",
        run: Run::Local(sessions::end),
        options: &[NONE],
        help: "Ends sessions and kills their cursors.",
        ..DEFAULTS
    },
    Command {
        name: "listCollections",
        kind: Kind::Read,
        api_v1: true,
        run: Run::Flow(|call| Box::pin(collections::list(call))),
        options: &[&[
            pass("filter"),
            pass("nameOnly"),
            pass("cursor"),
            ignored("authorizedCollections", "every user sees every collection"),
            unless("rawData", False),
        ]],
        help: "Returns the collections of a database.",
        ..DEFAULTS
    },
    Command {
        name: "listCommands",
        run: Run::Local(local::server::list_commands),
        options: &[ANY],
        help: "Returns the commands that this server knows.",
        ..DEFAULTS
    },
    Command {
        name: "listDatabases",
        kind: Kind::Read,
        admin_only: true,
        api_v1: true,
        run: Run::Flow(|call| Box::pin(databases::list(call))),
        options: &[&[
            pass("filter"),
            pass("nameOnly"),
            ignored("authorizedDatabases", "every user sees every database"),
        ]],
        help: "Returns the databases.",
        ..DEFAULTS
    },
    Command {
        name: "listIndexes",
        target: Target::Collection,
        kind: Kind::Read,
        api_v1: true,
        run: Run::Cursor(&calls::LIST_INDEXES),
        options: &[&[
            pass("cursor"),
            unless("includeBuildUUIDs", False),
            unless("includeIndexBuildInfo", False),
            unless("rawData", False),
        ]],
        help: "Returns the indexes of a collection.",
        ..DEFAULTS
    },
    Command {
        name: "logRotate",
        auth: Auth::Admin,
        admin_only: true,
        run: Run::Local(maintenance::log_rotate),
        options: &[NONE],
        help: "Does nothing: the log goes to standard error.",
        ..DEFAULTS
    },
    Command {
        name: "logout",
        auth: Auth::Open,
        run: Run::Local(login::logout),
        options: &[ANY],
        help: "Ends the login of this connection.",
        ..DEFAULTS
    },
    Command {
        name: "ping",
        auth: Auth::Open,
        api_v1: true,
        run: Run::Local(local::server::ping),
        options: &[ANY],
        help: "Answers.",
        ..DEFAULTS
    },
    Command {
        name: "planCacheClear",
        target: Target::Collection,
        run: Run::Local(maintenance::plan_cache),
        options: &[OWN],
        help: "Does nothing: there is no plan cache.",
        ..DEFAULTS
    },
    Command {
        name: "planCacheClearFilters",
        target: Target::Collection,
        run: Run::Local(maintenance::plan_cache),
        options: &[OWN],
        help: "Does nothing: there is no plan cache.",
        ..DEFAULTS
    },
    Command {
        name: "planCacheListFilters",
        target: Target::Collection,
        run: Run::Local(maintenance::plan_cache),
        options: &[OWN],
        help: "Returns none: there is no plan cache.",
        ..DEFAULTS
    },
    Command {
        name: "profile",
        auth: Auth::Admin,
        run: Run::Local(profile::set),
        options: &[&[used("slowms"), used("sampleRate"), used("filter")]],
        help: "Sets what the profiler of a database records, and what counts as slow.",
        ..DEFAULTS
    },
    Command {
        name: "reIndex",
        target: Target::Collection,
        kind: Kind::Admin,
        run: Run::Flow(|call| Box::pin(indexes::rebuild(call))),
        options: &[NONE],
        help: "Makes all indexes of a collection anew.",
        ..DEFAULTS
    },
    Command {
        name: "refreshSessions",
        auth: Auth::Open,
        api_v1: true,
        run: Run::Local(sessions::refresh),
        options: &[NONE],
        help: "Starts the time of sessions again.",
        ..DEFAULTS
    },
    Command {
        name: "renameCollection",
        kind: Kind::Admin,
        admin_only: true,
        run: Run::Flow(|call| Box::pin(collections::rename(call))),
        options: &[&[
            used("to"),
            used("dropTarget"),
            unless("stayTemp", False),
            rejected("collectionUUID"),
            unless("rawData", False),
        ]],
        help: "Renames a collection.",
        ..DEFAULTS
    },
    Command {
        name: "revokeRolesFromUser",
        kind: Kind::Admin,
        run: Run::Flow(|call| Box::pin(grants::change(call))),
        options: &[&[used("roles")]],
        help: "Takes roles from a user.",
        ..DEFAULTS
    },
    Command {
        name: "rolesInfo",
        kind: Kind::Read,
        run: Run::Flow(|call| Box::pin(maintenance::roles_info(call))),
        options: &[&[
            pass("showPrivileges"),
            pass("showBuiltinRoles"),
            rejected("showAuthenticationRestrictions"),
        ]],
        help: "Returns roles, where the extension has them.",
        ..DEFAULTS
    },
    Command {
        name: "saslContinue",
        kind: Kind::Any,
        auth: Auth::Open,
        run: Run::Flow(|call| Box::pin(login::sasl_continue(call))),
        options: &[&[used("conversationId"), used("payload")]],
        help: "Goes on with a login.",
        ..DEFAULTS
    },
    Command {
        name: "saslStart",
        kind: Kind::Any,
        auth: Auth::Open,
        run: Run::Flow(|call| Box::pin(login::sasl_start(call))),
        options: &[&[
            used("mechanism"),
            used("payload"),
            used("options"),
            ignored("autoAuthorize", "obsolete, always so"),
            used("db"),
        ]],
        help: "Begins a login.",
        ..DEFAULTS
    },
    Command {
        name: "serverStatus",
        run: Run::Local(local::status::run),
        options: &[OWN],
        help: "Returns counters of this process.",
        ..DEFAULTS
    },
    Command {
        name: "setParameter",
        admin_only: true,
        run: Run::Local(maintenance::set_parameter),
        options: &[OWN],
        help: "Refuses every parameter: none can be changed while the process runs.",
        ..DEFAULTS
    },
    Command {
        name: "shardingState",
        admin_only: true,
        run: Run::Local(local::server::sharding_state),
        options: &[ANY],
        help: "Answers that there are no shards.",
        ..DEFAULTS
    },
    Command {
        name: "startSession",
        auth: Auth::Open,
        run: Run::Local(sessions::start),
        options: &[NONE],
        help: "Returns the id of a new session.",
        ..DEFAULTS
    },
    Command {
        name: "top",
        admin_only: true,
        run: Run::Local(maintenance::top),
        options: &[ANY],
        help: "Returns the time that commands on each collection took.",
        ..DEFAULTS
    },
    Command {
        name: "update",
        target: Target::Collection,
        kind: Kind::Write,
        api_v1: true,
        sequences: &["updates"],
        run: Run::Flow(|call| Box::pin(writes::run(call, &calls::UPDATE))),
        options: &[&[pass("updates"), pass("ordered"), pass("let"), unless("rawData", False)], WRITE_FIELDS],
        help: "Changes documents.",
        ..DEFAULTS
    },
    Command {
        name: "updateRole",
        kind: Kind::Admin,
        run: Run::Flow(|call| Box::pin(maintenance::change(call, &calls::UPDATE_ROLE))),
        options: &[&[pass("privileges"), pass("roles"), rejected("authenticationRestrictions")]],
        help: "Changes a role, where the extension has roles.",
        ..DEFAULTS
    },
    Command {
        name: "updateUser",
        kind: Kind::Admin,
        run: Run::Flow(|call| Box::pin(users::update(call))),
        options: &[USER_FIELDS],
        help: "Changes a user's password and roles.",
        ..DEFAULTS
    },
    Command {
        name: "usersInfo",
        kind: Kind::Read,
        run: Run::Flow(|call| Box::pin(users::info(call))),
        options: &[&[
            pass("showPrivileges"),
            pass("forAllDBs"),
            unless("showCredentials", False),
            ignored("showCustomData", "what is stored is shown"),
            unless("showAuthenticationRestrictions", False),
            rejected("filter"),
        ]],
        help: "Returns users and their roles.",
        ..DEFAULTS
    },
    Command {
        name: "validate",
        target: Target::Collection,
        kind: Kind::Read,
        run: Run::Sql(&calls::VALIDATE),
        options: &[&[
            pass("full"),
            pass("repair"),
            pass("metadata"),
            pass("checkBSONConformance"),
            pass("background"),
            pass("fixMultikey"),
            unless("rawData", False),
        ]],
        help: "Checks a collection and its indexes.",
        ..DEFAULTS
    },
    Command {
        name: "validateDBMetadata",
        kind: Kind::Read,
        run: Run::Flow(|call| Box::pin(metadata::validate(call))),
        options: &[&[used("apiParameters"), used("db"), used("collection")]],
        help: "Returns the indexes and views that version 1 of the stable API does not have.",
        ..DEFAULTS
    },
    Command {
        name: "whatsmyuri",
        auth: Auth::Open,
        run: Run::Local(local::server::whats_my_uri),
        options: &[ANY],
        help: "Returns the client's address.",
        ..DEFAULTS
    },
];

/// Fields of every command that writes documents.
const WRITE_FIELDS: &[Opt] = &[
    pass("bypassDocumentValidation"),
    ignored("bypassEmptyTsReplacement", "empty timestamps are stored as they are"),
    ignored("stmtId", "statements are numbered for retries, which need a replica set"),
    ignored("stmtIds", "statements are numbered for retries, which need a replica set"),
    ignored("sampleId", ROUTERS),
    ignored("isTimeseriesNamespace", ROUTERS),
    rejected("encryptionInformation"),
];

/// Fields of createUser and updateUser.
const USER_FIELDS: &[Opt] = &[
    pass("pwd"),
    pass("roles"),
    pass("customData"),
    used("mechanisms"),
    unless("digestPassword", True),
    rejected("passwordDigestor"),
    rejected("authenticationRestrictions"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::options::COMMON;

    #[test]
    fn sorted_and_unique() {
        assert!(COMMANDS.windows(2).all(|pair| pair[0].name < pair[1].name));
        let mut names: Vec<_> = COMMANDS
            .iter()
            .flat_map(|command| command.aliases.iter().copied().chain([command.name]))
            .collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "a name or alias stands twice");
    }

    #[test]
    fn every_name_is_found() {
        for command in COMMANDS {
            for name in command.aliases.iter().chain([&command.name]) {
                assert_eq!(find(name).map(|found| found.name), Some(command.name));
            }
        }
        assert!(find("").is_none() && find("FIND").is_none() && find("atlasVersion").is_none());
    }

    #[test]
    fn options_are_unique_and_reasoned() {
        for command in COMMANDS {
            let mut seen = Vec::new();
            for option in command.options.iter().flat_map(|list| list.iter()).chain(COMMON) {
                assert!(!seen.contains(&option.name), "{}: {} stands twice", command.name, option.name);
                seen.push(option.name);
                if let Policy::Ignored(why) = option.policy {
                    assert!(!why.is_empty(), "{}: {} is ignored without a reason", command.name, option.name);
                }
            }
            assert!(seen.len() < 128, "{}: repeated fields are counted in 128 bits", command.name);
        }
    }

    #[test]
    fn columns_agree() {
        for command in COMMANDS {
            assert!(!command.help.is_empty() && command.help.ends_with('.'), "{}", command.name);
            let local = matches!(command.run, Run::Local(_));
            assert_eq!(local, command.kind == Kind::Local, "{}: Local iff Run::Local", command.name);
            assert!(command.writes_if.is_none() || command.kind == Kind::Read, "{}", command.name);
            for sequence in command.sequences {
                let is_option = |option: &Opt| option.name == *sequence;
                assert!(command.options.iter().any(|list| list.iter().any(is_option)), "{}", command.name);
            }
            if command.auth == Auth::Open {
                assert!(matches!(command.kind, Kind::Local | Kind::Any), "{} is open to all", command.name);
            }
        }
        for name in LEGACY {
            assert!(find(name).is_some(), "{name}");
        }
    }
}
