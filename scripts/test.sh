#!/bin/sh
# Every check of the project, in the order in which a mistake costs least. `make test` calls it.
set -eu
cd "$(dirname "$0")/.."
step() { printf '\n== %s (%s s)\n' "$1" "$(($(date +%s) - start))"; }
start=$(date +%s)

step "packages"
scripts/install.sh test
scripts/clients.sh

step "format"
cargo fmt --all --check
(cd extension && cargo fmt --all --check)

step "lints and builds"
# The two workspaces at the same time: each ends in long steps that use one core.
(
  cd extension
  cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
  cargo build --locked --quiet -p ermine-pg
  cargo test --workspace --locked --quiet --no-run
) &
extension=$!
trap 'kill $extension 2>/dev/null || true' EXIT
cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
cargo build --locked --quiet -p ermine -p ermine-cluster -p ermine-driver-scenario
cargo test --workspace --locked --quiet --no-run
wait $extension
trap - EXIT
# Advisories are a matter of the day and of the network: `cargo deny check advisories` asks for them.
if cargo deny --version >/dev/null 2>&1; then
  cargo deny --workspace check --hide-inclusion-graph bans licenses sources
  (cd extension && cargo deny --config ../deny.toml --workspace check --hide-inclusion-graph bans licenses sources)
else
  echo "cargo deny is not installed: licences and sources are not checked (cargo install cargo-deny)"
fi

step "the extension: engine, and the recorded contract on a primary and a standby"
(cd extension && cargo test --workspace --locked --quiet)

step "the proxy and the wire"
cargo test --workspace --locked --quiet

step "fuzzing, for a bounded time"
# A build that optimises more takes longer than it saves here.
CARGO_PROFILE_RELEASE_OPT_LEVEL=1 scripts/fuzz.sh 10

step "real clients"
target/debug/ermine-cluster with --proxy target/debug/ermine -- \
  proto-tests/clients/.venv/bin/pytest -q -p no:cacheprovider proto-tests/clients --ignore proto-tests/clients/service
target/debug/ermine-cluster with --proxy target/debug/ermine -- \
  proto-tests/clients/.venv/bin/pytest -q -p no:cacheprovider proto-tests/clients/service

if [ "$(id -u)" = 0 ]; then
  step "the image"
  scripts/image.sh
  target/debug/ermine-cluster with --proxy target/debug/ermine -- \
    proto-tests/clients/.venv/bin/pytest -q -p no:cacheprovider proto-tests/image
else
  printf '\nThe image is not tested: that needs root (chroot and mount).\n'
fi

step "done"
