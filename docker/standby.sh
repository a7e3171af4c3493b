#!/bin/bash
# Entry point of the standby: copies the primary once, then follows it.
set -euo pipefail
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  install -d -o postgres -g postgres -m 0700 "$PGDATA"
  export PGPASSWORD="$POSTGRES_PASSWORD"
  # A copy that was cut short is no data directory: it is begun anew.
  until gosu postgres pg_basebackup --host primary --username "$POSTGRES_USER" --pgdata "$PGDATA" \
    --wal-method stream --slot standby --write-recovery-conf --checkpoint fast; do
    find "$PGDATA" -mindepth 1 -delete
    sleep 1
  done
fi
exec docker-entrypoint.sh "$@"
