//! MongoDB's error codes. Generated from `codes.csv` and `mongodb_codes.csv`; a test guards it.
use super::Code;

/// OK.
pub const OK: Code = Code(0);
/// InternalError.
pub const INTERNAL_ERROR: Code = Code(1);
/// BadValue.
pub const BAD_VALUE: Code = Code(2);
/// NoSuchKey.
pub const NO_SUCH_KEY: Code = Code(4);
/// GraphContainsCycle.
pub const GRAPH_CONTAINS_CYCLE: Code = Code(5);
/// HostUnreachable.
pub const HOST_UNREACHABLE: Code = Code(6);
/// HostNotFound.
pub const HOST_NOT_FOUND: Code = Code(7);
/// UnknownError.
pub const UNKNOWN_ERROR: Code = Code(8);
/// FailedToParse.
pub const FAILED_TO_PARSE: Code = Code(9);
/// CannotMutateObject.
pub const CANNOT_MUTATE_OBJECT: Code = Code(10);
/// UserNotFound.
pub const USER_NOT_FOUND: Code = Code(11);
/// UnsupportedFormat.
pub const UNSUPPORTED_FORMAT: Code = Code(12);
/// Unauthorized.
pub const UNAUTHORIZED: Code = Code(13);
/// TypeMismatch.
pub const TYPE_MISMATCH: Code = Code(14);
/// Overflow.
pub const OVERFLOW: Code = Code(15);
/// InvalidLength.
pub const INVALID_LENGTH: Code = Code(16);
/// ProtocolError.
pub const PROTOCOL_ERROR: Code = Code(17);
/// AuthenticationFailed.
pub const AUTHENTICATION_FAILED: Code = Code(18);
/// CannotReuseObject.
pub const CANNOT_REUSE_OBJECT: Code = Code(19);
/// IllegalOperation.
pub const ILLEGAL_OPERATION: Code = Code(20);
/// InvalidBSON.
pub const INVALID_BSON: Code = Code(22);
/// AlreadyInitialized.
pub const ALREADY_INITIALIZED: Code = Code(23);
/// LockTimeout.
pub const LOCK_TIMEOUT: Code = Code(24);
/// NamespaceNotFound.
pub const NAMESPACE_NOT_FOUND: Code = Code(26);
/// IndexNotFound.
pub const INDEX_NOT_FOUND: Code = Code(27);
/// PathNotViable.
pub const PATH_NOT_VIABLE: Code = Code(28);
/// NonExistentPath.
pub const NON_EXISTENT_PATH: Code = Code(29);
/// InvalidPath.
pub const INVALID_PATH: Code = Code(30);
/// RoleNotFound.
pub const ROLE_NOT_FOUND: Code = Code(31);
/// RolesNotRelated.
pub const ROLES_NOT_RELATED: Code = Code(32);
/// PrivilegeNotFound.
pub const PRIVILEGE_NOT_FOUND: Code = Code(33);
/// CannotBackfillArray.
pub const CANNOT_BACKFILL_ARRAY: Code = Code(34);
/// UserModificationFailed.
pub const USER_MODIFICATION_FAILED: Code = Code(35);
/// ConflictingUpdateOperators.
pub const CONFLICTING_UPDATE_OPERATORS: Code = Code(40);
/// CursorNotFound.
pub const CURSOR_NOT_FOUND: Code = Code(43);
/// LockBusy.
pub const LOCK_BUSY: Code = Code(46);
/// NoMatchingDocument.
pub const NO_MATCHING_DOCUMENT: Code = Code(47);
/// NamespaceExists.
pub const NAMESPACE_EXISTS: Code = Code(48);
/// InvalidRoleModification.
pub const INVALID_ROLE_MODIFICATION: Code = Code(49);
/// MaxTimeMSExpired.
pub const MAX_TIME_MS_EXPIRED: Code = Code(50);
/// DollarPrefixedFieldName.
pub const DOLLAR_PREFIXED_FIELD_NAME: Code = Code(52);
/// InvalidIdField.
pub const INVALID_ID_FIELD: Code = Code(53);
/// NotSingleValueField.
pub const NOT_SINGLE_VALUE_FIELD: Code = Code(54);
/// InvalidDBRef.
pub const INVALID_DB_REF: Code = Code(55);
/// EmptyFieldName.
pub const EMPTY_FIELD_NAME: Code = Code(56);
/// DottedFieldName.
pub const DOTTED_FIELD_NAME: Code = Code(57);
/// RoleModificationFailed.
pub const ROLE_MODIFICATION_FAILED: Code = Code(58);
/// CommandNotFound.
pub const COMMAND_NOT_FOUND: Code = Code(59);
/// ShardKeyNotFound.
pub const SHARD_KEY_NOT_FOUND: Code = Code(61);
/// StaleShardVersion.
pub const STALE_SHARD_VERSION: Code = Code(63);
/// WriteConcernFailed.
pub const WRITE_CONCERN_FAILED: Code = Code(64);
/// MultipleErrorsOccurred.
pub const MULTIPLE_ERRORS_OCCURRED: Code = Code(65);
/// ImmutableField.
pub const IMMUTABLE_FIELD: Code = Code(66);
/// CannotCreateIndex.
pub const CANNOT_CREATE_INDEX: Code = Code(67);
/// IndexAlreadyExists.
pub const INDEX_ALREADY_EXISTS: Code = Code(68);
/// InvalidOptions.
pub const INVALID_OPTIONS: Code = Code(72);
/// InvalidNamespace.
pub const INVALID_NAMESPACE: Code = Code(73);
/// NoReplicationEnabled.
pub const NO_REPLICATION_ENABLED: Code = Code(76);
/// UnknownReplWriteConcern.
pub const UNKNOWN_REPL_WRITE_CONCERN: Code = Code(79);
/// IndexOptionsConflict.
pub const INDEX_OPTIONS_CONFLICT: Code = Code(85);
/// IndexKeySpecsConflict.
pub const INDEX_KEY_SPECS_CONFLICT: Code = Code(86);
/// NetworkTimeout.
pub const NETWORK_TIMEOUT: Code = Code(89);
/// ShutdownInProgress.
pub const SHUTDOWN_IN_PROGRESS: Code = Code(91);
/// NotYetInitialized.
pub const NOT_YET_INITIALIZED: Code = Code(94);
/// NotSecondary.
pub const NOT_SECONDARY: Code = Code(95);
/// OperationFailed.
pub const OPERATION_FAILED: Code = Code(96);
/// NoProjectionFound.
pub const NO_PROJECTION_FOUND: Code = Code(97);
/// UnsatisfiableWriteConcern.
pub const UNSATISFIABLE_WRITE_CONCERN: Code = Code(100);
/// NotExactValueField.
pub const NOT_EXACT_VALUE_FIELD: Code = Code(111);
/// WriteConflict.
pub const WRITE_CONFLICT: Code = Code(112);
/// CommandNotSupported.
pub const COMMAND_NOT_SUPPORTED: Code = Code(115);
/// DocTooLargeForCapped.
pub const DOC_TOO_LARGE_FOR_CAPPED: Code = Code(116);
/// ConflictingOperationInProgress.
pub const CONFLICTING_OPERATION_IN_PROGRESS: Code = Code(117);
/// NamespaceNotSharded.
pub const NAMESPACE_NOT_SHARDED: Code = Code(118);
/// DocumentValidationFailure.
pub const DOCUMENT_VALIDATION_FAILURE: Code = Code(121);
/// NotAReplicaSet.
pub const NOT_A_REPLICA_SET: Code = Code(123);
/// CommandFailed.
pub const COMMAND_FAILED: Code = Code(125);
/// FailedToSatisfyReadPreference.
pub const FAILED_TO_SATISFY_READ_PREFERENCE: Code = Code(133);
/// ReadConcernMajorityNotAvailableYet.
pub const READ_CONCERN_MAJORITY_NOT_AVAILABLE_YET: Code = Code(134);
/// CappedPositionLost.
pub const CAPPED_POSITION_LOST: Code = Code(136);
/// CursorInUse.
pub const CURSOR_IN_USE: Code = Code(143);
/// ExceededMemoryLimit.
pub const EXCEEDED_MEMORY_LIMIT: Code = Code(146);
/// StaleEpoch.
pub const STALE_EPOCH: Code = Code(150);
/// DurationOverflow.
pub const DURATION_OVERFLOW: Code = Code(159);
/// MaxStalenessOutOfRange.
pub const MAX_STALENESS_OUT_OF_RANGE: Code = Code(160);
/// IncompatibleCollationVersion.
pub const INCOMPATIBLE_COLLATION_VERSION: Code = Code(161);
/// ViewDepthLimitExceeded.
pub const VIEW_DEPTH_LIMIT_EXCEEDED: Code = Code(165);
/// CommandNotSupportedOnView.
pub const COMMAND_NOT_SUPPORTED_ON_VIEW: Code = Code(166);
/// OptionNotSupportedOnView.
pub const OPTION_NOT_SUPPORTED_ON_VIEW: Code = Code(167);
/// InvalidPipelineOperator.
pub const INVALID_PIPELINE_OPERATOR: Code = Code(168);
/// CannotIndexParallelArrays.
pub const CANNOT_INDEX_PARALLEL_ARRAYS: Code = Code(171);
/// QueryPlanKilled.
pub const QUERY_PLAN_KILLED: Code = Code(175);
/// AmbiguousIndexKeyPattern.
pub const AMBIGUOUS_INDEX_KEY_PATTERN: Code = Code(181);
/// InvalidViewDefinition.
pub const INVALID_VIEW_DEFINITION: Code = Code(182);
/// ClientMetadataMissingField.
pub const CLIENT_METADATA_MISSING_FIELD: Code = Code(183);
/// ClientMetadataAppNameTooLarge.
pub const CLIENT_METADATA_APP_NAME_TOO_LARGE: Code = Code(184);
/// ClientMetadataDocumentTooLarge.
pub const CLIENT_METADATA_DOCUMENT_TOO_LARGE: Code = Code(185);
/// ClientMetadataCannotBeMutated.
pub const CLIENT_METADATA_CANNOT_BE_MUTATED: Code = Code(186);
/// LinearizableReadConcernError.
pub const LINEARIZABLE_READ_CONCERN_ERROR: Code = Code(187);
/// PrimarySteppedDown.
pub const PRIMARY_STEPPED_DOWN: Code = Code(189);
/// InvalidIndexSpecificationOption.
pub const INVALID_INDEX_SPECIFICATION_OPTION: Code = Code(197);
/// CannotBuildIndexKeys.
pub const CANNOT_BUILD_INDEX_KEYS: Code = Code(201);
/// NetworkInterfaceExceededTimeLimit.
pub const NETWORK_INTERFACE_EXCEEDED_TIME_LIMIT: Code = Code(202);
/// NoSuchSession.
pub const NO_SUCH_SESSION: Code = Code(206);
/// InvalidUUID.
pub const INVALID_UUID: Code = Code(207);
/// KeyNotFound.
pub const KEY_NOT_FOUND: Code = Code(211);
/// DuplicateSession.
pub const DUPLICATE_SESSION: Code = Code(213);
/// AuthenticationRestrictionUnmet.
pub const AUTHENTICATION_RESTRICTION_UNMET: Code = Code(214);
/// IncompleteTransactionHistory.
pub const INCOMPLETE_TRANSACTION_HISTORY: Code = Code(217);
/// UpdateOperationFailed.
pub const UPDATE_OPERATION_FAILED: Code = Code(218);
/// CloseChangeStream.
pub const CLOSE_CHANGE_STREAM: Code = Code(222);
/// IllegalOpMsgFlag.
pub const ILLEGAL_OP_MSG_FLAG: Code = Code(223);
/// QueryFeatureNotAllowed.
pub const QUERY_FEATURE_NOT_ALLOWED: Code = Code(224);
/// TransactionTooOld.
pub const TRANSACTION_TOO_OLD: Code = Code(225);
/// AtomicityFailure.
pub const ATOMICITY_FAILURE: Code = Code(226);
/// CannotImplicitlyCreateCollection.
pub const CANNOT_IMPLICITLY_CREATE_COLLECTION: Code = Code(227);
/// MaxSubPipelineDepthExceeded.
pub const MAX_SUB_PIPELINE_DEPTH_EXCEEDED: Code = Code(232);
/// TooManyDocumentSequences.
pub const TOO_MANY_DOCUMENT_SEQUENCES: Code = Code(233);
/// RetryChangeStream.
pub const RETRY_CHANGE_STREAM: Code = Code(234);
/// CursorKilled.
pub const CURSOR_KILLED: Code = Code(237);
/// NotImplemented.
pub const NOT_IMPLEMENTED: Code = Code(238);
/// SnapshotTooOld.
pub const SNAPSHOT_TOO_OLD: Code = Code(239);
/// ConversionFailure.
pub const CONVERSION_FAILURE: Code = Code(241);
/// CannotCreateCollection.
pub const CANNOT_CREATE_COLLECTION: Code = Code(242);
/// SnapshotUnavailable.
pub const SNAPSHOT_UNAVAILABLE: Code = Code(246);
/// NoSuchTransaction.
pub const NO_SUCH_TRANSACTION: Code = Code(251);
/// ReentrancyNotAllowed.
pub const REENTRANCY_NOT_ALLOWED: Code = Code(252);
/// TransactionCommitted.
pub const TRANSACTION_COMMITTED: Code = Code(256);
/// TransactionTooLarge.
pub const TRANSACTION_TOO_LARGE: Code = Code(257);
/// UnknownFeatureCompatibilityVersion.
pub const UNKNOWN_FEATURE_COMPATIBILITY_VERSION: Code = Code(258);
/// InvalidResumeToken.
pub const INVALID_RESUME_TOKEN: Code = Code(260);
/// TooManyLogicalSessions.
pub const TOO_MANY_LOGICAL_SESSIONS: Code = Code(261);
/// ExceededTimeLimit.
pub const EXCEEDED_TIME_LIMIT: Code = Code(262);
/// OperationNotSupportedInTransaction.
pub const OPERATION_NOT_SUPPORTED_IN_TRANSACTION: Code = Code(263);
/// TooManyFilesOpen.
pub const TOO_MANY_FILES_OPEN: Code = Code(264);
/// FailPointSetFailed.
pub const FAIL_POINT_SET_FAILED: Code = Code(266);
/// IndexBuildAborted.
pub const INDEX_BUILD_ABORTED: Code = Code(276);
/// ClientDisconnect.
pub const CLIENT_DISCONNECT: Code = Code(279);
/// ChangeStreamFatalError.
pub const CHANGE_STREAM_FATAL_ERROR: Code = Code(280);
/// IndexBuildAlreadyInProgress.
pub const INDEX_BUILD_ALREADY_IN_PROGRESS: Code = Code(285);
/// ChangeStreamHistoryLost.
pub const CHANGE_STREAM_HISTORY_LOST: Code = Code(286);
/// ChecksumMismatch.
pub const CHECKSUM_MISMATCH: Code = Code(288);
/// TransactionExceededLifetimeLimitSeconds.
pub const TRANSACTION_EXCEEDED_LIFETIME_LIMIT_SECONDS: Code = Code(290);
/// NoQueryExecutionPlans.
pub const NO_QUERY_EXECUTION_PLANS: Code = Code(291);
/// QueryExceededMemoryLimitNoDiskUseAllowed.
pub const QUERY_EXCEEDED_MEMORY_LIMIT_NO_DISK_USE_ALLOWED: Code = Code(292);
/// DataCorruptionDetected.
pub const DATA_CORRUPTION_DETECTED: Code = Code(301);
/// ObjectIsBusy.
pub const OBJECT_IS_BUSY: Code = Code(314);
/// APIVersionError.
pub const API_VERSION_ERROR: Code = Code(322);
/// APIStrictError.
pub const API_STRICT_ERROR: Code = Code(323);
/// APIDeprecationError.
pub const API_DEPRECATION_ERROR: Code = Code(324);
/// MechanismUnavailable.
pub const MECHANISM_UNAVAILABLE: Code = Code(334);
/// UnsupportedOpQueryCommand.
pub const UNSUPPORTED_OP_QUERY_COMMAND: Code = Code(352);
/// LoadBalancerSupportMismatch.
pub const LOAD_BALANCER_SUPPORT_MISMATCH: Code = Code(354);
/// CollectionUUIDMismatch.
pub const COLLECTION_UUID_MISMATCH: Code = Code(361);
/// ReauthenticationRequired.
pub const REAUTHENTICATION_REQUIRED: Code = Code(391);
/// IngressRequestRateLimitExceeded.
pub const INGRESS_REQUEST_RATE_LIMIT_EXCEEDED: Code = Code(462);
/// SocketException.
pub const SOCKET_EXCEPTION: Code = Code(9001);
/// CannotGrowDocumentInCappedNamespace.
pub const CANNOT_GROW_DOCUMENT_IN_CAPPED_NAMESPACE: Code = Code(10003);
/// LegacyNotPrimary.
pub const LEGACY_NOT_PRIMARY: Code = Code(10058);
/// NotWritablePrimary.
pub const NOT_WRITABLE_PRIMARY: Code = Code(10107);
/// BSONObjectTooLarge.
pub const BSON_OBJECT_TOO_LARGE: Code = Code(10334);
/// DuplicateKey.
pub const DUPLICATE_KEY: Code = Code(11000);
/// InterruptedAtShutdown.
pub const INTERRUPTED_AT_SHUTDOWN: Code = Code(11600);
/// Interrupted.
pub const INTERRUPTED: Code = Code(11601);
/// InterruptedDueToReplStateChange.
pub const INTERRUPTED_DUE_TO_REPL_STATE_CHANGE: Code = Code(11602);
/// BackgroundOperationInProgressForDatabase.
pub const BACKGROUND_OPERATION_IN_PROGRESS_FOR_DATABASE: Code = Code(12586);
/// BackgroundOperationInProgressForNamespace.
pub const BACKGROUND_OPERATION_IN_PROGRESS_FOR_NAMESPACE: Code = Code(12587);
/// MergeStageNoMatchingDocument.
pub const MERGE_STAGE_NO_MATCHING_DOCUMENT: Code = Code(13113);
/// DatabaseDifferCase.
pub const DATABASE_DIFFER_CASE: Code = Code(13297);
/// StaleConfig.
pub const STALE_CONFIG: Code = Code(13388);
/// NotPrimaryNoSecondaryOk.
pub const NOT_PRIMARY_NO_SECONDARY_OK: Code = Code(13435);
/// NotPrimaryOrSecondary.
pub const NOT_PRIMARY_OR_SECONDARY: Code = Code(13436);
/// OutOfDiskSpace.
pub const OUT_OF_DISK_SPACE: Code = Code(14031);
/// KeyTooLong.
pub const KEY_TOO_LONG: Code = Code(17280);
/// IDLDuplicateField.
pub const IDL_DUPLICATE_FIELD: Code = Code(40413);
/// IDLFailedToParse.
pub const IDL_FAILED_TO_PARSE: Code = Code(40414);
/// IDLUnknownField.
pub const IDL_UNKNOWN_FIELD: Code = Code(40415);
/// ClientMarkedKilled.
pub const CLIENT_MARKED_KILLED: Code = Code(46841);
/// NotARetryableWriteCommand.
pub const NOT_A_RETRYABLE_WRITE_COMMAND: Code = Code(50768);

/// Code and name, sorted by code. Codes that are absent are called `LocationNNNNN`.
#[rustfmt::skip]
pub const NAMES: &[(i32, &str)] = &[
    (0, "OK"),
    (1, "InternalError"),
    (2, "BadValue"),
    (4, "NoSuchKey"),
    (5, "GraphContainsCycle"),
    (6, "HostUnreachable"),
    (7, "HostNotFound"),
    (8, "UnknownError"),
    (9, "FailedToParse"),
    (10, "CannotMutateObject"),
    (11, "UserNotFound"),
    (12, "UnsupportedFormat"),
    (13, "Unauthorized"),
    (14, "TypeMismatch"),
    (15, "Overflow"),
    (16, "InvalidLength"),
    (17, "ProtocolError"),
    (18, "AuthenticationFailed"),
    (19, "CannotReuseObject"),
    (20, "IllegalOperation"),
    (22, "InvalidBSON"),
    (23, "AlreadyInitialized"),
    (24, "LockTimeout"),
    (26, "NamespaceNotFound"),
    (27, "IndexNotFound"),
    (28, "PathNotViable"),
    (29, "NonExistentPath"),
    (30, "InvalidPath"),
    (31, "RoleNotFound"),
    (32, "RolesNotRelated"),
    (33, "PrivilegeNotFound"),
    (34, "CannotBackfillArray"),
    (35, "UserModificationFailed"),
    (40, "ConflictingUpdateOperators"),
    (43, "CursorNotFound"),
    (46, "LockBusy"),
    (47, "NoMatchingDocument"),
    (48, "NamespaceExists"),
    (49, "InvalidRoleModification"),
    (50, "MaxTimeMSExpired"),
    (52, "DollarPrefixedFieldName"),
    (53, "InvalidIdField"),
    (54, "NotSingleValueField"),
    (55, "InvalidDBRef"),
    (56, "EmptyFieldName"),
    (57, "DottedFieldName"),
    (58, "RoleModificationFailed"),
    (59, "CommandNotFound"),
    (61, "ShardKeyNotFound"),
    (63, "StaleShardVersion"),
    (64, "WriteConcernFailed"),
    (65, "MultipleErrorsOccurred"),
    (66, "ImmutableField"),
    (67, "CannotCreateIndex"),
    (68, "IndexAlreadyExists"),
    (72, "InvalidOptions"),
    (73, "InvalidNamespace"),
    (76, "NoReplicationEnabled"),
    (79, "UnknownReplWriteConcern"),
    (85, "IndexOptionsConflict"),
    (86, "IndexKeySpecsConflict"),
    (89, "NetworkTimeout"),
    (91, "ShutdownInProgress"),
    (94, "NotYetInitialized"),
    (95, "NotSecondary"),
    (96, "OperationFailed"),
    (97, "NoProjectionFound"),
    (100, "UnsatisfiableWriteConcern"),
    (111, "NotExactValueField"),
    (112, "WriteConflict"),
    (115, "CommandNotSupported"),
    (116, "DocTooLargeForCapped"),
    (117, "ConflictingOperationInProgress"),
    (118, "NamespaceNotSharded"),
    (121, "DocumentValidationFailure"),
    (123, "NotAReplicaSet"),
    (125, "CommandFailed"),
    (133, "FailedToSatisfyReadPreference"),
    (134, "ReadConcernMajorityNotAvailableYet"),
    (136, "CappedPositionLost"),
    (143, "CursorInUse"),
    (146, "ExceededMemoryLimit"),
    (150, "StaleEpoch"),
    (159, "DurationOverflow"),
    (160, "MaxStalenessOutOfRange"),
    (161, "IncompatibleCollationVersion"),
    (165, "ViewDepthLimitExceeded"),
    (166, "CommandNotSupportedOnView"),
    (167, "OptionNotSupportedOnView"),
    (168, "InvalidPipelineOperator"),
    (171, "CannotIndexParallelArrays"),
    (175, "QueryPlanKilled"),
    (181, "AmbiguousIndexKeyPattern"),
    (182, "InvalidViewDefinition"),
    (183, "ClientMetadataMissingField"),
    (184, "ClientMetadataAppNameTooLarge"),
    (185, "ClientMetadataDocumentTooLarge"),
    (186, "ClientMetadataCannotBeMutated"),
    (187, "LinearizableReadConcernError"),
    (189, "PrimarySteppedDown"),
    (197, "InvalidIndexSpecificationOption"),
    (201, "CannotBuildIndexKeys"),
    (202, "NetworkInterfaceExceededTimeLimit"),
    (206, "NoSuchSession"),
    (207, "InvalidUUID"),
    (211, "KeyNotFound"),
    (213, "DuplicateSession"),
    (214, "AuthenticationRestrictionUnmet"),
    (217, "IncompleteTransactionHistory"),
    (218, "UpdateOperationFailed"),
    (222, "CloseChangeStream"),
    (223, "IllegalOpMsgFlag"),
    (224, "QueryFeatureNotAllowed"),
    (225, "TransactionTooOld"),
    (226, "AtomicityFailure"),
    (227, "CannotImplicitlyCreateCollection"),
    (232, "MaxSubPipelineDepthExceeded"),
    (233, "TooManyDocumentSequences"),
    (234, "RetryChangeStream"),
    (237, "CursorKilled"),
    (238, "NotImplemented"),
    (239, "SnapshotTooOld"),
    (241, "ConversionFailure"),
    (242, "CannotCreateCollection"),
    (246, "SnapshotUnavailable"),
    (251, "NoSuchTransaction"),
    (252, "ReentrancyNotAllowed"),
    (256, "TransactionCommitted"),
    (257, "TransactionTooLarge"),
    (258, "UnknownFeatureCompatibilityVersion"),
    (260, "InvalidResumeToken"),
    (261, "TooManyLogicalSessions"),
    (262, "ExceededTimeLimit"),
    (263, "OperationNotSupportedInTransaction"),
    (264, "TooManyFilesOpen"),
    (266, "FailPointSetFailed"),
    (276, "IndexBuildAborted"),
    (279, "ClientDisconnect"),
    (280, "ChangeStreamFatalError"),
    (285, "IndexBuildAlreadyInProgress"),
    (286, "ChangeStreamHistoryLost"),
    (288, "ChecksumMismatch"),
    (290, "TransactionExceededLifetimeLimitSeconds"),
    (291, "NoQueryExecutionPlans"),
    (292, "QueryExceededMemoryLimitNoDiskUseAllowed"),
    (301, "DataCorruptionDetected"),
    (314, "ObjectIsBusy"),
    (322, "APIVersionError"),
    (323, "APIStrictError"),
    (324, "APIDeprecationError"),
    (334, "MechanismUnavailable"),
    (352, "UnsupportedOpQueryCommand"),
    (354, "LoadBalancerSupportMismatch"),
    (361, "CollectionUUIDMismatch"),
    (391, "ReauthenticationRequired"),
    (462, "IngressRequestRateLimitExceeded"),
    (9001, "SocketException"),
    (10003, "CannotGrowDocumentInCappedNamespace"),
    (10058, "LegacyNotPrimary"),
    (10107, "NotWritablePrimary"),
    (10334, "BSONObjectTooLarge"),
    (11000, "DuplicateKey"),
    (11600, "InterruptedAtShutdown"),
    (11601, "Interrupted"),
    (11602, "InterruptedDueToReplStateChange"),
    (12586, "BackgroundOperationInProgressForDatabase"),
    (12587, "BackgroundOperationInProgressForNamespace"),
    (13113, "MergeStageNoMatchingDocument"),
    (13297, "DatabaseDifferCase"),
    (13388, "StaleConfig"),
    (13435, "NotPrimaryNoSecondaryOk"),
    (13436, "NotPrimaryOrSecondary"),
    (14031, "OutOfDiskSpace"),
    (17280, "KeyTooLong"),
    (40413, "IDLDuplicateField"),
    (40414, "IDLFailedToParse"),
    (40415, "IDLUnknownField"),
    (46841, "ClientMarkedKilled"),
    (50768, "NotARetryableWriteCommand"),
];

/// The extension's own SQLSTATEs, sorted, with the code each one means.
#[rustfmt::skip]
pub const SQLSTATES: &[(&str, i32)] = &[
    ("M0000", 1),
    ("M0001", 2),
    ("M0002", 5),
    ("M0003", 9),
    ("M0004", 14),
    ("M0005", 15),
    ("M0006", 20),
    ("M0007", 23),
    ("M0008", 26),
    ("M0009", 27),
    ("M000A", 28),
    ("M000B", 31),
    ("M000C", 34),
    ("M000D", 40),
    ("M000E", 43),
    ("M000F", 48),
    ("M000G", 52),
    ("M000H", 53),
    ("M000I", 54),
    ("M000J", 56),
    ("M000K", 57),
    ("M000L", 61),
    ("M000M", 66),
    ("M000N", 67),
    ("M000O", 68),
    ("M000P", 72),
    ("M000Q", 73),
    ("M000R", 85),
    ("M000S", 86),
    ("M000T", 111),
    ("M000U", 115),
    ("M000V", 118),
    ("M000W", 146),
    ("M000X", 159),
    ("M000Y", 165),
    ("M000Z", 166),
    ("M0010", 167),
    ("M0011", 181),
    ("M0012", 197),
    ("M0013", 224),
    ("M0014", 232),
    ("M0015", 241),
    ("M0016", 263),
    ("M0017", 276),
    ("M0018", 291),
    ("M0019", 361),
    ("M001A", 10065),
    ("M001B", 10334),
    ("M001C", 11000),
    ("M001D", 12587),
    ("M001E", 13026),
    ("M001F", 13027),
    ("M001G", 13068),
    ("M001H", 13113),
    ("M001I", 13297),
    ("M001J", 13548),
    ("M001K", 15947),
    ("M001L", 15952),
    ("M001M", 15955),
    ("M001N", 15957),
    ("M001O", 15958),
    ("M001P", 15959),
    ("M001Q", 15972),
    ("M001R", 15976),
    ("M001S", 15981),
    ("M001T", 16004),
    ("M001U", 16006),
    ("M001V", 16007),
    ("M001W", 16020),
    ("M001X", 6045000),
    ("M001Y", 16034),
    ("M001Z", 16035),
    ("M0020", 16410),
    ("M0021", 16411),
    ("M0022", 16433),
    ("M0023", 16554),
    ("M0024", 16610),
    ("M0025", 16611),
    ("M0026", 16612),
    ("M0027", 16702),
    ("M0028", 16747),
    ("M0029", 16748),
    ("M002A", 16749),
    ("M002B", 16755),
    ("M002C", 16764),
    ("M002D", 16766),
    ("M002E", 16800),
    ("M002F", 16801),
    ("M002G", 16804),
    ("M002H", 16874),
    ("M002I", 16875),
    ("M002J", 16876),
    ("M002K", 16878),
    ("M002L", 16879),
    ("M002M", 16880),
    ("M002N", 16882),
    ("M002O", 16883),
    ("M002P", 16994),
    ("M002Q", 17040),
    ("M002R", 17041),
    ("M002S", 17042),
    ("M002T", 17043),
    ("M002U", 17044),
    ("M002V", 17045),
    ("M002W", 17046),
    ("M002X", 17047),
    ("M002Y", 17048),
    ("M002Z", 17049),
    ("M0030", 17080),
    ("M0031", 17081),
    ("M0032", 17082),
    ("M0033", 17083),
    ("M0034", 17124),
    ("M0035", 17194),
    ("M0036", 17261),
    ("M0037", 17276),
    ("M0038", 17308),
    ("M0039", 17310),
    ("M003A", 17419),
    ("M003B", 17420),
    ("M003C", 18628),
    ("M003D", 18629),
    ("M003E", 18533),
    ("M003F", 18534),
    ("M003G", 18535),
    ("M003H", 18536),
    ("M003I", 18537),
    ("M003J", 28625),
    ("M003K", 28646),
    ("M003L", 28647),
    ("M003M", 28648),
    ("M003N", 28650),
    ("M003O", 28651),
    ("M003P", 28656),
    ("M003Q", 28657),
    ("M003R", 28664),
    ("M003S", 51044),
    ("M003T", 51045),
    ("M003U", 50989),
    ("M003V", 28667),
    ("M003W", 28680),
    ("M003X", 28689),
    ("M003Y", 28690),
    ("M003Z", 28691),
    ("M0040", 28714),
    ("M0041", 28724),
    ("M0042", 28725),
    ("M0043", 28726),
    ("M0044", 28727),
    ("M0045", 28728),
    ("M0046", 28729),
    ("M0047", 28745),
    ("M0048", 28746),
    ("M0049", 28747),
    ("M004A", 28748),
    ("M004B", 28749),
    ("M004C", 28756),
    ("M004D", 28757),
    ("M004E", 28758),
    ("M004F", 28759),
    ("M004G", 28761),
    ("M004H", 28762),
    ("M004I", 28763),
    ("M004J", 28764),
    ("M004K", 28765),
    ("M004L", 28766),
    ("M004M", 28769),
    ("M004N", 28803),
    ("M004O", 28808),
    ("M004P", 28809),
    ("M004Q", 28810),
    ("M004R", 28811),
    ("M004S", 28812),
    ("M004T", 28818),
    ("M004U", 28822),
    ("M004V", 31032),
    ("M004W", 31002),
    ("M004X", 31022),
    ("M004Y", 31023),
    ("M004Z", 31024),
    ("M0050", 31034),
    ("M0051", 31095),
    ("M0052", 31109),
    ("M0053", 31119),
    ("M0054", 31120),
    ("M0055", 31138),
    ("M0056", 31249),
    ("M0057", 31250),
    ("M0058", 31253),
    ("M0059", 31254),
    ("M005A", 31256),
    ("M005B", 31271),
    ("M005C", 31276),
    ("M005D", 31308),
    ("M005E", 31325),
    ("M005F", 31393),
    ("M005G", 31395),
    ("M005H", 34435),
    ("M005I", 31441),
    ("M005J", 34443),
    ("M005K", 34444),
    ("M005L", 34445),
    ("M005M", 34446),
    ("M005N", 34447),
    ("M005O", 34448),
    ("M005P", 34449),
    ("M005Q", 34450),
    ("M005R", 34451),
    ("M005S", 34452),
    ("M005T", 34453),
    ("M005U", 34454),
    ("M005V", 34455),
    ("M005W", 34460),
    ("M005X", 34461),
    ("M005Y", 34462),
    ("M005Z", 34463),
    ("M0060", 34464),
    ("M0061", 34465),
    ("M0062", 34466),
    ("M0063", 34467),
    ("M0064", 34468),
    ("M0065", 34471),
    ("M0066", 34473),
    ("M0067", 40060),
    ("M0068", 40061),
    ("M0069", 40062),
    ("M006A", 40063),
    ("M006B", 40064),
    ("M006C", 40065),
    ("M006D", 40066),
    ("M006E", 40067),
    ("M006F", 40068),
    ("M006G", 40075),
    ("M006H", 40076),
    ("M006I", 40077),
    ("M006J", 40078),
    ("M006K", 40079),
    ("M006L", 40080),
    ("M006M", 40081),
    ("M006N", 40085),
    ("M006O", 40086),
    ("M006P", 40087),
    ("M006Q", 40090),
    ("M006R", 40091),
    ("M006S", 40092),
    ("M006T", 40093),
    ("M006U", 40094),
    ("M006V", 40096),
    ("M006W", 40097),
    ("M006X", 40100),
    ("M006Y", 40101),
    ("M006Z", 40102),
    ("M0070", 40103),
    ("M0071", 40104),
    ("M0072", 40105),
    ("M0073", 40147),
    ("M0074", 40156),
    ("M0075", 40158),
    ("M0076", 40160),
    ("M0077", 40169),
    ("M0078", 40177),
    ("M0079", 40185),
    ("M007A", 40191),
    ("M007B", 40192),
    ("M007C", 40193),
    ("M007D", 40194),
    ("M007E", 40195),
    ("M007F", 40196),
    ("M007G", 40197),
    ("M007H", 40198),
    ("M007I", 40199),
    ("M007J", 40200),
    ("M007K", 40201),
    ("M007L", 40202),
    ("M007M", 40218),
    ("M007N", 40228),
    ("M007O", 40234),
    ("M007P", 40238),
    ("M007Q", 40272),
    ("M007R", 40319),
    ("M007S", 40321),
    ("M007T", 40323),
    ("M007U", 40324),
    ("M007V", 40352),
    ("M007W", 40386),
    ("M007X", 40390),
    ("M007Y", 40391),
    ("M007Z", 40392),
    ("M0080", 40393),
    ("M0081", 40394),
    ("M0082", 40395),
    ("M0083", 40396),
    ("M0084", 40397),
    ("M0085", 40398),
    ("M0086", 40400),
    ("M0087", 40414),
    ("M0088", 40415),
    ("M0089", 40485),
    ("M008A", 40489),
    ("M008B", 40515),
    ("M008C", 40516),
    ("M008D", 40517),
    ("M008E", 40518),
    ("M008F", 40519),
    ("M008G", 40520),
    ("M008H", 40521),
    ("M008I", 40522),
    ("M008J", 40523),
    ("M008K", 40524),
    ("M008L", 40525),
    ("M008M", 40533),
    ("M008N", 40535),
    ("M008O", 40536),
    ("M008P", 40539),
    ("M008Q", 40540),
    ("M008R", 40541),
    ("M008S", 40542),
    ("M008T", 40600),
    ("M008U", 40601),
    ("M008V", 40602),
    ("M008W", 40603),
    ("M008X", 40235),
    ("M008Y", 40237),
    ("M008Z", 40647),
    ("M0090", 40684),
    ("M0091", 50694),
    ("M0092", 50695),
    ("M0093", 50696),
    ("M0094", 50699),
    ("M0095", 50700),
    ("M0096", 50723),
    ("M0097", 50752),
    ("M0098", 50759),
    ("M0099", 51024),
    ("M009A", 51047),
    ("M009B", 51074),
    ("M009C", 51075),
    ("M009D", 51080),
    ("M009E", 51081),
    ("M009F", 51082),
    ("M009G", 51083),
    ("M009H", 51091),
    ("M009I", 51103),
    ("M009J", 51104),
    ("M009K", 51105),
    ("M009L", 51106),
    ("M009M", 51107),
    ("M009N", 51108),
    ("M009O", 51109),
    ("M009P", 51110),
    ("M009Q", 51111),
    ("M009R", 51132),
    ("M009S", 51134),
    ("M009T", 51151),
    ("M009U", 51156),
    ("M009V", 51178),
    ("M009W", 51183),
    ("M009X", 51185),
    ("M009Y", 51186),
    ("M009Z", 51187),
    ("M00A0", 51191),
    ("M00A1", 51246),
    ("M00A2", 51276),
    ("M00A3", 51247),
    ("M00A4", 51743),
    ("M00A5", 51744),
    ("M00A6", 51745),
    ("M00A7", 51746),
    ("M00A8", 51747),
    ("M00A9", 51748),
    ("M00AA", 51749),
    ("M00AB", 51750),
    ("M00AC", 51751),
    ("M00AD", 327391),
    ("M00AE", 327392),
    ("M00AF", 1257300),
    ("M00AG", 3040501),
    ("M00AH", 4031700),
    ("M00AI", 4161100),
    ("M00AJ", 4161101),
    ("M00AK", 2942500),
    ("M00AL", 2942501),
    ("M00AM", 2942502),
    ("M00AN", 2942503),
    ("M00AO", 2942504),
    ("M00AP", 2942505),
    ("M00AQ", 2942506),
    ("M00AR", 3041701),
    ("M00AS", 3041702),
    ("M00AT", 3041703),
    ("M00AU", 4161102),
    ("M00AV", 4161103),
    ("M00AW", 4161104),
    ("M00AX", 4161105),
    ("M00AY", 4161106),
    ("M00AZ", 4161107),
    ("M00B0", 4161108),
    ("M00B1", 4161109),
    ("M00B2", 4890500),
    ("M00B3", 4940400),
    ("M00B4", 4940401),
    ("M00B5", 5166400),
    ("M00B6", 5166401),
    ("M00B7", 5166402),
    ("M00B8", 5166403),
    ("M00B9", 5166404),
    ("M00BA", 5166405),
    ("M00BB", 5166406),
    ("M00BC", 5107200),
    ("M00BD", 5107201),
    ("M00BE", 5166301),
    ("M00BF", 5166302),
    ("M00BG", 5166303),
    ("M00BH", 5166304),
    ("M00BI", 5166305),
    ("M00BJ", 5166307),
    ("M00BK", 5339900),
    ("M00BL", 5339901),
    ("M00BM", 5339902),
    ("M00BN", 5429413),
    ("M00BO", 5429414),
    ("M00BP", 5429513),
    ("M00BQ", 5439007),
    ("M00BR", 5439008),
    ("M00BS", 5439009),
    ("M00BT", 5439010),
    ("M00BU", 5439012),
    ("M00BV", 5439013),
    ("M00BW", 5439014),
    ("M00BX", 5439015),
    ("M00BY", 5439016),
    ("M00BZ", 5439017),
    ("M00C0", 5439018),
    ("M00C1", 5626500),
    ("M00C2", 5654600),
    ("M00C3", 5654601),
    ("M00C4", 5654602),
    ("M00C5", 5687301),
    ("M00C6", 5687302),
    ("M00C7", 5687400),
    ("M00C8", 5687401),
    ("M00C9", 5746102),
    ("M00CA", 5787801),
    ("M00CB", 5787900),
    ("M00CC", 5787901),
    ("M00CD", 5787902),
    ("M00CE", 5787903),
    ("M00CF", 5787906),
    ("M00CG", 5787907),
    ("M00CH", 5787908),
    ("M00CI", 5788200),
    ("M00CJ", 5858203),
    ("M00CK", 5976500),
    ("M00CL", 5371601),
    ("M00CM", 5371602),
    ("M00CN", 5371603),
    ("M00CO", 121),
    ("M00CP", 605001),
    ("M00CQ", 6050106),
    ("M00CR", 16990),
    ("M00CS", 13111),
    ("M00CT", 5788001),
    ("M00CU", 5788002),
    ("M00CV", 5788003),
    ("M00CW", 5788004),
    ("M00CX", 5788005),
    ("M00CY", 5733201),
    ("M00CZ", 5733401),
    ("M00D0", 5733402),
    ("M00D1", 5733403),
    ("M00D2", 5733406),
    ("M00D3", 5733408),
    ("M00D4", 5733409),
    ("M00D5", 5876900),
    ("M00D6", 5897900),
    ("M00D7", 5946802),
    ("M00D8", 6007200),
    ("M00D9", 6053600),
    ("M00DA", 6586400),
    ("M00DB", 8993000),
    ("M00DC", 5423900),
    ("M00DD", 5423901),
    ("M00DE", 5423902),
    ("M00DF", 5490710),
    ("M00DG", 5624900),
    ("M00DH", 5624901),
    ("M00DI", 6050202),
    ("M00DJ", 6050204),
    ("M00DK", 5788604),
    ("M00DL", 31170),
    ("M00DM", 31465),
    ("M00DN", 40181),
    ("M00DO", 16),
    ("M00DP", 15998),
    ("M00DQ", 40229),
    ("M00DR", 8000),
    ("M00DS", 55),
    ("M00DT", 40236),
    ("M00DU", 17053),
    ("M00DV", 7429703),
    ("M00DW", 7436100),
    ("M00DX", 7750301),
    ("M00DY", 7750302),
    ("M00DZ", 7750303),
    ("M00E0", 51003),
    ("M00E1", 7749501),
    ("M00E2", 5860402),
    ("M00E3", 7555701),
    ("M00E4", 7555702),
    ("M00E5", 3041704),
    ("M00E6", 4341107),
    ("M00E7", 42501),
    ("M00E8", 10107),
    ("M00E9", 40239),
    ("M00EA", 40240),
    ("M00EB", 40241),
    ("M00EC", 40242),
    ("M00ED", 40243),
    ("M00EE", 40244),
    ("M00EF", 40245),
    ("M00EG", 40246),
    ("M00EH", 40257),
    ("M00EI", 40258),
    ("M00EJ", 40260),
    ("M00EK", 40261),
    ("M00EL", 143),
    ("M00EM", 13103),
    ("M00EN", 17385),
    ("M00EO", 31319),
    ("M00EP", 31320),
    ("M00EQ", 31321),
    ("M00ER", 13),
    ("M00ES", 51002),
    ("M00ET", 4544714),
    ("M00EU", 6),
    ("M00EV", 18),
    ("M00EW", 24),
    ("M00EX", 50),
    ("M00EY", 59),
    ("M00EZ", 133),
    ("M00F0", 91),
    ("M00F1", 112),
    ("M00F2", 117),
    ("M00F3", 186),
    ("M00F4", 201),
    ("M00F5", 225),
    ("M00F6", 251),
    ("M00F7", 256),
    ("M00F8", 261),
    ("M00F9", 391),
    ("MZ000", 171),
    ("MZ001", 16746),
    ("MZ002", 175),
    ("MZ005", 161),
    ("MZA00", 4568),
    ("MZA01", 40353),
    ("MZA02", 51181),
    ("MZA03", 51199),
    ("MZA04", 51273),
    ("MZA05", 17307),
    ("MZA06", 168),
    ("MZA07", 4341106),
    ("MZA08", 4341108),
    ("MZA09", 4341114),
    ("MZA10", 4341115),
    ("MZA11", 4341125),
    ("MZA12", 9130001),
    ("MZA13", 9130002),
    ("MZA14", 3501300),
    ("MZA15", 3501301),
    ("MZA16", 40157),
    ("MZA17", 40170),
    ("MZA18", 51272),
    ("MZA19", 15969),
    ("MZA20", 15973),
    ("MZA23", 40573),
    ("MZA24", 5733415),
    ("MZA25", 5624902),
    ("MZA26", 5624903),
    ("MZA27", 40148),
    ("MZA28", 40149),
    ("MZA29", 15948),
    ("MZA30", 40259),
    ("MZA31", 16872),
    ("MZA32", 16412),
    ("MZA33", 15983),
    ("MZA34", 16877),
    ("MZA35", 40171),
    ("MZA36", 16406),
    ("MZA37", 6050200),
    ("MZA38", 6050201),
    ("MZA39", 6050203),
    ("MZB00", 51198),
    ("MZB01", 6307900),
    ("MZB02", 5786800),
    ("MZB03", 5786801),
    ("MZB04", 40159),
    ("MZB05", 5946800),
    ("MZB06", 5733404),
    ("MZB07", 5733410),
    ("MZB08", 5733405),
    ("MZB09", 40176),
    ("MZB10", 40183),
    ("MZB20", 51173),
    ("MZB21", 51174),
    ("MZB22", 51175),
    ("MZB23", 51176),
    ("MZB24", 4),
    ("MZC00", 136),
    ("MZC01", 17152),
    ("MZC02", 5979700),
    ("MZC03", 6049200),
    ("MZC04", 6049204),
    ("MZC05", 6127800),
    ("MZC06", 5979703),
    ("MZC07", 5979800),
    ("MZG00", 16606),
    ("MZG01", 16607),
    ("MZG02", 16893),
    ("MZG03", 16894),
    ("MZG04", 16895),
    ("MZG05", 16896),
    ("MZG06", 18522),
    ("MZG07", 34413),
    ("MZG08", 40227),
    ("MZG09", 50856),
    ("MZG10", 50857),
    ("MZG11", 50858),
    ("MZG12", 5860400),
    ("MZG13", 5860401),
    ("MZP01", 31252),
    ("MZP02", 31255),
    ("MZP03", 31274),
    ("MZP04", 31275),
    ("MZP05", 31310),
    ("MZP07", 51270),
    ("MZP09", 15974),
    ("MZP10", 15975),
    ("MZP11", 17312),
    ("MZP12", 31303),
    ("MZT01", 17262),
    ("MZT02", 17313),
    ("MZW01", 7246201),
    ("MZW04", 7246204),
    ("MZW08", 7246208),
];
