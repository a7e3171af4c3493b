#!/bin/sh
# Every check of the project, in the order in which a mistake costs least. `make test` calls it.
set -eu
cd "$(dirname "$0")/.."
step() { printf '\n== %s (%s s)\n' "$1" "$(($(date +%s) - start))"; }
start=$(date +%s)

# Runs a command beside the rest, with what the rest leaves of the processors: `beside NAME COMMAND …`, then `await NAME`.
# A session of its own is one group for the kernel, and a group has a niceness too.
log=target/test-log
mkdir -p "$log"
running= extension=
beside() {
  name=$1
  shift
  # shellcheck disable=SC2016
  setsid nice -n 19 sh -c '{ echo 19 >/proc/self/autogroup; } 2>/dev/null; exec "$@"' "$name" "$@" >"$log/$name" 2>&1 &
  eval "$name=$!"
  running="$running $!"
}
await() {
  eval "job=\$$1"
  # shellcheck disable=SC2154
  wait "$job" || { tail -50 "$log/$1" >&2; echo "failed: $1 ($log/$1)" >&2; exit 1; }
  running=$(printf '%s' "$running" | sed "s/ $job\\b//")
}
trap 'for job in $running; do kill -- "-$job" 2>/dev/null || true; done; kill $extension 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

step "packages"
scripts/install.sh test
beside clients scripts/clients.sh
image=
[ "$(id -u)" != 0 ] || image=yes
[ -z "$image" ] || beside bases scripts/image.sh bases

step "format"
cargo fmt --all --check
(cd extension && cargo fmt --all --check)

step "lints and builds"
# One pass lints and compiles: clippy's driver stands where cargo lets a wrapper stand before the compiler of the workspace's
# own crates. `cargo clippy` before it would compile every dependency twice.
clippy=$(rustc --print sysroot)/bin/clippy-driver
linted() {
  RUSTC_WORKSPACE_WRAPPER=$clippy CLIPPY_ARGS=-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__ cargo "$@" --workspace --locked --quiet
}
# The two workspaces at the same time: each ends in long steps that use one core.
(cd extension && linted build --all-targets) &
extension=$!
linted build --all-targets
wait "$extension"
extension=
# Advisories are a matter of the day and of the network: `cargo deny check advisories` asks for them.
if cargo deny --version >/dev/null 2>&1; then
  cargo deny --workspace check --hide-inclusion-graph bans licenses sources
  (cd extension && cargo deny --config ../deny.toml --workspace check --hide-inclusion-graph bans licenses sources)
else
  echo "cargo deny is not installed: licences and sources are not checked (cargo install cargo-deny)"
fi

# The tests wait much for servers; these two only compute.
# To optimise a fuzz target takes longer than it saves here.
export CARGO_PROFILE_RELEASE_OPT_LEVEL=0
beside fuzz_targets scripts/fuzz.sh build
if [ -n "$image" ]; then
  await bases
  beside image scripts/image.sh
fi

# The same cases every time: what chance finds it finds elsewhere, and not in a change that is not at fault.
export PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-20261129}"

step "the extension: engine, and the recorded contract on a primary and a standby"
(cd extension && linted test)

step "the proxy and the wire"
linted test

step "real clients"
await clients
with_clients() {
  target/debug/ermine-cluster with --proxy target/debug/ermine -- \
    proto-tests/clients/.venv/bin/pytest -q -p no:cacheprovider "$@"
}
with_clients proto-tests/clients --ignore proto-tests/clients/service
with_clients proto-tests/clients/service

step "fuzzing, for a bounded time"
await fuzz_targets
scripts/fuzz.sh 10

if [ -n "$image" ]; then
  step "the image"
  await image
  with_clients proto-tests/image
else
  printf '\nThe image is not tested: that needs root (chroot and mount).\n'
fi

step "done"
