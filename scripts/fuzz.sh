#!/bin/sh
# Runs every fuzz target for some seconds each (60 unless given), from its corpus:
# scripts/fuzz.sh [seconds [target …]]; or only builds them: scripts/fuzz.sh build
# Up to ten seconds are a check and take the same way every time; more are a search, with other dice each time.
#
# The targets are plain programs with libFuzzer in them. Coverage is asked of the stable compiler by its own flags, so
# neither cargo-fuzz nor another toolchain is needed. What is found goes to <crate>/artifacts/<target>, and the
# input can be given to the program again as its only argument.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
wanted=" $* "
host=$(rustc -vV | sed -n 's/^host: //p')
coverage="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks"

# The decoder begins with what real drivers sent.
python3 - <<'PY'
from pathlib import Path

corpus = Path("fuzz/corpus/decode")
corpus.mkdir(parents=True, exist_ok=True)
for capture in sorted(Path("proto-tests/captures").glob("*.hex")):
    messages = [line for line in capture.read_text().splitlines() if line and not line.startswith("#")]
    for number, message in enumerate(messages, 1):
        (corpus / f"{capture.stem}-{number}").write_bytes(bytes.fromhex(message))
PY

# One folder for both crates: libFuzzer itself is the longest to build, and the same.
export CARGO_TARGET_DIR="$PWD/target/fuzz"
for crate in fuzz extension/fuzz; do
  [ -e "$crate/Cargo.toml" ] || continue
  # With --target the flags spare build scripts, which have no fuzzer to report to.
  RUSTFLAGS=$coverage cargo build --quiet --locked --release --target "$host" --manifest-path "$crate/Cargo.toml"
  [ "$seconds" != build ] || continue
  for source in "$crate"/fuzz_targets/*.rs; do
    target=$(basename "$source" .rs)
    case "$wanted" in "  " | *" $target "*) ;; *) continue ;; esac
    corpus=$crate/corpus/$target artifacts=$crate/artifacts/$target
    mkdir -p "$corpus" "$artifacts"
    # Found inputs go to the first folder; seeds that are part of the repository are only read.
    seeds=$crate/seeds/$target
    [ -d "$seeds" ] || seeds=
    echo "fuzzing $target for $seconds s"
    seed=
    [ "$seconds" -gt 10 ] || seed=-seed=1
    # shellcheck disable=SC2086
    if ! "$CARGO_TARGET_DIR/$host/release/$target" -max_total_time="$seconds" -max_len=65536 -timeout=120 -rss_limit_mb=2048 $seed \
      -artifact_prefix="$artifacts/" -print_final_stats=1 "$corpus" $seeds >"$artifacts/log" 2>&1; then
      tail -40 "$artifacts/log" >&2
      echo "$target failed; the input lies in $artifacts" >&2
      exit 1
    fi
    grep -E '^stat::number_of_executed_units|^stat::average_exec' "$artifacts/log"
  done
done
