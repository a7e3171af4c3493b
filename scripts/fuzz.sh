#!/bin/sh
# Runs the fuzz target of the decoder for some seconds (60 unless given), from a corpus of real driver messages.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
mkdir -p fuzz/corpus/decode
for capture in proto-tests/captures/*.hex; do
  n=0
  grep -v '^#' "$capture" | while read -r line; do
    n=$((n + 1))
    printf '%s' "$line" | xxd -r -p >"fuzz/corpus/decode/$(basename "$capture" .hex)-$n"
  done
done
exec cargo +nightly fuzz run decode -- -max_total_time="$seconds" -max_len=65536
