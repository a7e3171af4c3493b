#!/bin/sh
# Runs once, when the primary's data directory has just been made: what a streaming standby needs of it.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "${POSTGRES_DB:-$POSTGRES_USER}" <<SQL
CREATE EXTENSION IF NOT EXISTS $EXTENSION CASCADE;
SELECT pg_create_physical_replication_slot('standby')
 WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'standby');
SQL
echo 'host replication all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
