#!/bin/sh
# The tables of bench/README.md: Ermine on a throw-away cluster, beside the same SQL calls straight to PostgreSQL.
# Usage: scripts/bench.sh short|point|bulk|all-workloads|ping|sweep|open-loop|driver|compression|idle|full [OPTION OF ermine-bench]...
set -eu
cd "$(dirname "$0")/.."
table=${1:-short}
[ $# -eq 0 ] || shift
if [ "$table" != inner ]; then
  echo "Building …"
  cargo build --locked --release --quiet -p ermine -p ermine-cluster -p ermine-bench
  (cd extension && cargo build --locked --release --quiet -p ermine-pg)
  export ERMINE_EXTENSION_LIB="$PWD/extension/target/release/libermine.so"
  # Each connection is a file here and two in Ermine.
  ulimit -n "$(ulimit -H -n)"
  exec target/release/ermine-cluster with --proxy "${BENCH_PROXY:-target/release/ermine}" --quiet -- \
    scripts/bench.sh inner "$table" "$@"
fi

table=$1
shift
bench() {
  target/release/ermine-bench --pid "ermine=$CLUSTER_PROXY_PID" --pid "postgres=$CLUSTER_PRIMARY_PID" "$@"
}
# Ermine and the floor in turns; the collections are filled once.
keep=
both() {
  bench --target "ermine=$ERMINE_PRIMARY_URI" --target "floor=$CLUSTER_PRIMARY_URL" $keep "$@"
  keep=--keep
}

run() {
  table=$1
  shift
  case $table in
  short)
    # Three minutes with the filling.
    both --rounds 3 --seconds 2 --forward --workload ping@32 --workload find-by-id@1 --workload find-by-id@32 \
      --workload insert1@8 --workload update@8 --workload insert1000@2 --workload find10000@2 "$@"
    ;;
  point)
    both --rounds 7 --seconds 5 --workload find-by-id@1 --workload find-by-id@32 --workload find-by-id100b@1 \
      --workload find-by-id100b@32 --workload find-by-id16k@1 --workload find-by-id16k@32 "$@"
    ;;
  bulk)
    both --rounds 5 --seconds 5 --forward --workload insert1000@1 --workload insert1000@4 --workload find10000@1 \
      --workload find10000@4 "$@"
    ;;
  all-workloads)
    both --rounds 5 --seconds 3 --connections 8 --workload ping --workload find100 --workload insert1 --workload insert100 \
      --workload update --workload ycsb-a --workload ycsb-b --workload ycsb-c --workload count --workload group \
      --workload connect "$@"
    ;;
  ping)
    bench --target "ermine=$ERMINE_PRIMARY_URI" --documents 1 --rounds 5 --seconds 3 --workload ping@32 --workload ping@32x16 \
      --workload ping@32x64 "$@"
    ;;
  sweep)
    both --rounds 5 --seconds 5 --workload find-by-id@1 --workload find-by-id@8 --workload find-by-id@32 \
      --workload find-by-id@256 --workload find-by-id@1000 --workload find-by-id@2000 "$@"
    ;;
  open-loop)
    for rate in 1000 5000 10000; do
      both --rounds 5 --seconds 5 --rate $rate --workload find-by-id@32 --workload ycsb-b@32 "$@"
    done
    ;;
  driver)
    bench --target "frames=$ERMINE_PRIMARY_URI" --target "driver=driver+$ERMINE_PRIMARY_URI" --rounds 5 --seconds 3 \
      --workload find-by-id@1 --workload find-by-id@32 --workload find100@8 --workload insert1@8 --workload insert1000@2 \
      --workload update@8 --workload ycsb-b@32 "$@"
    ;;
  compression)
    bench --target "plain=$ERMINE_PRIMARY_URI" --target "snappy=$ERMINE_PRIMARY_URI?compressors=snappy" \
      --target "zstd=$ERMINE_PRIMARY_URI?compressors=zstd" --target "zlib=$ERMINE_PRIMARY_URI?compressors=zlib" \
      --rounds 5 --seconds 3 --workload find-by-id@8 --workload find100@8 --workload insert1000@2 "$@"
    ;;
  idle)
    bench --target "ermine=$ERMINE_PRIMARY_URI" --idle 10000 --churn 1000 --seconds 30 "$@"
    with_tls "$@"
    ;;
  full)
    for one in point bulk all-workloads ping sweep open-loop driver compression idle; do
      printf '\n== %s\n' "$one"
      run "$one" "$@"
    done
    ;;
  *)
    echo "there is no table '$table'" >&2
    exit 64
    ;;
  esac
}

# The same idle connections with TLS, on an Ermine of their own with a certificate for this run.
with_tls() {
  directory=$(mktemp -d)
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -keyout "$directory/key.pem" -out "$directory/cert.pem" 2>/dev/null
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  ERMINE_LISTEN_ADDR=- ERMINE_SECONDARY_LISTEN_ADDR=- ERMINE_LISTEN_TLS="127.0.0.1:$port" ERMINE_DEBUG_ADDR=- \
    ERMINE_LISTEN_TLS_CERT_FILE="$directory/cert.pem" ERMINE_LISTEN_TLS_KEY_FILE="$directory/key.pem" \
    ERMINE_POSTGRESQL_URL="$CLUSTER_PRIMARY_URL" ERMINE_POSTGRESQL_STANDBY_URL= \
    env -u ERMINE_PRIMARY_URI -u ERMINE_SECONDARY_URI -u ERMINE_EXTENSION_LIB "$CLUSTER_PROXY" >"$directory/log" 2>&1 &
  proxy=$!
  trap 'kill $proxy; rm -r "$directory"' EXIT
  until grep -q listening "$directory/log"; do sleep 0.1; kill -0 $proxy; done
  credentials=${ERMINE_PRIMARY_URI%@*}
  target/release/ermine-bench --pid "ermine=$proxy" --idle 10000 "$@" \
    --target "tls=$credentials@127.0.0.1:$port/?tls=true&tlsCAFile=$directory/cert.pem"
  kill $proxy
  wait $proxy || true
  trap - EXIT
  rm -r "$directory"
}

run "$table" "$@"
