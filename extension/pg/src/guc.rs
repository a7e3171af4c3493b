//! Settings: the official extension's names under `documentdb.` and `documentdb_core.`, and our own under `ermine.`.
//!
//! All of sql-api.md 1.9 are accepted, since clients set them at connect time. Those with a meaning here are read through
//! [`flag`] and [`number`]; the rest say so in their description.

use core::ffi::CStr;
use std::sync::OnceLock;

use pgrx::pg_sys;

/// Kinds of settings and their defaults.
enum Kind {
    Bool(bool),
    Int(i32, i32, i32),
    Str(&'static CStr),
}

struct Setting {
    name: &'static CStr,
    kind: Kind,
    superuser: bool,
    /// What it does here.
    about: &'static CStr,
}

const NO_EFFECT: &CStr = c"Accepted for compatibility; has no effect here.";

const fn on(name: &'static CStr, about: &'static CStr) -> Setting {
    Setting { name, kind: Kind::Bool(true), superuser: false, about }
}
const fn off(name: &'static CStr, about: &'static CStr) -> Setting {
    Setting { name, kind: Kind::Bool(false), superuser: false, about }
}
const fn int(name: &'static CStr, default: i32, min: i32, max: i32, about: &'static CStr) -> Setting {
    Setting { name, kind: Kind::Int(default, min, max), superuser: false, about }
}
const fn text(name: &'static CStr, default: &'static CStr, about: &'static CStr) -> Setting {
    Setting { name, kind: Kind::Str(default), superuser: false, about }
}
const fn superuser(s: Setting) -> Setting {
    Setting { superuser: true, ..s }
}

const MAX: i32 = i32::MAX;

/// THE table. Order is of no importance.
static SETTINGS: &[Setting] = &[
    off(
        c"ermine.official_cursors",
        c"Hold sorted, grouped and joined results in the backend, as the official extension does.",
    ),
    int(
        c"ermine.ttl_interval",
        60,
        0,
        MAX,
        c"Seconds between two looks for expired documents; 0: nobody looks. Takes effect from the server's configuration.",
    ),
    on(c"documentdb.enableStatementTimeout", c"Obey maxTimeMS inside commands."),
    int(
        c"documentdb.maxCustomCommandTimeoutLimit",
        10_800_000,
        1,
        MAX,
        c"Upper limit of maxTimeMS, in milliseconds.",
    ),
    int(
        c"documentdb.defaultCursorFirstPageBatchSize",
        101,
        1,
        MAX,
        c"Documents in a first batch without batchSize.",
    ),
    int(c"documentdb.maxWriteBatchSize", 25_000, 1, MAX, c"Most operations in one write command."),
    int(
        c"documentdb.batchWriteSubTransactionCount",
        512,
        1,
        MAX,
        c"Operations tried together in one subtransaction.",
    ),
    on(c"documentdb.enable_create_collection_on_insert", c"Create a missing collection on its first insert."),
    off(c"documentdb.IsPgReadOnlyForDiskFull", c"Refuse writes: the disk is full."),
    off(c"documentdb.simulateRecoveryState", c"Refuse writes as a standby would."),
    int(
        c"documentdb.coll_stats_count_policy_threshold",
        10_000,
        0,
        MAX,
        c"collStats counts exactly below this.",
    ),
    int(c"documentdb.aggregation_stages_limit", 1_000, 1, MAX, c"Most stages of a pipeline."),
    int(c"documentdb.maxIndexesPerCollection", 64, 0, 300, c"Most indexes of a collection."),
    on(c"documentdb.enableUserCrud", c"Allow the user commands."),
    off(c"documentdb.enableRoleCrud", c"Allow the role commands."),
    on(c"documentdb.isNativeAuthEnabled", c"Allow SCRAM authentication."),
    on(c"documentdb.enableUsernamePasswordConstraints", c"Check names and passwords of new users."),
    text(
        c"documentdb.blockedRolePrefixList",
        c"",
        c"Prefixes that user names must not have, comma-separated.",
    ),
    superuser(int(c"documentdb.maxUserLimit", 100, 1, MAX, c"Most users.")),
    int(c"documentdb.scramDefaultSaltLen", 28, 1, 64, c"Bytes of salt of a new password."),
    on(c"documentdb.enableSchemaValidation", c"Check documents against the collection's validator."),
    on(c"documentdb.enableBypassDocumentValidation", c"Obey bypassDocumentValidation."),
    off(c"documentdb.throwDeadlockOnCRUD", c"Raise 40P01 in every write: a test aid."),
    off(c"documentdb.skipFailOnCollation", c"Ignore an unsupported collation."),
    off(c"documentdb_core.bsonUseEJson", c"Write bson as Extended JSON."),
    on(c"documentdb_core.enableCollation", c"Obey collation."),
    off(c"documentdb.useFileBasedPersistedCursors", NO_EFFECT),
    off(c"documentdb.enablePrimaryKeyCursorScan", NO_EFFECT),
    int(c"documentdb.maxCursorFileCount", 5_000, 0, MAX, NO_EFFECT),
    int(c"documentdb.maxCursorIntermediateFileSizeMB", 4_096, 0, MAX, NO_EFFECT),
    int(c"documentdb.defaultCursorExpiryTimeLimitSeconds", 60, 0, MAX, NO_EFFECT),
    on(c"documentdb.enableVariablesSupportForWriteCommands", NO_EFFECT),
    on(c"documentdb.enableLetAndCollationForQueryMatch", NO_EFFECT),
    on(c"documentdb.enableNowSystemVariable", NO_EFFECT),
    on(c"documentdb.enableCompact", NO_EFFECT),
    on(c"documentdb.enableIndexHintSupport", NO_EFFECT),
    on(c"documentdb.enableBucketAutoStage", NO_EFFECT),
    on(c"documentdb.enableNewCompositeIndexOpClass", NO_EFFECT),
    off(c"documentdb.defaultUseCompositeOpClass", NO_EFFECT),
    on(c"documentdb.enableIndexOrderbyPushdown", NO_EFFECT),
    on(c"documentdb.enableIndexOnlyScan", NO_EFFECT),
    on(c"documentdb.forceUseIndexIfAvailable", NO_EFFECT),
    on(c"documentdb.forceRumIndexScantoBitmapHeapScan", NO_EFFECT),
    off(c"documentdb.enableExtendedExplainPlans", NO_EFFECT),
    int(c"documentdb.indexBuildScheduleInSec", 2, 0, MAX, NO_EFFECT),
    int(c"documentdb.maxNumActiveUsersIndexBuilds", 2, 0, MAX, NO_EFFECT),
    int(c"documentdb.maxIndexBuildAttempts", 3, 1, MAX, c"Attempts at an index build that is interrupted."),
    int(c"documentdb.query_plan_cache_size", 100, 0, MAX, NO_EFFECT),
    text(c"documentdb.current_op_application_name", c"", NO_EFFECT),
    off(c"documentdb.currentOpAddSqlCommand", NO_EFFECT),
    superuser(text(c"documentdb.localhost_connection_string", c"host=localhost", NO_EFFECT)),
    off(c"documentdb.enableTTLJobsOnReadOnly", NO_EFFECT),
    off(c"documentdb.enableBackgroundWorker", NO_EFFECT),
    off(c"documentdb.enableBackgroundWorkerJobs", NO_EFFECT),
    text(c"documentdb.rum_library_load_option", c"", NO_EFFECT),
    on(c"documentdb.enableDataTableWithoutCreationTime", NO_EFFECT),
];

/// Where PostgreSQL keeps a setting's value; leaked on purpose, one per backend.
#[derive(Clone, Copy)]
enum Place {
    Bool(*mut bool),
    Int(*mut i32),
    Str,
}

struct Places(Vec<Place>);
// SAFETY: a backend has one thread; the static only asks for the bounds.
unsafe impl Sync for Places {}
// SAFETY: as above.
unsafe impl Send for Places {}

static PLACES: OnceLock<Places> = OnceLock::new();

/// Makes the settings known to PostgreSQL. Once per backend.
pub fn define() {
    PLACES.get_or_init(|| Places(SETTINGS.iter().map(define_one).collect()));
    for prefix in [c"documentdb", c"documentdb_core", c"ermine"] {
        // SAFETY: a plain call with a C string; PostgreSQL copies it.
        unsafe { pg_sys::MarkGUCPrefixReserved(prefix.as_ptr()) };
    }
}

fn define_one(s: &Setting) -> Place {
    let context = if s.superuser { pg_sys::GucContext::PGC_SUSET } else { pg_sys::GucContext::PGC_USERSET };
    let (name, about, none) = (s.name.as_ptr(), s.about.as_ptr(), core::ptr::null());
    // SAFETY: names and descriptions are static, the values are leaked and so live as long as the backend.
    unsafe {
        match s.kind {
            Kind::Bool(default) => {
                let place = Box::leak(Box::new(default));
                pg_sys::DefineCustomBoolVariable(
                    name, about, none, place, default, context, 0, None, None, None,
                );
                Place::Bool(place)
            }
            Kind::Int(default, min, max) => {
                let place = Box::leak(Box::new(default));
                pg_sys::DefineCustomIntVariable(
                    name, about, none, place, default, min, max, context, 0, None, None, None,
                );
                Place::Int(place)
            }
            Kind::Str(default) => {
                let place = Box::leak(Box::new(core::ptr::null_mut()));
                pg_sys::DefineCustomStringVariable(
                    name,
                    about,
                    none,
                    place,
                    default.as_ptr(),
                    context,
                    0,
                    None,
                    None,
                    None,
                );
                Place::Str
            }
        }
    }
}

fn place(name: &CStr) -> Option<Place> {
    let i = SETTINGS.iter().position(|s| s.name == name)?;
    PLACES.get().map(|p| p.0[i])
}

/// The value of a boolean setting of the table; false for a name that is not in it.
pub fn flag(name: &CStr) -> bool {
    match place(name) {
        // SAFETY: leaked by define_one; only PostgreSQL writes it, on this thread.
        Some(Place::Bool(p)) => unsafe { *p },
        _ => false,
    }
}

/// The value of an integer setting of the table; 0 for a name that is not in it.
pub fn number(name: &CStr) -> i32 {
    match place(name) {
        // SAFETY: as in `flag`.
        Some(Place::Int(p)) => unsafe { *p },
        _ => 0,
    }
}
