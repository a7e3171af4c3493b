#!/bin/sh
# The short form of the benchmarks: Ermine on a throw-away cluster, beside the same SQL calls straight to PostgreSQL.
set -eu
cd "$(dirname "$0")/.."
echo "Building …"
cargo build --locked --release --quiet -p ermine -p ermine-cluster -p ermine-bench
(cd extension && cargo build --locked --release --quiet -p ermine-pg)
export ERMINE_EXTENSION_LIB="$PWD/extension/target/release/libermine.so"
# The single quotes keep the variables for the inner shell, which finds them set.
exec target/release/ermine-cluster with --proxy target/release/ermine --quiet -- sh -c '
  exec target/release/ermine-bench --target "ermine=$ERMINE_PRIMARY_URI" --target "floor=$CLUSTER_PRIMARY_URL" \
    --pid "ermine=$CLUSTER_PROXY_PID" --pid "postgres=$CLUSTER_PRIMARY_PID" \
    --workload ping --workload find-by-id --workload find100 --workload insert1 --workload insert1000 --workload update \
    --connections 8 --rounds 3 --seconds 3 "$@"' sh "$@"
