#!/bin/bash
# What the extension's calls cost PostgreSQL, in instructions: counted by callgrind (Debian: valgrind) in a backend without a
# client, as the difference of a loop of 1,200 and one of 200. No other program disturbs the figures.
# Usage: scripts/instructions.sh
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || {
  echo "valgrind is missing" >&2
  exit 69
}
cargo build --locked --release --quiet -p ermine -p ermine-cluster
(cd extension && cargo build --locked --release --quiet -p ermine-pg)

dir=$(mktemp -d)
chmod 755 "$dir"
read -r one two < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))')
target/release/ermine-cluster run --data "$dir/data" --port "$one" --secondary-port "$two" --proxy target/release/ermine \
  --extension extension/target/release/libermine.so >"$dir/log" 2>&1 &
cluster=$!
trap 'kill -INT $cluster 2>/dev/null || true; wait $cluster || true; rm -rf "$dir"' EXIT
until grep -q "Ermine is up" "$dir/log"; do
  kill -0 $cluster || { cat "$dir/log" >&2; exit 1; }
  sleep 0.2
done
# The cluster is stopped before the data are counted on; a clean stop leaves nothing to be recovered.
kill -INT $cluster
wait $cluster || true

single() {
  local run=("$dir/data/root$(/usr/lib/postgresql/15/bin/pg_config --bindir)/postgres" --single -D "$dir/data/primary" -F ermine)
  [ $# -eq 0 ] || run=(valgrind --tool=callgrind --callgrind-out-file=/dev/null "${run[@]}")
  if [ "$(id -u)" = 0 ]; then
    run=(setpriv --reuid "$(stat -c %u "$dir/data/primary")" --clear-groups "${run[@]}")
  fi
  (cd / && "${run[@]}" 2>&1)
}
# There a line is a statement.
loop() { echo "DO \$do\$ BEGIN FOR i IN 1..$1 LOOP $2; END LOOP; END \$do\$" | tr '\n' ' '; }
collected() {
  local out
  out=$(loop "$1" "$2" | single counted)
  if grep -qE 'ERROR|FATAL' <<<"$out"; then
    grep -E 'ERROR|FATAL' <<<"$out" >&2
    exit 1
  fi
  sed -n 's/.*Collected : //p' <<<"$out"
}
count() {
  local few many
  few=$(collected 200 "$2")
  many=$(collected 1200 "$2")
  printf '%-58s %8d\n' "$1" $(((many - few) / 1000))
}

bson() { printf "'%s'::documentdb_core.bson" "$1"; }
insert="documentdb_api.insert('bench', $(bson '{"insert":"c","documents":[{"_id":0,"a":0}]}'), NULL, NULL)"
{
  echo "SELECT (${insert}).p_success"
  for first in 1 1001 2001 3001 4001 5001 6001 7001 8001 9001; do
    echo "SELECT (documentdb_api.insert('bench', ('{\"insert\":\"c\",\"documents\":[' || (SELECT string_agg(format('{\"_id\":%s,\"a\":%s,\"pad\":\"%s\"}', i, i * 7919 % 10000, repeat('x', 1000)), ',') FROM generate_series($first, $first + 999) i) || ']}')::documentdb_core.bson, NULL, NULL)).p_success"
  done
  echo "SELECT documentdb_api_internal.create_indexes_non_concurrently('bench', $(bson '{"createIndexes":"c","indexes":[{"key":{"a":1},"name":"a_1"}]}'), true)"
} | single >"$dir/filled"
if grep -qE 'ERROR|FATAL' "$dir/filled"; then
  cat "$dir/filled" >&2
  exit 1
fi

find() { bson "{\"find\":\"c\",\"filter\":$1,\"limit\":1,\"singleBatch\":true,\"\$db\":\"bench\"}"; }
call="documentdb_api.find_cursor_first_page('bench', $(find '{"_id":77}'))"
count "an empty statement in the loop" "PERFORM 1"
count "the row of a primary key" "PERFORM document::bytea FROM documentdb_data.documents_1
  WHERE shard_key_value = 1 AND object_id OPERATOR(documentdb_core.=) $(bson '{"":77}')"
count "find by _id, one column of the function" "PERFORM ($call).cursorpage::bytea"
count "find by _id, the function in FROM" "PERFORM cursorpage::bytea, continuation::bytea, persistconnection, cursorid FROM $call"
count "find by equality on an index" \
  "PERFORM (documentdb_api.find_cursor_first_page('bench', $(find '{"a":77}'))).cursorpage::bytea"
count "insert of one small document" \
  "PERFORM (documentdb_api.insert('bench', (ARRAY[$(bson '{"insert":"d","documents":[{"a":1}]}')])[1], NULL, NULL)).p_result::bytea"
