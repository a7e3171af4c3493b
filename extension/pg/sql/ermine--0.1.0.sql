-- Ermine 0.1.0: the documentdb_* SQL surface. Sections: 1 guard, 2 schemas and roles, 3 types, 4 catalog,
-- 5 writes, 6 collections, 7 versions; the read side and the index access method follow.
\echo Use "CREATE EXTENSION ermine" to load this file. \quit

-- === 1. Guard ===

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname IN ('documentdb', 'documentdb_core')) THEN
        RAISE EXCEPTION 'ermine cannot be created in a database that has the documentdb extension: both own the documentdb_* schemas'
            USING ERRCODE = 'duplicate_schema';
    END IF;
END
$$;

-- === 2. Schemas and roles ===

CREATE SCHEMA documentdb_core;
CREATE SCHEMA documentdb_api;
CREATE SCHEMA documentdb_api_internal;
CREATE SCHEMA documentdb_api_catalog;
CREATE SCHEMA documentdb_data;

-- Roles belong to the whole cluster: another database may have made them already.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'documentdb_admin_role') THEN
        CREATE ROLE documentdb_admin_role NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'documentdb_readonly_role') THEN
        CREATE ROLE documentdb_readonly_role NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'documentdb_bg_worker_role') THEN
        CREATE ROLE documentdb_bg_worker_role LOGIN IN ROLE documentdb_admin_role;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA documentdb_core, documentdb_api, documentdb_api_internal, documentdb_api_catalog, documentdb_data TO PUBLIC;
GRANT CREATE ON SCHEMA documentdb_data TO documentdb_admin_role;

-- === 3. Types ===

CREATE TYPE documentdb_core.bson;
CREATE TYPE documentdb_core.bsonsequence;
CREATE TYPE documentdb_core.bsonquery;

CREATE FUNCTION documentdb_core.bson_in(cstring) RETURNS documentdb_core.bson
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_in';
CREATE FUNCTION documentdb_core.bson_out(documentdb_core.bson) RETURNS cstring
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_out';
CREATE FUNCTION documentdb_core.bson_recv(internal) RETURNS documentdb_core.bson
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_recv';
CREATE FUNCTION documentdb_core.bson_send(documentdb_core.bson) RETURNS bytea
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_send';
CREATE FUNCTION documentdb_core.bsonquery_in(cstring) RETURNS documentdb_core.bsonquery
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_in';
CREATE FUNCTION documentdb_core.bsonquery_out(documentdb_core.bsonquery) RETURNS cstring
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_out';
CREATE FUNCTION documentdb_core.bsonquery_recv(internal) RETURNS documentdb_core.bsonquery
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_recv';
CREATE FUNCTION documentdb_core.bsonquery_send(documentdb_core.bsonquery) RETURNS bytea
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_send';
CREATE FUNCTION documentdb_core.bsonsequence_in(cstring) RETURNS documentdb_core.bsonsequence
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bsonsequence_in';
CREATE FUNCTION documentdb_core.bsonsequence_out(documentdb_core.bsonsequence) RETURNS cstring
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bsonsequence_out';
CREATE FUNCTION documentdb_core.bsonsequence_recv(internal) RETURNS documentdb_core.bsonsequence
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bsonsequence_recv';
CREATE FUNCTION documentdb_core.bsonsequence_send(documentdb_core.bsonsequence) RETURNS bytea
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_send';

CREATE TYPE documentdb_core.bson (
    INPUT = documentdb_core.bson_in, OUTPUT = documentdb_core.bson_out,
    RECEIVE = documentdb_core.bson_recv, SEND = documentdb_core.bson_send,
    INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended
);
CREATE TYPE documentdb_core.bsonsequence (
    INPUT = documentdb_core.bsonsequence_in, OUTPUT = documentdb_core.bsonsequence_out,
    RECEIVE = documentdb_core.bsonsequence_recv, SEND = documentdb_core.bsonsequence_send,
    INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended
);
CREATE TYPE documentdb_core.bsonquery (
    INPUT = documentdb_core.bsonquery_in, OUTPUT = documentdb_core.bsonquery_out,
    RECEIVE = documentdb_core.bsonquery_recv, SEND = documentdb_core.bsonquery_send,
    INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended
);

-- The casts from bytea check in depth: nothing behind them has to.
CREATE FUNCTION documentdb_core.bson_from_bytea(bytea) RETURNS documentdb_core.bson
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_from_bytea';
CREATE FUNCTION documentdb_core.bsonsequence_from_bytea(bytea) RETURNS documentdb_core.bsonsequence
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bsonsequence_from_bytea';
CREATE CAST (bytea AS documentdb_core.bson) WITH FUNCTION documentdb_core.bson_from_bytea(bytea) AS IMPLICIT;
CREATE CAST (bytea AS documentdb_core.bsonsequence) WITH FUNCTION documentdb_core.bsonsequence_from_bytea(bytea) AS IMPLICIT;
CREATE CAST (documentdb_core.bson AS bytea) WITHOUT FUNCTION;
CREATE CAST (documentdb_core.bsonsequence AS bytea) WITHOUT FUNCTION;
CREATE CAST (documentdb_core.bson AS documentdb_core.bsonsequence) WITHOUT FUNCTION;
CREATE CAST (documentdb_core.bson AS documentdb_core.bsonquery) WITHOUT FUNCTION;
CREATE CAST (documentdb_core.bsonquery AS documentdb_core.bson) WITHOUT FUNCTION;

CREATE FUNCTION documentdb_core.bson_get_value(documentdb_core.bson, text) RETURNS documentdb_core.bson
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_get_value';
CREATE FUNCTION documentdb_core.bson_get_value_text(documentdb_core.bson, text) RETURNS text
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_get_value_text';
CREATE FUNCTION documentdb_core.bson_to_bson_hex(documentdb_core.bson) RETURNS cstring
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_to_bson_hex';
CREATE FUNCTION documentdb_core.bson_hex_to_bson(cstring) RETURNS documentdb_core.bson
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_hex_to_bson';
CREATE FUNCTION documentdb_core.bson_json_to_bson(text) RETURNS documentdb_core.bson
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_json_to_bson';
CREATE FUNCTION documentdb_core.bson_to_json_string(documentdb_core.bson) RETURNS cstring
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_to_json_string';
CREATE FUNCTION documentdb_core.row_get_bson(record) RETURNS documentdb_core.bson
    LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'row_get_bson';
CREATE FUNCTION documentdb_core.bson_object_keys_array(documentdb_core.bson) RETURNS text[]
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_object_keys_array';
CREATE FUNCTION documentdb_core.bsonsequence_documents(documentdb_core.bsonsequence) RETURNS bytea[]
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bsonsequence_documents';
CREATE FUNCTION documentdb_core.bson_object_keys(documentdb_core.bson) RETURNS SETOF text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT pg_catalog.unnest(documentdb_core.bson_object_keys_array($1))';
CREATE FUNCTION documentdb_core.bsonsequence_get_bson(documentdb_core.bsonsequence) RETURNS SETOF documentdb_core.bson
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT d::documentdb_core.bson FROM pg_catalog.unnest(documentdb_core.bsonsequence_documents($1)) AS d';

CREATE OPERATOR documentdb_core.-> (LEFTARG = documentdb_core.bson, RIGHTARG = text, FUNCTION = documentdb_core.bson_get_value);
CREATE OPERATOR documentdb_core.->> (LEFTARG = documentdb_core.bson, RIGHTARG = text, FUNCTION = documentdb_core.bson_get_value_text);

CREATE FUNCTION documentdb_core.bson_equal(documentdb_core.bson, documentdb_core.bson) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_equal';
CREATE FUNCTION documentdb_core.bson_not_equal(documentdb_core.bson, documentdb_core.bson) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_not_equal';
CREATE FUNCTION documentdb_core.bson_lt(documentdb_core.bson, documentdb_core.bson) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_lt';
CREATE FUNCTION documentdb_core.bson_lte(documentdb_core.bson, documentdb_core.bson) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_lte';
CREATE FUNCTION documentdb_core.bson_gt(documentdb_core.bson, documentdb_core.bson) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_gt';
CREATE FUNCTION documentdb_core.bson_gte(documentdb_core.bson, documentdb_core.bson) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_gte';
CREATE FUNCTION documentdb_core.bson_compare(documentdb_core.bson, documentdb_core.bson) RETURNS int4
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_compare';
CREATE OPERATOR documentdb_core.= (LEFTARG = documentdb_core.bson, RIGHTARG = documentdb_core.bson, FUNCTION = documentdb_core.bson_equal,
    COMMUTATOR = OPERATOR(documentdb_core.=), NEGATOR = OPERATOR(documentdb_core.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR documentdb_core.<> (LEFTARG = documentdb_core.bson, RIGHTARG = documentdb_core.bson, FUNCTION = documentdb_core.bson_not_equal,
    COMMUTATOR = OPERATOR(documentdb_core.<>), NEGATOR = OPERATOR(documentdb_core.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR documentdb_core.< (LEFTARG = documentdb_core.bson, RIGHTARG = documentdb_core.bson, FUNCTION = documentdb_core.bson_lt,
    COMMUTATOR = OPERATOR(documentdb_core.>), NEGATOR = OPERATOR(documentdb_core.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR documentdb_core.<= (LEFTARG = documentdb_core.bson, RIGHTARG = documentdb_core.bson, FUNCTION = documentdb_core.bson_lte,
    COMMUTATOR = OPERATOR(documentdb_core.>=), NEGATOR = OPERATOR(documentdb_core.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR documentdb_core.> (LEFTARG = documentdb_core.bson, RIGHTARG = documentdb_core.bson, FUNCTION = documentdb_core.bson_gt,
    COMMUTATOR = OPERATOR(documentdb_core.<), NEGATOR = OPERATOR(documentdb_core.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR documentdb_core.>= (LEFTARG = documentdb_core.bson, RIGHTARG = documentdb_core.bson, FUNCTION = documentdb_core.bson_gte,
    COMMUTATOR = OPERATOR(documentdb_core.<=), NEGATOR = OPERATOR(documentdb_core.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR CLASS documentdb_core.bson_btree_ops DEFAULT FOR TYPE documentdb_core.bson USING btree AS
    OPERATOR 1 documentdb_core.<, OPERATOR 2 documentdb_core.<=, OPERATOR 3 documentdb_core.=,
    OPERATOR 4 documentdb_core.>=, OPERATOR 5 documentdb_core.>,
    FUNCTION 1 documentdb_core.bson_compare(documentdb_core.bson, documentdb_core.bson);
CREATE FUNCTION documentdb_core.bsonquery_equal(documentdb_core.bsonquery, documentdb_core.bsonquery) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_equal';
CREATE FUNCTION documentdb_core.bsonquery_not_equal(documentdb_core.bsonquery, documentdb_core.bsonquery) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_not_equal';
CREATE FUNCTION documentdb_core.bsonquery_lt(documentdb_core.bsonquery, documentdb_core.bsonquery) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_lt';
CREATE FUNCTION documentdb_core.bsonquery_lte(documentdb_core.bsonquery, documentdb_core.bsonquery) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_lte';
CREATE FUNCTION documentdb_core.bsonquery_gt(documentdb_core.bsonquery, documentdb_core.bsonquery) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_gt';
CREATE FUNCTION documentdb_core.bsonquery_gte(documentdb_core.bsonquery, documentdb_core.bsonquery) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_gte';
CREATE FUNCTION documentdb_core.bsonquery_compare(documentdb_core.bsonquery, documentdb_core.bsonquery) RETURNS int4
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_compare';
CREATE OPERATOR documentdb_core.= (LEFTARG = documentdb_core.bsonquery, RIGHTARG = documentdb_core.bsonquery, FUNCTION = documentdb_core.bsonquery_equal,
    COMMUTATOR = OPERATOR(documentdb_core.=), NEGATOR = OPERATOR(documentdb_core.<>), RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE OPERATOR documentdb_core.<> (LEFTARG = documentdb_core.bsonquery, RIGHTARG = documentdb_core.bsonquery, FUNCTION = documentdb_core.bsonquery_not_equal,
    COMMUTATOR = OPERATOR(documentdb_core.<>), NEGATOR = OPERATOR(documentdb_core.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR documentdb_core.< (LEFTARG = documentdb_core.bsonquery, RIGHTARG = documentdb_core.bsonquery, FUNCTION = documentdb_core.bsonquery_lt,
    COMMUTATOR = OPERATOR(documentdb_core.>), NEGATOR = OPERATOR(documentdb_core.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR documentdb_core.<= (LEFTARG = documentdb_core.bsonquery, RIGHTARG = documentdb_core.bsonquery, FUNCTION = documentdb_core.bsonquery_lte,
    COMMUTATOR = OPERATOR(documentdb_core.>=), NEGATOR = OPERATOR(documentdb_core.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR documentdb_core.> (LEFTARG = documentdb_core.bsonquery, RIGHTARG = documentdb_core.bsonquery, FUNCTION = documentdb_core.bsonquery_gt,
    COMMUTATOR = OPERATOR(documentdb_core.<), NEGATOR = OPERATOR(documentdb_core.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR documentdb_core.>= (LEFTARG = documentdb_core.bsonquery, RIGHTARG = documentdb_core.bsonquery, FUNCTION = documentdb_core.bsonquery_gte,
    COMMUTATOR = OPERATOR(documentdb_core.<=), NEGATOR = OPERATOR(documentdb_core.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR CLASS documentdb_core.bsonquery_btree_ops DEFAULT FOR TYPE documentdb_core.bsonquery USING btree AS
    OPERATOR 1 documentdb_core.<, OPERATOR 2 documentdb_core.<=, OPERATOR 3 documentdb_core.=,
    OPERATOR 4 documentdb_core.>=, OPERATOR 5 documentdb_core.>,
    FUNCTION 1 documentdb_core.bsonquery_compare(documentdb_core.bsonquery, documentdb_core.bsonquery);
CREATE FUNCTION documentdb_core.bson_hash_int4(documentdb_core.bson) RETURNS int4
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_hash_int4';
CREATE FUNCTION documentdb_core.bson_hash_int8(documentdb_core.bson, int8) RETURNS int8
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_hash_int8';
CREATE OPERATOR CLASS documentdb_core.bson_hash_ops DEFAULT FOR TYPE documentdb_core.bson USING hash AS
    OPERATOR 1 documentdb_core.=,
    FUNCTION 1 documentdb_core.bson_hash_int4(documentdb_core.bson),
    FUNCTION 2 documentdb_core.bson_hash_int8(documentdb_core.bson, int8);

-- What the API creates belongs to documentdb_admin_role; readers may read it.
ALTER DEFAULT PRIVILEGES FOR ROLE documentdb_admin_role IN SCHEMA documentdb_data GRANT SELECT ON TABLES TO documentdb_readonly_role;

-- === 4. Catalog ===

CREATE SEQUENCE documentdb_api_catalog.collections_collection_id_seq;
CREATE SEQUENCE documentdb_api_catalog.collection_indexes_index_id_seq;

CREATE FUNCTION documentdb_api_internal.documentdb_get_next_collection_id() RETURNS bigint
    LANGUAGE sql VOLATILE AS $$SELECT pg_catalog.nextval('documentdb_api_catalog.collections_collection_id_seq')$$;
CREATE FUNCTION documentdb_api_internal.documentdb_get_next_collection_index_id() RETURNS int
    LANGUAGE sql VOLATILE AS $$SELECT pg_catalog.nextval('documentdb_api_catalog.collection_indexes_index_id_seq')::int$$;
CREATE FUNCTION documentdb_api_internal.ensure_valid_db_coll(databasename text, collectionname text) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ensure_valid_db_coll';
CREATE FUNCTION documentdb_api_internal.catalog_changed() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'catalog_changed';

-- Names compare byte by byte, whatever the database's collation is.
CREATE TABLE documentdb_api_catalog.collections (
    database_name text COLLATE "C" NOT NULL,
    collection_name text COLLATE "C" NOT NULL,
    collection_id bigint NOT NULL UNIQUE DEFAULT documentdb_api_internal.documentdb_get_next_collection_id(),
    shard_key documentdb_core.bson,
    collection_uuid uuid,
    view_definition documentdb_core.bson,
    validator documentdb_core.bson,
    validation_level text CHECK (validation_level IN ('off', 'strict', 'moderate')),
    validation_action text CHECK (validation_action IN ('warn', 'error')),
    default_collation documentdb_core.bson,
    storage_options documentdb_core.bson,
    CONSTRAINT collections_pkey PRIMARY KEY (database_name, collection_name),
    CONSTRAINT valid_db_coll_name CHECK (documentdb_api_internal.ensure_valid_db_coll(database_name, collection_name))
);

CREATE TYPE documentdb_api_catalog.index_spec_type_internal AS (
    index_name text,
    index_key documentdb_core.bson,
    index_pfe documentdb_core.bson,
    index_wp documentdb_core.bson,
    index_is_sparse boolean,
    index_is_unique boolean,
    index_version int,
    index_expire_after_seconds int,
    cosmos_search_options documentdb_core.bson,
    index_options documentdb_core.bson
);
CREATE DOMAIN documentdb_api_catalog.index_spec_type AS documentdb_api_catalog.index_spec_type_internal
    CHECK (VALUE IS NULL OR ((VALUE).index_name IS NOT NULL AND (VALUE).index_key IS NOT NULL AND (VALUE).index_version > 0));
CREATE TYPE documentdb_api_catalog.shard_key_and_document AS (shard_key_value bigint, document documentdb_core.bson);

CREATE TABLE documentdb_api_catalog.collection_indexes (
    collection_id bigint NOT NULL,
    index_id int NOT NULL DEFAULT documentdb_api_internal.documentdb_get_next_collection_index_id(),
    index_spec documentdb_api_catalog.index_spec_type NOT NULL,
    index_is_valid boolean NOT NULL,
    CONSTRAINT collection_indexes_pkey PRIMARY KEY (index_id)
);
-- How full each capped collection is, in whole documents and their bytes; the orders below `first_order` were removed, and
-- `next_order` is the next document's. Whoever writes to the collection holds its lock (write/capped.rs).
CREATE TABLE documentdb_api_catalog.capped_collections (
    collection_id bigint PRIMARY KEY,
    documents bigint NOT NULL,
    bytes bigint NOT NULL,
    first_order bigint NOT NULL,
    next_order bigint NOT NULL
);
CREATE INDEX collection_index_name ON documentdb_api_catalog.collection_indexes (collection_id, ((index_spec).index_name));
CREATE INDEX collection_index_key ON documentdb_api_catalog.collection_indexes (collection_id, ((index_spec).index_key));

-- Every change empties the backends' caches, at commit and at once for the backend that made it.
CREATE TRIGGER collections_trigger AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON documentdb_api_catalog.collections
    FOR EACH STATEMENT EXECUTE FUNCTION documentdb_api_internal.catalog_changed();
CREATE TRIGGER collection_indexes_trigger AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON documentdb_api_catalog.collection_indexes
    FOR EACH STATEMENT EXECUTE FUNCTION documentdb_api_internal.catalog_changed();

GRANT SELECT ON documentdb_api_catalog.collections, documentdb_api_catalog.collection_indexes, documentdb_api_catalog.capped_collections TO PUBLIC;
GRANT INSERT, UPDATE, DELETE ON documentdb_api_catalog.collections, documentdb_api_catalog.collection_indexes, documentdb_api_catalog.capped_collections
    TO documentdb_admin_role;
GRANT USAGE, SELECT, UPDATE ON SEQUENCE documentdb_api_catalog.collections_collection_id_seq, documentdb_api_catalog.collection_indexes_index_id_seq
    TO documentdb_admin_role;

SELECT pg_catalog.pg_extension_config_dump('documentdb_api_catalog.collections', '');
SELECT pg_catalog.pg_extension_config_dump('documentdb_api_catalog.collection_indexes', '');
SELECT pg_catalog.pg_extension_config_dump('documentdb_api_catalog.capped_collections', '');
SELECT pg_catalog.pg_extension_config_dump('documentdb_api_catalog.collections_collection_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('documentdb_api_catalog.collection_indexes_index_id_seq', '');

-- === 5. Writes ===

CREATE FUNCTION documentdb_api.insert(p_database_name text, p_insert documentdb_core.bson,
    p_insert_documents documentdb_core.bsonsequence DEFAULT NULL, p_transaction_id text DEFAULT NULL,
    OUT p_result documentdb_core.bson, OUT p_success boolean) RETURNS record
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'command_insert';
CREATE FUNCTION documentdb_api.insert_one(p_database_name text, p_collection_name text, p_document documentdb_core.bson,
    p_transaction_id text DEFAULT NULL) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'command_insert_one';

CREATE PROCEDURE documentdb_api.insert_bulk(IN p_database_name text, IN p_insert documentdb_core.bson,
    IN p_insert_documents documentdb_core.bsonsequence DEFAULT NULL, IN p_transaction_id text DEFAULT NULL,
    INOUT p_result documentdb_core.bson DEFAULT NULL, INOUT p_success boolean DEFAULT NULL)
    LANGUAGE C AS 'MODULE_PATHNAME', 'command_insert_bulk';

CREATE FUNCTION documentdb_api.update(p_database_name text, p_update documentdb_core.bson,
    p_insert_documents documentdb_core.bsonsequence DEFAULT NULL, p_transaction_id text DEFAULT NULL,
    OUT p_result documentdb_core.bson, OUT p_success boolean) RETURNS record
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'command_update';
CREATE PROCEDURE documentdb_api.update_bulk(IN p_database_name text, IN p_update documentdb_core.bson,
    IN p_insert_documents documentdb_core.bsonsequence DEFAULT NULL, IN p_transaction_id text DEFAULT NULL,
    INOUT p_result documentdb_core.bson DEFAULT NULL, INOUT p_success boolean DEFAULT NULL)
    LANGUAGE C AS 'MODULE_PATHNAME', 'command_update_bulk';
CREATE FUNCTION documentdb_api.find_and_modify(p_database_name text, p_message documentdb_core.bson,
    p_transaction_id text DEFAULT NULL, OUT p_result documentdb_core.bson, OUT p_success boolean) RETURNS record
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'command_find_and_modify';
CREATE FUNCTION documentdb_api.delete(p_database_name text, p_delete documentdb_core.bson,
    p_insert_documents documentdb_core.bsonsequence DEFAULT NULL, p_transaction_id text DEFAULT NULL,
    OUT p_result documentdb_core.bson, OUT p_success boolean) RETURNS record
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'command_delete';

-- === 6. Collections ===

CREATE FUNCTION documentdb_api.create_collection(p_database_name text, p_collection_name text) RETURNS boolean
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_create_collection';
CREATE FUNCTION documentdb_api.create_collection_view(dbname text, createspec documentdb_core.bson) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'command_create';
CREATE FUNCTION documentdb_api.drop_collection(p_database_name text, p_collection_name text,
    p_write_concern documentdb_core.bson DEFAULT NULL, p_collection_uuid uuid DEFAULT NULL, p_track_changes boolean DEFAULT true)
    RETURNS boolean LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'command_drop_collection';
CREATE FUNCTION documentdb_api.drop_database(p_database_name text, p_write_concern documentdb_core.bson DEFAULT NULL) RETURNS void
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'command_drop_database';
CREATE FUNCTION documentdb_api.rename_collection(p_database_name text, p_collection_name text, p_target_name text,
    p_drop_target boolean DEFAULT false) RETURNS void
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'command_rename_collection';
CREATE FUNCTION documentdb_api.rename_collection(p_spec documentdb_core.bson) RETURNS void
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_rename_collection_spec';
CREATE FUNCTION documentdb_api.coll_mod(p_database_name text, p_collection_name text, p_spec documentdb_core.bson)
    RETURNS documentdb_core.bson LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'command_coll_mod';
CREATE FUNCTION documentdb_api_internal.clone_collection_as_capped(p_database_name text, p_source_name text, p_target_name text,
    p_size bigint) RETURNS void LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_clone_collection_as_capped';
CREATE FUNCTION documentdb_api_internal.convert_to_capped(p_database_name text, p_collection_name text, p_size bigint)
    RETURNS void LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_convert_to_capped';
CREATE FUNCTION documentdb_api.shard_collection(p_database_name text, p_collection_name text, p_shard_key documentdb_core.bson,
    p_is_reshard boolean DEFAULT true) RETURNS void LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_shard_refused';
CREATE FUNCTION documentdb_api.shard_collection(p_shard_key_spec documentdb_core.bson) RETURNS void
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_shard_refused';
CREATE FUNCTION documentdb_api.reshard_collection(p_shard_key_spec documentdb_core.bson) RETURNS void
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_shard_refused';
CREATE FUNCTION documentdb_api.unshard_collection(p_shard_key_spec documentdb_core.bson) RETURNS void
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_shard_refused';

-- The rows of a collection for plain SQL; none for a collection that does not exist.
CREATE FUNCTION documentdb_api.collection(p_database_name text, p_collection_name text,
    OUT shard_key_value bigint, OUT object_id documentdb_core.bson, OUT document documentdb_core.bson) RETURNS SETOF record
    LANGUAGE plpgsql STABLE STRICT AS $$
DECLARE
    id bigint;
BEGIN
    SELECT c.collection_id INTO id FROM documentdb_api_catalog.collections c
        WHERE c.database_name OPERATOR(pg_catalog.=) p_database_name AND c.collection_name OPERATOR(pg_catalog.=) p_collection_name
          AND c.view_definition IS NULL;
    IF FOUND THEN
        RETURN QUERY EXECUTE pg_catalog.format(
            'SELECT shard_key_value, object_id, document FROM documentdb_data.documents_%s', id);
    END IF;
END
$$;

-- === 7. Versions ===

CREATE FUNCTION documentdb_api.binary_version() RETURNS text
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'binary_version';
CREATE FUNCTION documentdb_api.binary_extended_version() RETURNS text
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'binary_extended_version';

-- === 8. Index access method ===

-- An index of this method covers the column `document`; its operator class's parameter `spec` says which fields. There are
-- no operators: only the functions of this extension scan it, never PostgreSQL's planner.
CREATE FUNCTION documentdb_api_internal.bson_btree_handler(internal) RETURNS index_am_handler
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'bson_btree_handler';
CREATE ACCESS METHOD bson_btree TYPE INDEX HANDLER documentdb_api_internal.bson_btree_handler;
CREATE FUNCTION documentdb_api_internal.bson_btree_options(internal) RETURNS void
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_btree_options';
CREATE OPERATOR CLASS documentdb_api_internal.bson_key_ops DEFAULT FOR TYPE documentdb_core.bson USING bson_btree AS
    FUNCTION 1 (documentdb_core.bson, documentdb_core.bson) pg_catalog.byteacmp(bytea, bytea),
    FUNCTION 2 (documentdb_core.bson, documentdb_core.bson) pg_catalog.bytea_sortsupport(internal),
    FUNCTION 4 (documentdb_core.bson, documentdb_core.bson) pg_catalog.btequalimage(oid),
    FUNCTION 5 (documentdb_core.bson, documentdb_core.bson) documentdb_api_internal.bson_btree_options(internal),
    STORAGE bytea;

-- === 9. Indexes ===

-- What became of index builds that failed, until it is asked for.
CREATE TABLE documentdb_api_catalog.documentdb_index_queue (
    index_cmd text NOT NULL,
    cmd_type "char" CHECK (cmd_type IN ('C', 'R')),
    index_id int NOT NULL,
    index_cmd_status int NOT NULL DEFAULT 1,
    global_pid bigint,
    start_time timestamptz,
    collection_id bigint NOT NULL,
    comment documentdb_core.bson,
    attempt smallint,
    update_time timestamptz DEFAULT pg_catalog.now(),
    user_oid oid
);
CREATE INDEX documentdb_index_queue_indexid_cmdtype ON documentdb_api_catalog.documentdb_index_queue (index_id, cmd_type);
CREATE INDEX documentdb_index_queue_cmdtype_collectionid_cmdstatus
    ON documentdb_api_catalog.documentdb_index_queue (cmd_type, collection_id, index_cmd_status);
GRANT SELECT ON documentdb_api_catalog.documentdb_index_queue TO PUBLIC;
GRANT INSERT, UPDATE, DELETE ON documentdb_api_catalog.documentdb_index_queue TO documentdb_admin_role;

CREATE FUNCTION documentdb_api_internal.create_indexes_non_concurrently(p_database_name text, p_arg documentdb_core.bson,
    p_skip_check_collection_create boolean DEFAULT FALSE) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'command_create_indexes_non_concurrently';
CREATE FUNCTION documentdb_api.create_indexes_background(p_database_name text, p_index_spec documentdb_core.bson,
    OUT retval documentdb_core.bson, OUT ok boolean, OUT requests documentdb_core.bson) RETURNS record
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'command_create_indexes_background';
CREATE FUNCTION documentdb_api_internal.check_build_index_status(p_arg documentdb_core.bson,
    OUT retval documentdb_core.bson, OUT ok boolean, OUT complete boolean) RETURNS record
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'command_check_build_index_status';
-- Gives up what a createIndexes has queued, whatever became of it. The official extension has nothing like it.
CREATE FUNCTION documentdb_api_internal.abort_index_build(p_requests documentdb_core.bson) RETURNS boolean
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_abort_index_build';
CREATE PROCEDURE documentdb_api.drop_indexes(IN p_database_name text, IN p_arg documentdb_core.bson,
    INOUT retval documentdb_core.bson DEFAULT NULL)
    LANGUAGE C AS 'MODULE_PATHNAME', 'command_drop_indexes';

-- === 10. Reads ===

CREATE FUNCTION documentdb_api.find_cursor_first_page(database text, commandSpec documentdb_core.bson, cursorId int8 DEFAULT 0,
    OUT cursorPage documentdb_core.bson, OUT continuation documentdb_core.bson, OUT persistConnection bool, OUT cursorId int8)
    RETURNS record LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_find_cursor_first_page';
-- Its being there tells callers that a find keeps within `min` and `max`; other implementations of this surface read over them.
CREATE FUNCTION documentdb_api_internal.obeys_index_bounds() RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN true;
CREATE FUNCTION documentdb_api.aggregate_cursor_first_page(database text, commandSpec documentdb_core.bson, cursorId int8 DEFAULT 0,
    OUT cursorPage documentdb_core.bson, OUT continuation documentdb_core.bson, OUT persistConnection bool, OUT cursorId int8)
    RETURNS record LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_aggregate_cursor_first_page';
CREATE FUNCTION documentdb_api.list_collections_cursor_first_page(database text, commandSpec documentdb_core.bson, cursorId int8 DEFAULT 0,
    OUT cursorPage documentdb_core.bson, OUT continuation documentdb_core.bson, OUT persistConnection bool, OUT cursorId int8)
    RETURNS record LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_list_collections_cursor_first_page';
CREATE FUNCTION documentdb_api.list_indexes_cursor_first_page(database text, commandSpec documentdb_core.bson, cursorId int8 DEFAULT 0,
    OUT cursorPage documentdb_core.bson, OUT continuation documentdb_core.bson, OUT persistConnection bool, OUT cursorId int8)
    RETURNS record LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_list_indexes_cursor_first_page';
CREATE FUNCTION documentdb_api.cursor_get_more(database text, getMoreSpec documentdb_core.bson, continuationSpec documentdb_core.bson,
    OUT cursorPage documentdb_core.bson, OUT continuation documentdb_core.bson)
    RETURNS record LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_cursor_get_more';
CREATE FUNCTION documentdb_api_catalog.bson_aggregation_pipeline(databaseName text, aggregationPipeline documentdb_core.bson,
    OUT document documentdb_core.bson) RETURNS SETOF documentdb_core.bson
    LANGUAGE C STABLE STRICT ROWS 1000 AS 'MODULE_PATHNAME', 'bson_aggregation_pipeline';
CREATE FUNCTION documentdb_api_catalog.bson_aggregation_find(databaseName text, findSpec documentdb_core.bson,
    OUT document documentdb_core.bson) RETURNS SETOF documentdb_core.bson
    LANGUAGE C STABLE STRICT ROWS 1000 AS 'MODULE_PATHNAME', 'bson_aggregation_find';
CREATE FUNCTION documentdb_api_catalog.bson_aggregation_count(databaseName text, countSpec documentdb_core.bson,
    OUT document documentdb_core.bson) RETURNS SETOF documentdb_core.bson
    LANGUAGE C STABLE STRICT ROWS 1 AS 'MODULE_PATHNAME', 'bson_aggregation_count';
CREATE FUNCTION documentdb_api_catalog.bson_aggregation_distinct(databaseName text, distinctSpec documentdb_core.bson,
    OUT document documentdb_core.bson) RETURNS SETOF documentdb_core.bson
    LANGUAGE C STABLE STRICT ROWS 1 AS 'MODULE_PATHNAME', 'bson_aggregation_distinct';
CREATE FUNCTION documentdb_api_internal.explain_plan(database text, commandSpec documentdb_core.bson) RETURNS text
    LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'command_explain_plan';
CREATE FUNCTION documentdb_api_internal.delete_cursors(cursorids int8[]) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'delete_cursors';
CREATE PROCEDURE documentdb_api_internal.delete_expired_rows(IN p_batch_size int DEFAULT -1)
    LANGUAGE C AS 'MODULE_PATHNAME', 'command_delete_expired_rows';
CREATE FUNCTION documentdb_api_internal.cursor_directory_cleanup(expiry_time_seconds int8 DEFAULT NULL) RETURNS void
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'cursor_directory_cleanup';
CREATE FUNCTION documentdb_api.count_query(database text, countSpec documentdb_core.bson, OUT document documentdb_core.bson)
    RETURNS documentdb_core.bson LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_count_query';
CREATE FUNCTION documentdb_api.distinct_query(database text, distinctSpec documentdb_core.bson, OUT document documentdb_core.bson)
    RETURNS documentdb_core.bson LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'command_distinct_query';


CREATE FUNCTION documentdb_api_catalog.bson_query_match(documentdb_core.bson, documentdb_core.bson) RETURNS boolean
    LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'bson_query_match';
CREATE OPERATOR documentdb_api_catalog.@@ (LEFTARG = documentdb_core.bson, RIGHTARG = documentdb_core.bson,
    FUNCTION = documentdb_api_catalog.bson_query_match);

-- === 11. Administration ===

-- A verifier never leaves the server: the two functions a proxy calls run as their owner and hand out only what an
-- exchange needs.
CREATE FUNCTION documentdb_api_internal.scram_challenge(verifier text) RETURNS documentdb_core.bson
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'scram_challenge';
CREATE FUNCTION documentdb_api_internal.scram_verify(verifier text, auth_message text, client_proof text) RETURNS documentdb_core.bson
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'scram_verify';
CREATE FUNCTION documentdb_api_internal.login_verifier(p_user_name text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog
    AS $$SELECT a.rolpassword FROM pg_catalog.pg_authid a
         WHERE a.rolname = p_user_name AND a.rolcanlogin AND (a.rolvaliduntil IS NULL OR a.rolvaliduntil > pg_catalog.now())$$;
REVOKE ALL ON FUNCTION documentdb_api_internal.login_verifier(text) FROM PUBLIC;
CREATE FUNCTION documentdb_api_internal.scram_sha256_get_salt_and_iterations(p_user_name text) RETURNS documentdb_core.bson
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
    AS $$SELECT documentdb_api_internal.scram_challenge(documentdb_api_internal.login_verifier(p_user_name))$$;
CREATE FUNCTION documentdb_api_internal.authenticate_with_scram_sha256(p_user_name text, p_auth_msg text, p_client_proof text)
    RETURNS documentdb_core.bson
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
    AS $$SELECT documentdb_api_internal.scram_verify(documentdb_api_internal.login_verifier(p_user_name), p_auth_msg, p_client_proof)$$;

CREATE FUNCTION documentdb_api.create_user(p_spec documentdb_core.bson) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'create_user';
CREATE FUNCTION documentdb_api.update_user(p_spec documentdb_core.bson) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'update_user';
CREATE FUNCTION documentdb_api.drop_user(p_spec documentdb_core.bson) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'drop_user';
CREATE FUNCTION documentdb_api.users_info(p_spec documentdb_core.bson) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'users_info';
CREATE FUNCTION documentdb_api.connection_status(p_spec documentdb_core.bson) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'connection_status';
CREATE FUNCTION documentdb_api.create_role(p_spec documentdb_core.bson) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'create_role';
CREATE FUNCTION documentdb_api.update_role(p_spec documentdb_core.bson) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'update_role';
CREATE FUNCTION documentdb_api.drop_role(p_spec documentdb_core.bson) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'drop_role';
CREATE FUNCTION documentdb_api.roles_info(p_spec documentdb_core.bson) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'roles_info';

CREATE FUNCTION documentdb_api.coll_stats(p_database_name text, p_collection_name text, p_scale float8 DEFAULT 1) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'coll_stats';
CREATE FUNCTION documentdb_api.db_stats(p_database_name text, p_scale float8 DEFAULT 1, p_freestorage boolean DEFAULT false)
    RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'db_stats';
CREATE FUNCTION documentdb_api.list_databases(p_list_databases_spec documentdb_core.bson) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'list_databases';
CREATE FUNCTION documentdb_api.current_op_command(p_spec documentdb_core.bson, OUT document documentdb_core.bson) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'current_op_command';
CREATE FUNCTION documentdb_api.validate(database text, validatespec documentdb_core.bson, OUT document documentdb_core.bson)
    RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'validate';
CREATE FUNCTION documentdb_api.compact(p_spec documentdb_core.bson) RETURNS documentdb_core.bson
    LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'compact';
CREATE FUNCTION documentdb_api_internal.document_is_sound(object_id documentdb_core.bson, document documentdb_core.bson) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'document_is_sound';
